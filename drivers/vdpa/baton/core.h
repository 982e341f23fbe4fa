/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The two structures that tie the files of baton.ko together. What each file is
 * for, and which layer it belongs to: Documentation/overview.rst. Who takes which lock
 * where: Documentation/locking.rst.
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
#include "position.h"
#include "queue.h"
#include "recover.h"
#include "relay.h"
#include "report.h"
#include "shadow.h"
#include "uevent.h"
#include "virtio.h"

/* Groups of queues, each of which can be given an address space. */
#define BATON_GROUP_DATA	0
#define BATON_GROUP_CONTROL	1
#define BATON_NR_GROUPS		2

struct baton_vdpa;

/**
 * struct baton - one function
 * @ref: one for its driver, one for each vDPA device that was made of it until that is freed, and
 *	 one for each driver that is paused (virtio.c)
 * @fn: as its driver sees it; not to be used once that has taken it back
 * @lock_key: lockdep class of @lock, one for each function
 * @lock: guards @owner, @domain, @shadow, @bv, @report and the vDPA device's state, and
 *	  serialises every operation on the function: a consumer's operations against
 *	  each other, against resets from sysfs (which hold it from reset_prepare to
 *	  reset_done) and against probe and remove
 * @owner: its state, and who may direct DMA; some of it is read without @lock, see there
 * @domain: IO page tables
 * @config: device-specific configuration space, as the device has it; constant after probe
 * @shadow: a copy of it; @lock guards it but for &baton_shadow.stale
 * @hw_features: features that the hardware offers; constant after probe
 * @queue_max: the largest size that any queue may have; constant after probe
 * @bv: the vDPA device, if there is one. Changed under @lock, by dev add and dev del only, which
 *	vdpa_dev_lock serialises
 * @virtio: the kernel's own driver; see there for what guards which part of it
 * @mgmt: the management device; constant after probe
 * @id_table: for @mgmt
 * @report: what was last said of it
 */
struct baton {
	struct kref ref;
	struct baton_function *fn;
	struct lock_class_key lock_key;
	struct mutex lock;	/* guards what is said above */
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
 * struct baton_gone - takes the place of a function that has left its vDPA device: see gone.c
 * @b: a function in the state dead, which nobody but this vDPA device refers to; its &baton.lock
 *     guards the vDPA device from then on
 * @fn: operations that touch no hardware, and read a copy of the configuration space
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
 * @released: completed when @work has done so in time
 * @state: who goes on deleting, dev del or @work; decided once, by a compare and exchange
 *
 * &baton.lock guards @begun. See mgmt.c.
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
 * @b: the function; when it leaves, &baton_gone.b of @gone takes its place. Changes once, under
 *     the &baton.lock of the function that leaves: see baton_vdpa_lock()
 * @made_of: the function; holds a reference, so that constants of struct baton can be read by way
 *	     of it without a lock, even after it left
 * @gone: takes the place of the function that left
 * @leave: what becomes of the device when it is deleted: see mgmt.c
 * @uevent: what user space has yet to be told
 * @recovery: what becomes of the kernel's driver when the function fails
 * @device_id: virtio device ID; this and the next six do not change once it is registered
 * @vendor_id: virtio vendor ID
 * @nb: tells which consumer is bound
 * @nr_queues: how many queues it has
 * @provisioned: features that the administrator allows
 * @by_default: the administrator did not say which
 * @fail: how files of the layer of the queues have the owner reset, which is the business of
 *	  a higher layer (baton_handover_fail()): a control queue, or a queue that is relayed,
 *	  or was enabled late, has failed; @stop: the function has to be stopped as well.
 *	  Called with &baton.lock held
 * @features: features that the consumer took; also read without a lock
 * @hw_features: features that were negotiated with the hardware
 * @net: what is special about a network function
 * @policy: what its owner may do, %BATON_MAY_*
 * @policy_set: the administrator said so
 * @relay: which queues of a user's are relayed; also read without a lock
 * @cvq: the hardware's control queue
 * @ctrl: the owner's control queue; &baton_ctrl.index is also read without a lock
 * @position: how long its user has had us wait
 * @group_asid: address space of each group of queues
 * @status: device status as the consumer set it; see status.c. Also read without a lock
 * @needs_reset: the device, or somebody who reset it, wants the owner to reset; set in any
 *		 context and read without a lock, cleared by reset
 * @denial: why no user may own the function
 * @user_comm: name of the process that opened the device last
 * @user_pid: its process ID; 0: no process
 * @vectors: interrupt vectors, %NULL unless somebody owns the function; changed under &baton.lock
 *	     and @affinity_lock, so either allows to read it
 * @nr_vectors: how many; likewise
 * @affinity_lock: guards &baton_queue.affinity and &baton_queue.bypass, and, together with
 *		   &baton.lock, @vectors, &baton_queue.own_irq and &baton_queue_config.vector.
 *		   Taken below &baton.lock. It exists because drivers set affinities with the
 *		   CPU hotplug lock held, which the IOMMU core takes below &baton.lock
 * @config_lock: guards @config_cb against the interrupt handler
 * @config_cb: whom to call when the configuration changes. Called by baton_irq_config() only,
 *	       which says when it is valid
 * @queues: all queues; freed together with the vDPA device
 *
 * &baton.lock guards all but what is constant, atomic, or said to be guarded otherwise.
 */
struct baton_vdpa {
	struct vdpa_device vdpa;
	struct baton *b;
	struct baton *made_of;
	struct baton_gone gone;
	struct baton_leave leave;
	struct baton_uevent uevent;
	struct baton_recovery recovery;
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
	struct baton_position position;
	unsigned int group_asid[BATON_NR_GROUPS];
	u8 status;
	bool needs_reset;
	char denial[BATON_REASON_LEN];
	char user_comm[TASK_COMM_LEN];
	pid_t user_pid;
	struct baton_vector *vectors;
	unsigned int nr_vectors;
	struct mutex affinity_lock;	/* guards affinities and vectors; see above */
	spinlock_t config_lock;	/* guards config_cb against the interrupt handler */
	struct vdpa_callback config_cb;
	struct baton_queue *queues;
};

/* vdpa_release_dev() frees what vdpa points to. */
static_assert(offsetof(struct baton_vdpa, vdpa) == 0);

/*
 * Takes &baton.lock of the vDPA device's function, and returns that function. Which function that
 * is changes once, when it leaves, with the lock of the old one held: whoever waited for that lock
 * has to look again. Context: may sleep.
 */
static inline struct baton *__no_context_analysis baton_vdpa_lock(struct baton_vdpa *bv)
{
	struct baton *b;

	for (;;) {
		/* Pairs with baton_gone_leave(). @made_of keeps the old one allocated. */
		b = smp_load_acquire(&bv->b);
		mutex_lock(&b->lock);
		if (b == READ_ONCE(bv->b))
			return b;
		mutex_unlock(&b->lock);
	}
}

/*
 * The function's operations, for those who cannot take &baton.lock. Valid within rcu_read_lock(),
 * with &baton.lock held, and in the function's interrupt handlers, which are freed before it
 * leaves. Context: any.
 */
static inline struct baton_function *baton_vdpa_function(const struct baton_vdpa *bv)
{
	/* Pairs with baton_gone_leave(): what takes the function's place is complete. */
	return smp_load_acquire(&bv->b)->fn;
}

DEFINE_CLASS(baton_vdpa, struct baton *, mutex_unlock(&_T->lock), baton_vdpa_lock(bv),
	     struct baton_vdpa *bv)

static inline struct baton_vdpa *to_bv(struct vdpa_device *vdev)
{
	return container_of(vdev, struct baton_vdpa, vdpa);
}

#endif /* BATON_CORE_H */
