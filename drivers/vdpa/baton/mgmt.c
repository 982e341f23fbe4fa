// SPDX-License-Identifier: GPL-2.0-only
/*
 * The administrator's side: vdpa dev add and del (struct vdpa_mgmtdev_ops).
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <uapi/linux/vdpa.h>

#include "core.h"
#include "consumer.h"
#include "features.h"
#include "handover.h"
#include "mgmt.h"
#include "ops.h"
#include "provision.h"
#include "status.h"
#include "sysfs.h"

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

/* What a new vDPA device is made of, before anybody else knows of it. */
static int mgmt_init_device(struct baton_vdpa *bv, const struct vdpa_dev_set_config *config)
{
	struct baton *b = bv->b;
	int err;

	bv->fail = baton_handover_fail;
	spin_lock_init(&bv->config_lock);
	mutex_lock(&b->lock);
	err = baton_provision_init(bv, config);
	mutex_unlock(&b->lock);
	if (err)
		return err;
	baton_queue_init(bv);
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

static void mgmt_uninit_device(struct baton_vdpa *bv)
{
	baton_consumer_unwatch(bv);
	baton_ctrl_uninit(bv);
	baton_cvq_uninit(bv);
	baton_queue_reset(bv);
}

/* Called with the vDPA core's device lock held, as is dev_del. */
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
	/* vdpa_alloc_device() has no room for a flexible array. */
	vdev = baton_compat_alloc_device(dev, &baton_ops, BATON_NR_GROUPS, BATON_NR_AS,
					 struct_size(bv, queues, b->fn->nr_queues), name);
	if (IS_ERR(vdev))
		return PTR_ERR(vdev);
	__module_get(THIS_MODULE);
	bv = to_bv(vdev);
	bv->b = b;
	bv->vdpa.mdev = mdev;
	bv->vdpa.dev.groups = baton_sysfs_groups;
	baton_compat_set_dma_dev(&bv->vdpa, dev);

	err = mgmt_init_device(bv, config);
	if (err)
		goto err_put;
	mgmt_set_device(b, bv);
	err = _vdpa_register_device(&bv->vdpa, bv->nr_queues);
	if (err) {
		dev_err(dev, "cannot register vDPA device %s: %pe\n", name, ERR_PTR(err));
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

/*
 * A user that has the device open makes the deletion wait, and with it every
 * vdpa command: ask it to go, and tell the administrator whom to ask.
 */
static void mgmt_ask_user(struct baton *b)
{
	struct baton_vdpa *bv = b->bv;

	guard(mutex)(&b->lock);
	if (b->owner.consumer != BATON_USER || !bv->user_pid)
		return;
	dev_info(b->fn->dev,
		 "deleting vDPA device %s waits until it is closed; last opened by %s, process %d\n",
		 dev_name(&bv->vdpa.dev), bv->user_comm, bv->user_pid);
	WRITE_ONCE(bv->needs_reset, true);
	baton_irq_config(bv);
}

static void mgmt_dev_del(struct vdpa_mgmt_dev *mdev, struct vdpa_device *vdev)
{
	struct baton *b = mgmt_to_baton(mdev);
	struct baton_vdpa *bv = to_bv(vdev);

	mgmt_ask_user(b);

	/* Its memory must outlive the pointer to it. */
	get_device(&vdev->dev);
	_vdpa_unregister_device(vdev);
	mgmt_uninit_device(bv);
	mgmt_set_device(b, NULL);
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
 * baton_mgmt_register() - offer a function to the administrator
 * @b: the function
 *
 * Context: may sleep; from probe.
 * Return: 0 or a negative errno.
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
	b->mgmt.supported_features = baton_features_offer(b->hw_features, BATON_NONE);
	if (b->fn->device_id == VIRTIO_ID_NET)
		b->mgmt.supported_features = baton_net_known(b->mgmt.supported_features);
	b->mgmt.max_supported_vqs = b->fn->nr_queues;

	return vdpa_mgmtdev_register(&b->mgmt);
}

/**
 * baton_mgmt_unregister() - delete its vDPA device, and offer it no more
 * @b: the function
 *
 * Context: may sleep, for as long as a user keeps the vDPA device open; from
 * remove.
 */
void baton_mgmt_unregister(struct baton *b)
{
	vdpa_mgmtdev_unregister(&b->mgmt);
}
