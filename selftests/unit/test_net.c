// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network functions: which commands pass, what the hardware is told, what owners are shown; and
 * whether the tool knows what is left out of the features that it provisions.
 */
#include "../../drivers/vdpa/baton/features.h"
#include "../../drivers/vdpa/baton/net.h"
#include "../../tools/baton/provision.h"
#include "test.h"

#define BIT(nr) (1ull << (nr))
#define GUEST_CSUM BIT(1)
#define OFFLOADS BIT(2)
#define GUEST_USO4 BIT(54)
#define CTRL_VQ BIT(17)
#define CTRL_RX BIT(18)
#define CTRL_VLAN BIT(19)
#define CTRL_RX_EXTRA BIT(20)
#define ANNOUNCE BIT(21)
#define MQ BIT(22)
#define CTRL_MAC BIT(23)
#define PACKED BIT(34)
#define STATS BIT(50)
#define VQ_COAL BIT(52)
#define COAL BIT(53)
#define HASH BIT(57)
#define RSS BIT(60)

#define MAY_NOTHING 0
#define ALL BATON_MAY_ALL

#define MINE 0x52, 0x54, 0, 0, 0, 1
#define OTHER 0x52, 0x54, 0, 0, 0, 2
#define GROUP 0x33, 0x33, 0, 0, 0, 1

/* A function with four queue pairs, of which two may be used. */
static struct baton_net net(u64 features, u32 may)
{
	return (struct baton_net){ .mac = { MINE },
				   .has_mac = true,
				   .fixed = true,
				   .pairs = 2,
				   .hw_pairs = 4,
				   .shows_pairs = true,
				   .features = features,
				   .may = may };
}

/* The verdict on a copy of the command. */
static enum baton_command_verdict judge(const struct baton_net *n, const u8 *cmd, size_t len,
					size_t *reply)
{
	u8 copy[65];

	memcpy(copy, cmd, len);
	return baton_net_command(n, copy, &len, reply);
}

#define CMD(...) .cmd = { __VA_ARGS__ }, .len = sizeof((u8[]){ __VA_ARGS__ })

/* Each is also tried without its feature, and with one byte less and one more. */
static const struct command_case {
	const char *name;
	u64 feature;
	u32 may; /* what it takes; 0: nothing, any owner may */
	enum baton_command_verdict verdict;
	u8 cmd[64];
	size_t len, reply;
} commands[] = {
	{ "promisc on", CTRL_RX, BATON_MAY_PROMISC, BATON_COMMAND_FORWARD, CMD(0, 0, 1) },
	{ "promisc on, oddly", CTRL_RX, BATON_MAY_PROMISC, BATON_COMMAND_FORWARD, CMD(0, 0, 0x80) },
	{ "promisc off", CTRL_RX, 0, BATON_COMMAND_FORWARD, CMD(0, 0, 0) },
	{ "allmulti on", CTRL_RX, BATON_MAY_ALLMULTI, BATON_COMMAND_FORWARD, CMD(0, 1, 1) },
	{ "allmulti off", CTRL_RX, 0, BATON_COMMAND_FORWARD, CMD(0, 1, 0) },
	{ "alluni on", CTRL_RX_EXTRA, BATON_MAY_PROMISC, BATON_COMMAND_FORWARD, CMD(0, 2, 1) },
	{ "nomulti on", CTRL_RX_EXTRA, 0, BATON_COMMAND_FORWARD, CMD(0, 3, 1) },
	{ "nouni on", CTRL_RX_EXTRA, 0, BATON_COMMAND_FORWARD, CMD(0, 4, 1) },
	{ "nobcast on", CTRL_RX_EXTRA, 0, BATON_COMMAND_FORWARD, CMD(0, 5, 1) },
	{ "RX, no such command", CTRL_RX_EXTRA, 0, BATON_COMMAND_UNKNOWN, CMD(0, 6, 0) },

	{ "table, empty", CTRL_RX, 0, BATON_COMMAND_FORWARD, CMD(1, 0, 0, 0, 0, 0, 0, 0, 0, 0) },
	{ "table, own", CTRL_RX, 0, BATON_COMMAND_FORWARD,
	  CMD(1, 0, 1, 0, 0, 0, MINE, 1, 0, 0, 0, GROUP) },
	{ "table, another", CTRL_RX, BATON_MAY_MAC, BATON_COMMAND_FORWARD,
	  CMD(1, 0, 2, 0, 0, 0, MINE, OTHER, 0, 0, 0, 0) },
	{ "table, another among the multicast ones", CTRL_RX, BATON_MAY_MAC, BATON_COMMAND_FORWARD,
	  CMD(1, 0, 0, 0, 0, 0, 2, 0, 0, 0, GROUP, OTHER) },
	{ "table, multicast among the others", CTRL_RX, BATON_MAY_MAC, BATON_COMMAND_FORWARD,
	  CMD(1, 0, 1, 0, 0, 0, GROUP, 0, 0, 0, 0) },
	{ "table, too many", CTRL_RX, 0, BATON_COMMAND_MALFORMED,
	  CMD(1, 0, 2, 0, 0, 0, MINE, 0, 0, 0, 0) },
	{ "table, 4 G of them", CTRL_RX, 0, BATON_COMMAND_MALFORMED,
	  CMD(1, 0, 0xff, 0xff, 0xff, 0xff, MINE, 0, 0, 0, 0) },
	{ "table, as many as overflow", CTRL_RX, 0, BATON_COMMAND_MALFORMED,
	  CMD(1, 0, 0xab, 0xaa, 0xaa, 0xaa, MINE, 0, 0, 0, 0) },
	{ "table, second missing", CTRL_RX, 0, BATON_COMMAND_MALFORMED,
	  CMD(1, 0, 1, 0, 0, 0, MINE) },
	{ "own address", CTRL_MAC, 0, BATON_COMMAND_FORWARD, CMD(1, 1, MINE) },
	{ "another address", CTRL_MAC, BATON_MAY_MAC, BATON_COMMAND_FORWARD, CMD(1, 1, OTHER) },
	{ "group address", CTRL_MAC, 0, BATON_COMMAND_MALFORMED, CMD(1, 1, GROUP) },
	{ "MAC, no such command", CTRL_MAC, 0, BATON_COMMAND_UNKNOWN, CMD(1, 2, MINE) },

	{ "VLAN add", CTRL_VLAN, BATON_MAY_VLAN, BATON_COMMAND_FORWARD, CMD(2, 0, 0xff, 0x0f) },
	{ "VLAN del", CTRL_VLAN, BATON_MAY_VLAN, BATON_COMMAND_FORWARD, CMD(2, 1, 5, 0) },
	{ "VLAN 0, which is none", CTRL_VLAN, 0, BATON_COMMAND_FORWARD, CMD(2, 0, 0, 0) },
	{ "VLAN 4096", CTRL_VLAN, 0, BATON_COMMAND_MALFORMED, CMD(2, 0, 0, 0x10) },

	{ "announce ack", ANNOUNCE, 0, BATON_COMMAND_FORWARD, CMD(3, 0) },

	{ "pairs 1", MQ, 0, BATON_COMMAND_FORWARD, CMD(4, 0, 1, 0) },
	{ "pairs 2", MQ, 0, BATON_COMMAND_FORWARD, CMD(4, 0, 2, 0) },
	{ "pairs 3", MQ, 0, BATON_COMMAND_LIMIT, CMD(4, 0, 3, 0) },
	{ "pairs 256", MQ, 0, BATON_COMMAND_LIMIT, CMD(4, 0, 0, 1) },
	{ "pairs 0", MQ, 0, BATON_COMMAND_MALFORMED, CMD(4, 0, 0, 0) },

	/* types, mask, unclassified, table, transmit queues, key length, key */
	{ "RSS", RSS, 0, BATON_COMMAND_FORWARD,
	  CMD(4, 1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 2, 0, 3, 7, 7, 7) },
	{ "RSS, unclassified to a foreign queue", RSS, 0, BATON_COMMAND_LIMIT,
	  CMD(4, 1, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0) },
	{ "RSS, foreign queue in the table", RSS, 0, BATON_COMMAND_LIMIT,
	  CMD(4, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 2, 0, 0) },
	{ "RSS, too many transmit queues", RSS, 0, BATON_COMMAND_LIMIT,
	  CMD(4, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0) },
	{ "RSS, table longer than all", RSS, 0, BATON_COMMAND_MALFORMED,
	  CMD(4, 1, 1, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 2, 0, 0) },
	{ "RSS, key longer than all", RSS, 0, BATON_COMMAND_MALFORMED,
	  CMD(4, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 255) },
	{ "RSS, no table", RSS, 0, BATON_COMMAND_MALFORMED, CMD(4, 1, 1, 0, 0, 0, 0, 0, 0, 0) },
	{ "RSS, cut short", RSS, 0, BATON_COMMAND_MALFORMED, CMD(4, 1, 1, 0, 0) },
	{ "hash", HASH, 0, BATON_COMMAND_FORWARD,
	  CMD(4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 7, 7) },
	{ "hash, key longer than all", HASH, 0, BATON_COMMAND_MALFORMED,
	  CMD(4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 7, 7) },

	{ "offloads", OFFLOADS | GUEST_CSUM | GUEST_USO4, 0, BATON_COMMAND_FORWARD,
	  CMD(5, 0, 2, 0, 0, 0, 0, 0, 0x40, 0) },
	{ "offloads, one that was not negotiated", OFFLOADS | GUEST_CSUM, 0, BATON_COMMAND_LIMIT,
	  CMD(5, 0, 0x82, 0, 0, 0, 0, 0, 0, 0) },
	{ "offloads, one that is none", ~0ull, 0, BATON_COMMAND_LIMIT,
	  CMD(5, 0, 1, 0, 0, 0, 0, 0, 0, 0) },

	{ "coalescing, transmit", COAL, 0, BATON_COMMAND_FORWARD,
	  CMD(6, 0, 1, 0, 0, 0, 2, 0, 0, 0) },
	{ "coalescing, receive", COAL, 0, BATON_COMMAND_FORWARD,
	  CMD(6, 1, 1, 0, 0, 0, 2, 0, 0, 0) },
	{ "coalescing, queue 3", VQ_COAL, 0, BATON_COMMAND_FORWARD,
	  CMD(6, 2, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0) },
	{ "coalescing, queue 4", VQ_COAL, 0, BATON_COMMAND_LIMIT,
	  CMD(6, 2, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0) },
	{ "coalescing of queue 3", VQ_COAL, 0, BATON_COMMAND_FORWARD, CMD(6, 3, 3, 0, 0, 0),
	  .reply = 9 },
	{ "coalescing of queue 4", VQ_COAL, 0, BATON_COMMAND_LIMIT, CMD(6, 3, 4, 0, 0, 0),
	  .reply = 9 },

	{ "no such class", ~0ull, 0, BATON_COMMAND_UNKNOWN, CMD(7, 0) },
	{ "statistics", ~0ull, 0, BATON_COMMAND_UNKNOWN, CMD(8, 0) },
	{ "class 255", ~0ull, 0, BATON_COMMAND_UNKNOWN, CMD(255, 255) },
	{ "half a header", ~0ull, 0, BATON_COMMAND_MALFORMED, CMD(0) },
	{ "nothing", ~0ull, 0, BATON_COMMAND_MALFORMED, .len = 0 },
};

static void every_command(void)
{
	struct baton_net n;
	size_t reply;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command_case *t = &commands[i];

		CONTEXT("%s", t->name);
		n = net(t->feature, t->may);
		CHECK_EQ(judge(&n, t->cmd, t->len, &reply), t->verdict);
		CHECK_EQ(reply, t->reply ?: 1);
		CHECK(reply <= BATON_REPLY_MAX);
		if (t->verdict != BATON_COMMAND_FORWARD)
			continue;
		n.features = ~t->feature;
		CHECK_EQ(judge(&n, t->cmd, t->len, &reply), BATON_COMMAND_UNKNOWN);
		n.features = ~0ull;
		/* After a key there may be padding: Linux sends some. */
		CHECK_EQ(judge(&n, t->cmd, t->len + 1, &reply), t->feature & (RSS | HASH)
									? BATON_COMMAND_FORWARD
									: BATON_COMMAND_MALFORMED);
		CHECK_EQ(judge(&n, t->cmd, t->len - 1, &reply), BATON_COMMAND_MALFORMED);
	}
}

/* What takes a permission passes with it and with no other. */
static void every_permission(void)
{
	size_t reply;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command_case *t = &commands[i];

		for (u32 may = 0; t->verdict == BATON_COMMAND_FORWARD && may <= ALL; may++) {
			struct baton_net n = net(t->feature, may);

			CONTEXT("%s, may 0x%x", t->name, may);
			CHECK_EQ(judge(&n, t->cmd, t->len, &reply),
				 !(t->may & ~may)		    ? BATON_COMMAND_FORWARD
				 : t->cmd[0] == 1 && t->cmd[1] == 0 ? BATON_COMMAND_TRIMMED
								    : BATON_COMMAND_POLICY);
		}
	}
}

/* Make a table command; return its length. */
static size_t make_table(u8 *cmd, unsigned int uni, const u8 *one, unsigned int multi)
{
	u8 *at = cmd;

	*at++ = 1;
	*at++ = 0;
	for (int nth = 0; nth < 2; nth++) {
		unsigned int nr = nth ? multi : uni;

		memcpy(at, (u8[]){ nr, nr >> 8, 0, 0 }, 4);
		at += 4;
		for (unsigned int i = 0; i < nr; i++, at += 6) {
			memcpy(at, nth ? (u8[]){ GROUP } : one, 6);
			if (nth)
				at[4] = i >> 8, at[5] = i;
		}
	}
	return at - cmd;
}

/*
 * What is too much for a table, or not the owner's, never reaches the hardware; all else does, and
 * in order.
 */
static void tables(void)
{
	static const u8 mine[] = { MINE }, other[] = { OTHER };
	static const struct {
		const char *name;
		u32 may;
		const u8 *mac;
		unsigned int uni, multi, kept_uni, kept_multi;
	} table[] = {
		{ "own once", 0, mine, 1, 3, 1, 3 },
		{ "own twice", 0, mine, 2, 3, 1, 3 },
		{ "own 65 times", 0, mine, 65, 0, 1, 0 },
		{ "another, and groups", 0, other, 1, 3, 0, 3 },
		{ "full of groups", 0, mine, 0, 64, 0, 64 },
		{ "a group too many", 0, mine, 0, 65, 0, 64 },
		{ "a group too many for both", 0, mine, 1, 64, 1, 63 },
		{ "1000 groups, all multicast allowed", BATON_MAY_ALLMULTI, mine, 0, 1000, 0, 64 },
		{ "sixteen others", BATON_MAY_MAC, other, 16, 48, 16, 48 },
		{ "seventeen others", BATON_MAY_MAC, other, 17, 2, 16, 2 },
		{ "1000 groups, may see all", BATON_MAY_PROMISC, mine, 0, 1000, 0, 1000 },
		{ "another, may see all", BATON_MAY_PROMISC, other, 1, 2, 0, 2 },
		{ "as many as there are, may all", ALL, other, 600, 700, 600, 700 },
	};
	static u8 cmd[BATON_COMMAND_MAX], wanted[BATON_COMMAND_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct baton_net n = net(CTRL_RX, table[i].may);
		size_t len, wanted_len, reply;
		bool whole;

		CONTEXT("%s", table[i].name);
		len = make_table(cmd, table[i].uni, table[i].mac, table[i].multi);
		wanted_len =
			make_table(wanted, table[i].kept_uni, table[i].mac, table[i].kept_multi);
		whole = len == wanted_len;
		CHECK_EQ(baton_net_command(&n, cmd, &len, &reply),
			 whole ? BATON_COMMAND_FORWARD : BATON_COMMAND_TRIMMED);
		CHECK_EQ(len, wanted_len);
		CHECK(!memcmp(cmd, wanted, wanted_len));
	}
}

/* Whose address it is: fixed, the hardware's, or what an owner left behind. */
static void whose_address(void)
{
	static const u8 hw[] = { 2, 0, 0, 0, 0, 9 }, set[] = { 1, 1, OTHER }, other[] = { OTHER };
	struct baton_net n = net(CTRL_MAC, ALL);
	u8 cmd[BATON_RESTORE_MAX], buf[6];

	/* Fixed: whatever the hardware says. */
	baton_net_meet(&n, hw);
	CHECK(!memcmp(n.mac, (u8[]){ MINE }, 6));
	CHECK_EQ(baton_net_restore(&n, 0, CTRL_VQ | CTRL_MAC, cmd), 8);

	/* Not fixed: the hardware's, which is told and shown nothing. */
	n.fixed = false;
	baton_net_meet(&n, hw);
	CHECK(!memcmp(n.mac, hw, 6));
	CHECK_EQ(baton_net_restore(&n, 0, CTRL_VQ | CTRL_MAC, cmd), 0);
	memset(buf, 7, sizeof(buf));
	baton_net_config(&n, 0, buf, sizeof(buf));
	CHECK_EQ(buf[0], 7);

	/* Its owner changes it, and is shown that. */
	baton_net_command_done(&n, set, sizeof(set));
	baton_net_config(&n, 0, buf, sizeof(buf));
	CHECK(!memcmp(buf, other, 6));

	/* Between owners nobody is shown it; hardware that kept it is told the one before. */
	baton_net_forget(&n);
	baton_net_config(&n, 0, buf, sizeof(buf));
	CHECK(!memcmp(buf, hw, 6));
	baton_net_meet(&n, other);
	CHECK(!memcmp(n.mac, hw, 6));
	CHECK_EQ(baton_net_restore(&n, 0, CTRL_VQ | CTRL_MAC, cmd), 8);
	CHECK(!memcmp(cmd + 2, hw, 6));

	/* Hardware that went back, or was given another one, is believed. */
	baton_net_forget(&n);
	baton_net_meet(&n, (u8[]){ MINE });
	CHECK(!memcmp(n.mac, (u8[]){ MINE }, 6));
	CHECK_EQ(baton_net_restore(&n, 0, CTRL_VQ | CTRL_MAC, cmd), 0);

	/* What has no address has none to read. */
	n.has_mac = false;
	baton_net_meet(&n, hw);
	CHECK(!memcmp(n.mac, (u8[]){ MINE }, 6));
}

static void the_address_it_has(void)
{
	const u8 set[] = { 1, 1, OTHER }, mq[] = { 4, 0, OTHER };
	struct baton_net n = net(CTRL_MAC | MQ, ALL);

	baton_net_command_done(&n, mq, sizeof(mq));
	baton_net_command_done(&n, set, sizeof(set) - 1);
	CHECK(!n.changed);
	baton_net_command_done(&n, set, sizeof(set));
	CHECK(n.changed && !memcmp(n.current_mac, set + 2, 6));
}

static void restores(void)
{
	const u64 hw = CTRL_VQ | CTRL_RX | CTRL_MAC;
	static const struct {
		const char *name, *told;
		u64 owner, hw;
		u32 may;
		bool no_mac, not_fixed;
	} table[] = {
		{ "strict", "mac promisc-off ", CTRL_RX, hw },
		{ "strict, does not filter", "mac promisc-off allmulti-on ", 0, hw },
		{ "permissive", "mac ", CTRL_RX, hw, ALL },
		{ "permissive, does not filter", "mac ", 0, hw, ALL },
		{ "may be promiscuous", "mac ", 0, hw, BATON_MAY_PROMISC },
		{ "all but promiscuous", "mac promisc-off ", CTRL_RX, hw,
		  ALL & ~BATON_MAY_PROMISC },
		{ "no address of its own", "promisc-off ", CTRL_RX, hw, .no_mac = true },
		{ "address cannot be set", "promisc-off ", CTRL_RX, hw & ~CTRL_MAC },
		{ "cannot filter", "mac ", 0, hw & ~CTRL_RX },
		{ "no control queue", "", CTRL_RX, hw & ~CTRL_VQ },
		{ "not fixed", "promisc-off ", CTRL_RX, hw, .not_fixed = true },
		{ "takes no VLANs", "mac promisc-off vlan-0 ", CTRL_RX, hw | CTRL_VLAN },
		{ "takes VLANs", "mac promisc-off ", CTRL_RX | CTRL_VLAN, hw | CTRL_VLAN },
	};
	const u8 none[] = { 2, 0, 0, 0 };
	const u8 mac[] = { 1, 1, MINE }, off[] = { 0, 0, 0 }, on[] = { 0, 1, 1 };

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct baton_net n = net(table[i].owner, table[i].may);
		char told[100] = "";
		u8 cmd[16];
		size_t len;

		n.has_mac = !table[i].no_mac;
		n.fixed = !table[i].not_fixed;
		CONTEXT("%s", table[i].name);
		for (int nth = 0; nth < 9; nth++) {
			len = baton_net_restore(&n, nth, table[i].hw, cmd);
			if (!len)
				break;
			if (len == sizeof(mac) && !memcmp(cmd, mac, len))
				strcat(told, "mac ");
			else if (len == sizeof(off) && !memcmp(cmd, off, len))
				strcat(told, "promisc-off ");
			else if (len == sizeof(on) && !memcmp(cmd, on, len))
				strcat(told, "allmulti-on ");
			else if (len == sizeof(none) && !memcmp(cmd, none, len))
				strcat(told, "vlan-0 ");
			else
				CHECK(!"a command that makes sense");
		}
		CHECK(!strcmp(told, table[i].told));
	}
}

/* Byte by byte, what every read of any part must find. */
static void config(void)
{
	const u8 plain[] = {
		0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 4, 0, 0xaa, 0xab, 0xac
	};
	const u8 shown[] = { MINE, 0xa6, 0xa7, 2, 0, 0xdc, 0x05, 0xac };
	struct baton_net n = net(0, 0), bare = net(0, 0);
	u8 buf[sizeof(plain)];

	n.mtu = 1500;
	bare.has_mac = false;
	bare.shows_pairs = false;
	/* The hardware says 4, and has queues for 2. */
	n.hw_pairs = n.pairs;
	for (unsigned int offset = 0; offset < sizeof(plain); offset++)
		for (unsigned int len = 0; len <= sizeof(plain) - offset; len++) {
			CONTEXT("%u bytes at %u", len, offset);
			memcpy(buf, plain, sizeof(buf));
			baton_net_config(&bare, offset, buf + offset, len);
			CHECK(!memcmp(buf, plain, sizeof(buf)));
			baton_net_config(&n, offset, buf + offset, len);
			CHECK(!memcmp(buf + offset, shown + offset, len));
			CHECK(!memcmp(buf, plain, offset));
			CHECK(!memcmp(buf + offset + len, plain + offset + len,
				      sizeof(plain) - offset - len));
		}
	/* Offsets that would wrap around. */
	memcpy(buf, plain, sizeof(buf));
	baton_net_config(&n, ~0u, buf, 1);
	baton_net_config(&n, ~0u - 3, buf, sizeof(buf));
	CHECK(!memcmp(buf, plain, sizeof(buf)));
}

/* Whoever is shown a table as long as this has to be able to send one. */
static void rss_table_fits(void)
{
	struct baton_net n = net(RSS, 0);
	u8 space[24] = { [18] = 0x00, [19] = 0x10 }; /* 4096 */
	static u8 cmd[BATON_COMMAND_MAX];
	size_t len = 2 + 8 + 2 * BATON_NET_RSS_MAX + 3 + 255, reply;

	baton_net_config(&n, 0, space, sizeof(space));
	CHECK_EQ(space[18] | space[19] << 8, 4096);
	n.rss_table = BATON_NET_RSS_MAX;
	baton_net_config(&n, 0, space, sizeof(space));
	CHECK_EQ(space[18] | space[19] << 8, BATON_NET_RSS_MAX);

	CHECK(len <= sizeof(cmd));
	cmd[0] = 4;
	cmd[1] = 1;
	cmd[6] = (BATON_NET_RSS_MAX - 1) & 0xff;
	cmd[7] = (BATON_NET_RSS_MAX - 1) >> 8;
	cmd[2 + 8 + 2 * BATON_NET_RSS_MAX] = 2;
	cmd[2 + 8 + 2 * BATON_NET_RSS_MAX + 2] = 255;
	CHECK_EQ(baton_net_command(&n, cmd, &len, &reply), BATON_COMMAND_FORWARD);
}

static void control_queues(void)
{
	struct baton_net n = net(0, 0);

	CHECK_EQ(baton_net_control_queue(&n, CTRL_VQ), 2);
	CHECK_EQ(baton_net_control_queue(&n, CTRL_VQ | MQ), 4);
	CHECK_EQ(baton_net_control_queue(&n, CTRL_VQ | RSS), 4);
	CHECK_EQ(baton_net_hw_control_queue(&n, CTRL_VQ), 2);
	CHECK_EQ(baton_net_hw_control_queue(&n, CTRL_VQ | MQ), 8);
	CHECK_EQ(baton_net_hw_control_queue(&n, CTRL_VQ | RSS), 8);
}

static void features(void)
{
	const u64 hw = CTRL_VQ | CTRL_RX | CTRL_VLAN | CTRL_MAC | MQ | 1;

	CHECK(baton_net_carried(CTRL_VQ | PACKED | STATS | 1) == (CTRL_VQ | 1));
	CHECK(baton_net_carried(PACKED | 1) == (PACKED | 1));
	/* What drivers refuse to probe with goes with the control queue. */
	CHECK(baton_net_carried(~0ull & ~CTRL_VQ) ==
	      (baton_net_known(~0ull) & ~(OFFLOADS | CTRL_VQ | CTRL_RX | CTRL_VLAN | CTRL_RX_EXTRA |
					  ANNOUNCE | MQ | CTRL_MAC | VQ_COAL | COAL | HASH | RSS)));
	/* Of the device's bits, those that are known; all others are not ours to judge. */
	CHECK_EQ(baton_net_known(STATS | BIT(51) | BIT(58) | BIT(4)), 0);
	CHECK(baton_net_known(BIT(24) | BIT(43) | PACKED | 1) == (BIT(24) | BIT(43) | PACKED | 1));

	/* What it takes to hide others' traffic. */
	CHECK(baton_net_filters(hw, hw));
	CHECK(baton_net_filters(hw, 0));
	CHECK(!baton_net_filters(hw, PACKED));
	CHECK(!baton_net_filters(hw & ~CTRL_RX, hw));
	CHECK(!baton_net_filters(hw & ~CTRL_VQ, hw));

	/* An owner that takes nothing is still held to what was provisioned. */
	CHECK(baton_net_features(hw, 1, 0) == (CTRL_VQ | CTRL_RX | CTRL_VLAN | CTRL_MAC | 1));
	CHECK(baton_net_features(hw, 1, BATON_MAY_VLAN) == (CTRL_VQ | CTRL_RX | CTRL_MAC | 1));
	CHECK(baton_net_features(hw, MQ, ALL) == (CTRL_VQ | CTRL_RX | CTRL_MAC | MQ));
	/* Nothing that the hardware does not have. */
	CHECK(baton_net_features(CTRL_VQ | 1, 1, 0) == (CTRL_VQ | 1));
	CHECK(baton_net_features(hw & ~CTRL_VQ, 1, 0) == 1);
	/* The hardware's control queue is a split one, or none. */
	CHECK(baton_net_features(hw | PACKED, PACKED, 0) == PACKED);
}

/* What QEMU's shadow virtqueues stop at is not offered unless asked for. */
static void usual(void)
{
	u64 offered = baton_net_carried(baton_features_offer(~0ull, BATON_USER));
	u64 offer = baton_features_usual(offered, true);

	CHECK_EQ(offer & ~offered, 0);
	CHECK_EQ(offer & (ANNOUNCE | PACKED | STATS | VQ_COAL | COAL | BIT(28) | BIT(35) | BIT(36)),
		 0);
	CHECK((offer & (CTRL_VQ | CTRL_RX | CTRL_VLAN | CTRL_MAC | MQ)) ==
	      (CTRL_VQ | CTRL_RX | CTRL_VLAN | CTRL_MAC | MQ));
	CHECK(!baton_features_check(offered, offer));
	CHECK(baton_features_usual(offered, false) == offered);
	CHECK_EQ(baton_features_usual(0, true), 0);
}

/* A function that has every feature, of which one is left out, or only one kept. */
static void left_out(void)
{
	const u64 needed = BIT(32) | BIT(33);
	unsigned int i;
	bool is_net, user;

	for (i = 0; i < 64 * 8; i++) {
		u64 wanted = i & 64 ? BIT(i % 64) | needed : ~BIT(i % 64), offered;

		is_net = i & 128;
		user = i & 256;
		wanted = baton_features_offer(wanted, BATON_NONE);
		if (is_net)
			wanted = baton_net_known(wanted) & ~(wanted & CTRL_VQ ? PACKED : 0);
		CONTEXT("%s, %s: %#llx", is_net ? "net" : "block", user ? "user" : "kernel",
			(unsigned long long)wanted);
		offered = baton_features_offer(is_net ? baton_net_carried(wanted) : wanted,
					       user ? BATON_USER : BATON_KERNEL);
		CHECK_EQ(wanted & ~offered,
			 provision_left_out(wanted, is_net ? "net" : "block",
					    user ? "vhost_vdpa" : "virtio_vdpa"));
	}
}

static const struct test_case cases[] = {
	{ "every command: feature, length, limit", every_command },
	{ "every permission", every_permission },
	{ "tables: what is left of them", tables },
	{ "whose address it is", whose_address },
	{ "the address that it has", the_address_it_has },
	{ "what the hardware is told first", restores },
	{ "configuration space, every part of it", config },
	{ "an RSS table that is shown can be sent", rss_table_fits },
	{ "which queue is the control queue", control_queues },
	{ "what is negotiated with the hardware", features },
	{ "what is usually offered", usual },
	{ "what the tool expects to be left out", left_out },
};

RUN(cases)
