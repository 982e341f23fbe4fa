// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proofs on drivers/vdpa/baton/range.c itself: for every request and every set
 * of up to NR_RESERVED reserved regions, the answer is the right one. What is
 * right is said in 128-bit arithmetic, where nothing wraps.
 */
#include "../../drivers/vdpa/baton/range.h"

#ifndef NR_RESERVED
#define NR_RESERVED 3
#endif

typedef unsigned __int128 u128;

static struct baton_range reserved[NR_RESERVED];

u64 nondet_u64(void);
u32 nondet_u32(void);
struct baton_range nondet_range(void);

static bool within(u64 addr, const struct baton_range *r)
{
	return r->first <= addr && addr <= r->last;
}

static bool is_reserved(u64 addr)
{
	for (unsigned int i = 0; i < NR_RESERVED; i++)
		if (within(addr, &reserved[i]))
			return true;
	return false;
}

static struct baton_range any_range(void)
{
	struct baton_range r = nondet_range();

	__CPROVER_assume(r.first <= r.last);
	return r;
}

/* Unused reserved regions repeat used ones: NR_RESERVED stands for "up to". */
static struct baton_iova any_iova(void)
{
	struct baton_iova iova = { .nr_reserved = NR_RESERVED, .reserved = reserved };

	for (unsigned int i = 0; i < NR_RESERVED; i++)
		reserved[i] = any_range();
	iova.span = any_range();
	iova.granule = 1ULL << (nondet_u32() % 64);
	return iova;
}

void check(void)
{
	struct baton_iova iova = any_iova();
	u64 first = nondet_u64(), size = nondet_u64(), pa = nondet_u64(), addr = nondet_u64();
	u32 perm = nondet_u32();
	u128 end = (u128)first + size, pa_end = (u128)pa + size;
	u64 mask = iova.granule - 1;
	bool touched = first <= addr && addr < end;
	bool overlap = false;

	for (unsigned int i = 0; i < NR_RESERVED; i++)
		overlap = overlap || (reserved[i].first < end && first <= reserved[i].last);

	switch (baton_range_check(&iova, first, size, pa, perm)) {
	case BATON_MAP_OK:
		__CPROVER_assert(perm >= 1 && perm <= 3, "ok: read, write or both");
		__CPROVER_assert(size > 0, "ok: not empty");
		__CPROVER_assert(!(end >> 64) || end == (u128)1 << 64, "ok: IOVA does not wrap");
		__CPROVER_assert(!(pa_end >> 64) || pa_end == (u128)1 << 64,
				 "ok: physical address does not wrap");
		__CPROVER_assert(!(first & mask) && !(pa & mask) && !(end & mask),
				 "ok: whole IOMMU pages");
		__CPROVER_assert(!touched || within(addr, &iova.span), "ok: no byte off the span");
		__CPROVER_assert(!touched || !is_reserved(addr), "ok: no reserved byte");
		break;
	case BATON_MAP_PERM:
		__CPROVER_assert(perm == 0 || perm > 3, "perm: rightly refused");
		break;
	case BATON_MAP_SIZE:
		__CPROVER_assert(size == 0 || end > (u128)1 << 64 || pa_end > (u128)1 << 64,
				 "size: rightly refused");
		break;
	case BATON_MAP_ALIGN:
		__CPROVER_assert((first & mask) || (size & mask) || (pa & mask),
				 "align: rightly refused");
		break;
	case BATON_MAP_SPAN:
		__CPROVER_assert(first < iova.span.first || end - 1 > iova.span.last,
				 "span: rightly refused");
		break;
	case BATON_MAP_RESERVED:
		__CPROVER_assert(overlap, "reserved: rightly refused");
		break;
	default:
		__CPROVER_assert(false, "there is no such verdict");
	}
}

void usable(void)
{
	struct baton_iova iova = any_iova();
	struct baton_range r = baton_range_usable(&iova);
	u64 addr = nondet_u64();

	if (r.first > r.last) {
		__CPROVER_assert(!within(addr, &iova.span) || is_reserved(addr),
				 "nothing usable: all is reserved");
		return;
	}
	__CPROVER_assert(within(r.first, &iova.span) && within(r.last, &iova.span),
			 "usable lies within the span");
	__CPROVER_assert(!is_reserved(r.first) && !is_reserved(r.last), "its ends are usable");
	__CPROVER_assert(!within(addr, &iova.span) || within(addr, &r) || is_reserved(addr),
			 "nothing that could be used is left out");
}
