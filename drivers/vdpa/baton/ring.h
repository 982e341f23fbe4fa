/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device's side of a split virtqueue, for a ring that belongs to somebody
 * who is not trusted. Pure C: the fuzzer runs the same file.
 *
 * The caller serialises all calls for one ring: in the core &baton.lock does.
 */
#ifndef BATON_RING_H
#define BATON_RING_H

#include <linux/types.h>

/* Bounds of one request's descriptors, and of those for its answer; longer ones are refused. */
#define BATON_CHAIN_MAX		32
#define BATON_CHAIN_REPLY_MAX	8

/**
 * struct baton_ring - a split virtqueue of somebody else's
 * @desc: address of the descriptor table; this and the next two are aligned as
 *	  virtio demands
 * @avail: address of the available ring
 * @used: address of the used ring
 * @size: number of entries, a power of two
 * @event_idx: VIRTIO_RING_F_EVENT_IDX was negotiated
 * @next_avail: index of the next entry of the available ring to look at
 * @next_used: index of the next entry of the used ring to write
 * @window: how many bytes from @addr on can be accessed, for reading or (@write)
 *	    writing, and where: 0 if none, because nothing is mapped there;
 *	    no window ends, and no two meet, in the middle of an index
 * @read: copy from such a window, as memcpy() does; anything but 0 if the memory has
 *	  gone bad. Indices, two bytes each, are read without it, in one access.
 * @ctx: handed to @window
 */
struct baton_ring {
	u64 desc;
	u64 avail;
	u64 used;
	u16 size;
	bool event_idx;
	u16 next_avail;
	u16 next_used;
	size_t (*window)(void *ctx, u64 addr, bool write, void **bytes);
	unsigned long (*read)(void *to, const void *from, size_t len);
	void *ctx;
};

/**
 * struct baton_chain - a request that was taken from the ring
 * @head: its first descriptor
 * @len: how many bytes the other side gave to be read
 * @nr_reply: how many entries @reply has
 * @reply: where the answer goes
 */
struct baton_chain {
	u16 head;
	size_t len;
	unsigned int nr_reply;
	struct {
		u64 addr;
		u32 len;
	} reply[BATON_CHAIN_REPLY_MAX];
};

int baton_ring_get(struct baton_ring *r, struct baton_chain *c, void *buf, size_t size);
int baton_ring_put(struct baton_ring *r, const struct baton_chain *c, const void *reply,
		   size_t len);
int baton_ring_rearm(struct baton_ring *r);

#endif /* BATON_RING_H */
