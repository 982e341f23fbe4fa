// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function comes, is reset by others, and goes.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "core.h"
#include "faults.h"
#include "features.h"
#include "function.h"
#include "handover.h"

static u32 function_read_config(void *ctx, unsigned int offset, unsigned int width)
{
	struct baton_function *fn = ctx;

	return fn->ops->read_config(fn, offset, width);
}

static void function_write_config(void *ctx, unsigned int offset, unsigned int width, u32 value)
{
	struct baton_function *fn = ctx;

	fn->ops->write_config(fn, offset, width, value);
}

static u8 function_read_generation(void *ctx)
{
	struct baton_function *fn = ctx;

	return fn->ops->get_generation(fn);
}

/*
 * What the function offers and how many queues it has. Some devices show all
 * of their queues only once the features for them are negotiated (QEMU's net:
 * MQ), so negotiate everything once, look, and reset again.
 */
static int function_learn(struct baton *b)
{
	struct baton_function *fn = b->fn;
	const struct baton_function_ops *ops = fn->ops;
	u8 status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
	int err;
	u16 i;

	ops->set_status(fn, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	ops->set_status(fn, status);
	b->hw_features = ops->get_features(fn);
	if (!(b->hw_features & BIT_ULL(VIRTIO_F_VERSION_1))) {
		dev_err(fn->dev, "offers features %#llx without VERSION_1: legacy devices are not supported\n",
			b->hw_features);
		return -EOPNOTSUPP;
	}
	ops->set_features(fn, baton_features_offer(b->hw_features, BATON_NONE));
	ops->set_status(fn, status | VIRTIO_CONFIG_S_FEATURES_OK);
	if (!(ops->get_status(fn) & VIRTIO_CONFIG_S_FEATURES_OK))
		dev_warn(fn->dev, "refuses its own features %#llx taken together; some queues may not show\n",
			 b->hw_features);

	err = ops->find_queues(fn);
	if (err)
		return err;
	for (i = 0; i < fn->nr_queues; i++)
		b->queue_max = max(b->queue_max, fn->queue_max[i]);
	if (!b->queue_max) {
		dev_err(fn->dev, "has no queues\n");
		return -ENODEV;
	}

	b->config.class = baton_class_find(fn->device_id);
	b->config.features = b->hw_features;
	b->config.mapped = fn->config_len;
	b->config.read = function_read_config;
	b->config.write = function_write_config;
	b->config.generation = function_read_generation;
	b->config.ctx = fn;
	baton_shadow_init(b);

	return baton_handover_reset(b);
}

/**
 * baton_function_create() - take a function into our hands
 * @fn: the function, as its driver sees it
 *
 * Resets it, takes its DMA away (empty IOMMU domain, bus mastering off), and
 * finds out what it is.
 *
 * Context: may sleep; from the function driver's probe.
 * Return: the function, or an ERR_PTR, the reason being in the log.
 */
struct baton *baton_function_create(struct baton_function *fn)
{
	struct baton *b;
	int err;

	b = kzalloc(sizeof(*b), GFP_KERNEL);
	if (!b)
		return ERR_PTR(-ENOMEM);
	b->fn = fn;
	err = baton_faults_wrap(fn);
	if (err)
		goto err_free;
	/* A bus reset locks all functions behind a bridge, in bus order. */
	lockdep_register_key(&b->lock_key);
	__mutex_init(&b->lock, "baton->lock", &b->lock_key);
	baton_report_init(b);
	baton_owner_init(&b->owner);

	err = baton_domain_init(b);
	if (err)
		goto err_lock;

	mutex_lock(&b->lock);
	err = baton_handover_event(b, BATON_EV_RECOVER);
	if (!err) {
		err = function_learn(b);
		if (err)
			baton_handover_event(b, BATON_EV_DRAIN);
	}
	mutex_unlock(&b->lock);
	if (err)
		goto err_domain;

	err = baton_virtio_watch(b);
	if (err)
		goto err_domain;
	fn->baton = b;

	return b;

err_domain:
	baton_domain_uninit(b);
err_lock:
	mutex_destroy(&b->lock);
	lockdep_unregister_key(&b->lock_key);
	baton_faults_unwrap(fn);
err_free:
	kfree(b);
	return ERR_PTR(err);
}

/**
 * baton_function_destroy() - let go of a function
 * @b: the function, of which no vDPA device is left
 *
 * It is reset, without bus mastering, and back in the IOMMU domain that it had
 * before.
 *
 * Context: may sleep; from the function driver's remove.
 */
void baton_function_destroy(struct baton *b)
{
	struct baton_function *fn = b->fn;

	mutex_lock(&b->lock);
	baton_handover_event(b, BATON_EV_SHUTDOWN);
	mutex_unlock(&b->lock);

	fn->baton = NULL;
	baton_virtio_unwatch(b);
	baton_domain_uninit(b);
	mutex_destroy(&b->lock);
	lockdep_unregister_key(&b->lock_key);
	baton_faults_unwrap(fn);
	kfree(b);
}

/**
 * baton_function_shutdown() - the system is going down
 * @fn: the function
 *
 * Stops its DMA for good, so that the next kernel (kexec) finds its memory
 * untouched, whatever processes still run now.
 *
 * Context: may sleep.
 */
void baton_function_shutdown(struct baton_function *fn)
{
	struct baton *b = fn->baton;

	mutex_lock(&b->lock);
	baton_handover_event(b, BATON_EV_SHUTDOWN);
	mutex_unlock(&b->lock);
}
EXPORT_SYMBOL_GPL(baton_function_shutdown);

/**
 * baton_function_reset_prepare() - somebody else is about to reset the function
 * @fn: the function
 *
 * A disk's virtio driver lets go of the function and gets it back afterwards.
 * Any other owner loses it, but not yet the ownership: it is told in
 * baton_function_reset_done() and has to reset.
 *
 * Context: may sleep, until a disk has answered what is under way; the
 * function's device lock held. Holds off every operation on the function until
 * baton_function_reset_done(), which must follow in the same context.
 */
void __no_context_analysis baton_function_reset_prepare(struct baton_function *fn)
{
	struct baton *b = fn->baton;
	struct baton_vdpa *bv;

	baton_virtio_pause(b);
	mutex_lock(&b->lock);
	bv = b->bv;
	baton_handover_event(b, BATON_EV_LOSE);
	if (bv && bv->status & VIRTIO_CONFIG_S_FEATURES_OK)
		bv->needs_reset = true;
}
EXPORT_SYMBOL_GPL(baton_function_reset_prepare);

/**
 * baton_function_reset_done() - somebody else has reset the function
 * @fn: the function
 *
 * A broken function that now answers the reset handshake is whole again.
 *
 * Context: may sleep; after baton_function_reset_prepare().
 */
void __no_context_analysis baton_function_reset_done(struct baton_function *fn)
{
	struct baton *b = fn->baton;
	struct baton_vdpa *bv = b->bv;

	baton_shadow_stale(b);
	if (b->owner.state == BATON_BROKEN && !baton_handover_event(b, BATON_EV_RECOVER)) {
		dev_info(fn->dev, "answers again after a reset: no longer broken\n");
		baton_report_recovered(b);
	}
	if (bv && bv->needs_reset && bv->status & VIRTIO_CONFIG_S_FEATURES_OK) {
		dev_warn(fn->dev, "was reset under its consumer (owner: %s), which has to reset as well\n",
			 baton_owner_party_name(b->owner.owner));
		baton_irq_config(bv);
	}
	mutex_unlock(&b->lock);
	baton_virtio_resume(b);
}
EXPORT_SYMBOL_GPL(baton_function_reset_done);
