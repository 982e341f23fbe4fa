/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Statistics of queues: see stats.c.
 */
#ifndef BATON_STATS_H
#define BATON_STATS_H

#include <linux/vdpa.h>

int baton_stats_put(struct vdpa_device *vdev, u16 idx, struct sk_buff *msg,
		    struct netlink_ext_ack *extack);

#endif /* BATON_STATS_H */
