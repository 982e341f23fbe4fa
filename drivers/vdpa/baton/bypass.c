// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interrupt of a user's queue, offered to KVM for direct delivery to a guest.
 *
 * Invariant: an interrupt number is registered with the irqbypass manager only between
 * request_irq() and free_irq(). &baton_vdpa.affinity_lock guards that: baton_irq_listen()
 * comes without &baton.lock, vectors_listen() and vectors_free_irqs() with it, all three
 * with this one.
 *
 * Where the processor has posted interrupts, KVM has an interrupt delivered straight to a
 * guest if it is offered under the eventfd that would signal the guest otherwise.
 * vhost_vdpa would offer it if there were a get_vq_irq operation, but keeps the number that
 * it was told: KVM would go on redirecting it after it was freed and given to another device
 * (C12). So there is no such operation, and the core offers it itself, on kernels where
 * vhost does not interfere (baton_compat_bypass_register()).
 */
#include <linux/spinlock.h>
#include <linux/string.h>

#include "bypass.h"
#include "core.h"
#include "trace.h"

/**
 * baton_bypass_offer() - let KVM have a queue's interrupt
 * @bv: the vDPA device
 * @bq: the queue; nothing happens unless it has one of its own, and an eventfd
 *
 * The function cannot leave @bv meanwhile: before that its interrupts are freed, which takes
 * &baton_vdpa.affinity_lock.
 *
 * Context: may sleep; &baton_vdpa.affinity_lock held; the interrupt is requested.
 */
void baton_bypass_offer(struct baton_vdpa *bv, struct baton_queue *bq)
{
	struct baton_bypass *bypass = &bq->bypass;
	struct eventfd_ctx *eventfd;

	spin_lock_irq(&bq->cb_lock);
	eventfd = bq->cb.trigger;
	spin_unlock_irq(&bq->cb_lock);
	/*
	 * The interrupt of a relayed queue is for the relay, which has to copy used entries
	 * into the user's ring before the guest is told.
	 */
	if (!eventfd || bq->own_irq < 0 || bq->relayed || bypass->offered)
		return;
	memset(&bypass->producer, 0, sizeof(bypass->producer));
	/* Not an error if it fails: the eventfd is signalled then, which is slower. */
	bypass->offered = !baton_compat_bypass_register(&bypass->producer, eventfd, bq->own_irq);
	if (bypass->offered)
		trace_baton_bypass(bv->b->fn->dev, bq->index, true);
}

/**
 * baton_bypass_withdraw() - undo baton_bypass_offer()
 * @bv: the vDPA device
 * @bq: the queue; nothing happens if its interrupt is not offered
 *
 * Context: may sleep; &baton_vdpa.affinity_lock held.
 */
void baton_bypass_withdraw(struct baton_vdpa *bv, struct baton_queue *bq)
{
	if (!bq->bypass.offered)
		return;
	irq_bypass_unregister_producer(&bq->bypass.producer);
	bq->bypass.offered = false;
	trace_baton_bypass(bv->b->fn->dev, bq->index, false);
}
