// SPDX-License-Identifier: GPL-2.0-only
/*
 * Provisioning: what the administrator fixes with "vdpa dev add", and changes
 * with "vdpa dev set".
 *
 * &baton.lock guards what is fixed here. &baton_vdpa.provisioned, &baton_vdpa.by_default,
 * &baton_vdpa.nr_queues and the numbers in &baton_vdpa.net do not change once the vDPA
 * device is registered; its MAC address can be, while no consumer is bound.
 *
 * "vdpa dev add" returns an errno and no message, so each refusal is one line in the log:
 * what was got, what the limit is and what to do. -EOPNOTSUPP is for a value that this
 * function cannot have, but another could: integrators leave an attribute out that fails
 * with it. -EINVAL is for a value that makes no sense.
 */
#include <linux/etherdevice.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <uapi/linux/vdpa.h>

#include "core.h"
#include "features.h"
#include "provision.h"
#include "shadow.h"

#define HAS(config, attr) ((config)->mask & BIT_ULL(VDPA_ATTR_DEV_##attr))

static int provision_features(struct baton_vdpa *bv, const struct vdpa_dev_set_config *config)
{
	u64 available = bv->b->mgmt.supported_features;
	bool net = bv->b->fn->device_id == VIRTIO_ID_NET;
	u64 wanted = config->device_features;
	const char *why;

	if (!HAS(config, FEATURES)) {
		bv->provisioned = available;
		bv->by_default = true;
		return 0;
	}

	why = baton_features_check(available, wanted);
	if (!why && net && wanted & BIT_ULL(VIRTIO_NET_F_CTRL_VQ) &&
	    wanted & BIT_ULL(VIRTIO_F_RING_PACKED))
		why = "hold CTRL_VQ (17) and RING_PACKED (34): leave one out";
	if (why) {
		baton_report_refusal(bv->b,
				     "dev add refused: device_features %#llx %s (available: %#llx)",
				     wanted, why, available);
		return -EINVAL;
	}
	bv->provisioned = net ? baton_net_carried(wanted) : wanted;
	if (bv->provisioned != wanted)
		dev_info(bv->b->fn->dev,
			 "device_features %#llx: %#llx left out, which nobody can use without CTRL_VQ (17)\n",
			 wanted, wanted & ~bv->provisioned);

	return 0;
}

/* Can the hardware be told which MAC address it has? */
static bool provision_can_set_mac(const struct baton_vdpa *bv)
{
	u64 needed = BIT_ULL(VIRTIO_NET_F_MAC) | BIT_ULL(VIRTIO_NET_F_CTRL_VQ) |
		     BIT_ULL(VIRTIO_NET_F_CTRL_MAC_ADDR);

	/* With packed queues there is no control queue: see baton_net_features(). */
	if (baton_net_carried(bv->provisioned) & BIT_ULL(VIRTIO_F_RING_PACKED))
		return false;

	return (bv->b->hw_features & needed) == needed;
}

static int provision_mac(struct baton_vdpa *bv, const struct vdpa_dev_set_config *config)
{
	const u8 *mac = config->net.mac;
	struct baton *b = bv->b;

	if (!HAS(config, NET_CFG_MACADDR))
		return 0;
	if (!is_valid_ether_addr(mac)) {
		baton_report_refusal(b, "mac %pM refused: not the address of one device", mac);
		return -EINVAL;
	}
	if (!ether_addr_equal(mac, bv->net.mac) && !provision_can_set_mac(bv)) {
		baton_report_refusal(b,
				     "mac %pM refused: this function cannot change its own, %pM",
				     mac, bv->net.mac);
		return -EOPNOTSUPP;
	}
	ether_addr_copy(bv->net.mac, mac);
	bv->net.fixed = true;

	return 0;
}

static int provision_mtu(struct baton_vdpa *bv, const struct vdpa_dev_set_config *config,
			 u16 hw_mtu)
{
	u16 mtu = config->net.mtu;
	struct baton *b = bv->b;

	if (!HAS(config, NET_CFG_MTU))
		return 0;
	if (!(b->hw_features & BIT_ULL(VIRTIO_NET_F_MTU))) {
		baton_report_refusal(b,
				     "mtu %u refused: this function does not offer MTU (bit 3); leave mtu out",
				     mtu);
		return -EOPNOTSUPP;
	}
	if (mtu < ETH_MIN_MTU || mtu > hw_mtu) {
		baton_report_refusal(b, "mtu %u refused: this function does %u to %u", mtu,
				     ETH_MIN_MTU, hw_mtu);
		return mtu < ETH_MIN_MTU ? -EINVAL : -EOPNOTSUPP;
	}
	bv->net.mtu = mtu;

	return 0;
}

static int provision_pairs(struct baton_vdpa *bv, const struct vdpa_dev_set_config *config,
			   u16 hw_pairs)
{
	u64 multi = BIT_ULL(VIRTIO_NET_F_MQ) | BIT_ULL(VIRTIO_NET_F_RSS);
	struct baton *b = bv->b;
	bool control;

	/* No more pairs than there are queues for, whatever the hardware says. */
	bv->net.shows_pairs = b->hw_features & multi;
	bv->net.hw_pairs = bv->net.shows_pairs ? hw_pairs : 1;
	bv->net.hw_pairs = clamp_t(u16, bv->net.hw_pairs, 1, max(b->fn->nr_queues / 2, 1));
	bv->net.pairs = bv->provisioned & multi ? bv->net.hw_pairs : 1;
	if (HAS(config, NET_CFG_MAX_VQP)) {
		if (config->net.max_vq_pairs > bv->net.pairs) {
			baton_report_refusal(b,
					     "max_vqp %u refused: the limit of this function is %u",
					     config->net.max_vq_pairs, bv->net.pairs);
			return -EOPNOTSUPP;
		}
		bv->net.pairs = config->net.max_vq_pairs;
	}

	control = bv->provisioned & BIT_ULL(VIRTIO_NET_F_CTRL_VQ);
	bv->nr_queues = min(2 * bv->net.pairs + control, b->fn->nr_queues);

	return 0;
}

/**
 * baton_provision_init() - fix what the owners of a new vDPA device can have
 * @bv: the vDPA device
 * @config: what the administrator said
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -EINVAL for a value that makes no sense here; -EOPNOTSUPP for one
 * that this function cannot have.
 */
int baton_provision_init(struct baton_vdpa *bv, const struct vdpa_dev_set_config *config)
{
	struct virtio_net_config hw = {};
	struct baton *b = bv->b;
	int err;

	bv->nr_queues = b->fn->nr_queues;
	err = provision_features(bv, config);
	if (err || b->fn->device_id != VIRTIO_ID_NET)
		return err;

	baton_config_read(&b->config, 0, &hw, sizeof(hw));
	ether_addr_copy(bv->net.mac, hw.mac);
	bv->net.has_mac = b->hw_features & BIT_ULL(VIRTIO_NET_F_MAC);
	/* Drivers send a table of the size that is shown: too large a command is refused. */
	if (le16_to_cpu((__force __le16)hw.rss_max_indirection_table_length) > BATON_NET_RSS_MAX)
		bv->net.rss_table = BATON_NET_RSS_MAX;

	err = provision_mac(bv, config);
	if (!err)
		err = provision_mtu(bv, config, le16_to_cpu((__force __le16)hw.mtu));
	if (!err)
		err = provision_pairs(bv, config,
				      le16_to_cpu((__force __le16)hw.max_virtqueue_pairs));

	return err;
}

/**
 * baton_provision_meet() - learn which MAC address is an owner's own
 * @bv: the vDPA device of a network function
 *
 * It is read from the hardware each time: others may have changed it since, without a
 * notification.
 *
 * Context: may sleep; &baton.lock held; nobody owns the function.
 */
void baton_provision_meet(struct baton_vdpa *bv)
{
	struct baton *b = bv->b;
	u8 mac[ETH_ALEN] = {};

	baton_shadow_stale(b);
	if (!baton_shadow_read(b, offsetof(struct virtio_net_config, mac), mac, sizeof(mac)))
		baton_net_meet(&bv->net, mac);
}

/**
 * baton_provision_change() - change what was fixed, while nobody depends on it
 * @bv: the vDPA device
 * @config: what the administrator said: a MAC address, nothing else
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -EBUSY if a consumer is bound; -EINVAL or -EOPNOTSUPP as baton_provision_init().
 */
int baton_provision_change(struct baton_vdpa *bv, const struct vdpa_dev_set_config *config)
{
	struct baton *b = bv->b;

	if (b->owner.consumer != BATON_NONE) {
		baton_report_refusal(b, "mac %pM refused: unbind the %s consumer first",
				     config->net.mac,
				     baton_owner_party_name(b->owner.consumer));
		return -EBUSY;
	}
	baton_provision_meet(bv);
	return provision_mac(bv, config);
}
