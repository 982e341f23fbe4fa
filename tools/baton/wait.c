// SPDX-License-Identifier: GPL-2.0-only
#include <time.h>

#include "wait.h"

#define STEP_MS 10

static long long wait_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

bool wait_until(bool (*is_true)(void *data), void *data, int milliseconds)
{
	const struct timespec step = { 0, STEP_MS * 1000000L };
	long long end = wait_now() + milliseconds;

	while (!is_true(data)) {
		if (wait_now() >= end)
			return false;
		nanosleep(&step, NULL);
	}
	return true;
}
