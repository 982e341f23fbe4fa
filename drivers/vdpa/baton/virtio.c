// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel's own driver has to know that vDPA does not tell it.
 *
 * A virtio driver learns that its device is gone from its queues being broken,
 * and in no other way. It does not look at the status again, and what is under
 * way in its queues never ends: some wait for that for ever, even to be probed
 * or unbound.
 *
 * So the queues are broken when the function is lost. And before somebody else
 * resets it, a driver that can step aside, as it does when the system is
 * suspended, is asked to: it lets what is under way come to an end, resets, and
 * later sets everything up again. Few can do so under the eyes of a running
 * user space: see &baton_class.pausable.
 */
#include <linux/device.h>
#include <linux/mod_devicetable.h>
#include <linux/virtio.h>

#include "core.h"

/*
 * Drives nothing. A device is on its bus before its driver is probed, but among
 * its parent's children only afterwards; and this is how to learn of the bus.
 */
static const struct virtio_device_id no_ids[] = { {} };

static struct virtio_driver nobody = {
	.driver.name = "baton",
	.id_table = no_ids,
};

static int is_made_of(struct device *dev, const void *parent)
{
	return dev->parent == parent;
}

/* The virtio device that virtio_vdpa has made of the function; a reference goes to the caller. */
static struct device *find_virtio(struct baton *b)
{
	return bus_find_device(nobody.driver.bus, NULL, b->fn->dev, is_made_of);
}

/**
 * baton_virtio_break() - the kernel's driver has to do without the function
 * @b: the function
 *
 * Does nothing if a user is to have it, or nobody.
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_virtio_break(struct baton *b)
{
	struct device *dev;

	if (b->owner.consumer != BATON_KERNEL)
		return;
	dev = find_virtio(b);
	if (!dev)
		return;
	virtio_break_device(dev_to_virtio(dev));
	put_device(dev);
}

/**
 * baton_virtio_pause() - have the kernel's driver let go of the function
 * @b: the function
 *
 * Does nothing unless a virtio driver owns the function and can be paused.
 *
 * Context: may sleep, until all requests that the driver has under way are
 * answered; &baton.lock not held. Takes the lock of the virtio device, so that
 * its driver stays until baton_virtio_resume(), which must follow in the same context.
 */
void baton_virtio_pause(struct baton *b)
{
	struct device *dev;
	bool owned;
	int err;

	if (!b->config.class || !b->config.class->pausable)
		return;
	dev = find_virtio(b);
	if (!dev)
		return;

	device_lock(dev);
	mutex_lock(&b->lock);
	owned = b->owner.state == BATON_KERNEL_OWNS;
	mutex_unlock(&b->lock);
	if (owned && dev->driver) {
		err = baton_compat_virtio_freeze(dev_to_virtio(dev));
		if (!err) {
			b->paused = dev;
			return;
		}
		dev_warn(b->fn->dev, "the virtio driver cannot be paused: %pe\n", ERR_PTR(err));
	}
	device_unlock(dev);
	put_device(dev);
}

/**
 * baton_virtio_resume() - let the kernel's driver have the function again
 * @b: the function
 *
 * Does nothing unless baton_virtio_pause() did something. If the function does not
 * come back to life, its driver finds that its queues are broken.
 *
 * Context: may sleep; &baton.lock not held; after baton_virtio_pause().
 */
void baton_virtio_resume(struct baton *b)
{
	struct device *dev = b->paused;
	int err;

	if (!dev)
		return;
	err = baton_compat_virtio_restore(dev_to_virtio(dev));
	b->paused = NULL;

	mutex_lock(&b->lock);
	if (b->owner.state == BATON_KERNEL_OWNS)
		dev_info(b->fn->dev, "the virtio driver goes on after a reset\n");
	else
		baton_function_refuse(b,
				      "the virtio driver could not go on after a reset (%pe): its requests fail; unbind it",
				      ERR_PTR(err ?: -EIO));
	mutex_unlock(&b->lock);

	device_unlock(dev);
	put_device(dev);
}

/**
 * baton_virtio_init() - get to know the virtio bus
 *
 * Context: may sleep; module init.
 * Return: 0 or a negative errno.
 */
int baton_virtio_init(void)
{
	return register_virtio_driver(&nobody);
}

/**
 * baton_virtio_uninit() - the opposite
 *
 * Context: may sleep; module exit.
 */
void baton_virtio_uninit(void)
{
	unregister_virtio_driver(&nobody);
}
