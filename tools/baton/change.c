// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE /* close_range() */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "change.h"
#include "holder.h"
#include "sysfs.h"
#include "wait.h"

#define AUTOPROBE "/sys/bus/vdpa/drivers_autoprobe"
#define LOCK "/run/baton.lock"
/* For an adapter to find its disks; it may have none. */
#define SCAN_MS 3000

const char *change_remedy(const char *refusal)
{
	static const struct {
		const char *said, *remedy;
	} table[] = {
		{ "no IOMMU",
		  "turn the IOMMU on, in the firmware and on the kernel's command line" },
		{ "shares IOMMU group", "take a VF, another slot, or a bridge above it with ACS" },
		{ "interrupts are not isolated", "turn interrupt remapping on, in the firmware" },
		{ "ACCESS_PLATFORM", "newer firmware of the device (QEMU: iommu_platform=on)" },
		{ "firmware uses", "turn the firmware's use of the device off" },
		{ "already is vDPA device", "`baton del` that one first" },
		{ "exceed what is offered", "take bits from `vdpa mgmtdev show` only" },
		{ "broken",
		  "`echo 1 >/sys/bus/pci/devices/FUNCTION/reset`; else remove and rescan" },
		{ "no interrupt vectors", "free some vectors (QEMU: vectors=)" },
		{ "has joined IOMMU group", "remove that device, or use another slot" },
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strstr(refusal, table[i].said))
			return table[i].remedy;
	return NULL;
}

/* A module that is not there is found out by what needs it. */
static void change_load(const char *module)
{
	char *const argv[] = { "modprobe", "-q", (char *)module, NULL };
	char *const env[] = { "PATH=/usr/sbin:/sbin:/usr/bin:/bin", NULL };
	pid_t pid;

	if (sysfs_exists("/sys/module/%s", module) || getenv("BATON_ROOT"))
		return;
	if (!posix_spawn(&pid, "/sbin/modprobe", NULL, NULL, argv, env))
		waitpid(pid, NULL, 0);
}

/* False, and said so, if that is torn away only with --force, which was not given. */
static bool change_may_tear(const char *name, const char *what, const struct options *o)
{
	command_fails(0, "%s: %s%s", name, what,
		      o->force ? "" : "; end that, or --force takes it away");
	return o->force;
}

/* What the kernel's virtio driver made of a function, whichever bus it came by. */
static bool change_may_take_function(const char *name, const char *dir, const struct options *o)
{
	char what[DEVICE_LINE];

	if (holder_has_disk(dir, what, sizeof(what)))
		return change_may_tear(name, what, o);
	if (holder_has_netdev(dir, what, sizeof(what)))
		command_fails(0, "note: %s: %s", name, what);
	return true;
}

int change_bind(struct function *fn, const struct options *o)
{
	char dir[PATH_MAX];
	long long vfs;
	int err;

	if (!strcmp(fn->driver, FUNCTION_DRIVER))
		return EXIT_DONE;
	vfs = sysfs_number(0, SYSFS_PCI "%s/sriov_numvfs", fn->address);
	if (vfs)
		return command_fails(EXIT_IN_USE,
				     "%s has %lld VFs, which end with its driver (%s): "
				     "`echo 0 >/sys/bus/pci/devices/%s/sriov_numvfs` first",
				     fn->address, vfs, fn->driver[0] ? fn->driver : "none",
				     fn->address);
	snprintf(dir, sizeof(dir), SYSFS_PCI "%s", fn->address);
	if (!change_may_take_function(fn->address, dir, o))
		return EXIT_IN_USE;
	change_load(FUNCTION_DRIVER);
	if (!sysfs_exists("/sys/bus/pci/drivers/" FUNCTION_DRIVER))
		return command_fails(EXIT_FAILED,
				     "the module baton_pci is not loaded: is it installed for this "
				     "kernel? `dkms status`, `modprobe baton_pci`");
	err = function_bind(fn, FUNCTION_DRIVER);
	if (err)
		return command_fails(EXIT_FAILED, "%s was not taken (%s): `dmesg | grep %s`",
				     fn->address, strerror(-err), fn->address);
	snprintf(fn->driver, sizeof(fn->driver), FUNCTION_DRIVER);
	return EXIT_DONE;
}

/*
 * A new device must wait for whom it is to be given to. The switch is everybody's,
 * so it is touched under a lock and no longer than it takes.
 */
static int change_add_quietly(const char *name, const struct function *fn, const struct conf *c,
			      char why[NETLINK_WHY])
{
	char path[PATH_MAX];
	int lock = open(sysfs_path(path, LOCK), O_CREAT | O_RDWR | O_CLOEXEC, 0600), err;
	bool automatic = sysfs_number(0, AUTOPROBE);

	if (lock >= 0)
		flock(lock, LOCK_EX);
	if (automatic)
		sysfs_write("0", AUTOPROBE);
	err = netlink_add(name, fn->address, &c->provision, why);
	if (automatic)
		sysfs_write("1", AUTOPROBE);
	if (lock >= 0)
		close(lock);
	return err;
}

/* Of a device that was deleted nothing is left but what its user has open, and the name (C11). */
static bool change_is_left(const struct device *dev)
{
	struct function fn;

	if (function_find(&fn, dev->name))
		return false;
	command_fails(0,
		      "%s was deleted, and its name is free when who has it open has closed it: "
		      "`dmesg | grep %s` tells who that is",
		      dev->name, dev->name);
	return true;
}

int change_add(const char *name, const struct function *fn, const struct conf *c)
{
	char why[NETLINK_WHY];
	struct device old;
	int err = change_add_quietly(name, fn, c, why);

	if (!err)
		return EXIT_DONE;
	if (err == -EBUSY && fn->device[0])
		return command_fails(EXIT_FAILED, "%s already is device %s: `baton del %s` first",
				     fn->address, fn->device, fn->device);
	if (err == -EEXIST && device_read(&old, name) && change_is_left(&old))
		return EXIT_FAILED;
	if (err == -EEXIST)
		return command_fails(EXIT_FAILED, "there is another device %s: `baton show %s`",
				     name, name);
	return command_fails(EXIT_FAILED, "device %s of %s: %s%s%s: `dmesg | grep %s`", name,
			     fn->address, strerror(-err), why[0] ? ": " : "", why, fn->address);
}

bool change_is_held(const struct device *dev)
{
	char what[DEVICE_LINE];

	if (!holder_has_node(dev, what, sizeof(what)))
		return false;
	command_fails(0, "%s: %s; end that, or `baton del %s --force` takes the function from it",
		      dev->name, what, dev->name);
	return true;
}

/*
 * What may wait for a user for as long as the user likes is done by a process of its own, which
 * then is left behind, and goes on when the user has closed the device. Until then it can neither
 * be ended nor hold up anybody: not who reads our output, not who waits for our locks.
 */
struct change_outcome {
	int err;
	char why[NETLINK_WHY];
};

typedef void (*change_step)(struct change_outcome *outcome, const struct device *dev,
			    const char *argument);

static void change_be_apart(void)
{
	int fd, null = open("/dev/null", O_RDWR);

	for (fd = 0; fd <= STDERR_FILENO && null >= 0; fd++)
		dup2(null, fd);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	setsid();
}

static bool change_child_ended(void *data)
{
	pid_t *child = data;

	return waitpid(*child, NULL, WNOHANG) == *child;
}

/* Whether it was done in time. */
static bool change_timed(change_step step, const struct device *dev, const char *argument,
			 int milliseconds, struct change_outcome *outcome)
{
	struct change_outcome *shared;
	bool ended = true;
	pid_t child;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	*outcome = (struct change_outcome){ .err = -ENOMEM };
	if (shared == MAP_FAILED)
		return true;
	shared->err = -EINTR;
	child = fork();
	if (!child) {
		change_be_apart();
		step(shared, dev, argument);
		_exit(0);
	}
	if (child < 0)
		shared->err = -errno;
	else
		ended = wait_until(change_child_ended, &child, milliseconds);
	*outcome = *shared;
	munmap(shared, sizeof(*shared));
	return ended;
}

static int change_timed_out(const struct device *dev, int milliseconds)
{
	struct holder h;

	if (dev->node[0] && holder_find(dev->node, &h, 1))
		return command_fails(
			EXIT_TIMEOUT,
			"%s: still waiting after %d s for %s, process %d, to close %s; "
			"it goes on when that does",
			dev->name, milliseconds / 1000, h.command, h.pid, dev->node);
	return command_fails(EXIT_TIMEOUT, "%s: not done after %d s", dev->name,
			     milliseconds / 1000);
}

static void change_del_now(struct change_outcome *outcome, const struct device *dev,
			   const char *argument)
{
	(void)argument;
	outcome->err = netlink_del(dev->name, outcome->why);
}

/* A user is no obstacle: he keeps a device that is dead (C11). */
int change_del(const struct device *dev, const struct options *o)
{
	struct change_outcome outcome;
	char what[DEVICE_LINE], function[PATH_MAX];

	if (change_is_left(dev))
		return EXIT_NOT_THERE;
	device_function(function, dev->name);
	if (holder_has_node(dev, what, sizeof(what))) {
		if (!change_may_tear(dev->name, what, o))
			return EXIT_IN_USE;
	} else if (!change_may_take_function(dev->name, function, o)) {
		return EXIT_IN_USE;
	}
	if (!change_timed(change_del_now, dev, NULL, o->timeout_ms, &outcome))
		return change_timed_out(dev, o->timeout_ms);
	if (!outcome.err)
		return EXIT_DONE;
	return command_fails(EXIT_FAILED, "%s: %s%s%s", dev->name, strerror(-outcome.err),
			     outcome.why[0] ? ": " : "", outcome.why);
}

static void change_give_now(struct change_outcome *outcome, const struct device *dev,
			    const char *consumer)
{
	outcome->err = device_give(dev->name, consumer, 2000);
}

/* A refusal is the driver's business to explain: it does, in last_refusal. */
static int change_not_taken(const struct device *dev, const char *consumer, int err)
{
	struct device now;
	const char *remedy;

	if (*consumer && !sysfs_exists("/sys/bus/vdpa/drivers/%s", consumer))
		return command_fails(EXIT_FAILED, "the module %s is not loaded: `modprobe %s`",
				     consumer, consumer);
	if (!device_read(&now, dev->name))
		return command_fails(EXIT_FAILED, "%s is gone", dev->name);
	remedy = change_remedy(now.refusal);
	return command_fails(EXIT_FAILED, "%s was not taken by %s: %s%s%s", dev->name, consumer,
			     now.refusal[0] ? now.refusal : strerror(-err), remedy ? "; " : "",
			     remedy ? remedy : "");
}

struct change_wanted {
	const char *name, *class;
	const char *owner;
	struct device now;
};

/* The kernel is there when what it made is; a user when there is a node to open. */
static bool change_is_given(void *data)
{
	struct change_wanted *w = data;
	char path[PATH_MAX];

	if (!device_read(&w->now, w->name))
		return false;
	if (!strcmp(w->owner, "none"))
		return !strcmp(w->now.owner, "none");
	if (!strcmp(w->owner, "user"))
		return w->now.node[0] && !access(sysfs_path(path, "%s", w->now.node), F_OK);
	if (strcmp(w->now.owner, "kernel"))
		return false;
	/* Of these, something is made; of the others nothing that has a name everywhere. */
	return w->now.kind[0] || (strcmp(w->class, "net") && strcmp(w->class, "block"));
}

static bool change_has_made(void *data)
{
	struct change_wanted *w = data;

	return device_read(&w->now, w->name) && w->now.kind[0];
}

/* What drives its class in the kernel. At boot, udev may come to load that only after us. */
static void change_class_driver(char driver[DEVICE_NAME], const char *class)
{
	snprintf(driver, DEVICE_NAME, "virtio_%s", !strcmp(class, "block") ? "blk" : class);
}

/* Bound is not owned: why, if the kernel's own driver did not take it up. */
static int change_not_taken_up(const struct change_wanted *w, int milliseconds)
{
	const char *remedy = change_remedy(w->now.refusal);
	char driver[DEVICE_NAME];

	if (w->now.refusal[0])
		return command_fails(EXIT_TIMEOUT, "%s: no %s after %d s: %s%s%s", w->name,
				     w->owner, milliseconds / 1000, w->now.refusal,
				     remedy ? "; " : "", remedy ? remedy : "");
	change_class_driver(driver, w->class);
	return command_fails(
		EXIT_TIMEOUT,
		"%s: after %d s its owner still is %s: is the driver of its class there "
		"(%s)? `dmesg`",
		w->name, milliseconds / 1000, w->now.owner, driver);
}

int change_give(const struct device *dev, const char *class, const char *owner,
		const struct options *o)
{
	struct change_wanted wanted = { .name = dev->name, .class = class, .owner = owner };
	const char *consumer = device_consumer_of(owner);
	struct change_outcome outcome;
	char function[PATH_MAX], driver[DEVICE_NAME];
	bool given = !strcmp(dev->consumer, consumer);

	if (!given) {
		device_function(function, dev->name);
		/* vhost_vdpa gives it back when the user has closed it, whoever asks. */
		if (change_is_held(dev) || !change_may_take_function(dev->name, function, o))
			return EXIT_IN_USE;
		if (*consumer)
			change_load(consumer);
		change_class_driver(driver, class);
		if (!strcmp(owner, "kernel"))
			change_load(driver);
		if (!change_timed(change_give_now, dev, consumer, o->timeout_ms, &outcome))
			return change_timed_out(dev, o->timeout_ms);
		if (outcome.err)
			return change_not_taken(dev, consumer, outcome.err);
	}
	if (!wait_until(change_is_given, &wanted, o->timeout_ms))
		return change_not_taken_up(&wanted, o->timeout_ms);
	if (!given && !strcmp(owner, "kernel") && !strcmp(class, "scsi"))
		wait_until(change_has_made, &wanted, SCAN_MS);
	return EXIT_DONE;
}

int change_attribute(const char *name, const char *attribute, const char *value)
{
	int err = sysfs_write(value, SYSFS_VDPA "%s/baton/%s", name, attribute);

	if (err == -ENOENT)
		return command_fails(EXIT_FAILED, "%s: this baton.ko knows no %s", name, attribute);
	if (err)
		return command_fails(EXIT_FAILED, "%s: %s %s: %s", name, attribute, value,
				     strerror(-err));
	return EXIT_DONE;
}
