/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The address spaces of a user: see space.c.
 */
#ifndef BATON_SPACE_H
#define BATON_SPACE_H

#include <linux/types.h>

struct baton;
struct page;

void baton_space_init(struct baton *b);
int baton_space_map(struct baton *b, unsigned int asid, u64 iova, u64 size, u64 pa, u32 perm);
int baton_space_unmap(struct baton *b, unsigned int asid, u64 iova, u64 last);
int baton_space_show(struct baton *b, unsigned int asid);
size_t baton_space_window(struct baton *b, unsigned int asid, u64 addr, bool write, void **bytes);
bool baton_space_covers(struct baton *b, unsigned int asid, u64 addr, u64 len, bool write);
int baton_space_get(struct baton *b, unsigned int asid, u64 addr, bool write, struct page **pages,
		    unsigned int nr);
void baton_space_put(struct page **pages, unsigned int nr);

#endif /* BATON_SPACE_H */
