// SPDX-License-Identifier: GPL-2.0-only
/* Blk: sectors of a file. */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blk.h"
#include "queue.h"

#define F_ZONED 17
#define SECTOR 512
#define HEADER 16
#define SEGMENTS 126
#define DATA_MAX (4 << 20)
#define BATCH 64 /* requests that can change places */

_Static_assert(sizeof(((struct model *)0)->name) == VIRTIO_BLK_ID_BYTES, "told as it is");

int blk_init(struct model *m)
{
	struct virtio_blk_config c = { .seg_max = SEGMENTS, .blk_size = SECTOR };
	struct stat st;

	m->blk.fd = open(m->file ? m->file : "/dev/null", O_RDWR | O_CLOEXEC);
	if (m->blk.fd < 0 || fstat(m->blk.fd, &st))
		return -errno;
	m->blk.sectors = st.st_size / SECTOR;
	c.capacity = m->blk.sectors;
	c.num_queues = m->set.queues;
	m->config_len = offsetof(struct virtio_blk_config, max_discard_sectors);
	memcpy(m->config, &c, m->config_len);
	/* Not known to each header; nor has it any zones, as long as nobody says so. */
	if (m->set.features & BIT(F_ZONED))
		m->config_len = sizeof(m->config);
	return 0;
}

void blk_end(struct model *m)
{
	if (m->blk.fd >= 0)
		close(m->blk.fd);
	m->blk.fd = -1;
}

u64 blk_features(const struct model *m)
{
	return BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) |
	       (m->set.queues > 1 ? BIT(VIRTIO_BLK_F_MQ) : 0);
}

/* Reads or writes; returns the status, and in @written how much of the buffers was written. */
static u8 blk_move(struct model *m, struct queue *q, const struct chain *c, bool in, u64 sector,
		   size_t *written)
{
	size_t len = in ? queue_room(c, true) - 1 : queue_room(c, false) - HEADER;
	u8 status = VIRTIO_BLK_S_IOERR;
	off_t at = sector * SECTOR;
	u8 *data;

	if (len % SECTOR || len > DATA_MAX || sector > m->blk.sectors ||
	    len / SECTOR > m->blk.sectors - sector)
		return VIRTIO_BLK_S_IOERR;
	data = malloc(len + 1);
	if (!data)
		return VIRTIO_BLK_S_IOERR;
	if (in) {
		if (pread(m->blk.fd, data, len, at) == (ssize_t)len &&
		    queue_write(m, q, c, 0, data, len) == len) {
			*written = len;
			status = VIRTIO_BLK_S_OK;
		}
	} else if (queue_read(m, q, c, HEADER, data, len) == len &&
		   pwrite(m->blk.fd, data, len, at) == (ssize_t)len) {
		status = VIRTIO_BLK_S_OK;
	}
	free(data);
	return status;
}

static void blk_request(struct model *m, struct queue *q, const struct chain *c)
{
	struct virtio_blk_outhdr header;
	size_t room = queue_room(c, true), written = 0;
	char id[VIRTIO_BLK_ID_BYTES] = { 0 };
	u8 status = VIRTIO_BLK_S_UNSUPP;

	if (!room || queue_read(m, q, c, 0, &header, HEADER) != HEADER) {
		queue_put(m, q, c, 0);
		return;
	}
	switch (header.type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		status = blk_move(m, q, c, header.type == VIRTIO_BLK_T_IN, header.sector, &written);
		break;
	case VIRTIO_BLK_T_FLUSH:
		status = VIRTIO_BLK_S_OK;
		break;
	case VIRTIO_BLK_T_GET_ID:
		memcpy(id, m->name, sizeof(id));
		written =
			queue_write(m, q, c, 0, id, room - 1 < sizeof(id) ? room - 1 : sizeof(id));
		status = VIRTIO_BLK_S_OK;
		break;
	}
	if (!(m->set.mute && m->set.wrong_queue == q->index))
		queue_write(m, q, c, room - 1, &status, 1);
	queue_put(m, q, c, written + 1);
}

void blk_queue(struct model *m, struct queue *q)
{
	static struct chain batch[BATCH];
	unsigned int nr = 0, max = m->set.reorder ? BATCH : 1;

	do {
		for (nr = 0; nr < max && queue_get(m, q, &batch[nr]); nr++)
			;
		for (unsigned int i = nr; i-- > m->set.held;)
			blk_request(m, q, &batch[i]);
		if (nr)
			queue_tell(m, q);
	} while (nr == max);
}
