// SPDX-License-Identifier: GPL-2.0-only
/*
 * IO page tables: what the function can reach.
 *
 * Invariant (C1, C2): after probe a function that is isolated is in one of three domains, the empty
 * one, the user's, or the default domain, and only the owner's while bus mastering is on.
 * &baton.lock guards which, against all other handovers; probe and remove need none, since nobody
 * else knows the function yet, or uses it any more.
 *
 * A function that is alone in its IOMMU group has two domains of ours. The
 * empty one is attached while nobody owns the function; the user's exists while
 * vhost_vdpa is bound and is attached only from DRIVER_OK to reset. For a
 * kernel owner none of ours is attached, which leaves the function in the
 * default domain, where the DMA API works.
 *
 * What is in the user's domain: the mappings of one of its address spaces
 * (space.c), and a window for memory of ours (shared.c).
 */
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>

#include "core.h"
#include "domain.h"
#include "param.h"
#include "space.h"

/* The control window, and what the IOMMU core says is reserved in the group, are not for users. */
static int domain_find_reserved(struct baton_domain *dom, struct list_head *regions)
{
	struct iommu_resv_region *region;
	unsigned int n = 0;
	u64 window;

	list_for_each_entry(region, regions, list)
		n++;
	dom->reserved = kcalloc(n + 1, sizeof(*dom->reserved), GFP_KERNEL);
	if (!dom->reserved)
		return -ENOMEM;

	window = BATON_WINDOW_PAGES * dom->iova.granule;
	dom->window.last = dom->iova.span.last;
	dom->window.first = ALIGN_DOWN(dom->iova.span.last - (window - 1), window);
	n = 0;
	dom->reserved[n++] = dom->window;
	list_for_each_entry(region, regions, list) {
		if (region->type == IOMMU_RESV_DIRECT)
			dom->firmware = true;
		/* Relaxable: firmware used it before any driver came, and does no more. */
		if (region->type == IOMMU_RESV_DIRECT_RELAXABLE || !region->length)
			continue;
		dom->reserved[n].first = region->start;
		dom->reserved[n].last = region->start + (region->length - 1);
		n++;
	}
	dom->iova.reserved = dom->reserved;
	dom->iova.nr_reserved = n;

	return 0;
}

static void domain_free_regions(struct list_head *regions)
{
	struct iommu_resv_region *region, *next;

	list_for_each_entry_safe(region, next, regions, list)
		kfree(region);
}

static int domain_find_space(struct baton_domain *dom, struct device *dev)
{
	const struct iommu_domain_geometry *geo = &dom->empty->geometry;
	LIST_HEAD(regions);
	int err;

	/* At least PAGE_SIZE: references are taken on whole pages (space.c). */
	dom->iova.granule = max_t(u64, 1ULL << __ffs(dom->empty->pgsize_bitmap), PAGE_SIZE);
	dom->iova.span.first = 0;
	/* 48 bits: at the top of 64 the window would cost some IOMMUs levels of page table. */
	dom->iova.span.last = min_t(u64, dma_get_mask(dev), DMA_BIT_MASK(48));
	if (geo->force_aperture) {
		dom->iova.span.first = geo->aperture_start;
		dom->iova.span.last = min_t(u64, dom->iova.span.last, geo->aperture_end);
	}

	err = iommu_get_group_resv_regions(dom->group, &regions);
	if (!err)
		err = domain_find_reserved(dom, &regions);
	domain_free_regions(&regions);

	return err;
}

/**
 * baton_domain_widen() - make room for more memory of ours in users' domains
 * @b: the function; no user has been told yet what can be mapped
 * @bytes: how much, in whole pages of the IOMMU's
 *
 * The room is added below the control window. Nothing happens where no user can own it.
 *
 * Context: any; from probe, &baton.lock held.
 */
void baton_domain_widen(struct baton *b, u64 bytes)
{
	struct baton_domain *dom = &b->domain;

	if (!dom->isolated)
		return;
	/* Where it does not fit, users can map nothing, and none of their queues starts. */
	dom->window.first -= min(bytes, dom->window.first - dom->iova.span.first);
	dom->reserved[0] = dom->window;
}

/*
 * Back to the default domain. By the group, since another device may have joined it (hot-plug),
 * and iommu_detach_device() does nothing for a group of several.
 */
static void domain_detach(struct baton_domain *dom)
{
	if (dom->attached)
		iommu_detach_group(dom->attached, dom->group);
	dom->attached = NULL;
}

/**
 * baton_domain_init() - take a function's DMA away from everybody
 * @b: the function; reset, or about to be
 *
 * Attaches the empty domain. Where there is no IOMMU, where the group has other members,
 * or where firmware has a region of its own mapped, the function stays in the default
 * domain: then only bus mastering being off keeps it from DMA, and no user may own it.
 *
 * Context: may sleep; from probe; nobody else knows of @b yet.
 * Return: 0 or a negative errno.
 */
int baton_domain_init(struct baton *b)
{
	struct device *dev = b->fn->dev;
	struct baton_domain *dom = &b->domain;
	struct iommu_domain *empty;
	int err;

	baton_space_init(b);
	if (!device_iommu_mapped(dev))
		return 0;
	dom->group = iommu_group_get(dev);
	if (!dom->group)
		return 0;

	empty = iommu_paging_domain_alloc(dev);
	if (IS_ERR(empty)) {
		err = PTR_ERR(empty);
		dev_err(dev, "cannot allocate an IOMMU domain: %pe\n", empty);
		goto err_group;
	}

	err = iommu_attach_device(empty, dev);
	if (err == -EINVAL) {
		/* Not alone in its group: the kernel can still own the function. */
		iommu_domain_free(empty);
		return 0;
	}
	if (err) {
		dev_err(dev, "cannot attach an empty IOMMU domain: %pe\n", ERR_PTR(err));
		goto err_domain;
	}

	dom->empty = empty;
	dom->attached = empty;
	dom->isolated = true;
	err = domain_find_space(dom, dev);
	if (err) {
		baton_domain_uninit(b);
		return err;
	}
	if (dom->firmware) {
		/* Firmware's regions are mapped in the default domain only. */
		domain_detach(dom);
		iommu_domain_free(empty);
		dom->empty = NULL;
		dom->isolated = false;
	}

	return 0;

err_domain:
	iommu_domain_free(empty);
err_group:
	iommu_group_put(dom->group);
	return err;
}

static int group_count_member(struct device *dev, void *data)
{
	unsigned int *members = data;

	(*members)++;
	return 0;
}

static bool group_is_singleton(const struct baton_domain *dom)
{
	unsigned int members = 0;

	iommu_group_for_each_dev(dom->group, &members, group_count_member);
	return members == 1;
}

/**
 * baton_domain_uninit() - give the function back to the default domain
 * @b: the function; reset and without bus mastering
 *
 * Context: may sleep; from remove, or a probe that fails; nobody else uses @b any more.
 */
void baton_domain_uninit(struct baton *b)
{
	struct baton_domain *dom = &b->domain;

	domain_detach(dom);
	if (dom->empty)
		iommu_domain_free(dom->empty);
	kfree(dom->reserved);
	if (dom->group)
		iommu_group_put(dom->group);
	memset(dom, 0, sizeof(*dom));
}

/**
 * baton_domain_attach() - let the function reach what a party lets it reach
 * @b: the function; reset and without bus mastering
 * @party: whose memory; %BATON_NONE: nobody's
 *
 * The IOMMU core goes from one domain of ours to another by way of the default domain only.
 * That is safe because bus mastering is off all the while.
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -EPERM if a user must not own it, or another device has joined the group; -ENOMEM if
 * the user has no domain; or an errno of iommu_attach_device(): the default domain may be attached.
 */
int baton_domain_attach(struct baton *b, enum baton_party party)
{
	struct device *dev = b->fn->dev;
	struct baton_domain *dom = &b->domain;
	struct iommu_domain *domain = NULL;
	int err;

	if (!dom->isolated)
		return party == BATON_USER ? -EPERM : 0;
	if (party == BATON_USER && !dom->user)
		return -ENOMEM;

	if (party == BATON_NONE)
		domain = dom->empty;
	else if (party == BATON_USER)
		domain = dom->user;
	if (domain == dom->attached)
		return 0;
	if (party == BATON_USER && !group_is_singleton(dom)) {
		baton_report_refusal(b,
				     "DRIVER_OK refused: another device has joined IOMMU group %d",
				     iommu_group_id(dom->group));
		return -EPERM;
	}

	domain_detach(dom);
	if (!domain)
		return 0;

	err = iommu_attach_device(domain, dev);
	if (err) {
		baton_report_refusal(b, "cannot attach the %s IOMMU domain: %pe",
				     party == BATON_USER ? "user's" : "empty", ERR_PTR(err));
		return err;
	}
	dom->attached = domain;

	return 0;
}

/* Where the IOMMU translates MSIs (Arm), their doorbell has to be mapped in the domain as well. */
static int domain_reserve_msi(struct baton_domain *dom, struct iommu_domain *domain)
{
	struct iommu_resv_region *region;
	LIST_HEAD(regions);
	int err;

	err = iommu_get_group_resv_regions(dom->group, &regions);
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
 * A new domain is attached once before anything is mapped in it, since some IOMMU drivers
 * complete a domain only then, and crash at a mapping before (virtio-iommu of 6.12). It is
 * empty, and the function is reset and without bus mastering.
 */
static int domain_finish(struct baton *b, struct iommu_domain *domain)
{
	struct baton_domain *dom = &b->domain;
	int err;

	domain_detach(dom);
	err = iommu_attach_device(domain, b->fn->dev);
	if (!err)
		dom->attached = domain;

	return baton_domain_attach(b, BATON_NONE) ?: err;
}

/**
 * baton_domain_user_alloc() - allocate a domain for what a user maps
 * @b: the function; nobody owns it
 *
 * Context: may sleep; &baton.lock held.
 * Return: the domain, or an ERR_PTR.
 */
struct iommu_domain *baton_domain_user_alloc(struct baton *b)
{
	struct iommu_domain *domain;
	int err;

	domain = iommu_paging_domain_alloc(b->fn->dev);
	if (IS_ERR(domain))
		return domain;
	err = domain_reserve_msi(&b->domain, domain) ?: domain_finish(b, domain);
	if (err) {
		iommu_domain_free(domain);
		return ERR_PTR(err);
	}

	return domain;
}

/**
 * baton_domain_user_init() - make the user's domain
 * @b: the function, to which a user's consumer is being bound; nobody owns it
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0 or a negative errno.
 */
int baton_domain_user_init(struct baton *b)
{
	struct iommu_domain *user;

	user = baton_domain_user_alloc(b);
	if (IS_ERR(user))
		return PTR_ERR(user);
	b->domain.user = user;

	return 0;
}

/**
 * baton_domain_user_uninit() - unmap all that a user mapped, and free its domain
 * @b: the function, drained; nothing happens if there is no user's domain
 *
 * A domain that is still attached, which is a bug, is not freed.
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_domain_user_uninit(struct baton *b)
{
	struct baton_domain *dom = &b->domain;
	unsigned int i;

	if (!dom->user)
		return;
	for (i = 0; i < BATON_NR_AS; i++)
		baton_space_unmap(b, i, 0, U64_MAX);
	if (WARN_ON(dom->attached == dom->user))
		return;
	iommu_domain_free(dom->user);
	dom->user = NULL;
}

static int group_name_sibling(struct device *dev, void *data)
{
	char *names = data;
	size_t used = strlen(names);

	scnprintf(names + used, BATON_REASON_LEN / 2 - used, " %s", dev_name(dev));
	return 0;
}

/**
 * baton_domain_isolation() - is the function isolated well enough for a user?
 * @b: the function
 * @why: filled in with the reason if not: what is wrong and what to do
 * @len: size of @why
 *
 * Context: may sleep; &baton.lock held.
 * Return: true if a user may own the function.
 */
bool baton_domain_isolation(struct baton *b, char *why, size_t len)
{
	struct device *dev = b->fn->dev;
	struct baton_domain *dom = &b->domain;
	char names[BATON_REASON_LEN / 2] = "";

	if (!dom->group) {
		snprintf(why, len, "no IOMMU: enable it in the firmware and the kernel");
		return false;
	}
	if (dom->firmware) {
		snprintf(why, len, "firmware uses the function's DMA itself (RMRR or the like)");
		return false;
	}
	if (!dom->isolated) {
		iommu_group_for_each_dev(dom->group, names, group_name_sibling);
		snprintf(why, len, "shares IOMMU group %d:%s; use a slot with ACS",
			 iommu_group_id(dom->group), names);
		return false;
	}
	if (!device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY)) {
		snprintf(why, len, "the IOMMU does not enforce cache coherency");
		return false;
	}
	if (!iommu_group_has_isolated_msi(dom->group) && !baton_allow_unsafe_interrupts) {
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
