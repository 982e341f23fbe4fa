/* SPDX-License-Identifier: GPL-2.0-only */
/* Who has something of a device's in use at this moment. */
#ifndef BATON_HOLDER_H
#define BATON_HOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "device.h"

struct holder {
	int pid;
	char command[32];
	/* The container or machine that it is in, as its control group is called; "" if it is in
	 * none. */
	char container[128];
};

/* Processes that have the file open, up to max of them; their number. */
size_t holder_find(const char *node, struct holder *holders, size_t max);
/* Of a function, by its directory in sysfs: what taking it from the kernel's virtio driver would
 * tear away, a disk that is mounted. False, and why is "", if that is nothing. */
bool holder_has_disk(const char *function, char *why, size_t size);
/* What would go as well, but is expected to: a netdev that is up, or is in a container. */
bool holder_has_netdev(const char *function, char *what, size_t size);
/* A process that has the device open. */
bool holder_has_node(const struct device *dev, char *why, size_t size);

#endif
