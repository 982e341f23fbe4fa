// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual functions of a physical one (SR-IOV).
 *
 * Each is a function of its own to the core, with an owner of its own. But the physical
 * one's driver makes them and takes them away, and whatever resets that one, resets
 * them: their owners have to know, and the PCI core tells its own driver only.
 *
 * While ours has the physical function, none of its VFs is older than that: it is not
 * taken with VFs that somebody else made, and not let go with any left. So a VF
 * that is bound finds its physical function, or that is not ours. Then nobody tells us
 * of that one's resets, and all that can be done is to look at the VF now and then.
 */
#include <linux/baton.h>
#include <linux/err.h>
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "pci.h"
#include "pci_vfs.h"

/* How long nobody may notice that a VF was reset with a physical function that is not ours. */
#define WATCH_MS 1000

static struct pci_dev *vfs_pdev(struct baton_pci *p)
{
	return p->mdev.pci_dev;
}

/**
 * baton_pci_vfs_heal() - make a function accessible that somebody else may have reset
 * @p: any function
 *
 * Nobody watches the VF of a physical function that is not ours while it has no owner, and one that
 * lost its owner otherwise. Real VFs are accessible as long as their physical function says so; to
 * QEMU's, the command register matters as well.
 *
 * Context: may sleep; &baton.lock held, or from probe. Before it is reset,
 * negotiated with, or its configuration read.
 */
void baton_pci_vfs_heal(struct baton_pci *p)
{
	struct pci_dev *pdev = vfs_pdev(p);
	u16 command;

	if (!pdev->is_virtfn || p->pf)
		return;
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	if (p->command & ~command & PCI_COMMAND_MEMORY)
		baton_pci_restore(p);
}

static void vfs_watch(struct baton_pci *p)
{
	queue_delayed_work(system_power_efficient_wq, &p->watch,
			   round_jiffies_relative(msecs_to_jiffies(WATCH_MS)));
}

/* Only a reset takes bus mastering from a VF that has an owner. */
static void vfs_look(struct work_struct *work)
{
	struct baton_pci *p = container_of(to_delayed_work(work), struct baton_pci, watch);
	unsigned int masters = READ_ONCE(p->masters);
	u16 command;

	if (!(masters & 1))
		return;
	pci_read_config_word(vfs_pdev(p), PCI_COMMAND, &command);
	if (!(command & PCI_COMMAND_MASTER) && READ_ONCE(p->masters) == masters) {
		baton_pci_restore(p);
		baton_function_recover(&p->fn);
		return;
	}
	vfs_watch(p);
}

/**
 * baton_pci_vfs_set_master() - let a function direct DMA, or not
 * @p: any function
 * @on: let it
 *
 * While a VF of a physical function that is not ours may, it is watched.
 *
 * Context: may sleep; &baton.lock held, or from probe.
 */
void baton_pci_vfs_set_master(struct baton_pci *p, bool on)
{
	struct pci_dev *pdev = vfs_pdev(p);
	unsigned int masters = (p->masters | 1) + 1;

	/* Odd means on, so it is not while that is not certain. */
	WRITE_ONCE(p->masters, masters);
	if (!on) {
		pci_clear_master(pdev);
		return;
	}
	pci_set_master(pdev);
	WRITE_ONCE(p->masters, masters + 1);
	if (pdev->is_virtfn && !p->pf)
		vfs_watch(p);
}

/**
 * baton_pci_vfs_init() - before a function is registered: it has no VFs
 * @p: the function
 *
 * Context: may sleep; from probe.
 */
void baton_pci_vfs_init(struct baton_pci *p)
{
	lockdep_register_key(&p->vfs_key);
	__mutex_init(&p->vfs_lock, "baton_pci->vfs_lock", &p->vfs_key);
	INIT_LIST_HEAD(&p->vfs);
	INIT_DELAYED_WORK(&p->watch, vfs_look);
}

/**
 * baton_pci_vfs_uninit() - undo baton_pci_vfs_init()
 * @p: the function, which has no VFs any more
 *
 * Context: may sleep.
 */
void baton_pci_vfs_uninit(struct baton_pci *p)
{
	mutex_destroy(&p->vfs_lock);
	lockdep_unregister_key(&p->vfs_key);
}

/**
 * baton_pci_vfs_find() - does a function belong to a physical one that is ours?
 * @p: any function, whose registers nobody has looked at yet
 * @driver: our driver
 *
 * Context: may sleep; from probe.
 */
void baton_pci_vfs_find(struct baton_pci *p, struct pci_driver *driver)
{
	struct baton_pci *pf = pci_iov_get_pf_drvdata(vfs_pdev(p), driver);

	if (IS_ERR(pf))
		return;
	p->pf = pf;
	guard(mutex)(&pf->vfs_lock);
	p->pf_resets = pf->nr_resets;
}

/**
 * baton_pci_vfs_join() - a VF has been registered: let it hear of its physical function's resets
 * @p: any function, after baton_pci_vfs_find()
 *
 * Context: may sleep, as long as its physical function is being reset; from probe.
 * Return: 0; -EAGAIN if it was reset while it was looked at.
 */
int baton_pci_vfs_join(struct baton_pci *p)
{
	if (!p->pf)
		return 0;
	guard(mutex)(&p->pf->vfs_lock);
	if (p->pf->nr_resets != p->pf_resets) {
		dev_err(p->fn.dev, "was reset with its PF while it was probed: bind it again\n");
		return -EAGAIN;
	}
	list_add_tail(&p->sibling, &p->pf->vfs);

	return 0;
}

/**
 * baton_pci_vfs_leave() - undo baton_pci_vfs_join(), and watch it no more
 * @p: the function, still registered
 *
 * Context: may sleep, as long as it, or its physical function is being reset; from remove.
 */
void baton_pci_vfs_leave(struct baton_pci *p)
{
	disable_delayed_work_sync(&p->watch);
	if (!p->pf)
		return;
	guard(mutex)(&p->pf->vfs_lock);
	list_del(&p->sibling);
}

/* Users are asked all at once: each is given the same moment, and it passes for all. */
static void vfs_ask(struct baton_pci *p)
{
	struct baton_pci *vf;

	guard(mutex)(&p->vfs_lock);
	list_for_each_entry(vf, &p->vfs, sibling)
		baton_function_ask(&vf->fn);
}

/**
 * baton_pci_vfs_configure() - make VFs, or take them away
 * @p: the physical function
 * @nr: how many there are to be; there are none yet, or this is 0
 *
 * Their drivers are unbound as in a hot-unplug. Ours does not wait for users (C11).
 *
 * virtio 1.2, 6.1: VFs may be made once SR_IOV has been negotiated, and from then on whatever is
 * reset. We did when the function came, so that neither the owner that it has now, nor
 * that it has none, makes a difference.
 *
 * Context: may sleep; the physical function's device lock held. &baton.lock not held.
 * Return: @nr or a negative errno, the reason being in the log.
 */
int baton_pci_vfs_configure(struct baton_pci *p, int nr)
{
	struct pci_dev *pdev = vfs_pdev(p);
	int err;

	if (!nr) {
		vfs_ask(p);
		pci_disable_sriov(pdev);
		return 0;
	}
	if (!p->may_have_vfs) {
		dev_err(&pdev->dev, "no VFs: it does not offer SR_IOV (feature bit 37), or did not take it\n");
		return -EOPNOTSUPP;
	}
	err = pci_enable_sriov(pdev, nr);
	if (err) {
		dev_err(&pdev->dev, "cannot make %d VFs: %pe\n", nr, ERR_PTR(err));
		return err;
	}

	return nr;
}

/*
 * A VF is reset with its physical function, and a bus with all that is on it: who resets both
 * comes twice, in one thread, and must not wait for himself. Nobody but @resetter himself sees
 * his own name there, so that it can be looked at without &baton.lock.
 */
static void vfs_begin(struct baton_pci *p)
{
	if (READ_ONCE(p->resetter) == current) {
		p->resets++;
		return;
	}
	baton_function_reset_prepare(&p->fn);
	WRITE_ONCE(p->resetter, current);
	p->resets = 1;
}

static void vfs_end(struct baton_pci *p)
{
	if (--p->resets)
		return;
	WRITE_ONCE(p->resetter, NULL);
	baton_function_reset_done(&p->fn);
}

/**
 * baton_pci_vfs_reset_prepare() - somebody else is about to reset a function, and its VFs with it
 * @p: the function
 *
 * Context: as baton_function_reset_prepare(), for each of them. Keeps &baton_pci.vfs_lock, and
 * &baton.lock of all of them, until baton_pci_vfs_reset_done(), which must follow in the
 * same context.
 */
void __no_context_analysis baton_pci_vfs_reset_prepare(struct baton_pci *p)
{
	struct baton_pci *vf;

	vfs_begin(p);
	mutex_lock(&p->vfs_lock);
	p->nr_resets++;
	list_for_each_entry(vf, &p->vfs, sibling)
		vfs_begin(vf);
}

/**
 * baton_pci_vfs_reset_done() - somebody else has reset a function, and its VFs with it
 * @p: the function; it can be reached, and so can they
 *
 * Context: may sleep; after baton_pci_vfs_reset_prepare().
 */
void __no_context_analysis baton_pci_vfs_reset_done(struct baton_pci *p)
{
	struct baton_pci *vf;

	/* Last in, first out: see memalloc_noio_save() in baton_virtio_pause(). */
	list_for_each_entry_reverse(vf, &p->vfs, sibling) {
		baton_pci_restore(vf);
		vfs_end(vf);
	}
	mutex_unlock(&p->vfs_lock);
	vfs_end(p);
}

/**
 * baton_pci_vfs_error() - the bus cannot reach a physical function any more, nor its VFs
 * @p: the function
 * @for_good: nor will it again
 *
 * Context: may sleep; &baton.lock of @p held, or not.
 */
void baton_pci_vfs_error(struct baton_pci *p, bool for_good)
{
	struct baton_pci *vf;

	guard(mutex)(&p->vfs_lock);
	p->nr_resets++;
	list_for_each_entry(vf, &p->vfs, sibling)
		baton_function_error(&vf->fn, for_good);
}

/**
 * baton_pci_vfs_recover() - a physical function can be reached again, and so can its VFs, all reset
 * @p: the function
 *
 * Context: may sleep; &baton.lock of @p held, or not.
 */
void baton_pci_vfs_recover(struct baton_pci *p)
{
	struct baton_pci *vf;

	guard(mutex)(&p->vfs_lock);
	p->nr_resets++;
	list_for_each_entry(vf, &p->vfs, sibling) {
		baton_pci_restore(vf);
		baton_function_recover(&vf->fn);
	}
}
