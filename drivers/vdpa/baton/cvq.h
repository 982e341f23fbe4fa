/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hardware's control queue.
 */
#ifndef BATON_CVQ_H
#define BATON_CVQ_H

#include <linux/types.h>

#include "shared.h"

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
 * @parts: what the hardware can reach of it
 * @index: which queue it is, or %BATON_NO_CONTROL; set when features are
 *	   negotiated with the hardware
 * @sent: how many commands the hardware was given since it was set up
 *
 * &baton.lock guards all.
 */
struct baton_cvq {
	struct page *pages;
	struct baton_shared parts[BATON_CVQ_NR_PARTS];
	u16 index;
	u16 sent;
};

int baton_cvq_init(struct baton_vdpa *bv);
void baton_cvq_uninit(struct baton_vdpa *bv);
void baton_cvq_find(struct baton_vdpa *bv);
int baton_cvq_setup(struct baton_vdpa *bv);
int baton_cvq_restore(struct baton_vdpa *bv);
int baton_cvq_send(struct baton_vdpa *bv, const u8 *cmd, size_t len, u8 *reply, size_t reply_len);
void baton_cvq_stop(struct baton_vdpa *bv);

#endif /* BATON_CVQ_H */
