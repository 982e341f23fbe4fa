// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: vectors, handlers, and the callbacks that they run.
 *
 * Invariant (C9): vectors are allocated from grant to drain only; once baton_irq_free() has
 * returned no handler runs, or will. Which interrupts are requested, and for which queue, is
 * recorded in memory and never inferred from what the device says.
 *
 * Vectors and which queue has which are changed with both &baton.lock and
 * &baton_vdpa.affinity_lock held. The second alone is taken by what must not take the first:
 * affinities, which are set with the CPU hotplug lock held, and set_vq_cb. Handlers take
 * neither: a queue's vector is written before &baton_queue.enabled is, and not again until
 * the interrupts are freed. Callbacks are copied under a spin lock, and called without.
 */
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/virtio_config.h>
#include <linux/workqueue.h>

#include "core.h"
#include "irq.h"

static void irq_run_callback(spinlock_t *lock, const struct vdpa_callback *shared)
{
	struct vdpa_callback cb;
	unsigned long flags;

	spin_lock_irqsave(lock, flags);
	cb = *shared;
	spin_unlock_irqrestore(lock, flags);

	if (cb.callback)
		cb.callback(cb.private);
}

/**
 * baton_irq_config() - tell the consumer that the configuration changed
 * @bv: the vDPA device; nothing happens if nobody has negotiated with it
 *
 * Invariant: the callback is valid as long as the status has FEATURES_OK. It points into
 * the consumer, which is freed before the bus tells that it has gone; but it resets
 * before that, when a user closes the device, or a driver is removed. (A virtio driver
 * whose probe failed may not: consumer_changes() clears its callback earlier.)
 *
 * Context: any; outside of interrupts &baton.lock held, so that the status stays.
 */
void baton_irq_config(struct baton_vdpa *bv)
{
	if (!(READ_ONCE(bv->status) & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	irq_run_callback(&bv->config_lock, &bv->config_cb);
}

/**
 * baton_irq_queue() - tell the owner that a queue has something for it
 * @bq: the queue
 *
 * Context: any.
 */
void baton_irq_queue(struct baton_queue *bq)
{
	/* A statistic, counted without a lock. */
	data_race(bq->interrupts++);
	irq_run_callback(&bq->cb_lock, &bq->cb);
}

/*
 * A device that wants to be reset says so by a configuration interrupt (virtio 1.2, 2.1.1); a
 * kernel driver does not look, and recover.c helps it. With a single vector each interrupt may be
 * one: the owner then looks at its configuration more often than needed.
 */
static void irq_config_changed(struct baton_vdpa *bv)
{
	struct baton_function *fn = bv->b->fn;

	baton_shadow_stale(bv->b);
	if (fn->ops->get_status(fn) & VIRTIO_CONFIG_S_NEEDS_RESET) {
		WRITE_ONCE(bv->needs_reset, true);
		baton_recover_begin(&bv->recovery);
	}
	baton_irq_config(bv);
}

/* A relayed queue's interrupt is the relay's, which says whether the owner is to be told. */
static void irq_queue_event(struct baton_queue *bq)
{
	/* Pairs with baton_relay_decide(). */
	if (smp_load_acquire(&bq->relayed) && !baton_relay_interrupt(bq))
		return;
	baton_irq_queue(bq);
}

static irqreturn_t irq_handle_vector(int irq, void *data)
{
	struct baton_vector *v = data;
	struct baton_vdpa *bv = v->bv;
	struct baton_queue *bq;
	unsigned int i;

	if (v->index == 0)
		irq_config_changed(bv);
	for (i = 0; i < bv->nr_queues; i++) {
		bq = &bv->queues[i];
		/* Pairs with baton_queue_enable(): then the vector is set as well. */
		if (smp_load_acquire(&bq->enabled) && bq->cfg.vector == v->index)
			irq_queue_event(bq);
	}

	return IRQ_HANDLED;
}

/* Of a vector that only one queue has. */
static irqreturn_t irq_handle_queue(int irq, void *data)
{
	struct baton_queue *bq = data;

	irq_queue_event(bq);
	return IRQ_HANDLED;
}

/*
 * Without a callback a kernel's queue gets no vector: its driver polls. A user may supply an
 * eventfd at any time, so each of his queues gets one, which is masked until then.
 */
static bool irq_queue_wants_vector(const struct baton_vdpa *bv, const struct baton_queue *bq)
{
	if (bq->index == bv->ctrl.index || !bv->b->fn->queue_max[bq->index])
		return false;
	return bv->b->owner.owner == BATON_USER ? bq->cfg.size : !!bq->cb.callback;
}

/*
 * Vector 0 is the configuration's. Queues get one of the others each, as long as there are any;
 * the rest of them share the last one.
 */
static u16 vector_share_of(unsigned int nth, unsigned int nr_vectors)
{
	return min(1 + nth, nr_vectors - 1);
}

static bool vector_is_shared(u16 vector, unsigned int nr_vectors, unsigned int want)
{
	return !vector || (nr_vectors < want && vector == nr_vectors - 1);
}

static void vectors_assign(struct baton_vdpa *bv, struct baton_vector *vectors, unsigned int nr,
			   unsigned int want)
{
	struct baton_queue *bq;
	unsigned int i, nth = 0;

	guard(mutex)(&bv->affinity_lock);
	bv->vectors = vectors;
	bv->nr_vectors = nr;
	for (i = 0; i < bv->nr_queues; i++) {
		bq = &bv->queues[i];
		bq->own_irq = -EINVAL;
		bq->cfg.vector = BATON_NO_VECTOR;
		if (!irq_queue_wants_vector(bv, bq))
			continue;
		bq->cfg.vector = vector_share_of(nth++, bv->nr_vectors);
		if (!vector_is_shared(bq->cfg.vector, bv->nr_vectors, want))
			bq->own_irq = bv->vectors[bq->cfg.vector].irq;
	}
}

static struct baton_queue *vector_sole_queue(struct baton_vdpa *bv, unsigned int vector)
{
	unsigned int i;

	for (i = 0; i < bv->nr_queues; i++)
		if (bv->queues[i].own_irq >= 0 && bv->queues[i].cfg.vector == vector)
			return &bv->queues[i];

	return NULL;
}

/* Does the owner, or the relay, want interrupts of this queue? */
static bool irq_queue_is_heard(struct baton_queue *bq)
{
	unsigned long flags;
	bool heard;

	spin_lock_irqsave(&bq->cb_lock, flags);
	heard = bq->cb.callback;
	spin_unlock_irqrestore(&bq->cb_lock, flags);

	/* The relay needs interrupts even if the user does not want any. */
	return heard || READ_ONCE(bq->relayed);
}

static bool vector_is_heard(struct baton_vdpa *bv, unsigned int vector)
{
	unsigned int i;

	for (i = 0; i < bv->nr_queues; i++)
		if (bv->queues[i].cfg.vector == vector && irq_queue_is_heard(&bv->queues[i]))
			return true;

	return !vector;
}

/*
 * &baton_vdpa.affinity_lock held, which guards @requested and @heard: after vectors_free_irqs() has
 * cleared them an interrupt is neither enabled nor disabled any more.
 */
static void vector_listen(struct baton_vdpa *bv, unsigned int vector)
{
	struct baton_vector *v = &bv->vectors[vector];
	bool heard = v->requested && vector_is_heard(bv, vector);

	if (heard == v->heard)
		return;
	v->heard = heard;
	if (heard)
		enable_irq(v->irq);
	else
		disable_irq_nosync(v->irq);
}

/**
 * baton_irq_listen() - the callback of a queue was set, or cleared
 * @bv: the vDPA device
 * @bq: the queue
 *
 * The interrupt of a queue without a callback is masked: its owner polls. The pending bit of
 * MSI-X remembers one that comes meanwhile, so a callback that is set later misses nothing.
 *
 * Context: may sleep; &baton_vdpa.affinity_lock not held.
 */
void baton_irq_listen(struct baton_vdpa *bv, struct baton_queue *bq)
{
	guard(mutex)(&bv->affinity_lock);
	baton_bypass_withdraw(bv, bq);
	if (bq->cfg.vector >= bv->nr_vectors)
		return;
	vector_listen(bv, bq->cfg.vector);
	if (bv->vectors[bq->cfg.vector].requested)
		baton_bypass_offer(bv, bq);
}

static void vectors_listen(struct baton_vdpa *bv)
{
	unsigned int i;

	guard(mutex)(&bv->affinity_lock);
	for (i = 0; i < bv->nr_vectors; i++)
		vector_listen(bv, i);
	for (i = 0; i < bv->nr_queues; i++)
		baton_bypass_offer(bv, &bv->queues[i]);
}

static int vector_request(struct baton_vdpa *bv, unsigned int i)
{
	struct baton_vector *v = &bv->vectors[i];
	struct baton_queue *bq = vector_sole_queue(bv, i);
	const char *function = dev_name(bv->b->fn->dev);
	int err;

	if (i == 0)
		snprintf(v->name, sizeof(v->name), "baton-%s-%s", function,
			 bv->nr_vectors == 1 ? "all" : "config");
	else if (bq)
		snprintf(v->name, sizeof(v->name), "baton-%s-vq%u", function, bq->index);
	else
		snprintf(v->name, sizeof(v->name), "baton-%s-shared%u", function, i);

	/* disable_irq() masks at once, not only after an interrupt that nobody wanted. */
	irq_set_status_flags(v->irq, IRQ_DISABLE_UNLAZY);
	if (bq)
		err = request_irq(v->irq, irq_handle_queue, IRQF_NO_AUTOEN, v->name, bq);
	else
		err = request_irq(v->irq, irq_handle_vector, IRQF_NO_AUTOEN, v->name, v);
	if (err)
		return err;

	guard(mutex)(&bv->affinity_lock);
	v->requested = true;
	if (bq && bq->affinity)
		irq_set_affinity(v->irq, bq->affinity);

	return 0;
}

static long vector_passed(void *unused)
{
	return 0;
}

/*
 * Waits for interrupts that processors have accepted, but whose handlers they have not yet
 * entered. free_irq() does not: such a one would find a descriptor without a handler ("unexpected
 * IRQ trap"). Bus mastering is off, so none is added; and a processor that runs a thread of ours
 * has handled what it had accepted before.
 */
static void vectors_settle(const struct baton_vdpa *bv)
{
	int last = -1, cpu;
	unsigned int i;

	for (i = 0; i < bv->nr_vectors; i++) {
		struct irq_data *data = irq_get_irq_data(bv->vectors[i].irq);

		cpu = data ? cpumask_first(irq_data_get_effective_affinity_mask(data)) : last;
		/* Our own processor runs this very thread. */
		if (cpu == last || cpu >= nr_cpu_ids || cpu == raw_smp_processor_id())
			continue;
		/* Interrupts of one that goes offline are moved, so that it has none left. */
		if (cpu_online(cpu))
			work_on_cpu(cpu, vector_passed, NULL);
		last = cpu;
	}
}

static void vectors_free_irqs(struct baton_vdpa *bv, unsigned int nr)
{
	struct baton_queue *bq;
	unsigned int i;

	/* From here on vector_listen() leaves the interrupts alone. */
	mutex_lock(&bv->affinity_lock);
	for (i = 0; i < bv->nr_queues; i++)
		baton_bypass_withdraw(bv, &bv->queues[i]);
	for (i = 0; i < nr; i++) {
		bv->vectors[i].requested = false;
		bv->vectors[i].heard = false;
	}
	mutex_unlock(&bv->affinity_lock);

	while (nr--) {
		bq = vector_sole_queue(bv, nr);
		free_irq(bv->vectors[nr].irq, bq ? (void *)bq : &bv->vectors[nr]);
	}
}

static void vectors_free(struct baton_vdpa *bv)
{
	struct baton_function *fn = bv->b->fn;
	struct baton_vector *vectors = bv->vectors;
	unsigned int i;

	mutex_lock(&bv->affinity_lock);
	bv->vectors = NULL;
	bv->nr_vectors = 0;
	for (i = 0; i < bv->nr_queues; i++) {
		bv->queues[i].own_irq = -EINVAL;
		bv->queues[i].cfg.vector = BATON_NO_VECTOR;
	}
	mutex_unlock(&bv->affinity_lock);
	fn->ops->free_vectors(fn);
	kfree(vectors);
}

/**
 * baton_irq_request() - allocate vectors and request interrupts
 * @bv: the vDPA device, whose function is about to be granted to its owner
 *
 * One vector for each queue that wants one and one for the configuration, if
 * there are enough; else the last ones share; else one vector serves all.
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -ENOSPC if there is no vector, -ENOMEM, or an errno of request_irq() or of the
 * function driver: nothing is left allocated then.
 */
int baton_irq_request(struct baton_vdpa *bv)
{
	struct baton *b = bv->b;
	const struct baton_function_ops *ops = b->fn->ops;
	struct baton_vector *vectors;
	unsigned int want = 1, i;
	int nr, err;

	for (i = 0; i < bv->nr_queues; i++)
		want += irq_queue_wants_vector(bv, &bv->queues[i]);

	nr = ops->alloc_vectors(b->fn, want);
	if (nr < 1) {
		baton_report_refusal(b,
				     "DRIVER_OK refused: no interrupt vectors (MSI-X), wanted %u: %pe",
				     want,
				     ERR_PTR(nr));
		return nr < 0 ? nr : -ENOSPC;
	}
	vectors = kcalloc(nr, sizeof(*vectors), GFP_KERNEL);
	if (!vectors) {
		ops->free_vectors(b->fn);
		return -ENOMEM;
	}
	for (i = 0; i < nr; i++) {
		vectors[i].bv = bv;
		vectors[i].index = i;
		vectors[i].irq = ops->vector_irq(b->fn, i);
	}
	vectors_assign(bv, vectors, nr, want);

	for (i = 0; i < nr; i++) {
		err = vector_request(bv, i);
		if (err)
			goto err_free;
	}
	if (nr < want)
		dev_info_ratelimited(b->fn->dev,
				     "%d interrupt vectors instead of %u: %u queues share one\n",
				     nr, want, min(want - nr + 1, want - 1));

	err = ops->set_config_vector(b->fn, 0);
	if (err)
		goto err_free;
	vectors_listen(bv);

	return 0;

err_free:
	baton_report_refusal(b, "DRIVER_OK refused: cannot set up interrupt vector %u of %d: %pe",
			     i, nr, ERR_PTR(err));
	vectors_free_irqs(bv, i);
	vectors_free(bv);
	return err;
}

/**
 * baton_irq_sync() - wait for handlers that run
 * @bv: the vDPA device, whose function has no bus mastering; does nothing if it has
 *	no vectors
 *
 * None of them accesses the function any more when this returns.
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_irq_sync(struct baton_vdpa *bv)
{
	unsigned int i;

	for (i = 0; i < bv->nr_vectors; i++)
		synchronize_irq(bv->vectors[i].irq);
}

/**
 * baton_irq_free() - free interrupts and vectors
 * @bv: the vDPA device, whose function has no bus mastering; does nothing if it has
 *	none
 *
 * No callback runs, or will run, on behalf of these when this returns.
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_irq_free(struct baton_vdpa *bv)
{
	if (!bv->vectors)
		return;
	vectors_settle(bv);
	vectors_free_irqs(bv, bv->nr_vectors);
	vectors_free(bv);
}

/**
 * baton_irq_count() - count the interrupts of all queues
 * @bv: the vDPA device
 *
 * By two counts that differ the caller knows that the hardware has answered something.
 *
 * Context: any; &baton.lock held.
 * Return: the sum of &baton_queue.interrupts.
 */
unsigned long baton_irq_count(const struct baton_vdpa *bv)
{
	unsigned long sum = 0;
	u16 i;

	for (i = 0; i < bv->nr_queues; i++)
		/* Counted without a lock: one that comes just now may be missed. */
		sum += data_race(bv->queues[i].interrupts);

	return sum;
}
