/* SPDX-License-Identifier: GPL-2.0-only */
/* A vDPA device that was made of a function, as sysfs shows it. */
#ifndef BATON_DEVICE_H
#define BATON_DEVICE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define DEVICE_NAME 64
#define DEVICE_LINE 512
#define DEVICE_MADE 16

struct device {
	char name[DEVICE_NAME];
	char consumer[DEVICE_NAME];
	char owner[16], state[16], policy[DEVICE_NAME];
	char refusal[DEVICE_LINE], fault[DEVICE_LINE];
	unsigned long long mapped;
	/* "/dev/vhost-vdpa-0", while vhost_vdpa has it. */
	char node[DEVICE_NAME];
	/* Netdevs and disks, while virtio_vdpa has it; of many disks, the first ones. */
	char made[DEVICE_MADE][DEVICE_NAME];
	int nr_made;
	/* "net", "block" or "": what was made is, also in another network namespace. */
	char kind[16];
};

/* False if there is no such device, or it is no function of baton's. */
bool device_read(struct device *dev, const char *name);
/* The directory of its function in sysfs. */
char *device_function(char path[PATH_MAX], const char *name);
/* virtio_vdpa of "kernel", vhost_vdpa of "user", "" of "none"; NULL for any other word. */
const char *device_consumer_of(const char *owner);
/* Give it to a consumer ("" for none), which takes what it had from the one before, and so may wait
 * for that one's user. Up to this many milliseconds for the new one to be there: 0, -ENODEV if no
 * driver took it, another negative errno. */
int device_give(const char *name, const char *consumer, int milliseconds);

#endif
