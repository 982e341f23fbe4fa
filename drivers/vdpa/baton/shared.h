/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of ours that the hardware can reach: see shared.c.
 */
#ifndef BATON_SHARED_H
#define BATON_SHARED_H

#include <linux/types.h>

struct baton;
struct page;

/**
 * enum baton_shared_by - how the hardware reaches it
 * @BATON_SHARED_NOT: it cannot
 * @BATON_SHARED_WINDOW: at an address in the window of the user's domain
 * @BATON_SHARED_DMA: at an address of the DMA API's
 * @BATON_SHARED_PHYS: at its physical address: the kernel's driver did not take
 *		       ACCESS_PLATFORM
 */
enum baton_shared_by {
	BATON_SHARED_NOT,
	BATON_SHARED_WINDOW,
	BATON_SHARED_DMA,
	BATON_SHARED_PHYS,
};

/**
 * struct baton_shared - memory of ours that the hardware can reach
 * @page: its first page
 * @cpu: where we see it
 * @addr: where the hardware sees it
 * @offset: of @addr in the window of a user's domain
 * @size: how large it is, in whole pages
 * @writable: the hardware may write
 * @by: how it reaches it now
 *
 * &baton.lock guards all.
 */
struct baton_shared {
	struct page *page;
	void *cpu;
	dma_addr_t addr;
	unsigned int offset;
	unsigned int size;
	bool writable;
	enum baton_shared_by by;
};

int baton_shared_map(struct baton *b, struct baton_shared *parts, unsigned int nr,
		     enum baton_shared_by by);
void baton_shared_unmap(struct baton *b, struct baton_shared *parts, unsigned int nr);
void baton_shared_sync(struct baton *b, const struct baton_shared *part, bool to_device);

#endif /* BATON_SHARED_H */
