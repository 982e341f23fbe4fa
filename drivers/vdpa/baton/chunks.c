// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which chunk of memory is mapped where, in one address space.
 *
 * Chunks never overlap. All functions, those that only look included (they fill a cache), need
 * the caller to serialise them for one address space: in the core &baton.lock does.
 *
 * vhost_vdpa maps and unmaps chunk by chunk, and memory of 4 KiB pages may be
 * one chunk a page, so the cost of a single chunk is what matters. Therefore it
 * is a table of pages, as the IOMMU's own is, and not a tree of chunks: an
 * address space is divided into windows of WINDOW_SIZE. A window that one chunk
 * fills is one word, an xarray value; any other one in which something is
 * mapped is a page of words, one for each page of memory.
 *
 * A word holds a physical address, the permission in the bits below it, and
 * whether the chunk begins or ends there. 0: nothing is mapped.
 */
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "chunks.h"

#define WINDOW_SIZE	((u64)PAGE_SIZE * PAGE_SIZE / sizeof(u64))
#define WINDOW_SHIFT	(PAGE_SHIFT + PAGE_SHIFT - 3)
#define WINDOW_MASK	(WINDOW_SIZE - 1)

#define WORD_PERM	3ULL
#define WORD_FIRST	4ULL
#define WORD_LAST	8ULL
#define WORD_FLAGS	15ULL

/* An xarray value has 63 bits; a physical address with its flags must fit into them. */
static_assert(BITS_PER_XA_VALUE == 63, "no room for an address");

/* The addresses that one word of the table is about: a whole window, or one page. */
struct cell {
	u64 start;
	u64 size;
	u64 word;
};

/**
 * baton_chunks_init() - nothing is mapped yet
 * @c: the address space
 *
 * Context: any.
 */
void baton_chunks_init(struct baton_chunks *c)
{
	xa_init_flags(&c->windows, XA_FLAGS_ACCOUNT);
	c->pages = NULL;
}

/* An xarray value, a list of pages, or NULL: nothing is mapped there. */
static void *chunks_find_window(struct baton_chunks *c, unsigned long window)
{
	void *entry;

	/* Chunks come in ascending order, as a rule: the last window again. */
	if (c->pages && c->window == window)
		return c->pages;
	entry = xa_load(&c->windows, window);
	if (entry && !xa_is_value(entry)) {
		c->pages = entry;
		c->window = window;
	}

	return entry;
}

static unsigned long chunk_page_index(u64 iova)
{
	return (iova & WINDOW_MASK) >> PAGE_SHIFT;
}

/*
 * How many words of a list are in use is kept in page_private() of the page that it is:
 * the list itself fills the page.
 */
static unsigned long window_count_used(const u64 *pages, long more)
{
	struct page *page = virt_to_page(pages);

	set_page_private(page, page_private(page) + more);
	return page_private(page);
}

static u64 *chunks_list_pages(struct baton_chunks *c, unsigned long window)
{
	u64 *pages = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	int err;

	if (!pages)
		return ERR_PTR(-ENOMEM);
	set_page_private(virt_to_page(pages), 0);
	err = xa_err(xa_store(&c->windows, window, pages, GFP_KERNEL_ACCOUNT));
	if (err) {
		free_page((unsigned long)pages);
		return ERR_PTR(err);
	}

	return pages;
}

/* The part of a chunk that lies in one window; @word is about its first page. */
static int window_add_part(struct baton_chunks *c, u64 iova, u64 size, u64 word, bool last)
{
	unsigned long window = iova >> WINDOW_SHIFT, i = chunk_page_index(iova), end;
	void *entry = chunks_find_window(c, window);
	u64 *pages = entry;

	if (size == WINDOW_SIZE) {
		if (entry)
			return -EEXIST;
		word |= last ? WORD_LAST : 0;
		return xa_err(xa_store(&c->windows, window, xa_mk_value(word),
				       GFP_KERNEL_ACCOUNT));
	}

	if (xa_is_value(entry))
		return -EEXIST;
	if (!pages)
		pages = chunks_list_pages(c, window);
	if (IS_ERR(pages))
		return PTR_ERR(pages);

	for (end = i + (size >> PAGE_SHIFT); i < end; i++)
		if (pages[i])
			return -EEXIST;
	for (i = chunk_page_index(iova); i < end; i++) {
		pages[i] = word;
		word = (word & ~WORD_FIRST) + PAGE_SIZE;
	}
	pages[end - 1] |= last ? WORD_LAST : 0;
	window_count_used(pages, size >> PAGE_SHIFT);

	return 0;
}

static void window_del_part(struct baton_chunks *c, u64 iova, u64 size)
{
	unsigned long window = iova >> WINDOW_SHIFT;
	u64 *pages;

	if (size == WINDOW_SIZE) {
		xa_erase(&c->windows, window);
		return;
	}
	pages = chunks_find_window(c, window);
	memset(pages + chunk_page_index(iova), 0, (size >> PAGE_SHIFT) * sizeof(*pages));
	if (!window_count_used(pages, -(long)(size >> PAGE_SHIFT))) {
		c->pages = NULL;
		xa_erase(&c->windows, window);
		set_page_private(virt_to_page(pages), 0);
		free_page((unsigned long)pages);
	}
}

/* How much of [iova, iova + left) lies in the window of its first byte. */
static u64 chunk_part(u64 iova, u64 left)
{
	return min(left, WINDOW_SIZE - (iova & WINDOW_MASK));
}

/**
 * baton_chunks_add() - note that a chunk is mapped
 * @c: the address space
 * @chunk: the chunk; whole pages, and not up to the last byte of the 64-bit address space
 *
 * Context: may sleep; the caller serialises.
 * Return: 0; -EEXIST if something is mapped there, or -ENOMEM: nothing has
 * changed then.
 */
int baton_chunks_add(struct baton_chunks *c, const struct baton_chunk *chunk)
{
	u64 word = chunk->pa | chunk->perm | WORD_FIRST, done, n;
	struct baton_chunk undo = *chunk;
	int err;

	for (done = 0; done < chunk->size; done += n) {
		n = chunk_part(chunk->iova + done, chunk->size - done);
		err = window_add_part(c, chunk->iova + done, n, word, done + n == chunk->size);
		if (err)
			goto err_undo;
		word = (word & ~WORD_FIRST) + n;
	}

	return 0;

err_undo:
	undo.size = done;
	baton_chunks_del(c, &undo);
	return err;
}

/**
 * baton_chunks_del() - note that a chunk is no longer mapped
 * @c: the address space
 * @chunk: the chunk, exactly as it was found by baton_chunks_next()
 *
 * Context: any; the caller serialises.
 */
void baton_chunks_del(struct baton_chunks *c, const struct baton_chunk *chunk)
{
	u64 done, n;

	for (done = 0; done < chunk->size; done += n) {
		n = chunk_part(chunk->iova + done, chunk->size - done);
		window_del_part(c, chunk->iova + done, n);
	}
}

/* False if the whole window is empty. */
static bool chunks_look(struct baton_chunks *c, u64 iova, struct cell *cell)
{
	void *entry = chunks_find_window(c, iova >> WINDOW_SHIFT);

	if (!entry)
		return false;
	if (xa_is_value(entry)) {
		cell->start = iova & ~WINDOW_MASK;
		cell->size = WINDOW_SIZE;
		cell->word = xa_to_value(entry);
	} else {
		cell->start = iova & PAGE_MASK;
		cell->size = PAGE_SIZE;
		cell->word = ((u64 *)entry)[chunk_page_index(iova)];
	}

	return true;
}

/* The first cell from @walk->at on where something is mapped. */
static bool chunks_seek(struct baton_chunks *c, struct baton_walk *walk, struct cell *cell)
{
	unsigned long window;

	while (walk->at <= walk->last) {
		if (chunks_look(c, walk->at, cell)) {
			if (cell->word)
				return true;
			walk->at = cell->start + cell->size;
			/* It has wrapped: that was the last page of the address space. */
			if (!walk->at)
				return false;
			continue;
		}
		window = walk->at >> WINDOW_SHIFT;
		if (!xa_find(&c->windows, &window, walk->last >> WINDOW_SHIFT, XA_PRESENT))
			return false;
		walk->at = (u64)window << WINDOW_SHIFT;
	}

	return false;
}

/**
 * baton_chunks_next() - find the next chunk that lies in a range
 * @c: the address space
 * @walk: the range, from where the last chunk ended
 * @chunk: filled in if there is one
 *
 * Chunks that lie in the range only partly are passed over, and noted in @walk->partly.
 *
 * Context: any; the caller serialises.
 * Return: true if there is one.
 */
bool baton_chunks_next(struct baton_chunks *c, struct baton_walk *walk, struct baton_chunk *chunk)
{
	struct cell first, cell;
	bool whole;

	while (chunks_seek(c, walk, &first)) {
		whole = first.word & WORD_FIRST && first.start == walk->at;
		cell = first;
		while (!(cell.word & WORD_LAST))
			chunks_look(c, cell.start + cell.size, &cell);
		walk->at = cell.start + cell.size;
		if (whole && walk->at - 1 <= walk->last) {
			chunk->iova = first.start;
			chunk->size = walk->at - first.start;
			chunk->pa = first.word & ~WORD_FLAGS;
			chunk->perm = first.word & WORD_PERM;
			return true;
		}
		walk->partly = true;
	}

	return false;
}

/**
 * baton_chunks_find() - what is mapped at an address
 * @c: the address space
 * @iova: the address
 * @pa: filled in with its physical address
 * @perm: filled in with the permission
 *
 * Context: any; the caller serialises.
 * Return: how many bytes from @iova on are mapped, contiguous and with that permission, at
 * least (up to the end of the page, or of the window); 0 if nothing is mapped there.
 */
u64 baton_chunks_find(struct baton_chunks *c, u64 iova, u64 *pa, u32 *perm)
{
	struct cell cell;

	if (!chunks_look(c, iova, &cell) || !cell.word)
		return 0;
	*pa = (cell.word & ~WORD_FLAGS) + (iova - cell.start);
	*perm = cell.word & WORD_PERM;

	return cell.start + cell.size - iova;
}
