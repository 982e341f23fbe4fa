/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a user's queues stand: see position.c.
 */
#ifndef BATON_POSITION_H
#define BATON_POSITION_H

#include <linux/types.h>

struct baton_vdpa;

/* How long a reset, or a suspend, waits for a user's requests that are under way, in ms. */
#define BATON_SETTLE_MS 2000

/**
 * struct baton_position - how long resets and suspends have waited for a user's requests
 * @since: jiffies when a minute of it began
 * @spent: how many of them were waited since
 */
struct baton_position {
	unsigned long since;
	unsigned long spent;
};

void baton_position_init(struct baton_vdpa *bv);
u16 baton_position_settle(struct baton_vdpa *bv);
const char *baton_position_withdraw(struct baton_vdpa *bv, u16 *idx);

#endif /* BATON_POSITION_H */
