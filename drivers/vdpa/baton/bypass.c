// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of a user's queues that go to a guest past us.
 *
 * Where the processor can (posted interrupts), KVM has an interrupt delivered straight to
 * a guest, if whoever owns it offers it under the eventfd by which the guest would hear of
 * it otherwise. vhost_vdpa would do so for us, with a number that it was told once: KVM
 * would go on redirecting that after it was freed, and given to another device (C12).
 * So we do it ourselves, from request_irq() to free_irq(), on kernels where vhost lets us.
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
 * Context: may sleep; &baton_vdpa.affinity_lock held; the interrupt is requested.
 */
void baton_bypass_offer(struct baton_vdpa *bv, struct baton_queue *bq)
{
	struct baton_bypass *bypass = &bq->bypass;
	struct eventfd_ctx *eventfd;

	spin_lock_irq(&bq->cb_lock);
	eventfd = bq->cb.trigger;
	spin_unlock_irq(&bq->cb_lock);
	/* What a guest could be given past us does not come in a relayed queue's ring. */
	if (!eventfd || bq->own_irq < 0 || bq->relayed || bypass->offered)
		return;
	memset(&bypass->producer, 0, sizeof(bypass->producer));
	/* One that is not offered is no more than slower. */
	bypass->offered = !baton_compat_bypass_register(&bypass->producer, eventfd, bq->own_irq);
	if (bypass->offered)
		trace_baton_bypass(bv->b->fn->dev, bq->index, true);
}

/**
 * baton_bypass_withdraw() - undo baton_bypass_offer()
 * @bv: the vDPA device
 * @bq: the queue
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
