/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The relay: queues of a user that do not begin at 0. See relay.c.
 */
#ifndef BATON_RELAY_H
#define BATON_RELAY_H

#include <linux/baton.h>
#include <linux/irq_work.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include "area.h"
#include "relay_ring.h"

struct baton;
struct baton_queue;
struct baton_vdpa;

/**
 * enum baton_relay_policy - which queues of users are relayed
 * @BATON_RELAY_AUTO: those that do not begin at 0
 * @BATON_RELAY_ALWAYS: all
 * @BATON_RELAY_NEVER: none; one that does not begin at 0 is refused
 */
enum baton_relay_policy {
	BATON_RELAY_AUTO,
	BATON_RELAY_ALWAYS,
	BATON_RELAY_NEVER,
};

/**
 * struct baton_relay_shared - a ring of ours, as the hardware sees it
 * @mem: where we see it; from vmalloc()
 * @iova: where the hardware sees it, in the window of the user's domain
 * @size: in whole pages of the IOMMU's
 * @mapped: how much of it the hardware can reach
 */
struct baton_relay_shared {
	void *mem;
	u64 iova;
	size_t size;
	size_t mapped;
};

/**
 * struct baton_relay - what is relayed of one queue
 * @bv: the vDPA device
 * @bq: the queue
 * @avail: the owner's available ring, read; &baton.lock guards it and the next three
 * @used: its used ring, written
 * @hw_avail: the hardware's available ring, which it can read only
 * @hw_used: its used ring, which it can write
 * @lock: guards the next five against kicks and interrupts; taken in interrupts, and below
 *	  &baton.lock; nothing is taken below it
 * @ring: the arithmetic; its pointers are valid while @running
 * @marks: for @ring; allocated from baton_relay_setup() to the drain
 * @running: all four rings may be accessed. Set, and cleared but for a failure, with &baton.lock
 *	     held as well: while it is false, that lock alone guards the other three
 * @failed: what was wrong when a ring stopped making sense; %NULL: nothing
 * @heals: at the next wrap the queue may go back to the owner's own rings: see heal.c
 * @signal: calls the owner's callback in a context of its own
 * @fail: work item that tells the owner to reset
 * @heal: work item that does what @heals says
 */
struct baton_relay {
	struct baton_vdpa *bv;
	struct baton_queue *bq;
	struct baton_area avail;
	struct baton_area used;
	struct baton_relay_shared hw_avail;
	struct baton_relay_shared hw_used;
	spinlock_t lock;	/* guards the next five; see above */
	struct baton_relay_ring ring;
	u32 *marks;
	bool running;
	const char *failed;
	bool heals;
	struct irq_work signal;
	struct work_struct fail;
	struct delayed_work heal;
};

u64 baton_relay_window(const struct baton *b, u16 nr_queues);
void baton_relay_undo(struct baton_queue *bq);
bool baton_relay_wanted(const struct baton_vdpa *bv, const struct baton_queue *bq);
int baton_relay_decide(struct baton_vdpa *bv);
int baton_relay_setup(struct baton_queue *bq, struct baton_queue_config *cfg);
void baton_relay_kick(struct baton_queue *bq);
void baton_relay_begin(struct baton_queue *bq);
bool baton_relay_interrupt(struct baton_queue *bq);
void baton_relay_unmap(struct baton_vdpa *bv, unsigned int asid, u64 iova, u64 last);
void baton_relay_map(struct baton_vdpa *bv);
u16 baton_relay_position(struct baton_queue *bq);
u16 baton_relay_under_way(struct baton_queue *bq);
const char *baton_relay_withdraw(struct baton_queue *bq);
void baton_relay_stop(struct baton_vdpa *bv);
void baton_relay_uninit(struct baton_vdpa *bv);

#endif /* BATON_RELAY_H */
