// SPDX-License-Identifier: GPL-2.0-only
/*
 * Forwarding between two split virtqueues (virtio 1.2, 2.7).
 *
 * Invariants (C14), which keep both sides from lying about heads: the hardware is given
 * no head that it has already, and the owner is returned none that the hardware was not
 * given. So at most as many heads are in flight as the ring has entries, and each loop
 * here is bounded by that. Only numbers of heads are copied: the descriptors are the
 * owner's, and the hardware reads them there.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <linux/virtio_ring.h>
#include <asm/barrier.h>

#include "le.h"
#include "relay_ring.h"

/* In units of 16 bits: flags, index, and then the entries. */
#define FLAGS_AT	0
#define INDEX_AT	1
#define ENTRIES_AT	2

static u16 relay_read16(const u16 *from)
{
	u16 raw = READ_ONCE(*from);

	return baton_le_get((const u8 *)&raw, sizeof(raw));
}

static u32 relay_read32(const u32 *from)
{
	u32 raw = READ_ONCE(*from);

	return baton_le_get((const u8 *)&raw, sizeof(raw));
}

static void relay_write16(u16 *to, u16 value)
{
	u16 raw;

	baton_le_put((u8 *)&raw, value, sizeof(raw));
	WRITE_ONCE(*to, raw);
}

static void relay_write32(u32 *to, u32 value)
{
	u32 raw;

	baton_le_put((u8 *)&raw, value, sizeof(raw));
	WRITE_ONCE(*to, raw);
}

/* The id of an entry of a used ring; its length follows. */
static size_t relay_used_at(const struct baton_relay_ring *r, u16 index)
{
	return 1 + 2 * (size_t)(index & (r->size - 1));
}

/* The event index of the other side lies behind the entries. */
static u16 *relay_avail_event(void *used, u16 size)
{
	return (u16 *)used + ENTRIES_AT + 4 * (size_t)size;
}

static bool relay_is_marked(const struct baton_relay_ring *r, u16 head)
{
	return r->marks[head / 32] & 1u << head % 32;
}

/**
 * baton_relay_ring_init() - nothing has been forwarded yet
 * @r: the rings; pointers, size and features are set, what is the hardware's is zero
 * @position: where the owner's rings go on
 *
 * The owner is asked to notify: its used ring may still say what a device that it had
 * before wanted.
 *
 * Context: any; nobody else uses @r yet.
 */
void baton_relay_ring_init(struct baton_relay_ring *r, u16 position)
{
	r->next_avail = position;
	r->next_used = position;
	r->hw_next_avail = 0;
	r->hw_next_used = 0;
	r->in_flight = 0;
	relay_write16((u16 *)r->used + FLAGS_AT, 0);
	if (r->event_idx)
		relay_write16(relay_avail_event(r->used, r->size), position);
}

/* One round: what the owner has made available by now. Returns how many. */
static int relay_forward_new(struct baton_relay_ring *r)
{
	u16 n = relay_read16(r->avail + INDEX_AT) - r->next_avail;
	u16 head, i;
	u16 left = -r->next_avail;

	if (n > r->size - r->in_flight)
		return -EPROTO;
	if (r->to_wrap && n > left)
		n = left;
	/* The entries must not be older than the index that announced them. */
	smp_rmb();
	for (i = 0; i < n; i++) {
		head = relay_read16(r->avail + ENTRIES_AT + (r->next_avail & (r->size - 1)));
		if (head >= r->size || relay_is_marked(r, head))
			return -EPROTO;
		r->marks[head / 32] |= 1u << head % 32;
		r->in_flight++;
		r->next_avail++;
		relay_write16(r->hw_avail + ENTRIES_AT + (r->hw_next_avail & (r->size - 1)), head);
		r->hw_next_avail++;
	}
	if (n) {
		/* 2.7.13.3: descriptors and entries before the index that announces them. */
		dma_wmb();
		relay_write16(r->hw_avail + INDEX_AT, r->hw_next_avail);
	}

	return n;
}

static bool relay_wants(bool event_idx, u16 flags, u16 event, u16 new, u16 old)
{
	if (!event_idx)
		return !flags;
	return (u16)(new - event - 1) < (u16)(new - old);
}

/**
 * baton_relay_ring_forward() - give the hardware what the owner made available
 * @r: the rings
 * @kick: set to whether the hardware wants to be told
 *
 * The owner is asked to notify of what comes later.
 *
 * Context: any; the caller serialises.
 * Return: how many requests were forwarded; -EPROTO if the owner's ring makes no
 * sense: nothing may be forwarded any more.
 */
int baton_relay_ring_forward(struct baton_relay_ring *r, bool *kick)
{
	u16 *want = relay_avail_event(r->used, r->size);
	u16 old = r->hw_next_avail;
	u16 flags, event;
	int n;

	*kick = false;
	/* At most size rounds find something: what is marked is not forwarded again. */
	while ((n = relay_forward_new(r)) > 0) {
		if (!r->event_idx)
			continue;
		relay_write16(want, r->next_avail);
		/* The event index is written before the next look (virtio 1.2, 2.7.10). */
		smp_mb();
	}
	if (n < 0)
		return n;
	n = (u16)(r->hw_next_avail - old);
	if (!n)
		return 0;

	/* 2.7.13.4: the index is written before it is read what the hardware wants. */
	mb();
	flags = relay_read16((const u16 *)r->hw_used + FLAGS_AT) & VRING_USED_F_NO_NOTIFY;
	event = relay_read16(relay_avail_event((void *)r->hw_used, r->size));
	*kick = relay_wants(r->event_idx, flags, event, r->hw_next_avail, old);

	return n;
}

/* One round: what the hardware has returned by now. Returns how many. */
static int relay_return_new(struct baton_relay_ring *r)
{
	u16 n = relay_read16((const u16 *)r->hw_used + INDEX_AT) - r->hw_next_used;
	const u32 *from = r->hw_used;
	u32 *to = r->used;
	u32 head, len;
	size_t at;
	u16 i;

	if (n > r->in_flight)
		return -EPROTO;
	/* 2.7.14: the entries are not older than the index. */
	dma_rmb();
	for (i = 0; i < n; i++) {
		at = relay_used_at(r, r->hw_next_used);
		head = relay_read32(from + at);
		len = relay_read32(from + at + 1);
		if (head >= r->size || !relay_is_marked(r, head))
			return -EPROTO;
		r->marks[head / 32] &= ~(1u << head % 32);
		r->in_flight--;
		r->hw_next_used++;
		at = relay_used_at(r, r->next_used);
		relay_write32(to + at, head);
		relay_write32(to + at + 1, len);
		r->next_used++;
	}
	if (n) {
		/* 2.7.8.2: the entries before the index that announces them. */
		smp_wmb();
		relay_write16((u16 *)r->used + INDEX_AT, r->next_used);
	}

	return n;
}

/**
 * baton_relay_ring_return() - give the owner what the hardware has returned
 * @r: the rings
 * @signal: set to whether the owner wants to be told
 *
 * The hardware is asked to interrupt for what comes later.
 *
 * Context: any; the caller serialises.
 * Return: how many requests were returned; -EPROTO if the hardware returned what
 * it was not given: nothing may be returned any more.
 */
int baton_relay_ring_return(struct baton_relay_ring *r, bool *signal)
{
	u16 old = r->next_used;
	u16 flags, event;
	int n;

	*signal = false;
	/* At most size rounds find something: what is returned was marked, and is not any more. */
	while ((n = relay_return_new(r)) > 0) {
		if (!r->event_idx)
			continue;
		relay_write16(r->hw_avail + ENTRIES_AT + r->size, r->hw_next_used);
		/* The event index is written before the next look (virtio 1.2, 2.7.7). */
		mb();
	}
	if (n < 0)
		return n;
	n = (u16)(r->next_used - old);
	if (!n)
		return 0;

	/* 2.7.7.2: the index is written before it is read what the owner wants. */
	smp_mb();
	flags = relay_read16(r->avail + FLAGS_AT) & VRING_AVAIL_F_NO_INTERRUPT;
	event = relay_read16(r->avail + ENTRIES_AT + r->size);
	*signal = relay_wants(r->event_idx, flags, event, r->next_used, old);

	return n;
}

/**
 * baton_relay_ring_withdraw() - have the owner's rings say what the hardware has not returned
 * @r: the rings; the hardware has been reset, and what it returned has been taken
 * @avail: &baton_relay_ring.avail, to be written
 *
 * Afterwards the available ring has, from @r->next_used on, each head that is in flight,
 * once, and nothing else (C15). The entries between @next_used and @next_avail are just
 * these unless some came back out of order. Of those entries the ones in flight keep their
 * order; heads in flight that are not among them are put behind.
 *
 * Context: any; the caller serialises.
 */
void baton_relay_ring_withdraw(struct baton_relay_ring *r, u16 *avail)
{
	u16 next = r->next_used, head, i;

	for (i = r->next_used; i != r->next_avail; i++) {
		head = relay_read16(r->avail + ENTRIES_AT + (i & (r->size - 1)));
		if (head >= r->size || !relay_is_marked(r, head))
			continue;
		r->marks[head / 32] &= ~(1u << head % 32);
		relay_write16(avail + ENTRIES_AT + (next++ & (r->size - 1)), head);
	}
	for (head = 0; next != r->next_avail && head < r->size; head++) {
		if (!relay_is_marked(r, head))
			continue;
		r->marks[head / 32] &= ~(1u << head % 32);
		relay_write16(avail + ENTRIES_AT + (next++ & (r->size - 1)), head);
	}
	r->next_avail = r->next_used;
	r->in_flight = 0;
}
