// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capabilities of virtio as no function should have them, made from a number: regions that
 * overlap, lie outside their BAR or are of no size, types that are missing, twice or unknown.
 * The same number makes the same ones. The chain stays: its links are QEMU's.
 */
#include <linux/virtio_pci.h>
#include <string.h>

#include "caps.h"

#define CHANGES_MAX 4

static u32 caps_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 16;
}

/* Small, at an edge of what 32 bits or a page hold, or anything. */
static u32 caps_number(u64 *state)
{
	static const u32 edges[] = {
		0,	    1,		2,	    3,		4,	    55,
		56,	    63,		64,	    0xfff,	0x1000,	    0x1001,
		0x7fffffff, 0x80000000, 0xfffff000, 0xfffffffc, 0xffffffff,
	};
	u32 pick = caps_random(state);

	return pick & 1 ? edges[(pick >> 1) % ARRAY_LEN(edges)] : caps_random(state);
}

static void caps_put(u8 *field, u32 value)
{
	memcpy(field, &value, sizeof(value));
}

static void caps_change(u8 *cap, const u8 *other, u64 *state)
{
	switch (caps_random(state) % 8) {
	case 0:
		cap[VIRTIO_PCI_CAP_CFG_TYPE] = caps_random(state) % 12;
		break;
	case 1:
		cap[VIRTIO_PCI_CAP_BAR] = caps_random(state) % 9;
		break;
	case 2:
		caps_put(cap + VIRTIO_PCI_CAP_OFFSET, caps_number(state));
		break;
	case 3:
		caps_put(cap + VIRTIO_PCI_CAP_LENGTH, caps_number(state));
		break;
	case 4: /* all of another's but its place in the chain: overlaps, or is there twice */
		memcpy(cap + VIRTIO_PCI_CAP_BAR, other + VIRTIO_PCI_CAP_BAR, 12);
		if (caps_random(state) & 1)
			cap[VIRTIO_PCI_CAP_CFG_TYPE] = other[VIRTIO_PCI_CAP_CFG_TYPE];
		break;
	case 5:
		cap[VIRTIO_PCI_CAP_LEN] = caps_random(state);
		break;
	case 6: /* of doorbells; of others it is the next capability's, or nothing */
		if (cap[VIRTIO_PCI_CAP_CFG_TYPE] == VIRTIO_PCI_CAP_NOTIFY_CFG)
			caps_put(cap + VIRTIO_PCI_NOTIFY_CAP_MULT, caps_number(state));
		break;
	default: /* missing */
		cap[VIRTIO_PCI_CAP_CFG_TYPE] = 0;
	}
}

void caps_mangle(u8 *caps, u64 seed)
{
	/* never 0, where the generator would stay */
	u64 state = seed * 0x9e3779b97f4a7c15 | 1;
	unsigned int changes = 1 + caps_random(&state) % CHANGES_MAX;

	while (changes--) {
		u8 *cap = caps + CAP_SIZE * (caps_random(&state) % NR_CAPS);

		caps_change(cap, caps + CAP_SIZE * (caps_random(&state) % NR_CAPS), &state);
	}
}
