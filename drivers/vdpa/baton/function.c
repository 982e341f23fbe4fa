// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function comes, is reset by others, sleeps, and goes.
 *
 * The function driver calls this from operations of its bus, which the function's device lock
 * serialises; &baton.lock, taken here, keeps the vDPA device's operations out. Each entry says
 * whether it is kept. &baton_function.baton is set from probe to remove, under the device lock.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

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

/* What a device may refuse in combination; how many queues it shows does not depend on it. */
#define RARE_FEATURES (BIT_ULL(VIRTIO_F_RING_PACKED) | BIT_ULL(VIRTIO_F_IN_ORDER) |	\
		       BIT_ULL(VIRTIO_F_NOTIFICATION_DATA))

/* virtio 1.2, 3.1.1, steps 2 and 3: before its features are read; it has been reset. */
static void function_notice(struct baton *b)
{
	b->fn->ops->set_status(b->fn, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	b->fn->ops->set_status(b->fn, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
}

static bool function_takes(struct baton *b, u64 features)
{
	const struct baton_function_ops *ops = b->fn->ops;

	ops->set_features(b->fn, features);
	ops->set_status(b->fn, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			       VIRTIO_CONFIG_S_FEATURES_OK);

	return ops->get_status(b->fn) & VIRTIO_CONFIG_S_FEATURES_OK;
}

/* Negotiates all features that a consumer could have, or at least those that queues depend on. */
static int function_negotiate(struct baton *b)
{
	u64 features = baton_features_offer(b->hw_features, BATON_NONE);
	int err;

	if (b->fn->device_id == VIRTIO_ID_NET)
		features = baton_net_known(features);
	if (function_takes(b, features))
		return 0;
	err = baton_handover_reset(b);
	if (err)
		return err;
	function_notice(b);
	if (!function_takes(b, features & ~RARE_FEATURES))
		dev_warn(b->fn->dev, "refuses its own features %#llx taken together, with and without RING_PACKED (34), IN_ORDER (35) and NOTIFICATION_DATA (38); some queues may not show\n",
			 features);

	return 0;
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
	int err;
	u16 i;

	function_notice(b);
	b->hw_features = ops->get_features(fn);
	if (!(b->hw_features & BIT_ULL(VIRTIO_F_VERSION_1))) {
		dev_err(fn->dev, "offers features %#llx without VERSION_1: legacy devices are not supported\n",
			b->hw_features);
		return -EOPNOTSUPP;
	}
	err = function_negotiate(b) ?: ops->find_queues(fn);
	if (err)
		return err;
	for (i = 0; i < fn->nr_queues; i++)
		b->queue_max = max(b->queue_max, fn->queue_max[i]);
	if (!b->queue_max) {
		dev_err(fn->dev, "has no queues\n");
		return -ENODEV;
	}

	baton_domain_widen(b, baton_relay_window(b, fn->nr_queues));

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
 * baton_function_create() - reset a function, and learn what it is
 * @fn: the function, as its driver sees it
 *
 * It is put into the empty domain, if it is isolated, and has bus mastering off.
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
	kref_init(&b->ref);
	b->fn = fn;
	err = baton_faults_wrap(fn);
	if (err)
		goto err_free;
	/* A class each: a bus reset holds the locks of all functions behind a bridge. */
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
 * before. @b itself stays until its last reference is dropped; its fn must not be used.
 *
 * Context: may sleep; from the function driver's remove; &baton.lock not held.
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
	baton_faults_unwrap(fn);
	baton_function_put(b);
}

/**
 * baton_function_get() - take a reference on a function
 * @b: the function
 *
 * It keeps @b allocated, and nothing else: the function itself may go.
 *
 * Context: any.
 * Return: @b.
 */
struct baton *baton_function_get(struct baton *b)
{
	kref_get(&b->ref);
	return b;
}

static void function_free(struct kref *ref)
{
	struct baton *b = container_of(ref, struct baton, ref);

	mutex_destroy(&b->lock);
	lockdep_unregister_key(&b->lock_key);
	kfree(b);
}

/**
 * baton_function_put() - undo baton_function_get()
 * @b: the function, which may have gone long since
 *
 * Context: may sleep.
 */
void baton_function_put(struct baton *b)
{
	kref_put(&b->ref, function_free);
}

/**
 * baton_function_shutdown() - the system is going down
 * @fn: the function
 *
 * Stops its DMA for good: processes still run, and the memory of the next kernel (kexec)
 * must not be written to.
 *
 * Context: may sleep; the function's device lock held.
 */
void baton_function_shutdown(struct baton_function *fn)
{
	struct baton *b = fn->baton;

	mutex_lock(&b->lock);
	baton_handover_event(b, BATON_EV_SHUTDOWN);
	mutex_unlock(&b->lock);
}
EXPORT_SYMBOL_GPL(baton_function_shutdown);

static void function_lose(struct baton *b)
{
	baton_handover_event(b, BATON_EV_LOSE);
	if (b->bv && b->bv->status & VIRTIO_CONFIG_S_FEATURES_OK)
		WRITE_ONCE(b->bv->needs_reset, true);
}

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

	baton_virtio_pause(b);
	mutex_lock(&b->lock);
	function_lose(b);
}
EXPORT_SYMBOL_GPL(baton_function_reset_prepare);

/* Tells the owner of a function that was reset by others to reset as well. &baton.lock held. */
static void function_tell_owner(struct baton *b)
{
	struct baton_vdpa *bv = b->bv;

	if (!bv || !bv->needs_reset || !(bv->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	dev_warn(b->fn->dev, "was reset under its consumer (%s), which has to reset as well\n",
		 baton_owner_party_name(b->owner.consumer));
	baton_irq_config(bv);
}

/* It can be reached again, and has lost all state. &baton.lock held. */
static void function_return(struct baton *b)
{
	baton_shadow_stale(b);
	if (b->owner.state == BATON_BROKEN && !baton_handover_event(b, BATON_EV_RECOVER)) {
		dev_info(b->fn->dev, "answers again after a reset: no longer broken\n");
		baton_report_recovered(b);
	}
	function_tell_owner(b);
	if (b->bv)
		baton_recover_begin(&b->bv->recovery);
}

/**
 * baton_function_reset_done() - somebody else has reset the function
 * @fn: the function
 *
 * A broken function is drained: if it answers, it is blocked, and can be owned again.
 *
 * Context: may sleep; after baton_function_reset_prepare(), whose lock this releases.
 */
void __no_context_analysis baton_function_reset_done(struct baton_function *fn)
{
	struct baton *b = fn->baton;

	function_return(b);
	mutex_unlock(&b->lock);
	baton_virtio_resume(b);
}
EXPORT_SYMBOL_GPL(baton_function_reset_done);

/**
 * baton_function_error() - the bus cannot reach the function any more
 * @fn: the function
 * @for_good: it will not be able to again either
 *
 * Whoever owns it loses it. Unless that is for good, the owner is told in
 * baton_function_recover() only: a reset would find nothing that answers now.
 *
 * Context: may sleep; the function's device lock held. &baton.lock is not kept, since no
 * call may follow that could release it.
 */
void baton_function_error(struct baton_function *fn, bool for_good)
{
	struct baton *b = fn->baton;

	guard(mutex)(&b->lock);
	function_lose(b);
	if (for_good)
		function_tell_owner(b);
}
EXPORT_SYMBOL_GPL(baton_function_error);

/**
 * baton_function_recover() - the bus was reset, and reaches the function again
 * @fn: the function
 *
 * Context: may sleep; the function's device lock held.
 */
void baton_function_recover(struct baton_function *fn)
{
	struct baton *b = fn->baton;

	guard(mutex)(&b->lock);
	/* baton_function_error() need not have been called: another function had the error. */
	function_lose(b);
	function_return(b);
}
EXPORT_SYMBOL_GPL(baton_function_recover);

/**
 * baton_function_sleep() - the system goes to sleep
 * @fn: the function
 *
 * A virtio driver of the kernel's that has a freeze operation steps aside; from any other owner it
 * is taken, who is told in baton_function_wake(). It is drained, so that nothing is left that the
 * PCI core, firmware or another kernel could switch on again. The device of a user who has
 * suspended it (suspend.c) was drained before, and stays as it is.
 *
 * Context: may sleep, until all requests that a virtio driver has under way are answered; the
 * function's device lock held; user space is frozen. &baton.lock is not kept.
 * Return: 0, or the errno with which a virtio driver refuses; nothing has changed then.
 */
int baton_function_sleep(struct baton_function *fn)
{
	struct baton *b = fn->baton;
	int err;

	err = baton_virtio_sleep(b);
	if (err)
		return err;

	guard(mutex)(&b->lock);
	if (!baton_owner_held(&b->owner) && b->owner.state != BATON_NEGOTIATED)
		return 0;
	baton_handover_event(b, BATON_EV_DRAIN);
	baton_virtio_break(b);
	WRITE_ONCE(b->bv->needs_reset, true);
	/* No failure of the function's: bound anew however often the system sleeps. */
	b->bv->recovery.tried = false;

	return 0;
}
EXPORT_SYMBOL_GPL(baton_function_sleep);

/* A suspended function that has not answered: it must not be resumed as if it had. */
static void function_wake_failed(struct baton *b)
{
	baton_handover_event(b, BATON_EV_DRAIN);
	baton_handover_fail(b->bv, false);
}

/**
 * baton_function_wake() - the system has woken up, or did not fall asleep after all
 * @fn: the function
 *
 * It is reset before anybody owns it again, since firmware, or another kernel (hibernation), may
 * have used it meanwhile.
 *
 * Context: may sleep; the function's device lock held; after baton_function_sleep().
 */
void baton_function_wake(struct baton_function *fn)
{
	struct baton *b = fn->baton;

	mutex_lock(&b->lock);
	if (b->owner.state == BATON_BLOCKED)
		baton_handover_event(b, BATON_EV_DRAIN);
	else if (b->owner.state == BATON_SUSPENDED && baton_handover_reset(b))
		function_wake_failed(b);
	function_return(b);
	mutex_unlock(&b->lock);
	baton_virtio_wake(b);
}
EXPORT_SYMBOL_GPL(baton_function_wake);
