// SPDX-License-Identifier: GPL-2.0-only
/*
 * Consumers come and go: the drivers of the vDPA bus.
 *
 * &baton_owner.consumer changes here, by the bus's notifier, with &baton.lock held, and when a
 * function leaves its vDPA device (gone.c). The bus holds the device lock of the vDPA device, so
 * two changes of one device do not overlap.
 *
 * &device.driver is set before BUS_NOTIFY_BIND_DRIVER and until just before
 * BUS_NOTIFY_UNBOUND_DRIVER; so a device that has a driver, but no consumer, has
 * one that was refused.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include "core.h"
#include "consumer.h"
#include "handover.h"
#include "status.h"

/**
 * baton_consumer_set_config_cb() - whom to call when the configuration changes
 * @bv: the vDPA device
 * @cb: whom; without a function: nobody
 *
 * Context: any; takes &baton_vdpa.config_lock.
 */
void baton_consumer_set_config_cb(struct baton_vdpa *bv, const struct vdpa_callback *cb)
{
	unsigned long flags;

	spin_lock_irqsave(&bv->config_lock, flags);
	bv->config_cb = *cb;
	spin_unlock_irqrestore(&bv->config_lock, flags);
}

/**
 * baton_consumer_refused() - is the driver that is bound, or about to be, one that was refused?
 * @bv: the vDPA device
 *
 * Context: any.
 * Return: true if so.
 */
bool baton_consumer_refused(const struct baton_vdpa *bv)
{
	return READ_ONCE(bv->vdpa.dev.driver) &&
	       READ_ONCE(READ_ONCE(bv->b)->owner.consumer) == BATON_NONE;
}

/* A strict policy can be kept only by filters of the hardware's: the log says where it cannot. */
static void consumer_warn_unfiltered(struct baton_vdpa *bv)
{
	struct baton *b = bv->b;
	u64 offered = baton_status_offered(bv);

	if (b->fn->device_id != VIRTIO_ID_NET ||
	    baton_status_policy(bv) & BATON_MAY_PROMISC ||
	    baton_net_filters(b->hw_features, offered))
		return;
	dev_notice(b->fn->dev,
		   "a user of %s can see all that reaches the function: %s; filter outside of it\n",
		   dev_name(&bv->vdpa.dev),
		   offered & BIT_ULL(VIRTIO_F_RING_PACKED) ?
		   "packed rings leave no control queue to filter by" :
		   "the hardware does not offer CTRL_VQ (17) and CTRL_RX (18)");
}

static void consumer_allow_user(struct baton_vdpa *bv)
{
	struct baton *b = bv->b;
	int err;

	if (baton_domain_isolation(b, bv->denial, sizeof(bv->denial))) {
		err = baton_domain_user_init(b);
		if (!err) {
			b->owner.user_allowed = true;
			consumer_warn_unfiltered(bv);
			return;
		}
		/* A failed baton_domain_user_init() may have left it in the default domain. */
		baton_handover_event(b, BATON_EV_DRAIN);
		snprintf(bv->denial, sizeof(bv->denial), "cannot allocate an IOMMU domain: %pe",
			 ERR_PTR(err));
	}
	baton_report_refusal(b, "no user may own this function: %s", bv->denial);
}

static void consumer_goes(struct baton_vdpa *bv)
{
	struct baton *b = bv->b;

	if (b->owner.consumer == BATON_NONE)
		return;
	baton_handover_unbind(b);
	baton_status_forget(bv);
	bv->user_pid = 0;
	baton_consumer_set_config_cb(bv, &(struct vdpa_callback) {});
}

/*
 * vhost_vdpa allocates all queues of a device at once, some 19 KiB each. More than kmalloc() can
 * ever give would be a warning of the kernel's.
 */
#define VHOST_QUEUE_SIZE	(UIO_MAXIOV * sizeof(struct iovec) + 3 * SZ_1K)
#define VHOST_MAX_QUEUES	(KMALLOC_MAX_SIZE / VHOST_QUEUE_SIZE)

static void consumer_comes(struct baton_vdpa *bv, const char *driver)
{
	struct baton *b = bv->b;
	int err = -ENODEV;

	/* The device is being deleted: see mgmt_patience(). */
	if (READ_ONCE(bv->leave.begun))
		return;
	if (!strcmp(driver, "virtio_vdpa"))
		err = baton_handover_event(b, BATON_EV_BIND_KERNEL);
	else if (!strcmp(driver, "vhost_vdpa") && bv->nr_queues > VHOST_MAX_QUEUES)
		err = -E2BIG;
	else if (!strcmp(driver, "vhost_vdpa"))
		err = baton_handover_event(b, BATON_EV_BIND_USER);
	if (err == -E2BIG)
		baton_report_refusal(b,
				     "consumer %s refused: it has room for %zu queues, and there are %u; net: add the device with max_vqp",
				     driver, (size_t)VHOST_MAX_QUEUES, bv->nr_queues);
	else if (err)
		baton_report_refusal(b,
				     "consumer %s refused (%pe): only virtio_vdpa and vhost_vdpa are known",
				     driver, ERR_PTR(err));
	else if (b->owner.consumer == BATON_USER)
		consumer_allow_user(bv);
}

static int consumer_changes(struct notifier_block *nb, unsigned long action, void *data)
{
	struct baton_vdpa *bv = container_of(nb, struct baton_vdpa, nb);
	struct device *dev = data;

	if (dev != &bv->vdpa.dev)
		return NOTIFY_DONE;

	CLASS(baton_vdpa, b)(bv);
	switch (action) {
	case BUS_NOTIFY_BIND_DRIVER:
		/*
		 * CONFIG_DEBUG_TEST_DRIVER_REMOVE binds twice, and does not say that it has
		 * removed the driver in between.
		 */
		consumer_goes(bv);
		consumer_comes(bv, dev->driver->name);
		break;
	case BUS_NOTIFY_UNBIND_DRIVER:
		/*
		 * The kernel's callback is cleared when it begins to unbind, since it is freed
		 * before BUS_NOTIFY_UNBOUND_DRIVER; a user's is kept, for the user may stay.
		 */
		if (b->owner.consumer == BATON_KERNEL)
			baton_consumer_set_config_cb(bv, &(struct vdpa_callback) {});
		break;
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
	case BUS_NOTIFY_UNBOUND_DRIVER:
		consumer_goes(bv);
		break;
	}

	return NOTIFY_OK;
}

/**
 * baton_consumer_watch() - learn of the consumers of a new vDPA device
 * @bv: the vDPA device, not yet registered: registration may bind one right away
 *
 * Context: may sleep; &baton.lock not held, since the notifier takes it.
 * Return: 0 or the errno of bus_register_notifier().
 */
int baton_consumer_watch(struct baton_vdpa *bv)
{
	bv->nb.notifier_call = consumer_changes;
	return bus_register_notifier(bv->vdpa.dev.bus, &bv->nb);
}

/**
 * baton_consumer_unwatch() - undo baton_consumer_watch()
 * @bv: the vDPA device, no longer registered
 *
 * Context: may sleep; &baton.lock not held.
 */
void baton_consumer_unwatch(struct baton_vdpa *bv)
{
	bus_unregister_notifier(bv->vdpa.dev.bus, &bv->nb);
}
