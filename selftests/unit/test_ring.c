// SPDX-License-Identifier: GPL-2.0-only
/* The reader of other people's rings: what it takes, what it answers, what it gives up on. */
#include <errno.h>
#include <linux/virtio_ring.h>

#include "../../drivers/vdpa/baton/ring.h"
#include "test.h"

#define BASE 0x100000ull
#define DESC BASE
#define AVAIL (BASE + 0x1000)
#define USED (BASE + 0x2000)
#define TABLE (BASE + 0x3000) /* for an indirect one */
#define DATA (BASE + 0x4000)
#define CODE (BASE + 0x5000) /* can only be read */
#define SINK (BASE + 0x6000) /* can only be written */
#define END (BASE + 0x7000)
#define TOP 0xfffffffffffff000ull /* one page at the end of the address space */
#define SIZE 16
#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT
#define BUF 600

static u8 memory[END - BASE] __attribute__((aligned(4096)));
static u8 top[0x1000] __attribute__((aligned(4096)));
static bool no_used; /* the used ring is not mapped any more */

static u8 *at(u64 addr)
{
	return addr >= TOP ? top + (addr - TOP) : memory + (addr - BASE);
}

/* Windows of 256 bytes: whatever is longer crosses some. */
static size_t window(void *ctx, u64 addr, bool write, void **bytes)
{
	u64 page = addr & ~0xfffull;

	if (addr < TOP && (addr < BASE || addr >= END))
		return 0;
	if (page == (write ? CODE : SINK) || (no_used && page == USED))
		return 0;
	*bytes = at(addr);
	return 256 - (addr & 255);
}

static void put(u64 addr, u64 value, int width)
{
	for (; width--; value >>= 8)
		*at(addr++) = value;
}

static u64 get(u64 addr, int width)
{
	u64 value = 0;

	while (width--)
		value = value << 8 | *at(addr + width);
	return value;
}

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

static void write_table(u64 table, const struct desc *d, int nr)
{
	for (; nr--; d++, table += 16) {
		put(table, d->addr, 8);
		put(table + 8, d->len, 4);
		put(table + 12, d->flags, 2);
		put(table + 14, d->next, 2);
	}
}

/* Memory that has gone bad, as far as the CPU notices. */
static const char *bad;

static unsigned long copy(void *to, const void *from, size_t len)
{
	if (bad >= (const char *)from && bad < (const char *)from + len)
		return len;
	memcpy(to, from, len);
	return 0;
}

static struct baton_ring fresh(void)
{
	bad = NULL;
	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = i >= DATA - BASE ? i * 7 : 0;
	memset(top, 0x11, sizeof(top));
	no_used = false;
	return (struct baton_ring){ .desc = DESC,
				    .avail = AVAIL,
				    .used = USED,
				    .size = SIZE,
				    .window = window,
				    .read = copy };
}

/* Announce the chain that begins with descriptor @head. */
static void offer(u16 head, u16 idx)
{
	put(AVAIL + 4 + 2 * (idx % SIZE), head, 2);
	put(AVAIL + 2, idx + 1, 2);
}

static const struct chain_case {
	const char *name;
	int got;
	unsigned int len, nr_reply;
	struct desc d[SIZE];
	struct desc indirect[10];
} chains[] = {
	{ "one part and an answer", 1, 5, 1, { { DATA, 5, NEXT, 1 }, { DATA, 1, WRITE } } },
	{ "parts that cross windows",
	  1,
	  590,
	  2,
	  { { DATA + 1, 500, NEXT, 3 },
	    { DATA, 1, NEXT | WRITE, 2 },
	    { DATA, 9, WRITE },
	    { CODE + 250, 90, NEXT, 1 } } },
	{ "a part of no length", 1, 3, 0, { { 0, 0, NEXT, 1 }, { DATA, 3 } } },
	{ "as long as the buffer", 1, BUF, 1, { { DATA, BUF, NEXT, 1 }, { DATA, 1, WRITE } } },
	{ "longer than the buffer",
	  -EINVAL,
	  0,
	  1,
	  { { DATA, BUF + 1, NEXT, 1 }, { DATA, 1, WRITE } } },
	{ "longer in two parts",
	  -EINVAL,
	  BUF,
	  1,
	  { { DATA, BUF, NEXT, 2 }, { DATA, 1, WRITE }, { DATA, 1, NEXT, 1 } } },
	{ "4 GiB", -EINVAL, 0, 1, { { DATA, 0xffffffff, NEXT, 1 }, { DATA, 1, WRITE } } },
	{ "4 GiB after something", -EINVAL, 2, 0, { { DATA, 2, NEXT, 1 }, { DATA, 0xfffffffe } } },
	{ "not mapped", -EINVAL, 0, 1, { { END, 1, NEXT, 1 }, { DATA, 1, WRITE } } },
	{ "runs off the map", -EINVAL, 0, 0, { { BASE - 1, 2 } } },
	{ "address 0", -EINVAL, 0, 0, { { 0, 2 } } },
	{ "must not be read", -EINVAL, 0, 0, { { SINK, 2 } } },
	{ "runs into what must not be read", -EINVAL, 0, 0, { { SINK - 2, 4 } } },
	{ "up to the end of the address space", 1, 16, 0, { { TOP + 0xff0, 16 } } },
	{ "beyond it", -EINVAL, 0, 0, { { TOP + 0xff0, 17 } } },
	{ "request after answer",
	  -EINVAL,
	  0,
	  1,
	  { { DATA, 1, NEXT | WRITE, 1 }, { DATA, 1, NEXT, 2 }, { DATA, 1 } } },
	{ "a loop of one", -EINVAL, 32, 0, { { DATA, 1, NEXT, 0 } } },
	{ "a loop of two", -EINVAL, 64, 0, { { DATA, 1, NEXT, 1 }, { DATA, 3, NEXT, 0 } } },
	{ "a loop of answers", -EINVAL, 0, 8, { { DATA, 1, NEXT | WRITE, 0 } } },
	{ "next beyond the table", -EINVAL, 1, 0, { { DATA, 1, NEXT, SIZE } } },
	{ "indirect",
	  1,
	  6,
	  1,
	  { { TABLE, 48, INDIRECT } },
	  { { DATA, 4, NEXT, 2 }, { DATA, 1, WRITE }, { DATA, 2, NEXT, 1 } } },
	{ "indirect after direct",
	  1,
	  5,
	  0,
	  { { DATA, 1, NEXT, 1 }, { TABLE, 16, INDIRECT } },
	  { { DATA, 4 } } },
	{ "indirect in indirect",
	  -EINVAL,
	  0,
	  0,
	  { { TABLE, 32, INDIRECT } },
	  { { TABLE, 32, INDIRECT }, { DATA, 1 } } },
	{ "indirect goes on",
	  -EINVAL,
	  0,
	  0,
	  { { TABLE, 16, INDIRECT | NEXT, 1 } },
	  { { DATA, 1 } } },
	{ "indirect, empty", -EINVAL, 0, 0, { { TABLE, 0, INDIRECT } } },
	{ "indirect, half an entry", -EINVAL, 0, 0, { { TABLE, 24, INDIRECT } } },
	{ "indirect, not mapped", -EINVAL, 0, 0, { { END, 16, INDIRECT } } },
	{ "indirect, loop", -EINVAL, 31, 0, { { TABLE, 16, INDIRECT } }, { { DATA, 1, NEXT, 0 } } },
	{ "indirect, next beyond the table",
	  -EINVAL,
	  1,
	  0,
	  { { TABLE, 16, INDIRECT } },
	  { { DATA, 1, NEXT, 1 } } },
	{ "indirect, 4 GiB, next beyond the map",
	  -EINVAL,
	  1,
	  0,
	  { { TABLE, 0xfffffff0, INDIRECT } },
	  { { DATA, 1, NEXT, 0xffff } } },
	{ "indirect, wraps around to address 0", -EINVAL, 0, 0, { { TOP + 0xff8, 32, INDIRECT } } },
};

static void every_chain(void)
{
	struct baton_chain c;
	u8 buf[BUF];

	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		const struct chain_case *t = &chains[i];
		struct baton_ring r = fresh();

		CONTEXT("%s", t->name);
		write_table(DESC, t->d, SIZE);
		write_table(TABLE, t->indirect, ARRAY_SIZE(t->indirect));
		offer(0, 0);
		CHECK_EQ(baton_ring_get(&r, &c, buf, BUF), t->got);
		CHECK_EQ(c.len, t->len);
		CHECK_EQ(c.nr_reply, t->nr_reply);
		/* Good or bad, it has been taken, and is answered. */
		CHECK_EQ(r.next_avail, 1);
		CHECK_EQ(baton_ring_put(&r, &c, "", 1), 0);
		CHECK_EQ(get(USED + 2, 2), 1);
		CHECK_EQ(get(USED + 4, 4), 0);
		CHECK_EQ(get(USED + 8, 4), !!t->nr_reply);
		CHECK_EQ(baton_ring_get(&r, &c, buf, BUF), 0);
	}
}

static void content(void)
{
	const struct desc d[] = { { DATA + 1, 300, NEXT, 1 }, { CODE, 20 } };
	struct baton_ring r = fresh();
	struct baton_chain c;
	u8 buf[BUF];

	write_table(DESC, d, 2);
	offer(0, 0);
	CHECK_EQ(baton_ring_get(&r, &c, buf, BUF), 1);
	CHECK(!memcmp(buf, at(DATA + 1), 300));
	CHECK(!memcmp(buf + 300, at(CODE), 20));
}

static const struct index_case {
	const char *name;
	u64 avail, used;
	u16 start, idx, head;
	int got, answered;
} indices[] = {
	{ "nothing there", AVAIL, USED, 0, 0, 0, 0 },
	{ "nothing there, late", AVAIL, USED, 0xffff, 0xffff, 0, 0 },
	{ "one", AVAIL, USED, 0, 1, 0, 1 },
	{ "the index wraps", AVAIL, USED, 0xffff, 0, 0, 1 },
	{ "a full ring", AVAIL, USED, 7, 7 + SIZE, 0, 1 },
	{ "index jumps ahead", AVAIL, USED, 7, 8 + SIZE, 0, -EPROTO },
	{ "index goes back", AVAIL, USED, 7, 6, 0, -EPROTO },
	{ "the last descriptor", AVAIL, USED, 0, 1, SIZE - 1, 1 },
	{ "no such descriptor", AVAIL, USED, 0, 1, SIZE, -EPROTO },
	{ "available ring at 0", 0, USED, 0, 1, 0, -EPROTO },
	{ "available ring not mapped", END, USED, 0, 1, 0, -EPROTO },
	{ "its entry not mapped", SINK - 4, USED, 0, 1, 0, -EPROTO },
	{ "available ring must not be read", SINK, USED, 0, 1, 0, -EPROTO },
	{ "used ring at 0", AVAIL, 0, 0, 1, 0, 1, -EPROTO },
	{ "used ring must not be written", AVAIL, CODE, 0, 1, 0, 1, -EPROTO },
	{ "used ring wraps around", AVAIL, TOP + 0xffc, 0, 1, 0, 1, -EPROTO },
};

static void every_index(void)
{
	const struct desc d = { DATA, 3 };
	struct baton_chain c;
	u8 buf[BUF];

	for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
		const struct index_case *t = &indices[i];
		struct baton_ring r = fresh();

		CONTEXT("%s", t->name);
		for (int n = 0; n < SIZE; n++) {
			write_table(DESC + 16 * n, &d, 1);
			put(AVAIL + 4 + 2 * n, t->head, 2);
		}
		put(AVAIL + 2, t->idx, 2);
		put(SINK - 2, t->idx, 2);
		r.avail = t->avail;
		r.used = t->used;
		r.next_avail = t->start;
		r.next_used = t->start;
		CHECK_EQ(baton_ring_get(&r, &c, buf, BUF), t->got);
		CHECK_EQ(r.next_avail, (u16)(t->start + (t->got == 1)));
		if (t->got == 1)
			CHECK_EQ(baton_ring_put(&r, &c, "", 1), t->answered);
	}
}

/* A request, or its descriptor, in memory that has gone bad: an answer for the owner. */
static void bad_memory(void)
{
	const struct desc d[] = { { DATA, 3, NEXT, 1 }, { DATA + 64, 8, WRITE } };
	struct baton_chain c;
	u8 buf[BUF];

	for (int where = 0; where < 2; where++) {
		struct baton_ring r = fresh();

		CONTEXT("%s", where ? "the descriptor" : "the request");
		write_table(DESC, d, 2);
		offer(0, 0);
		bad = (const char *)at(where ? DESC + 5 : DATA + 2);
		CHECK_EQ(baton_ring_get(&r, &c, buf, sizeof(buf)), -EINVAL);
		CHECK_EQ(c.nr_reply, where ? 0 : 1);
		CHECK_EQ(baton_ring_put(&r, &c, "\1", 1), 0);
		CHECK_EQ(get(USED + 2, 2), 1);
	}
}

static void answers(void)
{
	static const struct {
		const char *name;
		struct desc d[4];
		unsigned int len, written;
		int err;
	} table[] = {
		{ "fits", { { SINK + 100, 9, WRITE } }, 9, 9 },
		{ "has room to spare", { { SINK + 100, 0xffffffff, WRITE } }, 9, 9 },
		{ "is cut", { { SINK + 100, 4, WRITE } }, 9, 4 },
		{ "nowhere", { { DATA, 1 } }, 9, 0 },
		{ "in two parts",
		  { { SINK + 100, 4, NEXT | WRITE, 1 }, { SINK + 104, 100, WRITE } },
		  9,
		  9 },
		{ "crosses windows", { { SINK + 250, 9, WRITE } }, 9, 9 },
		{ "not mapped", { { END, 9, WRITE } }, 9, 0, -EPROTO },
		{ "must not be written", { { CODE, 9, WRITE } }, 9, 0, -EPROTO },
		{ "runs off the map", { { END - 4, 9, WRITE } }, 9, 0, -EPROTO },
	};
	const u8 reply[] = "abcdefghi";
	struct baton_chain c;
	u8 buf[BUF];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct baton_ring r = fresh();

		CONTEXT("%s", table[i].name);
		write_table(DESC, table[i].d, 4);
		r.next_avail = r.next_used = 20;
		offer(0, 20);
		CHECK_EQ(baton_ring_get(&r, &c, buf, BUF), 1);
		CHECK_EQ(baton_ring_put(&r, &c, reply, table[i].len), table[i].err);
		CHECK_EQ(r.next_used, table[i].err ? 20 : 21);
		if (table[i].err)
			continue;
		CHECK_EQ(get(USED + 2, 2), 21);
		CHECK_EQ(get(USED + 4 + 8 * (20 % SIZE) + 4, 4), table[i].written);
		if (table[i].written)
			CHECK(!memcmp(at(table[i].d[0].addr), reply, table[i].written));
	}
}

static void many(void)
{
	const struct desc d[] = { { DATA, 2, NEXT, 1 }, { DATA, 1, WRITE } };
	struct baton_ring r = fresh();
	struct baton_chain c;
	u8 buf[BUF];

	write_table(DESC, d, 2);
	for (int i = 0; i < 70000; i++) {
		offer(0, i);
		CONTEXT("request %d", i);
		CHECK_EQ(baton_ring_get(&r, &c, buf, BUF), 1);
		CHECK_EQ(baton_ring_put(&r, &c, "", 1), 0);
		CHECK_EQ(get(USED + 2, 2), (u16)(i + 1));
		CHECK_EQ(baton_ring_get(&r, &c, buf, BUF), 0);
	}
}

static void rearms(void)
{
	struct baton_ring r = fresh();
	const u64 event = USED + 4 + 8 * SIZE;

	r.next_avail = 0x1234;
	CHECK_EQ(baton_ring_rearm(&r), 0);
	CHECK_EQ(get(event, 2), 0);
	r.event_idx = true;
	CHECK_EQ(baton_ring_rearm(&r), 0);
	CHECK_EQ(get(event, 2), 0x1234);
	no_used = true;
	CHECK_EQ(baton_ring_rearm(&r), -EPROTO);
}

static const struct test_case cases[] = {
	{ "every kind of chain", every_chain },
	{ "what is copied", content },
	{ "every kind of index, and rings that are not there", every_index },
	{ "memory that has gone bad", bad_memory },
	{ "answers", answers },
	{ "more requests than an index can count", many },
	{ "notifications are asked for", rearms },
};

RUN(cases)
