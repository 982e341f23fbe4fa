// SPDX-License-Identifier: GPL-2.0-only
/*
 * Feature bits: which of those that a function offers a consumer may be offered.
 *
 * Bits 0 to 23 and from 50 on are the device's (virtio 1.2, 2.2): they are passed on
 * as they are, but for network devices (net.c). The rest belong to the queues and the
 * transport. Between the consumer and the function there are two transports, the vDPA
 * bus and the function's own, so such a bit is offered only if it works through both:
 * those in CARRIED_MASK.
 */
#include <linux/types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "features.h"

#define BIT64(nr) (1ULL << (nr))

#define DEVICE_MASK ((BIT64(24) - 1) | ~(BIT64(50) - 1))

/* VIRTIO_F_NOTIFICATION_DATA (virtio 1.2, 6), which not all user-space headers have. */
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
 * Context: any.
 * Return: the feature bits.
 */
u64 baton_features_offer(u64 hardware, enum baton_party consumer)
{
	u64 offered = hardware & (DEVICE_MASK | CARRIED_MASK);

	/*
	 * Not for a user: NOTIFICATION_DATA, since vhost_vdpa's kicks are eventfd wake-ups, which
	 * carry no data; IN_ORDER, since a device that uses descriptors in the order of the table
	 * begins with the first one after a reset, wherever a relayed queue is to go on (C14).
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
 * ORDER_PLATFORM for users only. A device that offers it may refuse to work without
 * (virtio 1.2, 6.2), and QEMU never takes it. It is safe to take it for a user's
 * driver: a user's domain is cache-coherent (C5), and there the barriers between
 * processors, which drivers use without the feature, also order what the device sees.
 * The kernel's drivers choose their barriers by it, and take it themselves.
 *
 * RING_RESET for users only, too: their queues may be relayed, and go back to the user's own
 * rings by it (heal.c). It obliges a driver that does not use it to nothing.
 *
 * Context: any.
 * Return: the feature bits.
 */
u64 baton_features_private(u64 hardware, enum baton_party consumer)
{
	const u64 for_users = BIT64(VIRTIO_F_ORDER_PLATFORM) | BIT64(VIRTIO_F_RING_RESET);

	return consumer == BATON_USER ? hardware & for_users : 0;
}

/**
 * baton_features_usual() - what a user is offered unless the administrator says otherwise
 * @offered: what can be offered
 * @net: to a network device
 *
 * QEMU's shadow virtqueues (x-svq=on; migration) know few features, and QEMU refuses
 * to start them when offered any other. So a network device offers these only.
 *
 * Context: any.
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
 * Context: any.
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
