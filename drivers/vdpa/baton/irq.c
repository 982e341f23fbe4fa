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
 * baton_irq_config() - tell the owner that the configuration changed
 * @bv: the vDPA device
 *
 * Context: any.
 */
void baton_irq_config(struct baton_vdpa *bv)
{
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
static void irq_config_changed(struct baton *b)
{
	baton_shadow_stale(b);
	if (b->fn->ops->get_status(b->fn) & VIRTIO_CONFIG_S_NEEDS_RESET)
		WRITE_ONCE(b->bv->needs_reset, true);
	baton_irq_config(b->bv);
}

static irqreturn_t irq_handle_vector(int irq, void *data)
{
	struct baton_vector *v = data;
	struct baton_vdpa *bv = v->b->bv;
	struct baton_queue *bq;
	unsigned int i;

	if (v->index == 0)
		irq_config_changed(v->b);
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
static bool irq_queue_wants_vector(const struct baton *b, const struct baton_queue *bq)
{
	if (bq->index == b->bv->control || !b->fn->queue_max[bq->index])
		return false;
	return b->owner.owner == BATON_USER ? bq->cfg.size : !!bq->cb.callback;
}

/* Vector 0 is the configuration's; queues get the others, or share what is there. */
static u16 vector_share_of(unsigned int nth, unsigned int nr_vectors)
{
	return nr_vectors == 1 ? 0 : 1 + nth % (nr_vectors - 1);
}

static void vectors_assign(struct baton *b, unsigned int want)
{
	struct baton_vdpa *bv = b->bv;
	struct baton_queue *bq;
	unsigned int i, nth = 0;

	guard(mutex)(&bv->affinity_lock);
	for (i = 0; i < bv->nr_queues; i++) {
		bq = &bv->queues[i];
		bq->own_irq = -EINVAL;
		bq->cfg.vector = BATON_NO_VECTOR;
		if (!irq_queue_wants_vector(b, bq))
			continue;
		bq->cfg.vector = vector_share_of(nth++, b->nr_vectors);
		if (b->nr_vectors == want)
			bq->own_irq = b->vectors[bq->cfg.vector].irq;
	}
}

static struct baton_queue *vector_sole_queue(struct baton *b, unsigned int vector)
{
	struct baton_vdpa *bv = b->bv;
	unsigned int i;

	for (i = 0; i < bv->nr_queues; i++)
		if (bv->queues[i].own_irq >= 0 && bv->queues[i].cfg.vector == vector)
			return &bv->queues[i];

	return NULL;
}

static int vector_request(struct baton *b, unsigned int i)
{
	struct baton_vector *v = &b->vectors[i];
	struct baton_queue *bq = vector_sole_queue(b, i);
	const char *function = dev_name(b->fn->dev);
	int err;

	if (i == 0)
		snprintf(v->name, sizeof(v->name), "baton-%s-%s", function,
			 b->nr_vectors == 1 ? "all" : "config");
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

	guard(mutex)(&b->bv->affinity_lock);
	if (bq->affinity)
		irq_set_affinity(v->irq, bq->affinity);

	return 0;
}

static void vectors_free_irqs(struct baton *b, unsigned int nr)
{
	struct baton_queue *bq;

	while (nr--) {
		bq = vector_sole_queue(b, nr);
		free_irq(b->vectors[nr].irq, bq ? (void *)bq : &b->vectors[nr]);
	}
}

static void vectors_free(struct baton *b)
{
	struct baton_vdpa *bv = b->bv;
	unsigned int i;

	mutex_lock(&bv->affinity_lock);
	for (i = 0; i < bv->nr_queues; i++) {
		bv->queues[i].own_irq = -EINVAL;
		bv->queues[i].cfg.vector = BATON_NO_VECTOR;
	}
	mutex_unlock(&bv->affinity_lock);
	b->fn->ops->free_vectors(b->fn);
	kfree(b->vectors);
	b->vectors = NULL;
	b->nr_vectors = 0;
}

/**
 * baton_irq_request() - allocate vectors and request interrupts
 * @b: the function, about to be granted to the owner of its vDPA device
 *
 * One vector for each queue that wants one and one for the configuration, if
 * there are enough; else queues share; else one vector serves all.
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0 or a negative errno: nothing is left allocated then.
 */
int baton_irq_request(struct baton *b)
{
	const struct baton_function_ops *ops = b->fn->ops;
	struct baton_vdpa *bv = b->bv;
	unsigned int want = 1, i;
	int nr, err;

	for (i = 0; i < bv->nr_queues; i++)
		want += irq_queue_wants_vector(b, &bv->queues[i]);

	nr = ops->alloc_vectors(b->fn, want);
	if (nr < 1) {
		baton_function_refuse(b,
				      "DRIVER_OK refused: no interrupt vectors (MSI-X), wanted %u: %pe",
				      want,
				      ERR_PTR(nr));
		return nr < 0 ? nr : -ENOSPC;
	}
	b->nr_vectors = nr;
	b->vectors = kcalloc(nr, sizeof(*b->vectors), GFP_KERNEL);
	if (!b->vectors) {
		vectors_free(b);
		return -ENOMEM;
	}
	for (i = 0; i < nr; i++) {
		b->vectors[i].b = b;
		b->vectors[i].index = i;
		b->vectors[i].irq = ops->vector_irq(b->fn, i);
	}
	vectors_assign(b, want);

	for (i = 0; i < nr; i++) {
		err = vector_request(b, i);
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
	baton_function_refuse(b, "DRIVER_OK refused: cannot set up interrupt vector %u of %d: %pe",
			      i, nr, ERR_PTR(err));
	vectors_free_irqs(b, i);
	vectors_free(b);
	return err;
}

/**
 * baton_irq_free() - free interrupts and vectors
 * @b: the function; does nothing if it has none
 *
 * No callback runs, or will run, on behalf of these when this returns.
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_irq_free(struct baton *b)
{
	if (!b->vectors)
		return;
	vectors_free_irqs(b, b->nr_vectors);
	vectors_free(b);
}
