// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hardware's control queue, which nobody but us ever sees.
 *
 * The hardware gets one command at a time, in memory of ours that it shares
 * with nothing: descriptors, available ring and commands can only be read by
 * it; the used ring and the answer it can write, and so, if a user owns the
 * function, can the user: they are looked at as if the user had written them.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/err.h>
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

/* Two descriptors are ever in use. */
#define SIZE		4
#define DESC_AT		0
#define AVAIL_AT	1024
#define USED_AT		0
#define REPLY_AT	1024

/* In pages; what @parts cannot hold is found out when this is compiled. */
#define CVQ_ORDER	2

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

/* Wait for the one answer that is due. */
static int cvq_wait_answer(struct baton_vdpa *bv, u16 due)
{
	struct baton_cvq *cvq = &bv->cvq;
	struct vring_used *used = cvq_ring(cvq).used;
	ktime_t deadline = ktime_add_ms(ktime_get(), READ_ONCE(baton_ctrl_timeout_ms));
	bool late;
	u16 idx;

	for (;;) {
		late = ktime_after(ktime_get(), deadline);
		baton_shared_sync(bv->b, &cvq->parts[BATON_CVQ_ANSWER], false);
		idx = __virtio16_to_cpu(true, READ_ONCE(used->idx));
		if (idx == due)
			break;
		if (idx != (u16)(due - 1))
			return -EPROTO;
		if (late)
			return -ETIMEDOUT;
		usleep_range(20, 100);
	}
	/* virtio 1.2, 2.7.14: the answer is not older than the index. */
	virt_rmb();

	return 0;
}

static void cvq_kick(struct baton_vdpa *bv)
{
	struct baton_function *fn = bv->b->fn;
	struct baton_cvq *cvq = &bv->cvq;

	/* virtio 1.2, 2.9: with the feature, a doorbell takes more than the queue. */
	if (bv->hw_features & BIT_ULL(VIRTIO_F_NOTIFICATION_DATA))
		fn->ops->kick_data(fn, cvq->index | (u32)cvq->sent << 16);
	else
		fn->ops->kick(fn, cvq->index);
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
 * Return: 0; -ETIMEDOUT if there was no answer, -EPROTO if it makes no sense:
 * the hardware cannot be given another command then.
 */
int baton_cvq_send(struct baton_vdpa *bv, const u8 *cmd, size_t len, u8 *reply, size_t reply_len)
{
	struct baton_cvq *cvq = &bv->cvq;
	struct baton_shared *parts = cvq->parts;
	struct cvq_ring hw = cvq_ring(cvq);
	int err;

	memcpy(parts[BATON_CVQ_COMMAND].cpu, cmd, len);
	hw.desc[0].addr = __cpu_to_virtio64(true, parts[BATON_CVQ_COMMAND].addr);
	hw.desc[0].len = __cpu_to_virtio32(true, len);
	hw.desc[0].flags = __cpu_to_virtio16(true, VRING_DESC_F_NEXT);
	hw.desc[0].next = __cpu_to_virtio16(true, 1);
	hw.desc[1].addr = __cpu_to_virtio64(true, parts[BATON_CVQ_ANSWER].addr + REPLY_AT);
	hw.desc[1].len = __cpu_to_virtio32(true, reply_len);
	hw.desc[1].flags = __cpu_to_virtio16(true, VRING_DESC_F_WRITE);

	/* Nobody listens for its interrupts. The ring's entries are all 0. */
	hw.avail->flags = __cpu_to_virtio16(true, VRING_AVAIL_F_NO_INTERRUPT);
	/* virtio 1.2, 2.7.13.3: what is announced comes before the index. */
	virt_wmb();
	cvq->sent++;
	hw.avail->idx = __cpu_to_virtio16(true, cvq->sent);
	baton_shared_sync(bv->b, &parts[BATON_CVQ_COMMAND], true);
	baton_shared_sync(bv->b, &parts[BATON_CVQ_RING], true);
	/* And the index before the doorbell. */
	virt_mb();
	cvq_kick(bv);

	err = cvq_wait_answer(bv, cvq->sent);
	if (!err)
		memcpy(reply, parts[BATON_CVQ_ANSWER].cpu + REPLY_AT, reply_len);

	return err;
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

/* A part that the hardware finds at one address for a user, another for the kernel. */
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
 * Context: may sleep; &baton.lock held.
 * Return: 0 or a negative errno.
 */
int baton_cvq_setup(struct baton_vdpa *bv)
{
	struct baton_function *fn = bv->b->fn;
	struct baton_cvq *cvq = &bv->cvq;
	struct baton_queue_config cfg = {};
	int err;

	if (cvq->index == BATON_NO_CONTROL)
		return 0;
	if (cvq->index >= fn->nr_queues || fn->queue_max[cvq->index] < SIZE) {
		baton_report_refusal(bv->b,
				     "DRIVER_OK refused: the device offers CTRL_VQ (bit 17) but has no queue %u for it",
				     cvq->index);
		return -ENODEV;
	}
	cvq->sent = 0;
	memset(page_address(cvq->pages), 0, PAGE_SIZE << CVQ_ORDER);
	err = baton_shared_map(bv->b, cvq->parts, BATON_CVQ_NR_PARTS, cvq_shared_by(bv));
	if (err)
		return err;

	cfg.desc = cvq->parts[BATON_CVQ_RING].addr + DESC_AT;
	cfg.driver = cvq->parts[BATON_CVQ_RING].addr + AVAIL_AT;
	cfg.device = cvq->parts[BATON_CVQ_ANSWER].addr + USED_AT;
	cfg.size = SIZE;
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
 * Context: may sleep; &baton.lock held.
 * Return: 0 or a negative errno.
 */
int baton_cvq_restore(struct baton_vdpa *bv)
{
	u8 cmd[BATON_RESTORE_MAX], ack;
	unsigned int nth;
	size_t len;
	int err;

	memcpy(bv->net.current_mac, bv->net.mac, sizeof(bv->net.mac));
	if (bv->cvq.index == BATON_NO_CONTROL)
		return 0;
	for (nth = 0;; nth++) {
		len = baton_net_restore(&bv->net, nth, bv->hw_features, cmd);
		if (!len)
			return 0;
		err = baton_cvq_send(bv, cmd, len, &ack, sizeof(ack));
		if (!err && ack != VIRTIO_NET_OK)
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
 * baton_cvq_stop() - nothing of ours is shared with the hardware any more
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
	/* Nothing of one owner's commands is left for the next. */
	memset(page_address(cvq->pages), 0, PAGE_SIZE << CVQ_ORDER);
}

/**
 * baton_cvq_init() - a vDPA device is being made of a function
 * @bv: the vDPA device
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int baton_cvq_init(struct baton_vdpa *bv)
{
	/* As large, and as far into the memory, as the hardware may write or read it. */
	static const struct {
		unsigned int offset, size;
		bool writable;
	} layout[BATON_CVQ_NR_PARTS] = {
		[BATON_CVQ_RING]	= { 0, PAGE_SIZE, false },
		[BATON_CVQ_ANSWER]	= { PAGE_SIZE, PAGE_SIZE, true },
		[BATON_CVQ_COMMAND]	= { 2 * PAGE_SIZE, BATON_COMMAND_MAX, false },
	};
	struct baton_cvq *cvq = &bv->cvq;
	unsigned int i;

	BUILD_BUG_ON(2 * PAGE_SIZE + BATON_COMMAND_MAX > PAGE_SIZE << CVQ_ORDER);

	cvq->index = BATON_NO_CONTROL;
	if (bv->b->fn->device_id != VIRTIO_ID_NET ||
	    !(bv->b->hw_features & BIT_ULL(VIRTIO_NET_F_CTRL_VQ)))
		return 0;
	cvq->pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, CVQ_ORDER);
	if (!cvq->pages)
		return -ENOMEM;
	for (i = 0; i < BATON_CVQ_NR_PARTS; i++) {
		cvq->parts[i].page = cvq->pages + layout[i].offset / PAGE_SIZE;
		cvq->parts[i].cpu = page_address(cvq->parts[i].page);
		cvq->parts[i].offset = layout[i].offset;
		cvq->parts[i].size = PAGE_ALIGN(layout[i].size);
		cvq->parts[i].writable = layout[i].writable;
	}

	return 0;
}

/**
 * baton_cvq_uninit() - undo baton_cvq_init()
 * @bv: the vDPA device, no longer registered
 *
 * Context: may sleep.
 */
void baton_cvq_uninit(struct baton_vdpa *bv)
{
	if (bv->cvq.pages)
		__free_pages(bv->cvq.pages, CVQ_ORDER);
	bv->cvq.pages = NULL;
}
