/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Carrying out what owner.c decides: see handover.c.
 */
#ifndef BATON_HANDOVER_H
#define BATON_HANDOVER_H

#include <linux/types.h>

#include "owner.h"

struct baton;
struct baton_vdpa;

int baton_handover_event(struct baton *b, enum baton_event event);
int baton_handover_reset(struct baton *b);
int baton_handover_show(struct baton *b, unsigned int asid);
void baton_handover_unbind(struct baton *b);
void baton_handover_fail(struct baton_vdpa *bv, bool stop);

#endif /* BATON_HANDOVER_H */
