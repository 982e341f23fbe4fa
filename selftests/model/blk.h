/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_BLK_H
#define MODEL_BLK_H

#include "model.h"

int blk_init(struct model *m);
void blk_end(struct model *m);
u64 blk_features(const struct model *m);
void blk_queue(struct model *m, struct queue *q);

#endif /* MODEL_BLK_H */
