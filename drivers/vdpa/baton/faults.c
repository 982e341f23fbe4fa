// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions that misbehave on command (CONFIG_BATON_FAULTS), for tests only.
 *
 * A layer between the core and the function driver that answers as bad hardware would. The
 * function behind it is real, and goes on with what it does: one that "does not answer a
 * reset" was never told to reset, and still does DMA if nothing else stops it.
 *
 * faults_lock guards the list of functions and faults.function. The other faults are set by
 * debugfs and read without a lock, as is &faulty.chosen. The operations are called as the
 * function driver's are: those that may sleep under &baton.lock, which guards what they keep in
 * struct faulty; kicks and reads of the status at any time.
 *
 * /sys/kernel/debug/baton_faults/ has one file for each fault. "function" names
 * the function that they are for, none at first; it need not be bound yet.
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/irq.h>
#include <linux/irq_work.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/panic.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "faults.h"

#define NAME_LEN 64
#define NR_USED 16

/**
 * struct baton_faults - the faults, and whose they are
 * @function: name of the device that has them
 * @reset_ms: how long a reset takes; U32_MAX: for ever
 * @stubborn: the status does not become 0 even after a reset of the whole function
 * @flr_errno: a reset of the whole function fails with this errno (positive), and does nothing
 * @ones: all registers read as all ones, and writes to them are lost
 * @absent: the function says that it is not there
 * @status_clear: bits of the device status that are never set
 * @unsettled: the configuration generation changes all the time
 * @vectors_errno: there are no interrupt vectors: allocating them fails with this (positive)
 * @no_config_vector: the configuration does not take its vector
 * @no_queue_vector: @queue does not take its vector
 * @no_late_queue: no queue is enabled after DRIVER_OK
 * @spurious: all vectors interrupt at most operations that the core calls
 * @queue: the queue that the other faults are about
 * @deaf: doorbells of @queue do not reach the function
 * @jump: nor then, but each adds this to the index of the queue's used ring
 * @raised: how many interrupts @spurious has raised
 */
static struct baton_faults {
	char function[NAME_LEN];
	u32 reset_ms;
	bool stubborn;
	u32 flr_errno;
	bool ones;
	bool absent;
	u8 status_clear;
	bool unsettled;
	u32 vectors_errno;
	bool no_config_vector;
	bool no_queue_vector;
	bool no_late_queue;
	bool spurious;
	u32 queue;
	bool deaf;
	u32 jump;
	u32 raised;
} faults;

/**
 * struct faulty - a function that may misbehave
 * @ops: what the core calls
 * @real: what the function driver gave us
 * @fn: the function
 * @list: in @faulty_list
 * @chosen: it is the one that faults.function names
 * @resetting: the core wrote status 0, which was not passed on
 * @due: when that is passed on
 * @generation: what the configuration generation reads next, with @unsettled
 * @nr_vectors: how many interrupt vectors it has
 * @irq: which interrupt @work raises
 * @work: raises interrupts, in a context like theirs
 * @used: addresses of the used rings of the first queues, for @jump
 */
struct faulty {
	struct baton_function_ops ops;
	const struct baton_function_ops *real;
	struct baton_function *fn;
	struct list_head list;
	bool chosen;
	bool resetting;
	ktime_t due;
	u8 generation;
	int nr_vectors;
	int irq;
	struct irq_work work;
	u64 used[NR_USED];
};

static struct dentry *faults_dir;
static LIST_HEAD(faulty_list);
static DEFINE_MUTEX(faults_lock);	/* guards faulty_list, and faults.function */

static struct faulty *to_faulty(struct baton_function *fn)
{
	return container_of(fn->ops, struct faulty, ops);
}

static bool faulty_is(const struct faulty *faulty, bool fault)
{
	return READ_ONCE(faulty->chosen) && fault;
}

static void faulty_irq_work(struct irq_work *work)
{
	struct faulty *faulty = container_of(work, struct faulty, work);

	generic_handle_irq(faulty->irq);
}

static void faulty_raise(struct faulty *faulty)
{
	int i;

	if (!faulty_is(faulty, faults.spurious))
		return;
	for (i = 0; i < faulty->nr_vectors; i++) {
		faulty->irq = faulty->real->vector_irq(faulty->fn, i);
		irq_work_queue(&faulty->work);
		irq_work_sync(&faulty->work);
		faults.raised++;
	}
}

static u64 faulty_get_features(struct baton_function *fn)
{
	struct faulty *faulty = to_faulty(fn);

	return faulty_is(faulty, faults.ones) ? U64_MAX : faulty->real->get_features(fn);
}

static void faulty_set_features(struct baton_function *fn, u64 features)
{
	struct faulty *faulty = to_faulty(fn);

	faulty_raise(faulty);
	if (!faulty_is(faulty, faults.ones))
		faulty->real->set_features(fn, features);
}

static u8 faulty_get_status(struct baton_function *fn)
{
	struct faulty *faulty = to_faulty(fn);
	u8 status;

	if (faulty_is(faulty, faults.ones))
		return 0xff;
	if (faulty->resetting && in_task() && ktime_after(ktime_get(), faulty->due)) {
		faulty->resetting = false;
		faulty->real->set_status(fn, 0);
	}
	status = faulty->real->get_status(fn);
	if (!status && faulty->resetting && faulty_is(faulty, faults.stubborn))
		status = VIRTIO_CONFIG_S_ACKNOWLEDGE;
	if (faulty_is(faulty, true))
		status &= ~faults.status_clear;

	return status;
}

static void faulty_set_status(struct baton_function *fn, u8 status)
{
	struct faulty *faulty = to_faulty(fn);

	faulty_raise(faulty);
	if (!status)
		memset(faulty->used, 0, sizeof(faulty->used));
	faulty->resetting = !status && faulty_is(faulty, faults.reset_ms);
	faulty->due = KTIME_MAX;
	if (faults.reset_ms != U32_MAX)
		faulty->due = ktime_add_ms(ktime_get(), faults.reset_ms);
	if (!faulty->resetting && !faulty_is(faulty, faults.ones))
		faulty->real->set_status(fn, status);
	faulty_raise(faulty);
}

static int faulty_find_queues(struct baton_function *fn)
{
	return to_faulty(fn)->real->find_queues(fn);
}

static int faulty_setup_queue(struct baton_function *fn, u16 idx,
			      const struct baton_queue_config *cfg)
{
	struct faulty *faulty = to_faulty(fn);
	int err;

	if (idx < NR_USED)
		faulty->used[idx] = cfg->device;
	if (faulty_is(faulty, faults.ones || (faults.no_queue_vector && idx == faults.queue)))
		return -EBUSY;
	if (faulty_is(faulty, faults.no_late_queue) &&
	    faulty->real->get_status(fn) & VIRTIO_CONFIG_S_DRIVER_OK)
		return -EIO;
	err = faulty->real->setup_queue(fn, idx, cfg);
	faulty_raise(faulty);

	return err;
}

/* Writes to the used ring where the function would, through the domain that is attached. */
static void faulty_jump_used(struct faulty *faulty, u16 idx)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(faulty->fn->dev);
	u64 addr = idx < NR_USED ? faulty->used[idx] : 0;
	phys_addr_t pa = domain ? iommu_iova_to_phys(domain, addr) : addr;
	struct vring_used *used;

	if (!pa)
		return;
	used = phys_to_virt(pa);
	le16_add_cpu((__le16 __force *)&used->idx, faults.jump);
}

/* Returns whether the function does not hear it. */
static bool faulty_unheard(struct faulty *faulty, u16 idx)
{
	if (faulty_is(faulty, faults.ones))
		return true;
	if (idx != faults.queue)
		return false;
	if (faulty_is(faulty, faults.jump))
		faulty_jump_used(faulty, idx);

	return faulty_is(faulty, faults.deaf || faults.jump);
}

static void faulty_kick(struct baton_function *fn, u16 idx)
{
	struct faulty *faulty = to_faulty(fn);

	if (!faulty_unheard(faulty, idx))
		faulty->real->kick(fn, idx);
}

static void faulty_kick_data(struct baton_function *fn, u32 data)
{
	struct faulty *faulty = to_faulty(fn);

	if (!faulty_unheard(faulty, data & 0xffff))
		faulty->real->kick_data(fn, data);
}

static struct baton_doorbell faulty_get_doorbell(struct baton_function *fn, u16 idx)
{
	return to_faulty(fn)->real->get_doorbell(fn, idx);
}

static u32 faulty_read_config(struct baton_function *fn, unsigned int offset, unsigned int width)
{
	struct faulty *faulty = to_faulty(fn);

	return faulty_is(faulty, faults.ones) ? U32_MAX : faulty->real->read_config(fn, offset,
										    width);
}

static void faulty_write_config(struct baton_function *fn, unsigned int offset, unsigned int width,
				u32 value)
{
	struct faulty *faulty = to_faulty(fn);

	if (!faulty_is(faulty, faults.ones))
		faulty->real->write_config(fn, offset, width, value);
}

static u8 faulty_get_generation(struct baton_function *fn)
{
	struct faulty *faulty = to_faulty(fn);

	if (faulty_is(faulty, faults.ones))
		return 0xff;
	return faulty_is(faulty, faults.unsettled) ? faulty->generation++
		: faulty->real->get_generation(fn);
}

static int faulty_alloc_vectors(struct baton_function *fn, unsigned int want)
{
	struct faulty *faulty = to_faulty(fn);
	int nr;

	if (faulty_is(faulty, faults.vectors_errno))
		return -(int)faults.vectors_errno;
	nr = faulty->real->alloc_vectors(fn, want);
	faulty->nr_vectors = max(nr, 0);

	return nr;
}

static void faulty_free_vectors(struct baton_function *fn)
{
	struct faulty *faulty = to_faulty(fn);

	faulty_raise(faulty);
	faulty->nr_vectors = 0;
	faulty->real->free_vectors(fn);
}

static int faulty_vector_irq(struct baton_function *fn, unsigned int vector)
{
	return to_faulty(fn)->real->vector_irq(fn, vector);
}

static int faulty_set_config_vector(struct baton_function *fn, u16 vector)
{
	struct faulty *faulty = to_faulty(fn);

	faulty_raise(faulty);
	if (faulty_is(faulty, faults.no_config_vector || faults.ones))
		return -EBUSY;

	return faulty->real->set_config_vector(fn, vector);
}

static void faulty_set_master(struct baton_function *fn, bool on)
{
	struct faulty *faulty = to_faulty(fn);

	faulty->real->set_master(fn, on);
	faulty_raise(faulty);
}

static int faulty_reset(struct baton_function *fn, unsigned int timeout_ms)
{
	struct faulty *faulty = to_faulty(fn);

	return faulty_is(faulty, faults.flr_errno) ? -(int)faults.flr_errno
		: faulty->real->reset(fn, timeout_ms);
}

static bool faulty_present(struct baton_function *fn)
{
	struct faulty *faulty = to_faulty(fn);

	return !faulty_is(faulty, faults.absent) && faulty->real->present(fn);
}

static const struct baton_function_ops faulty_ops = {
	.get_features		= faulty_get_features,
	.set_features		= faulty_set_features,
	.get_status		= faulty_get_status,
	.set_status		= faulty_set_status,
	.find_queues		= faulty_find_queues,
	.setup_queue		= faulty_setup_queue,
	.kick			= faulty_kick,
	.kick_data		= faulty_kick_data,
	.get_doorbell		= faulty_get_doorbell,
	.read_config		= faulty_read_config,
	.write_config		= faulty_write_config,
	.get_generation		= faulty_get_generation,
	.alloc_vectors		= faulty_alloc_vectors,
	.free_vectors		= faulty_free_vectors,
	.vector_irq		= faulty_vector_irq,
	.set_config_vector	= faulty_set_config_vector,
	.set_master		= faulty_set_master,
	.reset			= faulty_reset,
	.present		= faulty_present,
};

static void faulty_choose(struct faulty *faulty)
{
	WRITE_ONCE(faulty->chosen, !strcmp(dev_name(faulty->fn->dev), faults.function));
}

/**
 * baton_faults_wrap() - put this layer between the core and a function
 * @fn: the function, about to be registered
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int baton_faults_wrap(struct baton_function *fn)
{
	struct faulty *faulty = kzalloc(sizeof(*faulty), GFP_KERNEL);

	if (!faulty)
		return -ENOMEM;
	faulty->fn = fn;
	faulty->real = fn->ops;
	faulty->ops = faulty_ops;
	if (!faulty->real->get_doorbell)
		faulty->ops.get_doorbell = NULL;
	faulty->work = IRQ_WORK_INIT_HARD(faulty_irq_work);
	mutex_lock(&faults_lock);
	list_add(&faulty->list, &faulty_list);
	faulty_choose(faulty);
	mutex_unlock(&faults_lock);
	fn->ops = &faulty->ops;

	return 0;
}

/**
 * baton_faults_unwrap() - undo baton_faults_wrap()
 * @fn: the function, of which the core calls no operation any more
 *
 * Context: may sleep.
 */
void baton_faults_unwrap(struct baton_function *fn)
{
	struct faulty *faulty = to_faulty(fn);

	fn->ops = faulty->real;
	mutex_lock(&faults_lock);
	list_del(&faulty->list);
	mutex_unlock(&faults_lock);
	kfree(faulty);
}

static ssize_t faults_write_function(struct file *file, const char __user *buf, size_t len,
				     loff_t *pos)
{
	char name[NAME_LEN];
	struct faulty *faulty;
	ssize_t got;

	got = simple_write_to_buffer(name, sizeof(name) - 1, pos, buf, len);
	if (got < 0)
		return got;
	name[got] = '\0';
	mutex_lock(&faults_lock);
	strscpy(faults.function, strim(name));
	list_for_each_entry(faulty, &faulty_list, list)
		faulty_choose(faulty);
	mutex_unlock(&faults_lock);

	return got;
}

static const struct file_operations function_fops = {
	.owner = THIS_MODULE,
	.write = faults_write_function,
};

/**
 * baton_faults_init() - make the files in debugfs, say so in the log, and taint the kernel
 *
 * Context: may sleep; module init.
 */
void baton_faults_init(void)
{
	pr_warn("baton: built with BATON_FAULTS, functions can be made to misbehave: for tests only\n");
	add_taint(TAINT_TEST, LOCKDEP_STILL_OK);

	faults.queue = U32_MAX;
	faults_dir = debugfs_create_dir("baton_faults", NULL);
	debugfs_create_file("function", 0200, faults_dir, NULL, &function_fops);
	debugfs_create_u32("reset_ms", 0600, faults_dir, &faults.reset_ms);
	debugfs_create_bool("stubborn", 0600, faults_dir, &faults.stubborn);
	debugfs_create_u32("flr_errno", 0600, faults_dir, &faults.flr_errno);
	debugfs_create_bool("ones", 0600, faults_dir, &faults.ones);
	debugfs_create_bool("absent", 0600, faults_dir, &faults.absent);
	debugfs_create_x8("status_clear", 0600, faults_dir, &faults.status_clear);
	debugfs_create_bool("unsettled", 0600, faults_dir, &faults.unsettled);
	debugfs_create_u32("vectors_errno", 0600, faults_dir, &faults.vectors_errno);
	debugfs_create_bool("no_config_vector", 0600, faults_dir, &faults.no_config_vector);
	debugfs_create_bool("no_queue_vector", 0600, faults_dir, &faults.no_queue_vector);
	debugfs_create_bool("no_late_queue", 0600, faults_dir, &faults.no_late_queue);
	debugfs_create_bool("spurious", 0600, faults_dir, &faults.spurious);
	debugfs_create_u32("queue", 0600, faults_dir, &faults.queue);
	debugfs_create_bool("deaf", 0600, faults_dir, &faults.deaf);
	debugfs_create_u32("jump", 0600, faults_dir, &faults.jump);
	debugfs_create_u32("raised", 0400, faults_dir, &faults.raised);
}

/**
 * baton_faults_uninit() - undo baton_faults_init()
 *
 * Context: may sleep; module exit.
 */
void baton_faults_uninit(void)
{
	debugfs_remove(faults_dir);
}
