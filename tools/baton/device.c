// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "made.h"
#include "sysfs.h"
#include "wait.h"

static bool device_add_made(void *data, const char *kind, const char *name)
{
	struct device *dev = data;

	snprintf(dev->kind, sizeof(dev->kind), "%s", kind);
	if (*name)
		snprintf(dev->made[dev->nr_made++], DEVICE_NAME, "%s", name);
	return dev->nr_made == DEVICE_MADE;
}

/* A path through a link's ".." is the kernel's to resolve. The virtio device hangs there, too. */
char *device_function(char path[PATH_MAX], const char *name)
{
	snprintf(path, PATH_MAX, SYSFS_VDPA "%s/..", name);
	return path;
}

static void device_read_consumer(struct device *dev)
{
	struct dirent **entries;
	char function[PATH_MAX];
	int i, nr;

	nr = sysfs_list(&entries, SYSFS_VDPA "%s", dev->name);
	for (i = 0; i < nr; i++)
		if (!strncmp(entries[i]->d_name, "vhost-vdpa-", 11))
			snprintf(dev->node, sizeof(dev->node), "/dev/%.50s", entries[i]->d_name);
	sysfs_list_free(entries, nr);
	if (!strcmp(dev->consumer, "virtio_vdpa"))
		made_any(device_function(function, dev->name), device_add_made, dev);
}

bool device_read(struct device *dev, const char *name)
{
	memset(dev, 0, sizeof(*dev));
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	if (!*name || strchr(name, '/') || !sysfs_exists(SYSFS_VDPA "%s/baton", name))
		return false;
	sysfs_link(dev->consumer, sizeof(dev->consumer), SYSFS_VDPA "%s/driver", name);
	sysfs_read(dev->owner, sizeof(dev->owner), SYSFS_VDPA "%s/baton/owner", name);
	sysfs_read(dev->state, sizeof(dev->state), SYSFS_VDPA "%s/baton/state", name);
	sysfs_read(dev->policy, sizeof(dev->policy), SYSFS_VDPA "%s/baton/policy", name);
	sysfs_read(dev->refusal, sizeof(dev->refusal), SYSFS_VDPA "%s/baton/last_refusal", name);
	sysfs_read(dev->fault, sizeof(dev->fault), SYSFS_VDPA "%s/baton/last_fault", name);
	dev->mapped = sysfs_number(0, SYSFS_VDPA "%s/baton/mapped_bytes", name);
	device_read_consumer(dev);
	return true;
}

const char *device_consumer_of(const char *owner)
{
	if (!strcmp(owner, "kernel"))
		return "virtio_vdpa";
	if (!strcmp(owner, "user"))
		return "vhost_vdpa";
	return strcmp(owner, "none") ? NULL : "";
}

struct device_wanted {
	const char *name, *consumer;
};

static bool device_is_given(void *data)
{
	const struct device_wanted *wanted = data;
	char driver[DEVICE_NAME];

	sysfs_link(driver, sizeof(driver), SYSFS_VDPA "%s/driver", wanted->name);
	return !strcmp(driver, wanted->consumer);
}

int device_give(const char *name, const char *consumer, int milliseconds)
{
	struct device_wanted wanted = { name, consumer };
	char driver[DEVICE_NAME];
	int err;

	/* No driver is called "none": nobody takes it, not even one that is loaded later. */
	err = sysfs_write(*consumer ? consumer : "none", SYSFS_VDPA "%s/driver_override", name);
	if (err)
		return err;
	sysfs_link(driver, sizeof(driver), SYSFS_VDPA "%s/driver", name);
	if (!strcmp(driver, consumer))
		return 0;
	if (driver[0]) {
		err = sysfs_write(name, "/sys/bus/vdpa/drivers/%s/unbind", driver);
		if (err && err != -ENODEV)
			return err;
	}
	if (*consumer) {
		err = sysfs_write(name, "/sys/bus/vdpa/drivers_probe");
		if (err)
			return err;
	}
	return wait_until(device_is_given, &wanted, milliseconds) ? 0 : -ENODEV;
}
