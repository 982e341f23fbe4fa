// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network functions: the control commands of virtio 1.2, 5.1.6.5, and which of
 * them an owner may give.
 *
 * Invariants: a command is judged on a copy that nobody else can change, and what is not
 * in the table is refused, since the hardware may know commands whose effect is not
 * known here (C8). The caller serialises: in the core &baton.lock does.
 */
#include <linux/string.h>
#include <linux/types.h>

#include "le.h"
#include "net.h"

#define BIT64(nr) (1ULL << (nr))
#define NR_OF(array) (sizeof(array) / sizeof((array)[0]))

/* virtio 1.2, 5.1.3: feature bits */
#define F_GUEST_CSUM		BIT64(1)
#define F_CTRL_GUEST_OFFLOADS	BIT64(2)
#define F_GUEST_TSO4		BIT64(7)
#define F_GUEST_TSO6		BIT64(8)
#define F_GUEST_ECN		BIT64(9)
#define F_GUEST_UFO		BIT64(10)
#define F_CTRL_VQ		BIT64(17)
#define F_CTRL_RX		BIT64(18)
#define F_CTRL_VLAN		BIT64(19)
#define F_CTRL_RX_EXTRA		BIT64(20)
#define F_GUEST_ANNOUNCE	BIT64(21)
#define F_MQ			BIT64(22)
#define F_CTRL_MAC_ADDR		BIT64(23)
#define F_DEVICE_STATS		BIT64(50)
#define F_VQ_NOTF_COAL		BIT64(52)
#define F_NOTF_COAL		BIT64(53)
#define F_GUEST_USO4		BIT64(54)
#define F_GUEST_USO6		BIT64(55)
#define F_HASH_REPORT		BIT64(57)
#define F_RSS			BIT64(60)
#define F_RSC_EXT		BIT64(61)
#define F_RING_PACKED		BIT64(34)

/*
 * Of the device's own bits (0 to 23, and from 50 on) those that are not offered: 4 and 58
 * have no meaning; the commands of DEVICE_STATS and HASH_TUNNEL (51) are not in the table
 * below. tools/style/features looks that each bit that kernels know is decided on.
 */
#define UNKNOWN_DEVICE		(BIT64(4) | F_DEVICE_STATS | BIT64(51) | BIT64(58))

/* What must not be offered without CTRL_VQ (5.1.3.1): drivers refuse to probe then. */
#define NEEDS_CTRL_VQ							\
	(F_CTRL_GUEST_OFFLOADS | F_CTRL_RX | F_CTRL_VLAN |		\
	 F_CTRL_RX_EXTRA | F_GUEST_ANNOUNCE | F_MQ | F_CTRL_MAC_ADDR |	\
	 F_VQ_NOTF_COAL | F_NOTF_COAL | F_HASH_REPORT | F_RSS)

/* 5.1.6.5.6: receive offloads are switched by the numbers of their features. */
#define OFFLOADS_MASK							\
	(F_GUEST_CSUM | F_GUEST_TSO4 | F_GUEST_TSO6 | F_GUEST_ECN |	\
	 F_GUEST_UFO | F_GUEST_USO4 | F_GUEST_USO6 | F_RSC_EXT)

/* 5.1.6.5: classes and commands */
enum {
	RX = 0, MAC = 1, VLAN = 2, ANNOUNCE = 3, MQ = 4, OFFLOADS = 5, COAL = 6,
};

#define RX_PROMISC	0
#define RX_ALLMULTI	1
#define RX_ALLUNI	2
#define RX_NOBCAST	5
#define MAC_TABLE_SET	0
#define MAC_ADDR_SET	1
#define VLAN_ADD	0
#define MQ_PAIRS_SET	0
#define MQ_RSS_CONFIG	1
#define MQ_HASH_CONFIG	2
#define COAL_VQ_SET	2
#define COAL_VQ_GET	3

/* 5.1.4: offsets in the configuration space */
#define CONFIG_MAC	0
#define CONFIG_PAIRS	8
#define CONFIG_MTU	10
#define CONFIG_RSS_TABLE	18

#define HEADER_LEN	2
#define MAC_LEN		6
#define COAL_VQ_LEN	12	/* vq index, reserved, two 32-bit parameters */

static bool net_own_mac(const struct baton_net *n, const u8 *mac)
{
	return n->may & BATON_MAY_MAC || !memcmp(mac, n->mac, sizeof(n->mac));
}

/* Changes @data only if it returns BATON_COMMAND_TRIMMED; @len is then what is left of it. */
typedef enum baton_command_verdict check_fn(const struct baton_net *n, u8 cmd, u8 *data,
					    size_t *len);

static enum baton_command_verdict net_check_rx(const struct baton_net *n, u8 cmd, u8 *data,
					       size_t *len)
{
	u32 needs = 0;

	if (cmd == RX_PROMISC || cmd == RX_ALLUNI)
		needs = BATON_MAY_PROMISC;
	else if (cmd == RX_ALLMULTI)
		needs = BATON_MAY_ALLMULTI;

	return data[0] && needs & ~n->may ? BATON_COMMAND_POLICY : BATON_COMMAND_FORWARD;
}

/* What is in both tables so far. */
struct net_table {
	u32 entries, unicast;
};

/*
 * Whether an entry may stay. The multicast table (@nth 1) may hold unicast addresses,
 * which hardware may accept there: they are judged as in the other table.
 */
static bool net_table_admits(const struct baton_net *n, const struct net_table *kept,
			     const u8 *mac, int nth)
{
	if (n->may & BATON_MAY_PROMISC)
		return nth == 1 && mac[0] & 1 ? true : net_own_mac(n, mac);
	if (kept->entries == BATON_NET_TABLE_MAX)
		return false;
	if (nth == 1 && mac[0] & 1)
		return true;
	if (n->may & BATON_MAY_MAC)
		return kept->unicast < BATON_NET_UNICAST_MAX;

	return net_own_mac(n, mac) && !kept->unicast;
}

/*
 * Two tables, unicast and multicast, each with the number of its entries first.
 * What may not stay is taken out and the rest is passed on: drivers give both tables in
 * one command, and an address that is refused must not cost the owner its multicast.
 */
static enum baton_command_verdict net_check_table(const struct baton_net *n, u8 cmd, u8 *data,
						  size_t *len)
{
	struct net_table kept = { 0 };
	u32 entries, before, i;
	size_t at = 0, to = 0, count_at;
	bool trimmed = false;
	int nth;

	/* First all lengths are checked; nothing is changed before that. */
	for (nth = 0; nth < 2; nth++) {
		if (*len - at < 4)
			return BATON_COMMAND_MALFORMED;
		entries = baton_le_get(data + at, 4);
		at += 4;
		if (entries > (*len - at) / MAC_LEN)
			return BATON_COMMAND_MALFORMED;
		at += MAC_LEN * (size_t)entries;
	}
	if (at != *len)
		return BATON_COMMAND_MALFORMED;

	at = 0;
	for (nth = 0; nth < 2; nth++) {
		entries = baton_le_get(data + at, 4);
		before = kept.entries;
		count_at = to;
		at += 4;
		to += 4;
		for (i = 0; i < entries; i++, at += MAC_LEN) {
			if (!net_table_admits(n, &kept, data + at, nth)) {
				trimmed = true;
				continue;
			}
			kept.entries++;
			kept.unicast += !(nth == 1 && data[at] & 1);
			memmove(data + to, data + at, MAC_LEN);
			to += MAC_LEN;
		}
		baton_le_put(data + count_at, kept.entries - before, 4);
	}
	*len = to;

	return trimmed ? BATON_COMMAND_TRIMMED : BATON_COMMAND_FORWARD;
}

static enum baton_command_verdict net_check_mac(const struct baton_net *n, u8 cmd, u8 *data,
						size_t *len)
{
	/* A multicast address cannot be the function's own. */
	if (data[0] & 1)
		return BATON_COMMAND_MALFORMED;
	return net_own_mac(n, data) ? BATON_COMMAND_FORWARD : BATON_COMMAND_POLICY;
}

static enum baton_command_verdict net_check_vlan(const struct baton_net *n, u8 cmd, u8 *data,
						 size_t *len)
{
	u32 id = baton_le_get(data, 2);

	if (id > 4095)
		return BATON_COMMAND_MALFORMED;
	/* 0: frames with a priority and no VLAN; Linux adds it when a netdev comes up. */
	return !id || n->may & BATON_MAY_VLAN ? BATON_COMMAND_FORWARD : BATON_COMMAND_POLICY;
}

static enum baton_command_verdict net_check_pairs(const struct baton_net *n, u8 cmd, u8 *data,
						  size_t *len)
{
	u32 pairs = baton_le_get(data, 2);

	if (!pairs)
		return BATON_COMMAND_MALFORMED;
	return pairs <= n->pairs ? BATON_COMMAND_FORWARD : BATON_COMMAND_LIMIT;
}

/*
 * Hash types, mask, queue of the rest, table, number of transmit queues, key.
 * Bytes after the key are allowed: Linux sends the padding of its structure.
 */
static enum baton_command_verdict net_check_rss(const struct baton_net *n, u8 cmd, u8 *data,
						size_t *len)
{
	u32 entries, i, key;
	size_t at = 8;

	if (*len < at)
		return BATON_COMMAND_MALFORMED;
	entries = baton_le_get(data + 4, 2) + 1;
	if (entries > (*len - at) / 2)
		return BATON_COMMAND_MALFORMED;
	if (baton_le_get(data + 6, 2) >= n->pairs)
		return BATON_COMMAND_LIMIT;
	for (i = 0; i < entries; i++, at += 2)
		if (baton_le_get(data + at, 2) >= n->pairs)
			return BATON_COMMAND_LIMIT;
	if (*len - at < 3)
		return BATON_COMMAND_MALFORMED;
	if (baton_le_get(data + at, 2) > n->pairs)
		return BATON_COMMAND_LIMIT;
	key = data[at + 2];

	return *len - at - 3 >= key ? BATON_COMMAND_FORWARD : BATON_COMMAND_MALFORMED;
}

/* Hash types, four reserved words, key. */
static enum baton_command_verdict net_check_hash(const struct baton_net *n, u8 cmd, u8 *data,
						 size_t *len)
{
	return *len >= 13 && *len - 13 >= data[12] ? BATON_COMMAND_FORWARD :
						     BATON_COMMAND_MALFORMED;
}

static enum baton_command_verdict net_check_coal_vq(const struct baton_net *n, u8 cmd,
						    u8 *data, size_t *len)
{
	return baton_le_get(data, 2) < 2u * n->pairs ? BATON_COMMAND_FORWARD : BATON_COMMAND_LIMIT;
}

/* No offload whose feature the owner did not take: those are what was provisioned, at most. */
static enum baton_command_verdict net_check_offloads(const struct baton_net *n, u8 cmd, u8 *data,
						     size_t *len)
{
	return baton_le_get(data, 8) & ~(n->features & OFFLOADS_MASK) ? BATON_COMMAND_LIMIT :
								       BATON_COMMAND_FORWARD;
}

/*
 * len: of the data; 0: @check checks it, or there is none; reply: how many bytes of the answer
 * follow the ack.
 */
static const struct command {
	u8 class, first, last;
	u16 len;
	u8 reply;
	u64 feature;
	check_fn *check;
} commands[] = {
	{ RX, RX_PROMISC, RX_ALLMULTI, 1, 0, F_CTRL_RX, net_check_rx },
	{ RX, RX_ALLUNI, RX_NOBCAST, 1, 0, F_CTRL_RX_EXTRA, net_check_rx },
	{ MAC, MAC_TABLE_SET, MAC_TABLE_SET, 0, 0, F_CTRL_RX, net_check_table },
	{ MAC, MAC_ADDR_SET, MAC_ADDR_SET, 6, 0, F_CTRL_MAC_ADDR, net_check_mac },
	{ VLAN, 0, 1, 2, 0, F_CTRL_VLAN, net_check_vlan },
	{ ANNOUNCE, 0, 0, 0, 0, F_GUEST_ANNOUNCE, NULL },
	{ MQ, MQ_PAIRS_SET, MQ_PAIRS_SET, 2, 0, F_MQ, net_check_pairs },
	{ MQ, MQ_RSS_CONFIG, MQ_RSS_CONFIG, 0, 0, F_RSS, net_check_rss },
	{ MQ, MQ_HASH_CONFIG, MQ_HASH_CONFIG, 0, 0, F_HASH_REPORT, net_check_hash },
	{ OFFLOADS, 0, 0, 8, 0, F_CTRL_GUEST_OFFLOADS, net_check_offloads },
	{ COAL, 0, 1, 8, 0, F_NOTF_COAL, NULL },
	{ COAL, COAL_VQ_SET, COAL_VQ_SET, COAL_VQ_LEN, 0, F_VQ_NOTF_COAL, net_check_coal_vq },
	{ COAL, COAL_VQ_GET, COAL_VQ_GET, 4, 8, F_VQ_NOTF_COAL, net_check_coal_vq },
};

/**
 * baton_net_command() - may the owner give this command?
 * @n: the network function
 * @cmd: the command, header first; where it is trimmed, it is changed
 * @len: its length; likewise
 * @reply_len: how many bytes the device answers with, the first being the ack
 *
 * Context: any; the caller serialises.
 * Return: %BATON_COMMAND_FORWARD, %BATON_COMMAND_TRIMMED, or why not.
 */
enum baton_command_verdict baton_net_command(const struct baton_net *n, u8 *cmd, size_t *len,
					     size_t *reply_len)
{
	enum baton_command_verdict verdict = BATON_COMMAND_FORWARD;
	const struct command *c;
	size_t data_len, i;

	*reply_len = 1;
	if (*len < HEADER_LEN)
		return BATON_COMMAND_MALFORMED;
	data_len = *len - HEADER_LEN;

	for (i = 0; i < NR_OF(commands); i++) {
		c = &commands[i];
		if (cmd[0] != c->class || cmd[1] < c->first || cmd[1] > c->last)
			continue;
		if (!(n->features & c->feature))
			return BATON_COMMAND_UNKNOWN;
		if ((c->len || !c->check) && data_len != c->len)
			return BATON_COMMAND_MALFORMED;
		*reply_len += c->reply;
		if (c->check)
			verdict = c->check(n, cmd[1], cmd + HEADER_LEN, &data_len);
		*len = HEADER_LEN + data_len;
		return verdict;
	}

	return BATON_COMMAND_UNKNOWN;
}

/**
 * baton_net_command_done() - the hardware has carried a command out
 * @n: the network function
 * @cmd: the command, as baton_net_command() let it pass
 * @len: its length
 *
 * Context: any; the caller serialises.
 */
void baton_net_command_done(struct baton_net *n, const u8 *cmd, size_t len)
{
	if (len != HEADER_LEN + MAC_LEN || cmd[0] != MAC || cmd[1] != MAC_ADDR_SET)
		return;
	memcpy(n->current_mac, cmd + HEADER_LEN, MAC_LEN);
	n->changed = true;
	n->left = false;
}

/**
 * baton_net_meet() - a new owner negotiates: which address is its own?
 * @n: the network function
 * @hw_mac: what the hardware shows after its reset
 *
 * An address that the administrator did not fix is the hardware's, which others
 * may change at any time (the PF's driver, a DPU's controller). But if the hardware
 * still has the address that an earlier owner set, that is not taken over (C8).
 *
 * Context: any; the caller serialises.
 */
void baton_net_meet(struct baton_net *n, const u8 *hw_mac)
{
	if (n->fixed || !n->has_mac)
		return;
	if (n->left && !memcmp(hw_mac, n->current_mac, MAC_LEN))
		return;
	memcpy(n->mac, hw_mac, MAC_LEN);
	n->left = false;
}

/**
 * baton_net_forget() - the owner goes: what it set is not the next one's
 * @n: the network function, reset
 *
 * Context: any; the caller serialises.
 */
void baton_net_forget(struct baton_net *n)
{
	n->left |= n->changed;
	n->changed = false;
}

/**
 * baton_net_known() - leave out features whose meaning is not known here
 * @features: what the hardware offers
 *
 * Context: any.
 * Return: the feature bits.
 */
u64 baton_net_known(u64 features)
{
	return features & ~UNKNOWN_DEVICE;
}

/**
 * baton_net_carried() - what can be offered together
 * @features: what could be offered
 *
 * With CTRL_VQ no packed rings: ctrl.c and cvq.c know split ones only, and a device's
 * queues are either all split or all packed. Without it nothing that needs commands.
 *
 * Context: any.
 * Return: the feature bits.
 */
u64 baton_net_carried(u64 features)
{
	return baton_net_known(features) & ~(features & F_CTRL_VQ ? F_RING_PACKED : NEEDS_CTRL_VQ);
}

/**
 * baton_net_features() - what has to be negotiated with the hardware
 * @hw_features: what it offers
 * @owner_features: what the owner took
 * @may: what the policy allows the owner
 *
 * Besides what the owner took, what it takes to set provisioned values and filters:
 * otherwise an owner could evade both by not taking the features. With packed
 * queues there is none of that, since the hardware's control queue would be packed as
 * well; the administrator chose them in place of CTRL_VQ when he provisioned.
 *
 * Context: any.
 * Return: the feature bits.
 */
u64 baton_net_features(u64 hw_features, u64 owner_features, u32 may)
{
	u64 ours = F_CTRL_VQ | F_CTRL_RX | F_CTRL_MAC_ADDR;

	if (!(hw_features & F_CTRL_VQ) || owner_features & F_RING_PACKED)
		return owner_features;
	/* Once negotiated, all VLANs are filtered out but those that were added. */
	if (!(may & BATON_MAY_VLAN))
		ours |= F_CTRL_VLAN;

	return owner_features | (hw_features & ours);
}

/**
 * baton_net_filters() - can an owner be kept from seeing what is not its own?
 * @hw_features: what the hardware offers
 * @offered: what the owner is offered
 *
 * Context: any.
 * Return: true if so, whatever the owner takes of it.
 */
bool baton_net_filters(u64 hw_features, u64 offered)
{
	const u64 needed = F_CTRL_VQ | F_CTRL_RX;

	return (hw_features & needed) == needed && !(offered & F_RING_PACKED);
}

static size_t net_make_command(u8 *cmd, u8 class, u8 number, const u8 *data, size_t len)
{
	cmd[0] = class;
	cmd[1] = number;
	memcpy(cmd + HEADER_LEN, data, len);

	return HEADER_LEN + len;
}

/**
 * baton_net_restore() - what a new owner's function has to be told first
 * @n: the network function
 * @nth: which of the commands, from 0 on
 * @hw_features: what was negotiated with the hardware
 * @cmd: where to put it, with room for %BATON_RESTORE_MAX bytes
 *
 * Its address, where that was fixed or may have been changed; then filters, since a
 * device is promiscuous until told otherwise (5.1.6.5.1). An owner that did not take
 * CTRL_RX cannot ask for multicast, so it gets all of it; one that did not take CTRL_VLAN
 * cannot add VLAN 0, which frames with a priority and no VLAN belong to.
 *
 * Context: any; the caller serialises.
 * Return: the length of the command; 0 if there are no more.
 */
size_t baton_net_restore(const struct baton_net *n, unsigned int nth, u64 hw_features, u8 *cmd)
{
	const u8 off = 0, on = 1, no_vlan[2] = { 0, 0 };

	if (!(hw_features & F_CTRL_VQ))
		return 0;
	if ((n->fixed || n->left) && n->has_mac && hw_features & F_CTRL_MAC_ADDR && nth-- == 0)
		return net_make_command(cmd, MAC, MAC_ADDR_SET, n->mac, sizeof(n->mac));
	if (!(n->may & BATON_MAY_PROMISC) && hw_features & F_CTRL_RX) {
		if (nth-- == 0)
			return net_make_command(cmd, RX, RX_PROMISC, &off, 1);
		if (!(n->features & F_CTRL_RX) && nth-- == 0)
			return net_make_command(cmd, RX, RX_ALLMULTI, &on, 1);
	}
	if (hw_features & F_CTRL_VLAN && !(n->features & F_CTRL_VLAN) && nth-- == 0)
		return net_make_command(cmd, VLAN, VLAN_ADD, no_vlan, sizeof(no_vlan));

	return 0;
}

/* Replace what lies in [offset, offset + len) of a field at @at. */
static void net_overlay_config(unsigned int offset, u8 *buf, unsigned int len, unsigned int at,
			       const u8 *field, unsigned int width)
{
	unsigned int i;

	for (i = 0; i < width; i++)
		if (at + i >= offset && at + i - offset < len)
			buf[at + i - offset] = field[i];
}

/**
 * baton_net_config() - show what was provisioned in the configuration space
 * @n: the network function
 * @offset: of @buf in the configuration space
 * @buf: what was read from the hardware
 * @len: how many bytes
 *
 * Context: any; the caller serialises.
 */
void baton_net_config(const struct baton_net *n, unsigned int offset, u8 *buf, unsigned int len)
{
	u8 word[2];

	if (n->has_mac && (n->fixed || n->changed || n->left))
		net_overlay_config(offset, buf, len, CONFIG_MAC,
				   n->changed ? n->current_mac : n->mac, MAC_LEN);
	if (n->shows_pairs) {
		baton_le_put(word, n->pairs, sizeof(word));
		net_overlay_config(offset, buf, len, CONFIG_PAIRS, word, sizeof(word));
	}
	if (n->mtu) {
		baton_le_put(word, n->mtu, sizeof(word));
		net_overlay_config(offset, buf, len, CONFIG_MTU, word, sizeof(word));
	}
	if (n->rss_table) {
		baton_le_put(word, n->rss_table, sizeof(word));
		net_overlay_config(offset, buf, len, CONFIG_RSS_TABLE, word, sizeof(word));
	}
}

/**
 * baton_net_control_queue() - which queue is the owner's control queue
 * @n: the network function
 * @features: what the owner took, or would take
 *
 * Context: any; the caller serialises.
 * Return: its index (virtio 1.2, 5.1.2).
 */
u16 baton_net_control_queue(const struct baton_net *n, u64 features)
{
	return 2 * (features & (F_MQ | F_RSS) ? n->pairs : 1);
}

/**
 * baton_net_hw_control_queue() - which queue is the hardware's control queue
 * @n: the network function
 * @hw_features: what was negotiated with the hardware
 *
 * Context: any; the caller serialises.
 * Return: its index.
 */
u16 baton_net_hw_control_queue(const struct baton_net *n, u64 hw_features)
{
	return 2 * (hw_features & (F_MQ | F_RSS) ? n->hw_pairs : 1);
}
