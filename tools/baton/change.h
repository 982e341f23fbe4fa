/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The steps that change something. Each says on standard error why it failed and
 * what to do, and returns an exit status (command.h).
 */
#ifndef BATON_CHANGE_H
#define BATON_CHANGE_H

#include "command.h"
#include "conf.h"
#include "device.h"
#include "function.h"

int change_bind(struct function *fn, const struct options *o);
int change_add(const char *name, const struct function *fn, const struct conf *c);
int change_del(const struct device *dev, const struct options *o);
/* Does somebody have it open? It is said, and how to end that: the device then stays as it is. */
bool change_is_held(const struct device *dev);
int change_give(const struct device *dev, const char *class, const char *owner,
		const struct options *o);
/* An attribute of a device's, a word or several. */
int change_attribute(const char *name, const char *attribute, const char *value);
/* What to do about what the driver says; NULL if there is nothing to add. */
const char *change_remedy(const char *refusal);

#endif
