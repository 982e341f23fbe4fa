/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the vDPA bus and its consumers call.
 */
#ifndef BATON_OPS_H
#define BATON_OPS_H

#include <linux/vdpa.h>

extern const struct vdpa_config_ops baton_ops;

#endif /* BATON_OPS_H */
