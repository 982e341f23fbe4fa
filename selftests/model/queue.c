// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split and packed rings (virtio 1.3, 2.7 and 2.8), each access by a DMA of its own.
 *
 * IN_ORDER is read strictly: chains follow each other in the descriptor table, and
 * what the available ring says is not looked at.
 */
#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "queue.h"
#include "regs.h"

#define P_AVAIL 0x0080
#define P_USED 0x8000
#define P_EVENT_DISABLE 1

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next; /* packed: id, flags */
};

static bool queue_packed(const struct model *m)
{
	return has_feature(m, F_RING_PACKED);
}

/* Not until reset. The driver's fault, or that of who took our memory away. */
static void queue_break(struct model *m, struct queue *q, const char *why, int err)
{
	if (m->reset_due || q->broken)
		return;
	q->broken = true;
	model_log(m, "queue %u broken: %s (%d)", q->index, why, err);
	if (err != -ENODEV && err != -EPERM && err != -EFAULT)
		regs_needs_reset(m);
}

static bool queue_load(struct model *m, struct queue *q, u64 addr, void *data, size_t len)
{
	int err = model_read(m, addr, data, len);

	if (err)
		queue_break(m, q, "cannot read", err);
	return !err;
}

static bool queue_store(struct model *m, struct queue *q, u64 addr, const void *data, size_t len)
{
	int err = model_write(m, addr, data, len);

	if (err)
		queue_break(m, q, "cannot write", err);
	return !err;
}

static bool queue_nonsense(struct model *m, struct queue *q, const char *what)
{
	queue_break(m, q, what, -EINVAL);
	return false;
}

static void queue_remember(struct queue *q, u64 addr, u32 len)
{
	q->seen[q->nr_seen++ % SEEN_MAX] = (struct buffer){ .addr = addr, .len = len };
}

static bool queue_add(struct model *m, struct queue *q, struct chain *c, const struct desc *d,
		      bool write)
{
	if (c->nr == PART_MAX)
		return queue_nonsense(m, q, "chain too long");
	if (c->nr && c->part[c->nr - 1].write && !write)
		return queue_nonsense(m, q, "to be read after to be written");
	c->part[c->nr++] = (struct buffer){ .addr = d->addr, .len = d->len, .write = write };
	if (write)
		queue_remember(q, d->addr, d->len);
	return true;
}

/* A table of descriptors elsewhere. */
static bool queue_indirect(struct model *m, struct queue *q, struct chain *c, const struct desc *at)
{
	struct desc table[PART_MAX];
	u32 nr = at->len / sizeof(*table), i = 0;

	if (!nr || nr > PART_MAX || at->len % sizeof(*table))
		return queue_nonsense(m, q, "size of an indirect table");
	if (!queue_load(m, q, at->addr, table, at->len))
		return false;
	for (u32 n = 0; n < nr; n++) {
		const struct desc *d = &table[i];
		/* packed: flags where next is, and all of it is the chain */
		u16 flags = queue_packed(m) ? d->next : d->flags;

		if (!queue_add(m, q, c, d, flags & VRING_DESC_F_WRITE))
			return false;
		if (!queue_packed(m) && !(flags & VRING_DESC_F_NEXT))
			return true;
		i = queue_packed(m) ? i + 1 : d->next;
		if (i >= nr)
			return queue_packed(m) || queue_nonsense(m, q, "next of an indirect table");
	}
	return queue_nonsense(m, q, "loop in an indirect table");
}

static bool queue_walk_split(struct model *m, struct queue *q, struct chain *c)
{
	u16 i = c->head;
	struct desc d;

	for (c->entries = 1; c->entries <= q->size; c->entries++) {
		if (!queue_load(m, q, q->desc + sizeof(d) * i, &d, sizeof(d)))
			return false;
		if (d.flags & VRING_DESC_F_INDIRECT)
			return queue_indirect(m, q, c, &d);
		if (!queue_add(m, q, c, &d, d.flags & VRING_DESC_F_WRITE))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return true;
		if (has_feature(m, F_IN_ORDER) && d.next != (i + 1) % q->size)
			return queue_nonsense(m, q, "not in order");
		i = d.next;
		if (i >= q->size)
			return queue_nonsense(m, q, "next beyond the table");
	}
	return queue_nonsense(m, q, "loop");
}

/* How far the driver is; where nothing is left to do, and it wants to know, from where on it has to
 * kick. */
static bool queue_index(struct model *m, struct queue *q, u16 *idx)
{
	if (!queue_load(m, q, q->avail + 2, idx, sizeof(*idx)))
		return false;
	if (*idx != q->next_avail || !has_feature(m, F_EVENT_IDX))
		return true;
	return queue_store(m, q, q->used + 4 + 8 * (u64)q->size, &q->next_avail, 2) &&
	       queue_load(m, q, q->avail + 2, idx, sizeof(*idx));
}

static int queue_get_split(struct model *m, struct queue *q, struct chain *c)
{
	u16 idx;

	if (!queue_index(m, q, &idx) || idx == q->next_avail)
		return 0;
	if ((u16)(idx - q->next_avail) > q->size)
		return queue_nonsense(m, q, "available index");
	if (has_feature(m, F_IN_ORDER))
		c->head = q->next_desc;
	else if (!queue_load(m, q, q->avail + 4 + 2 * (q->next_avail % q->size), &c->head, 2))
		return 0;
	if (c->head >= q->size)
		return queue_nonsense(m, q, "head beyond the table");
	if (!queue_walk_split(m, q, c))
		return 0;
	q->next_avail++;
	q->next_desc = (q->next_desc + c->entries) % q->size;
	return 1;
}

static int queue_get_packed(struct model *m, struct queue *q, struct chain *c)
{
	u16 at = q->next_avail;
	bool wrap = q->avail_wrap;
	struct desc d;

	for (c->entries = 1; c->entries <= q->size; c->entries++) {
		if (!queue_load(m, q, q->desc + sizeof(d) * at, &d, sizeof(d)))
			return 0;
		/* only the first says whether the chain is there; it is whole then */
		if (c->entries == 1 &&
		    (!!(d.next & P_AVAIL) != wrap || !!(d.next & P_USED) == wrap))
			return 0;
		c->head = d.flags;
		if (++at == q->size) {
			at = 0;
			wrap = !wrap;
		}
		if (d.next & VRING_DESC_F_INDIRECT) {
			if (!queue_indirect(m, q, c, &d))
				return 0;
			break;
		}
		if (!queue_add(m, q, c, &d, d.next & VRING_DESC_F_WRITE))
			return 0;
		if (!(d.next & VRING_DESC_F_NEXT))
			break;
	}
	if (c->entries > q->size)
		return queue_nonsense(m, q, "loop");
	q->next_avail = at;
	q->avail_wrap = wrap;
	return 1;
}

int queue_get(struct model *m, struct queue *q, struct chain *c)
{
	if (!q->enabled || q->broken || !regs_running(m) ||
	    (m->set.deaf && m->set.wrong_queue == q->index))
		return 0;
	c->nr = 0;
	c->entries = 0;
	return queue_packed(m) ? queue_get_packed(m, q, c) : queue_get_split(m, q, c);
}

void queue_unget(const struct model *m, struct queue *q, const struct chain *c)
{
	if (!queue_packed(m)) {
		q->next_avail--;
		q->next_desc = (q->next_desc + q->size - c->entries) % q->size;
		return;
	}
	if (q->next_avail < c->entries) {
		q->next_avail += q->size;
		q->avail_wrap = !q->avail_wrap;
	}
	q->next_avail -= c->entries;
}

static void queue_put_packed(struct model *m, struct queue *q, const struct chain *c, u32 id,
			     u32 written)
{
	u16 bits = q->used_wrap ? P_AVAIL | P_USED : 0;
	struct desc d = { .len = written,
			  .flags = id,
			  .next = bits | (written ? VRING_DESC_F_WRITE : 0) };
	u64 at = q->desc + sizeof(d) * q->next_used;

	if (!queue_store(m, q, at + offsetof(struct desc, len), &d.len, 6) ||
	    !queue_store(m, q, at + offsetof(struct desc, next), &d.next, 2))
		return;
	q->next_used += c->entries;
	if (q->next_used >= q->size) {
		q->next_used -= q->size;
		q->used_wrap = !q->used_wrap;
	}
}

static void queue_put_split(struct model *m, struct queue *q, u32 id, u32 written, u16 jump)
{
	const u32 element[2] = { id, written };

	if (!queue_store(m, q, q->used + 4 + 8 * (q->next_used % q->size), element, 8))
		return;
	q->next_used++;
	jump += q->next_used;
	queue_store(m, q, q->used + 2, &jump, 2);
}

void queue_put(struct model *m, struct queue *q, const struct chain *c, u32 written)
{
	bool wrong = m->set.wrong_queue == q->index;
	u32 id = c->head + (wrong ? m->set.wrong_id : 0);

	if (queue_packed(m)) {
		queue_put_packed(m, q, c, id, written);
		return;
	}
	queue_put_split(m, q, id, written, wrong ? m->set.jump : 0);
	for (u64 n = 0; wrong && n < m->set.twice; n++)
		queue_put_split(m, q, id, written, m->set.jump);
}

/* Whether the driver wants to hear of what has been used since it was asked the last time. */
static bool queue_wants(struct model *m, struct queue *q)
{
	u16 told = q->told, event[2];

	q->told = q->next_used;
	if (queue_packed(m))
		/* a position that it names counts as reached: one too many does no harm */
		return queue_load(m, q, q->avail, event, 4) && event[1] != P_EVENT_DISABLE;
	if (!has_feature(m, F_EVENT_IDX))
		return queue_load(m, q, q->avail, event, 2) &&
		       !(event[0] & VRING_AVAIL_F_NO_INTERRUPT);
	return queue_load(m, q, q->avail + 4 + 2 * (u64)q->size, event, 2) &&
	       (u16)(q->next_used - event[0] - 1) < (u16)(q->next_used - told);
}

void queue_tell(struct model *m, struct queue *q)
{
	if (!m->set.silent && !m->reset_due && !q->broken && q->vector != NO_VECTOR &&
	    queue_wants(m, q) && !m->reset_due)
		regs_queue_irq(m, q);
}

size_t queue_room(const struct chain *c, bool write)
{
	size_t room = 0;

	for (unsigned int i = 0; i < c->nr; i++)
		if (c->part[i].write == write)
			room += c->part[i].len;
	return room;
}

static size_t queue_copy(struct model *m, struct queue *q, const struct chain *c, bool write,
			 size_t offset, u8 *data, size_t len)
{
	size_t done = 0, n;

	for (unsigned int i = 0; i < c->nr && done < len; i++) {
		const struct buffer *b = &c->part[i];

		if (b->write != write)
			continue;
		if (offset >= b->len) {
			offset -= b->len;
			continue;
		}
		n = b->len - offset;
		if (n > len - done)
			n = len - done;
		if (write ? !queue_store(m, q, b->addr + offset, data + done, n)
			  : !queue_load(m, q, b->addr + offset, data + done, n))
			return done;
		done += n;
		offset = 0;
	}
	return done;
}

size_t queue_write(struct model *m, struct queue *q, const struct chain *c, size_t offset,
		   const void *data, size_t len)
{
	return queue_copy(m, q, c, true, offset, (u8 *)data, len);
}

size_t queue_read(struct model *m, struct queue *q, const struct chain *c, size_t offset,
		  void *data, size_t len)
{
	return queue_copy(m, q, c, false, offset, data, len);
}
