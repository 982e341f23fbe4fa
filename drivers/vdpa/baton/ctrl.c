// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control queue of a network function's owner.
 *
 * It is served by the CPU: commands are copied, judged (net.c), and those that pass are
 * given to the hardware's own control queue (cvq.c). So an owner cannot change what the
 * administrator fixed, and is answered even if the hardware does not answer.
 *
 * &baton.lock guards all of it. A kick may come in any context and queues a work item, which
 * takes the lock. That may run late, even for the next owner: so it looks only then whether
 * there is an owner, and a control queue that is ready.
 */
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <linux/workqueue.h>

#include "core.h"
#include "param.h"
#include "space.h"
#include "trace.h"

/*
 * The work item gives &baton.lock back after so many commands, or so long, and goes on after a
 * pause, both in jiffies: the time that it takes is not accounted to the owner, who could keep a
 * processor busy otherwise. Commands count until a pause has passed, whatever number of kicks
 * they come by.
 */
#define BUDGET		64
#define BUDGET_TIME	(HZ / 10)
#define BUDGET_PAUSE	2

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
	case BATON_COMMAND_TRIMMED:
		return "not allowed by the policy (sysfs: baton/policy)";
	default:
		return "refused by the hardware";
	}
}

/* Answers are where a user's queues can write (C7.1). */
static void ctrl_report_failure(struct baton *b, int err)
{
	if (b->owner.owner == BATON_USER)
		baton_report_doubt(b,
				   "the hardware's control queue failed (%pe), or its user wrote the answer: function stopped, its owner has to reset it",
				   ERR_PTR(err));
	else
		baton_report_fault(b,
				   "the hardware's control queue failed (%pe): function stopped, its owner has to reset it",
				   ERR_PTR(err));
}

/* Returns how many bytes of @reply are the answer. */
static size_t ctrl_execute(struct baton_vdpa *bv, size_t len, u8 *reply)
{
	struct baton_ctrl *ctrl = &bv->ctrl;
	enum baton_command_verdict verdict;
	u8 *cmd = ctrl->command;
	struct baton *b = bv->b;
	size_t reply_len;
	int err;

	reply[0] = VIRTIO_NET_ERR;
	if (b->owner.state == BATON_LOST) {
		ctrl->refused++;
		return 1;
	}

	verdict = baton_net_command(&bv->net, cmd, &len, &reply_len);
	if (verdict == BATON_COMMAND_FORWARD || verdict == BATON_COMMAND_TRIMMED) {
		err = baton_cvq_send(bv, cmd, len, reply, reply_len);
		if (err) {
			/* Nothing can be sent any more: the function is lost to its owner. */
			ctrl->refused++;
			ctrl_report_failure(b, err);
			bv->fail(bv, true);
			reply[0] = VIRTIO_NET_ERR;
			return 1;
		}
		/* A command may change configuration without an interrupt: ANNOUNCE_ACK does. */
		baton_shadow_stale(b);
		if (verdict == BATON_COMMAND_TRIMMED)
			reply[0] = VIRTIO_NET_ERR;
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
		baton_report_refusal(b, "control command %u/%u of %zu bytes refused: %s",
				     len ? cmd[0] : 0xff, len > 1 ? cmd[1] : 0xff, len,
				     ctrl_verdict_name(verdict));
	reply[0] = VIRTIO_NET_ERR;

	return 1;
}

/* &baton_ring.window: the owner's memory as the CPU sees it, while &baton.lock is held. */
static size_t ctrl_window(void *ctx, u64 addr, bool write, void **bytes)
{
	struct baton_vdpa *bv = ctx;
	struct baton *b = bv->b;
	phys_addr_t pa = addr;

	if (b->owner.owner == BATON_USER)
		return baton_space_window(b, bv->group_asid[BATON_GROUP_CONTROL], addr, write,
					  bytes);

	/* ops_get_vq_map() had it mapped for the vDPA device, whose DMA is direct. */
	if (bv->features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM))
		pa = dma_to_phys(&bv->vdpa.dev, addr);
	if (!pfn_valid(PHYS_PFN(pa)))
		return 0;
	*bytes = phys_to_virt(pa);

	return PAGE_SIZE - offset_in_page(pa);
}

/*
 * &baton_ring.read: with machine check recovery, where there is one, so that an uncorrectable
 * error in the owner's memory is an error of his command and not a panic.
 */
static unsigned long ctrl_read(void *to, const void *from, size_t len)
{
	return copy_mc_to_kernel(to, from, len);
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
		.next_avail = bq->state.split.avail_index,
		.next_used = bq->state.split.avail_index,
		.window = ctrl_window,
		.read = ctrl_read,
		.ctx = bv,
	};
}

/*
 * Takes one command and answers it. Returns 1; 0 if there is none; -EPROTO if the ring makes no
 * sense, as baton_ring_get() does.
 */
static int ctrl_serve_one(struct baton_vdpa *bv)
{
	struct baton_ctrl *ctrl = &bv->ctrl;
	u8 reply[BATON_REPLY_MAX] = { VIRTIO_NET_ERR };
	struct baton_chain chain;
	size_t reply_len = 1;
	unsigned long flags;
	int got, err;

	got = baton_ring_get(&ctrl->ring, &chain, ctrl->command, BATON_COMMAND_MAX);
	if (!got || got == -EPROTO)
		return got;

	ctrl->received++;
	if (got == 1)
		reply_len = ctrl_execute(bv, chain.len, reply);
	else
		ctrl->refused++;
	err = baton_ring_put(&ctrl->ring, &chain, reply, reply_len);
	if (err)
		return err;
	/* As from an interrupt: vhost uses there without a lock what must not go meanwhile. */
	local_irq_save(flags);
	baton_irq_queue(&bv->queues[ctrl->index]);
	local_irq_restore(flags);

	return 1;
}

static void ctrl_serve(struct work_struct *work)
{
	struct baton_vdpa *bv = container_of(work, struct baton_vdpa, ctrl.work.work);
	unsigned long end = jiffies + BUDGET_TIME;
	struct baton_ctrl *ctrl = &bv->ctrl;
	struct baton_queue *bq;
	int got = 1;

	CLASS(baton_vdpa, b)(bv);
	/* Commands to a lost function are served too, and refused: their driver waits. */
	if (!baton_owner_held(&b->owner) || ctrl->index == BATON_NO_CONTROL)
		return;
	bq = &bv->queues[ctrl->index];
	if (!bq->ready || baton_queue_unusable(bv, bq))
		return;
	ctrl_open_ring(bv, bq);

	if (time_after(jiffies, ctrl->since + BUDGET_PAUSE)) {
		ctrl->since = jiffies;
		ctrl->spent = 0;
	}
	for (; ctrl->spent < BUDGET && got > 0 && !time_after(jiffies, end); ctrl->spent++) {
		got = ctrl_serve_one(bv);
		if (!got && !baton_ring_rearm(&ctrl->ring))
			got = ctrl_serve_one(bv);
	}
	if (got > 0)
		queue_delayed_work(baton_wq, &ctrl->work, BUDGET_PAUSE);
	if (got != -EPROTO)
		return;

	baton_report_refusal(b,
			     "the owner's control queue makes no sense (index, or memory that is not mapped): the owner has to reset");
	WRITE_ONCE(bq->ready, false);
	bv->fail(bv, false);
}

/**
 * baton_ctrl_kick() - there may be commands
 * @bv: the vDPA device
 *
 * Context: any.
 */
void baton_ctrl_kick(struct baton_vdpa *bv)
{
	/* Does not shorten the pause of one that is queued: see BUDGET_PAUSE. */
	queue_delayed_work(baton_wq, &bv->ctrl.work, 0);
}

/**
 * baton_ctrl_find() - which queue is the owner's control queue?
 * @bv: the vDPA device
 * @features: what its owner took; what it is offered as long as it has not
 *
 * Context: &baton.lock held, or nobody else knows of @bv yet.
 */
void baton_ctrl_find(struct baton_vdpa *bv, u64 features)
{
	u16 index = BATON_NO_CONTROL;

	if (bv->cvq.pages && features & BIT_ULL(VIRTIO_NET_F_CTRL_VQ))
		index = baton_net_control_queue(&bv->net, features);
	WRITE_ONCE(bv->ctrl.index, index < bv->nr_queues ? index : BATON_NO_CONTROL);
}

/**
 * baton_ctrl_stop() - forget the owner's ring, and its last command
 * @bv: the vDPA device, whose function is being drained
 *
 * Context: &baton.lock held.
 */
void baton_ctrl_stop(struct baton_vdpa *bv)
{
	if (!bv->ctrl.command)
		return;
	/* C8: nothing of one owner's commands is left for the next. */
	memset(bv->ctrl.command, 0, BATON_COMMAND_MAX);
	bv->ctrl.ring.size = 0;
}

/**
 * baton_ctrl_init() - prepare to serve the control queue of a new vDPA device
 * @bv: the vDPA device, which nobody else knows of; baton_cvq_init() has been called
 *
 * Context: may sleep; no lock is needed.
 * Return: 0 or -ENOMEM.
 */
int baton_ctrl_init(struct baton_vdpa *bv)
{
	struct baton_ctrl *ctrl = &bv->ctrl;

	INIT_DELAYED_WORK(&ctrl->work, ctrl_serve);
	ctrl->index = BATON_NO_CONTROL;
	ctrl->since = jiffies;
	if (!bv->cvq.pages)
		return 0;
	ctrl->command = kzalloc(BATON_COMMAND_MAX, GFP_KERNEL);

	return ctrl->command ? 0 : -ENOMEM;
}

/**
 * baton_ctrl_uninit() - undo baton_ctrl_init()
 * @bv: the vDPA device, no longer registered: no kick comes any more
 *
 * Context: may sleep; &baton.lock not held, since the work item that is waited for takes it.
 */
void baton_ctrl_uninit(struct baton_vdpa *bv)
{
	cancel_delayed_work_sync(&bv->ctrl.work);
	kfree(bv->ctrl.command);
	bv->ctrl.command = NULL;
}
