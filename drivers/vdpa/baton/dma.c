// SPDX-License-Identifier: GPL-2.0-only
/*
 * IO page tables: what the function can reach, and who says so.
 *
 * A function that is alone in its IOMMU group has two domains of ours. The
 * empty one is attached while nobody owns the function; the user's exists while
 * vhost_vdpa is bound and is attached only from DRIVER_OK to reset. For a
 * kernel owner none of ours is attached, which leaves the function in the
 * default domain, where the DMA API works.
 *
 * What is in the user's domain: the mappings of one of its address spaces
 * (space.c), and a window that the control queue needs (ctrl.c).
 */
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "core.h"

/* Everything in the group that is not plain memory is not for users to map. */
static int domain_find_reserved(struct baton_dma *dma, struct list_head *regions)
{
	struct iommu_resv_region *region;
	unsigned int n = 0;

	list_for_each_entry(region, regions, list)
		n++;
	dma->reserved = kcalloc(n + 1, sizeof(*dma->reserved), GFP_KERNEL);
	if (!dma->reserved)
		return -ENOMEM;

	/* The window for what ctrl.c shares is the first of them. */
	dma->reserved[0].last = dma->iova.span.last;
	dma->reserved[0].first = ALIGN_DOWN(dma->iova.span.last - BATON_WINDOW_SIZE,
					    BATON_WINDOW_SIZE);
	n = 1;
	list_for_each_entry(region, regions, list) {
		if (region->type == IOMMU_RESV_DIRECT)
			dma->firmware = true;
		/* Relaxable: of use to firmware only, before any driver. */
		if (region->type == IOMMU_RESV_DIRECT_RELAXABLE || !region->length)
			continue;
		dma->reserved[n].first = region->start;
		dma->reserved[n].last = region->start + (region->length - 1);
		n++;
	}
	dma->iova.reserved = dma->reserved;
	dma->iova.nr_reserved = n;

	return 0;
}

static void domain_free_regions(struct list_head *regions)
{
	struct iommu_resv_region *region, *next;

	list_for_each_entry_safe(region, next, regions, list)
		kfree(region);
}

static int domain_find_space(struct baton_dma *dma, struct device *dev)
{
	const struct iommu_domain_geometry *geo = &dma->empty->geometry;
	LIST_HEAD(regions);
	int err;

	/* References are taken on whole pages of the kernel's. */
	dma->iova.granule = max_t(u64, 1ULL << __ffs(dma->empty->pgsize_bitmap), PAGE_SIZE);
	dma->iova.span.first = 0;
	dma->iova.span.last = dma_get_mask(dev);
	if (geo->force_aperture) {
		dma->iova.span.first = geo->aperture_start;
		dma->iova.span.last = min_t(u64, dma->iova.span.last, geo->aperture_end);
	}

	err = iommu_get_group_resv_regions(dma->group, &regions);
	if (!err)
		err = domain_find_reserved(dma, &regions);
	domain_free_regions(&regions);

	return err;
}

/*
 * Back to the default domain. The whole group: another device may have joined
 * it since (hot-plug), for which iommu_detach_device() would do nothing.
 */
static void domain_detach(struct baton_dma *dma)
{
	if (dma->attached)
		iommu_detach_group(dma->attached, dma->group);
	dma->attached = NULL;
}

/**
 * baton_dma_init() - take a function's DMA away from everybody
 * @b: the function; reset, or about to be
 *
 * Where there is no IOMMU, where the group has other members, or where firmware
 * has a region of its own mapped, there is no domain to take: bus mastering is
 * all that keeps the function quiet, as it is with any driver, and no user may
 * own it.
 *
 * Context: may sleep; from probe.
 * Return: 0 or a negative errno.
 */
int baton_dma_init(struct baton *b)
{
	struct device *dev = b->fn->dev;
	struct baton_dma *dma = &b->dma;
	struct iommu_domain *empty;
	int err;

	baton_space_init(b);
	if (!device_iommu_mapped(dev))
		return 0;
	dma->group = iommu_group_get(dev);
	if (!dma->group)
		return 0;

	empty = iommu_paging_domain_alloc(dev);
	if (IS_ERR(empty)) {
		err = PTR_ERR(empty);
		dev_err(dev, "cannot allocate an IOMMU domain: %pe\n", empty);
		goto err_group;
	}

	err = iommu_attach_device(empty, dev);
	if (err == -EINVAL) {
		/* A shared group; the kernel can still own the function. */
		iommu_domain_free(empty);
		return 0;
	}
	if (err) {
		dev_err(dev, "cannot attach an empty IOMMU domain: %pe\n", ERR_PTR(err));
		goto err_domain;
	}

	dma->empty = empty;
	dma->attached = empty;
	dma->isolated = true;
	err = domain_find_space(dma, dev);
	if (err) {
		baton_dma_uninit(b);
		return err;
	}
	if (dma->firmware) {
		/* It needs the default domain, at all times. */
		domain_detach(dma);
		iommu_domain_free(empty);
		dma->empty = NULL;
		dma->isolated = false;
	}

	return 0;

err_domain:
	iommu_domain_free(empty);
err_group:
	iommu_group_put(dma->group);
	return err;
}

static int group_count_member(struct device *dev, void *data)
{
	unsigned int *members = data;

	(*members)++;
	return 0;
}

static bool group_is_singleton(const struct baton_dma *dma)
{
	unsigned int members = 0;

	iommu_group_for_each_dev(dma->group, &members, group_count_member);
	return members == 1;
}

/**
 * baton_dma_uninit() - give the function back to the default domain
 * @b: the function; reset and without bus mastering
 *
 * Context: may sleep; from remove.
 */
void baton_dma_uninit(struct baton *b)
{
	struct baton_dma *dma = &b->dma;

	domain_detach(dma);
	if (dma->empty)
		iommu_domain_free(dma->empty);
	kfree(dma->reserved);
	if (dma->group)
		iommu_group_put(dma->group);
	memset(dma, 0, sizeof(*dma));
}

/**
 * baton_dma_attach() - let the function reach what a party lets it reach
 * @b: the function; reset and without bus mastering
 * @party: whose memory; %BATON_NONE: nobody's
 *
 * The IOMMU core goes from one domain of ours to another only by way of the
 * default domain: bus mastering is off all the while.
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0 or a negative errno; on error the default domain may be attached.
 */
int baton_dma_attach(struct baton *b, enum baton_party party)
{
	struct device *dev = b->fn->dev;
	struct baton_dma *dma = &b->dma;
	struct iommu_domain *domain = NULL;
	int err;

	if (!dma->isolated)
		return party == BATON_USER ? -EPERM : 0;
	if (party == BATON_USER && !dma->user)
		return -ENOMEM;

	if (party == BATON_NONE)
		domain = dma->empty;
	else if (party == BATON_USER)
		domain = dma->user;
	if (domain == dma->attached)
		return 0;
	if (party == BATON_USER && !group_is_singleton(dma)) {
		baton_function_refuse(b,
				      "DRIVER_OK refused: another device has joined IOMMU group %d",
				      iommu_group_id(dma->group));
		return -EPERM;
	}

	domain_detach(dma);
	if (!domain)
		return 0;

	err = iommu_attach_device(domain, dev);
	if (err) {
		baton_function_refuse(b, "cannot attach the %s IOMMU domain: %pe",
				      party == BATON_USER ? "user's" : "empty", ERR_PTR(err));
		return err;
	}
	dma->attached = domain;

	return 0;
}

/* Where the IOMMU translates MSIs, their doorbell needs room in the domain. */
static int domain_reserve_msi(struct baton_dma *dma, struct iommu_domain *domain)
{
	struct iommu_resv_region *region;
	LIST_HEAD(regions);
	int err;

	err = iommu_get_group_resv_regions(dma->group, &regions);
	if (err)
		goto out;
	list_for_each_entry(region, &regions, list) {
		if (region->type != IOMMU_RESV_SW_MSI)
			continue;
		err = iommu_get_msi_cookie(domain, region->start);
		break;
	}
out:
	domain_free_regions(&regions);
	return err;
}

/*
 * Some IOMMU drivers finish a domain only when it is first attached, and fall
 * over a mapping before that (virtio-iommu of 6.12): attach it for a moment,
 * empty as it is, to the function that is reset.
 */
static int domain_finish(struct baton *b, struct iommu_domain *domain)
{
	struct baton_dma *dma = &b->dma;
	int err;

	domain_detach(dma);
	err = iommu_attach_device(domain, b->fn->dev);
	if (!err)
		dma->attached = domain;

	return baton_dma_attach(b, BATON_NONE) ?: err;
}

/**
 * baton_dma_user_alloc() - allocate a domain for what a user maps
 * @b: the function; nobody owns it
 *
 * Context: may sleep; &baton.lock held.
 * Return: the domain, or an ERR_PTR.
 */
struct iommu_domain *baton_dma_user_alloc(struct baton *b)
{
	struct iommu_domain *domain;
	int err;

	domain = iommu_paging_domain_alloc(b->fn->dev);
	if (IS_ERR(domain))
		return domain;
	err = domain_reserve_msi(&b->dma, domain) ?: domain_finish(b, domain);
	if (err) {
		iommu_domain_free(domain);
		return ERR_PTR(err);
	}

	return domain;
}

/**
 * baton_dma_user_init() - make room for what a user will map
 * @b: the function
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0 or a negative errno.
 */
int baton_dma_user_init(struct baton *b)
{
	struct iommu_domain *user;

	user = baton_dma_user_alloc(b);
	if (IS_ERR(user))
		return PTR_ERR(user);
	b->dma.user = user;

	return 0;
}

/**
 * baton_dma_user_uninit() - nothing of a user's may stay mapped
 * @b: the function; blocked or broken
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_dma_user_uninit(struct baton *b)
{
	struct baton_dma *dma = &b->dma;
	unsigned int i;

	if (!dma->user)
		return;
	for (i = 0; i < BATON_NR_AS; i++)
		baton_space_unmap(b, i, 0, U64_MAX);
	if (WARN_ON(dma->attached == dma->user))
		return;
	iommu_domain_free(dma->user);
	dma->user = NULL;
}

static void shared_unmap(struct baton *b, struct baton_shared *s)
{
	struct device *dev = b->fn->dev;

	if (!s->mapped)
		return;
	s->mapped = false;
	if (b->owner.owner == BATON_USER)
		iommu_unmap(b->dma.user, s->addr, s->size);
	else if (b->bv->features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM))
		dma_unmap_page(dev, s->addr, s->size,
			       s->writable ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE);
}

static int shared_map(struct baton *b, struct baton_shared *s)
{
	int prot = IOMMU_READ | IOMMU_CACHE | (s->writable ? IOMMU_WRITE : 0);
	struct device *dev = b->fn->dev;
	int err;

	if (b->owner.owner == BATON_USER) {
		s->addr = b->dma.reserved[0].first + s->offset;
		err = iommu_map(b->dma.user, s->addr, page_to_phys(s->page), s->size, prot,
				GFP_KERNEL);
		if (err)
			return err;
	} else if (b->bv->features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)) {
		s->addr = dma_map_page(dev, s->page, 0, s->size,
				       s->writable ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE);
		if (dma_mapping_error(dev, s->addr))
			return -ENOMEM;
	} else {
		s->addr = page_to_phys(s->page);
	}
	s->mapped = true;

	return 0;
}

/**
 * baton_dma_share() - let the hardware reach memory of ours
 * @b: the function, being granted to an owner whose domain is attached
 * @shared: the memory, %BATON_NR_SHARED parts
 *
 * A user's domain has a window for it, where the user cannot map anything. What
 * the hardware need not write is mapped for reading only.
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0 or a negative errno: nothing is shared then.
 */
int baton_dma_share(struct baton *b, struct baton_shared *shared)
{
	unsigned int i;
	int err;

	for (i = 0; i < BATON_NR_SHARED; i++) {
		err = shared_map(b, &shared[i]);
		if (err) {
			baton_dma_unshare(b, shared);
			return err;
		}
	}

	return 0;
}

/**
 * baton_dma_unshare() - undo baton_dma_share()
 * @b: the function, without bus mastering
 * @shared: the memory, %BATON_NR_SHARED parts
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_dma_unshare(struct baton *b, struct baton_shared *shared)
{
	unsigned int i;

	for (i = 0; i < BATON_NR_SHARED; i++)
		shared_unmap(b, &shared[i]);
}

/**
 * baton_dma_sync() - hand shared memory over between CPU and hardware
 * @b: the function
 * @s: the memory
 * @to_device: to the hardware, or back
 *
 * Context: any.
 */
void baton_dma_sync(struct baton *b, const struct baton_shared *s, bool to_device)
{
	enum dma_data_direction dir = s->writable ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;

	/* A user's domain is cache-coherent, or no user would own it. */
	if (b->owner.owner == BATON_USER ||
	    !(b->bv->features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM)))
		return;
	if (to_device)
		dma_sync_single_for_device(b->fn->dev, s->addr, s->size, dir);
	else
		dma_sync_single_for_cpu(b->fn->dev, s->addr, s->size, dir);
}

static int group_name_sibling(struct device *dev, void *data)
{
	char *names = data;
	size_t used = strlen(names);

	scnprintf(names + used, BATON_REASON_LEN / 2 - used, " %s", dev_name(dev));
	return 0;
}

/**
 * baton_dma_isolation() - is the function isolated well enough for a user?
 * @b: the function
 * @why: filled in with the reason if not: what is wrong and what to do
 * @len: size of @why
 *
 * Context: may sleep; &baton.lock held.
 * Return: true if a user may own the function.
 */
bool baton_dma_isolation(struct baton *b, char *why, size_t len)
{
	struct device *dev = b->fn->dev;
	struct baton_dma *dma = &b->dma;
	char names[BATON_REASON_LEN / 2] = "";

	if (!dma->group) {
		snprintf(why, len, "no IOMMU: enable it in the firmware and the kernel");
		return false;
	}
	if (dma->firmware) {
		snprintf(why, len, "firmware uses the function's DMA itself (RMRR or the like)");
		return false;
	}
	if (!dma->isolated) {
		iommu_group_for_each_dev(dma->group, names, group_name_sibling);
		snprintf(why, len, "shares IOMMU group %d:%s; use a slot with ACS",
			 iommu_group_id(dma->group), names);
		return false;
	}
	if (!device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY)) {
		snprintf(why, len, "the IOMMU does not enforce cache coherency");
		return false;
	}
	if (!iommu_group_has_isolated_msi(dma->group) && !baton_allow_unsafe_interrupts) {
		snprintf(why, len,
			 "interrupts are not isolated: enable interrupt remapping, or load baton with allow_unsafe_interrupts=1");
		return false;
	}
	if (!(b->hw_features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM))) {
		snprintf(why, len,
			 "the device does not offer ACCESS_PLATFORM (bit 33): its DMA would bypass the IOMMU");
		return false;
	}

	return true;
}
