/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_WRONG_H
#define MODEL_WRONG_H

#include "model.h"

#define WRONG_EVERY_MS 2 /* between stray writes */

/* What it does by itself, if it is set to. */
void wrong_work(struct model *m);

/* A command at run time; the answer, of up to @size bytes, goes to @answer. */
void wrong_command(struct model *m, char *line, char *answer, size_t size);

#endif /* MODEL_WRONG_H */
