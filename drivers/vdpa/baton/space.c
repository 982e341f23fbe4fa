// SPDX-License-Identifier: GPL-2.0-only
/*
 * The address spaces of a user: what it mapped, and which of it the function
 * can reach.
 *
 * Invariant (C4): each mapping holds references of its own on its pages, from before
 * iommu_map() until after iommu_unmap() and the IOTLB flush, since vhost_vdpa drops its
 * reference on a page before it has the page unmapped. &baton.lock guards mappings
 * against the user, who maps and unmaps them, and whoever reads or attaches them.
 *
 * An address space is a number that vhost_vdpa uses. The function sees the one
 * that the data queues are in: its mappings are in the user's domain. Another
 * one may hold the control queue, which only the CPU reads: its mappings are in
 * &baton_domain.maps, and in no domain.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <uapi/linux/vhost_types.h>

#include "core.h"
#include "space.h"
#include "trace.h"

/* One atomic operation for each folio, not for each page. */
static void space_ref_pages(u64 pa, u64 size, bool get)
{
	unsigned long pfn = PHYS_PFN(pa);
	unsigned long left = size >> PAGE_SHIFT;

	while (left) {
		struct page *page = pfn_to_page(pfn);
		struct folio *folio = page_folio(page);
		unsigned long n = folio_nr_pages(folio) - folio_page_idx(folio, page);

		n = min(n, left);
		if (get)
			folio_ref_add(folio, n);
		else
			folio_put_refs(folio, n);
		pfn += n;
		left -= n;
	}
}

static int space_map_chunk(struct baton *b, const struct baton_chunk *chunk)
{
	int prot = (chunk->perm & VHOST_ACCESS_RO ? IOMMU_READ : 0) |
		   (chunk->perm & VHOST_ACCESS_WO ? IOMMU_WRITE : 0) | IOMMU_CACHE;

	return iommu_map(b->domain.user, chunk->iova, chunk->pa, chunk->size, prot,
			 GFP_KERNEL_ACCOUNT);
}

/**
 * baton_space_init() - nothing is mapped yet
 * @b: the function
 *
 * Context: any; from probe; nobody else knows of @b yet.
 */
void baton_space_init(struct baton *b)
{
	unsigned int i;

	/* No limit of ours: vhost_vdpa has one (max_iotlb_entries). */
	for (i = 0; i < BATON_NR_AS; i++)
		baton_chunks_init(&b->domain.maps[i]);
}

/**
 * baton_space_map() - map a chunk of a user's memory
 * @b: the function
 * @asid: in which address space
 * @iova: the first IO virtual address
 * @size: how many bytes
 * @pa: physical address of the first; all are contiguous
 * @perm: %VHOST_ACCESS_RO, %VHOST_ACCESS_WO or %VHOST_ACCESS_RW
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -EPERM if there is no user's domain, or no such address space; -EINVAL if
 * baton_range_check() refuses; -EEXIST if something is mapped there; -ENOMEM; or the errno
 * of iommu_map(). Nothing has been mapped then.
 */
int baton_space_map(struct baton *b, unsigned int asid, u64 iova, u64 size, u64 pa, u32 perm)
{
	struct baton_chunk chunk = { .iova = iova, .size = size, .pa = pa, .perm = perm };
	struct baton_domain *dom = &b->domain;
	enum baton_map_verdict verdict;
	int err;

	if (!dom->user || asid >= BATON_NR_AS)
		return -EPERM;

	verdict = baton_range_check(&dom->iova, iova, size, pa, perm);
	if (verdict != BATON_MAP_OK) {
		baton_report_refusal(b,
				     "refused to map %#llx bytes at IOVA %#llx, permission %u: %s",
				     size, iova, perm, baton_range_verdict_name(verdict));
		return -EINVAL;
	}

	err = baton_chunks_add(&dom->maps[asid], &chunk);
	if (err)
		return err;
	space_ref_pages(pa, size, true);
	if (asid == dom->data_asid)
		err = space_map_chunk(b, &chunk);
	if (err)
		goto err_ref;

	WRITE_ONCE(dom->mapped, dom->mapped + size);
	trace_baton_map(b->fn->dev, iova, size, pa, perm, 0);
	return 0;

err_ref:
	space_ref_pages(pa, size, false);
	baton_chunks_del(&dom->maps[asid], &chunk);
	trace_baton_map(b->fn->dev, iova, size, pa, perm, err);
	baton_report_refusal(b, "cannot map %#llx bytes at IOVA %#llx: %pe", size, iova,
			     ERR_PTR(err));
	return err;
}

/*
 * With @err the function may still reach the chunk: its pages are then not let go of, ever, lest
 * they become anybody else's.
 */
static void space_drop_chunk(struct baton *b, struct baton_chunks *maps,
			     const struct baton_chunk *chunk, int err)
{
	trace_baton_unmap(b->fn->dev, chunk->iova, chunk->size, chunk->pa, chunk->perm, err);
	WRITE_ONCE(b->domain.mapped, b->domain.mapped - chunk->size);
	if (!err)
		space_ref_pages(chunk->pa, chunk->size, false);
	baton_chunks_del(maps, chunk);
}

/**
 * baton_space_unmap() - unmap all chunks that lie in a range
 * @b: the function
 * @asid: of which address space
 * @iova: the first IO virtual address
 * @last: the last, itself included
 *
 * Order: all chunks are unmapped, the IOTLB is flushed once, and only then pages are let
 * go of. Chunks are unmapped as they were mapped: one that only partly lies in the range
 * stays.
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -EINVAL if a chunk lies in the range only partly; -EIO if the
 * IOMMU did not unmap all: the pages are not let go of then.
 */
int baton_space_unmap(struct baton *b, unsigned int asid, u64 iova, u64 last)
{
	struct baton_walk walk = { .at = iova, .last = last };
	bool seen = asid == b->domain.data_asid;
	struct iommu_iotlb_gather gather;
	struct baton_chunk chunk = {};
	struct baton_chunks *maps;
	unsigned int chunks = 0;
	int err = 0;

	if (!b->domain.user || asid >= BATON_NR_AS)
		return 0;
	maps = &b->domain.maps[asid];

	iommu_iotlb_gather_init(&gather);
	while (baton_chunks_next(maps, &walk, &chunk)) {
		chunks++;
		if (seen && iommu_unmap_fast(b->domain.user, chunk.iova, chunk.size, &gather) !=
		    chunk.size)
			err = -EIO;
	}
	if (seen)
		iommu_iotlb_sync(b->domain.user, &gather);
	WARN_ON_ONCE(err);

	/* The common case, since vhost_vdpa unmaps chunk by chunk: @chunk is the one. */
	if (chunks == 1) {
		space_drop_chunk(b, maps, &chunk, err);
	} else if (chunks) {
		walk.at = iova;
		while (baton_chunks_next(maps, &walk, &chunk))
			space_drop_chunk(b, maps, &chunk, err);
	}

	return err ?: walk.partly ? -EINVAL : 0;
}

/**
 * baton_space_show() - choose the address space that the function sees
 * @b: the function; nobody owns it
 * @asid: which
 *
 * A new user's domain is filled first and replaces the old one only then, so that a failure
 * leaves the old one as it was.
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -EINVAL if there is no such address space; -EBUSY if the user's domain is attached;
 * or a negative errno of the IOMMU core: the function sees what it saw before.
 */
int baton_space_show(struct baton *b, unsigned int asid)
{
	struct baton_domain *dom = &b->domain;
	struct iommu_domain *old = dom->user;
	struct baton_walk walk = { .last = U64_MAX };
	struct baton_chunk chunk;
	int err = 0;

	if (asid >= BATON_NR_AS)
		return -EINVAL;
	if (asid == dom->data_asid)
		return 0;
	if (!old) {
		dom->data_asid = asid;
		return 0;
	}
	if (dom->attached == old)
		return -EBUSY;

	dom->user = baton_domain_user_alloc(b);
	if (IS_ERR(dom->user)) {
		err = PTR_ERR(dom->user);
		dom->user = old;
		return err;
	}
	while (!err && baton_chunks_next(&dom->maps[asid], &walk, &chunk))
		err = space_map_chunk(b, &chunk);
	if (err) {
		iommu_domain_free(dom->user);
		dom->user = old;
		return err;
	}
	iommu_domain_free(old);
	dom->data_asid = asid;

	return 0;
}

/**
 * baton_space_window() - where the CPU finds what a user mapped
 * @b: the function
 * @asid: in which address space
 * @addr: IO virtual address
 * @write: to write there, not to read
 * @bytes: filled in with the CPU's address
 *
 * The address is valid until &baton.lock is released: only then can the user unmap it.
 *
 * Context: any; &baton.lock held.
 * Return: how many bytes are there, 0 if nothing is mapped with that permission.
 */
size_t baton_space_window(struct baton *b, unsigned int asid, u64 addr, bool write, void **bytes)
{
	u32 perm, wanted = write ? VHOST_ACCESS_WO : VHOST_ACCESS_RO;
	u64 pa, len;

	len = baton_chunks_find(&b->domain.maps[asid], addr, &pa, &perm);
	if (!len || !(perm & wanted))
		return 0;
	*bytes = phys_to_virt(pa);

	return len;
}

/**
 * baton_space_covers() - has the user mapped all of this?
 * @b: the function
 * @asid: in which address space
 * @addr: IO virtual address
 * @len: how many bytes
 * @write: to write there, not to read
 *
 * Context: any; &baton.lock held.
 * Return: true if so.
 */
bool baton_space_covers(struct baton *b, unsigned int asid, u64 addr, u64 len, bool write)
{
	void *bytes;
	size_t n;

	for (; len; addr += n, len -= min_t(u64, n, len)) {
		n = baton_space_window(b, asid, addr, write, &bytes);
		if (!n)
			return false;
	}

	return true;
}

/**
 * baton_space_get() - take references on pages that a user mapped
 * @b: the function
 * @asid: in which address space
 * @addr: IO virtual address, of whole pages
 * @write: to write there, not to read
 * @pages: filled in
 * @nr: how many pages
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -EFAULT if something is not mapped with that permission: no reference
 * is held then.
 */
int baton_space_get(struct baton *b, unsigned int asid, u64 addr, bool write, struct page **pages,
		    unsigned int nr)
{
	unsigned int i;
	void *bytes;

	for (i = 0; i < nr; i++) {
		if (!baton_space_window(b, asid, addr + i * PAGE_SIZE, write, &bytes)) {
			baton_space_put(pages, i);
			return -EFAULT;
		}
		pages[i] = virt_to_page(bytes);
		get_page(pages[i]);
	}

	return 0;
}

/**
 * baton_space_put() - give references back
 * @pages: what baton_space_get() filled in
 * @nr: how many pages
 *
 * Context: may sleep; no lock is needed.
 */
void baton_space_put(struct page **pages, unsigned int nr)
{
	while (nr--)
		put_page(pages[nr]);
}
