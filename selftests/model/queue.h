/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_QUEUE_H
#define MODEL_QUEUE_H

#include "model.h"

/*
 * The next chain that the driver made available: 1, or 0 if there is none, or if
 * there is no going on (the queue then rests). Nothing of it has to be given back.
 */
int queue_get(struct model *m, struct queue *q, struct chain *c);

/* Undo the last queue_get(). */
void queue_unget(const struct model *m, struct queue *q, const struct chain *c);

/* It is used, @written bytes of it; the driver is told by queue_tell(), where it wants that. */
void queue_put(struct model *m, struct queue *q, const struct chain *c, u32 written);
void queue_tell(struct model *m, struct queue *q);

/* Bytes to and from the buffers that the device may write, or read; how many there were. */
size_t queue_write(struct model *m, struct queue *q, const struct chain *c, size_t offset,
		   const void *data, size_t len);
size_t queue_read(struct model *m, struct queue *q, const struct chain *c, size_t offset,
		  void *data, size_t len);
size_t queue_room(const struct chain *c, bool write);

#endif /* MODEL_QUEUE_H */
