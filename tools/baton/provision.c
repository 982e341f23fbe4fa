// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is provisioned and what a device shows are not the same: the driver leaves out
 * what its consumer cannot use. The rules are those of baton_net_carried() and
 * baton_features_offer() in the driver; selftests/unit/test_net.c compares.
 */
#include <string.h>

#include "provision.h"

#define BIT(nr) (1ULL << (nr))

/* Network device features (virtio 1.2, 5.1.3). */
#define CTRL_VQ BIT(17)
/* Guest offloads, receive modes, VLANs, announcements, several queue pairs, the MAC address,
 * coalescing, hashes: all by commands. */
#define NEEDS_CTRL_VQ                                                                             \
	(BIT(2) | BIT(18) | BIT(19) | BIT(20) | BIT(21) | BIT(22) | BIT(23) | BIT(52) | BIT(53) | \
	 BIT(57) | BIT(60))
/* IN_ORDER and NOTIFICATION_DATA. */
#define NOT_FOR_USERS (BIT(35) | BIT(38))

uint64_t provision_left_out(uint64_t features, const char *class, const char *consumer)
{
	uint64_t left_out = 0;

	if (!strcmp(class, "net") && !(features & CTRL_VQ))
		left_out |= NEEDS_CTRL_VQ;
	if (!strcmp(consumer, "vhost_vdpa"))
		left_out |= NOT_FOR_USERS;
	return features & left_out;
}
