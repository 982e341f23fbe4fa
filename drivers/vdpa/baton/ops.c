// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the vDPA bus and its consumers call (struct vdpa_config_ops).
 *
 * The status and the queues that a consumer sees are those that are kept here, not the
 * hardware's. Of the hardware it is shown the configuration space, and whether the device
 * took what it was given.
 *
 * Operations that change something, or need the hardware, take &baton.lock by way of the vDPA
 * device: CLASS(baton_vdpa, b), so that b is the function that it has now. The others read
 * constants or single words, or take a smaller lock. Documentation/locking.rst says who calls
 * what with which locks, and which may not sleep.
 */
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <uapi/linux/vhost_types.h>

#include "core.h"
#include "consumer.h"
#include "function.h"
#include "gone.h"
#include "handover.h"
#include "ops.h"
#include "space.h"
#include "stats.h"
#include "status.h"
#include "suspend.h"

/* Queues */

static int ops_set_vq_address(struct vdpa_device *vdev, u16 idx, u64 desc_area, u64 driver_area,
			      u64 device_area)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton_queue *bq = &bv->queues[idx];

	CLASS(baton_vdpa, b)(bv);
	if (bq->enabled)
		return -EBUSY;
	bq->cfg.desc = desc_area;
	bq->cfg.driver = driver_area;
	bq->cfg.device = device_area;

	return 0;
}

static void ops_set_vq_num(struct vdpa_device *vdev, u16 idx, u32 num)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton_queue *bq = &bv->queues[idx];

	CLASS(baton_vdpa, b)(bv);
	if (bq->enabled)
		baton_report_refusal(b, "queue %u cannot change its size while it runs", idx);
	else
		/* Too large for u16: 0, which is refused when the queue is to run. */
		bq->cfg.size = num > U16_MAX ? 0 : num;
}

static void ops_count_kick(struct baton_queue *bq)
{
	/* Without a lock: two at once may count as one. */
	data_race(bq->kicks++);
}

/* Context: any. rcu: baton_gone_leave() waits for kicks before the function may go. */
static void ops_kick_vq(struct vdpa_device *vdev, u16 idx)
{
	struct baton_vdpa *bv = to_bv(vdev);

	ops_count_kick(&bv->queues[idx]);
	guard(rcu)();
	if (idx == READ_ONCE(bv->ctrl.index))
		baton_ctrl_kick(bv);
	else if (baton_queue_may_kick(&bv->queues[idx], idx))
		baton_queue_kick(bv, &bv->queues[idx]);
}

static void ops_kick_vq_with_data(struct vdpa_device *vdev, u32 data)
{
	struct baton_vdpa *bv = to_bv(vdev);
	u16 idx = data & 0xffff;
	struct baton_function *fn;

	if (idx >= bv->nr_queues)
		return;
	ops_count_kick(&bv->queues[idx]);
	guard(rcu)();
	fn = baton_vdpa_function(bv);
	if (idx == READ_ONCE(bv->ctrl.index))
		baton_ctrl_kick(bv);
	else if (baton_queue_may_kick(&bv->queues[idx], data))
		fn->ops->kick_data(fn, data);
}

static void ops_set_vq_cb(struct vdpa_device *vdev, u16 idx, struct vdpa_callback *cb)
{
	struct baton_queue *bq = &to_bv(vdev)->queues[idx];
	unsigned long flags;

	spin_lock_irqsave(&bq->cb_lock, flags);
	bq->cb = *cb;
	spin_unlock_irqrestore(&bq->cb_lock, flags);
	baton_irq_listen(to_bv(vdev), bq);
}

static void ops_set_vq_ready(struct vdpa_device *vdev, u16 idx, bool ready)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton_queue *bq = &bv->queues[idx];

	CLASS(baton_vdpa, b)(bv);
	/*
	 * A virtio driver whose probe fails after DRIVER_OK frees its queues without a reset. The
	 * hardware's queue cannot be stopped, so the function is drained (C3).
	 */
	if (!ready && bq->enabled && b->owner.owner == BATON_KERNEL) {
		baton_status_abandon(bv);
		return;
	}
	if (ready && baton_owner_runs(&b->owner)) {
		if (baton_queue_enable(bv, bq)) {
			/* This operation returns nothing: the owner is told to reset. */
			bv->fail(bv, false);
			return;
		}
		baton_queue_start(bv, bq);
	}
	WRITE_ONCE(bq->ready, ready);
	/* A kick that came before @ready was set has found nothing to do. */
	if (ready && baton_owner_runs(&b->owner) && idx == bv->ctrl.index)
		baton_ctrl_kick(bv);
}

static bool ops_get_vq_ready(struct vdpa_device *vdev, u16 idx)
{
	return READ_ONCE(to_bv(vdev)->queues[idx].ready);
}

/*
 * A virtio device starts its queues at 0, and cannot be told otherwise. At any other
 * position a user's queue is relayed (relay.c); the owner's control queue is read by
 * the CPU (ring.c), which starts anywhere. &baton.lock held.
 *
 * Return: NULL, or why a queue cannot start there.
 */
static const char *ops_state_unreachable(const struct baton_vdpa *bv, u16 idx,
					 const struct vdpa_vq_state *state)
{
	const struct vdpa_vq_state_packed *packed = &state->packed;

	if (bv->features & BIT_ULL(VIRTIO_F_RING_PACKED)) {
		if (packed->last_avail_counter == 1 && !packed->last_avail_idx &&
		    packed->last_used_counter == 1 && !packed->last_used_idx)
			return NULL;
		return "packed rings start at their beginning";
	}
	if (!state->split.avail_index || idx == bv->ctrl.index)
		return NULL;
	if (bv->b->owner.consumer != BATON_USER)
		return "only a user's queues are relayed";
	if (bv->relay == BATON_RELAY_NEVER)
		return "the policy is to relay no queue (sysfs: baton/relay)";
	if (baton_owner_held(&bv->b->owner) && !bv->queues[idx].relayed)
		return "that has to be said before DRIVER_OK";

	return NULL;
}

static int ops_set_vq_state(struct vdpa_device *vdev, u16 idx, const struct vdpa_vq_state *state)
{
	struct baton_vdpa *bv = to_bv(vdev);
	const char *why;

	CLASS(baton_vdpa, b)(bv);
	if (bv->queues[idx].enabled)
		return -EBUSY;
	why = ops_state_unreachable(bv, idx, state);
	if (why) {
		baton_report_refusal(bv->b, "queue %u refused to start at %u: %s", idx,
				     state->split.avail_index, why);
		return -EOPNOTSUPP;
	}
	bv->queues[idx].state = *state;

	return 0;
}

/* A running device does not say where its queues stand: the relay does, and ring.c. */
static int ops_get_vq_state(struct vdpa_device *vdev, u16 idx, struct vdpa_vq_state *state)
{
	struct baton_vdpa *bv = to_bv(vdev);

	CLASS(baton_vdpa, b)(bv);
	/* It failed, or was reset by others: where its queues stand is not known. */
	if (bv->needs_reset)
		return -EIO;
	if (idx == bv->ctrl.index && bv->ctrl.ring.size) {
		state->split.avail_index = bv->ctrl.ring.next_avail;
		return 0;
	}
	if (bv->queues[idx].enabled && bv->queues[idx].relayed) {
		state->split.avail_index = baton_relay_position(&bv->queues[idx]);
		return 0;
	}
	if (bv->queues[idx].enabled)
		return -EOPNOTSUPP;
	if (bv->features & BIT_ULL(VIRTIO_F_RING_PACKED))
		state->packed = (struct vdpa_vq_state_packed) {
			.last_avail_counter = 1,
			.last_used_counter = 1,
		};
	else
		*state = bv->queues[idx].state;

	return 0;
}

/*
 * Invariant (C12): the address is a constant of the queue, and "not now" is said by the size alone.
 * vhost_vdpa asks at mmap(), where it checks the answer, and again at each page fault, where it
 * does not: so a late fault maps the doorbell that was checked. No lock, since mmap_lock is held.
 */
static struct vdpa_notification_area ops_get_vq_notification(struct vdpa_device *vdev, u16 idx)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct vdpa_notification_area area = {};
	struct baton_queue *bq;

	/* Not every vhost_vdpa looks before it asks: the queue is an offset into a file. */
	if (idx >= bv->nr_queues)
		return area;
	bq = &bv->queues[idx];
	area.addr = bq->doorbell.addr;
	if (idx != READ_ONCE(bv->ctrl.index) && idx != READ_ONCE(bv->cvq.index) &&
	    !READ_ONCE(bq->relayed) && !baton_relay_wanted(bv, bq) && !baton_gone_is(bv))
		area.size = bq->doorbell.size;

	return area;
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
	return idx == READ_ONCE(to_bv(vdev)->ctrl.index) ? BATON_GROUP_CONTROL : BATON_GROUP_DATA;
}

static int ops_set_group_asid(struct vdpa_device *vdev, unsigned int group, unsigned int asid)
{
	struct baton_vdpa *bv = to_bv(vdev);
	int err = 0;

	if (group >= BATON_NR_GROUPS || asid >= BATON_NR_AS)
		return -EINVAL;
	CLASS(baton_vdpa, b)(bv);
	if (baton_owner_held(&b->owner))
		return -EBUSY;
	/* A new domain is tried on, by way of the default one: not by what is not to be trusted. */
	if (b->owner.state == BATON_BROKEN || b->owner.state == BATON_DEAD)
		return -EIO;
	if (group == BATON_GROUP_DATA)
		err = baton_handover_show(b, asid);
	if (!err)
		bv->group_asid[group] = asid;

	return err;
}

/*
 * A kernel owner's control queue is read by the CPU, so it is mapped for the vDPA device itself,
 * whose DMA is direct: ctrl_window() can find the CPU's address.
 */
static baton_compat_vq_map ops_get_vq_map(struct vdpa_device *vdev, u16 idx)
{
	struct baton_vdpa *bv = to_bv(vdev);

	if (idx == READ_ONCE(bv->ctrl.index))
		return baton_compat_map_by(&vdev->dev);
	/* Not the function's, which may have left. */
	return baton_compat_get_map(vdev);
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

static u64 ops_get_device_features(struct vdpa_device *vdev)
{
	return baton_status_offered(to_bv(vdev));
}

static int ops_set_driver_features(struct vdpa_device *vdev, u64 features)
{
	struct baton_vdpa *bv = to_bv(vdev);

	CLASS(baton_vdpa, b)(bv);
	return baton_status_set_features(bv, features);
}

static u64 ops_get_driver_features(struct vdpa_device *vdev)
{
	return to_bv(vdev)->features;
}

/* QEMU enables data queues after DRIVER_OK if there is a control queue, offered or not. */
static u64 ops_get_backend_features(const struct vdpa_device *vdev)
{
	return BIT_ULL(VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK);
}

static void ops_set_config_cb(struct vdpa_device *vdev, struct vdpa_callback *cb)
{
	baton_consumer_set_config_cb(to_bv(vdev), cb);
}

/*
 * 0, below the minimum, has the vDPA core refuse to bind a consumer. Otherwise the largest size of
 * all queues, since vhost_vdpa refuses larger ones for any queue: the smallest would keep users,
 * who ask for each queue's own size (get_vq_size), from what the larger queues can do.
 */
static u16 ops_get_vq_num_max(struct vdpa_device *vdev)
{
	struct baton_vdpa *bv = to_bv(vdev);

	return baton_consumer_refused(bv) ? 0 : bv->made_of->queue_max;
}

static u16 ops_get_vq_num_min(struct vdpa_device *vdev)
{
	return 1;
}

static u32 ops_get_device_id(struct vdpa_device *vdev)
{
	return to_bv(vdev)->device_id;
}

static u32 ops_get_vendor_id(struct vdpa_device *vdev)
{
	return to_bv(vdev)->vendor_id;
}

static u8 ops_get_status(struct vdpa_device *vdev)
{
	return baton_status_get(to_bv(vdev));
}

static void ops_set_status(struct vdpa_device *vdev, u8 status)
{
	struct baton_vdpa *bv = to_bv(vdev);

	CLASS(baton_vdpa, b)(bv);
	baton_status_set(bv, status);
}

static int ops_reset(struct vdpa_device *vdev)
{
	struct baton_vdpa *bv = to_bv(vdev);

	CLASS(baton_vdpa, b)(bv);
	return baton_status_reset(bv);
}

static int ops_suspend(struct vdpa_device *vdev)
{
	struct baton_vdpa *bv = to_bv(vdev);

	CLASS(baton_vdpa, b)(bv);
	return baton_suspend(bv);
}

static int ops_resume(struct vdpa_device *vdev)
{
	struct baton_vdpa *bv = to_bv(vdev);

	CLASS(baton_vdpa, b)(bv);
	return baton_suspend_end(bv);
}

static size_t ops_get_config_size(struct vdpa_device *vdev)
{
	return baton_config_size(&to_bv(vdev)->made_of->config);
}

static void ops_get_config(struct vdpa_device *vdev, unsigned int offset, void *buf,
			   unsigned int len)
{
	struct baton_vdpa *bv = to_bv(vdev);

	CLASS(baton_vdpa, b)(bv);
	if (baton_shadow_read(b, offset, buf, len))
		baton_report_refusal(b,
				     "configuration read may be torn: its generation does not settle");
	if (b->fn->device_id == VIRTIO_ID_NET)
		baton_net_config(&bv->net, offset, buf, len);
}

static void ops_set_config(struct vdpa_device *vdev, unsigned int offset, const void *buf,
			   unsigned int len)
{
	struct baton_vdpa *bv = to_bv(vdev);

	CLASS(baton_vdpa, b)(bv);
	/*
	 * virtio 1.2, 3.1.1: not before FEATURES_OK; 5.1.4: a network device's is not
	 * written by drivers. No warning, since QEMU's net device writes its MAC address
	 * each time that it is created.
	 */
	if (b->fn->device_id == VIRTIO_ID_NET)
		dev_dbg(b->fn->dev, "configuration write ignored: there is nothing to write\n");
	else if (!(bv->status & VIRTIO_CONFIG_S_FEATURES_OK) || bv->needs_reset)
		dev_dbg(b->fn->dev, "configuration write refused: no features negotiated\n");
	else if (baton_shadow_write(b, bv->features, offset, buf, len))
		baton_report_refusal(b,
				     "configuration write refused: %u bytes at %u are not whole fields that belong to the features taken",
				     len, offset);
}

static u32 ops_get_generation(struct vdpa_device *vdev)
{
	CLASS(baton_vdpa, b)(to_bv(vdev));
	return baton_shadow_generation(b);
}

static struct vdpa_iova_range ops_get_iova_range(struct vdpa_device *vdev)
{
	struct baton_vdpa *bv = to_bv(vdev);
	struct baton_range usable;

	/* vhost_vdpa calls this from open() only: so current is who opens it. */
	CLASS(baton_vdpa, b)(bv);
	usable = baton_range_usable(&b->domain.iova);
	get_task_comm(bv->user_comm, current);
	bv->user_pid = task_tgid_nr(current);

	return (struct vdpa_iova_range) { .first = usable.first, .last = usable.last };
}

/* DMA of a user */

static int ops_dma_map(struct vdpa_device *vdev, unsigned int asid, u64 iova, u64 size, u64 pa,
		       u32 perm, void *opaque)
{
	int err;

	CLASS(baton_vdpa, b)(to_bv(vdev));
	err = baton_space_map(b, asid, iova, size, pa, perm);
	if (!err)
		baton_relay_map(to_bv(vdev));

	return err;
}

static int ops_dma_unmap(struct vdpa_device *vdev, unsigned int asid, u64 iova, u64 size)
{
	if (!size)
		return 0;
	CLASS(baton_vdpa, b)(to_bv(vdev));
	baton_relay_unmap(to_bv(vdev), asid, iova, iova + (size - 1));
	return baton_space_unmap(b, asid, iova, iova + (size - 1));
}

static int ops_reset_map(struct vdpa_device *vdev, unsigned int asid)
{
	CLASS(baton_vdpa, b)(to_bv(vdev));
	baton_relay_unmap(to_bv(vdev), asid, 0, U64_MAX);
	return baton_space_unmap(b, asid, 0, U64_MAX);
}

/*
 * Called with the last reference, which may be dropped long after the function went. The vDPA
 * device has kept the module, and so these operations, until here. What is left of
 * this function after module_put() is its return, which would be gone if this task were preempted
 * there until root had unloaded the module. Nobody else could let go for us.
 */
static void ops_free_vdpa(struct vdpa_device *vdev)
{
	kvfree(to_bv(vdev)->queues);
	baton_function_put(to_bv(vdev)->made_of);
	module_put(THIS_MODULE);
}

static const struct vdpa_config_ops ops_all = {
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
	.get_vq_size		= ops_get_vq_size,
	.get_vq_align		= ops_get_vq_align,
	.get_vq_group		= ops_get_vq_group,
	.baton_compat_get_vq_map = ops_get_vq_map,
	.get_vendor_vq_stats	= baton_stats_put,
	.get_device_features	= ops_get_device_features,
	.set_driver_features	= ops_set_driver_features,
	.get_driver_features	= ops_get_driver_features,
	.get_backend_features	= ops_get_backend_features,
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

/* An operation that is set is offered: so there is a table for each kind of device. */
static struct vdpa_config_ops ops_suspendable __ro_after_init;
static struct vdpa_config_ops ops_resumable __ro_after_init;

/**
 * baton_ops_init() - fill in the tables of operations
 *
 * Context: module init; before baton_ops_of().
 */
void __init baton_ops_init(void)
{
	/* No resume where a drain loses what nobody gives anew: filters and sessions. */
	ops_suspendable = ops_all;
	ops_suspendable.suspend = ops_suspend;
	ops_resumable = ops_suspendable;
	ops_resumable.resume = ops_resume;
}

/**
 * baton_ops_of() - the operations that a class of devices has
 * @device_id: the class, VIRTIO_ID_...
 *
 * Context: any.
 * Return: the operations.
 */
const struct vdpa_config_ops *baton_ops_of(u32 device_id)
{
	switch (device_id) {
	case VIRTIO_ID_NET:
	case VIRTIO_ID_CRYPTO:
		return &ops_suspendable;
	case VIRTIO_ID_BLOCK:
		return &ops_resumable;
	default:
		return &ops_all;
	}
}
