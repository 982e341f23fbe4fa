// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts: from DRIVER_OK to reset, and not a moment longer.
 *
 * What is requested, and for which queue, is recorded here; nothing is ever
 * inferred from what the device says.
 */
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

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
 * The callback points into the consumer, which may have been freed by the time
 * we hear that it goes. It is there as long as it has a status: its last close, or
 * its driver's removal, begins with a reset.
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
 * The device's own wish to be reset (virtio 1.2, 2.1.1) comes with a
 * configuration interrupt. A single vector for everything does not tell what
 * it came for: the owner then looks at its configuration more often than needed.
 */
static void irq_config_changed(struct baton_vdpa *bv)
{
	struct baton_function *fn = bv->b->fn;

	baton_shadow_stale(bv->b);
	if (fn->ops->get_status(fn) & VIRTIO_CONFIG_S_NEEDS_RESET)
		WRITE_ONCE(bv->needs_reset, true);
	baton_irq_config(bv);
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
			baton_irq_queue(bq);
	}

	return IRQ_HANDLED;
}

/* A vector of its own needs no search for the queue. */
static irqreturn_t irq_handle_queue(int irq, void *data)
{
	struct baton_queue *bq = data;

	baton_irq_queue(bq);
	return IRQ_HANDLED;
}

/*
 * The kernel's drivers poll the queues that they gave no callback; a user may
 * supply an eventfd at any time.
 */
static bool irq_queue_wants_vector(const struct baton_vdpa *bv, const struct baton_queue *bq)
{
	if (bq->index == bv->ctrl.index || !bv->b->fn->queue_max[bq->index])
		return false;
	return bv->b->owner.owner == BATON_USER ? bq->cfg.size : !!bq->cb.callback;
}

/* Vector 0 is the configuration's; queues get the others, or share what is there. */
static u16 vector_share_of(unsigned int nth, unsigned int nr_vectors)
{
	return nr_vectors == 1 ? 0 : 1 + nth % (nr_vectors - 1);
}

static void vectors_assign(struct baton_vdpa *bv, unsigned int want)
{
	struct baton_queue *bq;
	unsigned int i, nth = 0;

	guard(mutex)(&bv->affinity_lock);
	for (i = 0; i < bv->nr_queues; i++) {
		bq = &bv->queues[i];
		bq->own_irq = -EINVAL;
		bq->cfg.vector = BATON_NO_VECTOR;
		if (!irq_queue_wants_vector(bv, bq))
			continue;
		bq->cfg.vector = vector_share_of(nth++, bv->nr_vectors);
		if (bv->nr_vectors == want)
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

	if (bq)
		err = request_irq(v->irq, irq_handle_queue, 0, v->name, bq);
	else
		err = request_irq(v->irq, irq_handle_vector, 0, v->name, v);
	if (err || !bq)
		return err;

	guard(mutex)(&bv->affinity_lock);
	if (bq->affinity)
		irq_set_affinity(v->irq, bq->affinity);

	return 0;
}

static void vectors_free_irqs(struct baton_vdpa *bv, unsigned int nr)
{
	struct baton_queue *bq;

	while (nr--) {
		bq = vector_sole_queue(bv, nr);
		free_irq(bv->vectors[nr].irq, bq ? (void *)bq : &bv->vectors[nr]);
	}
}

static void vectors_free(struct baton_vdpa *bv)
{
	struct baton_function *fn = bv->b->fn;
	unsigned int i;

	mutex_lock(&bv->affinity_lock);
	for (i = 0; i < bv->nr_queues; i++) {
		bv->queues[i].own_irq = -EINVAL;
		bv->queues[i].cfg.vector = BATON_NO_VECTOR;
	}
	mutex_unlock(&bv->affinity_lock);
	fn->ops->free_vectors(fn);
	kfree(bv->vectors);
	bv->vectors = NULL;
	bv->nr_vectors = 0;
}

/**
 * baton_irq_request() - allocate vectors and request interrupts
 * @bv: the vDPA device, whose function is about to be granted to its owner
 *
 * One vector for each queue that wants one and one for the configuration, if
 * there are enough; else queues share; else one vector serves all.
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0 or a negative errno: nothing is left allocated then.
 */
int baton_irq_request(struct baton_vdpa *bv)
{
	struct baton *b = bv->b;
	const struct baton_function_ops *ops = b->fn->ops;
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
	bv->nr_vectors = nr;
	bv->vectors = kcalloc(nr, sizeof(*bv->vectors), GFP_KERNEL);
	if (!bv->vectors) {
		vectors_free(bv);
		return -ENOMEM;
	}
	for (i = 0; i < nr; i++) {
		bv->vectors[i].bv = bv;
		bv->vectors[i].index = i;
		bv->vectors[i].irq = ops->vector_irq(b->fn, i);
	}
	vectors_assign(bv, want);

	for (i = 0; i < nr; i++) {
		err = vector_request(bv, i);
		if (err)
			goto err_free;
	}
	if (nr < want)
		dev_info_ratelimited(b->fn->dev,
				     "%d interrupt vectors instead of %u: queues share\n",
				     nr, want);

	err = ops->set_config_vector(b->fn, 0);
	if (err)
		goto err_free;

	return 0;

err_free:
	baton_report_refusal(b, "DRIVER_OK refused: cannot set up interrupt vector %u of %d: %pe",
			     i, nr, ERR_PTR(err));
	vectors_free_irqs(bv, i);
	vectors_free(bv);
	return err;
}

/**
 * baton_irq_free() - free interrupts and vectors
 * @bv: the vDPA device; does nothing if it has none
 *
 * No callback runs, or will run, on behalf of these when this returns.
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_irq_free(struct baton_vdpa *bv)
{
	if (!bv->vectors)
		return;
	vectors_free_irqs(bv, bv->nr_vectors);
	vectors_free(bv);
}
