/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts.
 */
#ifndef BATON_IRQ_H
#define BATON_IRQ_H

#include <linux/types.h>

struct baton_queue;
struct baton_vdpa;

/**
 * struct baton_vector - one interrupt vector
 * @bv: whose
 * @index: which
 * @irq: Linux interrupt number
 * @name: as in /proc/interrupts
 */
struct baton_vector {
	struct baton_vdpa *bv;
	unsigned int index;
	int irq;
	char name[48];
};

int baton_irq_request(struct baton_vdpa *bv);
void baton_irq_free(struct baton_vdpa *bv);
void baton_irq_config(struct baton_vdpa *bv);
void baton_irq_queue(struct baton_queue *bq);

#endif /* BATON_IRQ_H */
