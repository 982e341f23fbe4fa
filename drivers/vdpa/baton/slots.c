// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where each command lies in the hardware's control queue.
 *
 * Invariant: no two of the last commands share descriptors, memory or room for the answer.
 * Slots are used in turn, in the order of the ring, so that it takes a whole round before
 * anything is written again. That is so although commands are sent one at a time: a user
 * can forge the answer to one (C7.1), and the next is then sent while the hardware may
 * still have to read the first.
 */
#include <linux/errno.h>
#include <linux/types.h>

#include "slots.h"

/**
 * baton_slots_init() - no command was sent yet
 * @s: the slots
 * @queue_max: the largest ring that the hardware can do, at least
 *	       %BATON_SLOTS_RING_MIN
 *
 * Context: any; the caller serialises.
 */
void baton_slots_init(struct baton_slots *s, u16 queue_max)
{
	*s = (struct baton_slots) { .size = BATON_SLOTS_RING_MAX };
	while (s->size > queue_max && s->size > BATON_SLOTS_RING_MIN)
		s->size /= 2;
}

/**
 * baton_slots_next() - the slot of the next command
 * @s: the slots
 * @len: how long the command is, at most %BATON_SLOTS_LONG
 *
 * Context: any; the caller serialises.
 * Return: the slot.
 */
struct baton_slot baton_slots_next(const struct baton_slots *s, size_t len)
{
	struct baton_slot slot = {
		.nth = s->sent % (s->size / 2),
		.nth_long = -1,
		.avail = s->sent % s->size,
	};

	slot.desc = 2 * slot.nth;
	slot.answer = slot.nth * BATON_SLOTS_ANSWER;
	slot.command = slot.nth * BATON_SLOTS_SHORT;
	if (len > BATON_SLOTS_SHORT) {
		slot.nth_long = s->sent_long % BATON_SLOTS_NR_LONG;
		slot.command = BATON_SLOTS_MAX * BATON_SLOTS_SHORT +
			       slot.nth_long * BATON_SLOTS_LONG;
	}

	return slot;
}

/**
 * baton_slots_sent() - the command is under way
 * @s: the slots
 * @slot: its slot
 *
 * Context: any; the caller serialises.
 */
void baton_slots_sent(struct baton_slots *s, const struct baton_slot *slot)
{
	s->sent++;
	if (slot->nth_long >= 0)
		s->sent_long++;
}

/**
 * baton_slots_answered() - has the last command been answered?
 * @s: the slots
 * @used_idx: the index of the used ring, as the hardware, or its owner, wrote it
 *
 * Context: any; the caller serialises.
 * Return: 1 if so, 0 if not yet, -EPROTO if the index makes no sense.
 */
int baton_slots_answered(const struct baton_slots *s, u16 used_idx)
{
	if (used_idx == s->sent)
		return 1;
	return used_idx == (u16)(s->sent - 1) ? 0 : -EPROTO;
}
