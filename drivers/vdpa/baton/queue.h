/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues, as their owner described them: see queue.c.
 */
#ifndef BATON_QUEUE_H
#define BATON_QUEUE_H

#include <linux/baton.h>
#include <linux/spinlock.h>
#include <linux/vdpa.h>

#include "bypass.h"

struct baton_relay;
struct baton_vdpa;

/**
 * struct baton_queue - one queue, as its owner described it
 * @cfg: what goes to the hardware when the queue is enabled; its vector is changed
 *	 under &baton_vdpa.affinity_lock as well
 * @ready: the owner wants it to run; also read without a lock
 * @enabled: the hardware has been told to run it; interrupt handlers read it without a lock,
 *	     and @cfg.vector only after that
 * @ran: it has run since @state was set, so that @state does not say where it stands
 * @live: doorbells reach the hardware: enabled, and DRIVER_OK was taken (virtio
 *	  1.2, 3.1.1: none before). Kicks read it without a lock
 * @early: a doorbell was rung while not @live, and is owed to the hardware; kicks set
 *	   it without a lock: see baton_queue_may_kick()
 * @early_data: the data of that doorbell
 * @relayed: the hardware works on rings of ours; see relay.c, and heal.c for its end. Kicks
 *	     and interrupt handlers read it without a lock, and @relay only after that
 * @relay: what is relayed; stays until the device goes
 * @own_irq: its interrupt number if it has a vector of its own, else -EINVAL; changed
 *	     under &baton.lock and &baton_vdpa.affinity_lock, so either allows to read it
 * @bypass: that interrupt as it is offered to KVM; &baton_vdpa.affinity_lock guards it
 * @index: its number; constant
 * @max: the largest size that it may have; constant
 * @doorbell: where a user finds it; constant
 * @state: where it is to start, as the owner set it; also read without a lock, for doorbells
 * @affinity: on which CPUs its interrupt should arrive; NULL: on any;
 *	      &baton_vdpa.affinity_lock guards it
 * @kicks: how often its owner rang; counted without a lock, so two at once may count as one
 * @interrupts: how often it interrupted its owner; likewise
 * @cb_lock: guards @cb against the interrupt handler; a leaf
 * @cb: whom to call when the queue interrupts
 *
 * &baton.lock guards all that is not constant, or said to be guarded otherwise.
 */
struct baton_queue {
	struct baton_queue_config cfg;
	bool ready;
	bool enabled;
	bool ran;
	bool live;
	bool early;
	u32 early_data;
	bool relayed;
	struct baton_relay *relay;
	int own_irq;
	struct baton_bypass bypass;
	u16 index;
	u16 max;
	struct baton_doorbell doorbell;
	struct vdpa_vq_state state;
	struct cpumask *affinity;
	u64 kicks;
	u64 interrupts;
	spinlock_t cb_lock;	/* guards cb against the interrupt handler */
	struct vdpa_callback cb;
};

int baton_queue_init(struct baton_vdpa *bv);
void baton_queue_reset(struct baton_vdpa *bv);
void baton_queue_mute(struct baton_vdpa *bv);
int baton_queue_enable(struct baton_vdpa *bv, struct baton_queue *bq);
int baton_queue_enable_ready(struct baton_vdpa *bv);
void baton_queue_hold(struct baton_vdpa *bv);
void baton_queue_ring(const struct baton_vdpa *bv, const struct baton_queue *bq, u32 data);
void baton_queue_start(struct baton_vdpa *bv, struct baton_queue *bq);
void baton_queue_start_enabled(struct baton_vdpa *bv);
void baton_queue_kick(struct baton_vdpa *bv, struct baton_queue *bq);
bool baton_queue_may_kick(struct baton_queue *bq, u32 data);
const char *baton_queue_unusable(const struct baton_vdpa *bv, const struct baton_queue *bq);
u16 baton_queue_max(const struct baton_vdpa *bv, u16 idx);

#endif /* BATON_QUEUE_H */
