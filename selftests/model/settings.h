/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_SETTINGS_H
#define MODEL_SETTINGS_H

#include "model.h"

/* What a function is that nothing is said of; then those of its class that have not been set. */
void settings_default(struct model *m);
void settings_finish(struct model *m);

/* By name, value as text; 0 or -errno. */
int settings_set(struct model *m, const char *name, const char *value);

#endif /* MODEL_SETTINGS_H */
