// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the vDPA bus and its consumers call (struct vdpa_config_ops).
 *
 * The state that a consumer sees is the one kept here. Of the hardware's own
 * it is told only what cannot be known otherwise: configuration space, and
 * whether the device took what it was given.
 *
 * Documentation/locking.rst says who calls what with which locks.
 */
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <net/netlink.h>
#include <uapi/linux/vdpa.h>

#include "core.h"
#include "features.h"

/* Status bits that the hardware is given before any features (virtio 1.2, 3.1.1). */
#define S_SETUP (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)

/* Queues */

static int ops_set_vq_address(struct vdpa_device *vdev, u16 idx, u64 desc_area, u64 driver_area,
			      u64 device_area)
{
	struct baton_queue *bq = &to_bv(vdev)->queues[idx];
	struct baton *b = to_bv(vdev)->b;

	guard(mutex)(&b->lock);
	if (bq->enabled)
		return -EBUSY;
	bq->cfg.desc = desc_area;
	bq->cfg.driver = driver_area;
	bq->cfg.device = device_area;

	return 0;
}

static void ops_set_vq_num(struct vdpa_device *vdev, u16 idx, u32 num)
{
	struct baton_queue *bq = &to_bv(vdev)->queues[idx];
	struct baton *b = to_bv(vdev)->b;

	guard(mutex)(&b->lock);
	if (bq->enabled)
		baton_function_refuse(b, "queue %u cannot change its size while it runs", idx);
	else
		/* Too large for u16: 0, which is refused when the queue is to run. */
		bq->cfg.size = num > U16_MAX ? 0 : num;
}

static void ops_count_kick(struct baton_queue *bq)
{
	/* A statistic: it is not worth a lock, and two at once may count as one. */
	data_race(bq->kicks++);
}

static void ops_kick_vq(struct vdpa_device *vdev, u16 idx)
{
	struct baton_vdpa *bv = to_bv(vdev);

	ops_count_kick(&bv->queues[idx]);
	if (idx == READ_ONCE(bv->control))
		baton_ctrl_kick(bv);
	else if (READ_ONCE(bv->queues[idx].enabled))
		bv->b->fn->ops->kick(bv->b->fn, idx);
}

static void ops_kick_vq_with_data(struct vdpa_device *vdev, u32 data)
{
	struct baton_vdpa *bv = to_bv(vdev);
	u16 idx = data & 0xffff;

	if (idx >= bv->nr_queues)
		return;
	ops_count_kick(&bv->queues[idx]);
	if (idx == READ_ONCE(bv->control))
		baton_ctrl_kick(bv);
	else if (READ_ONCE(bv->queues[idx].enabled))
		bv->b->fn->ops->kick_data(bv->b->fn, data);
}

static void ops_set_vq_cb(struct vdpa_device *vdev, u16 idx, struct vdpa_callback *cb)
{
	struct baton_queue *bq = &to_bv(vdev)->queues[idx];
	unsigned long flags;

	spin_lock_irqsave(&bq->cb_lock, flags);
	bq->cb = *cb;
	spin_unlock_irqrestore(&bq->cb_lock, flags);
}

static void ops_set_vq_ready(struct vdpa_device *vdev, u16 idx, bool ready)
{
	struct baton_queue *bq = &to_bv(vdev)->queues[idx];
	struct baton *b = to_bv(vdev)->b;

	guard(mutex)(&b->lock);
	if (ready && baton_running(b) && baton_queue_enable(b, bq))
		return;
	WRITE_ONCE(bq->ready, ready);
	/* The kick may have come first. */
	if (ready && baton_running(b) && idx == to_bv(vdev)->control)
		baton_ctrl_kick(to_bv(vdev));
}

static bool ops_get_vq_ready(struct vdpa_device *vdev, u16 idx)
{
	return READ_ONCE(to_bv(vdev)->queues[idx].ready);
}

/*
 * A virtio device cannot be told where to start, and always starts at the
 * beginning: that is the one state that can be set.
 */
static int ops_set_vq_state(struct vdpa_device *vdev, u16 idx, const struct vdpa_vq_state *state)
{
	struct baton_vdpa *bv = to_bv(vdev);
	const struct vdpa_vq_state_packed *packed = &state->packed;

	guard(mutex)(&bv->b->lock);
	if (bv->queues[idx].enabled)
		return -EBUSY;
	if (bv->features & BIT_ULL(VIRTIO_F_RING_PACKED)) {
		if (packed->last_avail_counter != 1 || packed->last_avail_idx ||
		    packed->last_used_counter != 1 || packed->last_used_idx)
			return -EOPNOTSUPP;
	} else if (state->split.avail_index) {
		return -EOPNOTSUPP;
	}
	bv->queues[idx].state = *state;

	return 0;
}

/* Nor does it say where it is, once it runs. */
static int ops_get_vq_state(struct vdpa_device *vdev, u16 idx, struct vdpa_vq_state *state)
{
	struct baton_vdpa *bv = to_bv(vdev);

	guard(mutex)(&bv->b->lock);
	if (bv->queues[idx].enabled)
		return -EOPNOTSUPP;
	*state = bv->queues[idx].state;

	return 0;
}

static struct vdpa_notification_area ops_get_vq_notification(struct vdpa_device *vdev, u16 idx)
{
	struct baton *b = to_bv(vdev)->b;
	struct vdpa_notification_area area = {};
	struct baton_doorbell doorbell = {};

	guard(mutex)(&b->lock);
	if (b->fn->ops->get_doorbell && idx != to_bv(vdev)->control)
		doorbell = b->fn->ops->get_doorbell(b->fn, idx);
	area.addr = doorbell.addr;
	area.size = doorbell.size;

	return area;
}

static int ops_get_vq_irq(struct vdpa_device *vdev, u16 idx)
{
	struct baton_vdpa *bv = to_bv(vdev);

	guard(mutex)(&bv->b->lock);
	return bv->queues[idx].own_irq;
}

static u16 ops_get_vq_size(struct vdpa_device *vdev, u16 idx)
{
	return baton_queue_max(to_bv(vdev), idx);
}

static u32 ops_get_vq_align(struct vdpa_device *vdev)
{
	return SMP_CACHE_BYTES;
}

static u32 ops_get_vq_group(struct vdpa_device *vdev, u16 idx)
{
	return idx == READ_ONCE(to_bv(vdev)->control) ? BATON_GROUP_CONTROL : BATON_GROUP_DATA;
}

static int ops_set_group_asid(struct vdpa_device *vdev, unsigned int group, unsigned int asid)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton *b = bv->b;
	int err = 0;

	if (group >= BATON_NR_GROUPS || asid >= BATON_NR_AS)
		return -EINVAL;
	guard(mutex)(&b->lock);
	if (baton_handover_owned(b))
		return -EBUSY;
	if (group == BATON_GROUP_DATA)
		err = baton_space_show(b, asid);
	if (!err)
		bv->group_asid[group] = asid;

	return err;
}

/*
 * The kernel's control queue is read by the CPU, not by the function: mapped
 * for the vDPA device itself, its addresses are physical ones.
 */
static baton_compat_vq_map ops_get_vq_map(struct vdpa_device *vdev, u16 idx)
{
	struct baton_vdpa *bv = to_bv(vdev);

	return baton_compat_map_by(idx == READ_ONCE(bv->control) ? &vdev->dev : bv->b->fn->dev);
}

static int ops_set_vq_affinity(struct vdpa_device *vdev, u16 idx, const struct cpumask *cpu_mask)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton_queue *bq = &bv->queues[idx];
	struct cpumask *mask = NULL;

	if (cpu_mask) {
		mask = kmemdup(cpu_mask, cpumask_size(), GFP_KERNEL);
		if (!mask)
			return -ENOMEM;
	}

	guard(mutex)(&bv->affinity_lock);
	kfree(bq->affinity);
	bq->affinity = mask;
	if (bq->own_irq < 0)
		return 0;

	return irq_set_affinity(bq->own_irq, mask ?: cpu_possible_mask);
}

static const struct cpumask *ops_get_vq_affinity(struct vdpa_device *vdev, u16 idx)
{
	return to_bv(vdev)->queues[idx].affinity;
}

/* Device */

static u64 status_offered(const struct baton_vdpa *bv)
{
	enum baton_party consumer = bv->b->owner.consumer;
	u64 features = baton_features_offer(bv->provisioned, consumer);
	bool net = bv->b->fn->device_id == VIRTIO_ID_NET;

	if (net)
		features = baton_net_carried(features);
	if (consumer == BATON_USER && bv->by_default)
		features = baton_features_usual(features, net);

	return features;
}

/* Which queue is the control queue depends on what the consumer took. */
static void status_find_control(struct baton_vdpa *bv)
{
	u64 features = bv->features ?: status_offered(bv);
	u16 control = BATON_NO_CONTROL;

	if (bv->ctrl.pages && features & BIT_ULL(VIRTIO_NET_F_CTRL_VQ))
		control = baton_net_control_queue(&bv->net, features);
	WRITE_ONCE(bv->control, control < bv->nr_queues ? control : BATON_NO_CONTROL);
}

static u64 ops_get_device_features(struct vdpa_device *vdev)
{
	return status_offered(to_bv(vdev));
}

static int ops_set_driver_features(struct vdpa_device *vdev, u64 features)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton *b = bv->b;
	const char *why;

	guard(mutex)(&b->lock);
	if (bv->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return -EBUSY;
	/*
	 * The vDPA core takes none on behalf of whoever reads configuration
	 * space before it has taken any: that is not yet a mistake.
	 */
	why = features ? baton_features_check(status_offered(bv), features) : NULL;
	if (why) {
		baton_function_refuse(b, "features %#llx %s (offered: %#llx)", features, why,
				      status_offered(bv));
		return -EINVAL;
	}
	bv->features = features;
	status_find_control(bv);

	return 0;
}

static u64 ops_get_driver_features(struct vdpa_device *vdev)
{
	return to_bv(vdev)->features;
}

static void ops_set_config_cb(struct vdpa_device *vdev, struct vdpa_callback *cb)
{
	struct baton_vdpa *bv = to_bv(vdev);
	unsigned long flags;

	spin_lock_irqsave(&bv->config_lock, flags);
	bv->config_cb = *cb;
	spin_unlock_irqrestore(&bv->config_lock, flags);
}

/* A size below the minimum is how a parent refuses a consumer's bind. */
static u16 ops_get_vq_num_max(struct vdpa_device *vdev)
{
	struct baton_vdpa *bv = to_bv(vdev);

	return bv->refused ? 0 : bv->b->queue_max;
}

static u16 ops_get_vq_num_min(struct vdpa_device *vdev)
{
	return 1;
}

static u32 ops_get_device_id(struct vdpa_device *vdev)
{
	return to_bv(vdev)->b->fn->device_id;
}

static u32 ops_get_vendor_id(struct vdpa_device *vdev)
{
	return to_bv(vdev)->b->fn->vendor_id;
}

static u8 ops_get_status(struct vdpa_device *vdev)
{
	const struct baton_vdpa *bv = to_bv(vdev);

	return READ_ONCE(bv->status) |
	       (READ_ONCE(bv->needs_reset) ? VIRTIO_CONFIG_S_NEEDS_RESET : 0);
}

/*
 * virtio 1.2, 3.1.1, steps 2 to 6, all at once: whatever order the consumer
 * sets its status bits in, the hardware sees the one of the specification.
 */
static int status_negotiate(struct baton *b)
{
	const struct baton_function_ops *ops = b->fn->ops;
	struct baton_vdpa *bv = b->bv;
	const char *why = baton_features_check(status_offered(bv), bv->features);
	u8 status;
	int err;

	if (why) {
		baton_function_refuse(b, "FEATURES_OK refused: features %#llx %s (offered: %#llx)",
				      bv->features, why, status_offered(bv));
		return -EINVAL;
	}
	if (bv->needs_reset || b->owner.state != BATON_BLOCKED) {
		baton_function_refuse(b,
				      "FEATURES_OK refused: the function is %s and has to be reset first",
				      baton_owner_state_name(b->owner.state));
		return -EIO;
	}
	/* A consumer may change its mind about features without a reset. */
	if (b->hw_status) {
		err = baton_handover_event(b, BATON_EV_DRAIN);
		if (err)
			return err;
	}

	ops->set_status(b->fn, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	ops->set_status(b->fn, S_SETUP);
	bv->net.features = bv->features;
	bv->net.may = BATON_MAY_ALL;
	if (bv->policy_set)
		bv->net.may = bv->policy;
	else if (b->owner.consumer == BATON_USER)
		bv->net.may = 0;
	bv->hw_features = bv->features;
	if (bv->ctrl.pages)
		bv->hw_features = baton_net_features(b->hw_features, bv->features, bv->net.may);
	ops->set_features(b->fn, bv->hw_features);
	b->hw_status = S_SETUP | VIRTIO_CONFIG_S_FEATURES_OK;
	ops->set_status(b->fn, b->hw_status);
	baton_shadow_stale(b);
	status = ops->get_status(b->fn);
	if (status == b->hw_status)
		return 0;

	baton_function_refuse(b, "the device refused features %#llx: status %#x", bv->hw_features,
			      status);
	baton_handover_event(b, BATON_EV_DRAIN);

	return -EIO;
}

/*
 * What counts is what the hardware was told: a grant that failed, and a reset
 * by others, have taken the features from it again.
 */
static int status_grant(struct baton *b)
{
	if (b->owner.state == BATON_BLOCKED &&
	    (b->bv->needs_reset || !(b->hw_status & VIRTIO_CONFIG_S_FEATURES_OK))) {
		/* The kernel tries twice; why the first time failed has been said. */
		if (!(b->bv->status & VIRTIO_CONFIG_S_FAILED))
			baton_function_refuse(b,
					      "DRIVER_OK refused: the function was reset since FEATURES_OK, so the device has to be reset first");
		return -EIO;
	}

	return baton_handover_event(b, BATON_EV_GRANT);
}

static void ops_set_status(struct vdpa_device *vdev, u8 status)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton *b = bv->b;
	u8 added;

	guard(mutex)(&b->lock);
	added = status & ~bv->status;
	status &= ~VIRTIO_CONFIG_S_NEEDS_RESET;

	/*
	 * A driver that was paused has to get through, to where it can be told:
	 * some cannot be unbound without harm after half of a resume.
	 */
	if (added & VIRTIO_CONFIG_S_FEATURES_OK && status_negotiate(b) && !b->paused)
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if (added & VIRTIO_CONFIG_S_DRIVER_OK &&
	    (!(status & VIRTIO_CONFIG_S_FEATURES_OK) || status_grant(b))) {
		status &= ~VIRTIO_CONFIG_S_DRIVER_OK;
		status |= VIRTIO_CONFIG_S_FAILED;
		/* It does not look at the status again. */
		baton_virtio_break(b);
	}
	WRITE_ONCE(bv->status, status);
}

/* Nothing of what an owner set may be found by the next. */
static void status_forget(struct baton_vdpa *bv)
{
	WRITE_ONCE(bv->status, 0);
	WRITE_ONCE(bv->needs_reset, false);
	bv->features = 0;
	memcpy(bv->net.current_mac, bv->net.mac, sizeof(bv->net.mac));
	baton_queue_reset(bv);
	status_find_control(bv);
}

static int ops_reset(struct vdpa_device *vdev)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton *b = bv->b;
	int err = 0;

	guard(mutex)(&b->lock);
	if (b->owner.state == BATON_BROKEN)
		err = -EIO;
	else if (b->owner.state != BATON_BLOCKED || b->hw_status)
		err = baton_handover_event(b, BATON_EV_DRAIN);
	status_forget(bv);
	if (err)
		return err;
	memset(bv->group_asid, 0, sizeof(bv->group_asid));
	err = baton_space_show(b, 0);
	if (err)
		return err;

	/* open() of a user calls this first: what it returns is seen there. */
	if (b->owner.consumer == BATON_USER && !b->owner.user_allowed) {
		baton_function_refuse(b, "no user may own this function: %s", bv->denial);
		return -EPERM;
	}

	return 0;
}

static size_t ops_get_config_size(struct vdpa_device *vdev)
{
	return baton_config_size(&to_bv(vdev)->b->config);
}

static void ops_get_config(struct vdpa_device *vdev, unsigned int offset, void *buf,
			   unsigned int len)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton *b = bv->b;

	guard(mutex)(&b->lock);
	if (baton_shadow_read(b, offset, buf, len))
		baton_function_refuse(b,
				      "configuration read may be torn: its generation does not settle");
	if (b->fn->device_id == VIRTIO_ID_NET)
		baton_net_config(&bv->net, offset, buf, len);
}

static void ops_set_config(struct vdpa_device *vdev, unsigned int offset, const void *buf,
			   unsigned int len)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton *b = bv->b;

	guard(mutex)(&b->lock);
	/*
	 * virtio 1.2, 3.1.1: not before FEATURES_OK; 5.1.4: a network device's
	 * is not for its driver to write. QEMU's net device writes its MAC
	 * address on creation, each time: no reason for a warning.
	 */
	if (b->fn->device_id == VIRTIO_ID_NET)
		dev_dbg(b->fn->dev, "configuration write ignored: there is nothing to write\n");
	else if (!(bv->status & VIRTIO_CONFIG_S_FEATURES_OK) || bv->needs_reset)
		dev_dbg(b->fn->dev, "configuration write refused: no features negotiated\n");
	else if (baton_shadow_write(b, offset, buf, len))
		baton_function_refuse(b,
				      "configuration write refused: %u bytes at %u are not whole fields of the device",
				      len, offset);
}

static u32 ops_get_generation(struct vdpa_device *vdev)
{
	struct baton *b = to_bv(vdev)->b;

	guard(mutex)(&b->lock);
	return baton_shadow_generation(b);
}

static struct vdpa_iova_range ops_get_iova_range(struct vdpa_device *vdev)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton_range usable = baton_range_usable(&bv->b->dma.iova);

	/* Called from open() and from nowhere else: so this is who opens it. */
	guard(mutex)(&bv->b->lock);
	get_task_comm(bv->user_comm, current);
	bv->user_pid = task_tgid_nr(current);

	return (struct vdpa_iova_range) { .first = usable.first, .last = usable.last };
}

static int stats_put(struct sk_buff *msg, const char *name, u64 value)
{
	if (nla_put_string(msg, VDPA_ATTR_DEV_VENDOR_ATTR_NAME, name) ||
	    nla_put_u64_64bit(msg, VDPA_ATTR_DEV_VENDOR_ATTR_VALUE, value, VDPA_ATTR_PAD))
		return -EMSGSIZE;
	return 0;
}

static int ops_get_vendor_vq_stats(struct vdpa_device *vdev, u16 idx, struct sk_buff *msg,
				   struct netlink_ext_ack *extack)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton_queue *bq;

	if (idx >= bv->nr_queues) {
		NL_SET_ERR_MSG_MOD(extack, "no such queue");
		return -EINVAL;
	}
	guard(mutex)(&bv->b->lock);
	bq = &bv->queues[idx];
	if (stats_put(msg, "kicks", READ_ONCE(bq->kicks)) ||
	    stats_put(msg, "interrupts", READ_ONCE(bq->interrupts)))
		return -EMSGSIZE;
	if (idx != bv->control)
		return 0;
	if (stats_put(msg, "received_commands", bv->ctrl.received) ||
	    stats_put(msg, "completed_commands", bv->ctrl.completed) ||
	    stats_put(msg, "refused_commands", bv->ctrl.refused))
		return -EMSGSIZE;

	return 0;
}

/* DMA of a user */

static int ops_dma_map(struct vdpa_device *vdev, unsigned int asid, u64 iova, u64 size, u64 pa,
		       u32 perm, void *opaque)
{
	struct baton *b = to_bv(vdev)->b;

	guard(mutex)(&b->lock);
	return baton_space_map(b, asid, iova, size, pa, perm);
}

static int ops_dma_unmap(struct vdpa_device *vdev, unsigned int asid, u64 iova, u64 size)
{
	struct baton *b = to_bv(vdev)->b;

	if (!size)
		return 0;
	guard(mutex)(&b->lock);
	return baton_space_unmap(b, asid, iova, iova + (size - 1));
}

static int ops_reset_map(struct vdpa_device *vdev, unsigned int asid)
{
	struct baton *b = to_bv(vdev)->b;

	guard(mutex)(&b->lock);
	return baton_space_unmap(b, asid, 0, U64_MAX);
}

/* The last reference may go after everything else of ours has: keep these operations in place. */
static void ops_free_vdpa(struct vdpa_device *vdev)
{
	module_put(THIS_MODULE);
}

const struct vdpa_config_ops baton_vdpa_ops = {
	.set_vq_address		= ops_set_vq_address,
	.set_vq_num		= ops_set_vq_num,
	.kick_vq		= ops_kick_vq,
	.kick_vq_with_data	= ops_kick_vq_with_data,
	.set_vq_cb		= ops_set_vq_cb,
	.set_vq_ready		= ops_set_vq_ready,
	.get_vq_ready		= ops_get_vq_ready,
	.set_vq_state		= ops_set_vq_state,
	.get_vq_state		= ops_get_vq_state,
	.get_vq_notification	= ops_get_vq_notification,
	.get_vq_irq		= ops_get_vq_irq,
	.get_vq_size		= ops_get_vq_size,
	.get_vq_align		= ops_get_vq_align,
	.get_vq_group		= ops_get_vq_group,
	.baton_compat_get_vq_map = ops_get_vq_map,
	.get_vendor_vq_stats	= ops_get_vendor_vq_stats,
	.get_device_features	= ops_get_device_features,
	.set_driver_features	= ops_set_driver_features,
	.get_driver_features	= ops_get_driver_features,
	.set_config_cb		= ops_set_config_cb,
	.get_vq_num_max		= ops_get_vq_num_max,
	.get_vq_num_min		= ops_get_vq_num_min,
	.get_device_id		= ops_get_device_id,
	.get_vendor_id		= ops_get_vendor_id,
	.get_status		= ops_get_status,
	.set_status		= ops_set_status,
	.reset			= ops_reset,
	.get_config_size	= ops_get_config_size,
	.get_config		= ops_get_config,
	.set_config		= ops_set_config,
	.get_generation		= ops_get_generation,
	.get_iova_range		= ops_get_iova_range,
	.set_vq_affinity	= ops_set_vq_affinity,
	.get_vq_affinity	= ops_get_vq_affinity,
	.dma_map		= ops_dma_map,
	.dma_unmap		= ops_dma_unmap,
	.reset_map		= ops_reset_map,
	.set_group_asid		= ops_set_group_asid,
	.free			= ops_free_vdpa,
};

/* Consumers come and go */

static void consumer_allow_user(struct baton_vdpa *bv)
{
	struct baton *b = bv->b;
	int err;

	if (baton_dma_isolation(b, bv->denial, sizeof(bv->denial))) {
		err = baton_dma_user_init(b);
		if (!err) {
			b->owner.user_allowed = true;
			return;
		}
		/* It may not be in the empty domain any more. */
		baton_handover_event(b, BATON_EV_DRAIN);
		snprintf(bv->denial, sizeof(bv->denial), "cannot allocate an IOMMU domain: %pe",
			 ERR_PTR(err));
	}
	baton_function_refuse(b, "no user may own this function: %s", bv->denial);
}

static void consumer_comes(struct baton_vdpa *bv, const char *driver)
{
	struct baton *b = bv->b;
	int err = -ENODEV;

	if (!strcmp(driver, "virtio_vdpa"))
		err = baton_handover_event(b, BATON_EV_BIND_KERNEL);
	else if (!strcmp(driver, "vhost_vdpa"))
		err = baton_handover_event(b, BATON_EV_BIND_USER);
	bv->refused = err;
	if (err)
		baton_function_refuse(b,
				      "consumer %s refused (%pe): only virtio_vdpa and vhost_vdpa are known",
				      driver, ERR_PTR(err));
	else if (b->owner.consumer == BATON_USER)
		consumer_allow_user(bv);
}

static void consumer_goes(struct baton_vdpa *bv)
{
	struct baton *b = bv->b;

	if (bv->refused) {
		bv->refused = false;
		return;
	}
	if (!baton_owner_may_release(&b->owner) || b->hw_status)
		baton_handover_event(b, BATON_EV_DRAIN);
	baton_handover_event(b, BATON_EV_UNBIND);
	baton_dma_user_uninit(b);
	b->owner.user_allowed = false;
	status_forget(bv);
	bv->user_pid = 0;
	ops_set_config_cb(&bv->vdpa, &(struct vdpa_callback) {});
}

static int consumer_changes(struct notifier_block *nb, unsigned long action, void *data)
{
	struct baton_vdpa *bv = container_of(nb, struct baton_vdpa, nb);
	struct device *dev = data;

	if (dev != &bv->vdpa.dev)
		return NOTIFY_DONE;

	guard(mutex)(&bv->b->lock);
	switch (action) {
	case BUS_NOTIFY_BIND_DRIVER:
		consumer_comes(bv, dev->driver->name);
		break;
	case BUS_NOTIFY_UNBIND_DRIVER:
		/* A user may stay a while; virtio_vdpa is gone before we hear of it. */
		if (bv->b->owner.consumer == BATON_KERNEL)
			ops_set_config_cb(&bv->vdpa, &(struct vdpa_callback) {});
		break;
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
	case BUS_NOTIFY_UNBOUND_DRIVER:
		consumer_goes(bv);
		break;
	}

	return NOTIFY_OK;
}

/**
 * baton_vdpa_init() - make a new vDPA device ready for consumers
 * @bv: the vDPA device, not yet registered
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int baton_vdpa_init(struct baton_vdpa *bv)
{
	int err;

	spin_lock_init(&bv->config_lock);
	err = baton_ctrl_init(bv);
	if (err)
		return err;
	baton_queue_init(bv);
	status_find_control(bv);

	/* Before registration, which may bind a consumer right away. */
	bv->nb.notifier_call = consumer_changes;
	err = bus_register_notifier(bv->vdpa.dev.bus, &bv->nb);
	if (err)
		baton_ctrl_uninit(bv);

	return err;
}

/**
 * baton_vdpa_uninit() - no consumer will come any more
 * @bv: the vDPA device, no longer registered
 *
 * Context: may sleep.
 */
void baton_vdpa_uninit(struct baton_vdpa *bv)
{
	bus_unregister_notifier(bv->vdpa.dev.bus, &bv->nb);
	baton_ctrl_uninit(bv);
	baton_queue_reset(bv);
}
