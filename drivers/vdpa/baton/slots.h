/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where each command lies in the hardware's control queue. Pure C, as owner.h is.
 *
 * The caller serialises all calls for one of these: in the core &baton.lock does.
 */
#ifndef BATON_SLOTS_H
#define BATON_SLOTS_H

#include <linux/types.h>

/* Each command takes two descriptors: what the device reads, and what it writes. */
#define BATON_SLOTS_RING_MAX	64
#define BATON_SLOTS_RING_MIN	2
#define BATON_SLOTS_MAX		(BATON_SLOTS_RING_MAX / 2)

/* Commands are short but for tables; of the long ones few are needed in turn. */
#define BATON_SLOTS_SHORT	64
#define BATON_SLOTS_LONG	8192
#define BATON_SLOTS_NR_LONG	2

/* The longest answer: one byte, and coalescing parameters. */
#define BATON_SLOTS_ANSWER	16

/* What all commands take together: first the short ones, then the long ones. */
#define BATON_SLOTS_COMMANDS	(BATON_SLOTS_MAX * BATON_SLOTS_SHORT + \
				 BATON_SLOTS_NR_LONG * BATON_SLOTS_LONG)

/**
 * struct baton_slots - the hardware's control queue, as a row of slots
 * @size: entries of the ring, a power of two
 * @sent: how many commands were given to the hardware since it was set up
 * @sent_long: how many of them were long
 */
struct baton_slots {
	u16 size;
	u16 sent;
	u16 sent_long;
};

/**
 * struct baton_slot - what one command uses, and nobody else while it is under way
 * @nth: which slot; below %BATON_SLOTS_MAX
 * @nth_long: which of the long commands' memories, or -1
 * @desc: the first of its two descriptors; in the order of the ring, as IN_ORDER
 *	  demands (virtio 1.2, 2.7.5)
 * @avail: its entry in the available ring, and in the used ring
 * @command: where the command is, in bytes from the first
 * @answer: where the answer goes, likewise
 */
struct baton_slot {
	unsigned int nth;
	int nth_long;
	u16 desc;
	u16 avail;
	unsigned int command;
	unsigned int answer;
};

void baton_slots_init(struct baton_slots *s, u16 queue_max);
struct baton_slot baton_slots_next(const struct baton_slots *s, size_t len);
void baton_slots_sent(struct baton_slots *s, const struct baton_slot *slot);
int baton_slots_answered(const struct baton_slots *s, u16 used_idx);

#endif /* BATON_SLOTS_H */
