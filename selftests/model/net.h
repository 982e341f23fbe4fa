/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_NET_H
#define MODEL_NET_H

#include "model.h"

void net_init(struct model *m);
void net_reset(struct model *m);

/* The features that the class has, by its settings. */
u64 net_features(const struct model *m);

/* Whether a frame is for us; true: it is put in a queue, or lost. */
bool net_wants(const struct model *m, const u8 *frame, size_t len);
void net_receive(struct model *m, const u8 *frame, size_t len);

void net_queue(struct model *m, struct queue *q);
u16 net_control_index(const struct model *m);

#endif /* MODEL_NET_H */
