// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: drivers/vdpa/baton/{ring,net}.c, run as ctrl.c runs them, on
 * the memory of an owner that means no good. Run by selftests/fuzz/run.
 *
 * The input is the owner: where its rings are, how its memory is mapped, what is
 * in it, and what it changes there while it is being read. seeds.py writes the
 * same layout.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../drivers/vdpa/baton/net.h"
#include "../../drivers/vdpa/baton/ring.h"

#define NR_WINDOWS 4
#define NR_CHANGES 8

/* Little endian, as all machines are that this runs on. */
struct input {
	u8 size_log;  /* of the ring: 0 to 8 */
	u8 flags;     /* see below */
	u8 perm;      /* of each window two bits: read, write */
	u8 may;	      /* BATON_MAY_* */
	u8 windows;   /* of the three parts of the ring two bits each: where they are */
	u8 chunk_log; /* windows are handed out in pieces of 16 << chunk_log bytes */
	u16 next;     /* index that both sides begin with */
	u16 part[3];  /* offsets of the three parts */
	u16 pairs;    /* of queues, provisioned */
	u64 features; /* that the owner took */
	struct change {
		u16 when; /* at which access to its memory */
		u16 at;	  /* offset in its memory */
		u32 value;
	} changes[NR_CHANGES];
	/* What follows is its memory. */
};

#define FLAG_EVENT_IDX 1
#define FLAG_HAS_MAC 2
#define FLAG_REWIND 4 /* the changes come again and again */
#define READ 1
#define WRITE 2

/* One is at address 0, one ends with the address space. Small: short inputs fuzz best. */
static const struct {
	u64 addr;
	size_t size;
} layout[NR_WINDOWS] = {
	{ 0x10000, 4096 },
	{ 0, 1024 },
	{ 0x7fffffff8000, 1024 },
	{ 0xfffffffffffffc00, 1024 },
};

struct owner {
	const struct input *in;
	u8 *memory[NR_WINDOWS]; /* each in an allocation of its own, so that ASan sees its ends */
	u8 *shadow[NR_WINDOWS]; /* what it must hold, as far as we do not write */
	unsigned int accesses, all_accesses;
	bool quiet; /* it changes nothing just now */
};

#define REQUIRE(cond)                                                                        \
	do {                                                                                 \
		if (!(cond)) {                                                               \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                             \
		}                                                                            \
	} while (0)

static unsigned int perm_of(const struct owner *o, unsigned int i)
{
	return o->in->perm >> 2 * i & 3;
}

/* The owner writes to its own memory, mapped or not, whenever it likes. */
static void change(struct owner *o)
{
	const struct change *c;
	size_t at;

	if (o->quiet)
		return;
	for (unsigned int n = 0; n < NR_CHANGES; n++) {
		c = &o->in->changes[n];
		if (c->when != o->accesses)
			continue;
		at = c->at;
		for (unsigned int i = 0; i < NR_WINDOWS; at -= layout[i++].size)
			if (at <= layout[i].size - sizeof(c->value)) {
				memcpy(o->memory[i] + at, &c->value, sizeof(c->value));
				memcpy(o->shadow[i] + at, &c->value, sizeof(c->value));
				break;
			}
	}
	o->accesses++;
	o->all_accesses++;
	if (o->in->flags & FLAG_REWIND && o->accesses > 64)
		o->accesses = 0;
}

static unsigned long copy(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	return 0;
}

static size_t window(void *ctx, u64 addr, bool write, void **bytes)
{
	struct owner *o = ctx;
	size_t at, left, piece = 16u << (o->in->chunk_log % 11);

	change(o);
	for (unsigned int i = 0; i < NR_WINDOWS; i++) {
		at = addr - layout[i].addr;
		if (addr < layout[i].addr || at >= layout[i].size)
			continue;
		if (!(perm_of(o, i) & (write ? WRITE : READ)))
			return 0;
		*bytes = o->memory[i] + at;
		left = piece - at % piece;
		return left < layout[i].size - at ? left : layout[i].size - at;
	}
	return 0;
}

static u64 address(const struct input *in, unsigned int part, unsigned int align)
{
	unsigned int i = in->windows >> 2 * part & 3;

	return (layout[i].addr + in->part[part]) & ~(u64)(align - 1);
}

static unsigned int le16(const u8 *p)
{
	return p[0] | p[1] << 8;
}

/* The rules once more, said in another way than in net.c. */
static void check_forwarded(const struct baton_net *n, const u8 *cmd, size_t len, size_t reply)
{
	REQUIRE(len >= 2 && len <= BATON_COMMAND_MAX);
	REQUIRE(reply >= 1 && reply <= BATON_REPLY_MAX);
	REQUIRE(cmd[0] <= 6);
	if (cmd[0] == 0 && cmd[1] <= 2 && cmd[2])
		REQUIRE(n->may & (cmd[1] == 1 ? BATON_MAY_ALLMULTI : BATON_MAY_PROMISC));
	if (cmd[0] == 1 && cmd[1] == 1) {
		REQUIRE(len == 8 && n->features >> 23 & 1);
		REQUIRE(n->may & BATON_MAY_MAC || !memcmp(cmd + 2, n->mac, 6));
	}
	if (cmd[0] == 1 && cmd[1] == 0) {
		unsigned int uni = le16(cmd + 2), multi = le16(cmd + 6 + 6 * uni);

		REQUIRE(!le16(cmd + 4) && !le16(cmd + 8 + 6 * uni));
		REQUIRE(len == 10 + 6 * (uni + multi));
		for (unsigned int i = 0; i < uni + multi && !(n->may & BATON_MAY_MAC); i++) {
			const u8 *mac = cmd + 6 + 6 * i + (i < uni ? 0 : 4);

			REQUIRE(!memcmp(mac, n->mac, 6) || (i >= uni && mac[0] & 1));
		}
		if (!(n->may & BATON_MAY_PROMISC)) {
			REQUIRE(uni + multi <= 64);
			REQUIRE(uni <= (n->may & BATON_MAY_MAC ? 16 : 1));
		}
	}
	if (cmd[0] == 2)
		REQUIRE((n->may & BATON_MAY_VLAN || !le16(cmd + 2)) && le16(cmd + 2) < 4096);
	if (cmd[0] == 5) {
		for (unsigned int i = 0; i < 8; i++)
			REQUIRE(!(cmd[2 + i] & ~(u8)(n->features >> 8 * i)));
		REQUIRE(!(le16(cmd + 4) | le16(cmd + 6)) && !(cmd[2] & 0x7d));
	}
	if (cmd[0] == 4 && cmd[1] == 0)
		REQUIRE(len == 4 && le16(cmd + 2) >= 1 && le16(cmd + 2) <= n->pairs);
	if (cmd[0] == 4 && cmd[1] == 1) {
		unsigned int entries = le16(cmd + 6) + 1;

		/* Linux sends padding. */
		REQUIRE(len >= 10 + 2 * entries + 3 + cmd[10 + 2 * entries + 2]);
		for (unsigned int i = 0; i <= entries; i++)
			REQUIRE(le16(cmd + 8 + 2 * i) < n->pairs);
	}
}

static void execute(struct baton_net *n, u8 *cmd, size_t len, u8 *reply, size_t *reply_len)
{
	enum baton_command_verdict verdict;
	size_t before_len = len;
	u8 config[13] = { 0 }, restore[16];
	u8 before[6];

	*reply_len = 0;
	verdict = baton_net_command(n, cmd, &len, reply_len);
	REQUIRE(verdict == BATON_COMMAND_TRIMMED ? len < before_len : len == before_len);
	if (verdict != BATON_COMMAND_FORWARD && verdict != BATON_COMMAND_TRIMMED) {
		*reply_len = 1;
		return;
	}
	check_forwarded(n, cmd, len, *reply_len);
	memcpy(before, n->current_mac, 6);
	memset(reply, 0, *reply_len);
	baton_net_command_done(n, cmd, len);
	if (!(n->may & BATON_MAY_MAC))
		REQUIRE(!memcmp(before, n->current_mac, 6) || !memcmp(n->mac, n->current_mac, 6));
	baton_net_config(n, len % 16, config, sizeof(config) - len % 12);
	for (unsigned int nth = 0; nth < 4; nth++)
		REQUIRE(baton_net_restore(n, nth, n->features, restore) <= sizeof(restore));
}

static u16 used_index(struct owner *o, const struct baton_ring *r)
{
	void *there;
	u16 idx;

	o->quiet = true;
	REQUIRE(window(o, r->used + 2, true, &there) >= sizeof(idx));
	o->quiet = false;
	memcpy(&idx, there, sizeof(idx));
	return idx;
}

static void serve(struct owner *o, struct baton_ring *r, struct baton_net *n)
{
	/* An allocation of its own as well, and nothing after it. */
	u8 *buf = malloc(BATON_COMMAND_MAX);
	struct baton_chain c;
	u16 avail, used;
	int got;

	for (unsigned int count = 0; count < 64; count++) {
		u8 reply[BATON_REPLY_MAX] = { 1 };
		size_t reply_len = 1;
		unsigned int start = o->all_accesses;

		avail = r->next_avail;
		used = r->next_used;
		got = baton_ring_get(r, &c, buf, BATON_COMMAND_MAX);
		REQUIRE(got == 1 || got == 0 || got == -EINVAL || got == -EPROTO);
		/* Two indices, and for each descriptor itself and what it points to, in pieces. */
		REQUIRE(o->all_accesses - start <= 2 + BATON_CHAIN_MAX * (3 + 8192 / 16));
		REQUIRE(c.len <= BATON_COMMAND_MAX && c.nr_reply <= BATON_CHAIN_REPLY_MAX);
		REQUIRE(r->next_avail == (u16)(avail + (got == 1 || got == -EINVAL)));
		REQUIRE(r->next_used == used);
		if (got == 0 || got == -EPROTO)
			break;
		if (got == 1)
			execute(n, buf, c.len, reply, &reply_len);
		got = baton_ring_put(r, &c, reply, reply_len);
		if (got) {
			REQUIRE(got == -EPROTO);
			break;
		}
		REQUIRE(r->next_used == (u16)(used + 1));
		REQUIRE(used_index(o, r) == r->next_used);
	}
	baton_ring_rearm(r);
	free(buf);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct owner o = { 0 };
	struct baton_ring r;
	struct baton_net n;
	struct input in;

	if (size < sizeof(in))
		return -1;
	memcpy(&in, data, sizeof(in));
	data += sizeof(in);
	size -= sizeof(in);
	o.in = &in;
	for (unsigned int i = 0; i < NR_WINDOWS; i++) {
		size_t len = size < layout[i].size ? size : layout[i].size;

		o.memory[i] = calloc(1, layout[i].size);
		o.shadow[i] = malloc(layout[i].size);
		memcpy(o.memory[i], data, len);
		memcpy(o.shadow[i], o.memory[i], layout[i].size);
		data += len;
		size -= len;
	}

	/* As baton_queue_unusable() lets them pass. */
	r = (struct baton_ring){ .desc = address(&in, 0, 16),
				 .avail = address(&in, 1, 2),
				 .used = address(&in, 2, 4),
				 .size = 1u << in.size_log % 9,
				 .event_idx = in.flags & FLAG_EVENT_IDX,
				 .next_avail = in.next,
				 .next_used = in.next,
				 .window = window,
				 .read = copy,
				 .ctx = &o };
	n = (struct baton_net){ .mac = { 0x52, 0x54, 0, 0, 0, 1 },
				.has_mac = in.flags & FLAG_HAS_MAC,
				.fixed = in.flags & FLAG_EVENT_IDX,
				.pairs = in.pairs,
				.hw_pairs = 8,
				.mtu = in.pairs,
				.features = in.features,
				.may = in.may & BATON_MAY_ALL };
	memcpy(n.current_mac, n.mac, sizeof(n.mac));
	serve(&o, &r, &n);

	/* What must not be written is as the owner left it. */
	for (unsigned int i = 0; i < NR_WINDOWS; i++) {
		if (!(perm_of(&o, i) & WRITE))
			REQUIRE(!memcmp(o.memory[i], o.shadow[i], layout[i].size));
		free(o.memory[i]);
		free(o.shadow[i]);
	}
	return 0;
}
