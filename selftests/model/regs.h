/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_REGS_H
#define MODEL_REGS_H

#include "model.h"

#define REGS_COMMON_SIZE 64
#define REGS_NET 1
#define REGS_BLK 2

/* Status (virtio 1.4, 2.1), features of the transport */
#define S_DRIVER_OK 4
#define S_FEATURES_OK 8
#define S_SUSPEND 16
#define S_NEEDS_RESET 64
#define F_INDIRECT 28
#define F_EVENT_IDX 29
#define F_VERSION_1 32
#define F_ACCESS_PLATFORM 33
#define F_RING_PACKED 34
#define F_IN_ORDER 35
#define F_ORDER_PLATFORM 36
#define F_NOTIFICATION_DATA 38
#define F_RING_RESET 40
#define F_SUSPEND 43

void regs_init(struct model *m);
void regs_read_common(struct model *m, u64 offset, u8 *data, u32 len);
void regs_write_common(struct model *m, u64 offset, const u8 *data, u32 len);
void regs_read_isr(struct model *m, u8 *data);
void regs_read_config(const struct model *m, u64 offset, u8 *data, u32 len);
void regs_write_config(struct model *m, u64 offset, const u8 *data, u32 len);
void regs_doorbell(struct model *m, u64 offset, const u8 *data, u32 len);
void regs_read_index(const struct model *m, u64 offset, u8 *data, u32 len);
void regs_write_index(struct model *m, u64 offset, const u8 *data, u32 len);

/* By status 0, or of the whole function; carried out by regs_work(), when no DMA is under way. */
void regs_ask_reset(struct model *m, bool flr);
void regs_work(struct model *m);

bool regs_running(const struct model *m);
void regs_config_changed(struct model *m);
void regs_queue_irq(struct model *m, const struct queue *q);
/* It cannot go on; says so if it may. */
void regs_needs_reset(struct model *m);

#endif /* MODEL_REGS_H */
