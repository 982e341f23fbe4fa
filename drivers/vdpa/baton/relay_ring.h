/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The relay's arithmetic: from somebody else's split virtqueue, at any position, to
 * one of ours that begins at 0, and back. Pure C, as owner.h is.
 *
 * The caller serialises all calls for one ring: in the core &baton_relay.lock does.
 */
#ifndef BATON_RELAY_RING_H
#define BATON_RELAY_RING_H

#include <linux/types.h>

/* How many words of 32 bits it takes to mark the heads of a ring. */
#define BATON_RELAY_WORDS(size)	(((size) + 31u) / 32)

/**
 * struct baton_relay_ring - two split virtqueues with one descriptor table
 * @avail: available ring of the owner: flags, index, heads, used_event
 * @used: used ring of the owner, from its flags on
 * @hw_avail: the same two of the hardware's, in memory of ours
 * @hw_used: likewise
 * @marks: a bit for each head that the hardware has been given and has not returned
 * @size: number of entries of all four, a power of two
 * @event_idx: VIRTIO_RING_F_EVENT_IDX was negotiated
 * @to_wrap: forward up to where @next_avail wraps to 0, and nothing from there on
 * @next_avail: index of the next entry of @avail to look at
 * @next_used: index of the next entry of @used to write
 * @hw_next_avail: index of the next entry of @hw_avail to write
 * @hw_next_used: index of the next entry of @hw_used to look at
 * @in_flight: how many bits of @marks are set
 *
 * The owner may change @avail, and the device @hw_used, at any time: each word is read
 * once, and only the copy is looked at. @used and @hw_avail are only written.
 */
struct baton_relay_ring {
	const u16 *avail;
	void *used;
	u16 *hw_avail;
	const void *hw_used;
	u32 *marks;
	u16 size;
	bool event_idx;
	bool to_wrap;
	u16 next_avail;
	u16 next_used;
	u16 hw_next_avail;
	u16 hw_next_used;
	u16 in_flight;
};

void baton_relay_ring_init(struct baton_relay_ring *r, u16 position);
int baton_relay_ring_forward(struct baton_relay_ring *r, bool *kick);
int baton_relay_ring_return(struct baton_relay_ring *r, bool *signal);
void baton_relay_ring_withdraw(struct baton_relay_ring *r, u16 *avail);

#endif /* BATON_RELAY_RING_H */
