/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues, as their owner described them.
 */
#ifndef BATON_QUEUE_H
#define BATON_QUEUE_H

#include <linux/baton.h>
#include <linux/spinlock.h>
#include <linux/vdpa.h>

#include "bypass.h"

struct baton_relay;
struct baton_vdpa;

/* How long a reset, or a suspend, waits for requests that are under way. */
#define BATON_SETTLE_MS 2000

/**
 * struct baton_queue - one queue, as its owner described it
 * @cfg: what goes to the hardware when the queue is enabled
 * @ready: the owner wants it to run
 * @enabled: the hardware has been told to run it
 * @ran: it has, and @state does not say how far
 * @live: doorbells reach the hardware: enabled, and DRIVER_OK was taken (virtio
 *	  1.2, 3.1.1: none before)
 * @early: a doorbell was rung before that, and is owed to the hardware
 * @early_data: what it said
 * @relayed: the hardware works on rings of ours; see relay.c
 * @relay: what is relayed; stays until the device goes
 * @own_irq: its interrupt number if it has a vector of its own, else -EINVAL
 * @bypass: how KVM finds that
 * @index: its number
 * @max: the largest size that it may have
 * @doorbell: where a user finds it; a constant, as @max
 * @state: its initial state, as the owner set it
 * @affinity: on which CPUs its interrupt should arrive; NULL: on any
 * @kicks: how often its owner rang
 * @interrupts: how often it interrupted its owner
 * @cb_lock: guards @cb against the interrupt handler
 * @cb: whom to call when the queue interrupts
 *
 * @cfg, @index and @state belong to the consumer's set-up path, which does not
 * run concurrently with itself; &baton.lock guards the rest against interrupts
 * being set up and torn down. @ready, @enabled, @live and @relayed are read without a lock
 * by kicks, which leave @early behind and count themselves without one: two at
 * once may count as one.
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
u16 baton_queue_settle(struct baton_vdpa *bv);
const char *baton_queue_withdraw(struct baton_vdpa *bv, u16 *idx);
void baton_queue_start(struct baton_vdpa *bv, struct baton_queue *bq);
void baton_queue_start_enabled(struct baton_vdpa *bv);
void baton_queue_kick(struct baton_vdpa *bv, struct baton_queue *bq);
bool baton_queue_may_kick(struct baton_queue *bq, u32 data);
const char *baton_queue_unusable(const struct baton_vdpa *bv, const struct baton_queue *bq);
u16 baton_queue_max(const struct baton_vdpa *bv, u16 idx);

#endif /* BATON_QUEUE_H */
