// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is noted as mapped, against a plain list of chunks: at edges of windows,
 * at random, and when memory runs out.
 */
#include <linux/errno.h>
#include <linux/mm.h>
#include <stdint.h>

#include "../../drivers/vdpa/baton/chunks.h"
#include "test.h"

#define RO 1
#define RW 3
#define WINDOW (512 * PAGE_SIZE)
#define END UINT64_MAX

unsigned int unit_fail_every;
int unit_pages;

static struct baton_chunks space;

/* The list: what should be there. */
static struct baton_chunk list[512];
static unsigned int listed;

static bool same(const struct baton_chunk *a, const struct baton_chunk *b)
{
	return a->iova == b->iova && a->size == b->size && a->pa == b->pa && a->perm == b->perm;
}

static bool overlap(const struct baton_chunk *a, u64 first, u64 last)
{
	return a->iova <= last && a->iova + a->size - 1 >= first;
}

/* The next of the list that begins at or after an address. */
static const struct baton_chunk *list_next(u64 from)
{
	const struct baton_chunk *next = NULL;
	unsigned int i;

	for (i = 0; i < listed; i++)
		if (list[i].iova >= from && (!next || list[i].iova < next->iova))
			next = &list[i];
	return next;
}

/* Walk through a range: just the chunks of the list that lie in it, in order. */
static void check_walk(u64 first, u64 last)
{
	struct baton_walk walk = { .at = first, .last = last };
	const struct baton_chunk *want = list_next(first);
	struct baton_chunk chunk = {};
	bool partly = false;
	unsigned int i;

	for (i = 0; i < listed; i++)
		partly |= overlap(&list[i], first, last) &&
			  (list[i].iova < first || list[i].iova + list[i].size - 1 > last);
	while (baton_chunks_next(&space, &walk, &chunk)) {
		CHECK(want);
		CHECK(same(&chunk, want));
		want = list_next(want->iova + 1);
	}
	CHECK(!want || want->iova + want->size - 1 > last);
	CHECK_EQ(walk.partly, partly);
}

static void check_find(u64 iova)
{
	u64 pa = 0, len;
	u32 perm = 0;
	unsigned int i;

	len = baton_chunks_find(&space, iova, &pa, &perm);
	for (i = 0; i < listed; i++) {
		if (!overlap(&list[i], iova, iova))
			continue;
		CHECK(len > 0 && len <= list[i].iova + list[i].size - iova);
		CHECK_EQ(pa, list[i].pa + (iova - list[i].iova));
		CHECK_EQ(perm, list[i].perm);
		return;
	}
	CHECK_EQ(len, 0);
}

static void add(u64 iova, u64 size, u64 pa, u32 perm, int want)
{
	struct baton_chunk chunk = { .iova = iova, .size = size, .pa = pa, .perm = perm };
	int err = baton_chunks_add(&space, &chunk);

	CHECK_EQ(err, want);
	if (!err)
		list[listed++] = chunk;
}

static void del(unsigned int i)
{
	baton_chunks_del(&space, &list[i]);
	list[i] = list[--listed];
}

static void begin(void)
{
	baton_chunks_init(&space);
	listed = 0;
	unit_fail_every = 0;
}

static void end(void)
{
	while (listed)
		del(0);
	check_walk(0, END);
	CHECK(!space.windows.first);
	CHECK_EQ(unit_pages, 0);
}

static void edges(void)
{
	begin();
	add(WINDOW, WINDOW, 0x100000000, RW, 0); /* just a window */
	add(WINDOW, PAGE_SIZE, 0x5000, RW, -EEXIST);
	add(2 * WINDOW - PAGE_SIZE, PAGE_SIZE, 0x5000, RW, -EEXIST);
	add(0, 2 * WINDOW, 0x5000, RW, -EEXIST);
	add(WINDOW - PAGE_SIZE, PAGE_SIZE, 0x5000, RO, 0); /* the page before */
	add(2 * WINDOW, PAGE_SIZE, 0x6000, RO, 0);	   /* and the one after */
	add(2 * WINDOW, WINDOW, 0x7000, RO, -EEXIST);
	add(4 * WINDOW - PAGE_SIZE, 2 * WINDOW, 0x200000000, RW, 0); /* none begins a window */
	add(0, PAGE_SIZE, 0, RO, 0); /* all zero but the permission */
	add(1ull << 51, 1ull << 30, (1ull << 52) - (1ull << 30), RW, 0); /* far up, both */
	add(END - WINDOW + 1, PAGE_SIZE, 0x8000, RW, 0); /* in the last window of all */
	STOP_IF_FAILED();
	check_walk(0, END);
	check_walk(WINDOW, 2 * WINDOW - 1);
	check_walk(WINDOW + PAGE_SIZE, 2 * WINDOW);
	check_walk(4 * WINDOW, END);
	check_walk(3 * WINDOW, 5 * WINDOW);
	check_walk(1, 1);
	check_walk(END - PAGE_SIZE, END);
	check_find(0);
	check_find(2 * WINDOW - 1);
	check_find(3 * WINDOW);
	check_find(5 * WINDOW);
	check_find((1ull << 51) + 12345);
	STOP_IF_FAILED();
	end();
}

static u64 seed;

static u64 any(u64 below)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (seed >> 33) % below;
}

static void at_random(unsigned int fail_every)
{
	u64 pages, first, last, iova;
	unsigned int round, step, i;
	bool free;
	int err;

	for (round = 0; round < 20; round++) {
		seed = round;
		begin();
		for (step = 0; step < 400; step++) {
			struct baton_chunk chunk;

			CONTEXT("round %u step %u", round, step);
			pages = any(3) ? 1 + any(4) : 1 + any(2000);
			iova = any(3) ? any(6 * 512) * PAGE_SIZE : any(6) * WINDOW;
			free = listed < ARRAY_SIZE(list);
			for (i = 0; i < listed; i++)
				free &= !overlap(&list[i], iova, iova + pages * PAGE_SIZE - 1);
			unit_fail_every = fail_every;
			chunk = (struct baton_chunk){ iova, pages * PAGE_SIZE,
						      any(1 << 20) * PAGE_SIZE, 1 + any(3) };
			err = listed < ARRAY_SIZE(list) ? baton_chunks_add(&space, &chunk)
							: -EEXIST;
			unit_fail_every = 0;
			if (!err)
				list[listed++] = chunk;
			CHECK(err == (free ? 0 : -EEXIST) || (fail_every && err == -ENOMEM));
			if (listed && !any(3))
				del(any(listed));
			first = any(6 * WINDOW);
			last = first + any(3 * WINDOW);
			check_walk(any(2) ? first : first & PAGE_MASK, last | any(2) * 4095);
			check_walk(0, END);
			check_find(first);
			STOP_IF_FAILED();
		}
		end();
		STOP_IF_FAILED();
	}
}

static void randomly(void)
{
	at_random(0);
}

static void without_memory(void)
{
	at_random(3);
}

static const struct test_case cases[] = {
	{ "chunks at the edges of windows", edges },
	{ "chunks at random", randomly },
	{ "chunks at random when memory runs out", without_memory },
};

RUN(cases)
