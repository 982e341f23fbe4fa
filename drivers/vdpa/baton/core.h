/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two structures that tie the files of baton.ko together. What each file is
 * for, and which layer it belongs to: Documentation/overview.rst.
 *
 * Names: b is the function as the core sees it, fn as its driver sees it, bv
 * the vDPA device made of it, bq one of its queues.
 */
#ifndef BATON_CORE_H
#define BATON_CORE_H

#include <linux/baton.h>
#include <linux/cleanup.h>
#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/spinlock.h>
#include <linux/vdpa.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "config.h"
#include "ctrl.h"
#include "cvq.h"
#include "domain.h"
#include "irq.h"
#include "net.h"
#include "owner.h"
#include "queue.h"
#include "relay.h"
#include "report.h"
#include "shadow.h"
#include "virtio.h"

/* Groups of queues, each of which can be given an address space. */
#define BATON_GROUP_DATA	0
#define BATON_GROUP_CONTROL	1
#define BATON_NR_GROUPS		2

struct baton_vdpa;

/**
 * struct baton - one function
 * @ref: one for its driver, and one for each vDPA device that was made of it
 * @fn: as its driver sees it; not to be used once that has taken it back
 * @lock_key: lockdep class of @lock, one for each function
 * @lock: guards all the rest, and serialises every operation on the function:
 *	  a consumer's operations against each other, against resets from sysfs
 *	  (which hold it from reset_prepare to reset_done) and against probe and
 *	  remove
 * @owner: its life, and who may direct DMA
 * @domain: IO page tables
 * @config: device-specific configuration space, as the device has it
 * @shadow: a copy of it
 * @hw_features: features that the hardware offers
 * @queue_max: the largest size that any queue may have
 * @bv: the vDPA device, if there is one
 * @virtio: the kernel's own driver
 * @mgmt: the management device
 * @id_table: for @mgmt
 * @report: what was last said of it
 */
struct baton {
	struct kref ref;
	struct baton_function *fn;
	struct lock_class_key lock_key;
	struct mutex lock;	/* guards all the rest; see above */
	struct baton_owner owner;
	struct baton_domain domain;
	struct baton_config config;
	struct baton_shadow shadow;
	u64 hw_features;
	u16 queue_max;
	struct baton_vdpa *bv;
	struct baton_virtio virtio;
	struct vdpa_mgmt_dev mgmt;
	struct virtio_device_id id_table[2];
	struct baton_report report;
};

/**
 * struct baton_gone - stands in for a function that has left its vDPA device
 * @b: a function that is dead, and that nobody but the vDPA device knows
 * @fn: what there is of it: a copy of its configuration space
 */
struct baton_gone {
	struct baton b;
	struct baton_function fn;
};

/**
 * struct baton_leave - the end of a vDPA device that a user may have open
 * @asked: its user was asked to close it when it was not yet being deleted, in jiffies; 0 if not
 * @begun: the device is being deleted: no consumer may come any more
 * @work: releases it from its consumer, which takes until the user has closed it
 * @released: it has done so
 * @state: who sees to the rest: undecided at first
 */
struct baton_leave {
	unsigned long asked;
	bool begun;
	struct work_struct work;
	struct completion released;
	atomic_t state;
};

/**
 * struct baton_vdpa - the vDPA device made of a function
 * @vdpa: what the vDPA bus sees; first member
 * @b: the function; from when it leaves, &baton_gone.b of @gone: see baton_vdpa_lock()
 * @made_of: the function; holds a reference
 * @gone: stands in for the function that left
 * @leave: what becomes of the device when it is deleted: see mgmt.c
 * @device_id: virtio device ID
 * @vendor_id: virtio vendor ID
 * @nb: tells which consumer is bound
 * @nr_queues: how many queues it has
 * @provisioned: features that the administrator allows
 * @by_default: the administrator did not say which
 * @features: features that the consumer took
 * @hw_features: features that were negotiated with the hardware
 * @net: what is special about a network function
 * @policy: what its owner may do, %BATON_MAY_*
 * @policy_set: the administrator said so
 * @relay: which queues of a user's are relayed
 * @cvq: the hardware's control queue
 * @ctrl: the owner's control queue
 * @fail: the one way up, from the layer of the queues to that of the function's
 *	  life: the owner's or the hardware's control queue has failed, so that the
 *	  owner has to reset; @stop: the function has to be stopped as well
 * @group_asid: address space of each group of queues
 * @status: device status as the consumer set it; see status.c
 * @needs_reset: the device, or somebody who reset it, wants the owner to reset;
 *		 set in any context, cleared by reset
 * @denial: why no user may own the function
 * @user_comm: name of the process that opened the device
 * @user_pid: its process ID; 0: no process
 * @vectors: interrupt vectors, %NULL unless somebody owns the function
 * @nr_vectors: how many
 * @affinity_lock: guards &baton_queue.affinity, and the vectors and &baton_queue.own_irq
 *		   besides &baton.lock: drivers set affinities with the CPU hotplug lock
 *		   held, which the IOMMU core takes below &baton.lock
 * @config_lock: guards @config_cb against the interrupt handler
 * @config_cb: whom to call when the configuration changes: baton_irq_config(), which
 *	       knows when it is valid, and nobody else
 * @queues: all queues; freed together with the vDPA device
 *
 * &baton.lock guards all but @config_cb.
 */
struct baton_vdpa {
	struct vdpa_device vdpa;
	struct baton *b;
	struct baton *made_of;
	struct baton_gone gone;
	struct baton_leave leave;
	u32 device_id;
	u32 vendor_id;
	struct notifier_block nb;
	u16 nr_queues;
	u64 provisioned;
	bool by_default;
	u64 features;
	u64 hw_features;
	struct baton_net net;
	u32 policy;
	bool policy_set;
	enum baton_relay_policy relay;
	struct baton_cvq cvq;
	struct baton_ctrl ctrl;
	void (*fail)(struct baton_vdpa *bv, bool stop);
	unsigned int group_asid[BATON_NR_GROUPS];
	u8 status;
	bool needs_reset;
	char denial[BATON_REASON_LEN];
	char user_comm[TASK_COMM_LEN];
	pid_t user_pid;
	struct baton_vector *vectors;
	unsigned int nr_vectors;
	struct mutex affinity_lock;	/* guards affinities; see above */
	spinlock_t config_lock;	/* guards config_cb against the interrupt handler */
	struct vdpa_callback config_cb;
	struct baton_queue *queues;
};

/* vdpa_release_dev() frees what vdpa points to. */
static_assert(offsetof(struct baton_vdpa, vdpa) == 0);

/*
 * Takes &baton.lock of the vDPA device's function. Which function that is changes once, when it
 * leaves, with the lock of the old one held.
 */
static inline struct baton *__no_context_analysis baton_vdpa_lock(struct baton_vdpa *bv)
{
	struct baton *b;

	for (;;) {
		/* Pairs with baton_gone_leave(). The old one stays as long as the vDPA device. */
		b = smp_load_acquire(&bv->b);
		mutex_lock(&b->lock);
		if (b == READ_ONCE(bv->b))
			return b;
		mutex_unlock(&b->lock);
	}
}

/* For those who cannot take the lock: until rcu_read_unlock(). */
static inline struct baton_function *baton_vdpa_function(const struct baton_vdpa *bv)
{
	/* Pairs with baton_gone_leave(): what stands in for the function is complete. */
	return smp_load_acquire(&bv->b)->fn;
}

DEFINE_CLASS(baton_vdpa, struct baton *, mutex_unlock(&_T->lock), baton_vdpa_lock(bv),
	     struct baton_vdpa *bv)

static inline struct baton_vdpa *to_bv(struct vdpa_device *vdev)
{
	return container_of(vdev, struct baton_vdpa, vdpa);
}

#endif /* BATON_CORE_H */
