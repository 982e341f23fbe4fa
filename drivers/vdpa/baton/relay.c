// SPDX-License-Identifier: GPL-2.0-only
/*
 * The relay: queues of a user that do not begin at 0.
 *
 * Hardware begins its queues at 0. Users who stop a queue and let it go on, here or
 * on another machine, want it to go on where it stood. So the hardware is given an
 * available and a used ring of ours, which begin at 0, and the user's own descriptor
 * table: heads are forwarded where the kick comes, and come back where the
 * interrupt does (relay_ring.c). No payload is copied, and no address translated.
 *
 * Kicks and interrupts take &baton_relay.lock, and never &baton.lock. Setting up, pausing and
 * stopping hold &baton.lock, and take the other to change &baton_relay.running: kicks and
 * interrupts access rings only while that is set.
 *
 * Invariants (C14): our rings are mapped for the hardware in a window of the user's domain where
 * the user can map nothing, the available ring for reading only. The user may have the hardware
 * write to the used ring: heads that come back are checked. The user's rings are accessed with
 * the user's own mappings and permissions, and their pages are referenced as long as they are
 * mapped here; while the user has them unmapped, the relay pauses.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/vmalloc.h>

#include "core.h"
#include "heal.h"
#include "param.h"
#include "relay.h"
#include "trace.h"

static size_t relay_avail_len(size_t size)
{
	return 2 * (2 + size + 1);
}

static size_t relay_used_len(size_t size)
{
	return 2 * 2 + 8 * size + 2;
}

/**
 * baton_relay_window() - how much room the rings of queues take in a user's domain
 * @b: the function
 * @nr_queues: how many queues, from the first on
 *
 * Context: any; the queues of the function have been found.
 * Return: bytes, in whole pages of the IOMMU's.
 */
u64 baton_relay_window(const struct baton *b, u16 nr_queues)
{
	u64 unit = b->domain.iova.granule, bytes = 0;
	u16 i;

	for (i = 0; i < nr_queues; i++)
		bytes += ALIGN(relay_avail_len(b->fn->queue_max[i]), unit) +
			 ALIGN(relay_used_len(b->fn->queue_max[i]), unit);

	return bytes;
}

static void relay_signal(struct irq_work *work)
{
	struct baton_relay *relay = container_of(work, struct baton_relay, signal);

	baton_irq_queue(relay->bq);
}

static void relay_fail(struct work_struct *work)
{
	struct baton_relay *relay = container_of(work, struct baton_relay, fail);
	struct baton_vdpa *bv = relay->bv;
	const char *what;

	CLASS(baton_vdpa, b)(bv);
	spin_lock_irq(&relay->lock);
	what = relay->failed;
	spin_unlock_irq(&relay->lock);
	if (!what || !baton_owner_runs(&b->owner))
		return;
	baton_report_refusal(b, "queue %u stopped: %s: the owner has to reset", relay->bq->index,
			     what);
	bv->fail(bv, false);
}

/* &baton_relay.lock held. The owner is told by a work item, since that takes &baton.lock. */
static void relay_give_up(struct baton_relay *relay, const char *what)
{
	relay->running = false;
	relay->failed = what;
	queue_work(baton_wq, &relay->fail);
}

/*
 * Forwards and returns whatever there is, for kicks and interrupts alike: who polls gets used
 * entries by his kicks. Returns whether the owner is to be told. Context: any.
 *
 * A kick comes with an eventfd locked, and the callback may signal just that: the owner is told by
 * irq_work then. It is queued before the lock is released, so that relay_release() waits for it.
 */
static bool relay_run(struct baton_relay *relay, bool kicked)
{
	struct baton_function *fn = baton_vdpa_function(relay->bv);
	bool kick = false, signal = false;
	unsigned long flags;

	spin_lock_irqsave(&relay->lock, flags);
	if (!relay->running) {
		baton_heal_kick(relay);
		goto out;
	}
	if (baton_relay_ring_return(&relay->ring, &signal) < 0) {
		relay_give_up(relay, "the device returned what it was not given");
		goto out;
	}
	if (!READ_ONCE(relay->bq->live))
		goto out;
	if (baton_relay_ring_forward(&relay->ring, &kick) < 0)
		relay_give_up(relay, "its available ring makes no sense");
	else if (kick)
		fn->ops->kick(fn, relay->bq->index);
	baton_heal_look(relay);
out:
	if (signal && kicked)
		irq_work_queue(&relay->signal);
	spin_unlock_irqrestore(&relay->lock, flags);
	return signal;
}

/**
 * baton_relay_kick() - the owner rang
 * @bq: a queue that is relayed
 *
 * Context: any; &baton.lock held, or within rcu_read_lock().
 */
void baton_relay_kick(struct baton_queue *bq)
{
	relay_run(bq->relay, true);
}

/**
 * baton_relay_begin() - the hardware runs a queue
 * @bq: a queue that is relayed
 *
 * Looks for requests, whether or not the owner rang for them. And tells the owner once, whatever it
 * wants to be told of: the interrupt for what was returned before may have been lost in the reset,
 * and its used event index, once passed, keeps the relay from the next 65535.
 *
 * Context: any; &baton.lock held.
 */
void baton_relay_begin(struct baton_queue *bq)
{
	baton_relay_kick(bq);
	irq_work_queue(&bq->relay->signal);
}

/**
 * baton_relay_interrupt() - the hardware interrupted
 * @bq: a queue that is relayed
 *
 * Context: hard interrupt.
 * Return: whether the owner is to be told.
 */
bool baton_relay_interrupt(struct baton_queue *bq)
{
	return relay_run(bq->relay, false);
}

/* Rings of ours */

static void relay_shared_free(struct baton *b, struct baton_relay_shared *s)
{
	if (s->mapped)
		iommu_unmap(b->domain.user, s->iova, s->mapped);
	vfree(s->mem);
	memset(s, 0, sizeof(*s));
}

static int relay_shared_alloc(struct baton *b, struct baton_relay_shared *s, u64 iova, size_t len,
			      bool writable)
{
	int prot = IOMMU_READ | IOMMU_CACHE | (writable ? IOMMU_WRITE : 0);
	int err;

	/* vmalloc() memory is contiguous by PAGE_SIZE only: IOMMU pages must be no larger. */
	if (b->domain.iova.granule != PAGE_SIZE)
		return -EOPNOTSUPP;
	s->iova = iova;
	s->size = PAGE_ALIGN(len);
	s->mem = __vmalloc(s->size, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!s->mem)
		return -ENOMEM;
	while (s->mapped < s->size) {
		err = iommu_map(b->domain.user, iova + s->mapped,
				page_to_phys(vmalloc_to_page(s->mem + s->mapped)), PAGE_SIZE,
				prot, GFP_KERNEL_ACCOUNT);
		if (err) {
			relay_shared_free(b, s);
			return err;
		}
		s->mapped += PAGE_SIZE;
	}

	return 0;
}

/* Rings of the owner's */

/* &baton.lock held. No kick and no interrupt accesses the owner's rings when this returns. */
static void relay_pause(struct baton_relay *relay)
{
	unsigned long flags;

	spin_lock_irqsave(&relay->lock, flags);
	relay->running = false;
	spin_unlock_irqrestore(&relay->lock, flags);
	baton_area_unmap(&relay->avail);
	baton_area_unmap(&relay->used);
}

static int relay_reach_owner(struct baton_relay *relay)
{
	struct baton *b = relay->bv->b;
	int err;

	err = baton_area_map(b, &relay->avail, false);
	if (!err)
		err = baton_area_map(b, &relay->used, true);
	if (err) {
		relay_pause(relay);
		return err;
	}
	relay->ring.avail = baton_area_start(&relay->avail);
	relay->ring.used = baton_area_start(&relay->used);

	return 0;
}

static void relay_release(struct baton_relay *relay)
{
	struct baton *b = relay->bv->b;

	relay_pause(relay);
	irq_work_sync(&relay->signal);
	baton_area_uninit(&relay->avail);
	baton_area_uninit(&relay->used);
	relay_shared_free(b, &relay->hw_avail);
	relay_shared_free(b, &relay->hw_used);
	kvfree(relay->marks);
	relay->marks = NULL;
	relay->failed = NULL;
}

static int relay_prepare(struct baton_relay *relay)
{
	const struct baton_queue_config *cfg = &relay->bq->cfg;
	struct baton *b = relay->bv->b;
	u64 iova = b->domain.window.first + BATON_WINDOW_PAGES * b->domain.iova.granule +
		   baton_relay_window(b, relay->bq->index);
	int err;

	relay->marks = kvcalloc(BATON_RELAY_WORDS(cfg->size), sizeof(u32), GFP_KERNEL_ACCOUNT);
	if (!relay->marks)
		return -ENOMEM;
	err = relay_shared_alloc(b, &relay->hw_avail, iova, relay_avail_len(cfg->size), false);
	if (err)
		return err;
	iova += relay->hw_avail.size;
	err = relay_shared_alloc(b, &relay->hw_used, iova, relay_used_len(cfg->size), true);
	if (!err)
		err = baton_area_init(&relay->avail, cfg->driver, relay_avail_len(cfg->size));
	if (!err)
		err = baton_area_init(&relay->used, cfg->device, relay_used_len(cfg->size));

	return err ?: relay_reach_owner(relay);
}

/**
 * baton_relay_setup() - have the hardware run a queue on rings of ours
 * @bq: a queue that is to be relayed
 * @cfg: what the hardware will be told of it; its rings become ours
 *
 * Context: may sleep; &baton.lock held; the user's domain is attached.
 * Return: 0; -EFAULT if the user's rings are not mapped; -EINVAL if its used ring is at another
 * position; -EOPNOTSUPP; -ENOMEM; an errno of iommu_map(). The reason is in the log.
 */
int baton_relay_setup(struct baton_queue *bq, struct baton_queue_config *cfg)
{
	struct baton_relay *relay = bq->relay;
	u16 position = bq->state.split.avail_index;
	struct baton_vdpa *bv = relay->bv;
	u16 there;
	int err;

	err = relay_prepare(relay);
	if (err) {
		baton_report_refusal(bv->b,
				     "queue %u cannot be relayed: its rings at %#llx and %#llx: %pe",
				     bq->index, bq->cfg.driver, bq->cfg.device, ERR_PTR(err));
		relay_release(relay);
		return err;
	}
	relay->ring.hw_avail = relay->hw_avail.mem;
	relay->ring.hw_used = relay->hw_used.mem;
	relay->ring.marks = relay->marks;
	relay->ring.size = bq->cfg.size;
	relay->ring.event_idx = bv->features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
	/* At a position other than its used ring's, requests would be lost, or done twice. */
	there = le16_to_cpu(READ_ONCE(((__force __le16 *)relay->ring.used)[1]));
	if (position && there != position) {
		baton_report_refusal(bv->b,
				     "queue %u cannot go on at %u: its used ring stands at %u",
				     bq->index, position, there);
		relay_release(relay);
		return -EINVAL;
	}
	baton_relay_ring_init(&relay->ring, position);
	baton_heal_prepare(relay);
	trace_baton_relay(bv->b->fn->dev, bq->index, position);
	cfg->driver = relay->hw_avail.iova;
	cfg->device = relay->hw_used.iova;
	spin_lock_irq(&relay->lock);
	relay->running = true;
	spin_unlock_irq(&relay->lock);

	return 0;
}

/**
 * baton_relay_undo() - undo baton_relay_setup()
 * @bq: a queue that the hardware does not run; nothing happens if it is not relayed
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_relay_undo(struct baton_queue *bq)
{
	if (bq->relayed)
		relay_release(bq->relay);
}

/**
 * baton_relay_wanted() - would a queue be relayed if its owner started now?
 * @bv: the vDPA device
 * @bq: the queue
 *
 * For doorbells, which QEMU maps before DRIVER_OK, when &baton_queue.relayed is not set yet.
 *
 * Context: any. Without &baton.lock the answer may be out of date at once.
 * Return: true if so.
 */
bool baton_relay_wanted(const struct baton_vdpa *bv, const struct baton_queue *bq)
{
	if (READ_ONCE(READ_ONCE(bv->b)->owner.consumer) != BATON_USER ||
	    bv->features & BIT_ULL(VIRTIO_F_RING_PACKED) || bq->index == bv->ctrl.index ||
	    !bq->cfg.size || bv->relay == BATON_RELAY_NEVER)
		return false;
	return bv->relay == BATON_RELAY_ALWAYS || READ_ONCE(bq->state.split.avail_index);
}

/**
 * baton_relay_decide() - which queues will be relayed until the next reset?
 * @bv: the vDPA device, whose function is about to be granted to its owner
 *
 * &baton_queue.relayed is set here and stays until the drain, or until the queue has healed:
 * doorbells and the offer of interrupts to KVM depend on it.
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0 or -ENOMEM.
 */
int baton_relay_decide(struct baton_vdpa *bv)
{
	struct baton_relay *relay;
	struct baton_queue *bq;
	u16 i;

	for (i = 0; i < bv->nr_queues; i++) {
		bq = &bv->queues[i];
		if (!baton_relay_wanted(bv, bq))
			continue;
		if (!bq->relay) {
			relay = kzalloc(sizeof(*relay), GFP_KERNEL);
			if (!relay)
				return -ENOMEM;
			relay->bv = bv;
			relay->bq = bq;
			spin_lock_init(&relay->lock);
			init_irq_work(&relay->signal, relay_signal);
			INIT_WORK(&relay->fail, relay_fail);
			baton_heal_init(relay);
			bq->relay = relay;
		}
		/* Pairs with smp_load_acquire() in kicks and interrupts: @relay is complete. */
		smp_store_release(&bq->relayed, true);
	}

	return 0;
}

/**
 * baton_relay_unmap() - the user is about to unmap memory: pause what uses it
 * @bv: the vDPA device
 * @asid: in which address space
 * @iova: the first IO virtual address
 * @last: the last, itself included
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_relay_unmap(struct baton_vdpa *bv, unsigned int asid, u64 iova, u64 last)
{
	struct baton_queue *bq;
	u16 i;

	if (asid != bv->b->domain.data_asid)
		return;
	for (i = 0; i < bv->nr_queues; i++) {
		bq = &bv->queues[i];
		if (bq->relayed && (baton_area_touches(&bq->relay->avail, iova, last) ||
				    baton_area_touches(&bq->relay->used, iova, last)))
			relay_pause(bq->relay);
	}
}

/**
 * baton_relay_map() - the user has mapped memory: go on with queues whose rings are back
 * @bv: the vDPA device
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_relay_map(struct baton_vdpa *bv)
{
	struct baton_relay *relay;
	int err;
	u16 i;

	/* Only to save time: most memory is mapped before anything runs. */
	if (!baton_owner_held(&bv->b->owner))
		return;
	for (i = 0; i < bv->nr_queues; i++) {
		relay = bv->queues[i].relay;
		if (!bv->queues[i].relayed || !relay->marks || relay->avail.map || relay->failed)
			continue;
		err = relay_reach_owner(relay);
		/* Not all of it is mapped yet. */
		if (err == -EFAULT)
			continue;
		spin_lock_irq(&relay->lock);
		if (err)
			relay_give_up(relay, "no memory to reach its rings again");
		else
			relay->running = true;
		spin_unlock_irq(&relay->lock);
		baton_relay_kick(&bv->queues[i]);
	}
}

/**
 * baton_relay_position() - where a queue stands
 * @bq: a queue that is relayed
 *
 * Context: any with interrupts on; &baton.lock held.
 * Return: index of the next request in the owner's ring that was not forwarded.
 */
u16 baton_relay_position(struct baton_queue *bq)
{
	u16 position;

	spin_lock_irq(&bq->relay->lock);
	position = bq->relay->ring.next_avail;
	spin_unlock_irq(&bq->relay->lock);

	return position;
}

/**
 * baton_relay_under_way() - how much has the hardware not returned?
 * @bq: a queue that is relayed
 *
 * What it has returned by now is given to the owner first.
 *
 * Context: any with interrupts on; &baton.lock held.
 * Return: how many requests.
 */
u16 baton_relay_under_way(struct baton_queue *bq)
{
	u16 n;

	baton_relay_kick(bq);
	spin_lock_irq(&bq->relay->lock);
	n = bq->relay->ring.in_flight;
	spin_unlock_irq(&bq->relay->lock);

	return n;
}

/**
 * baton_relay_withdraw() - what the hardware has not done is the owner's again
 * @bq: a queue that is relayed, and that the hardware has let go of: it was reset, by itself
 *	(heal.c) or with the function; its state will say where to go on
 *
 * Context: may sleep; &baton.lock held.
 * Return: NULL, or why it cannot be said where to go on.
 */
const char *baton_relay_withdraw(struct baton_queue *bq)
{
	struct baton_relay *relay = bq->relay;
	const char *why = NULL;
	bool writable;

	baton_relay_under_way(bq);
	writable = baton_area_is_writable(relay->bv->b, &relay->avail);
	spin_lock_irq(&relay->lock);
	if (!relay->running) {
		why = relay->failed ?: "its rings are not mapped";
	} else if (relay->ring.in_flight && !writable) {
		why = "requests are under way, and its available ring is mapped for reading only";
	} else {
		baton_relay_ring_withdraw(&relay->ring,
					  baton_area_start(&relay->avail));
		bq->state.split.avail_index = relay->ring.next_used;
	}
	relay->running = false;
	spin_unlock_irq(&relay->lock);

	return why;
}

/**
 * baton_relay_stop() - relay nothing any more, and free all that it took
 * @bv: the vDPA device, whose function has neither bus mastering nor interrupts
 *
 * &baton_queue.relay itself stays, for kicks that are late: baton_relay_uninit().
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_relay_stop(struct baton_vdpa *bv)
{
	struct baton_queue *bq;
	u16 i;

	for (i = 0; i < bv->nr_queues; i++) {
		bq = &bv->queues[i];
		if (!bq->relayed)
			continue;
		WRITE_ONCE(bq->relayed, false);
		relay_release(bq->relay);
	}
}

/**
 * baton_relay_uninit() - undo baton_relay_decide()
 * @bv: the vDPA device, no longer registered: no kick comes any more
 *
 * Context: may sleep; &baton.lock not held, since a work item that is waited for takes it.
 */
void baton_relay_uninit(struct baton_vdpa *bv)
{
	struct baton_relay *relay;
	u16 i;

	for (i = 0; i < bv->nr_queues; i++) {
		relay = bv->queues[i].relay;
		if (!relay)
			continue;
		cancel_work_sync(&relay->fail);
		cancel_delayed_work_sync(&relay->heal);
		irq_work_sync(&relay->signal);
		kfree(relay);
		bv->queues[i].relay = NULL;
	}
}
