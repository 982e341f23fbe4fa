/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which IO virtual addresses a user may map: functions of their arguments alone, callable in any
 * context. Pure C, as owner.h is.
 */
#ifndef BATON_RANGE_H
#define BATON_RANGE_H

#include <linux/types.h>

/**
 * struct baton_range - some IO virtual addresses
 * @first: the first
 * @last: the last, itself included
 */
struct baton_range {
	u64 first;
	u64 last;
};

/**
 * struct baton_iova - what a user's domain has room for
 * @span: everything that the IOMMU and the function can address
 * @granule: the smallest page of the IOMMU, a power of two
 * @nr_reserved: how many entries @reserved has
 * @reserved: ranges that are not the user's: control window, MSI window, firmware regions
 */
struct baton_iova {
	struct baton_range span;
	u64 granule;
	unsigned int nr_reserved;
	const struct baton_range *reserved;
};

/**
 * enum baton_map_verdict - what is wrong with a request to map
 * @BATON_MAP_OK: nothing
 * @BATON_MAP_PERM: it asks for no access, or for one that does not exist
 * @BATON_MAP_SIZE: it is empty, or goes beyond 2^64
 * @BATON_MAP_ALIGN: an end of it lies within a page of the IOMMU
 * @BATON_MAP_SPAN: it leaves the span
 * @BATON_MAP_RESERVED: it touches a reserved range
 * @BATON_NR_MAP_VERDICTS: how many there are
 */
enum baton_map_verdict {
	BATON_MAP_OK,
	BATON_MAP_PERM,
	BATON_MAP_SIZE,
	BATON_MAP_ALIGN,
	BATON_MAP_SPAN,
	BATON_MAP_RESERVED,
	BATON_NR_MAP_VERDICTS
};

bool baton_range_touches(const struct baton_range *range, u64 first, u64 size);
enum baton_map_verdict baton_range_check(const struct baton_iova *iova, u64 first, u64 size,
					 u64 pa, u32 perm);
const char *baton_range_verdict_name(enum baton_map_verdict verdict);
struct baton_range baton_range_usable(const struct baton_iova *iova);

#endif /* BATON_RANGE_H */
