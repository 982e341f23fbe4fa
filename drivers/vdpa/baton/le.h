/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Little-endian numbers of up to 8 bytes, at any alignment. Pure C, as owner.h is.
 */
#ifndef BATON_LE_H
#define BATON_LE_H

#include <linux/types.h>

static inline u64 baton_le_get(const u8 *bytes, unsigned int width)
{
	u64 value = 0;

	while (width--)
		value = value << 8 | bytes[width];

	return value;
}

static inline void baton_le_put(u8 *bytes, u64 value, unsigned int width)
{
	while (width--) {
		*bytes++ = value;
		value >>= 8;
	}
}

#endif /* BATON_LE_H */
