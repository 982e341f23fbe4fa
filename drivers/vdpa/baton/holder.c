// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which process has a vDPA device open, by a search of all processes for its descriptor: the
 * process that opened it may have passed it on (libvirt does) and have ended.
 *
 * No lock of ours is needed, and there is no state: the answer is for a line of the log, and may
 * be wrong by the time that it is printed. A descriptor in a socket's queue, and a mapping whose
 * descriptor was closed, are not found.
 */
#include <linux/device.h>
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/string.h>

#include "holder.h"

#define HOLDER_MS 50

/* vhost_vdpa's node is a child of the vDPA device; it has neither bus nor class. */
static int holder_find_node(struct device *dev, void *data)
{
	dev_t *node = data;

	if (!dev->devt || strncmp(dev_name(dev), "vhost-vdpa-", strlen("vhost-vdpa-")))
		return 0;
	*node = dev->devt;

	return 1;
}

static int holder_match_file(const void *data, struct file *file, unsigned int fd)
{
	const struct inode *inode = file_inode(file);
	const dev_t *node = data;

	return S_ISCHR(inode->i_mode) && inode->i_rdev == *node;
}

/*
 * A table of descriptors that was the one before's as well (@last) is not searched again: threads
 * and processes that share one are, as a rule, neighbours in the list.
 */
static bool holder_is(struct task_struct *task, const dev_t *node, const void **last)
{
	bool found = false;

	task_lock(task);
	if (task->files && task->files != *last)
		found = iterate_fd(task->files, 0, holder_match_file, node);
	*last = task->files;
	task_unlock(task);

	return found;
}

/**
 * baton_holder_find() - who has a vDPA device open?
 * @dev: the vDPA device, bound to vhost_vdpa
 * @holder: filled in with one of them
 *
 * Context: may sleep; no lock is needed.
 * Return: how many processes were found. The search is given up after %HOLDER_MS, since a user may
 * have very many descriptors open, and the caller holds locks of the vDPA core.
 */
unsigned int baton_holder_find(struct device *dev, struct baton_holder *holder)
{
	unsigned long end = jiffies + msecs_to_jiffies(HOLDER_MS);
	const void *last = NULL;
	struct task_struct *task;
	unsigned int found = 0;
	dev_t node;

	if (!device_for_each_child(dev, &node, holder_find_node))
		return 0;
	rcu_read_lock();
	for_each_process(task) {
		if (time_after(jiffies, end))
			break;
		if (!holder_is(task, &node, &last) || found++)
			continue;
		get_task_comm(holder->comm, task);
		holder->pid = task_tgid_nr(task);
	}
	rcu_read_unlock();

	return found;
}
