// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control queue of a network function.
 *
 * The owner's control queue ends here. Its commands are copied, judged
 * (net.c), and those that pass are given to the hardware's own control queue,
 * which nobody else ever sees. So what the administrator fixed stays fixed, and
 * a command that the hardware never answers is answered all the same.
 *
 * The hardware gets one command at a time, in memory of ours that it shares
 * with nothing: descriptors, available ring and commands can only be read by
 * it; the used ring and the answer it can write, and so, if a user owns the
 * function, can the user: they are looked at as if the user had written them.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/virtio_byteorder.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <linux/workqueue.h>
#include <asm/barrier.h>

#include "core.h"
#include "trace.h"

/* The hardware's queue: two descriptors are ever in use. */
#define SIZE		4
#define DESC_AT		0
#define AVAIL_AT	1024
#define USED_AT		0
#define REPLY_AT	1024

/* After so many commands in a row, or so long, somebody else gets a turn. */
#define BUDGET		64
#define BUDGET_TIME	(HZ / 10)

struct hw_ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

static struct hw_ring cvq_ring(const struct baton_ctrl *ctrl)
{
	return (struct hw_ring) {
		.desc = ctrl->shared[BATON_SHARED_RING].cpu + DESC_AT,
		.avail = ctrl->shared[BATON_SHARED_RING].cpu + AVAIL_AT,
		.used = ctrl->shared[BATON_SHARED_ANSWER].cpu + USED_AT,
	};
}

static const u8 *cvq_reply(const struct baton_ctrl *ctrl)
{
	return ctrl->shared[BATON_SHARED_ANSWER].cpu + REPLY_AT;
}

/* Wait for the one answer that is due. */
static int cvq_wait_answer(struct baton *b, u16 due)
{
	struct baton_ctrl *ctrl = &b->bv->ctrl;
	struct vring_used *used = cvq_ring(ctrl).used;
	ktime_t deadline = ktime_add_ms(ktime_get(), READ_ONCE(baton_ctrl_timeout_ms));
	bool late;
	u16 idx;

	for (;;) {
		late = ktime_after(ktime_get(), deadline);
		baton_dma_sync(b, &ctrl->shared[BATON_SHARED_ANSWER], false);
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

static bool speaks(const struct baton_vdpa *bv)
{
	return bv->ctrl.pages && bv->hw_features & BIT_ULL(VIRTIO_NET_F_CTRL_VQ);
}

static void cvq_kick(struct baton *b)
{
	struct baton_ctrl *ctrl = &b->bv->ctrl;

	/* virtio 1.2, 2.9: with the feature, a doorbell takes more than the queue. */
	if (b->bv->hw_features & BIT_ULL(VIRTIO_F_NOTIFICATION_DATA))
		b->fn->ops->kick_data(b->fn, ctrl->hw_queue | (u32)ctrl->sent << 16);
	else
		b->fn->ops->kick(b->fn, ctrl->hw_queue);
}

/* Give the hardware the command; its answer is in cvq_reply(). */
static int cvq_send(struct baton *b, size_t len, size_t reply_len)
{
	struct baton_ctrl *ctrl = &b->bv->ctrl;
	struct baton_shared *shared = ctrl->shared;
	struct hw_ring hw = cvq_ring(ctrl);

	memcpy(shared[BATON_SHARED_COMMAND].cpu, ctrl->command, len);
	hw.desc[0].addr = __cpu_to_virtio64(true, shared[BATON_SHARED_COMMAND].addr);
	hw.desc[0].len = __cpu_to_virtio32(true, len);
	hw.desc[0].flags = __cpu_to_virtio16(true, VRING_DESC_F_NEXT);
	hw.desc[0].next = __cpu_to_virtio16(true, 1);
	hw.desc[1].addr = __cpu_to_virtio64(true, shared[BATON_SHARED_ANSWER].addr + REPLY_AT);
	hw.desc[1].len = __cpu_to_virtio32(true, reply_len);
	hw.desc[1].flags = __cpu_to_virtio16(true, VRING_DESC_F_WRITE);

	/* Nobody listens for its interrupts. The ring's entries are all 0. */
	hw.avail->flags = __cpu_to_virtio16(true, VRING_AVAIL_F_NO_INTERRUPT);
	/* virtio 1.2, 2.7.13.3: what is announced comes before the index. */
	virt_wmb();
	ctrl->sent++;
	hw.avail->idx = __cpu_to_virtio16(true, ctrl->sent);
	baton_dma_sync(b, &shared[BATON_SHARED_COMMAND], true);
	baton_dma_sync(b, &shared[BATON_SHARED_RING], true);
	/* And the index before the doorbell. */
	virt_mb();
	cvq_kick(b);

	return cvq_wait_answer(b, ctrl->sent);
}

/*
 * The hardware does not answer, or answers what it was not asked: it is
 * stopped, and its owner, who cannot go on without it, is told.
 */
static void ctrl_lose(struct baton *b, int err)
{
	struct baton_vdpa *bv = b->bv;

	baton_function_refuse(b,
			      "the hardware's control queue failed (%pe): function reset, its owner has to reset as well",
			      ERR_PTR(err));
	baton_handover_event(b, BATON_EV_LOSE);
	baton_handover_quiesce(b);
	WRITE_ONCE(bv->needs_reset, true);
	baton_irq_config(bv);
}

static const char *ctrl_verdict_name(enum baton_command_verdict verdict)
{
	switch (verdict) {
	case BATON_COMMAND_UNKNOWN:
		return "unknown, or without its feature";
	case BATON_COMMAND_MALFORMED:
		return "malformed";
	case BATON_COMMAND_LIMIT:
		return "exceeds what was provisioned";
	case BATON_COMMAND_POLICY:
		return "not allowed by the policy (sysfs: baton/policy)";
	default:
		return "refused by the hardware";
	}
}

/* Returns how many bytes of @reply are the answer. */
static size_t ctrl_execute(struct baton *b, size_t len, u8 *reply)
{
	struct baton_vdpa *bv = b->bv;
	struct baton_ctrl *ctrl = &bv->ctrl;
	enum baton_command_verdict verdict;
	const u8 *cmd = ctrl->command;
	size_t reply_len;
	int err;

	reply[0] = VIRTIO_NET_ERR;
	if (b->owner.state == BATON_LOST) {
		ctrl->refused++;
		return 1;
	}

	verdict = baton_net_command(&bv->net, cmd, len, &reply_len);
	if (verdict == BATON_COMMAND_FORWARD) {
		err = cvq_send(b, len, reply_len);
		if (err) {
			ctrl->refused++;
			ctrl_lose(b, err);
			return 1;
		}
		memcpy(reply, cvq_reply(ctrl), reply_len);
		/* It may show there, and no interrupt says so: an announcement made. */
		baton_shadow_stale(b);
	}
	trace_baton_command(b->fn->dev, len ? cmd[0] : 0xff, len > 1 ? cmd[1] : 0xff, len,
			    verdict, reply[0]);
	if (reply[0] == VIRTIO_NET_OK) {
		ctrl->completed++;
		baton_net_command_done(&bv->net, cmd, len);
		return reply_len;
	}

	ctrl->refused++;
	if (verdict != BATON_COMMAND_FORWARD)
		baton_function_refuse(b, "control command %u/%u of %zu bytes refused: %s",
				      len ? cmd[0] : 0xff, len > 1 ? cmd[1] : 0xff, len,
				      ctrl_verdict_name(verdict));
	reply[0] = VIRTIO_NET_ERR;

	return 1;
}

/* The owner's memory, as the CPU sees it. */
static size_t ctrl_window(void *ctx, u64 addr, bool write, void **bytes)
{
	struct baton_vdpa *bv = ctx;
	struct baton *b = bv->b;
	phys_addr_t pa = addr;

	if (b->owner.owner == BATON_USER)
		return baton_space_window(b, bv->group_asid[BATON_GROUP_CONTROL], addr, write,
					  bytes);

	/* The kernel's control queue is mapped for the vDPA device itself: directly. */
	if (bv->features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM))
		pa = dma_to_phys(&bv->vdpa.dev, addr);
	if (!pfn_valid(PHYS_PFN(pa)))
		return 0;
	*bytes = phys_to_virt(pa);

	return PAGE_SIZE - offset_in_page(pa);
}

static void ctrl_open_ring(struct baton_vdpa *bv, const struct baton_queue *bq)
{
	struct baton_ring *ring = &bv->ctrl.ring;

	if (ring->size)
		return;
	*ring = (struct baton_ring) {
		.desc = bq->cfg.desc,
		.avail = bq->cfg.driver,
		.used = bq->cfg.device,
		.size = bq->cfg.size,
		.event_idx = bv->features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX),
		.window = ctrl_window,
		.ctx = bv,
	};
}

/* Take one command and answer it. Returns as baton_ring_get() does. */
static int ctrl_serve_one(struct baton *b)
{
	struct baton_vdpa *bv = b->bv;
	struct baton_ctrl *ctrl = &bv->ctrl;
	u8 reply[BATON_REPLY_MAX] = { VIRTIO_NET_ERR };
	struct baton_chain chain;
	size_t reply_len = 1;
	int got, err;

	got = baton_ring_get(&ctrl->ring, &chain, ctrl->command, BATON_COMMAND_MAX);
	if (!got || got == -EPROTO)
		return got;

	ctrl->received++;
	if (got == 1)
		reply_len = ctrl_execute(b, chain.len, reply);
	else
		ctrl->refused++;
	err = baton_ring_put(&ctrl->ring, &chain, reply, reply_len);
	if (err)
		return err;
	baton_irq_queue(&bv->queues[bv->control]);

	return 1;
}

static void ctrl_serve(struct work_struct *work)
{
	struct baton_vdpa *bv = container_of(work, struct baton_vdpa, ctrl.work);
	struct baton *b = bv->b;
	unsigned long end = jiffies + BUDGET_TIME;
	struct baton_queue *bq;
	unsigned int n;
	int got = 1;

	guard(mutex)(&b->lock);
	/* A lost function still owes its owner an answer: no. */
	if (!baton_handover_owned(b) || bv->control == BATON_NO_CONTROL)
		return;
	bq = &bv->queues[bv->control];
	if (!bq->ready || baton_queue_unusable(bv, bq))
		return;
	ctrl_open_ring(bv, bq);

	for (n = 0; n < BUDGET && got > 0 && !time_after(jiffies, end); n++) {
		got = ctrl_serve_one(b);
		if (!got && !baton_ring_rearm(&bv->ctrl.ring))
			got = ctrl_serve_one(b);
	}
	if (got > 0)
		queue_work(baton_wq, work);
	if (got != -EPROTO)
		return;

	baton_function_refuse(b,
			      "the owner's control queue makes no sense (index, or memory that is not mapped): the owner has to reset");
	WRITE_ONCE(bq->ready, false);
	/* A kernel driver spins until it is answered, or its queue broken. */
	if (b->owner.owner == BATON_KERNEL)
		baton_handover_event(b, BATON_EV_LOSE);
	WRITE_ONCE(bv->needs_reset, true);
	baton_irq_config(bv);
}

/**
 * baton_ctrl_kick() - there may be commands
 * @bv: the vDPA device
 *
 * Context: any.
 */
void baton_ctrl_kick(struct baton_vdpa *bv)
{
	queue_work(baton_wq, &bv->ctrl.work);
}

/**
 * baton_ctrl_claims() - is this the hardware's control queue?
 * @bv: the vDPA device; features negotiated with the hardware
 * @idx: which queue
 *
 * Context: any; &baton.lock held.
 * Return: true if nobody but us may set it up.
 */
bool baton_ctrl_claims(const struct baton_vdpa *bv, u16 idx)
{
	return speaks(bv) && idx == baton_net_hw_control_queue(&bv->net, bv->hw_features);
}

/**
 * baton_ctrl_start() - set the hardware's control queue up
 * @b: the function, about to be granted to the owner of its vDPA device
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0 or a negative errno.
 */
int baton_ctrl_start(struct baton *b)
{
	struct baton_vdpa *bv = b->bv;
	struct baton_ctrl *ctrl = &bv->ctrl;
	struct baton_queue_config cfg = {};
	int err;

	if (!speaks(bv))
		return 0;
	ctrl->hw_queue = baton_net_hw_control_queue(&bv->net, bv->hw_features);
	if (ctrl->hw_queue >= b->fn->nr_queues || b->fn->queue_max[ctrl->hw_queue] < SIZE) {
		baton_function_refuse(b,
				      "DRIVER_OK refused: the device offers CTRL_VQ (bit 17) but has no queue %u for it",
				      ctrl->hw_queue);
		return -ENODEV;
	}
	ctrl->sent = 0;
	ctrl->ring.size = 0;
	memset(page_address(ctrl->pages), 0, PAGE_SIZE << BATON_SHARED_ORDER);
	err = baton_dma_share(b, ctrl->shared);
	if (err)
		return err;

	cfg.desc = ctrl->shared[BATON_SHARED_RING].addr + DESC_AT;
	cfg.driver = ctrl->shared[BATON_SHARED_RING].addr + AVAIL_AT;
	cfg.device = ctrl->shared[BATON_SHARED_ANSWER].addr + USED_AT;
	cfg.size = SIZE;
	cfg.vector = BATON_NO_VECTOR;
	err = b->fn->ops->setup_queue(b->fn, ctrl->hw_queue, &cfg);
	if (err)
		baton_function_refuse(b, "the device did not enable its control queue (%u): %pe",
				      ctrl->hw_queue, ERR_PTR(err));

	return err;
}

/**
 * baton_ctrl_restore() - tell the hardware what was provisioned
 * @b: the function, which has just seen DRIVER_OK
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0 or a negative errno.
 */
int baton_ctrl_restore(struct baton *b)
{
	struct baton_vdpa *bv = b->bv;
	struct baton_ctrl *ctrl = &bv->ctrl;
	unsigned int nth;
	size_t len;
	int err;

	memcpy(bv->net.current_mac, bv->net.mac, sizeof(bv->net.mac));
	if (!speaks(bv))
		return 0;
	for (nth = 0;; nth++) {
		len = baton_net_restore(&bv->net, nth, bv->hw_features, ctrl->command);
		if (!len)
			return 0;
		err = cvq_send(b, len, 1);
		if (!err && cvq_reply(ctrl)[0] != VIRTIO_NET_OK)
			err = -EIO;
		if (err)
			break;
	}
	baton_function_refuse(b,
			      "DRIVER_OK refused: the hardware did not take what was provisioned (command %u/%u): %pe",
			      ctrl->command[0], ctrl->command[1], ERR_PTR(err));

	return err;
}

/**
 * baton_ctrl_stop() - nothing of ours is shared with the hardware any more
 * @b: the function; reset, or without bus mastering; does nothing if not started
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_ctrl_stop(struct baton *b)
{
	struct baton_vdpa *bv = b->bv;

	if (!bv || !bv->ctrl.pages)
		return;
	baton_dma_unshare(b, bv->ctrl.shared);
	/* Nothing of one owner's commands is left for the next. */
	memset(page_address(bv->ctrl.pages), 0, PAGE_SIZE << BATON_SHARED_ORDER);
	memset(bv->ctrl.command, 0, BATON_COMMAND_MAX);
	bv->ctrl.ring.size = 0;
}

/**
 * baton_ctrl_init() - a vDPA device is being made of a network function
 * @bv: the vDPA device
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int baton_ctrl_init(struct baton_vdpa *bv)
{
	/* As large, and as far into the memory, as the hardware may write or read it. */
	static const struct {
		unsigned int offset, size;
		bool writable;
	} layout[BATON_NR_SHARED] = {
		[BATON_SHARED_RING]	= { 0, PAGE_SIZE, false },
		[BATON_SHARED_ANSWER]	= { PAGE_SIZE, PAGE_SIZE, true },
		[BATON_SHARED_COMMAND]	= { 2 * PAGE_SIZE, BATON_COMMAND_MAX, false },
	};
	struct baton_ctrl *ctrl = &bv->ctrl;
	unsigned int i;

	BUILD_BUG_ON(2 * PAGE_SIZE + BATON_COMMAND_MAX > PAGE_SIZE << BATON_SHARED_ORDER);

	INIT_WORK(&ctrl->work, ctrl_serve);
	bv->control = BATON_NO_CONTROL;
	if (bv->b->fn->device_id != VIRTIO_ID_NET ||
	    !(bv->b->hw_features & BIT_ULL(VIRTIO_NET_F_CTRL_VQ)))
		return 0;
	ctrl->pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, BATON_SHARED_ORDER);
	if (!ctrl->pages)
		return -ENOMEM;
	ctrl->command = kzalloc(BATON_COMMAND_MAX, GFP_KERNEL);
	if (!ctrl->command) {
		baton_ctrl_uninit(bv);
		return -ENOMEM;
	}
	for (i = 0; i < BATON_NR_SHARED; i++) {
		ctrl->shared[i].page = ctrl->pages + layout[i].offset / PAGE_SIZE;
		ctrl->shared[i].cpu = page_address(ctrl->shared[i].page);
		ctrl->shared[i].offset = layout[i].offset;
		ctrl->shared[i].size = PAGE_ALIGN(layout[i].size);
		ctrl->shared[i].writable = layout[i].writable;
	}

	return 0;
}

/**
 * baton_ctrl_uninit() - no commands will come any more
 * @bv: the vDPA device, no longer registered
 *
 * Context: may sleep; &baton.lock not held.
 */
void baton_ctrl_uninit(struct baton_vdpa *bv)
{
	cancel_work_sync(&bv->ctrl.work);
	if (bv->ctrl.pages)
		__free_pages(bv->ctrl.pages, BATON_SHARED_ORDER);
	bv->ctrl.pages = NULL;
	kfree(bv->ctrl.command);
	bv->ctrl.command = NULL;
}
