/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Consumers come and go: see consumer.c.
 */
#ifndef BATON_CONSUMER_H
#define BATON_CONSUMER_H

#include <linux/types.h>

struct baton_vdpa;

int baton_consumer_watch(struct baton_vdpa *bv);
void baton_consumer_unwatch(struct baton_vdpa *bv);
bool baton_consumer_refused(const struct baton_vdpa *bv);
void baton_consumer_set_config_cb(struct baton_vdpa *bv, const struct vdpa_callback *cb);

#endif /* BATON_CONSUMER_H */
