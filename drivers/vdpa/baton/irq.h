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
 * @requested: it is ours
 * @heard: it is not masked: somebody wants to be told
 * @name: as in /proc/interrupts
 */
struct baton_vector {
	struct baton_vdpa *bv;
	unsigned int index;
	int irq;
	bool requested;
	bool heard;
	char name[48];
};

int baton_irq_request(struct baton_vdpa *bv);
void baton_irq_sync(struct baton_vdpa *bv);
void baton_irq_free(struct baton_vdpa *bv);
void baton_irq_config(struct baton_vdpa *bv);
void baton_irq_queue(struct baton_queue *bq);
void baton_irq_listen(struct baton_vdpa *bv, struct baton_queue *bq);
unsigned long baton_irq_count(const struct baton_vdpa *bv);

#endif /* BATON_IRQ_H */
