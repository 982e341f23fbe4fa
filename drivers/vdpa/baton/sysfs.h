/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Attributes of the vDPA device: see sysfs.c.
 */
#ifndef BATON_SYSFS_H
#define BATON_SYSFS_H

#include <linux/sysfs.h>

extern const struct attribute_group *baton_sysfs_groups[];

#endif /* BATON_SYSFS_H */
