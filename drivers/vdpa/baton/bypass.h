/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue's interrupt, offered to KVM for direct delivery to a guest: see bypass.c.
 */
#ifndef BATON_BYPASS_H
#define BATON_BYPASS_H

#include <linux/irqbypass.h>

struct baton_queue;
struct baton_vdpa;

/**
 * struct baton_bypass - a queue's interrupt, as it is offered to KVM
 * @producer: what is registered with the irqbypass manager
 * @offered: @producer is registered
 *
 * &baton_vdpa.affinity_lock guards both.
 */
struct baton_bypass {
	struct irq_bypass_producer producer;
	bool offered;
};

void baton_bypass_offer(struct baton_vdpa *bv, struct baton_queue *bq);
void baton_bypass_withdraw(struct baton_vdpa *bv, struct baton_queue *bq);

#endif /* BATON_BYPASS_H */
