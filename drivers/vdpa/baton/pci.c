// SPDX-License-Identifier: GPL-2.0-only
/*
 * The function driver for virtio-pci: PFs and VFs of SmartNICs and DPUs, and
 * QEMU's devices. Registers are the business of virtio_pci_modern_dev.
 *
 * There are no locks here but that of a PF and its VFs (pci.h). The core calls operations that may
 * sleep under &baton.lock, but for get_doorbell (linux/baton.h); the PCI core calls its own with
 * the device lock of the function held. Doorbells, which kicks read without a lock, are constant
 * from find_queues to remove.
 *
 * There is no device table: the functions belong to virtio-pci unless somebody
 * asks for this driver by driver_override.
 */
#include <linux/baton.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci_modern.h>

#include "pci.h"
#include "pci_doorbell.h"
#include "pci_queue.h"
#include "pci_vfs.h"

/* What a function may take for an FLR, and, after an error of the bus, for coming back. */
#define FLR_MS		100
#define RECOVERY_MS	1000

static bool physical_doorbells;
module_param(physical_doorbells, bool, 0644);
MODULE_PARM_DESC(physical_doorbells,
		 "Let users map doorbells of physical functions too, whose address another device may be given when the function is taken out and a user still has them mapped; for vDPA devices made later (default N)");

/**
 * struct baton_pci_queue - what is known of one queue
 * @doorbell: where to write to
 * @doorbell_pa: its physical address
 */
struct baton_pci_queue {
	void __iomem *doorbell;
	resource_size_t doorbell_pa;
};

/*
 * SR_IOV is between the function and us: whoever drives the virtio device has nothing to do with
 * it (features.c offers it to nobody), and has it negotiated whatever else he takes.
 * Only a function that has the capability may be told so (virtio 1.2, 6.1).
 */
static u64 baton_pci_get_features(struct baton_function *fn)
{
	struct baton_pci *p = to_baton_pci(fn);
	u64 features = vp_modern_get_features(&p->mdev);

	p->private_features = p->mdev.pci_dev->is_physfn ? features & BIT_ULL(VIRTIO_F_SR_IOV) : 0;
	if (!baton_pci_queue_resettable(&p->mdev))
		features &= ~BIT_ULL(VIRTIO_F_RING_RESET);

	return features;
}

static void baton_pci_set_features(struct baton_function *fn, u64 features)
{
	struct baton_pci *p = to_baton_pci(fn);

	vp_modern_set_features(&p->mdev, features | p->private_features);
}

static u8 baton_pci_get_status(struct baton_function *fn)
{
	return vp_modern_get_status(&to_baton_pci(fn)->mdev);
}

static void baton_pci_set_status(struct baton_function *fn, u8 status)
{
	struct baton_pci *p = to_baton_pci(fn);

	if (status <= VIRTIO_CONFIG_S_ACKNOWLEDGE)
		baton_pci_vfs_heal(p);
	vp_modern_set_status(&p->mdev, status);
}

static void baton_pci_put_queues(struct baton_pci *p)
{
	u16 i;

	/* Without notify_base, vp_modern_map_vq_notify() mapped each doorbell by itself. */
	if (!p->mdev.notify_base)
		for (i = 0; p->queues && i < p->fn.nr_queues; i++)
			if (p->queues[i].doorbell)
				pci_iounmap(p->mdev.pci_dev, p->queues[i].doorbell);
	kfree(p->queue_max);
	kfree(p->queues);
	p->queue_max = NULL;
	p->queues = NULL;
}

/* The end of the region that holds nothing but doorbells (virtio 1.2, 4.1.4.4). */
static resource_size_t baton_pci_doorbells_end(struct baton_pci *p, u8 cap)
{
	struct pci_dev *pdev = p->mdev.pci_dev;
	u32 offset, length;
	u8 bar;

	if (!cap)
		return p->mdev.notify_pa + p->mdev.notify_len;

	pci_read_config_byte(pdev, cap + offsetof(struct virtio_pci_cap, bar), &bar);
	pci_read_config_dword(pdev, cap + offsetof(struct virtio_pci_cap, offset), &offset);
	pci_read_config_dword(pdev, cap + offsetof(struct virtio_pci_cap, length), &length);
	if (bar >= PCI_STD_NUM_BARS)
		return 0;

	return pci_resource_start(pdev, bar) + offset + length;
}

static int baton_pci_find_queues(struct baton_function *fn)
{
	struct baton_pci *p = to_baton_pci(fn);
	u16 nr = vp_modern_get_num_queues(&p->mdev);
	struct baton_pci_queue *q;
	u16 i;

	if (nr > BATON_MAX_QUEUES)
		dev_warn(fn->dev, "says that it has %u queues: no more than %u are looked at\n",
			 nr, BATON_MAX_QUEUES);
	fn->nr_queues = min_t(u16, nr, BATON_MAX_QUEUES);
	p->queues = kcalloc(fn->nr_queues, sizeof(*p->queues), GFP_KERNEL);
	p->queue_max = kcalloc(fn->nr_queues, sizeof(*p->queue_max), GFP_KERNEL);
	if (!p->queues || !p->queue_max)
		return -ENOMEM;
	fn->queue_max = p->queue_max;
	p->doorbells_end = baton_pci_doorbells_end(p, p->mdev.notify_map_cap);
	baton_pci_doorbell_look(p->mdev.pci_dev, &p->others);
	p->may_have_vfs = p->private_features &&
			  vp_modern_get_status(&p->mdev) & VIRTIO_CONFIG_S_FEATURES_OK;

	for (i = 0; i < fn->nr_queues; i++) {
		q = &p->queues[i];
		p->queue_max[i] = vp_modern_get_queue_size(&p->mdev, i);
		if (!p->queue_max[i])
			continue;
		q->doorbell = vp_modern_map_vq_notify(&p->mdev, i, &q->doorbell_pa);
		if (!q->doorbell) {
			dev_err(fn->dev, "cannot map the doorbell of queue %u\n", i);
			return -EINVAL;
		}
	}

	return 0;
}

static void baton_pci_kick(struct baton_function *fn, u16 idx)
{
	vp_iowrite16(idx, to_baton_pci(fn)->queues[idx].doorbell);
}

static void baton_pci_kick_data(struct baton_function *fn, u32 data)
{
	vp_iowrite32(data, to_baton_pci(fn)->queues[data & 0xffff].doorbell);
}

static struct baton_doorbell baton_pci_get_doorbell(struct baton_function *fn, u16 idx)
{
	struct baton_pci *p = to_baton_pci(fn);
	resource_size_t page = p->queues[idx].doorbell_pa;
	u16 i;

	/*
	 * The page must hold nothing but this doorbell, since the user can write
	 * all of it. Where doorbells are a page or more apart, and the page lies
	 * within their region, only a queue with the same offset should share it.
	 */
	if (!p->queues[idx].doorbell || !PAGE_ALIGNED(page) ||
	    p->mdev.notify_offset_multiplier < PAGE_SIZE ||
	    page + PAGE_SIZE > p->doorbells_end ||
	    !baton_pci_doorbell_alone(&p->others, page))
		return (struct baton_doorbell) {};
	for (i = 0; i < fn->nr_queues; i++)
		if (i != idx && p->queues[i].doorbell_pa == page)
			return (struct baton_doorbell) {};

	/*
	 * What a user has mapped cannot be taken back. The range of a physical
	 * function can be given to another device; a VF's remains its PF's.
	 */
	if (!p->mdev.pci_dev->is_virtfn && !READ_ONCE(physical_doorbells))
		return (struct baton_doorbell) { .addr = page };

	return (struct baton_doorbell) { .addr = page, .size = PAGE_SIZE };
}

static u32 baton_pci_read_config(struct baton_function *fn, unsigned int offset, unsigned int width)
{
	void __iomem *addr = to_baton_pci(fn)->mdev.device + offset;

	baton_pci_vfs_heal(to_baton_pci(fn));
	switch (width) {
	case 1:
		return vp_ioread8(addr);
	case 2:
		return vp_ioread16(addr);
	default:
		return vp_ioread32(addr);
	}
}

static void baton_pci_write_config(struct baton_function *fn, unsigned int offset,
				   unsigned int width, u32 value)
{
	void __iomem *addr = to_baton_pci(fn)->mdev.device + offset;

	switch (width) {
	case 1:
		vp_iowrite8(value, addr);
		break;
	case 2:
		vp_iowrite16(value, addr);
		break;
	default:
		vp_iowrite32(value, addr);
		break;
	}
}

static u8 baton_pci_get_generation(struct baton_function *fn)
{
	return vp_modern_generation(&to_baton_pci(fn)->mdev);
}

static int baton_pci_alloc_vectors(struct baton_function *fn, unsigned int want)
{
	return pci_alloc_irq_vectors(to_baton_pci(fn)->mdev.pci_dev, 1, want, PCI_IRQ_MSIX);
}

static void baton_pci_free_vectors(struct baton_function *fn)
{
	pci_free_irq_vectors(to_baton_pci(fn)->mdev.pci_dev);
}

static int baton_pci_vector_irq(struct baton_function *fn, unsigned int vector)
{
	return pci_irq_vector(to_baton_pci(fn)->mdev.pci_dev, vector);
}

static int baton_pci_set_config_vector(struct baton_function *fn, u16 vector)
{
	return vp_modern_config_vector(&to_baton_pci(fn)->mdev, vector) == vector ? 0 : -EBUSY;
}

static void baton_pci_set_master(struct baton_function *fn, bool on)
{
	baton_pci_vfs_set_master(to_baton_pci(fn), on);
}

static bool baton_pci_answers(struct pci_dev *pdev)
{
	u32 command;

	pci_read_config_dword(pdev, PCI_COMMAND, &command);

	return !PCI_POSSIBLE_ERROR(command);
}

/*
 * An FLR (PCIe 6.0, 6.6.2), within a bounded time, since callers hold locks that others need.
 * pcie_flr() would wait a minute for a function that does not come back, and on older kernels
 * for one that was not there before.
 */
static int baton_pci_flr(struct pci_dev *pdev, unsigned int timeout_ms)
{
	unsigned long end;
	int err;

	err = pcie_reset_flr(pdev, PCI_RESET_PROBE);
	if (err)
		return err;
	if (!baton_pci_answers(pdev))
		return -ENODEV;
	if (!pci_wait_for_pending_transaction(pdev))
		dev_warn(&pdev->dev, "reset with transactions pending\n");
	pcie_capability_set_word(pdev, PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR);
	msleep(FLR_MS);
	end = jiffies + msecs_to_jiffies(timeout_ms);
	while (!baton_pci_answers(pdev)) {
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		msleep(20);
	}

	return 0;
}

static int baton_pci_reset_itself(struct baton_pci *p, unsigned int timeout_ms)
{
	struct pci_dev *pdev = p->mdev.pci_dev;
	int err;

	/*
	 * &baton.lock is held, which keeps resets from sysfs away: they wait for it in
	 * reset_prepare. pci_cfg_access_trylock() keeps user space off configuration space.
	 * It is only tried: whoever has it is such a reset, which waits for &baton.lock, and
	 * to wait for it would be a deadlock. The function is left to it.
	 *
	 * pci_reset_function() would take the device lock, which remove holds while it waits
	 * for the consumer that may have called us, and would call our own reset_prepare.
	 */
	if (!pci_cfg_access_trylock(pdev))
		return -EBUSY;
	err = baton_pci_flr(pdev, timeout_ms);
	if (!err) {
		err = pci_load_saved_state(pdev, p->saved);
		pci_restore_state(pdev);
	}
	pci_cfg_access_unlock(pdev);

	return err;
}

/*
 * A PF's VFs are reset as well. Their drivers are not asked to step aside: who has us reset by
 * force must not wait for disks that are not his.
 */
static int baton_pci_reset(struct baton_function *fn, unsigned int timeout_ms)
{
	struct baton_pci *p = to_baton_pci(fn);
	int err;

	baton_pci_vfs_error(p, false);
	err = baton_pci_reset_itself(p, timeout_ms);
	baton_pci_vfs_recover(p);

	return err;
}

static bool baton_pci_present(struct baton_function *fn)
{
	return pci_device_is_present(to_baton_pci(fn)->mdev.pci_dev);
}

static const struct baton_function_ops pci_ops = {
	.get_features		= baton_pci_get_features,
	.set_features		= baton_pci_set_features,
	.get_status		= baton_pci_get_status,
	.set_status		= baton_pci_set_status,
	.find_queues		= baton_pci_find_queues,
	.setup_queue		= baton_pci_queue_setup,
	.reset_queue		= baton_pci_queue_reset,
	.kick			= baton_pci_kick,
	.kick_data		= baton_pci_kick_data,
	.get_doorbell		= baton_pci_get_doorbell,
	.read_config		= baton_pci_read_config,
	.write_config		= baton_pci_write_config,
	.get_generation		= baton_pci_get_generation,
	.alloc_vectors		= baton_pci_alloc_vectors,
	.free_vectors		= baton_pci_free_vectors,
	.vector_irq		= baton_pci_vector_irq,
	.set_config_vector	= baton_pci_set_config_vector,
	.set_master		= baton_pci_set_master,
	.reset			= baton_pci_reset,
	.present		= baton_pci_present,
};

static struct pci_driver baton_pci_driver;

static int baton_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct baton_pci *p;
	int err;

	/* It may have to be reset by force, and they have owners who would not be told. */
	if (pci_num_vf(pdev)) {
		dev_err(&pdev->dev, "has %d VFs, which another driver made: not taken with them; have that one end them (sriov_numvfs)\n",
			pci_num_vf(pdev));
		return -EBUSY;
	}
	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	p->mdev.pci_dev = pdev;
	baton_pci_vfs_init(p);
	baton_pci_vfs_find(p, &baton_pci_driver);

	err = pci_enable_device(pdev);
	if (err)
		goto err_free;
	/*
	 * Firmware may have left bus mastering on (C1). No Snoop goes off because such
	 * writes are not cache-coherent, whatever the IOMMU can do (C5).
	 */
	pci_clear_master(pdev);
	pcie_capability_clear_word(pdev, PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_NOSNOOP_EN);

	err = vp_modern_probe(&p->mdev);
	if (err) {
		dev_err(&pdev->dev, "%04x:%04x is not a modern virtio function: %pe\n",
			pdev->vendor, pdev->device, ERR_PTR(err));
		goto err_disable;
	}

	err = pci_save_state(pdev);
	if (err)
		goto err_modern;
	pci_read_config_word(pdev, PCI_COMMAND, &p->command);
	p->saved = pci_store_saved_state(pdev);
	if (!p->saved) {
		err = -ENOMEM;
		goto err_modern;
	}

	p->fn.dev = &pdev->dev;
	p->fn.ops = &pci_ops;
	p->fn.device_id = p->mdev.id.device;
	p->fn.vendor_id = p->mdev.id.vendor;
	p->fn.config_len = p->mdev.device_len;
	pci_set_drvdata(pdev, p);
	err = baton_function_register(&p->fn);
	if (err)
		goto err_queues;
	err = baton_pci_vfs_join(p);
	if (err)
		goto err_function;

	return 0;

err_function:
	baton_function_unregister(&p->fn);
err_queues:
	pci_set_drvdata(pdev, NULL);
	baton_pci_put_queues(p);
	kfree(p->saved);
err_modern:
	vp_modern_remove(&p->mdev);
err_disable:
	pci_disable_device(pdev);
err_free:
	baton_pci_vfs_uninit(p);
	kfree(p);
	return err;
}

static void baton_pci_remove(struct pci_dev *pdev)
{
	struct baton_pci *p = pci_get_drvdata(pdev);

	baton_pci_vfs_leave(p);
	/* Without its driver nobody would tell their owners of its resets. */
	if (pci_num_vf(pdev)) {
		dev_info(&pdev->dev, "goes, and its %d VFs with it\n", pci_num_vf(pdev));
		baton_function_ask(&p->fn);
		baton_pci_vfs_configure(p, 0);
	}
	baton_function_unregister(&p->fn);
	pci_set_drvdata(pdev, NULL);
	baton_pci_put_queues(p);
	kfree(p->saved);
	vp_modern_remove(&p->mdev);
	pci_disable_device(pdev);
	baton_pci_vfs_uninit(p);
	kfree(p);
}

/* The PCI core's lock of the device keeps it from being removed, or reset through sysfs. */
static int baton_pci_sriov_configure(struct pci_dev *pdev, int nr)
{
	/* Xen gives them away behind their drivers' backs. */
	if (pci_vfs_assigned(pdev))
		return -EBUSY;

	return baton_pci_vfs_configure(pci_get_drvdata(pdev), nr);
}

static void baton_pci_shutdown(struct pci_dev *pdev)
{
	struct baton_pci *p = pci_get_drvdata(pdev);

	baton_function_shutdown(&p->fn);
}

static void baton_pci_reset_prepare(struct pci_dev *pdev)
{
	baton_pci_vfs_reset_prepare(pci_get_drvdata(pdev));
}

static void baton_pci_reset_done(struct pci_dev *pdev)
{
	baton_pci_vfs_reset_done(pci_get_drvdata(pdev));
}

/*
 * Errors (AER). Called with the device lock held. A port recovers only if the driver of each
 * function below it takes part, so this one always does: whatever the error left of the function,
 * the core has it lost or drained, and it does no harm.
 */
static pci_ers_result_t baton_pci_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct baton_pci *p = pci_get_drvdata(pdev);

	/* Not fatal: it can be reached, and mmio_enabled, which comes next, resets it. */
	if (state == pci_channel_io_normal)
		return PCI_ERS_RESULT_CAN_RECOVER;
	baton_function_error(&p->fn, state == pci_channel_io_perm_failure);
	baton_pci_vfs_error(p, state == pci_channel_io_perm_failure);

	return state == pci_channel_io_frozen ? PCI_ERS_RESULT_NEED_RESET
					      : PCI_ERS_RESULT_DISCONNECT;
}

/* As a reset through sysfs: &baton.lock is held from reset_prepare to reset_done. */
static pci_ers_result_t baton_pci_mmio_enabled(struct pci_dev *pdev)
{
	struct baton_pci *p = pci_get_drvdata(pdev);

	baton_pci_vfs_reset_prepare(p);
	if (baton_pci_reset_itself(p, RECOVERY_MS))
		dev_warn(&pdev->dev, "not reset after an error: it has no FLR, or did not come back\n");
	baton_pci_vfs_reset_done(p);

	return PCI_ERS_RESULT_RECOVERED;
}

static pci_ers_result_t baton_pci_slot_reset(struct pci_dev *pdev)
{
	struct baton_pci *p = pci_get_drvdata(pdev);

	baton_pci_restore(p);
	baton_function_recover(&p->fn);
	baton_pci_vfs_recover(p);

	return PCI_ERS_RESULT_RECOVERED;
}

/*
 * System sleep, with the device lock held. With these operations the PCI core saves and restores
 * the command register as it is after baton_pci_suspend(), without bus mastering. Without them it
 * would switch bus mastering off itself, and on again.
 */
static int baton_pci_suspend(struct device *dev)
{
	struct baton_pci *p = dev_get_drvdata(dev);

	return baton_function_sleep(&p->fn);
}

static int baton_pci_resume(struct device *dev)
{
	struct baton_pci *p = dev_get_drvdata(dev);

	baton_function_wake(&p->fn);

	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(baton_pci_pm, baton_pci_suspend, baton_pci_resume);

static const struct pci_error_handlers err_handler = {
	.error_detected	= baton_pci_error_detected,
	.mmio_enabled	= baton_pci_mmio_enabled,
	.slot_reset	= baton_pci_slot_reset,
	.reset_prepare	= baton_pci_reset_prepare,
	.reset_done	= baton_pci_reset_done,
};

static struct pci_driver baton_pci_driver = {
	.name		= "baton_pci",
	.probe		= baton_pci_probe,
	.remove		= baton_pci_remove,
	.shutdown	= baton_pci_shutdown,
	.sriov_configure = baton_pci_sriov_configure,
	.err_handler	= &err_handler,
	.driver.pm	= pm_sleep_ptr(&baton_pci_pm),
};
module_pci_driver(baton_pci_driver);

MODULE_DESCRIPTION("virtio-pci functions for baton");
MODULE_LICENSE("GPL");
#ifdef BATON_VERSION
MODULE_VERSION(BATON_VERSION);
#endif
