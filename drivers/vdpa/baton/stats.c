// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics of queues: "vdpa dev vstats show".
 *
 * &baton_queue.kicks and &baton_queue.interrupts are counted without a lock, and read so: they
 * may be a few too low. What is counted of commands is guarded by &baton.lock.
 */
#include <linux/netlink.h>
#include <net/netlink.h>
#include <uapi/linux/vdpa.h>

#include "core.h"
#include "stats.h"

static int stats_put(struct sk_buff *msg, const char *name, u64 value)
{
	if (nla_put_string(msg, VDPA_ATTR_DEV_VENDOR_ATTR_NAME, name) ||
	    nla_put_u64_64bit(msg, VDPA_ATTR_DEV_VENDOR_ATTR_VALUE, value, VDPA_ATTR_PAD))
		return -EMSGSIZE;
	return 0;
}

/**
 * baton_stats_put() - put what was counted of a queue into a netlink message
 * @vdev: the vDPA device
 * @idx: which queue
 * @msg: the message
 * @extack: for an error message
 *
 * Context: may sleep; takes &baton.lock.
 * Return: 0; -EINVAL if there is no such queue; -EMSGSIZE if @msg has no room.
 */
int baton_stats_put(struct vdpa_device *vdev, u16 idx, struct sk_buff *msg,
		    struct netlink_ext_ack *extack)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton_queue *bq;

	if (idx >= bv->nr_queues) {
		NL_SET_ERR_MSG_MOD(extack, "no such queue");
		return -EINVAL;
	}
	CLASS(baton_vdpa, b)(bv);
	bq = &bv->queues[idx];
	if (stats_put(msg, "kicks", READ_ONCE(bq->kicks)) ||
	    stats_put(msg, "interrupts", READ_ONCE(bq->interrupts)))
		return -EMSGSIZE;
	if (stats_put(msg, "relayed", bq->relayed))
		return -EMSGSIZE;
	if (idx != bv->ctrl.index)
		return 0;
	if (stats_put(msg, "received_commands", bv->ctrl.received) ||
	    stats_put(msg, "completed_commands", bv->ctrl.completed) ||
	    stats_put(msg, "refused_commands", bv->ctrl.refused))
		return -EMSGSIZE;

	return 0;
}
