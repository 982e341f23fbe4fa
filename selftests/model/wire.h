/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_WIRE_H
#define MODEL_WIRE_H

#include "model.h"

#define WIRE_MAX (64 * 1024) /* bytes of a message, its header included */
#define WIRE_FDS 16

enum wire_command {
	WIRE_VERSION = 1,
	WIRE_DMA_MAP,
	WIRE_DMA_UNMAP,
	WIRE_GET_INFO,
	WIRE_GET_REGION_INFO,
	WIRE_GET_REGION_FDS,
	WIRE_GET_IRQ_INFO,
	WIRE_SET_IRQS,
	WIRE_REGION_READ,
	WIRE_REGION_WRITE,
	WIRE_DMA_READ,
	WIRE_DMA_WRITE,
	WIRE_RESET,
};

#define WIRE_REPLY 1
#define WIRE_TYPE 0xf
#define WIRE_NO_REPLY 0x10
#define WIRE_ERROR 0x20

struct wire_header {
	u16 id, command;
	u32 size, flags, error;
};

struct wire_fds {
	unsigned int nr;
	int fd[WIRE_FDS]; /* whoever keeps one puts -1 in its place */
};

/*
 * A request of QEMU's, whole, in @msg: do what it asks for. The answer is put in
 * @reply, which has WIRE_MAX bytes; its length is returned, 0 if none is due.
 */
size_t wire_request(struct model *m, const u8 *msg, size_t len, struct wire_fds *fds, u8 *reply);

/* One message from the socket; answers requests. True: it is the reply to our request @id. */
bool wire_receive(struct model *m, u16 id, void *data, size_t len, int *error);

int wire_dma(struct model *m, bool write, u64 addr, void *data, size_t len);

#endif /* MODEL_WIRE_H */
