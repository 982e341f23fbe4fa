/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Features and device status, as the consumer sees them: see status.c.
 */
#ifndef BATON_STATUS_H
#define BATON_STATUS_H

#include <linux/types.h>

struct baton_vdpa;

u64 baton_status_offered(const struct baton_vdpa *bv);
u32 baton_status_policy(const struct baton_vdpa *bv);
int baton_status_set_features(struct baton_vdpa *bv, u64 features);
u8 baton_status_get(const struct baton_vdpa *bv);
void baton_status_set(struct baton_vdpa *bv, u8 status);
void baton_status_abandon(struct baton_vdpa *bv);
int baton_status_reset(struct baton_vdpa *bv);
void baton_status_forget(struct baton_vdpa *bv);

#endif /* BATON_STATUS_H */
