// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading a split virtqueue (virtio 1.2, 2.7) as the device does.
 *
 * Invariants, since the owner may change the ring at any time and write anything there:
 * each word is copied once and only the copy is looked at; every walk is bounded by a
 * constant; memory is accessed through the caller's window only. An index is read and
 * written in one access, since the driver may look at it meanwhile.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/virtio_ring.h>
#include <asm/barrier.h>

#include "le.h"
#include "ring.h"

struct desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

static int ring_copy(struct baton_ring *r, u64 addr, void *buf, size_t len, bool write)
{
	u8 *bytes = buf;
	void *there;
	size_t n;

	while (len) {
		n = r->window(r->ctx, addr, write, &there);
		if (!n)
			return -EFAULT;
		if (n > len)
			n = len;
		if (write)
			memcpy(there, bytes, n);
		else if (r->read(bytes, there, n))
			return -EFAULT;
		if (addr + n < addr && n < len)
			return -EFAULT;
		bytes += n;
		addr += n;
		len -= n;
	}

	return 0;
}

static int ring_read_desc(struct baton_ring *r, u64 addr, struct desc *d)
{
	u8 bytes[16];
	int err;

	err = ring_copy(r, addr, bytes, sizeof(bytes), false);
	if (err)
		return err;
	d->addr = baton_le_get(bytes, 8);
	d->len = baton_le_get(bytes + 8, 4);
	d->flags = baton_le_get(bytes + 12, 2);
	d->next = baton_le_get(bytes + 14, 2);

	return 0;
}

static int ring_read_u16(struct baton_ring *r, u64 addr, u16 *value)
{
	void *there;
	u16 raw;

	if (r->window(r->ctx, addr, false, &there) < sizeof(raw))
		return -EFAULT;
	raw = READ_ONCE(*(const u16 *)there);
	*value = baton_le_get((const u8 *)&raw, sizeof(raw));

	return 0;
}

static int ring_write_u16(struct baton_ring *r, u64 addr, u16 value)
{
	void *there;
	u16 raw;

	if (r->window(r->ctx, addr, true, &there) < sizeof(raw))
		return -EFAULT;
	baton_le_put((u8 *)&raw, value, sizeof(raw));
	WRITE_ONCE(*(u16 *)there, raw);

	return 0;
}

/* One buffer of the chain: requests come first, answers last (2.7.4.2). */
static int chain_take_buffer(struct baton_ring *r, struct baton_chain *c, const struct desc *d,
			     void *buf, size_t size)
{
	if (d->flags & VRING_DESC_F_WRITE) {
		if (c->nr_reply == BATON_CHAIN_REPLY_MAX)
			return -EINVAL;
		c->reply[c->nr_reply].addr = d->addr;
		c->reply[c->nr_reply].len = d->len;
		c->nr_reply++;
		return 0;
	}

	if (c->nr_reply || d->len > size - c->len)
		return -EINVAL;
	if (ring_copy(r, d->addr, (u8 *)buf + c->len, d->len, false))
		return -EINVAL;
	c->len += d->len;

	return 0;
}

static int chain_walk(struct baton_ring *r, struct baton_chain *c, void *buf, size_t size)
{
	u64 table = r->desc;
	u32 entries = r->size;
	u32 at = c->head;
	bool indirect = false;
	unsigned int n;
	struct desc d;
	int err = 0;

	for (n = 0; n < BATON_CHAIN_MAX; n++) {
		if (at >= entries || ring_read_desc(r, table + 16ULL * at, &d))
			return -EINVAL;

		if (d.flags & VRING_DESC_F_INDIRECT) {
			/* 2.7.5.3.1: no table in a table, and it ends the chain. */
			if (indirect || d.flags & VRING_DESC_F_NEXT || !d.len || d.len % 16)
				return -EINVAL;
			indirect = true;
			table = d.addr;
			entries = d.len / 16;
			at = 0;
			continue;
		}

		/* The walk goes on after an error, to find where the answer goes. */
		if (chain_take_buffer(r, c, &d, buf, size))
			err = -EINVAL;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return err;
		at = d.next;
	}

	return -EINVAL;
}

/**
 * baton_ring_get() - take the next request
 * @r: the ring
 * @c: filled in with what is needed to answer
 * @buf: where to copy the request to
 * @size: of @buf
 *
 * Context: as @r->window and @r->read; the caller serialises.
 * Return: 1 if there was one; 0 if not; -EINVAL if there was one that makes no
 * sense: it has been taken, and has to be answered, where it has room for an
 * answer; -EPROTO if the ring itself makes no sense, and cannot be used any
 * more.
 */
int baton_ring_get(struct baton_ring *r, struct baton_chain *c, void *buf, size_t size)
{
	u16 avail, head;

	memset(c, 0, sizeof(*c));
	if (ring_read_u16(r, r->avail + 2, &avail))
		return -EPROTO;
	if (avail == r->next_avail)
		return 0;
	if ((u16)(avail - r->next_avail) > r->size)
		return -EPROTO;
	/* The entry must not be older than the index that announced it. */
	smp_rmb();
	if (ring_read_u16(r, r->avail + 4 + 2ULL * (r->next_avail % r->size), &head))
		return -EPROTO;
	if (head >= r->size)
		return -EPROTO;

	r->next_avail++;
	c->head = head;

	return chain_walk(r, c, buf, size) ?: 1;
}

/**
 * baton_ring_put() - answer a request
 * @r: the ring
 * @c: the request
 * @reply: the answer
 * @len: how long it is; what does not fit is left out
 *
 * Context: as @r->window; the caller serialises.
 * Return: 0, or -EPROTO if the answer, or the used ring, lies where nothing is
 * mapped.
 */
int baton_ring_put(struct baton_ring *r, const struct baton_chain *c, const void *reply,
		   size_t len)
{
	const u8 *bytes = reply;
	size_t written = 0, n;
	u8 elem[8];
	unsigned int i;

	for (i = 0; i < c->nr_reply && written < len; i++) {
		n = len - written;
		if (n > c->reply[i].len)
			n = c->reply[i].len;
		if (ring_copy(r, c->reply[i].addr, (void *)(bytes + written), n, true))
			return -EPROTO;
		written += n;
	}

	baton_le_put(elem, c->head, 4);
	baton_le_put(elem + 4, written, 4);
	if (ring_copy(r, r->used + 4 + 8ULL * (r->next_used % r->size), elem, sizeof(elem), true))
		return -EPROTO;
	/* 2.7.8.2: the entry before the index that announces it. */
	smp_wmb();
	r->next_used++;

	return ring_write_u16(r, r->used + 2, r->next_used) ? -EPROTO : 0;
}

/**
 * baton_ring_rearm() - ask to be notified of the next request
 * @r: the ring
 *
 * The caller has to look once more afterwards: a request may have come in between.
 * Without EVENT_IDX nothing is done: notifications are never switched off.
 *
 * Context: as @r->window; the caller serialises.
 * Return: 0, or -EPROTO if the used ring lies where nothing is mapped.
 */
int baton_ring_rearm(struct baton_ring *r)
{
	if (!r->event_idx)
		return 0;
	if (ring_write_u16(r, r->used + 4 + 8ULL * r->size, r->next_avail))
		return -EPROTO;
	/* The event index is written before the caller looks again (virtio 1.2, 2.7.10). */
	smp_mb();

	return 0;
}
