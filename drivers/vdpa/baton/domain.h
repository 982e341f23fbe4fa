/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IO page tables: what the function can reach. See domain.c.
 */
#ifndef BATON_DOMAIN_H
#define BATON_DOMAIN_H

#include <linux/iommu.h>

#include "chunks.h"
#include "owner.h"
#include "range.h"

struct baton;

/* Address spaces, as vhost_vdpa numbers them. */
#define BATON_NR_AS		2

/* The control window at the top of a user's IOVA span, in pages of the IOMMU: see shared.c. */
#define BATON_WINDOW_PAGES	16ULL

/**
 * struct baton_domain - the IO page tables of one function
 * @group: its IOMMU group; NULL: there is no IOMMU; constant from probe to remove, as
 *	   are the next three, @iova, @reserved and @window
 * @isolated: @empty exists: the function was alone in its group, without firmware regions
 * @firmware: firmware needs regions of the default domain at all times
 * @empty: attached while nobody owns the function; never maps anything
 * @user: holds what the user mapped, and @window; exists while a user is bound
 * @attached: @empty, @user, or NULL: the DMA API's default domain
 * @maps: what a user mapped, one for each address space; each entry holds a
 *	  reference on every page
 * @data_asid: which of @maps the function sees: what is in it is in @user
 * @mapped: bytes in @maps; also read without the lock, by sysfs
 * @iova: what may be mapped
 * @reserved: storage for @iova
 * @window: where memory of ours is mapped for the hardware, see shared.c and relay.c; one of
 *	    @reserved, so that no user can map anything there
 *
 * &baton.lock guards all that is not constant.
 */
struct baton_domain {
	struct iommu_group *group;
	bool isolated;
	bool firmware;
	struct iommu_domain *empty;
	struct iommu_domain *user;
	struct iommu_domain *attached;
	struct baton_chunks maps[BATON_NR_AS];
	unsigned int data_asid;
	u64 mapped;
	struct baton_iova iova;
	struct baton_range *reserved;
	struct baton_range window;
};

int baton_domain_init(struct baton *b);
void baton_domain_widen(struct baton *b, u64 bytes);
void baton_domain_uninit(struct baton *b);
int baton_domain_attach(struct baton *b, enum baton_party party);
struct iommu_domain *baton_domain_user_alloc(struct baton *b);
int baton_domain_user_init(struct baton *b);
void baton_domain_user_uninit(struct baton *b);
bool baton_domain_isolation(struct baton *b, char *why, size_t len);

#endif /* BATON_DOMAIN_H */
