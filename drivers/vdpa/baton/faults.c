// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions that misbehave on command (CONFIG_BATON_FAULTS), for tests only.
 *
 * Between the core and the function driver sits a layer that lies to the core
 * as bad hardware would. The function behind it is real, and goes on with what
 * it does: one that "does not answer a reset" was never told, and still does
 * DMA if nothing else stops it.
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
 * @stubborn: not even a reset of the whole function helps against that
 * @flr_errno: a reset of the whole function fails with this, and does nothing
 * @ones: all registers read as all ones, and writes to them are lost
 * @absent: the function says that it is not there
 * @status_clear: bits of the device status that are never set
 * @unsettled: the configuration generation changes all the time
 * @vectors_errno: there are no interrupt vectors
 * @no_config_vector: the configuration does not take its vector
 * @no_queue_vector: @queue does not take its vector
 * @spurious: all vectors interrupt whenever the core turns to the function
 * @queue: the queue that the other faults are about
 * @deaf: doorbells of @queue are not heard
 * @jump: instead of being heard, they add this to the index of the used ring
 * @raised: how many interrupts there were for no reason
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
	bool spurious;
	u32 queue;
	bool deaf;
	u32 jump;
	u32 raised;
} faults;

/**
 * struct bad - a function that may misbehave
 * @ops: what the core calls
 * @real: what the function driver gave us
 * @fn: the function
 * @list: in @bads
 * @chosen: the faults are for this one
 * @resetting: it was told to reset, and has not heard
 * @due: when it will
 * @generation: what it says next
 * @nr_vectors: how many interrupt vectors it has
 * @irq: which interrupt @work raises
 * @work: raises interrupts, in a context like theirs
 * @used: where the first queues have their used rings
 */
struct bad {
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

static struct dentry *dir;
static LIST_HEAD(bads);
static DEFINE_MUTEX(lock);	/* guards bads, and faults.function */

static struct bad *to_bad(struct baton_function *fn)
{
	return container_of(fn->ops, struct bad, ops);
}

static bool is(const struct bad *bad, bool fault)
{
	return READ_ONCE(bad->chosen) && fault;
}

static void interrupt(struct irq_work *work)
{
	struct bad *bad = container_of(work, struct bad, work);

	generic_handle_irq(bad->irq);
}

static void raise(struct bad *bad)
{
	int i;

	if (!is(bad, faults.spurious))
		return;
	for (i = 0; i < bad->nr_vectors; i++) {
		bad->irq = bad->real->vector_irq(bad->fn, i);
		irq_work_queue(&bad->work);
		irq_work_sync(&bad->work);
		faults.raised++;
	}
}

static u64 get_features(struct baton_function *fn)
{
	struct bad *bad = to_bad(fn);

	return is(bad, faults.ones) ? U64_MAX : bad->real->get_features(fn);
}

static void set_features(struct baton_function *fn, u64 features)
{
	struct bad *bad = to_bad(fn);

	raise(bad);
	if (!is(bad, faults.ones))
		bad->real->set_features(fn, features);
}

static u8 get_status(struct baton_function *fn)
{
	struct bad *bad = to_bad(fn);
	u8 status;

	if (is(bad, faults.ones))
		return 0xff;
	if (bad->resetting && in_task() && ktime_after(ktime_get(), bad->due)) {
		bad->resetting = false;
		bad->real->set_status(fn, 0);
	}
	status = bad->real->get_status(fn);
	if (!status && bad->resetting && is(bad, faults.stubborn))
		status = VIRTIO_CONFIG_S_ACKNOWLEDGE;
	if (is(bad, true))
		status &= ~faults.status_clear;

	return status;
}

static void set_status(struct baton_function *fn, u8 status)
{
	struct bad *bad = to_bad(fn);

	raise(bad);
	if (!status)
		memset(bad->used, 0, sizeof(bad->used));
	bad->resetting = !status && is(bad, faults.reset_ms);
	bad->due = KTIME_MAX;
	if (faults.reset_ms != U32_MAX)
		bad->due = ktime_add_ms(ktime_get(), faults.reset_ms);
	if (!bad->resetting && !is(bad, faults.ones))
		bad->real->set_status(fn, status);
	raise(bad);
}

static int find_queues(struct baton_function *fn)
{
	return to_bad(fn)->real->find_queues(fn);
}

static int setup_queue(struct baton_function *fn, u16 idx, const struct baton_queue_config *cfg)
{
	struct bad *bad = to_bad(fn);
	int err;

	if (idx < NR_USED)
		bad->used[idx] = cfg->device;
	if (is(bad, faults.ones || (faults.no_queue_vector && idx == faults.queue)))
		return -EBUSY;
	err = bad->real->setup_queue(fn, idx, cfg);
	raise(bad);

	return err;
}

/* As the function would write it, with whatever domain is attached. */
static void jump(struct bad *bad, u16 idx)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(bad->fn->dev);
	u64 addr = idx < NR_USED ? bad->used[idx] : 0;
	phys_addr_t pa = domain ? iommu_iova_to_phys(domain, addr) : addr;
	struct vring_used *used;

	if (!pa)
		return;
	used = phys_to_virt(pa);
	le16_add_cpu((__le16 __force *)&used->idx, faults.jump);
}

/* Returns whether the function does not hear it. */
static bool unheard(struct bad *bad, u16 idx)
{
	if (is(bad, faults.ones))
		return true;
	if (idx != faults.queue)
		return false;
	if (is(bad, faults.jump))
		jump(bad, idx);

	return is(bad, faults.deaf || faults.jump);
}

static void kick(struct baton_function *fn, u16 idx)
{
	struct bad *bad = to_bad(fn);

	if (!unheard(bad, idx))
		bad->real->kick(fn, idx);
}

static void kick_data(struct baton_function *fn, u32 data)
{
	struct bad *bad = to_bad(fn);

	if (!unheard(bad, data & 0xffff))
		bad->real->kick_data(fn, data);
}

static struct baton_doorbell get_doorbell(struct baton_function *fn, u16 idx)
{
	return to_bad(fn)->real->get_doorbell(fn, idx);
}

static u32 read_config(struct baton_function *fn, unsigned int offset, unsigned int width)
{
	struct bad *bad = to_bad(fn);

	return is(bad, faults.ones) ? U32_MAX : bad->real->read_config(fn, offset, width);
}

static void write_config(struct baton_function *fn, unsigned int offset, unsigned int width,
			 u32 value)
{
	struct bad *bad = to_bad(fn);

	if (!is(bad, faults.ones))
		bad->real->write_config(fn, offset, width, value);
}

static u8 get_generation(struct baton_function *fn)
{
	struct bad *bad = to_bad(fn);

	if (is(bad, faults.ones))
		return 0xff;
	return is(bad, faults.unsettled) ? bad->generation++ : bad->real->get_generation(fn);
}

static int alloc_vectors(struct baton_function *fn, unsigned int want)
{
	struct bad *bad = to_bad(fn);
	int nr;

	if (is(bad, faults.vectors_errno))
		return -(int)faults.vectors_errno;
	nr = bad->real->alloc_vectors(fn, want);
	bad->nr_vectors = max(nr, 0);

	return nr;
}

static void free_vectors(struct baton_function *fn)
{
	struct bad *bad = to_bad(fn);

	raise(bad);
	bad->nr_vectors = 0;
	bad->real->free_vectors(fn);
}

static int vector_to_irq(struct baton_function *fn, unsigned int vector)
{
	return to_bad(fn)->real->vector_irq(fn, vector);
}

static int set_config_vector(struct baton_function *fn, u16 vector)
{
	struct bad *bad = to_bad(fn);

	raise(bad);
	if (is(bad, faults.no_config_vector || faults.ones))
		return -EBUSY;

	return bad->real->set_config_vector(fn, vector);
}

static void set_master(struct baton_function *fn, bool on)
{
	struct bad *bad = to_bad(fn);

	bad->real->set_master(fn, on);
	raise(bad);
}

static int reset(struct baton_function *fn)
{
	struct bad *bad = to_bad(fn);

	return is(bad, faults.flr_errno) ? -(int)faults.flr_errno : bad->real->reset(fn);
}

static bool present(struct baton_function *fn)
{
	struct bad *bad = to_bad(fn);

	return !is(bad, faults.absent) && bad->real->present(fn);
}

static const struct baton_function_ops bad_ops = {
	.get_features		= get_features,
	.set_features		= set_features,
	.get_status		= get_status,
	.set_status		= set_status,
	.find_queues		= find_queues,
	.setup_queue		= setup_queue,
	.kick			= kick,
	.kick_data		= kick_data,
	.get_doorbell		= get_doorbell,
	.read_config		= read_config,
	.write_config		= write_config,
	.get_generation		= get_generation,
	.alloc_vectors		= alloc_vectors,
	.free_vectors		= free_vectors,
	.vector_irq		= vector_to_irq,
	.set_config_vector	= set_config_vector,
	.set_master		= set_master,
	.reset			= reset,
	.present		= present,
};

static void choose(struct bad *bad)
{
	WRITE_ONCE(bad->chosen, !strcmp(dev_name(bad->fn->dev), faults.function));
}

/**
 * baton_faults_wrap() - put this layer between the core and a function
 * @fn: the function, about to be registered
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int baton_faults_wrap(struct baton_function *fn)
{
	struct bad *bad = kzalloc(sizeof(*bad), GFP_KERNEL);

	if (!bad)
		return -ENOMEM;
	bad->fn = fn;
	bad->real = fn->ops;
	bad->ops = bad_ops;
	if (!bad->real->get_doorbell)
		bad->ops.get_doorbell = NULL;
	bad->work = IRQ_WORK_INIT_HARD(interrupt);
	mutex_lock(&lock);
	list_add(&bad->list, &bads);
	choose(bad);
	mutex_unlock(&lock);
	fn->ops = &bad->ops;

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
	struct bad *bad = to_bad(fn);

	fn->ops = bad->real;
	mutex_lock(&lock);
	list_del(&bad->list);
	mutex_unlock(&lock);
	kfree(bad);
}

static ssize_t function_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	char name[NAME_LEN];
	struct bad *bad;
	ssize_t got;

	got = simple_write_to_buffer(name, sizeof(name) - 1, pos, buf, len);
	if (got < 0)
		return got;
	name[got] = '\0';
	mutex_lock(&lock);
	strscpy(faults.function, strim(name));
	list_for_each_entry(bad, &bads, list)
		choose(bad);
	mutex_unlock(&lock);

	return got;
}

static const struct file_operations function_fops = {
	.owner = THIS_MODULE,
	.write = function_write,
};

/**
 * baton_faults_init() - offer the faults to tests, and say so
 */
void baton_faults_init(void)
{
	pr_warn("baton: built with BATON_FAULTS, functions can be made to misbehave: for tests only\n");
	add_taint(TAINT_TEST, LOCKDEP_STILL_OK);

	faults.queue = U32_MAX;
	dir = debugfs_create_dir("baton_faults", NULL);
	debugfs_create_file("function", 0200, dir, NULL, &function_fops);
	debugfs_create_u32("reset_ms", 0600, dir, &faults.reset_ms);
	debugfs_create_bool("stubborn", 0600, dir, &faults.stubborn);
	debugfs_create_u32("flr_errno", 0600, dir, &faults.flr_errno);
	debugfs_create_bool("ones", 0600, dir, &faults.ones);
	debugfs_create_bool("absent", 0600, dir, &faults.absent);
	debugfs_create_x8("status_clear", 0600, dir, &faults.status_clear);
	debugfs_create_bool("unsettled", 0600, dir, &faults.unsettled);
	debugfs_create_u32("vectors_errno", 0600, dir, &faults.vectors_errno);
	debugfs_create_bool("no_config_vector", 0600, dir, &faults.no_config_vector);
	debugfs_create_bool("no_queue_vector", 0600, dir, &faults.no_queue_vector);
	debugfs_create_bool("spurious", 0600, dir, &faults.spurious);
	debugfs_create_u32("queue", 0600, dir, &faults.queue);
	debugfs_create_bool("deaf", 0600, dir, &faults.deaf);
	debugfs_create_u32("jump", 0600, dir, &faults.jump);
	debugfs_create_u32("raised", 0400, dir, &faults.raised);
}

/**
 * baton_faults_uninit() - undo baton_faults_init()
 */
void baton_faults_uninit(void)
{
	debugfs_remove(dir);
}
