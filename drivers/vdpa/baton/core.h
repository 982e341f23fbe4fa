/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of baton.ko share.
 *
 * Names: b is the function as the core sees it, fn as its driver sees it, bv
 * the vDPA device made of it, bq one of its queues.
 */
#ifndef BATON_CORE_H
#define BATON_CORE_H

#include <linux/baton.h>
#include <linux/interrupt.h>
#include <linux/iommu.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>
#include <linux/vdpa.h>

#include "chunks.h"
#include "compat.h"
#include "config.h"
#include "net.h"
#include "owner.h"
#include "range.h"
#include "ring.h"

#define BATON_REASON_LEN 192

/* Groups of queues, each of which can be given an address space. */
#define BATON_GROUP_DATA	0
#define BATON_GROUP_CONTROL	1
#define BATON_NR_GROUPS		2
#define BATON_NR_AS		2

/* Of &baton_vdpa.control: the owner has none, or it is the hardware's own. */
#define BATON_NO_CONTROL	0xffff

/* Top of a user's IOVA span that is kept for what ctrl.c shares. */
#define BATON_WINDOW_SIZE	(16ULL * PAGE_SIZE)

/**
 * struct baton_dma - the IO page tables of one function
 * @group: its IOMMU group; NULL: there is no IOMMU
 * @isolated: the function is alone in its group, so its domain is ours to set
 * @firmware: firmware needs regions of the default domain at all times
 * @empty: attached while nobody owns the function; never maps anything
 * @user: holds what the user mapped, nothing else; exists while a user is bound
 * @attached: @empty, @user, or NULL: the DMA API's default domain
 * @maps: what a user mapped, one for each address space; each entry holds a
 *	  reference on every page
 * @data_asid: which of @maps the function sees: what is in it is in @user
 * @mapped: bytes in @maps
 * @iova: what may be mapped
 * @reserved: storage for @iova
 *
 * All guarded by &baton.lock.
 */
struct baton_dma {
	struct iommu_group *group;
	bool isolated;
	bool firmware;
	struct iommu_domain *empty;
	struct iommu_domain *user;
	struct iommu_domain *attached;
	struct baton_chunks maps[BATON_NR_AS];
	unsigned int data_asid;
	u64 mapped;
	struct baton_iova iova;
	struct baton_range *reserved;
};

/**
 * struct baton_vector - one interrupt vector
 * @b: whose
 * @index: which
 * @irq: Linux interrupt number
 * @name: as in /proc/interrupts
 */
struct baton_vector {
	struct baton *b;
	unsigned int index;
	int irq;
	char name[48];
};

/* What ctrl.c shares with the hardware. */
enum baton_shared_part {
	BATON_SHARED_RING,	/* descriptors and available ring: read by it */
	BATON_SHARED_ANSWER,	/* used ring and answer: written by it */
	BATON_SHARED_COMMAND,	/* read by it */
	BATON_NR_SHARED
};

#define BATON_SHARED_ORDER	2

/**
 * struct baton_shared - memory of ours that the hardware can reach
 * @page: its first page
 * @cpu: where we see it
 * @addr: where the hardware sees it
 * @offset: of @addr in the window of a user's domain
 * @size: how large it is, in whole pages
 * @writable: the hardware may write
 * @mapped: it can reach it now
 */
struct baton_shared {
	struct page *page;
	void *cpu;
	dma_addr_t addr;
	unsigned int offset;
	unsigned int size;
	bool writable;
	bool mapped;
};

/**
 * struct baton_ctrl - both ends of a network function's control queue
 * @work: serves the owner's
 * @ring: the owner's; its size is 0 until it is first served
 * @pages: memory for @shared; %NULL if the hardware has no control queue
 * @command: the command that is being judged, where nobody else can change or
 *	     even read it
 * @shared: the hardware's queue
 * @hw_queue: its index
 * @sent: how many commands were given to the hardware
 * @received: how many were taken from owners
 * @completed: how many of them were carried out
 * @refused: how many were not, by us or by the hardware
 *
 * All guarded by &baton.lock.
 */
struct baton_ctrl {
	struct work_struct work;
	struct baton_ring ring;
	struct page *pages;
	u8 *command;
	struct baton_shared shared[BATON_NR_SHARED];
	u16 hw_queue;
	u16 sent;
	u64 received;
	u64 completed;
	u64 refused;
};

/* No configuration space of a known class is larger. */
#define BATON_SHADOW_SIZE	160

/**
 * struct baton_shadow - a copy of the device-specific configuration space
 * @stale: it has to be made anew before it is read; set in any context
 * @read: when it was made, in jiffies
 * @generation: counts the copies that differ from the one before
 * @size: how many bytes; 0: there is no copy
 * @bytes: the copy
 *
 * &baton.lock guards all but @stale.
 */
struct baton_shadow {
	atomic_t stale;
	unsigned long read;
	u32 generation;
	unsigned int size;
	u8 bytes[BATON_SHADOW_SIZE];
};

/**
 * struct baton_queue - one queue, as its owner described it
 * @cfg: what goes to the hardware when the queue is enabled
 * @ready: the owner wants it to run
 * @enabled: the hardware has been told to run it
 * @own_irq: its interrupt number if it has a vector of its own, else -EINVAL
 * @index: its number
 * @state: its initial state, as the owner set it
 * @affinity: on which CPUs its interrupt should arrive; NULL: on any
 * @kicks: how often its owner rang
 * @interrupts: how often it interrupted its owner
 * @cb_lock: guards @cb against the interrupt handler
 * @cb: whom to call when the queue interrupts
 *
 * @cfg, @index and @state belong to the consumer's set-up path, which does not
 * run concurrently with itself; &baton.lock guards the rest against interrupts
 * being set up and torn down. @ready and @enabled are read without a lock by
 * kicks, which count themselves without one: two at once may count as one.
 */
struct baton_queue {
	struct baton_queue_config cfg;
	bool ready;
	bool enabled;
	int own_irq;
	u16 index;
	struct vdpa_vq_state state;
	struct cpumask *affinity;
	u64 kicks;
	u64 interrupts;
	spinlock_t cb_lock;	/* guards cb against the interrupt handler */
	struct vdpa_callback cb;
};

/**
 * struct baton_vdpa - the vDPA device made of a function
 * @vdpa: what the vDPA bus sees; first member
 * @b: the function
 * @nb: tells which consumer is bound
 * @nr_queues: how many queues it has
 * @provisioned: features that the administrator allows
 * @by_default: the administrator did not say which
 * @features: features that the consumer took
 * @hw_features: features that were negotiated with the hardware
 * @net: what is special about a network function
 * @policy: what its owner may do, %BATON_MAY_*
 * @policy_set: the administrator said so
 * @ctrl: its control queue
 * @control: the index of the owner's control queue, or %BATON_NO_CONTROL
 * @group_asid: address space of each group of queues
 * @status: device status as the consumer set it
 * @needs_reset: the device, or somebody who reset it, wants the owner to reset
 * @refused: the consumer that is being bound is not one that the core knows
 * @denial: why no user may own the function
 * @user_comm: name of the process that opened the device
 * @user_pid: its process ID; 0: no process
 * @affinity_lock: guards &baton_queue.affinity, and &baton_queue.own_irq besides
 *		   &baton.lock: drivers set affinities with the CPU hotplug lock
 *		   held, which the IOMMU core takes below &baton.lock
 * @config_lock: guards @config_cb against the interrupt handler
 * @config_cb: whom to call when the configuration changes
 * @queues: all queues
 *
 * &baton.lock guards all but @config_cb.
 */
struct baton_vdpa {
	struct vdpa_device vdpa;
	struct baton *b;
	struct notifier_block nb;
	u16 nr_queues;
	u64 provisioned;
	bool by_default;
	u64 features;
	u64 hw_features;
	struct baton_net net;
	u32 policy;
	bool policy_set;
	struct baton_ctrl ctrl;
	u16 control;
	unsigned int group_asid[BATON_NR_GROUPS];
	u8 status;
	bool needs_reset;
	bool refused;
	char denial[BATON_REASON_LEN];
	char user_comm[TASK_COMM_LEN];
	pid_t user_pid;
	struct mutex affinity_lock;	/* guards affinities; see above */
	spinlock_t config_lock;	/* guards config_cb against the interrupt handler */
	struct vdpa_callback config_cb;
	struct baton_queue queues[];
};

/**
 * struct baton - one function
 * @fn: as its driver sees it
 * @lock_key: lockdep class of @lock, one for each function
 * @lock: guards all the rest, and serialises every operation on the function:
 *	  a consumer's operations against each other, against resets from sysfs
 *	  (which hold it from reset_prepare to reset_done) and against probe and
 *	  remove
 * @owner: who may direct DMA
 * @dma: IO page tables
 * @config: device-specific configuration space, as the device has it
 * @shadow: a copy of it
 * @vectors: interrupt vectors, %NULL unless somebody owns the function
 * @nr_vectors: how many
 * @hw_status: device status that was last written to the hardware
 * @hw_features: features that the hardware offers
 * @queue_max: the largest size that any queue may have
 * @bv: the vDPA device, if there is one
 * @paused: the virtio device whose driver has stepped aside while others reset
 *	    the function; belongs to whoever holds the function's device lock
 * @mgmt: the management device
 * @id_table: for @mgmt
 * @log_limit: keeps a user from flooding the log
 * @reason: why something was last refused, or the function is broken
 */
struct baton {
	struct baton_function *fn;
	struct lock_class_key lock_key;
	struct mutex lock;	/* guards all the rest; see above */
	struct baton_owner owner;
	struct baton_dma dma;
	struct baton_config config;
	struct baton_shadow shadow;
	struct baton_vector *vectors;
	unsigned int nr_vectors;
	u8 hw_status;
	u64 hw_features;
	u16 queue_max;
	struct baton_vdpa *bv;
	struct device *paused;
	struct vdpa_mgmt_dev mgmt;
	struct virtio_device_id id_table[2];
	struct ratelimit_state log_limit;
	char reason[BATON_REASON_LEN];
};

/* vdpa_release_dev() frees what vdpa points to. */
static_assert(offsetof(struct baton_vdpa, vdpa) == 0);

static inline struct baton_vdpa *to_bv(struct vdpa_device *vdev)
{
	return container_of(vdev, struct baton_vdpa, vdpa);
}

/* Somebody owns the function, and has not lost it. */
static inline bool baton_running(const struct baton *b)
{
	return b->owner.state == BATON_KERNEL_OWNS || b->owner.state == BATON_USER_OWNS;
}

/* function.c */
__printf(2, 3) void baton_function_refuse(struct baton *b, const char *fmt, ...);

/* handover.c */
int baton_handover_event(struct baton *b, enum baton_event event);
int baton_handover_quiesce(struct baton *b);
bool baton_handover_owned(const struct baton *b);

/* virtio.c */
int baton_virtio_init(void);
void baton_virtio_uninit(void);
void baton_virtio_break(struct baton *b);
void baton_virtio_pause(struct baton *b);
void baton_virtio_resume(struct baton *b);

/* dma.c */
int baton_dma_init(struct baton *b);
void baton_dma_uninit(struct baton *b);
int baton_dma_attach(struct baton *b, enum baton_party party);
struct iommu_domain *baton_dma_user_alloc(struct baton *b);
int baton_dma_user_init(struct baton *b);
void baton_dma_user_uninit(struct baton *b);
int baton_dma_share(struct baton *b, struct baton_shared *shared);
void baton_dma_unshare(struct baton *b, struct baton_shared *shared);
void baton_dma_sync(struct baton *b, const struct baton_shared *s, bool to_device);
bool baton_dma_isolation(struct baton *b, char *why, size_t len);

/* space.c */
void baton_space_init(struct baton *b);
int baton_space_map(struct baton *b, unsigned int asid, u64 iova, u64 size, u64 pa, u32 perm);
int baton_space_unmap(struct baton *b, unsigned int asid, u64 iova, u64 last);
int baton_space_show(struct baton *b, unsigned int asid);
size_t baton_space_window(struct baton *b, unsigned int asid, u64 addr, bool write, void **bytes);

/* irq.c */
int baton_irq_request(struct baton *b);
void baton_irq_free(struct baton *b);
void baton_irq_config(struct baton_vdpa *bv);
void baton_irq_queue(struct baton_queue *bq);

/* queue.c */
void baton_queue_init(struct baton_vdpa *bv);
void baton_queue_reset(struct baton_vdpa *bv);
void baton_queue_silence(struct baton_vdpa *bv);
int baton_queue_enable(struct baton *b, struct baton_queue *bq);
int baton_queue_enable_ready(struct baton *b);
const char *baton_queue_unusable(const struct baton_vdpa *bv, const struct baton_queue *bq);
u16 baton_queue_max(const struct baton_vdpa *bv, u16 idx);

/* shadow.c */
void baton_shadow_init(struct baton *b);
void baton_shadow_stale(struct baton *b);
int baton_shadow_read(struct baton *b, unsigned int offset, void *buf, unsigned int len);
int baton_shadow_write(struct baton *b, unsigned int offset, const void *buf, unsigned int len);
u32 baton_shadow_generation(struct baton *b);

/* ctrl.c */
int baton_ctrl_init(struct baton_vdpa *bv);
void baton_ctrl_uninit(struct baton_vdpa *bv);
int baton_ctrl_start(struct baton *b);
int baton_ctrl_restore(struct baton *b);
void baton_ctrl_stop(struct baton *b);
void baton_ctrl_kick(struct baton_vdpa *bv);
bool baton_ctrl_claims(const struct baton_vdpa *bv, u16 idx);

/* vdpa_ops.c */
extern const struct vdpa_config_ops baton_vdpa_ops;
int baton_vdpa_init(struct baton_vdpa *bv);
void baton_vdpa_uninit(struct baton_vdpa *bv);

/* provision.c */
int baton_provision(struct baton_vdpa *bv, const struct vdpa_dev_set_config *config);
int baton_provision_change(struct baton_vdpa *bv, const struct vdpa_dev_set_config *config);

/* mgmt.c */
int baton_mgmt_register(struct baton *b);
void baton_mgmt_unregister(struct baton *b);

/* sysfs.c */
extern const struct attribute_group *baton_sysfs_groups[];

/* main.c */
extern unsigned int baton_reset_timeout_ms;
extern unsigned int baton_ctrl_timeout_ms;
extern struct workqueue_struct *baton_wq;
extern bool baton_allow_unsafe_interrupts;

#endif /* BATON_CORE_H */
