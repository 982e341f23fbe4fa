/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's short names, for kernel files that are compiled in user space. */
#ifndef UNIT_LINUX_TYPES_H
#define UNIT_LINUX_TYPES_H

#include_next <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#endif /* UNIT_LINUX_TYPES_H */
