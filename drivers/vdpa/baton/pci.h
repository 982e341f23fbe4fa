/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio-pci function, as the files of its driver see it.
 */
#ifndef BATON_PCI_H
#define BATON_PCI_H

#include <linux/baton.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/virtio_pci_modern.h>
#include <linux/workqueue.h>

#include "pci_doorbell.h"

struct baton_pci_queue;

/**
 * struct baton_pci - a virtio-pci function
 * @fn: what the core sees of it
 * @mdev: its registers
 * @saved: PCI configuration space as it was when the function was well
 * @command: the PCI command register then
 * @queues: one entry for each queue
 * @queue_max: largest size of each queue
 * @doorbells_end: physical address of the first byte behind all doorbells
 * @others: what else there is in its BARs
 * @private_features: negotiated besides what the core wants: SR_IOV, if the function has it
 * @may_have_vfs: SR_IOV was negotiated with it once
 * @vfs_lock: guards @vfs and @nr_resets; kept while the function is reset, and its VFs with it.
 *	      Taken with &baton.lock of this function held, or not; &baton.lock of its VFs is taken
 *	      with it held
 * @vfs_key: lockdep: a bus reset takes @vfs_lock of each function on it
 * @vfs: its virtual functions that are ours as well, by @sibling
 * @nr_resets: how often they were all reset with it
 * @sibling: in @vfs of @pf
 * @pf: the physical function of this one, if it is ours
 * @pf_resets: its @nr_resets before this one was looked at
 * @watch: looks whether a VF was reset with a physical function that is not ours
 * @masters: changes whenever bus mastering is switched, and is odd while it is on; &baton.lock
 * @resetter: who is resetting the function, between the two halves of that, and keeps &baton.lock
 * @resets: how many resets in one that is
 */
struct baton_pci {
	struct baton_function fn;
	struct virtio_pci_modern_device mdev;
	struct pci_saved_state *saved;
	u16 command;
	struct baton_pci_queue *queues;
	u16 *queue_max;
	resource_size_t doorbells_end;
	struct baton_pci_others others;
	u64 private_features;
	bool may_have_vfs;
	/* Guards the list of VFs. */
	struct mutex vfs_lock;
	struct lock_class_key vfs_key;
	struct list_head vfs;
	unsigned int nr_resets;
	struct list_head sibling;
	struct baton_pci *pf;
	unsigned int pf_resets;
	struct delayed_work watch;
	unsigned int masters;
	struct task_struct *resetter;
	unsigned int resets;
};

static inline struct baton_pci *to_baton_pci(struct baton_function *fn)
{
	return container_of(fn, struct baton_pci, fn);
}

/* As the PCI core does after its own resets: configuration space as it was when all was well. */
static inline void baton_pci_restore(struct baton_pci *p)
{
	struct pci_dev *pdev = p->mdev.pci_dev;

	if (!pci_load_saved_state(pdev, p->saved))
		pci_restore_state(pdev);
}

#endif /* BATON_PCI_H */
