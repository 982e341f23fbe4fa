/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A user of a vhost-vdpa node: as much of a driver as it takes to see whether a
 * function does what it should. One piece of memory, mapped as a whole; split
 * queues in it.
 */
#ifndef BATON_USER_H
#define BATON_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USER_MEMORY (4U << 20)
#define USER_QUEUES 64
/* What fits into a queue's part of the memory, and is more than one page. */
#define USER_SIZE 64
#define USER_BUFFER 4096

/* Device status (virtio 1.2, 2.1), cumulated. */
enum {
	USER_DRIVER = 3,
	USER_FEATURES_OK = 11,
	USER_DRIVER_OK = 15,
};

struct user_queue {
	unsigned int size;
	/* Of its part of the memory, from where descriptors, rings and buffer are. */
	size_t at;
	uint16_t seen;
	int kick, call;
};

struct user {
	int fd;
	unsigned char *memory;
	uint64_t iova;
	unsigned int nr;
	struct user_queue queues[USER_QUEUES];
};

/* A part of a queue's buffer; the device writes or reads it. */
struct user_part {
	size_t offset, size;
	bool write;
};

/* These return 0 or a negative errno. */
int user_open(struct user *u, const char *node);
void user_close(struct user *u);
int user_get_features(const struct user *u, uint64_t *features);
int user_set_features(const struct user *u, uint64_t features);
int user_set_status(const struct user *u, unsigned char status);
/* A negative errno, or the status. */
int user_get_status(const struct user *u);
/* A negative errno, or how many entries it can have, how many queues there are. */
int user_queue_size(const struct user *u);
int user_queue_count(const struct user *u);
int user_get_config(const struct user *u, unsigned char *config, size_t size);
/* A negative errno, or its size. */
int user_config_size(const struct user *u);
int user_map(const struct user *u);
int user_unmap(const struct user *u);
/* Up to FEATURES_OK; -EPROTO if the device did not take them. */
int user_negotiate(const struct user *u, uint64_t features);
/* With that many queues, up to DRIVER_OK; -EPROTO if the device did not take it. */
int user_start(struct user *u, unsigned int nr);
/* Until it reads 0, which the driver has waited for; eventfds are closed. */
int user_stop(struct user *u);
/* Where a queue's buffer is. */
unsigned char *user_buffer(const struct user *u, unsigned int queue);
/* One request: doorbell. */
int user_post(struct user *u, unsigned int queue, const struct user_part *parts, unsigned int nr);
/* Until the interrupt has come and the request is used: how many bytes were written, or -ETIMEDOUT
 * if it is not used, -EIO if it is and no interrupt came. */
int user_wait(struct user *u, unsigned int queue, int milliseconds);

#endif
