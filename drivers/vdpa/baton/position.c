// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a user's queues stand: what is under way is waited for before a reset or a suspend, and
 * afterwards there is a position for each queue from which on its available ring has what was not
 * done, each request once (C15).
 *
 * What a user says in its rings is read here, once each time, and believed by nobody but itself: a
 * wrong index leads to a wrong position, of its own queue.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "core.h"
#include "position.h"
#include "space.h"

/* For how long, in a minute, baton_position_settle() may hold &baton.lock, in ms. */
#define SETTLE_MINUTE_MS	(3 * BATON_SETTLE_MS)

static const char OUT_OF_ORDER[] =
	"buffers come back out of order (sysfs: have it relayed, baton/relay)";

/**
 * baton_position_init() - nobody has had us wait yet
 * @bv: the vDPA device; nobody else knows of it
 */
void baton_position_init(struct baton_vdpa *bv)
{
	bv->position.since = jiffies;
}

/* 16 bits of a user's ring; -1: they are not mapped. */
static int position_read16(const struct baton_vdpa *bv, u64 addr)
{
	struct baton *b = bv->b;
	void *bytes;

	if (baton_space_window(b, b->domain.data_asid, addr, false, &bytes) < sizeof(__le16))
		return -1;

	return le16_to_cpu(READ_ONCE(*(__le16 *)bytes));
}

/* How many requests of a user's have no answer yet; -1: its rings are not mapped. */
static int position_under_way(const struct baton_vdpa *bv, struct baton_queue *bq)
{
	int avail, used;

	if (bq->relayed)
		return baton_relay_under_way(bq);
	avail = position_read16(bv, bq->cfg.driver + offsetof(struct vring_avail, idx));
	used = position_read16(bv, bq->cfg.device + offsetof(struct vring_used, idx));

	return avail < 0 || used < 0 ? -1 : (u16)(avail - used);
}

static bool position_is_awaited(const struct baton_vdpa *bv, struct baton_queue *bq)
{
	return bq->enabled && baton_class_answers(bv->b->fn->device_id, bq->index) &&
	       position_under_way(bv, bq) > 0;
}

/*
 * Without a doorbell the hardware need not look, and a guest may have been stopped between a
 * request and its doorbell. So one is rung here. (For a relayed queue the relay has rung.)
 */
static void position_ring_awaited(const struct baton_vdpa *bv, struct baton_queue *bq)
{
	int avail = position_read16(bv, bq->cfg.driver + offsetof(struct vring_avail, idx));

	if (!bq->relayed && avail >= 0)
		baton_queue_ring(bv, bq, (u32)avail << 16 | bq->index);
}

/* How long the next wait may last, in jiffies. */
static unsigned long position_patience(struct baton_vdpa *bv)
{
	unsigned long minute = msecs_to_jiffies(SETTLE_MINUTE_MS);

	if (time_after(jiffies, bv->position.since + 60 * HZ)) {
		bv->position.since = jiffies;
		bv->position.spent = 0;
	}

	return min(msecs_to_jiffies(BATON_SETTLE_MS), minute - min(minute, bv->position.spent));
}

/**
 * baton_position_settle() - wait until the hardware has answered what a user asked for
 * @bv: the vDPA device, which is about to be reset
 *
 * QEMU, if it cannot suspend a device, stops a guest by a reset, and later goes on at the
 * used index. With requests under way that are answered out of order one would be lost, and
 * another done twice. So queues where each request gets an answer (baton_class_answers()) are
 * waited for, up to %BATON_SETTLE_MS in all. A user who goes on making requests meanwhile
 * only delays its own reset; but who has it wait on and on delays others, who wait for &baton.lock
 * with locks of the kernel's: so all waits of a minute last %SETTLE_MINUTE_MS at most.
 *
 * Context: may sleep; &baton.lock held; interrupts and queues as they were.
 * Return: the first queue on its user's own rings that still has requests under way, or
 * the number of queues. (One that is relayed does not count: the relay knows which are.)
 */
u16 baton_position_settle(struct baton_vdpa *bv)
{
	unsigned long begun = jiffies, end = begun + position_patience(bv);
	u16 i;

	if (bv->b->owner.state != BATON_USER_OWNS || bv->features & BIT_ULL(VIRTIO_F_RING_PACKED))
		return bv->nr_queues;
	for (i = 0; i < bv->nr_queues; i++)
		if (position_is_awaited(bv, &bv->queues[i]))
			position_ring_awaited(bv, &bv->queues[i]);
	i = 0;
	while (i < bv->nr_queues) {
		if (!position_is_awaited(bv, &bv->queues[i])) {
			i++;
			continue;
		}
		if (!time_after(jiffies, end) && bv->b->fn->ops->present(bv->b->fn))
			usleep_range(200, 1000);
		else if (bv->queues[i].relayed)
			i++;
		else
			break;
	}
	bv->position.spent += jiffies - begun;

	return i;
}

/* An entry of a user's available ring. */
static int position_head(const struct baton_vdpa *bv, const struct baton_queue *bq, u16 at)
{
	return position_read16(bv, bq->cfg.driver + offsetof(struct vring_avail, ring[0]) +
				   sizeof(__virtio16) * (at & (bq->cfg.size - 1)));
}

/*
 * Is each head that is under way there once? One that came back before an older one, and was given
 * again, is there twice.
 */
static const char *position_doubt(const struct baton_vdpa *bv, const struct baton_queue *bq,
				  u16 used, u16 under_way)
{
	unsigned long *heads = bitmap_zalloc(bq->cfg.size, GFP_KERNEL);
	const char *why = NULL;
	int head;

	if (!heads)
		return "no memory";
	while (under_way-- && !why) {
		head = position_head(bv, bq, used++);
		if (head < 0 || head >= bq->cfg.size)
			why = "its available ring makes no sense";
		else if (__test_and_set_bit(head, heads))
			why = OUT_OF_ORDER;
	}
	bitmap_free(heads);

	return why;
}

/*
 * Did the requests before @used come back in the order in which they were made available? As far
 * back as both rings tell. Then those from @used on are the ones that did not.
 */
static bool position_is_in_order(const struct baton_vdpa *bv, const struct baton_queue *bq,
				 u16 used, u16 under_way)
{
	u16 size = bq->cfg.size, at, n;
	int given, back;

	/* A direct queue began at 0: in its first round there is nothing before. */
	n = min_t(u16, size - under_way, used);
	while (n--) {
		at = --used & (size - 1);
		given = position_head(bv, bq, at);
		back = position_read16(bv, bq->cfg.device + offsetof(struct vring_used, ring[0]) +
					sizeof(struct vring_used_elem) * at);
		if (given != back)
			return false;
	}

	return true;
}

/* A queue that worked on the user's own rings. */
static const char *position_withdraw_direct(struct baton_vdpa *bv, struct baton_queue *bq)
{
	int used = position_read16(bv, bq->cfg.device + offsetof(struct vring_used, idx));
	int under_way = position_under_way(bv, bq);
	const char *why;

	if (under_way < 0)
		return "its rings are not mapped";
	if (under_way > bq->cfg.size)
		return "its indices make no sense";
	if (under_way && !position_is_in_order(bv, bq, used, under_way))
		return OUT_OF_ORDER;
	why = position_doubt(bv, bq, used, under_way);
	if (why)
		return why;
	bq->state.split.avail_index = used;
	/* The interrupt for what came back last may have been lost. */
	baton_irq_queue(bq);

	return NULL;
}

/**
 * baton_position_withdraw() - find out where each queue stands
 * @bv: the vDPA device, whose function has stopped and interrupts no more
 * @idx: set to the queue that is at fault
 *
 * Afterwards the state of each queue is a position from which on its available ring has what
 * was not done, each request once, and nothing else (C15).
 *
 * Context: may sleep; &baton.lock held.
 * Return: NULL, or why that cannot be said.
 */
const char *baton_position_withdraw(struct baton_vdpa *bv, u16 *idx)
{
	const char *why = NULL;
	struct baton_queue *bq;
	u16 i;

	for (i = 0; i < bv->nr_queues && !why; i++) {
		bq = &bv->queues[i];
		*idx = i;
		/* @ready does not count: its user may have cleared it with requests under way. */
		if (!bq->ran)
			continue;
		bq->ran = false;
		if (bq->relayed)
			why = baton_relay_withdraw(bq);
		else if (i != bv->ctrl.index)
			why = position_withdraw_direct(bv, bq);
		else if (bv->ctrl.ring.size)
			bq->state.split.avail_index = bv->ctrl.ring.next_avail;
	}

	return why;
}
