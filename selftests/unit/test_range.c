// SPDX-License-Identifier: GPL-2.0-only
/* Checks of mapping requests, against a byte-by-byte oracle on a small scale, and at the edges. */
#include <stdint.h>

#include "../../drivers/vdpa/baton/range.h"
#include "test.h"

#define RO 1
#define RW 3
#define PAGE 4096ull

static const struct baton_range msi_window = { 0xfee00000, 0xfeefffff };

static const struct baton_iova typical = {
	.span = { 0, (1ull << 48) - 1 },
	.granule = PAGE,
	.nr_reserved = 1,
	.reserved = &msi_window,
};

static const struct baton_iova everything = {
	.span = { 0, UINT64_MAX },
	.granule = PAGE,
};

static void typical_requests(void)
{
	static const struct {
		u64 first, size, pa;
		u32 perm;
		enum baton_map_verdict want;
	} table[] = {
		{ 0, PAGE, PAGE, RW, BATON_MAP_OK },
		{ 0, 0xfee00000, 0, RO, BATON_MAP_OK }, /* up to the window */
		{ 0, 0xfee01000, 0, RO, BATON_MAP_RESERVED },
		{ 0xfee00000, PAGE, 0, 2, BATON_MAP_RESERVED },
		{ 0xfeeff000, PAGE, 0, RW, BATON_MAP_RESERVED },
		{ 0xfef00000, PAGE, 0, RW, BATON_MAP_OK },	      /* right behind it */
		{ 0xfe000000, 0x2000000, 0, RW, BATON_MAP_RESERVED }, /* around it */
		{ 0, PAGE, 0, 0, BATON_MAP_PERM },
		{ 0, PAGE, 0, 4, BATON_MAP_PERM },
		{ 0, PAGE, 0, ~0u, BATON_MAP_PERM },
		{ 0, 0, 0, RW, BATON_MAP_SIZE },
		{ 1, PAGE, 0, RW, BATON_MAP_ALIGN },
		{ 0, PAGE + 1, 0, RW, BATON_MAP_ALIGN },
		{ 0, PAGE, 0x800, RW, BATON_MAP_ALIGN },
		{ (1ull << 48) - PAGE, PAGE, 0, RW, BATON_MAP_OK }, /* the last page */
		{ (1ull << 48) - PAGE, 2 * PAGE, 0, RW, BATON_MAP_SPAN },
		{ 1ull << 48, PAGE, 0, RW, BATON_MAP_SPAN },
		{ -PAGE, PAGE, 0, RW, BATON_MAP_SPAN },
		{ -PAGE, 2 * PAGE, 0, RW, BATON_MAP_SIZE }, /* wraps to 0 */
		{ PAGE, -PAGE, 0, RW, BATON_MAP_SPAN },
		{ 2 * PAGE, -PAGE, 0, RW, BATON_MAP_SIZE },
		{ 0, 2 * PAGE, -PAGE, RW, BATON_MAP_SIZE }, /* pa wraps */
		{ 0, UINT64_MAX, 0, RW, BATON_MAP_ALIGN },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		CONTEXT("case %u", i);
		CHECK_EQ(baton_range_check(&typical, table[i].first, table[i].size, table[i].pa,
					   table[i].perm),
			 table[i].want);
	}
}

static void edges_of_64_bits(void)
{
	CHECK_EQ(baton_range_check(&everything, -PAGE, PAGE, -PAGE, RW), BATON_MAP_OK);
	CHECK_EQ(baton_range_check(&everything, PAGE, -PAGE, PAGE, RW), BATON_MAP_OK);
	CHECK_EQ(baton_range_check(&everything, PAGE, -PAGE, 2 * PAGE, RW), BATON_MAP_SIZE);
	CHECK_EQ(baton_range_check(&everything, -PAGE, 2 * PAGE, 0, RW), BATON_MAP_SIZE);
}

#define SMALL 24

static bool in_any(u64 addr, const struct baton_range *r, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (r[i].first <= addr && addr <= r[i].last)
			return true;
	return false;
}

/* What baton_range_check() must say, by looking at each byte. */
static enum baton_map_verdict oracle(const struct baton_iova *iova, u64 first, u64 size)
{
	if (!size)
		return BATON_MAP_SIZE;
	if (first % iova->granule || size % iova->granule)
		return BATON_MAP_ALIGN;
	for (u64 addr = first; addr < first + size; addr++)
		if (!in_any(addr, &iova->span, 1))
			return BATON_MAP_SPAN;
	for (u64 addr = first; addr < first + size; addr++)
		if (in_any(addr, iova->reserved, iova->nr_reserved))
			return BATON_MAP_RESERVED;
	return BATON_MAP_OK;
}

/* Every request within SMALL bytes, for some thousand spans and sets of reserved regions. */
static void every_small_request(void)
{
	struct baton_range reserved[2];
	struct baton_iova iova = { .nr_reserved = 2, .reserved = reserved };
	unsigned int seed = 1;

	for (int round = 0; round < 3000; round++) {
		struct baton_range *r[] = { &iova.span, &reserved[0], &reserved[1] };

		for (unsigned int i = 0; i < ARRAY_SIZE(r); i++) {
			seed = seed * 1103515245 + 12345;
			r[i]->first = (seed >> 16) % SMALL;
			r[i]->last = r[i]->first + (seed >> 24) % (i ? 6 : SMALL);
		}
		iova.granule = 1ull << (round % 3);
		for (u64 first = 0; first < SMALL; first++) {
			for (u64 size = 0; size < SMALL; size++) {
				CONTEXT("round %d, %llu+%llu", round, (unsigned long long)first,
					(unsigned long long)size);
				CHECK_EQ(baton_range_check(&iova, first, size, 0, RO),
					 oracle(&iova, first, size));
			}
		}
	}
}

static void usable_by_hand(void)
{
	static const struct baton_range ends[] = {
		{ 0, 0xfff },
		{ 0x1000, 0x1fff },
		{ 0xf000, UINT64_MAX },
		{ 0x8000, 0x8fff },
	};
	struct baton_iova iova = everything;
	struct baton_range r = baton_range_usable(&typical);

	CHECK_EQ(r.first, 0);
	CHECK_EQ(r.last, (1ull << 48) - 1);

	iova.nr_reserved = ARRAY_SIZE(ends);
	iova.reserved = ends;
	r = baton_range_usable(&iova);
	CHECK_EQ(r.first, 0x2000);
	CHECK_EQ(r.last, 0xefff);

	iova.reserved = &(struct baton_range){ 0, UINT64_MAX };
	iova.nr_reserved = 1;
	r = baton_range_usable(&iova);
	CHECK(r.first > r.last);
}

/* Three regions in any order within SMALL bytes: the range ends where usable bytes end. */
static void usable_exhaustive(void)
{
	struct baton_range reserved[3];
	struct baton_iova iova = {
		.span = { 2, SMALL - 3 }, .granule = 1, .nr_reserved = 3, .reserved = reserved
	};
	unsigned int seed = 7;

	for (int round = 0; round < 20000; round++) {
		u64 first = 1, last = 0;
		struct baton_range r;

		for (int i = 0; i < 3; i++) {
			seed = seed * 1103515245 + 12345;
			reserved[i].first = (seed >> 16) % SMALL;
			reserved[i].last = reserved[i].first + (seed >> 24) % 12;
		}
		for (u64 addr = iova.span.first; addr <= iova.span.last; addr++) {
			if (in_any(addr, reserved, 3))
				continue;
			if (first > last)
				first = addr;
			last = addr;
		}
		r = baton_range_usable(&iova);
		CONTEXT("round %d", round);
		CHECK_EQ(r.first, first);
		CHECK_EQ(r.last, last);
	}
}

static void names(void)
{
	for (int i = 0; i < BATON_NR_MAP_VERDICTS; i++)
		CHECK(baton_range_verdict_name(i) && strlen(baton_range_verdict_name(i)) > 1);
	CHECK(!strcmp(baton_range_verdict_name(BATON_NR_MAP_VERDICTS), "?"));
}

static void touches(void)
{
	static const struct {
		u64 first, size;
		bool want;
	} table[] = {
		{ 0xfee00000, 1, true },	{ 0xfeefffff, 1, true },
		{ 0xfef00000, 1, false },	{ 0xfedff000, PAGE, false },
		{ 0xfedff000, PAGE + 1, true }, { 0, UINT64_MAX, true },
		{ 0xfee00000, 0, false },	{ 0xfef00000, UINT64_MAX, false },
		{ 1, -0xfee00000ull, true },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		CONTEXT("case %u", i);
		CHECK_EQ(baton_range_touches(&msi_window, table[i].first, table[i].size),
			 table[i].want);
	}
}

static const struct test_case cases[] = {
	{ "typical requests", typical_requests },
	{ "the edges of 64 bits", edges_of_64_bits },
	{ "every small request", every_small_request },
	{ "what is advertised", usable_by_hand },
	{ "what is advertised, exhaustively", usable_exhaustive },
	{ "what touches a range", touches },
	{ "verdicts have words", names },
};

RUN(cases)
