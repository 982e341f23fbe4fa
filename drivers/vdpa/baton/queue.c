// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues: what the consumer says of them is kept here until DRIVER_OK, and
 * only then written to the hardware.
 *
 * &baton.lock guards queues. Kicks, which may come at any time, take no lock: they read
 * &baton_queue.live, which is set only after DRIVER_OK, and cleared by a drain or a loss.
 *
 * Consumers may make queues ready in any order (QEMU: before FEATURES_OK with some guests,
 * after DRIVER_OK with others). The hardware is told of those that are ready within the
 * grant, of later ones at once. It is never told to stop one: virtio 1.2, 4.1.4.3.2
 * forbids to write 0 to queue_enable. (That a queue is reset is heal.c's.)
 */
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "core.h"
#include "queue.h"
#include "space.h"

/* Alignment of the three parts of a split queue (virtio 1.2, 2.7), and of a packed one (2.8). */
#define DESC_ALIGN	16
#define SPLIT_AVAIL_ALIGN	2
#define SPLIT_USED_ALIGN	4
#define PACKED_EVENT_ALIGN	4

/* Of the owner's control queue, which the CPU serves: virtio's limit (1.2, 2.7). */
#define CONTROL_MAX	32768

static bool queue_is_packed(const struct baton_vdpa *bv)
{
	return bv->features & BIT_ULL(VIRTIO_F_RING_PACKED);
}

/**
 * baton_queue_init() - queues of a new vDPA device
 * @bv: the vDPA device, as it was provisioned; nobody else knows of it
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int baton_queue_init(struct baton_vdpa *bv)
{
	struct baton_function *fn = bv->b->fn;
	u16 i;

	mutex_init(&bv->affinity_lock);
	baton_position_init(bv);
	bv->queues = kvcalloc(bv->nr_queues, sizeof(*bv->queues), GFP_KERNEL);
	if (!bv->queues)
		return -ENOMEM;
	for (i = 0; i < bv->nr_queues; i++) {
		bv->queues[i].index = i;
		bv->queues[i].max = fn->queue_max[i];
		if (fn->ops->get_doorbell)
			bv->queues[i].doorbell = fn->ops->get_doorbell(fn, i);
		spin_lock_init(&bv->queues[i].cb_lock);
	}
	baton_queue_reset(bv);

	return 0;
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
 * Context: may sleep; no interrupts requested; &baton.lock held, or @bv not registered.
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
		bq->ran = false;
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
 * For when the hardware is about to be reset, or is out of reach.
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
 * If not, it is remembered in &baton_queue.early, since there may be no other one for what is
 * in the ring. Either the caller or baton_queue_start() rings it, or both.
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
	/* Pairs with baton_queue_start(): @early is written before @live is read again. */
	smp_mb();

	return READ_ONCE(bq->live);
}

/**
 * baton_queue_kick() - ring a doorbell that takes no data
 * @bv: the vDPA device
 * @bq: the queue
 *
 * Context: any; &baton.lock held, or within rcu_read_lock().
 */
void baton_queue_kick(struct baton_vdpa *bv, struct baton_queue *bq)
{
	struct baton_function *fn = baton_vdpa_function(bv);

	/* Pairs with baton_relay_decide(). */
	if (smp_load_acquire(&bq->relayed))
		baton_relay_kick(bq);
	else
		fn->ops->kick(fn, bq->index);
}

/**
 * baton_queue_ring() - ring the doorbell of a queue that the hardware runs
 * @bv: the vDPA device
 * @bq: the queue
 * @data: what is said with NOTIFICATION_DATA: also where the available ring ends (virtio 1.2, 2.9)
 *
 * Context: any; &baton.lock held.
 */
void baton_queue_ring(const struct baton_vdpa *bv, const struct baton_queue *bq, u32 data)
{
	struct baton_function *fn = bv->b->fn;

	if (bv->hw_features & BIT_ULL(VIRTIO_F_NOTIFICATION_DATA))
		fn->ops->kick_data(fn, data);
	else
		fn->ops->kick(fn, bq->index);
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
	bool early;

	if (!bq->enabled || bq->live || bq->index == bv->ctrl.index)
		return;
	WRITE_ONCE(bq->live, true);
	/* Pairs with baton_queue_may_kick(): @live is written before @early is read. */
	smp_mb();
	early = xchg(&bq->early, false);
	if (bq->relayed) {
		baton_relay_begin(bq);
		return;
	}
	if (early)
		baton_queue_ring(bv, bq, READ_ONCE(bq->early_data));
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
 * Context: any.
 * Return: number of entries; 0 if the queue is not available.
 */
u16 baton_queue_max(const struct baton_vdpa *bv, u16 idx)
{
	return idx == bv->ctrl.index ? CONTROL_MAX : bv->queues[idx].max;
}

/**
 * baton_queue_unusable() - is there something wrong with what was said of a queue?
 * @bv: the vDPA device
 * @bq: the queue
 *
 * Context: any; &baton.lock held.
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

/*
 * Rings are at IOVAs. A user who gives addresses of his process would see nothing but faults of the
 * IOMMU, so when it @runs the log says so: by a notice, since the rings may be mapped later. Not in
 * the window, where the function's indices would pass for answers to commands (C7.1): false then.
 */
static bool queue_is_in_place(const struct baton_vdpa *bv, const struct baton_queue *bq, bool runs)
{
	unsigned int event = bv->features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX) ? 2 : 0;
	bool packed = queue_is_packed(bv);
	const struct baton_queue_config *cfg = &bq->cfg;
	const struct {
		const char *name;
		u64 addr, len;
		bool write;
	} parts[] = {
		{ "descriptor", cfg->desc, 16ULL * cfg->size, packed },
		{ "driver", cfg->driver, packed ? 4 : 4 + 2ULL * cfg->size + event, false },
		{ "device", cfg->device, packed ? 4 : 4 + 8ULL * cfg->size + event, true },
	};
	struct baton *b = bv->b;
	unsigned int i;

	if (b->owner.owner != BATON_USER || bq->index == bv->ctrl.index)
		return true;
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		if (baton_range_touches(&b->domain.window, parts[i].addr, parts[i].len))
			return false;
		if (!runs || baton_space_covers(b, b->domain.data_asid, parts[i].addr,
						parts[i].len, parts[i].write))
			continue;
		baton_report_notice(b,
				    "queue %u: its %s area, %llu bytes at %#llx, is not mapped for %s: nothing moves until it is (rings have IOVAs, not addresses of the process)",
				    bq->index, parts[i].name, parts[i].len, parts[i].addr,
				    parts[i].write ? "writing" : "reading");
		break;
	}
	return true;
}

/*
 * For the log: vhost shows the largest size of all queues (ops_get_vq_num_max()), and a user may
 * have taken that for one that fits each.
 */
static u16 queue_common_max(const struct baton_vdpa *bv)
{
	u16 max = U16_MAX, i;

	for (i = 0; i < bv->nr_queues; i++)
		if (i != bv->ctrl.index && i != bv->cvq.index && bv->queues[i].max)
			max = min(max, bv->queues[i].max);

	return max;
}

/* QEMU's generic vDPA device makes all queues ready, also those that its guest did not set up. */
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
 * Return: 0; -EINVAL, -EPERM or -EOPNOTSUPP if it cannot run; or an errno of baton_relay_setup()
 * or of the function driver. The reason is in the log.
 */
int baton_queue_enable(struct baton_vdpa *bv, struct baton_queue *bq)
{
	const char *what = baton_queue_unusable(bv, bq);
	struct baton_queue_config cfg = bq->cfg;
	struct baton *b = bv->b;
	bool late;
	int err = 0;

	if (bq->enabled || !queue_is_described(&bq->cfg))
		return 0;
	if (bq->cfg.size > baton_queue_max(bv, bq->index)) {
		baton_report_refusal(b,
				     "queue %u cannot run, wrong size: %u entries of at most %u; one size for all queues is at most %u (QEMU: queue-size=, testpmd: queue_size=)",
				     bq->index, bq->cfg.size, baton_queue_max(bv, bq->index),
				     queue_common_max(bv));
		return -EINVAL;
	}
	if (!what && !queue_is_in_place(bv, bq, false))
		what = "place (where no user can map anything)";
	if (what) {
		baton_report_refusal(b,
				     "queue %u cannot run, wrong %s: %u entries, areas at %#llx %#llx %#llx",
				     bq->index, what, bq->cfg.size, bq->cfg.desc,
				     bq->cfg.driver, bq->cfg.device);
		return -EINVAL;
	}

	/* The hardware's control queue is ours, whether or not the owner has one (C7.1). */
	if (bq->index != bv->ctrl.index && bq->index == bv->cvq.index) {
		baton_report_refusal(b, "queue %u cannot run: it is the hardware's control queue",
				     bq->index);
		return -EPERM;
	}

	if (bq->relayed) {
		err = baton_relay_setup(bq, &cfg);
		if (err)
			return err;
	} else if (bq->index != bv->ctrl.index && !queue_is_packed(bv) &&
		   bq->state.split.avail_index) {
		/* The policy has changed since the position was set. */
		baton_report_refusal(b,
				     "queue %u cannot go on at %u: it is not relayed (sysfs: baton/relay)",
				     bq->index, bq->state.split.avail_index);
		return -EOPNOTSUPP;
	}
	/* The owner's control queue is not the hardware's, which cvq.c sets up. */
	if (bq->index != bv->ctrl.index)
		err = b->fn->ops->setup_queue(b->fn, bq->index, &cfg);
	if (err) {
		late = b->fn->ops->get_status(b->fn) & VIRTIO_CONFIG_S_DRIVER_OK;
		baton_relay_undo(bq);
		baton_report_refusal(b, "the device did not enable queue %u%s: %pe", bq->index,
				     late ? " after DRIVER_OK" : "", ERR_PTR(err));
		return err;
	}
	/* Pairs with irq_handle_vector(), which looks at the vector of queues that are enabled. */
	smp_store_release(&bq->enabled, true);
	bq->ran = true;
	queue_is_in_place(bv, bq, true);

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

/**
 * baton_queue_hold() - let no more doorbells through
 * @bv: the vDPA device, whose function runs
 *
 * They are remembered, and rung by baton_queue_start_enabled(). A doorbell that is
 * mapped rings all the same.
 *
 * Context: any; &baton.lock held.
 */
void baton_queue_hold(struct baton_vdpa *bv)
{
	u16 i;

	for (i = 0; i < bv->nr_queues; i++)
		WRITE_ONCE(bv->queues[i].live, false);
}
