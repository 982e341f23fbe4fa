// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks of what a user asks to have mapped, before the IOMMU core sees it. That one
 * warns in the log when asked for no permission at all, and maps addresses that are
 * not memory to the hardware, as the MSI window.
 */
#include <linux/types.h>

#include "range.h"

/* Permission bits are those of VHOST_ACCESS_RO and VHOST_ACCESS_WO. */
#define PERM_MASK 3u

/**
 * baton_range_touches() - is any of these addresses in a range?
 * @range: the range
 * @first: the first address
 * @size: how many bytes; what goes beyond 2^64 ends there
 *
 * Return: true if so; nothing touches no range.
 */
bool baton_range_touches(const struct baton_range *range, u64 first, u64 size)
{
	u64 last = first + (size - 1);

	if (!size)
		return false;
	if (last < first)
		last = ~0ULL;

	return first <= range->last && last >= range->first;
}

/**
 * baton_range_check() - may this be mapped?
 * @iova: what the domain has room for
 * @first: the first IO virtual address
 * @size: how many bytes
 * @pa: the first physical address
 * @perm: %VHOST_ACCESS_RO, %VHOST_ACCESS_WO or %VHOST_ACCESS_RW
 *
 * Context: any.
 * Return: %BATON_MAP_OK, or the first thing that is wrong.
 */
enum baton_map_verdict baton_range_check(const struct baton_iova *iova, u64 first, u64 size,
					 u64 pa, u32 perm)
{
	u64 last = first + (size - 1);
	unsigned int i;

	if (!perm || (perm & ~PERM_MASK))
		return BATON_MAP_PERM;
	if (!size || last < first || pa + (size - 1) < pa)
		return BATON_MAP_SIZE;
	if ((first | size | pa) & (iova->granule - 1))
		return BATON_MAP_ALIGN;
	if (first < iova->span.first || last > iova->span.last)
		return BATON_MAP_SPAN;
	for (i = 0; i < iova->nr_reserved; i++)
		if (baton_range_touches(&iova->reserved[i], first, size))
			return BATON_MAP_RESERVED;

	return BATON_MAP_OK;
}

/**
 * baton_range_verdict_name() - a verdict in words
 * @verdict: which
 *
 * Context: any.
 * Return: a constant string that completes "refused to map ...: ".
 */
const char *baton_range_verdict_name(enum baton_map_verdict verdict)
{
	static const char *const names[BATON_NR_MAP_VERDICTS] = {
		[BATON_MAP_OK]		= "allowed",
		[BATON_MAP_PERM]	= "permission must be read (1), write (2) or both (3)",
		[BATON_MAP_SIZE]	= "empty, or wraps around",
		[BATON_MAP_ALIGN]	= "not aligned to the IOMMU's page size",
		[BATON_MAP_SPAN]	= "outside of the usable IOVA range",
		[BATON_MAP_RESERVED]	= "touches a reserved region of the IOMMU group",
	};

	return verdict < BATON_NR_MAP_VERDICTS ? names[verdict] : "?";
}

/**
 * baton_range_usable() - the range to advertise
 * @iova: what the domain has room for
 *
 * It is the span without the reserved ranges at its ends. Those in its middle it cannot
 * show: a request that touches one is refused by baton_range_check().
 *
 * Context: any.
 * Return: the range; its @first is above its @last if nothing is left.
 */
struct baton_range baton_range_usable(const struct baton_iova *iova)
{
	struct baton_range usable = iova->span;
	bool trimmed = true;
	unsigned int i;

	while (trimmed && usable.first <= usable.last) {
		trimmed = false;
		for (i = 0; i < iova->nr_reserved; i++) {
			const struct baton_range *r = &iova->reserved[i];

			if (r->last < usable.first || r->first > usable.last)
				continue;
			if (r->first <= usable.first && r->last >= usable.last)
				return (struct baton_range) { .first = 1, .last = 0 };
			if (r->first <= usable.first) {
				usable.first = r->last + 1;
				trimmed = true;
			} else if (r->last >= usable.last) {
				usable.last = r->first - 1;
				trimmed = true;
			}
		}
	}

	return usable;
}
