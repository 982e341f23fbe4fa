/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A ring of a user's, as the CPU sees it: see area.c.
 */
#ifndef BATON_AREA_H
#define BATON_AREA_H

#include <linux/types.h>

struct baton;
struct page;

/**
 * struct baton_area - an area of a ring of the owner's, as the CPU sees it
 * @iova: where the function would see it
 * @len: how many bytes
 * @pages: its pages, a reference held on each
 * @nr_pages: how many
 * @map: where they are mapped; %NULL: they are not, and no reference is held
 *
 * &baton.lock guards all of it.
 */
struct baton_area {
	u64 iova;
	size_t len;
	struct page **pages;
	unsigned int nr_pages;
	void *map;
};

int baton_area_init(struct baton_area *area, u64 iova, size_t len);
void baton_area_uninit(struct baton_area *area);
int baton_area_map(struct baton *b, struct baton_area *area, bool write);
void baton_area_unmap(struct baton_area *area);
bool baton_area_is_writable(struct baton *b, const struct baton_area *area);
void *baton_area_start(const struct baton_area *area);
bool baton_area_touches(const struct baton_area *area, u64 iova, u64 last);

#endif /* BATON_AREA_H */
