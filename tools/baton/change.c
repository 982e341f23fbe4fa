// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
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

int change_add(const char *name, const struct function *fn, const struct conf *c)
{
	char why[NETLINK_WHY];
	int err = change_add_quietly(name, fn, c, why);

	if (!err)
		return EXIT_DONE;
	if (err == -EBUSY && fn->device[0])
		return command_fails(EXIT_FAILED, "%s already is device %s: `baton del %s` first",
				     fn->address, fn->device, fn->device);
	if (err == -EEXIST)
		return command_fails(EXIT_FAILED, "there is another device %s: `baton show %s`",
				     name, name);
	return command_fails(EXIT_FAILED, "device %s of %s: %s%s%s: `dmesg | grep %s`", name,
			     fn->address, strerror(-err), why[0] ? ": " : "", why, fn->address);
}

static bool change_may_take(const struct device *dev, const struct options *o)
{
	char what[DEVICE_LINE], function[PATH_MAX];

	if (holder_has_node(dev, what, sizeof(what)))
		return change_may_tear(dev->name, what, o);
	return change_may_take_function(dev->name, device_function(function, dev->name), o);
}

/* What may wait for a user for as long as the user likes: in a process that can be left behind. */
static bool change_child_ended(void *data)
{
	int *state = data;

	return waitpid(state[0], &state[1], WNOHANG) == state[0];
}

static int change_timed(int (*step)(const struct device *dev, const char *argument),
			const struct device *dev, const char *argument, int milliseconds)
{
	int state[2];

	fflush(stdout);
	state[0] = fork();
	if (state[0] < 0)
		return command_fails(EXIT_FAILED, "%s", strerror(errno));
	if (!state[0]) {
		/* Should it be left behind, nobody who waits for our output waits for it. */
		_exit(step(dev, argument));
	}
	if (wait_until(change_child_ended, state, milliseconds))
		return WIFEXITED(state[1]) ? WEXITSTATUS(state[1]) : EXIT_FAILED;
	kill(state[0], SIGKILL);
	return EXIT_TIMEOUT;
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

static int change_del_now(const struct device *dev, const char *argument)
{
	char why[NETLINK_WHY];
	int err = netlink_del(dev->name, why);

	(void)argument;
	if (!err)
		return EXIT_DONE;
	return command_fails(EXIT_FAILED, "%s: %s%s%s", dev->name, strerror(-err),
			     why[0] ? ": " : "", why);
}

int change_del(const struct device *dev, const struct options *o)
{
	int status;

	if (!change_may_take(dev, o))
		return EXIT_IN_USE;
	status = change_timed(change_del_now, dev, NULL, o->timeout_ms);
	return status == EXIT_TIMEOUT ? change_timed_out(dev, o->timeout_ms) : status;
}

/* A refusal is the driver's business to explain: it does, in last_refusal. */
static int change_give_now(const struct device *dev, const char *consumer)
{
	struct device now;
	const char *remedy;
	int err = device_give(dev->name, consumer, 2000);

	if (!err)
		return EXIT_DONE;
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

/* Bound is not owned: why, if the kernel's own driver did not take it up. */
static int change_not_taken_up(const struct change_wanted *w, int milliseconds)
{
	const char *remedy = change_remedy(w->now.refusal);

	if (w->now.refusal[0])
		return command_fails(EXIT_TIMEOUT, "%s: no %s after %d s: %s%s%s", w->name,
				     w->owner, milliseconds / 1000, w->now.refusal,
				     remedy ? "; " : "", remedy ? remedy : "");
	return command_fails(
		EXIT_TIMEOUT,
		"%s: after %d s its owner still is %s: is the driver of its class there "
		"(virtio_%s)? `dmesg`",
		w->name, milliseconds / 1000, w->now.owner,
		!strcmp(w->class, "block") ? "blk" : w->class);
}

int change_give(const struct device *dev, const char *class, const char *owner,
		const struct options *o)
{
	struct change_wanted wanted = { .name = dev->name, .class = class, .owner = owner };
	const char *consumer = device_consumer_of(owner);
	bool given = !strcmp(dev->consumer, consumer);
	int status;

	if (!given) {
		if (!change_may_take(dev, o))
			return EXIT_IN_USE;
		if (*consumer)
			change_load(consumer);
		status = change_timed(change_give_now, dev, consumer, o->timeout_ms);
		if (status == EXIT_TIMEOUT)
			return change_timed_out(dev, o->timeout_ms);
		if (status)
			return status;
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
