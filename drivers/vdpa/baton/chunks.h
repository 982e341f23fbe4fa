/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which chunk of memory is mapped where, in one address space: see chunks.c.
 */
#ifndef BATON_CHUNKS_H
#define BATON_CHUNKS_H

#include <linux/types.h>
#include <linux/xarray.h>

/**
 * struct baton_chunks - what is mapped in one address space
 * @windows: by IO virtual address; see chunks.c
 * @pages: cache of the last look-up that found a list of pages: that list; NULL: none
 * @window: the window that @pages lists
 *
 * The caller serialises all calls for one of these, look-ups included, since they fill
 * the cache: in the core &baton.lock does.
 */
struct baton_chunks {
	struct xarray windows;
	u64 *pages;
	unsigned long window;
};

/**
 * struct baton_chunk - contiguous memory that was mapped at once
 * @iova: the first IO virtual address
 * @size: how many bytes
 * @pa: physical address of the first
 * @perm: %VHOST_ACCESS_RO, %VHOST_ACCESS_WO or %VHOST_ACCESS_RW
 */
struct baton_chunk {
	u64 iova;
	u64 size;
	u64 pa;
	u32 perm;
};

/**
 * struct baton_walk - a way through what is mapped
 * @at: where to look next
 * @last: where to end, itself included
 * @partly: a chunk was met that lies in the range only partly
 */
struct baton_walk {
	u64 at;
	u64 last;
	bool partly;
};

void baton_chunks_init(struct baton_chunks *c);
int baton_chunks_add(struct baton_chunks *c, const struct baton_chunk *chunk);
void baton_chunks_del(struct baton_chunks *c, const struct baton_chunk *chunk);
bool baton_chunks_next(struct baton_chunks *c, struct baton_walk *walk, struct baton_chunk *chunk);
u64 baton_chunks_find(struct baton_chunks *c, u64 iova, u64 *pa, u32 *perm);

#endif /* BATON_CHUNKS_H */
