// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hardware's control queue, in memory that holds nothing else (C7.1).
 *
 * &baton.lock guards all of it: one command is sent at a time, and its answer awaited,
 * with that held.
 *
 * Invariants: the hardware can only read descriptors, available ring and commands; used
 * ring and answers it can write. A user who owns the function can have the hardware write
 * there as well, once its own queues run. So these are treated as if the user had written
 * them: no length and no address is taken from them, and memory is not written again before
 * the hardware must have read it (cvq_wait_slot()). A user who forges an answer deceives
 * only itself.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/virtio_byteorder.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <asm/barrier.h>

#include "core.h"
#include "cvq.h"
#include "param.h"

/* Offsets in BATON_CVQ_RING, and in BATON_CVQ_ANSWER. */
#define DESC_AT		0
#define AVAIL_AT	1024
#define USED_AT		0
#define ANSWERS_AT	1024

/* Preset in place of an answer, to see whether one was written; no ack of virtio's is 0xff. */
#define NO_ANSWER	0xff

/* A slot is not written again before so many times &baton_cvq.slowest, nor before so long. */
#define HOLD_TIMES	16
#define HOLD_MIN_MS	10

/* How often hardware that does not answer is asked whether it is there, in jiffies. */
#define LOOK_AFTER	(HZ / 10)

struct cvq_ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

static struct cvq_ring cvq_ring(const struct baton_cvq *cvq)
{
	return (struct cvq_ring) {
		.desc = cvq->parts[BATON_CVQ_RING].cpu + DESC_AT,
		.avail = cvq->parts[BATON_CVQ_RING].cpu + AVAIL_AT,
		.used = cvq->parts[BATON_CVQ_ANSWER].cpu + USED_AT,
	};
}

static bool cvq_hardware_is_gone(struct baton_vdpa *bv)
{
	struct baton_function *fn = bv->b->fn;

	return fn->ops->get_status(fn) == 0xff && !fn->ops->present(fn);
}

/* Waits for the answer to the last command, the only one that is due; any other is -EPROTO. */
static int cvq_wait_answer(struct baton_vdpa *bv, const struct baton_slot *slot, ktime_t deadline)
{
	unsigned long look = jiffies + LOOK_AFTER;
	struct baton_cvq *cvq = &bv->cvq;
	struct vring_used *used = cvq_ring(cvq).used;
	int answered;
	bool late;

	for (;;) {
		late = ktime_after(ktime_get(), deadline);
		baton_shared_sync(bv->b, &cvq->parts[BATON_CVQ_ANSWER], false);
		answered = baton_slots_answered(&cvq->slots,
						__virtio16_to_cpu(true, READ_ONCE(used->idx)));
		if (answered < 0)
			return answered;
		if (answered)
			break;
		if (late)
			return -ETIMEDOUT;
		if (time_after(jiffies, look)) {
			if (cvq_hardware_is_gone(bv))
				return -ENODEV;
			look = jiffies + LOOK_AFTER;
		}
		usleep_range(20, 100);
	}
	/* virtio 1.2, 2.7.14: the entry, and the answer, are read after the index. */
	dma_rmb();
	if (__virtio32_to_cpu(true, READ_ONCE(used->ring[slot->avail].id)) != slot->desc)
		return -EPROTO;

	return 0;
}

/*
 * Invariant: the hardware reads no command in place of another. A user can have our used ring
 * written, and so make us believe that the hardware has answered, and read, a command that it has
 * not. So before memory is written again a multiple of the time passes that the hardware took when
 * nobody else could answer, but not more than ctrl_timeout_ms: hardware that is slower than that
 * has failed.
 */
static void cvq_wait_slot(struct baton_vdpa *bv, const struct baton_slot *slot)
{
	struct baton_cvq *cvq = &bv->cvq;
	s64 hold_us = max_t(s64, HOLD_TIMES * ktime_to_us(cvq->slowest),
			    HOLD_MIN_MS * USEC_PER_MSEC);
	ktime_t written = cvq->written[slot->nth];
	s64 left;

	if (slot->nth_long >= 0)
		written = max(written, cvq->written_long[slot->nth_long]);
	if (bv->b->owner.owner != BATON_USER || !written)
		return;
	hold_us = min_t(s64, hold_us, (s64)READ_ONCE(baton_ctrl_timeout_ms) * USEC_PER_MSEC);
	left = hold_us - ktime_us_delta(ktime_get(), written);
	if (left > 0)
		fsleep(left);
}

static void cvq_kick(struct baton_vdpa *bv)
{
	struct baton_function *fn = bv->b->fn;
	struct baton_cvq *cvq = &bv->cvq;

	/* virtio 1.2, 2.9: then a doorbell also takes the index of the next available entry. */
	if (bv->hw_features & BIT_ULL(VIRTIO_F_NOTIFICATION_DATA))
		fn->ops->kick_data(fn, cvq->index | (u32)cvq->slots.sent << 16);
	else
		fn->ops->kick(fn, cvq->index);
}

static ktime_t cvq_deadline(void)
{
	return ktime_add_ms(ktime_get(), READ_ONCE(baton_ctrl_timeout_ms));
}

static int cvq_send(struct baton_vdpa *bv, const u8 *cmd, size_t len, u8 *reply, size_t reply_len,
		    ktime_t deadline)
{
	struct baton_cvq *cvq = &bv->cvq;
	struct baton_slot slot = baton_slots_next(&cvq->slots, len);
	struct baton_shared *command = &cvq->parts[BATON_CVQ_COMMAND];
	struct baton_shared *answer = &cvq->parts[BATON_CVQ_ANSWER];
	struct cvq_ring hw = cvq_ring(cvq);
	struct vring_desc *desc = &hw.desc[slot.desc];
	u8 *ack = answer->cpu + ANSWERS_AT + slot.answer;
	int err;

	cvq_wait_slot(bv, &slot);
	memcpy(command->cpu + slot.command, cmd, len);
	memset(ack, NO_ANSWER, reply_len);
	desc[0].addr = __cpu_to_virtio64(true, command->addr + slot.command);
	desc[0].len = __cpu_to_virtio32(true, len);
	desc[0].flags = __cpu_to_virtio16(true, VRING_DESC_F_NEXT);
	desc[0].next = __cpu_to_virtio16(true, slot.desc + 1);
	desc[1].addr = __cpu_to_virtio64(true, answer->addr + ANSWERS_AT + slot.answer);
	desc[1].len = __cpu_to_virtio32(true, reply_len);
	desc[1].flags = __cpu_to_virtio16(true, VRING_DESC_F_WRITE);
	hw.avail->ring[slot.avail] = __cpu_to_virtio16(true, slot.desc);
	/* virtio 1.2, 2.7.13.3: descriptors and entry are written before the index. */
	dma_wmb();
	baton_slots_sent(&cvq->slots, &slot);
	hw.avail->idx = __cpu_to_virtio16(true, cvq->slots.sent);
	baton_shared_sync(bv->b, command, true);
	baton_shared_sync(bv->b, answer, true);
	baton_shared_sync(bv->b, &cvq->parts[BATON_CVQ_RING], true);
	/* The index is written before the doorbell, a register, is. */
	mb();
	cvq_kick(bv);

	err = cvq_wait_answer(bv, &slot, deadline);
	cvq->written[slot.nth] = ktime_get();
	if (slot.nth_long >= 0)
		cvq->written_long[slot.nth_long] = cvq->written[slot.nth];
	if (err)
		return err;
	/* The used ring says that it is answered, and no answer was written. */
	if (READ_ONCE(*ack) == NO_ANSWER)
		return -EPROTO;
	memcpy(reply, ack, reply_len);

	return 0;
}

/**
 * baton_cvq_send() - give the hardware a command, and wait for its answer
 * @bv: the vDPA device; the hardware's control queue is set up
 * @cmd: the command
 * @len: its length, at most %BATON_COMMAND_MAX
 * @reply: where the answer goes
 * @reply_len: how long it may be, at most %BATON_REPLY_MAX
 *
 * Context: may sleep, for as long as the module parameter ctrl_timeout_ms says;
 * &baton.lock held.
 * Return: 0; -ETIMEDOUT if there was no answer, -ENODEV if the function is gone,
 * -EPROTO if the answer makes no sense: the hardware cannot be given another command then.
 */
int baton_cvq_send(struct baton_vdpa *bv, const u8 *cmd, size_t len, u8 *reply, size_t reply_len)
{
	return cvq_send(bv, cmd, len, reply, reply_len, cvq_deadline());
}

/**
 * baton_cvq_find() - which queue is the hardware's control queue?
 * @bv: the vDPA device, whose features are about to be negotiated with the hardware
 *
 * Context: &baton.lock held.
 */
void baton_cvq_find(struct baton_vdpa *bv)
{
	bv->cvq.index = BATON_NO_CONTROL;
	if (bv->cvq.pages && bv->hw_features & BIT_ULL(VIRTIO_NET_F_CTRL_VQ))
		bv->cvq.index = baton_net_hw_control_queue(&bv->net, bv->hw_features);
}

/* By which address the hardware reaches our memory depends on the domain that its owner has. */
static enum baton_shared_by cvq_shared_by(const struct baton_vdpa *bv)
{
	if (bv->b->owner.owner == BATON_USER)
		return BATON_SHARED_WINDOW;
	return bv->features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) ? BATON_SHARED_DMA :
								    BATON_SHARED_PHYS;
}

/**
 * baton_cvq_setup() - set the hardware's control queue up
 * @bv: the vDPA device, whose function is about to be granted to its owner; does
 *	nothing if the hardware has no control queue
 *
 * Its memory is zeroed first: nothing of an owner before is left (C8).
 *
 * Context: may sleep; &baton.lock held; the owner's domain is attached.
 * Return: 0; -ENODEV if the device has no queue for it; an errno of baton_shared_map(), or of
 * the function driver's setup_queue().
 */
int baton_cvq_setup(struct baton_vdpa *bv)
{
	struct baton_function *fn = bv->b->fn;
	struct baton_cvq *cvq = &bv->cvq;
	struct baton_queue_config cfg = {};
	int err;

	if (cvq->index == BATON_NO_CONTROL)
		return 0;
	if (cvq->index >= fn->nr_queues || fn->queue_max[cvq->index] < BATON_SLOTS_RING_MIN) {
		baton_report_refusal(bv->b,
				     "DRIVER_OK refused: the device offers CTRL_VQ (bit 17) but has no queue %u for it",
				     cvq->index);
		return -ENODEV;
	}
	baton_slots_init(&cvq->slots, fn->queue_max[cvq->index]);
	memset(cvq->written, 0, sizeof(cvq->written));
	memset(cvq->written_long, 0, sizeof(cvq->written_long));
	cvq->slowest = 0;
	memset(page_address(cvq->pages), 0, PAGE_SIZE << cvq->order);
	err = baton_shared_map(bv->b, cvq->parts, BATON_CVQ_NR_PARTS, cvq_shared_by(bv));
	if (err)
		return err;

	/* Answers are polled for. With EVENT_IDX flags must stay 0 (virtio 1.2, 2.7.7.1). */
	if (!(bv->hw_features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX)))
		cvq_ring(cvq).avail->flags = __cpu_to_virtio16(true, VRING_AVAIL_F_NO_INTERRUPT);
	cfg.desc = cvq->parts[BATON_CVQ_RING].addr + DESC_AT;
	cfg.driver = cvq->parts[BATON_CVQ_RING].addr + AVAIL_AT;
	cfg.device = cvq->parts[BATON_CVQ_ANSWER].addr + USED_AT;
	cfg.size = cvq->slots.size;
	cfg.vector = BATON_NO_VECTOR;
	err = fn->ops->setup_queue(fn, cvq->index, &cfg);
	if (err)
		baton_report_refusal(bv->b, "the device did not enable its control queue (%u): %pe",
				     cvq->index, ERR_PTR(err));

	return err;
}

/**
 * baton_cvq_restore() - tell the hardware what was provisioned
 * @bv: the vDPA device, whose function has just seen DRIVER_OK
 *
 * Context: may sleep, for as long in all as the module parameter ctrl_timeout_ms says;
 * &baton.lock held; no queue of a user's runs.
 * Return: 0; -EIO if the hardware refused a command; or as baton_cvq_send(). The reason is in
 * the log.
 */
int baton_cvq_restore(struct baton_vdpa *bv)
{
	u8 cmd[BATON_RESTORE_MAX], ack;
	ktime_t deadline = cvq_deadline();
	unsigned int nth;
	ktime_t start;
	size_t len;
	int err;

	if (bv->cvq.index == BATON_NO_CONTROL)
		return 0;
	for (nth = 0;; nth++) {
		len = baton_net_restore(&bv->net, nth, bv->hw_features, cmd);
		if (!len)
			return 0;
		start = ktime_get();
		err = cvq_send(bv, cmd, len, &ack, sizeof(ack), deadline);
		/* Only the hardware can have answered: no queue of a user's runs yet (C13). */
		bv->cvq.slowest = max(bv->cvq.slowest, ktime_sub(ktime_get(), start));
		/* VLAN 0 refused is no error: hardware may always pass it. The filter is on. */
		if (!err && ack != VIRTIO_NET_OK && cmd[0] != VIRTIO_NET_CTRL_VLAN)
			err = -EIO;
		if (err)
			break;
	}
	baton_report_refusal(bv->b,
			     "DRIVER_OK refused: the hardware did not take what was provisioned (command %u/%u): %pe",
			     cmd[0], cmd[1], ERR_PTR(err));

	return err;
}

/**
 * baton_cvq_stop() - take the memory of the control queue from the hardware, and zero it
 * @bv: the vDPA device, whose function is reset, or without bus mastering; does
 *	nothing if not set up
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_cvq_stop(struct baton_vdpa *bv)
{
	struct baton_cvq *cvq = &bv->cvq;

	if (!cvq->pages)
		return;
	baton_shared_unmap(bv->b, cvq->parts, BATON_CVQ_NR_PARTS);
	/* C8: nothing of one owner's commands is left for the next. */
	memset(page_address(cvq->pages), 0, PAGE_SIZE << cvq->order);
}

/**
 * baton_cvq_init() - allocate the memory of the hardware's control queue
 * @bv: a new vDPA device, which nobody else knows of; nothing is allocated if the hardware has
 *	no control queue
 *
 * Context: may sleep; no lock is needed.
 * Return: 0 or -ENOMEM.
 */
int baton_cvq_init(struct baton_vdpa *bv)
{
	/* Each part is mapped on its own, and so is a whole number of the IOMMU's pages. */
	static const struct {
		unsigned int size;
		bool writable;
	} layout[BATON_CVQ_NR_PARTS] = {
		[BATON_CVQ_RING]	= { PAGE_SIZE, false },
		[BATON_CVQ_ANSWER]	= { PAGE_SIZE, true },
		[BATON_CVQ_COMMAND]	= { BATON_SLOTS_COMMANDS, false },
	};
	unsigned int unit = max_t(u64, PAGE_SIZE, bv->b->domain.iova.granule);
	struct baton_cvq *cvq = &bv->cvq;
	unsigned int i, offset = 0;

	BUILD_BUG_ON(BATON_SLOTS_RING_MAX * sizeof(struct vring_desc) > AVAIL_AT);
	BUILD_BUG_ON(struct_size_t(struct vring_used, ring, BATON_SLOTS_RING_MAX) > ANSWERS_AT);
	BUILD_BUG_ON(ANSWERS_AT + BATON_SLOTS_MAX * BATON_SLOTS_ANSWER > PAGE_SIZE);

	cvq->index = BATON_NO_CONTROL;
	if (bv->b->fn->device_id != VIRTIO_ID_NET ||
	    !(bv->b->hw_features & BIT_ULL(VIRTIO_NET_F_CTRL_VQ)))
		return 0;
	for (i = 0; i < BATON_CVQ_NR_PARTS; i++) {
		cvq->parts[i].offset = offset;
		cvq->parts[i].size = ALIGN(layout[i].size, unit);
		cvq->parts[i].writable = layout[i].writable;
		offset += cvq->parts[i].size;
	}
	cvq->order = get_order(offset);
	cvq->pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, cvq->order);
	if (!cvq->pages)
		return -ENOMEM;
	for (i = 0; i < BATON_CVQ_NR_PARTS; i++) {
		cvq->parts[i].page = cvq->pages + cvq->parts[i].offset / PAGE_SIZE;
		cvq->parts[i].cpu = page_address(cvq->parts[i].page);
	}

	return 0;
}

/**
 * baton_cvq_uninit() - undo baton_cvq_init()
 * @bv: the vDPA device, no longer registered, of a function that nobody owns
 *
 * Context: may sleep.
 */
void baton_cvq_uninit(struct baton_vdpa *bv)
{
	if (bv->cvq.pages)
		__free_pages(bv->cvq.pages, bv->cvq.order);
	bv->cvq.pages = NULL;
}
