/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts: see irq.c.
 */
#ifndef BATON_IRQ_H
#define BATON_IRQ_H

#include <linux/types.h>

struct baton_queue;
struct baton_vdpa;

/**
 * struct baton_vector - one interrupt vector
 * @bv: the vDPA device
 * @index: which vector; 0 is that of the configuration
 * @irq: Linux interrupt number
 * @requested: request_irq() was called for @irq, and free_irq() was not
 * @heard: it is enabled, since somebody wants to be told
 * @name: as in /proc/interrupts
 *
 * &baton_vdpa.affinity_lock guards @requested and @heard. The rest is set before the interrupt
 * is requested, and constant.
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
