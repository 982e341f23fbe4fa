/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hardware's control queue: see cvq.c.
 */
#ifndef BATON_CVQ_H
#define BATON_CVQ_H

#include <linux/ktime.h>
#include <linux/types.h>

#include "shared.h"
#include "slots.h"

struct baton_vdpa;

/* The memory that the hardware's control queue is made of. */
enum baton_cvq_part {
	BATON_CVQ_RING,		/* descriptors and available ring: read by it */
	BATON_CVQ_ANSWER,	/* used ring and answer: written by it */
	BATON_CVQ_COMMAND,	/* read by it */
	BATON_CVQ_NR_PARTS
};

/**
 * struct baton_cvq - the hardware's control queue
 * @pages: memory for @parts; %NULL if the hardware has no control queue
 * @order: how much
 * @parts: what the hardware can reach of it
 * @index: which queue it is, or %BATON_NO_CONTROL; set when features are
 *	   negotiated with the hardware; also read without the lock, for doorbells
 * @slots: which parts of @parts the commands use, in turn
 * @written: when the last command in each slot was answered, or given up
 * @written_long: likewise, of each long command's memory
 * @slowest: the longest that the hardware took to answer at a time when nobody else
 *	     could have answered in its place (C13); 0: nothing is confirmed yet
 *
 * &baton.lock guards all.
 */
struct baton_cvq {
	struct page *pages;
	unsigned int order;
	struct baton_shared parts[BATON_CVQ_NR_PARTS];
	u16 index;
	struct baton_slots slots;
	ktime_t written[BATON_SLOTS_MAX];
	ktime_t written_long[BATON_SLOTS_NR_LONG];
	ktime_t slowest;
};

int baton_cvq_init(struct baton_vdpa *bv);
void baton_cvq_uninit(struct baton_vdpa *bv);
void baton_cvq_find(struct baton_vdpa *bv);
int baton_cvq_setup(struct baton_vdpa *bv);
int baton_cvq_restore(struct baton_vdpa *bv);
int baton_cvq_send(struct baton_vdpa *bv, const u8 *cmd, size_t len, u8 *reply, size_t reply_len);
void baton_cvq_stop(struct baton_vdpa *bv);

#endif /* BATON_CVQ_H */
