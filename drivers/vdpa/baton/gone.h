/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vDPA device whose function has left it: see gone.c.
 */
#ifndef BATON_GONE_H
#define BATON_GONE_H

#include "core.h"

int baton_gone_init(void);
void baton_gone_uninit(void);
void baton_gone_leave(struct baton_vdpa *bv);

/**
 * baton_gone_is() - has its function left this vDPA device?
 * @bv: the vDPA device
 *
 * Context: any.
 * Return: true if so.
 */
static inline bool baton_gone_is(const struct baton_vdpa *bv)
{
	return READ_ONCE(bv->b) == &bv->gone.b;
}

#endif /* BATON_GONE_H */
