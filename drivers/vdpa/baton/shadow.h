/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A copy of the device-specific configuration space: see shadow.c.
 */
#ifndef BATON_SHADOW_H
#define BATON_SHADOW_H

#include <linux/atomic.h>
#include <linux/types.h>

struct baton;

/* No configuration space of a known class is larger. */
#define BATON_SHADOW_SIZE	160

/**
 * struct baton_shadow - a copy of the device-specific configuration space
 * @stale: it has to be made anew before it is read; set in any context
 * @read: when it was made, in jiffies
 * @generation: counts the copies that differ from the one before
 * @told: the generation that it had at the last DRIVER_OK
 * @size: how many bytes; 0: there is no copy
 * @bytes: the copy
 *
 * &baton.lock guards all but @stale.
 */
struct baton_shadow {
	atomic_t stale;
	unsigned long read;
	u32 generation;
	u32 told;
	unsigned int size;
	u8 bytes[BATON_SHADOW_SIZE];
};

void baton_shadow_init(struct baton *b);
void baton_shadow_stale(struct baton *b);
int baton_shadow_read(struct baton *b, unsigned int offset, void *buf, unsigned int len);
int baton_shadow_write(struct baton *b, u64 features, unsigned int offset, const void *buf,
		       unsigned int len);
u32 baton_shadow_generation(struct baton *b);
bool baton_shadow_moved(struct baton *b);

#endif /* BATON_SHADOW_H */
