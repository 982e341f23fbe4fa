/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts of a user's queues that go to a guest past us.
 */
#ifndef BATON_BYPASS_H
#define BATON_BYPASS_H

#include <linux/irqbypass.h>

struct baton_queue;
struct baton_vdpa;

/**
 * struct baton_bypass - a queue's interrupt, as KVM may find it
 * @producer: what KVM finds
 * @offered: it can
 *
 * &baton_vdpa.affinity_lock guards it.
 */
struct baton_bypass {
	struct irq_bypass_producer producer;
	bool offered;
};

void baton_bypass_offer(struct baton_vdpa *bv, struct baton_queue *bq);
void baton_bypass_withdraw(struct baton_vdpa *bv, struct baton_queue *bq);

#endif /* BATON_BYPASS_H */
