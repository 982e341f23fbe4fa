// SPDX-License-Identifier: GPL-2.0-only
/*
 * The management device: vdpa dev add, del and set (struct vdpa_mgmtdev_ops).
 *
 * The vDPA core calls these with vdpa_dev_lock written, which serialises them, for all functions.
 * &baton.bv changes under that and &baton.lock. &baton.lock is not held while the vDPA device is
 * registered or unregistered, since both may bind or unbind a consumer, which takes it.
 *
 * Invariant (C11): deleting a device waits for nobody who has it open, but for a bounded time:
 * mgmt_leave().
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <uapi/linux/vdpa.h>

#include "core.h"
#include "consumer.h"
#include "features.h"
#include "function.h"
#include "gone.h"
#include "handover.h"
#include "holder.h"
#include "irq.h"
#include "mgmt.h"
#include "ops.h"
#include "param.h"
#include "provision.h"
#include "status.h"
#include "sysfs.h"

/* How long a user who is asked to close a device is waited for, in ms. */
#define GRACE_MS 300

static struct baton *mgmt_to_baton(struct vdpa_mgmt_dev *mdev)
{
	return container_of(mdev, struct baton, mgmt);
}

static void mgmt_set_device(struct baton *b, struct baton_vdpa *bv)
{
	mutex_lock(&b->lock);
	b->bv = bv;
	mutex_unlock(&b->lock);
}

/* Nobody else knows of @bv yet: &baton.lock is taken for what provisioning asks the function. */
static int mgmt_init_device(struct baton_vdpa *bv, const struct vdpa_dev_set_config *config)
{
	struct baton *b = bv->b;
	int err;

	bv->fail = baton_handover_fail;
	baton_uevent_init(bv);
	baton_recover_init(bv);
	spin_lock_init(&bv->config_lock);
	mutex_lock(&b->lock);
	err = baton_provision_init(bv, config);
	mutex_unlock(&b->lock);
	if (err)
		return err;
	err = baton_queue_init(bv);
	if (err)
		return err;
	err = baton_cvq_init(bv);
	if (err)
		return err;
	err = baton_ctrl_init(bv);
	if (err)
		goto err_cvq;
	baton_ctrl_find(bv, baton_status_offered(bv));
	err = baton_consumer_watch(bv);
	if (err)
		goto err_ctrl;

	return 0;

err_ctrl:
	baton_ctrl_uninit(bv);
err_cvq:
	baton_cvq_uninit(bv);
	return err;
}

/* The function knows it no more: nothing is begun for it any more. */
static void mgmt_uninit_device(struct baton_vdpa *bv)
{
	baton_recover_uninit(bv);
	baton_uevent_uninit(bv);
	baton_consumer_unwatch(bv);
	baton_relay_uninit(bv);
	baton_ctrl_uninit(bv);
	baton_cvq_uninit(bv);
	baton_queue_reset(bv);
}

/* vdpa_dev_lock held: so b->bv, which is read here without &baton.lock, does not change. */
static int mgmt_dev_add(struct vdpa_mgmt_dev *mdev, const char *name,
			const struct vdpa_dev_set_config *config)
{
	struct baton *b = mgmt_to_baton(mdev);
	struct device *dev = b->fn->dev;
	struct vdpa_device *vdev;
	struct baton_vdpa *bv;
	int err;

	if (b->bv) {
		mutex_lock(&b->lock);
		baton_report_refusal(b,
				     "dev add %s refused: the function already is vDPA device %s; delete that first",
				     name, dev_name(&b->bv->vdpa.dev));
		mutex_unlock(&b->lock);
		return -EBUSY;
	}
	vdev = baton_compat_alloc_device(dev, baton_ops_of(b->fn->device_id), BATON_NR_GROUPS,
					 BATON_NR_AS, sizeof(*bv), name);
	if (IS_ERR(vdev))
		return PTR_ERR(vdev);
	__module_get(THIS_MODULE);
	bv = to_bv(vdev);
	bv->b = b;
	bv->made_of = baton_function_get(b);
	bv->device_id = b->fn->device_id;
	bv->vendor_id = b->fn->vendor_id;
	bv->vdpa.mdev = mdev;
	bv->vdpa.dev.groups = baton_sysfs_groups;
	baton_compat_set_dma_dev(&bv->vdpa, dev);

	err = mgmt_init_device(bv, config);
	if (err)
		goto err_put;
	mgmt_set_device(b, bv);
	err = _vdpa_register_device(&bv->vdpa, bv->nr_queues);
	if (err) {
		dev_err(dev, "cannot register vDPA device %s: %pe%s\n", name, ERR_PTR(err),
			err == -EEXIST ? ", perhaps one that was deleted is still open" : "");
		goto err_device;
	}

	return 0;

err_device:
	mgmt_set_device(b, NULL);
	mgmt_uninit_device(bv);
err_put:
	put_device(&bv->vdpa.dev);
	return err;
}

/* A user that has the device open is asked to close it, and the administrator told whom. */
static void mgmt_ask_user(struct baton_vdpa *bv)
{
	const char *name = dev_name(&bv->vdpa.dev);
	struct device *dev = bv->made_of->fn->dev;
	struct baton_holder holder;
	unsigned int holders;

	holders = baton_holder_find(&bv->vdpa.dev, &holder);
	baton_uevent_tell(bv, "leave");

	CLASS(baton_vdpa, b)(bv);
	WRITE_ONCE(bv->needs_reset, true);
	baton_irq_config(bv);
	if (holders)
		dev_info(dev, "vDPA device %s is to go: asked %s, process %d, to close it%s\n",
			 name, holder.comm, holder.pid, holders > 1 ? " (it is not alone)" : "");
	else if (bv->status)
		dev_info(dev,
			 "vDPA device %s is to go: asked who has it open to close it; last opened by %s, process %d\n",
			 name, bv->user_comm, bv->user_pid);
}

/* Its vDPA device, with a reference, if a user could have it open. He is going to be asked. */
static struct baton_vdpa *mgmt_find_user(struct baton *b)
{
	struct baton_vdpa *bv;

	guard(mutex)(&b->lock);
	bv = b->bv;
	if (b->owner.consumer != BATON_USER || !bv || bv->leave.begun)
		return NULL;
	get_device(&bv->vdpa.dev);
	WRITE_ONCE(bv->leave.asked, jiffies | 1);

	return bv;
}

/**
 * baton_mgmt_ask() - the function is to go in a moment: ask its user to close the vDPA device
 * @b: the function
 *
 * So that several users are given the same moment, instead of one after the other.
 *
 * Context: may sleep; &baton.lock not held. The function must stay.
 */
void baton_mgmt_ask(struct baton *b)
{
	struct baton_vdpa *bv = mgmt_find_user(b);

	if (!bv)
		return;
	mgmt_ask_user(bv);
	put_device(&bv->vdpa.dev);
}

/* How much of the moment is left that he was given then. */
static unsigned int mgmt_rest(struct baton_vdpa *bv, unsigned int patience)
{
	unsigned long end = READ_ONCE(bv->leave.asked) + msecs_to_jiffies(patience);

	return time_before(jiffies, end) ? jiffies_to_msecs(end - jiffies) : 0;
}

/*
 * The deletion of a vDPA device whose consumer may not let go of it: unbinding vhost_vdpa waits
 * until the user has closed the device. So a work item unbinds, and dev del, which holds locks of
 * the vDPA core, waits for that for a bounded time only. After that the function leaves the device,
 * and the work item deletes it whenever the consumer has let go.
 *
 * &baton_leave.state says which of the two goes on. It leaves LEAVE_AWAITED once, by compare and
 * exchange.
 */
enum {
	LEAVE_AWAITED,
	LEAVE_RELEASED,		/* unbound in time: dev del goes on */
	LEAVE_ALONE,		/* dev del waits no longer: the work item goes on */
};

static struct workqueue_struct *mgmt_wq;

static bool mgmt_decide(struct baton_vdpa *bv, int state)
{
	return atomic_cmpxchg(&bv->leave.state, LEAVE_AWAITED, state) == LEAVE_AWAITED;
}

static void mgmt_release(struct work_struct *work)
{
	struct baton_vdpa *bv = container_of(work, struct baton_vdpa, leave.work);
	struct device *dev = &bv->vdpa.dev;

	/* Takes device_lock() of this device, and nothing else, for as long as it takes. */
	device_release_driver(dev);
	if (mgmt_decide(bv, LEAVE_RELEASED)) {
		complete(&bv->leave.released);
		return;
	}
	dev_info(dev, "closed at last: deleted\n");
	vdpa_unregister_device(&bv->vdpa);
	mgmt_uninit_device(bv);
	put_device(dev);
}

/*
 * How long the consumer may take to let go, in ms; 0: for ever. A driver of the kernel's that
 * waits for its requests, or for who uses it, is given up only if none of its requests is answered
 * for that long: until then it may use DMA mappings of the function's. Others let go soon, and are
 * waited for.
 */
static unsigned int mgmt_patience(struct baton_vdpa *bv)
{
	CLASS(baton_vdpa, b)(bv);
	/* From here on no consumer is accepted: consumer_comes() reads this under the lock. */
	WRITE_ONCE(bv->leave.begun, true);
	/* A function that is gone answers no request: losing it breaks its driver's queues. */
	if (!b->fn->ops->present(b->fn))
		baton_handover_event(b, BATON_EV_LOSE);
	if (b->owner.consumer == BATON_USER)
		return GRACE_MS;
	if (b->owner.consumer == BATON_KERNEL && baton_virtio_waits(b))
		return BATON_STUCK_MS;

	return 0;
}

static unsigned long mgmt_count_answers(struct baton_vdpa *bv)
{
	CLASS(baton_vdpa, b)(bv);
	return baton_irq_count(bv);
}

/*
 * Returns whether the consumer let go in time. For the kernel's drivers that time begins anew
 * whenever a request was answered, however slowly: a disk's still writes data.
 */
static bool mgmt_await(struct baton_vdpa *bv, unsigned int patience)
{
	unsigned long answers;

	do {
		answers = mgmt_count_answers(bv);
		if (wait_for_completion_timeout(&bv->leave.released, msecs_to_jiffies(patience)))
			return true;
	} while (patience == BATON_STUCK_MS && mgmt_count_answers(bv) != answers);

	return false;
}

/*
 * Returns whether the caller goes on deleting the device. If not, the work item does, and may free
 * the device at any time.
 */
static bool mgmt_leave(struct baton_vdpa *bv)
{
	unsigned int patience = mgmt_patience(bv);
	const char *name = dev_name(&bv->vdpa.dev);
	struct device *dev = bv->made_of->fn->dev;
	struct vdpa_mgmt_dev *mdev = bv->vdpa.mdev;
	bool user = patience == GRACE_MS;

	if (!patience)
		return true;
	if (user && READ_ONCE(bv->leave.asked))
		patience = mgmt_rest(bv, patience);
	else if (user)
		mgmt_ask_user(bv);
	INIT_WORK(&bv->leave.work, mgmt_release);
	init_completion(&bv->leave.released);
	queue_work(mgmt_wq, &bv->leave.work);
	if (mgmt_await(bv, patience))
		return true;

	bv->vdpa.mdev = NULL;
	baton_gone_leave(bv);
	if (user)
		dev_info(dev,
			 "has left vDPA device %s, which is still open, and is dead: the name is free when it is closed\n",
			 name);
	else
		dev_warn(dev,
			 "has left vDPA device %s, whose driver waits for requests that nobody answers, or for who uses it: it goes when that ends, if ever\n",
			 name);
	baton_uevent_tell(bv, "gone");

	if (mgmt_decide(bv, LEAVE_ALONE))
		return false;
	/* Released after all: the caller unregisters it, for which the vDPA core needs @mdev. */
	wait_for_completion(&bv->leave.released);
	bv->vdpa.mdev = mdev;

	return true;
}

static void mgmt_dev_del(struct vdpa_mgmt_dev *mdev, struct vdpa_device *vdev)
{
	struct baton *b = mgmt_to_baton(mdev);
	struct baton_vdpa *bv = to_bv(vdev);

	/* Until b->bv is cleared, below. */
	get_device(&vdev->dev);
	if (!mgmt_leave(bv))
		return;
	_vdpa_unregister_device(vdev);
	mgmt_set_device(b, NULL);
	mgmt_uninit_device(bv);
	put_device(&vdev->dev);
}

static int mgmt_dev_set(struct vdpa_mgmt_dev *mdev, struct vdpa_device *vdev,
			const struct vdpa_dev_set_config *config)
{
	struct baton *b = mgmt_to_baton(mdev);

	guard(mutex)(&b->lock);
	return baton_provision_change(to_bv(vdev), config);
}

static const struct vdpa_mgmtdev_ops mgmt_ops = {
	.dev_add = mgmt_dev_add,
	.dev_del = mgmt_dev_del,
	.dev_set_attr = mgmt_dev_set,
};

/**
 * baton_mgmt_init() - make the workqueue that releases devices from their consumers
 *
 * Context: may sleep; module init.
 * Return: 0 or a negative errno.
 */
int __init baton_mgmt_init(void)
{
	mgmt_wq = alloc_workqueue("baton_leave", WQ_UNBOUND, 0);
	return mgmt_wq ? 0 : -ENOMEM;
}

/**
 * baton_mgmt_uninit() - undo baton_mgmt_init()
 *
 * No device is left: each keeps the module loaded.
 *
 * Context: may sleep; module exit, or failed init.
 */
void baton_mgmt_uninit(void)
{
	destroy_workqueue(mgmt_wq);
}

static bool mgmt_doorbells_apart(struct baton_function *fn)
{
	u16 i;

	for (i = 0; fn->ops->get_doorbell && i < fn->nr_queues; i++)
		if (fn->ops->get_doorbell(fn, i).addr)
			return true;

	return false;
}

/**
 * baton_mgmt_register() - register the management device of a function
 * @b: the function, which baton_function_create() made
 *
 * Context: may sleep; from probe; &baton.lock not held.
 * Return: 0 or the errno of vdpa_mgmtdev_register().
 */
int baton_mgmt_register(struct baton *b)
{
	b->id_table[0].device = b->fn->device_id;
	b->id_table[0].vendor = VIRTIO_DEV_ANY_ID;
	b->mgmt.device = b->fn->dev;
	b->mgmt.ops = &mgmt_ops;
	b->mgmt.id_table = b->id_table;
	b->mgmt.config_attr_mask = BIT_ULL(VDPA_ATTR_DEV_FEATURES);
	if (b->fn->device_id == VIRTIO_ID_NET)
		b->mgmt.config_attr_mask |= BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MACADDR) |
					    BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MTU) |
					    BIT_ULL(VDPA_ATTR_DEV_NET_CFG_MAX_VQP);
	b->mgmt.supported_features =
		baton_features_rung(baton_features_offer(b->hw_features, BATON_NONE),
				    mgmt_doorbells_apart(b->fn));
	if (b->fn->device_id == VIRTIO_ID_NET)
		b->mgmt.supported_features = baton_net_known(b->mgmt.supported_features);
	b->mgmt.max_supported_vqs = b->fn->nr_queues;

	return vdpa_mgmtdev_register(&b->mgmt);
}

/**
 * baton_mgmt_unregister() - delete the vDPA device, and unregister the management device
 * @b: the function
 *
 * Context: may sleep, as mgmt_dev_del(), which the vDPA core calls; from remove; &baton.lock not
 * held.
 */
void baton_mgmt_unregister(struct baton *b)
{
	vdpa_mgmtdev_unregister(&b->mgmt);
}
