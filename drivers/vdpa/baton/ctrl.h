/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The owner's control queue: see ctrl.c.
 */
#ifndef BATON_CTRL_H
#define BATON_CTRL_H

#include <linux/types.h>
#include <linux/workqueue.h>

#include "ring.h"

struct baton_vdpa;

/* In place of the index of a control queue: there is none. */
#define BATON_NO_CONTROL	0xffff

/**
 * struct baton_ctrl - the control queue of a network function's owner
 * @index: which queue it is, or %BATON_NO_CONTROL. It depends on the features
 *	   that the owner took, so it changes when the owner acknowledges others
 *	   (not after FEATURES_OK) and with reset. Written under &baton.lock;
 *	   kicks, and the operations that say how a queue is grouped, mapped and
 *	   sized, read it without: what they answer holds until the consumer,
 *	   who calls them, acknowledges other features. An answer that is used
 *	   for longer (the address of a doorbell, C12) must not depend on it.
 * @work: serves the queue; a kick queues it
 * @ring: the owner's; its size is 0 until it is first served
 * @command: a copy of the command that is being judged, in memory that neither the owner
 *	     nor the hardware can reach
 * @since: jiffies when @spent was 0
 * @spent: commands that were served since, and are paid for by a pause
 * @received: how many were taken from owners
 * @completed: how many of them were carried out
 * @refused: how many were not, by us or by the hardware
 *
 * &baton.lock guards all, and @index against other writers.
 */
struct baton_ctrl {
	u16 index;
	struct delayed_work work;
	struct baton_ring ring;
	u8 *command;
	unsigned long since;
	unsigned int spent;
	u64 received;
	u64 completed;
	u64 refused;
};

int baton_ctrl_init(struct baton_vdpa *bv);
void baton_ctrl_uninit(struct baton_vdpa *bv);
void baton_ctrl_find(struct baton_vdpa *bv, u64 features);
void baton_ctrl_stop(struct baton_vdpa *bv);
void baton_ctrl_kick(struct baton_vdpa *bv);

#endif /* BATON_CTRL_H */
