// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring of a user's, as the CPU sees it.
 *
 * Invariant (C14): it is mapped here with the user's own mappings and permissions, and a reference
 * is held on each page as long as it is.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "area.h"
#include "core.h"
#include "space.h"

/**
 * baton_area_init() - describe an area; it is not mapped yet
 * @area: the area
 * @iova: where the function would see it
 * @len: how many bytes
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int baton_area_init(struct baton_area *area, u64 iova, size_t len)
{
	area->iova = iova;
	area->len = len;
	area->nr_pages = PAGE_ALIGN(offset_in_page(iova) + len) / PAGE_SIZE;
	area->pages = kvcalloc(area->nr_pages, sizeof(*area->pages), GFP_KERNEL_ACCOUNT);

	return area->pages ? 0 : -ENOMEM;
}

/**
 * baton_area_uninit() - undo baton_area_init(), and baton_area_map()
 * @area: the area
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_area_uninit(struct baton_area *area)
{
	baton_area_unmap(area);
	kvfree(area->pages);
	memset(area, 0, sizeof(*area));
}

/**
 * baton_area_map() - make an area accessible
 * @b: the function, whose owner's it is
 * @area: the area; nothing happens if it is accessible
 * @write: for writing as well
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -EFAULT if the owner has not mapped all of it, for that; -ENOMEM.
 */
int baton_area_map(struct baton *b, struct baton_area *area, bool write)
{
	u64 first = area->iova & PAGE_MASK;
	int err;

	if (area->map)
		return 0;
	err = baton_space_get(b, b->domain.data_asid, first, write, area->pages, area->nr_pages);
	if (err)
		return err;
	area->map = vmap(area->pages, area->nr_pages, VM_MAP, PAGE_KERNEL);
	if (area->map)
		return 0;
	baton_space_put(area->pages, area->nr_pages);

	return -ENOMEM;
}

/**
 * baton_area_unmap() - undo baton_area_map()
 * @area: the area; nothing happens if it is not accessible
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_area_unmap(struct baton_area *area)
{
	if (!area->map)
		return;
	vunmap(area->map);
	baton_space_put(area->pages, area->nr_pages);
	area->map = NULL;
}

/**
 * baton_area_is_writable() - has the owner mapped all of an area for writing?
 * @b: the function, whose owner's it is
 * @area: the area
 *
 * If not, it must not be written here either, though baton_area_map() makes it writable for the
 * CPU.
 *
 * Context: any; &baton.lock held.
 * Return: true if so.
 */
bool baton_area_is_writable(struct baton *b, const struct baton_area *area)
{
	return baton_space_covers(b, b->domain.data_asid, area->iova, area->len, true);
}

/**
 * baton_area_start() - where an area begins
 * @area: the area, accessible
 *
 * Return: where the CPU sees it.
 */
void *baton_area_start(const struct baton_area *area)
{
	return area->map + offset_in_page(area->iova);
}

/**
 * baton_area_touches() - is an area accessible, and does it use any of these addresses?
 * @area: the area
 * @iova: the first of them
 * @last: the last, itself included
 *
 * Context: &baton.lock held.
 * Return: true if so.
 */
bool baton_area_touches(const struct baton_area *area, u64 iova, u64 last)
{
	return area->map && area->iova <= last && area->iova + (area->len - 1) >= iova;
}
