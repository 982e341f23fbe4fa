/* SPDX-License-Identifier: GPL-2.0-only */
/* A line of the kernel's trace taken apart. */
#ifndef BATON_WATCH_H
#define BATON_WATCH_H

#include <stdbool.h>

struct watch_event {
	const char *name;
	char *who, *what;
};

/* Parts of the line, which is changed. False if it tells of nothing that is watched. */
bool watch_split(char *line, struct watch_event *event);

#endif
