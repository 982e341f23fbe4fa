/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel's virtio drivers made of a function: netdevs and disks. */
#ifndef BATON_MADE_H
#define BATON_MADE_H

#include <stdbool.h>

/* A "net" or a "block". The name is "" if it is a netdev of another network namespace. */
typedef bool (*made_is)(void *data, const char *kind, const char *name);
/* Each that is below the function's directory in sysfs, until one is it; whether one was. */
bool made_any(const char *function, made_is is, void *data);

#endif
