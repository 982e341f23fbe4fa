/* SPDX-License-Identifier: GPL-2.0-only */
/* Pages, for kernel files that are compiled in user space. */
#ifndef UNIT_LINUX_MM_H
#define UNIT_LINUX_MM_H

#include <assert.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define GFP_KERNEL_ACCOUNT 0

#define min(a, b) ((a) < (b) ? (a) : (b))

/* Every how many allocations does one fail? 0: none. How many pages are in use? */
extern unsigned int unit_fail_every;
extern int unit_pages;

static inline bool unit_no_memory(void)
{
	static unsigned int count;

	return unit_fail_every && ++count % unit_fail_every == 0;
}

static inline void *ERR_PTR(long err)
{
	return (void *)err;
}

static inline long PTR_ERR(const void *ptr)
{
	return (long)ptr;
}

static inline bool IS_ERR(const void *ptr)
{
	return (unsigned long)ptr >= -4095UL;
}

struct page {
	unsigned long private;
};

/* What the kernel has in a table of its own is here in front of each page. */
static inline struct page *virt_to_page(const void *page)
{
	return (struct page *)((char *)page - PAGE_SIZE);
}

#define page_private(page) ((page)->private)
#define set_page_private(page, value) ((page)->private = (value))

static inline unsigned long get_zeroed_page(int gfp)
{
	char *pages;

	if (unit_no_memory())
		return 0;
	pages = aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE);
	memset(pages, 0, 2 * PAGE_SIZE);
	unit_pages++;
	return (unsigned long)pages + PAGE_SIZE;
}

static inline void free_page(unsigned long page)
{
	unit_pages--;
	free((char *)page - PAGE_SIZE);
}

#endif /* UNIT_LINUX_MM_H */
