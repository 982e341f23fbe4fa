// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user.h"

/* Of a queue's part: descriptors, available ring, used ring, the buffer. */
#define USER_PART (4 * USER_BUFFER)
#define USER_AVAIL 2048
#define USER_USED USER_BUFFER
#define USER_DATA (2 * USER_BUFFER)

_Static_assert(USER_QUEUES *USER_PART <= USER_MEMORY, "each queue has its part");

static int user_ioctl(const struct user *u, unsigned long request, void *arg)
{
	int got = ioctl(u->fd, request, arg);

	return got < 0 ? -errno : got;
}

int user_open(struct user *u, const char *node)
{
	uint64_t features = 1ULL << VHOST_BACKEND_F_IOTLB_MSG_V2;
	struct vhost_vdpa_iova_range range;
	int err;

	memset(u, 0, sizeof(*u));
	u->fd = open(node, O_RDWR | O_CLOEXEC);
	if (u->fd < 0)
		return -errno;
	u->memory =
		mmap(NULL, USER_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (u->memory == MAP_FAILED)
		u->memory = NULL;
	err = u->memory ? user_ioctl(u, VHOST_SET_OWNER, NULL) : -ENOMEM;
	if (!err)
		err = user_ioctl(u, VHOST_SET_BACKEND_FEATURES, &features);
	if (!err)
		err = user_ioctl(u, VHOST_VDPA_GET_IOVA_RANGE, &range);
	if (err) {
		user_close(u);
		return err;
	}
	/* Not at 0, which some devices take for no address. */
	u->iova = (range.first + 2 * USER_MEMORY - 1) & ~(uint64_t)(USER_MEMORY - 1);
	return 0;
}

static void user_close_events(struct user *u)
{
	unsigned int i;

	for (i = 0; i < u->nr; i++) {
		close(u->queues[i].kick);
		close(u->queues[i].call);
	}
	u->nr = 0;
}

void user_close(struct user *u)
{
	user_close_events(u);
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
	if (u->memory)
		munmap(u->memory, USER_MEMORY);
	u->memory = NULL;
}

int user_get_features(const struct user *u, uint64_t *features)
{
	return user_ioctl(u, VHOST_GET_FEATURES, features);
}

int user_set_features(const struct user *u, uint64_t features)
{
	return user_ioctl(u, VHOST_SET_FEATURES, &features);
}

int user_set_status(const struct user *u, unsigned char status)
{
	return user_ioctl(u, VHOST_VDPA_SET_STATUS, &status);
}

int user_get_status(const struct user *u)
{
	unsigned char status;
	int err = user_ioctl(u, VHOST_VDPA_GET_STATUS, &status);

	return err ? err : status;
}

int user_queue_size(const struct user *u)
{
	uint16_t size;
	int err = user_ioctl(u, VHOST_VDPA_GET_VRING_NUM, &size);

	return err ? err : size;
}

int user_queue_count(const struct user *u)
{
	uint32_t count;
	int err = user_ioctl(u, VHOST_VDPA_GET_VQS_COUNT, &count);

	return err ? err : (int)count;
}

int user_config_size(const struct user *u)
{
	uint32_t size;
	int err = user_ioctl(u, VHOST_VDPA_GET_CONFIG_SIZE, &size);

	return err ? err : (int)size;
}

int user_get_config(const struct user *u, unsigned char *config, size_t size)
{
	struct vhost_vdpa_config *c = calloc(1, sizeof(*c) + size);
	int err;

	if (!c)
		return -ENOMEM;
	c->len = (uint32_t)size;
	err = user_ioctl(u, VHOST_VDPA_GET_CONFIG, c);
	memcpy(config, c->buf, size);
	free(c);
	return err;
}

static int user_tell(const struct user *u, unsigned char type)
{
	struct vhost_msg_v2 msg = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.iova = u->iova,
			.size = USER_MEMORY,
			.uaddr = (uintptr_t)u->memory,
			.perm = VHOST_ACCESS_RW,
			.type = type,
		},
	};

	return write(u->fd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -errno;
}

int user_map(const struct user *u)
{
	return user_tell(u, VHOST_IOTLB_UPDATE);
}

int user_unmap(const struct user *u)
{
	return user_tell(u, VHOST_IOTLB_INVALIDATE);
}

int user_negotiate(const struct user *u, uint64_t features)
{
	int err = user_set_status(u, USER_DRIVER);

	if (!err)
		err = user_set_features(u, features);
	if (!err)
		err = user_set_status(u, USER_FEATURES_OK);
	if (err)
		return err;
	return user_get_status(u) == USER_FEATURES_OK ? 0 : -EPROTO;
}

static int user_queue_init(struct user *u, unsigned int index, unsigned int size)
{
	struct user_queue *q = &u->queues[index];
	struct vhost_vring_state number = { .index = index, .num = size };
	struct vhost_vring_state base = { .index = index }, enable = { .index = index, .num = 1 };
	struct vhost_vring_file file = { .index = index };
	struct vhost_vring_addr addr = { .index = index };
	int err;

	q->size = size;
	q->at = (size_t)index * USER_PART;
	q->seen = 0;
	q->kick = eventfd(0, EFD_CLOEXEC);
	q->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	u->nr = index + 1;
	memset(u->memory + q->at, 0, USER_PART);
	addr.desc_user_addr = u->iova + q->at;
	addr.avail_user_addr = addr.desc_user_addr + USER_AVAIL;
	addr.used_user_addr = addr.desc_user_addr + USER_USED;
	err = user_ioctl(u, VHOST_SET_VRING_NUM, &number);
	if (!err)
		err = user_ioctl(u, VHOST_SET_VRING_BASE, &base);
	if (!err)
		err = user_ioctl(u, VHOST_SET_VRING_ADDR, &addr);
	file.fd = q->kick;
	if (!err)
		err = user_ioctl(u, VHOST_SET_VRING_KICK, &file);
	file.fd = q->call;
	if (!err)
		err = user_ioctl(u, VHOST_SET_VRING_CALL, &file);
	if (!err)
		err = user_ioctl(u, VHOST_VDPA_SET_VRING_ENABLE, &enable);
	return err;
}

int user_start(struct user *u, unsigned int nr)
{
	int size = user_queue_size(u), err = size < 0 ? size : 0;
	unsigned int i;

	for (i = 0; i < nr && !err; i++)
		err = user_queue_init(u, i, size < USER_SIZE ? (unsigned int)size : USER_SIZE);
	if (!err)
		err = user_set_status(u, USER_DRIVER_OK);
	if (err)
		return err;
	return user_get_status(u) == USER_DRIVER_OK ? 0 : -EPROTO;
}

int user_stop(struct user *u)
{
	int err = user_set_status(u, 0);

	user_close_events(u);
	if (err)
		return err;
	err = user_get_status(u);
	return err > 0 ? -EPROTO : err;
}

unsigned char *user_buffer(const struct user *u, unsigned int queue)
{
	return u->memory + u->queues[queue].at + USER_DATA;
}

int user_post(struct user *u, unsigned int queue, const struct user_part *parts, unsigned int nr)
{
	struct user_queue *q = &u->queues[queue];
	struct vring_desc *desc = (void *)(u->memory + q->at);
	struct vring_avail *avail = (void *)(u->memory + q->at + USER_AVAIL);
	unsigned int i;

	for (i = 0; i < nr; i++) {
		desc[i].addr = u->iova + q->at + USER_DATA + parts[i].offset;
		desc[i].len = (uint32_t)parts[i].size;
		desc[i].flags = (uint16_t)((parts[i].write ? VRING_DESC_F_WRITE : 0) |
					   (i + 1 < nr ? VRING_DESC_F_NEXT : 0));
		desc[i].next = (uint16_t)(i + 1);
	}
	avail->ring[avail->idx % q->size] = 0;
	__atomic_store_n(&avail->idx, (uint16_t)(avail->idx + 1), __ATOMIC_RELEASE);
	return eventfd_write(q->kick, 1) ? -errno : 0;
}

int user_wait(struct user *u, unsigned int queue, int milliseconds)
{
	struct user_queue *q = &u->queues[queue];
	struct vring_used *used = (void *)(u->memory + q->at + USER_USED);
	struct pollfd told = { .fd = q->call, .events = POLLIN };
	bool came = poll(&told, 1, milliseconds) == 1;
	eventfd_t number;
	uint32_t len;

	if (came)
		eventfd_read(q->call, &number);
	if (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) == q->seen)
		return -ETIMEDOUT;
	len = used->ring[q->seen % q->size].len;
	q->seen++;
	return came ? (int)len : -EIO;
}
