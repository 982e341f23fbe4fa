/* SPDX-License-Identifier: GPL-2.0-only */
/* Waiting for what the kernel does in its own time. */
#ifndef BATON_WAIT_H
#define BATON_WAIT_H

#include <stdbool.h>

/* Until it is true, but no longer than this; whether it came true. */
bool wait_until(bool (*is_true)(void *data), void *data, int milliseconds);

#endif
