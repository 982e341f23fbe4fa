/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is special about network functions: what can be provisioned, and which
 * control commands an owner may give. Pure C, as owner.h is.
 *
 * The caller serialises all calls for one struct baton_net: in the core &baton.lock does.
 */
#ifndef BATON_NET_H
#define BATON_NET_H

#include <linux/types.h>

#include "slots.h"

/* A command with its data: a table of some 1300 addresses fits. */
#define BATON_COMMAND_MAX	BATON_SLOTS_LONG
/* The longest answer: one byte, and coalescing parameters. */
#define BATON_REPLY_MAX		BATON_SLOTS_ANSWER

/* The longest command that baton_net_restore() makes. */
#define BATON_RESTORE_MAX	16

/*
 * How many addresses of a table go to the hardware of an owner that may not be
 * promiscuous: a device may fall back to that mode when it is given more than it
 * has room for (5.1.6.5.2). QEMU's has room for 64.
 */
#define BATON_NET_TABLE_MAX	64
#define BATON_NET_UNICAST_MAX	16

/* A table of queues (RSS) that fits into a command, key included; a power of two. */
#define BATON_NET_RSS_MAX	2048

/* What a policy allows its owner. */
#define BATON_MAY_MAC		1u	/* another MAC address, or several */
#define BATON_MAY_PROMISC	2u	/* promiscuous mode, and all unicast */
#define BATON_MAY_ALLMULTI	4u	/* all multicast */
#define BATON_MAY_VLAN		8u	/* VLANs */
#define BATON_MAY_ALL		15u

/**
 * struct baton_net - a network function, as provisioned and as owned
 * @mac: the owner's own address: what the administrator fixed, or else the hardware's
 * @has_mac: there is one
 * @fixed: the administrator gave it: the hardware is told, and the owner is shown, this
 *	   address and no other
 * @changed: the owner has set @current_mac
 * @left: an owner before had set @current_mac, and the hardware may still have it
 * @pairs: how many queue pairs it may use
 * @hw_pairs: how many the hardware has: no more than it has queues for, whatever it says
 * @shows_pairs: its configuration space says how many
 * @mtu: its MTU; 0: the hardware's
 * @rss_table: how many entries its table of queues may have (RSS); 0: what the hardware says
 * @features: what the owner took
 * @may: what the policy allows the owner
 * @current_mac: the address that an owner set last
 *
 * Of the flags, at most one of @changed and @left is set.
 */
struct baton_net {
	u8 mac[6];
	bool has_mac;
	bool fixed;
	bool changed;
	bool left;
	u16 pairs;
	u16 hw_pairs;
	bool shows_pairs;
	u16 mtu;
	u16 rss_table;
	u64 features;
	u32 may;
	u8 current_mac[6];
};

/**
 * enum baton_command_verdict - what becomes of a command
 * @BATON_COMMAND_FORWARD: it goes to the hardware
 * @BATON_COMMAND_UNKNOWN: nobody knows it, or its feature was not negotiated
 * @BATON_COMMAND_MALFORMED: its length or its data make no sense
 * @BATON_COMMAND_LIMIT: it exceeds what was provisioned
 * @BATON_COMMAND_POLICY: the policy does not allow it
 * @BATON_COMMAND_TRIMMED: it goes to the hardware without what the policy does not
 *	allow, and is answered with an error all the same
 */
enum baton_command_verdict {
	BATON_COMMAND_FORWARD,
	BATON_COMMAND_UNKNOWN,
	BATON_COMMAND_MALFORMED,
	BATON_COMMAND_LIMIT,
	BATON_COMMAND_POLICY,
	BATON_COMMAND_TRIMMED,
};

enum baton_command_verdict baton_net_command(const struct baton_net *n, u8 *cmd, size_t *len,
					     size_t *reply_len);
void baton_net_command_done(struct baton_net *n, const u8 *cmd, size_t len);
void baton_net_meet(struct baton_net *n, const u8 *hw_mac);
void baton_net_forget(struct baton_net *n);
size_t baton_net_restore(const struct baton_net *n, unsigned int nth, u64 hw_features, u8 *cmd);
void baton_net_config(const struct baton_net *n, unsigned int offset, u8 *buf, unsigned int len);
u64 baton_net_known(u64 features);
u64 baton_net_carried(u64 features);
u64 baton_net_features(u64 hw_features, u64 owner_features, u32 may);
bool baton_net_filters(u64 hw_features, u64 offered);
u16 baton_net_control_queue(const struct baton_net *n, u64 features);
u16 baton_net_hw_control_queue(const struct baton_net *n, u64 hw_features);

#endif /* BATON_NET_H */
