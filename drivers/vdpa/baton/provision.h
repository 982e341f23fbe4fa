/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the administrator fixes: see provision.c.
 */
#ifndef BATON_PROVISION_H
#define BATON_PROVISION_H

struct baton_vdpa;
struct vdpa_dev_set_config;

int baton_provision_init(struct baton_vdpa *bv, const struct vdpa_dev_set_config *config);
void baton_provision_meet(struct baton_vdpa *bv);
int baton_provision_change(struct baton_vdpa *bv, const struct vdpa_dev_set_config *config);

#endif /* BATON_PROVISION_H */
