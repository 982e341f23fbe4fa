/* SPDX-License-Identifier: GPL-2.0-only */
/* As much of an xarray as kernel files need in user space: a sorted list. */
#ifndef UNIT_LINUX_XARRAY_H
#define UNIT_LINUX_XARRAY_H

#include <errno.h>
#include <linux/mm.h>
#include <stdlib.h>

#define XA_FLAGS_ACCOUNT 0
#define XA_PRESENT 0
#define BITS_PER_XA_VALUE 63

struct xa_item {
	unsigned long index;
	void *entry;
	struct xa_item *next;
};

struct xarray {
	struct xa_item *first;
};

static inline void xa_init_flags(struct xarray *xa, int flags)
{
	xa->first = NULL;
}

static inline void *xa_mk_value(unsigned long value)
{
	return (void *)(value << 1 | 1);
}

static inline unsigned long xa_to_value(const void *entry)
{
	return (unsigned long)entry >> 1;
}

static inline bool xa_is_value(const void *entry)
{
	return (unsigned long)entry & 1;
}

static inline int xa_err(const void *entry)
{
	return IS_ERR(entry) ? (int)PTR_ERR(entry) : 0;
}

static inline struct xa_item **xa_place(struct xarray *xa, unsigned long index)
{
	struct xa_item **at = &xa->first;

	while (*at && (*at)->index < index)
		at = &(*at)->next;
	return at;
}

static inline void *xa_load(struct xarray *xa, unsigned long index)
{
	struct xa_item *item = *xa_place(xa, index);

	return item && item->index == index ? item->entry : NULL;
}

static inline void *xa_store(struct xarray *xa, unsigned long index, void *entry, int gfp)
{
	struct xa_item **at = xa_place(xa, index), *item = *at;

	if (item && item->index == index) {
		item->entry = entry;
		return NULL;
	}
	if (unit_no_memory())
		return ERR_PTR(-ENOMEM);
	item = malloc(sizeof(*item));
	*item = (struct xa_item){ .index = index, .entry = entry, .next = *at };
	*at = item;
	return NULL;
}

static inline void *xa_erase(struct xarray *xa, unsigned long index)
{
	struct xa_item **at = xa_place(xa, index), *item = *at;

	if (item && item->index == index) {
		*at = item->next;
		free(item);
	}
	return NULL;
}

static inline void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max, int filter)
{
	const struct xa_item *item = *xa_place(xa, *index);

	if (!item || item->index > max)
		return NULL;
	*index = item->index;
	return item->entry;
}

#endif /* UNIT_LINUX_XARRAY_H */
