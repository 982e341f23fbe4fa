// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of one queue of a virtio-pci function (virtio 1.2, 4.1.4.3).
 *
 * The core calls these under &baton.lock, so that nobody else selects a queue meanwhile.
 */
#include <linux/baton.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/virtio_pci_modern.h>

#include "pci.h"
#include "pci_queue.h"

/**
 * baton_pci_queue_setup() - have the device run a queue
 * @fn: the function
 * @idx: the queue
 * @cfg: where its rings are
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -EBUSY if the device did not take the vector; -EIO if the queue is not enabled.
 */
int baton_pci_queue_setup(struct baton_function *fn, u16 idx,
			  const struct baton_queue_config *cfg)
{
	struct virtio_pci_modern_device *mdev = &to_baton_pci(fn)->mdev;

	vp_modern_set_queue_size(mdev, idx, cfg->size);
	vp_modern_queue_address(mdev, idx, cfg->desc, cfg->driver, cfg->device);
	if (vp_modern_queue_vector(mdev, idx, cfg->vector) != cfg->vector)
		return -EBUSY;
	vp_modern_set_queue_enable(mdev, idx, true);
	if (!vp_modern_get_queue_enable(mdev, idx))
		return -EIO;

	return 0;
}

/**
 * baton_pci_queue_resettable() - has a device the register to reset one queue?
 * @mdev: its registers
 *
 * Without it RING_RESET must not be taken, whatever the device offers.
 *
 * Context: any.
 * Return: true if so.
 */
bool baton_pci_queue_resettable(const struct virtio_pci_modern_device *mdev)
{
	return mdev->common_len >= offsetofend(struct virtio_pci_modern_common_cfg, queue_reset);
}

/**
 * baton_pci_queue_reset() - have the device forget a queue
 * @fn: the function, with which RING_RESET was negotiated
 * @idx: the queue
 * @timeout_ms: how long to wait for it
 *
 * vp_modern_set_queue_reset() would wait for ever, also for a device that is not there any more.
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -ETIMEDOUT; -ENODEV; -EIO if the queue is still enabled.
 */
int baton_pci_queue_reset(struct baton_function *fn, u16 idx, unsigned int timeout_ms)
{
	struct virtio_pci_modern_device *mdev = &to_baton_pci(fn)->mdev;
	struct virtio_pci_modern_common_cfg __iomem *cfg =
		(struct virtio_pci_modern_common_cfg __iomem *)mdev->common;
	unsigned long end = jiffies + msecs_to_jiffies(timeout_ms);
	u16 busy;

	vp_iowrite16(idx, &cfg->cfg.queue_select);
	vp_iowrite16(1, &cfg->queue_reset);
	/* virtio 1.2, 4.1.4.3.1: 1 as long as it is being reset. */
	while ((busy = vp_ioread16(&cfg->queue_reset))) {
		if (busy == U16_MAX)
			return -ENODEV;
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		usleep_range(50, 200);
	}

	return vp_modern_get_queue_enable(mdev, idx) ? -EIO : 0;
}
