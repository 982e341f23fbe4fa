/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vdpa's generic netlink: what iproute2's vdpa(8) sends. Each call is a socket of
 * its own; they are few. Return 0 or a negative errno; why: the kernel's own words,
 * if it had any.
 */
#ifndef BATON_NETLINK_H
#define BATON_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#define NETLINK_WHY 128

/* What is fixed when a device is made; what was not asked for is not sent. */
struct netlink_provision {
	bool has_mac, has_mtu, has_pairs, has_features;
	uint8_t mac[6];
	uint16_t mtu, pairs;
	uint64_t features;
};

/* What a device shows to its owner. Present: what the answer had. */
struct netlink_config {
	struct netlink_provision shown;
	uint32_t id, queues;
};

/* What a function offers, whether or not a device was made of it. */
struct netlink_function {
	uint64_t features;
	uint32_t queues;
};

int netlink_add(const char *name, const char *address, const struct netlink_provision *p,
		char why[NETLINK_WHY]);
int netlink_del(const char *name, char why[NETLINK_WHY]);
int netlink_get_config(const char *name, struct netlink_config *config);
/* Its class and queues only; of every class, which the former is not. */
int netlink_get_device(const char *name, struct netlink_config *config);
int netlink_get_function(const char *address, struct netlink_function *function);

/* Counters of one queue, each told to a function. */
typedef void (*netlink_counter)(void *data, const char *name, unsigned long long count);
int netlink_get_counters(const char *name, uint32_t queue, netlink_counter tell, void *data);

#endif
