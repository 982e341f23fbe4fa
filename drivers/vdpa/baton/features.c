// SPDX-License-Identifier: GPL-2.0-only
/*
 * Feature bits: what a function can do is not what a consumer can carry.
 *
 * Bits 0 to 23 and from 50 on are the device's (virtio 1.2, 2.2), and mean
 * nothing to us but for network devices (net.c). The rest belong to the queues
 * and the transport, and between the consumer and the function there are two
 * transports: the vDPA bus and the function's own. Of these a bit is offered only
 * if it is known to work through both: what it asks for, the core has to do.
 */
#include <linux/types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "features.h"

#define BIT64(nr) (1ULL << (nr))

#define DEVICE_MASK ((BIT64(24) - 1) | ~(BIT64(50) - 1))

/* Since virtio 1.2; the number is part of the specification. */
#define F_NOTIFICATION_DATA	38

/*
 * Not carried: SR_IOV, NOTIF_CONFIG_DATA, RING_RESET, ADMIN_VQ and SUSPEND, for
 * which the vDPA bus has no operation; what legacy devices had; reserved ones.
 */
#define CARRIED_MASK						\
	(BIT64(VIRTIO_RING_F_INDIRECT_DESC) |			\
	 BIT64(VIRTIO_RING_F_EVENT_IDX) |			\
	 BIT64(VIRTIO_F_VERSION_1) |				\
	 BIT64(VIRTIO_F_ACCESS_PLATFORM) |			\
	 BIT64(VIRTIO_F_RING_PACKED) |				\
	 BIT64(VIRTIO_F_IN_ORDER) |				\
	 BIT64(VIRTIO_F_ORDER_PLATFORM) |			\
	 BIT64(F_NOTIFICATION_DATA))

/**
 * baton_features_offer() - what can be offered to a consumer
 * @hardware: what the function offers, or as much of it as was provisioned
 * @consumer: to whom; %BATON_NONE: what may be offered to anybody at all
 *
 * Return: the feature bits.
 */
u64 baton_features_offer(u64 hardware, enum baton_party consumer)
{
	u64 offered = hardware & (DEVICE_MASK | CARRIED_MASK);

	/*
	 * vhost_vdpa's kicks are eventfd wake-ups: they carry no data. And a device that goes by
	 * the order of descriptors would, after a reset, begin with the first one, wherever the
	 * user's queue is to go on (C14).
	 */
	if (consumer == BATON_USER)
		offered &= ~(BIT64(F_NOTIFICATION_DATA) | BIT64(VIRTIO_F_IN_ORDER));

	return offered;
}

/**
 * baton_features_rung() - what can be offered of a function with such doorbells
 * @hardware: what the function offers
 * @apart: a doorbell of it has a page to itself, which users can map, or could at some time
 *
 * Who has mapped a doorbell keeps it: past reset, and past the end of the vDPA device. Without
 * NOTIFICATION_DATA it says no more than "look", which does the next owner no harm; with it, it
 * would say how far the next owner's ring is filled.
 *
 * Return: the feature bits.
 */
u64 baton_features_rung(u64 hardware, bool apart)
{
	return apart ? hardware & ~BIT64(F_NOTIFICATION_DATA) : hardware;
}

/**
 * baton_features_private() - what is negotiated whether or not the consumer takes it
 * @hardware: what the function offers
 * @consumer: on whose behalf
 *
 * A device that offers ORDER_PLATFORM need not work without (6.2), and QEMU never
 * takes it. It asks nothing of a user's driver: the domain of a user is coherent
 * (C5), where the barriers between processors that drivers use order accesses of
 * the device as well. The kernel's drivers choose their barriers by it, and take
 * it themselves.
 *
 * Return: the feature bits.
 */
u64 baton_features_private(u64 hardware, enum baton_party consumer)
{
	return consumer == BATON_USER ? hardware & BIT64(VIRTIO_F_ORDER_PLATFORM) : 0;
}

/**
 * baton_features_usual() - what a user is offered unless the administrator says otherwise
 * @offered: what can be offered
 * @net: to a network device
 *
 * QEMU refuses to start with shadow virtqueues (x-svq=on), or to migrate, when
 * offered a bit that these do not know; most guests do not miss them.
 *
 * Return: the feature bits.
 */
u64 baton_features_usual(u64 offered, bool net)
{
	/* QEMU 10 does not know INDIRECT_DESC here. */
	const u64 transport = BIT64(VIRTIO_RING_F_EVENT_IDX) |
			      BIT64(VIRTIO_F_VERSION_1) |
			      BIT64(VIRTIO_F_ACCESS_PLATFORM);
	/* Network device bits 0 to 23 without GUEST_ANNOUNCE and the obsolete GSO. */
	const u64 basic = (BIT64(24) - 1) & ~(BIT64(4) | BIT64(6) | BIT64(21));
	/* HASH_REPORT, RSS, RSC_EXT, SPEED_DUPLEX */
	const u64 newer = BIT64(57) | BIT64(60) | BIT64(61) | BIT64(63);

	return net ? offered & (transport | basic | newer) : offered;
}

/**
 * baton_features_check() - may a consumer, or the administrator, take these?
 * @offered: what is on offer
 * @wanted: what is taken
 *
 * Return: NULL if so, else why not, in words that complete "features 0x...".
 */
const char *baton_features_check(u64 offered, u64 wanted)
{
	u64 missing = offered & ~wanted;

	if (wanted & ~offered)
		return "exceed what is offered";
	if (!(wanted & BIT64(VIRTIO_F_VERSION_1)))
		return "lack VERSION_1 (bit 32): legacy drivers are not supported";
	if (missing & BIT64(VIRTIO_F_ACCESS_PLATFORM))
		return "lack ACCESS_PLATFORM (bit 33): the function would bypass the IOMMU";

	return NULL;
}
