// SPDX-License-Identifier: GPL-2.0-only
/*
 * A function that has failed under the kernel's own driver.
 *
 * A virtio driver does not look whether its device wants to be reset (virtio 1.2, 2.1.2:
 * DEVICE_NEEDS_RESET), nor does it survive a reset by others: its network device or disk would
 * be dead until somebody binds it anew. So we do that, from a work item: a driver that can step
 * aside does, and has lost nothing; any other is unbound from its virtio device and bound
 * again, which makes it a new network device.
 *
 * Being unbound, some drivers wait for requests that were lost, or for who has them mounted: then
 * this waits as well, and the device can be deleted meanwhile (mgmt.c).
 *
 * That ends as often as it begins: a function that fails again within %RECOVER_SECONDS is
 * left as it is, for somebody to look at.
 *
 * &baton.lock guards what is decided. It is not held while a driver steps aside, goes or
 * comes, since it uses the function meanwhile: the device lock of the virtio device
 * keeps others from doing the same to it.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/module.h>

#include "core.h"
#include "handover.h"
#include "recover.h"

#define RECOVER_SECONDS	60
#define RECOVER_RETRY_MS	50

/*
 * Whether the kernel's driver needs it, and nobody else sees to it: who deletes the device, and
 * who has the driver step aside for a reset of his own.
 */
static bool recover_is_wanted(const struct baton_vdpa *bv, const struct baton *b)
{
	if (b->owner.consumer != BATON_KERNEL || !b->virtio.dev || !READ_ONCE(bv->needs_reset) ||
	    READ_ONCE(bv->leave.begun) || READ_ONCE(b->virtio.aside) || !b->fn->ops->present(b->fn))
		return false;

	/*
	 * A driver that could step aside has lost its requests: it would wait for them. Blocked: it
	 * was taken from its driver while the system slept.
	 */
	return b->owner.state == BATON_KERNEL_OWNS ||
	       ((b->owner.state == BATON_LOST || b->owner.state == BATON_BLOCKED) &&
		!baton_virtio_can_pause(b));
}

static bool recover_is_circle(const struct baton_recovery *recovery)
{
	return recovery->tried && time_before(jiffies, recovery->when + RECOVER_SECONDS * HZ);
}

/* Returns the virtio device, with a reference, if something is to be done for it. */
static struct device *recover_decide(struct baton_vdpa *bv)
{
	bool again;

	CLASS(baton_vdpa, b)(bv);
	if (!recover_is_wanted(bv, b))
		return NULL;
	again = recover_is_circle(&bv->recovery);
	/* A function that asks on and on is not answered each time, nor in the log. */
	if (again && bv->recovery.given_up)
		return NULL;
	bv->recovery.given_up = again;
	if (again)
		baton_report_fault(b,
				   "failed under the kernel's driver again within %u s: left as it is; reset it through sysfs, then bind its virtio driver anew",
				   RECOVER_SECONDS);
	else
		dev_warn(b->fn->dev, "has failed under the kernel's driver, or asks to be reset: the driver is to set it up anew%s\n",
			 baton_virtio_waits(b) && !baton_virtio_can_pause(b) ?
			 ", when nobody uses it" : "");
	/* What its driver waits for on its way out must not be waited for. */
	if (!baton_virtio_can_pause(b))
		baton_handover_event(b, BATON_EV_LOSE);
	if (again)
		return NULL;
	bv->recovery.tried = true;
	bv->recovery.when = jiffies;

	return get_device(b->virtio.dev);
}

/* While the system falls asleep or wakes up, probes are put off: nobody makes up for this one. */
static int recover_attach(struct baton_vdpa *bv, struct device_driver *drv, struct device *virtio)
{
	unsigned long end = jiffies + RECOVER_SECONDS * HZ;
	int err = device_driver_attach(drv, virtio);

	while (err == -EAGAIN && !READ_ONCE(bv->leave.begun) && time_before(jiffies, end)) {
		msleep(RECOVER_RETRY_MS);
		err = device_driver_attach(drv, virtio);
	}

	return err;
}

/* With its driver unbound for a moment. The module stays: what drv points to is in it. */
static int recover_rebind(struct baton_vdpa *bv, struct device *virtio)
{
	struct device_driver *drv;
	int err;

	device_lock(virtio);
	drv = virtio->driver;
	if (drv && !try_module_get(drv->owner))
		drv = NULL;
	device_unlock(virtio);
	if (!drv)
		return -ENODEV;
	device_release_driver(virtio);
	err = recover_attach(bv, drv, virtio);
	module_put(drv->owner);

	return err;
}

static void recover_tell(struct baton_vdpa *bv, int err)
{
	CLASS(baton_vdpa, b)(bv);
	if (!err && b->owner.state == BATON_KERNEL_OWNS)
		dev_warn(b->fn->dev, "its virtio driver was bound anew, and goes on\n");
	else if (err != -ENODEV)
		baton_report_fault(b,
				   "its virtio driver was bound anew, in vain (%pe, state %s): reset the function through sysfs, then bind the driver",
				   ERR_PTR(err), baton_owner_state_name(b->owner.state));
}

static void recover_work(struct work_struct *work)
{
	struct baton_vdpa *bv = container_of(work, struct baton_vdpa, recovery.work.work);
	struct device *virtio = recover_decide(bv);

	if (!virtio)
		return;
	if (baton_virtio_can_pause(bv->made_of))
		baton_virtio_renew(bv->made_of);
	else
		recover_tell(bv, recover_rebind(bv, virtio));
	put_device(virtio);
}

/**
 * baton_recover_init() - a vDPA device is being made of a function
 * @bv: the vDPA device
 */
void baton_recover_init(struct baton_vdpa *bv)
{
	INIT_DELAYED_WORK(&bv->recovery.work, recover_work);
}

/**
 * baton_recover_uninit() - its function does not come to a vDPA device any more
 * @bv: the vDPA device, no longer registered, and no longer the function's
 *
 * Context: may sleep, as long as a virtio driver takes to step aside, %BATON_STUCK_MS if it cannot;
 * &baton.lock not held.
 */
void baton_recover_uninit(struct baton_vdpa *bv)
{
	cancel_delayed_work_sync(&bv->recovery.work);
}
