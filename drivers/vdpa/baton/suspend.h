/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A user's device is stopped, and goes on where it stood: see suspend.c.
 */
#ifndef BATON_SUSPEND_H
#define BATON_SUSPEND_H

struct baton_vdpa;

int baton_suspend(struct baton_vdpa *bv);
int baton_suspend_end(struct baton_vdpa *bv);

#endif /* BATON_SUSPEND_H */
