/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the vDPA bus and its consumers call: see ops.c.
 */
#ifndef BATON_OPS_H
#define BATON_OPS_H

#include <linux/vdpa.h>

void baton_ops_init(void);
const struct vdpa_config_ops *baton_ops_of(u32 device_id);

#endif /* BATON_OPS_H */
