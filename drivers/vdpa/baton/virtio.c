// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own driver of a function: what vDPA does not tell it.
 *
 * &baton.lock guards &baton_virtio.dev; the function's device lock guards what is kept of a driver
 * that has stepped aside. The device lock of the virtio device keeps its driver bound meanwhile;
 * it is taken below the function's, and before &baton.lock.
 *
 * A virtio driver learns that its device has failed only by its queues being broken. It does not
 * read the status again, and some drivers wait for requests for ever, even to be unbound. So the
 * queues are broken when the function is lost (baton_virtio_break()).
 *
 * Before somebody else resets the function, a driver that can is asked to step aside, by the freeze
 * and restore that are made for suspend: it waits for its requests, resets, and later sets
 * everything up again. Few can do so while user space runs: see &baton_class.pausable.
 *
 * The device is known from BUS_NOTIFY_ADD_DEVICE, which comes before its driver
 * is probed, to BUS_NOTIFY_REMOVED_DEVICE, which comes after its driver has been
 * removed: that is, for as long as a driver may use it. A search of the bus, or
 * of the parent's children, finds it for a shorter time: a device leaves both
 * before its driver is removed.
 */
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/mod_devicetable.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/workqueue.h>

#include "core.h"
#include "function.h"
#include "irq.h"
#include "param.h"
#include "virtio.h"

static const struct bus_type *virtio_bus_type;

static int virtio_device_changes(struct notifier_block *nb, unsigned long action, void *data)
{
	struct baton *b = container_of(nb, struct baton, virtio.nb);
	struct device *dev = data;

	if (dev->parent != b->fn->dev)
		return NOTIFY_DONE;

	guard(mutex)(&b->lock);
	if (action == BUS_NOTIFY_ADD_DEVICE && !b->virtio.dev) {
		b->virtio.dev = get_device(dev);
	} else if (action == BUS_NOTIFY_REMOVED_DEVICE && b->virtio.dev == dev) {
		b->virtio.dev = NULL;
		put_device(dev);
	}

	return NOTIFY_OK;
}

/**
 * baton_virtio_watch() - learn of virtio devices that are made of a function
 * @b: the function; there is none yet
 *
 * Context: may sleep; &baton.lock not held, since the notifier takes it.
 * Return: 0 or the errno of bus_register_notifier().
 */
int baton_virtio_watch(struct baton *b)
{
	b->virtio.nb.notifier_call = virtio_device_changes;
	return bus_register_notifier(virtio_bus_type, &b->virtio.nb);
}

/**
 * baton_virtio_forget() - drop the reference on the virtio device
 * @b: the function, which leaves its vDPA device (gone.c); does nothing if there is none
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_virtio_forget(struct baton *b)
{
	put_device(b->virtio.dev);
	b->virtio.dev = NULL;
}

/**
 * baton_virtio_unwatch() - undo baton_virtio_watch()
 * @b: the function; there is no virtio device any more
 *
 * Context: may sleep; &baton.lock not held; the function's device lock held.
 */
void baton_virtio_unwatch(struct baton *b)
{
	bus_unregister_notifier(virtio_bus_type, &b->virtio.nb);
	WARN_ON(b->virtio.dev);
	/* The function was removed while the system slept: baton_virtio_wake() never came. */
	put_device(b->virtio.asleep);
}

/**
 * baton_virtio_break() - break the queues of the kernel's driver, so that it waits no longer
 * @b: the function; does nothing if there is no virtio device, as with a user
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_virtio_break(struct baton *b)
{
	if (b->virtio.dev)
		virtio_break_device(dev_to_virtio(b->virtio.dev));
}

/*
 * A driver that steps aside, until it may go on.
 *
 * A work item has it freeze and restore, and holds the device lock of the virtio device from the
 * one to the other. Freezing waits for requests, which a function that has died does not answer: so
 * whoever resets it, with locks of the PCI core held (the bridge's too), waits for the work item as
 * long as requests are answered and gives up then. @state says who frees this: it leaves
 * PAUSE_AWAITED once, by compare and exchange.
 *
 * memalloc_noio: reclaim must not write to the very disk that is frozen.
 */
struct baton_virtio_pause {
	struct work_struct work;
	struct baton *b;
	struct device *dev;
	atomic_t state;
	int err;
	struct completion frozen;
	struct completion go_on;
	struct completion restored;
};

enum {
	PAUSE_AWAITED,
	PAUSE_FROZEN,		/* in time: the work item waits for @go_on */
	PAUSE_ABANDONED,	/* nobody waits: the work item restores at once, and frees it */
};

static void pause_free(struct baton_virtio_pause *pause)
{
	put_device(pause->dev);
	baton_function_put(pause->b);
	kfree(pause);
}

static bool pause_decide(struct baton_virtio_pause *pause, int state)
{
	return atomic_cmpxchg(&pause->state, PAUSE_AWAITED, state) == PAUSE_AWAITED;
}

static bool pause_is_owned(struct baton *b)
{
	guard(mutex)(&b->lock);
	return b->owner.state == BATON_KERNEL_OWNS;
}

/*
 * The driver's restore has returned @err: says how that went. The virtio device's lock is held,
 * or the driver could have been unbound since; &baton.lock is not.
 */
static void virtio_return(struct baton *b, int err)
{
	WRITE_ONCE(b->virtio.aside, false);
	guard(mutex)(&b->lock);
	if (b->owner.state == BATON_KERNEL_OWNS)
		dev_info(b->fn->dev, "the virtio driver goes on after a reset\n");
	else if (err)
		baton_report_fault(b,
				   "the virtio driver could not go on after a reset (%pe): its requests fail; unbind it",
				   ERR_PTR(err));
	else
		baton_report_fault(b,
				   "the virtio driver went on after a reset, and the function did not (state %s): its requests fail; unbind it",
				   baton_owner_state_name(b->owner.state));
}

static void pause_work(struct work_struct *work)
{
	struct baton_virtio_pause *pause = container_of(work, struct baton_virtio_pause, work);
	struct virtio_device *virtio = dev_to_virtio(pause->dev);
	unsigned int noio = memalloc_noio_save();
	bool awaited;
	int err;

	device_lock(pause->dev);
	pause->err = pause_is_owned(pause->b) && pause->dev->driver
			     ? baton_compat_virtio_freeze(virtio) : -ENODEV;
	awaited = pause_decide(pause, PAUSE_FROZEN);
	if (awaited) {
		complete(&pause->frozen);
		wait_for_completion(&pause->go_on);
	}
	if (!pause->err) {
		err = baton_compat_virtio_restore(virtio);
		if (awaited)
			virtio_return(pause->b, err);
	}
	device_unlock(pause->dev);
	memalloc_noio_restore(noio);
	if (awaited)
		complete(&pause->restored);
	else
		pause_free(pause);
}

static struct baton_virtio_pause *pause_begin(struct baton *b)
{
	struct baton_virtio_pause *pause = kzalloc(sizeof(*pause), GFP_KERNEL);

	if (!pause)
		return NULL;
	mutex_lock(&b->lock);
	if (b->owner.state == BATON_KERNEL_OWNS)
		pause->dev = get_device(b->virtio.dev);
	mutex_unlock(&b->lock);
	if (!pause->dev) {
		kfree(pause);
		return NULL;
	}
	pause->b = baton_function_get(b);
	INIT_WORK(&pause->work, pause_work);
	init_completion(&pause->frozen);
	init_completion(&pause->go_on);
	init_completion(&pause->restored);
	queue_work(baton_wq, &pause->work);

	return pause;
}

static void pause_end(struct baton_virtio_pause *pause)
{
	complete(&pause->go_on);
	wait_for_completion(&pause->restored);
	pause_free(pause);
}

static unsigned long pause_answers(struct baton *b)
{
	guard(mutex)(&b->lock);
	return b->bv ? baton_irq_count(b->bv) : 0;
}

/* Returns whether the freeze has ended in time, well or not: pause->err. */
static bool pause_await(struct baton_virtio_pause *pause)
{
	unsigned long answers;

	do {
		answers = pause_answers(pause->b);
		if (wait_for_completion_timeout(&pause->frozen, msecs_to_jiffies(BATON_STUCK_MS)))
			return true;
	} while (pause_answers(pause->b) != answers);
	if (pause_decide(pause, PAUSE_ABANDONED))
		return false;
	/* The work item was faster: it completes at once. */
	wait_for_completion(&pause->frozen);

	return true;
}

/**
 * baton_virtio_can_pause() - can the kernel's driver step aside while user space runs?
 * @b: the function
 *
 * Context: any; a constant of the function.
 * Return: true if so; that there is such a driver is not said.
 */
bool baton_virtio_can_pause(const struct baton *b)
{
	return b->config.class && b->config.class->pausable;
}

/**
 * baton_virtio_waits() - may the kernel's driver take for ever to be unbound?
 * @b: the function
 *
 * Context: any; a constant of the function.
 * Return: true if so.
 */
bool baton_virtio_waits(const struct baton *b)
{
	return b->config.class && b->config.class->waits;
}

/**
 * baton_virtio_pause() - have the kernel's driver let go of the function
 * @b: the function
 *
 * Does nothing unless a virtio driver owns the function and can be paused.
 *
 * Context: may sleep, as long as requests that the driver has under way are answered, and
 * %BATON_STUCK_MS; &baton.lock not held. A work item holds the lock of the virtio device,
 * so that its driver stays until baton_virtio_resume(), which must follow in the same context.
 */
void baton_virtio_pause(struct baton *b)
{
	struct baton_virtio_pause *pause;

	if (!baton_virtio_can_pause(b))
		return;
	pause = pause_begin(b);
	if (!pause)
		return;
	if (!pause_await(pause)) {
		guard(mutex)(&b->lock);
		baton_report_fault(b,
				   "the virtio driver waits for requests that are not answered: reset without it; delete the vDPA device");
		return;
	}
	if (pause->err) {
		/* -ENODEV: it has been unbound, or owns the function no more: no line. */
		if (pause->err != -ENODEV)
			dev_warn(b->fn->dev, "the virtio driver cannot be paused: %pe\n",
				 ERR_PTR(pause->err));
		pause_end(pause);
		return;
	}
	b->virtio.paused = pause;
	WRITE_ONCE(b->virtio.aside, true);
	b->virtio.noio = memalloc_noio_save();
}

/**
 * baton_virtio_resume() - let the kernel's driver have the function again
 * @b: the function
 *
 * Does nothing if baton_virtio_pause() did nothing. If the function does not
 * come back to life, its driver finds that its queues are broken.
 *
 * Context: may sleep; &baton.lock not held; after baton_virtio_pause().
 */
void baton_virtio_resume(struct baton *b)
{
	if (!b->virtio.paused)
		return;
	pause_end(b->virtio.paused);
	b->virtio.paused = NULL;
	memalloc_noio_restore(b->virtio.noio);
}

static struct device *virtio_find_host(struct baton *b)
{
	guard(mutex)(&b->lock);
	return b->bv ? get_device(b->fn->dev) : NULL;
}

/**
 * baton_virtio_renew() - have the kernel's driver set the function up anew
 * @b: the function, whose virtio driver can be paused
 *
 * Whoever resets the function or takes it away holds its device lock, and has the driver step
 * aside himself: nothing is done then.
 *
 * Context: may sleep, as baton_virtio_pause(); &baton.lock not held.
 */
void baton_virtio_renew(struct baton *b)
{
	struct device *host = virtio_find_host(b);

	if (!host)
		return;
	if (device_trylock(host)) {
		baton_virtio_pause(b);
		baton_virtio_resume(b);
		device_unlock(host);
	}
	put_device(host);
}

/**
 * baton_virtio_sleep() - have the kernel's driver let go of the function until the system wakes
 * @b: the function
 *
 * Since user space is frozen, each driver that has a freeze operation can. From one that has none
 * baton_function_sleep() takes the function. Does nothing unless a virtio driver owns it.
 *
 * Context: may sleep, until all requests that the driver has under way are answered,
 * as it does of every disk: &baton.lock not held. No lock is kept.
 * Return: 0; the errno with which the driver refuses, and has not let go.
 */
int baton_virtio_sleep(struct baton *b)
{
	struct device *dev;
	bool owned;
	int err = 0;

	mutex_lock(&b->lock);
	dev = get_device(b->virtio.dev);
	mutex_unlock(&b->lock);
	if (!dev)
		return 0;

	device_lock(dev);
	mutex_lock(&b->lock);
	owned = b->owner.state == BATON_KERNEL_OWNS;
	mutex_unlock(&b->lock);
	if (owned && dev->driver && drv_to_virtio(dev->driver)->freeze) {
		err = baton_compat_virtio_freeze(dev_to_virtio(dev));
		WRITE_ONCE(b->virtio.aside, !err);
		if (!err)
			b->virtio.asleep = get_device(dev);
		else
			dev_warn(b->fn->dev, "the virtio driver does not let the system sleep: %pe\n",
				 ERR_PTR(err));
	}
	device_unlock(dev);
	put_device(dev);

	return err;
}

/**
 * baton_virtio_wake() - undo baton_virtio_sleep()
 * @b: the function
 *
 * Context: may sleep; &baton.lock not held.
 */
void baton_virtio_wake(struct baton *b)
{
	struct device *dev = b->virtio.asleep;

	if (!dev)
		return;
	b->virtio.asleep = NULL;
	device_lock(dev);
	if (dev->driver)
		virtio_return(b, baton_compat_virtio_restore(dev_to_virtio(dev)));
	else
		WRITE_ONCE(b->virtio.aside, false);
	device_unlock(dev);
	put_device(dev);
}

/**
 * baton_virtio_init() - find the virtio bus
 *
 * The kernel does not export it: a driver that is registered, and unregistered at once, is told.
 *
 * Context: may sleep; module init.
 * Return: 0 or a negative errno.
 */
int __init baton_virtio_init(void)
{
	static const struct virtio_device_id no_ids[] = { {} };
	struct virtio_driver driver = {
		.driver.name = "baton",
		.id_table = no_ids,
	};
	int err;

	err = register_virtio_driver(&driver);
	if (err)
		return err;
	virtio_bus_type = driver.driver.bus;
	unregister_virtio_driver(&driver);

	return 0;
}
