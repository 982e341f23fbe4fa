// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of ours that the hardware can reach while somebody owns the function.
 *
 * Invariants (C7.1): it is mapped from grant to drain only; in a user's domain it lies in
 * the control window, where the user can map nothing; what the hardware need not write is
 * mapped for reading only. &baton.lock guards all of it.
 */
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/mm.h>

#include "core.h"
#include "shared.h"

static enum dma_data_direction shared_direction(const struct baton_shared *part)
{
	return part->writable ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
}

static void shared_unmap_part(struct baton *b, struct baton_shared *part)
{
	if (part->by == BATON_SHARED_WINDOW)
		iommu_unmap(b->domain.user, part->addr, part->size);
	else if (part->by == BATON_SHARED_DMA)
		dma_unmap_page(b->fn->dev, part->addr, part->size, shared_direction(part));
	part->by = BATON_SHARED_NOT;
}

static int shared_map_part(struct baton *b, struct baton_shared *part, enum baton_shared_by by)
{
	int prot = IOMMU_READ | IOMMU_CACHE | (part->writable ? IOMMU_WRITE : 0);
	struct device *dev = b->fn->dev;
	int err;

	if (by == BATON_SHARED_WINDOW) {
		part->addr = b->domain.window.first + part->offset;
		err = iommu_map(b->domain.user, part->addr, page_to_phys(part->page), part->size,
				prot, GFP_KERNEL);
		if (err)
			return err;
	} else if (by == BATON_SHARED_DMA) {
		part->addr = dma_map_page(dev, part->page, 0, part->size, shared_direction(part));
		if (dma_mapping_error(dev, part->addr))
			return -ENOMEM;
	} else {
		part->addr = page_to_phys(part->page);
	}
	part->by = by;

	return 0;
}

/**
 * baton_shared_map() - let the hardware reach memory of ours
 * @b: the function, being granted to an owner whose domain is attached
 * @parts: the memory
 * @nr: how many parts
 * @by: how its owner's domain lets it be reached; not %BATON_SHARED_NOT
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0 or a negative errno: nothing is shared then.
 */
int baton_shared_map(struct baton *b, struct baton_shared *parts, unsigned int nr,
		     enum baton_shared_by by)
{
	unsigned int i;
	int err;

	for (i = 0; i < nr; i++) {
		err = shared_map_part(b, &parts[i], by);
		if (err) {
			baton_shared_unmap(b, parts, nr);
			return err;
		}
	}

	return 0;
}

/**
 * baton_shared_unmap() - undo baton_shared_map()
 * @b: the function, without bus mastering
 * @parts: the memory; what is not mapped is left alone
 * @nr: how many parts
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_shared_unmap(struct baton *b, struct baton_shared *parts, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		shared_unmap_part(b, &parts[i]);
}

/**
 * baton_shared_sync() - hand shared memory over between CPU and hardware
 * @b: the function
 * @part: the memory
 * @to_device: to the hardware, or back
 *
 * Does something for memory of %BATON_SHARED_DMA only. In a user's domain DMA is cache-coherent:
 * without that no user may own the function (C5).
 *
 * Context: any; &baton.lock held.
 */
void baton_shared_sync(struct baton *b, const struct baton_shared *part, bool to_device)
{
	struct device *dev = b->fn->dev;

	if (part->by != BATON_SHARED_DMA)
		return;
	if (to_device)
		dma_sync_single_for_device(dev, part->addr, part->size, shared_direction(part));
	else
		dma_sync_single_for_cpu(dev, part->addr, part->size, shared_direction(part));
}
