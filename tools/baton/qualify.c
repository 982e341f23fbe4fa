// SPDX-License-Identifier: GPL-2.0-only
/*
 * A suite for a real function, as its user sees it: KTAP out. It writes nothing to
 * a disk; from a net function it sends one frame, to the function's own address.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "device.h"
#include "function.h"
#include "qualify.h"
#include "user.h"

#define VERSION_1 (1ULL << VIRTIO_F_VERSION_1)
#define ACCESS_PLATFORM (1ULL << VIRTIO_F_ACCESS_PLATFORM)
#define BLK_MQ (1ULL << 12)
#define ROUNDS 50
#define ANSWER_MS 2000
#define LATE_MS 200

struct qualify {
	struct user user;
	struct function fn;
	const char *name;
	uint64_t offered, taken;
	unsigned int queues;
	/* Why not, or what was measured. */
	char why[256];
};

enum qualify_result { QUALIFY_OK, QUALIFY_FAILED, QUALIFY_SKIPPED };

__attribute__((format(printf, 3, 4))) static enum qualify_result
qualify_say(struct qualify *q, enum qualify_result result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(q->why, sizeof(q->why), format, args);
	va_end(args);
	return result;
}

static enum qualify_result qualify_fail(struct qualify *q, const char *what, int err)
{
	return qualify_say(q, QUALIFY_FAILED, "%s: %s", what, strerror(-err));
}

static double qualify_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static bool qualify_is(const struct qualify *q, const char *class)
{
	return !strcmp(q->fn.class, class);
}

static enum qualify_result qualify_features(struct qualify *q)
{
	int err = user_get_features(&q->user, &q->offered);

	if (err)
		return qualify_fail(q, "features", err);
	if (!(q->offered & VERSION_1) || !(q->offered & ACCESS_PLATFORM))
		return qualify_say(q, QUALIFY_FAILED, "0x%llx lack VERSION_1 or ACCESS_PLATFORM",
				   (unsigned long long)q->offered);
	/* Without a control queue, and one pair: nothing that the function keeps for its next
	 * owner. */
	q->taken = VERSION_1 | ACCESS_PLATFORM;
	if (qualify_is(q, "block"))
		q->taken |= q->offered & BLK_MQ;
	return qualify_say(q, QUALIFY_OK, "0x%llx", (unsigned long long)q->offered);
}

static enum qualify_result qualify_refusal(struct qualify *q)
{
	uint64_t wrong = ~q->offered & -~q->offered;
	int err;

	if (!wrong)
		return qualify_say(q, QUALIFY_SKIPPED, "every feature is offered");
	err = user_negotiate(&q->user, q->taken | wrong);
	user_stop(&q->user);
	return err ? QUALIFY_OK
		   : qualify_say(q, QUALIFY_FAILED, "0x%llx was taken", (unsigned long long)wrong);
}

static enum qualify_result qualify_reset(struct qualify *q)
{
	double begin, took, most = 0, all = 0;
	int i, err;

	for (i = 0; i < ROUNDS; i++) {
		err = user_negotiate(&q->user, q->taken);
		if (err)
			return qualify_fail(q, "FEATURES_OK", err);
		begin = qualify_now_ms();
		err = user_stop(&q->user);
		took = qualify_now_ms() - begin;
		if (err)
			return qualify_fail(q, "reset", err);
		all += took;
		most = took > most ? took : most;
	}
	return qualify_say(q, QUALIFY_OK, "%d times, %.3f ms on average, %.3f ms at most", ROUNDS,
			   all / ROUNDS, most);
}

static enum qualify_result qualify_queues(struct qualify *q)
{
	int size = user_queue_size(&q->user), count = user_queue_count(&q->user);

	if (size < 0 || count < 0)
		return qualify_fail(q, "queues", size < 0 ? size : count);
	if (!size || size > 32768 || size & (size - 1) || !count)
		return qualify_say(q, QUALIFY_FAILED, "%d queues of up to %d entries", count, size);
	q->queues = 1;
	if (qualify_is(q, "net"))
		q->queues = 2;
	else if (q->taken & BLK_MQ)
		q->queues = (unsigned int)(count < USER_QUEUES ? count : USER_QUEUES);
	return qualify_say(q, QUALIFY_OK, "%d queues of up to %d entries", count, size);
}

static enum qualify_result qualify_config(struct qualify *q)
{
	unsigned char once[256], twice[256];
	int size = user_config_size(&q->user), i, err;

	if (size < 0)
		return qualify_fail(q, "its size", size);
	if (!size)
		return qualify_say(q, QUALIFY_SKIPPED, "there is none");
	size = size > (int)sizeof(once) ? (int)sizeof(once) : size;
	for (i = 0; i < ROUNDS; i++) {
		err = user_get_config(&q->user, once, (size_t)size);
		if (!err)
			err = user_get_config(&q->user, twice, (size_t)size);
		if (err)
			return qualify_fail(q, "reading", err);
		/* Of net, the link may come and go: the status after the address. */
		if (memcmp(once, twice, qualify_is(q, "net") ? 6 : (size_t)size))
			return qualify_say(q, QUALIFY_FAILED, "two readings differ");
	}
	return qualify_say(q, QUALIFY_OK, "%d bytes", size);
}

/* From reset to DRIVER_OK. */
static int qualify_begin(struct qualify *q)
{
	int err = user_negotiate(&q->user, q->taken);

	return err ? err : user_start(&q->user, q->queues);
}

static enum qualify_result qualify_start(struct qualify *q)
{
	double begin, took, most = 0;
	struct device dev;
	int i, err;

	for (i = 0; i < ROUNDS; i++) {
		begin = qualify_now_ms();
		err = qualify_begin(q);
		took = qualify_now_ms() - begin;
		if (err)
			return qualify_fail(q, "DRIVER_OK", err);
		most = took > most ? took : most;
		if (!device_read(&dev, q->name) || strcmp(dev.owner, "user"))
			return qualify_say(q, QUALIFY_FAILED, "the owner is %s", dev.owner);
		err = user_stop(&q->user);
		if (err)
			return qualify_fail(q, "reset", err);
	}
	return qualify_say(q, QUALIFY_OK, "%d times, %u queues, %.3f ms at most", ROUNDS, q->queues,
			   most);
}

/* A request that changes nothing. The number of its parts; 0: we know of none for this class. */
static unsigned int qualify_request(struct qualify *q, unsigned int queue,
				    struct user_part parts[3])
{
	unsigned char *buffer = user_buffer(&q->user, queue);

	memset(buffer, 0, USER_BUFFER);
	if (qualify_is(q, "block")) {
		/* VIRTIO_BLK_T_GET_ID: 16 bytes of request, 20 of answer, a status. */
		buffer[0] = 8;
		buffer[36] = 0xff;
		parts[0] = (struct user_part){ 0, 16, false };
		parts[1] = (struct user_part){ 16, 20, true };
		parts[2] = (struct user_part){ 36, 1, true };
		return 3;
	}
	if (qualify_is(q, "rng")) {
		parts[0] = (struct user_part){ 0, 64, true };
		return 1;
	}
	if (qualify_is(q, "net") && queue == 1) {
		/* 12 bytes of header; a frame for local experiments, from us to us. */
		user_get_config(&q->user, buffer + 12, 6);
		memcpy(buffer + 18, buffer + 12, 6);
		buffer[24] = 0x88;
		buffer[25] = 0xb5;
		parts[0] = (struct user_part){ 0, 12 + 60, false };
		return 1;
	}
	return 0;
}

static enum qualify_result qualify_one(struct qualify *q, unsigned int queue)
{
	struct user_part parts[3];
	unsigned int nr = qualify_request(q, queue, parts);
	int got;

	if (!nr)
		return QUALIFY_SKIPPED;
	got = user_post(&q->user, queue, parts, nr);
	if (!got)
		got = user_wait(&q->user, queue, ANSWER_MS);
	if (got == -ETIMEDOUT)
		return qualify_say(q, QUALIFY_FAILED, "queue %u: no answer to its doorbell", queue);
	if (got == -EIO)
		return qualify_say(q, QUALIFY_FAILED, "queue %u: an answer, no interrupt", queue);
	if (got < 0)
		return qualify_fail(q, "doorbell", got);
	if (qualify_is(q, "block") && user_buffer(&q->user, queue)[36] == 0xff)
		return qualify_say(q, QUALIFY_FAILED, "queue %u: used, but not answered", queue);
	if (qualify_is(q, "rng") && !got)
		return qualify_say(q, QUALIFY_FAILED, "queue %u: no byte", queue);
	return QUALIFY_OK;
}

/* Each queue: its doorbell reaches the function, its vector reaches us. */
static enum qualify_result qualify_traffic(struct qualify *q)
{
	enum qualify_result result;
	unsigned int i, done = 0;
	int err = qualify_begin(q);

	if (err)
		return qualify_fail(q, "DRIVER_OK", err);
	for (i = 0; i < q->queues; i++) {
		result = qualify_one(q, i);
		if (result == QUALIFY_FAILED)
			return result;
		done += result == QUALIFY_OK;
	}
	err = user_stop(&q->user);
	if (err)
		return qualify_fail(q, "reset", err);
	if (!done)
		return qualify_say(q, QUALIFY_SKIPPED, "no harmless request is known for class %s",
				   q->fn.class);
	return qualify_say(q, QUALIFY_OK, "%u queues", done);
}

/* What was still to be written when it was reset never comes. */
static enum qualify_result qualify_late(struct qualify *q)
{
	const struct user_part whole = { 0, USER_BUFFER, true };
	struct user_part parts[3];
	unsigned int i, nr;
	size_t at;
	int err = qualify_begin(q);

	for (i = 0; i < q->queues && !err; i++) {
		nr = qualify_request(q, i, parts);
		/* Of net's receive queue: whatever comes. */
		err = nr ? user_post(&q->user, i, parts, nr) : user_post(&q->user, i, &whole, 1);
	}
	if (!err)
		err = user_stop(&q->user);
	if (err)
		return qualify_fail(q, "reset with requests under way", err);
	memset(q->user.memory, 0x5a, USER_MEMORY);
	usleep(LATE_MS * 1000);
	for (at = 0; at < USER_MEMORY; at++)
		if (q->user.memory[at] != 0x5a)
			return qualify_say(q, QUALIFY_FAILED,
					   "byte %zu of its memory changed after the reset", at);
	return qualify_say(q, QUALIFY_OK, "for %d ms", LATE_MS);
}

static enum qualify_result qualify_end(struct qualify *q)
{
	struct device dev;
	int err = user_unmap(&q->user);

	user_close(&q->user);
	if (err)
		return qualify_fail(q, "unmapping", err);
	if (!device_read(&dev, q->name))
		return qualify_say(q, QUALIFY_FAILED, "the device has gone");
	if (strcmp(dev.owner, "none") || dev.mapped || dev.fault[0])
		return qualify_say(q, QUALIFY_FAILED, "owner %s, %llu bytes mapped, fault: %s",
				   dev.owner, dev.mapped, dev.fault[0] ? dev.fault : "none");
	return QUALIFY_OK;
}

/* In this order: each takes what the ones before it have found out. */
static const struct {
	const char *name;
	enum qualify_result (*run)(struct qualify *q);
} qualify_cases[] = {
	{ "features of a modern function behind an IOMMU", qualify_features },
	{ "a feature that is not offered is refused", qualify_refusal },
	{ "queues", qualify_queues },
	{ "configuration reads the same twice", qualify_config },
	{ "the reset handshake", qualify_reset },
	{ "from reset to DRIVER_OK and back", qualify_start },
	{ "doorbells, requests, interrupts", qualify_traffic },
	{ "nothing is written after a reset", qualify_late },
	{ "memory is given back, no fault is left", qualify_end },
};

#define NR_CASES (sizeof(qualify_cases) / sizeof(qualify_cases[0]))

static int qualify_run(struct qualify *q)
{
	static const char *const verdicts[] = { "ok", "not ok", "ok" };
	enum qualify_result result;
	bool failed = false;
	size_t i;

	printf("KTAP version 1\n1..%zu\n", NR_CASES);
	for (i = 0; i < NR_CASES; i++) {
		q->why[0] = '\0';
		/* After the first that failed nothing is certain. */
		result = failed ? QUALIFY_SKIPPED : qualify_cases[i].run(q);
		if (failed)
			qualify_say(q, result, "an earlier one failed");
		if (result != QUALIFY_SKIPPED && q->why[0])
			printf("# %s\n", q->why);
		printf("%s %zu %s%s%s\n", verdicts[result], i + 1, qualify_cases[i].name,
		       result == QUALIFY_SKIPPED ? " # SKIP " : "",
		       result == QUALIFY_SKIPPED ? q->why : "");
		fflush(stdout);
		failed = failed || result == QUALIFY_FAILED;
	}
	return failed ? EXIT_FAILED : EXIT_DONE;
}

int qualify_device(const char *name)
{
	struct qualify q = { .name = name };
	struct device dev;
	int err;

	if (!function_find(&q.fn, name) || !device_read(&dev, q.fn.device))
		return command_fails(EXIT_NOT_THERE, "%s is no device: `baton add` one", name);
	q.name = q.fn.device;
	if (!dev.node[0])
		return command_fails(EXIT_IN_USE, "%s is not a user's: `baton give %s user`",
				     q.name, q.name);
	err = user_open(&q.user, dev.node);
	if (err)
		return command_fails(err == -EBUSY ? EXIT_IN_USE : EXIT_FAILED, "%s: %s", dev.node,
				     strerror(-err));
	err = user_map(&q.user);
	if (err) {
		user_close(&q.user);
		return command_fails(EXIT_FAILED,
				     "cannot map %u KiB: %s; `ulimit -l`, and last_refusal of %s",
				     USER_MEMORY >> 10, strerror(-err), q.name);
	}
	err = qualify_run(&q);
	if (q.user.memory)
		user_close(&q.user);
	return err;
}
