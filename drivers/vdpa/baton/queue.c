// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: what the consumer says of them is kept here until DRIVER_OK, and
 * only then written to the hardware.
 *
 * Consumers set queues up in orders of their own: QEMU enables them before
 * FEATURES_OK with some guests and after DRIVER_OK with others. The hardware
 * sees one order only. A queue that is enabled stays so until reset: virtio
 * (1.2, 4.1.4.3.2) forbids writing 0 to queue_enable.
 */
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "core.h"
#include "queue.h"

/* virtio 1.2, 2.6: alignment of the three parts of a split queue; 2.8.10.1. */
#define DESC_ALIGN	16
#define SPLIT_AVAIL_ALIGN	2
#define SPLIT_USED_ALIGN	4
#define PACKED_EVENT_ALIGN	4

/* The owner's control queue is served by us: any size does (virtio 1.2, 2.7). */
#define CONTROL_MAX	32768

static bool queue_is_packed(const struct baton_vdpa *bv)
{
	return bv->features & BIT_ULL(VIRTIO_F_RING_PACKED);
}

/**
 * baton_queue_init() - queues of a new vDPA device
 * @bv: the vDPA device
 */
void baton_queue_init(struct baton_vdpa *bv)
{
	u16 i;

	mutex_init(&bv->affinity_lock);
	for (i = 0; i < bv->nr_queues; i++) {
		bv->queues[i].index = i;
		spin_lock_init(&bv->queues[i].cb_lock);
	}
	baton_queue_reset(bv);
}

static void queue_clear_callback(struct baton_queue *bq)
{
	unsigned long flags;

	spin_lock_irqsave(&bq->cb_lock, flags);
	memset(&bq->cb, 0, sizeof(bq->cb));
	spin_unlock_irqrestore(&bq->cb_lock, flags);
}

/**
 * baton_queue_reset() - forget all that the last owner said of its queues
 * @bv: the vDPA device
 *
 * Context: &baton.lock held, no interrupts requested.
 */
void baton_queue_reset(struct baton_vdpa *bv)
{
	struct baton_queue *bq;
	u16 i;

	guard(mutex)(&bv->affinity_lock);
	for (i = 0; i < bv->nr_queues; i++) {
		bq = &bv->queues[i];
		WRITE_ONCE(bq->ready, false);
		WRITE_ONCE(bq->enabled, false);
		WRITE_ONCE(bq->live, false);
		WRITE_ONCE(bq->early, false);
		memset(&bq->cfg, 0, sizeof(bq->cfg));
		memset(&bq->state, 0, sizeof(bq->state));
		bq->cfg.vector = BATON_NO_VECTOR;
		bq->own_irq = -EINVAL;
		kfree(bq->affinity);
		bq->affinity = NULL;
		queue_clear_callback(bq);
	}
}

/**
 * baton_queue_mute() - ring no more doorbells
 * @bv: the vDPA device
 *
 * The hardware is about to forget its queues, and may not even answer for a
 * while: a doorbell rung now would do no good.
 *
 * Context: any; &baton.lock held.
 */
void baton_queue_mute(struct baton_vdpa *bv)
{
	u16 i;

	for (i = 0; i < bv->nr_queues; i++) {
		WRITE_ONCE(bv->queues[i].live, false);
		WRITE_ONCE(bv->queues[i].enabled, false);
	}
}

/**
 * baton_queue_may_kick() - may this doorbell be rung?
 * @bq: the queue
 * @data: what is to be said with it
 *
 * If not, it is remembered: it may be the only one for what is in the ring.
 *
 * Context: any.
 * Return: true if so.
 */
bool baton_queue_may_kick(struct baton_queue *bq, u32 data)
{
	if (READ_ONCE(bq->live))
		return true;
	WRITE_ONCE(bq->early_data, data);
	WRITE_ONCE(bq->early, true);
	/* Pairs with baton_queue_start(): one of the two rings it. */
	smp_mb();

	return READ_ONCE(bq->live);
}

/**
 * baton_queue_start() - let doorbells of a queue through
 * @bv: the vDPA device, whose function has taken DRIVER_OK
 * @bq: the queue; left alone unless the hardware runs it
 *
 * Context: &baton.lock held.
 */
void baton_queue_start(struct baton_vdpa *bv, struct baton_queue *bq)
{
	struct baton_function *fn = bv->b->fn;

	if (!bq->enabled || bq->live || bq->index == bv->ctrl.index)
		return;
	WRITE_ONCE(bq->live, true);
	/* Pairs with baton_queue_may_kick(). */
	smp_mb();
	if (!xchg(&bq->early, false))
		return;
	/* virtio 1.2, 2.9: with the feature, a doorbell takes more than the queue. */
	if (bv->hw_features & BIT_ULL(VIRTIO_F_NOTIFICATION_DATA))
		fn->ops->kick_data(fn, READ_ONCE(bq->early_data));
	else
		fn->ops->kick(fn, bq->index);
}

/**
 * baton_queue_start_enabled() - let doorbells of all queues through that the hardware runs
 * @bv: the vDPA device, whose function has taken DRIVER_OK
 *
 * Context: &baton.lock held.
 */
void baton_queue_start_enabled(struct baton_vdpa *bv)
{
	u16 i;

	for (i = 0; i < bv->nr_queues; i++)
		baton_queue_start(bv, &bv->queues[i]);
}

/**
 * baton_queue_max() - how large a queue may be
 * @bv: the vDPA device
 * @idx: the queue
 *
 * Return: number of entries; 0 if the queue is not available.
 */
u16 baton_queue_max(const struct baton_vdpa *bv, u16 idx)
{
	return idx == bv->ctrl.index ? CONTROL_MAX : bv->b->fn->queue_max[idx];
}

/**
 * baton_queue_unusable() - is there something wrong with what was said of a queue?
 * @bv: the vDPA device
 * @bq: the queue
 *
 * Return: NULL if not, else what.
 */
const char *baton_queue_unusable(const struct baton_vdpa *bv, const struct baton_queue *bq)
{
	u64 part_align = queue_is_packed(bv) ? PACKED_EVENT_ALIGN : SPLIT_AVAIL_ALIGN;
	const struct baton_queue_config *cfg = &bq->cfg;

	if (!cfg->size || cfg->size > baton_queue_max(bv, bq->index))
		return "size";
	if (!queue_is_packed(bv) && !is_power_of_2(cfg->size))
		return "size (not a power of 2)";
	if (!IS_ALIGNED(cfg->desc, DESC_ALIGN) || !IS_ALIGNED(cfg->driver, part_align) ||
	    !IS_ALIGNED(cfg->device, queue_is_packed(bv) ? PACKED_EVENT_ALIGN : SPLIT_USED_ALIGN))
		return "alignment";

	return NULL;
}

/* QEMU's generic vDPA device makes all queues ready, used by its guest or not. */
static bool queue_is_described(const struct baton_queue_config *cfg)
{
	return cfg->size || cfg->desc || cfg->driver || cfg->device;
}

/**
 * baton_queue_enable() - have the hardware run a queue
 * @bv: the vDPA device
 * @bq: the queue; left alone if its owner has not said anything about it
 *
 * Context: may sleep; &baton.lock held; features negotiated.
 * Return: 0 or a negative errno.
 */
int baton_queue_enable(struct baton_vdpa *bv, struct baton_queue *bq)
{
	const char *what = baton_queue_unusable(bv, bq);
	struct baton *b = bv->b;
	int err = 0;

	if (bq->enabled || !queue_is_described(&bq->cfg))
		return 0;
	if (what) {
		baton_report_refusal(b,
				     "queue %u cannot run, wrong %s: %u entries of at most %u, areas at %#llx %#llx %#llx",
				     bq->index, what, bq->cfg.size,
				     baton_queue_max(bv, bq->index), bq->cfg.desc,
				     bq->cfg.driver, bq->cfg.device);
		return -EINVAL;
	}

	/* Not even an owner that has no control queue may have the hardware's. */
	if (bq->index != bv->ctrl.index && bq->index == bv->cvq.index) {
		baton_report_refusal(b, "queue %u cannot run: it is the hardware's control queue",
				     bq->index);
		return -EPERM;
	}

	/* The hardware has a control queue of its own: see cvq.c. */
	if (bq->index != bv->ctrl.index)
		err = b->fn->ops->setup_queue(b->fn, bq->index, &bq->cfg);
	if (err) {
		baton_report_refusal(b, "the device did not enable queue %u: %pe", bq->index,
				     ERR_PTR(err));
		return err;
	}
	/* Pairs with irq_handle_vector(), which looks at the vector of queues that are enabled. */
	smp_store_release(&bq->enabled, true);

	return 0;
}

/**
 * baton_queue_enable_ready() - have the hardware run all queues that are ready
 * @bv: the vDPA device
 *
 * Context: may sleep; &baton.lock held; features negotiated.
 * Return: 0 or a negative errno.
 */
int baton_queue_enable_ready(struct baton_vdpa *bv)
{
	int err;
	u16 i;

	for (i = 0; i < bv->nr_queues; i++) {
		if (!bv->queues[i].ready)
			continue;
		err = baton_queue_enable(bv, &bv->queues[i]);
		if (err)
			return err;
	}

	return 0;
}
