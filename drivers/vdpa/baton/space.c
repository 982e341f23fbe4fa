// SPDX-License-Identifier: GPL-2.0-only
/*
 * The address spaces of a user: what it mapped, and which of it the function
 * can reach.
 *
 * An address space is a number that vhost_vdpa uses. The function sees the one
 * that the data queues are in: its mappings are in the user's domain. Another
 * one may hold the control queue, which only the CPU reads: its mappings are
 * nowhere but here.
 *
 * vhost_vdpa drops its reference on a page before it has the page unmapped.
 * Each mapping therefore holds references of its own, from before iommu_map()
 * until after iommu_unmap() and the IOTLB flush.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <uapi/linux/vhost_types.h>

#include "core.h"
#include "trace.h"

/* References are taken folio by folio: one atomic operation, however large. */
static void pages_ref(u64 pa, u64 size, bool get)
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

static int map_in_domain(struct baton *b, u64 iova, u64 size, u64 pa, u32 perm)
{
	int prot = (perm & VHOST_ACCESS_RO ? IOMMU_READ : 0) |
		   (perm & VHOST_ACCESS_WO ? IOMMU_WRITE : 0) | IOMMU_CACHE;

	return iommu_map(b->dma.user, iova, pa, size, prot, GFP_KERNEL_ACCOUNT);
}

/**
 * baton_space_init() - nothing is mapped yet
 * @b: the function
 */
void baton_space_init(struct baton *b)
{
	unsigned int i;

	/* No limit of ours: vhost_vdpa has one (max_iotlb_entries). */
	for (i = 0; i < BATON_NR_AS; i++)
		vhost_iotlb_init(&b->dma.maps[i], U32_MAX, 0);
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
 * Return: 0, or a negative errno: nothing has been mapped then.
 */
int baton_space_map(struct baton *b, unsigned int asid, u64 iova, u64 size, u64 pa, u32 perm)
{
	struct baton_dma *dma = &b->dma;
	enum baton_map_verdict verdict;
	struct vhost_iotlb_map *map;
	struct vhost_iotlb *maps;
	int err;

	if (!dma->user || asid >= BATON_NR_AS)
		return -EPERM;
	maps = &dma->maps[asid];

	verdict = baton_range_check(&dma->iova, iova, size, pa, perm);
	if (verdict != BATON_MAP_OK) {
		baton_function_refuse(b,
				      "refused to map %#llx bytes at IOVA %#llx, permission %u: %s",
				      size, iova, perm, baton_range_verdict_name(verdict));
		return -EINVAL;
	}
	if (vhost_iotlb_itree_first(maps, iova, iova + size - 1))
		return -EEXIST;

	err = vhost_iotlb_add_range(maps, iova, iova + size - 1, pa, perm);
	if (err)
		return err;
	pages_ref(pa, size, true);
	if (asid == dma->data_asid)
		err = map_in_domain(b, iova, size, pa, perm);
	if (err)
		goto err_ref;

	dma->mapped += size;
	trace_baton_map(b->fn->dev, iova, size, pa, perm, 0);
	return 0;

err_ref:
	pages_ref(pa, size, false);
	map = vhost_iotlb_itree_first(maps, iova, iova + size - 1);
	vhost_iotlb_map_free(maps, map);
	trace_baton_map(b->fn->dev, iova, size, pa, perm, err);
	baton_function_refuse(b, "cannot map %#llx bytes at IOVA %#llx: %pe", size, iova,
			      ERR_PTR(err));
	return err;
}

static bool within(const struct vhost_iotlb_map *map, u64 first, u64 last)
{
	return map->start >= first && map->last <= last;
}

/*
 * Take all chunks that lie in a range out of the domain, flushing the IOTLB
 * once. Returns false if the IOMMU did not unmap everything.
 */
static bool unmap_in_domain(struct baton *b, struct vhost_iotlb *maps, u64 iova, u64 last)
{
	struct iommu_domain *domain = b->dma.user;
	struct iommu_iotlb_gather gather;
	struct vhost_iotlb_map *map;
	bool all = true;

	iommu_iotlb_gather_init(&gather);
	for (map = vhost_iotlb_itree_first(maps, iova, last); map;
	     map = vhost_iotlb_itree_next(map, iova, last))
		if (within(map, iova, last) &&
		    iommu_unmap_fast(domain, map->start, map->size, &gather) != map->size)
			all = false;
	iommu_iotlb_sync(domain, &gather);

	return !WARN_ON_ONCE(!all);
}

/**
 * baton_space_unmap() - unmap all chunks that lie in a range
 * @b: the function
 * @asid: of which address space
 * @iova: the first IO virtual address
 * @last: the last, itself included
 *
 * The IOTLB is flushed once, and before any page is let go of. Chunks are
 * unmapped as they were mapped: one that only partly lies in the range stays.
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -EINVAL if a chunk lies in the range only partly; -EIO if the
 * IOMMU did not unmap all: the pages are not let go of then.
 */
int baton_space_unmap(struct baton *b, unsigned int asid, u64 iova, u64 last)
{
	struct vhost_iotlb_map *map, *next;
	struct baton_dma *dma = &b->dma;
	struct vhost_iotlb *maps;
	int err = 0;

	if (!dma->user || asid >= BATON_NR_AS)
		return 0;
	maps = &dma->maps[asid];

	if (asid == dma->data_asid && !unmap_in_domain(b, maps, iova, last))
		err = -EIO;
	for (map = vhost_iotlb_itree_first(maps, iova, last); map; map = next) {
		next = vhost_iotlb_itree_next(map, iova, last);
		if (!within(map, iova, last)) {
			err = err ?: -EINVAL;
			continue;
		}
		trace_baton_unmap(b->fn->dev, map->start, map->size, map->addr, map->perm,
				  err == -EIO ? err : 0);
		dma->mapped -= map->size;
		/* What the function may still reach must not become anybody else's. */
		if (err != -EIO)
			pages_ref(map->addr, map->size, false);
		vhost_iotlb_map_free(maps, map);
	}

	return err;
}

/**
 * baton_space_show() - choose the address space that the function sees
 * @b: the function; nobody owns it
 * @asid: which
 *
 * The user's domain is made anew, so that there is no way to fail half-way.
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0, or a negative errno: the function sees what it saw before.
 */
int baton_space_show(struct baton *b, unsigned int asid)
{
	struct baton_dma *dma = &b->dma;
	struct iommu_domain *old = dma->user;
	struct vhost_iotlb_map *map;
	int err = 0;

	if (asid >= BATON_NR_AS)
		return -EINVAL;
	if (asid == dma->data_asid)
		return 0;
	if (!old) {
		dma->data_asid = asid;
		return 0;
	}
	if (dma->attached == old)
		return -EBUSY;

	dma->user = baton_dma_user_alloc(b);
	if (IS_ERR(dma->user)) {
		err = PTR_ERR(dma->user);
		dma->user = old;
		return err;
	}
	for (map = vhost_iotlb_itree_first(&dma->maps[asid], 0, U64_MAX); map && !err;
	     map = vhost_iotlb_itree_next(map, 0, U64_MAX))
		err = map_in_domain(b, map->start, map->size, map->addr, map->perm);
	if (err) {
		iommu_domain_free(dma->user);
		dma->user = old;
		return err;
	}
	iommu_domain_free(old);
	dma->data_asid = asid;

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
 * Valid until &baton.lock is released.
 *
 * Context: any; &baton.lock held.
 * Return: how many bytes are there, 0 if nothing is mapped with that permission.
 */
size_t baton_space_window(struct baton *b, unsigned int asid, u64 addr, bool write, void **bytes)
{
	u32 perm = write ? VHOST_ACCESS_WO : VHOST_ACCESS_RO;
	struct vhost_iotlb_map *map;

	map = vhost_iotlb_itree_first(&b->dma.maps[asid], addr, addr);
	if (!map || !(map->perm & perm))
		return 0;
	*bytes = phys_to_virt(map->addr + (addr - map->start));

	return map->last - addr + 1;
}
