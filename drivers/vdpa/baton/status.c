// SPDX-License-Identifier: GPL-2.0-only
/*
 * Features and device status: what the consumer sets, and what becomes of it.
 *
 * &baton.lock guards both. &baton_vdpa.status and &baton_vdpa.needs_reset are also read without
 * it, and the latter may be set in any context, by an interrupt.
 *
 * The consumer sees its own status bits, here, and never the hardware's. How
 * these go together with the state of the function (owner.h):
 *
 *	consumer's status	state of the function
 *	without FEATURES_OK	blocked, broken or dead
 *	FEATURES_OK		negotiated; blocked or broken, if it was reset by
 *				others or failed since: then DRIVER_OK is refused
 *	and DRIVER_OK		kernel or user; suspended; lost; dead after a shutdown;
 *				blocked or broken, if the system has slept since
 *	FAILED			as without; the last DRIVER_OK was refused
 *
 * NEEDS_RESET is not among the bits that the consumer sets: &baton_vdpa.needs_reset
 * is shown in its place. It can come up in each of these, and as long as it is there
 * FEATURES_OK and DRIVER_OK are refused. Reset ends it.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>

#include "core.h"
#include "features.h"
#include "handover.h"
#include "provision.h"
#include "shadow.h"
#include "status.h"

/**
 * baton_status_offered() - what features the consumer can have
 * @bv: the vDPA device
 *
 * Context: any; the answer holds as long as the consumer is bound.
 * Return: the feature bits.
 */
u64 baton_status_offered(const struct baton_vdpa *bv)
{
	enum baton_party consumer = READ_ONCE(READ_ONCE(bv->b)->owner.consumer);
	u64 features = baton_features_offer(bv->provisioned, consumer);
	bool net = bv->device_id == VIRTIO_ID_NET;

	if (net)
		features = baton_net_carried(features);
	if (consumer == BATON_USER && bv->by_default)
		features = baton_features_usual(features, net);

	return features;
}

/**
 * baton_status_set_features() - the consumer takes features
 * @bv: the vDPA device
 * @features: which
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -EBUSY after FEATURES_OK; -EINVAL if it must not take these.
 */
int baton_status_set_features(struct baton_vdpa *bv, u64 features)
{
	u64 offered = baton_status_offered(bv);
	const char *why;

	if (bv->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return -EBUSY;
	/*
	 * 0 is no refusal: the vDPA core sets it itself when configuration space is
	 * read before the consumer has taken any.
	 */
	why = features ? baton_features_check(offered, features) : NULL;
	if (why) {
		baton_report_refusal(bv->b, "features %#llx %s (offered: %#llx)", features, why,
				     offered);
		return -EINVAL;
	}
	bv->features = features;
	baton_ctrl_find(bv, features ?: offered);

	return 0;
}

/**
 * baton_status_get() - device status, as the consumer sees it
 * @bv: the vDPA device
 *
 * Context: any.
 * Return: the status.
 */
u8 baton_status_get(const struct baton_vdpa *bv)
{
	return READ_ONCE(bv->status) |
	       (READ_ONCE(bv->needs_reset) ? VIRTIO_CONFIG_S_NEEDS_RESET : 0);
}

/**
 * baton_status_policy() - what an owner may do that others on the network could notice
 * @bv: the vDPA device
 *
 * Context: &baton.lock held.
 * Return: BATON_MAY_...
 */
u32 baton_status_policy(const struct baton_vdpa *bv)
{
	if (bv->policy_set)
		return bv->policy;
	return bv->b->owner.consumer == BATON_USER ? 0 : BATON_MAY_ALL;
}

/* The consumer set FEATURES_OK. */
static int status_negotiate(struct baton_vdpa *bv)
{
	u64 offered = baton_status_offered(bv);
	struct baton *b = bv->b;
	const char *why;
	int err;

	why = baton_features_check(offered, bv->features);
	if (why) {
		baton_report_refusal(b, "FEATURES_OK refused: features %#llx %s (offered: %#llx)",
				     bv->features, why, offered);
		return -EINVAL;
	}
	/* FEATURES_OK was cleared and set again, with other features perhaps. */
	if (!bv->needs_reset && b->owner.state == BATON_NEGOTIATED) {
		err = baton_handover_event(b, BATON_EV_DRAIN);
		if (err)
			return err;
	}
	if (bv->needs_reset || b->owner.state != BATON_BLOCKED) {
		baton_report_refusal(b,
				     "FEATURES_OK refused: the function is %s and has to be reset first",
				     baton_owner_state_name(b->owner.state));
		return -EIO;
	}

	bv->net.features = bv->features;
	bv->net.may = baton_status_policy(bv);
	if (b->fn->device_id == VIRTIO_ID_NET)
		baton_provision_meet(bv);
	bv->hw_features = bv->features;
	if (bv->cvq.pages)
		bv->hw_features = baton_net_features(b->hw_features, bv->features, bv->net.may);
	bv->hw_features |= baton_features_private(b->hw_features, b->owner.consumer);
	baton_cvq_find(bv);

	return baton_handover_event(b, BATON_EV_NEGOTIATE);
}

/* The consumer set DRIVER_OK, after FEATURES_OK. */
static int status_grant(struct baton_vdpa *bv)
{
	struct baton *b = bv->b;
	enum baton_state state = b->owner.state;
	int err = -EIO;

	if (!bv->needs_reset && state == BATON_NEGOTIATED)
		return baton_handover_event(b, BATON_EV_GRANT);

	/* The virtio core sets it again after a probe without: the log has the refusal. */
	if (bv->status & VIRTIO_CONFIG_S_FAILED)
		return err;
	if (state == BATON_BLOCKED || state == BATON_NEGOTIATED)
		baton_report_refusal(b,
				     "DRIVER_OK refused: the function was reset since FEATURES_OK, so the device has to be reset first");
	else
		baton_report_refusal(b, "DRIVER_OK refused: function %s, consumer %s: %pe",
				     baton_owner_state_name(state),
				     baton_owner_party_name(b->owner.consumer), ERR_PTR(err));

	return err;
}

/**
 * baton_status_set() - the consumer sets its status
 * @bv: the vDPA device
 * @status: the status; not 0, which is reset
 *
 * Bits that the function cannot follow are not set; for DRIVER_OK there is FAILED
 * in its place.
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_status_set(struct baton_vdpa *bv, u8 status)
{
	struct baton *b = bv->b;
	u8 added = status & ~bv->status;

	status &= ~VIRTIO_CONFIG_S_NEEDS_RESET;

	/*
	 * To a driver that was paused FEATURES_OK is not refused, though the function may
	 * not have it: DRIVER_OK is refused then, and its queues are broken. Some drivers
	 * cannot be unbound after a restore that failed half-way.
	 */
	if (added & VIRTIO_CONFIG_S_FEATURES_OK && status_negotiate(bv) &&
	    !READ_ONCE(b->virtio.aside))
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if (added & VIRTIO_CONFIG_S_DRIVER_OK &&
	    (!(status & VIRTIO_CONFIG_S_FEATURES_OK) || status_grant(bv))) {
		status &= ~VIRTIO_CONFIG_S_DRIVER_OK;
		status |= VIRTIO_CONFIG_S_FAILED;
		/* A virtio driver does not read the status again: broken queues tell it. */
		baton_virtio_break(b);
	}
	WRITE_ONCE(bv->status, status);
	if (added & status & VIRTIO_CONFIG_S_DRIVER_OK && baton_shadow_moved(b))
		baton_irq_config(bv);
}

/**
 * baton_status_forget() - nothing of what an owner set may be found by the next
 * @bv: the vDPA device; nobody owns the function
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_status_forget(struct baton_vdpa *bv)
{
	WRITE_ONCE(bv->status, 0);
	WRITE_ONCE(bv->needs_reset, false);
	bv->features = 0;
	baton_net_forget(&bv->net);
	baton_queue_reset(bv);
	baton_ctrl_find(bv, baton_status_offered(bv));
}

/**
 * baton_status_abandon() - the kernel's driver has let go of a queue that runs
 * @bv: the vDPA device, whose function the kernel owns
 *
 * The driver frees the rings next, and what the callbacks of its queues point to: so the function
 * is drained, and the queues are forgotten, before this returns (C3, C9).
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_status_abandon(struct baton_vdpa *bv)
{
	baton_handover_event(bv->b, BATON_EV_DRAIN);
	baton_queue_reset(bv);
	WRITE_ONCE(bv->status, (bv->status & ~(VIRTIO_CONFIG_S_DRIVER_OK |
					       VIRTIO_CONFIG_S_FEATURES_OK)) |
			       VIRTIO_CONFIG_S_FAILED);
}

/**
 * baton_status_reset() - the consumer resets its device
 * @bv: the vDPA device
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -EIO if the function is broken, -ENODEV if it is dead; -EPERM if the consumer is a
 * user, who must not own this function; or an errno of baton_handover_show().
 */
int baton_status_reset(struct baton_vdpa *bv)
{
	struct baton *b = bv->b;
	int err = 0;
	u16 idx;

	/* Not for net: packets may be lost, and are sent again by those who need them. */
	if (b->fn->device_id != VIRTIO_ID_NET) {
		idx = baton_position_settle(bv);
		if (idx < bv->nr_queues)
			dev_info(b->fn->dev,
				 "queue %u has requests that were not answered in %u ms: reset all the same\n",
				 idx, BATON_SETTLE_MS);
	}
	if (b->owner.state != BATON_BLOCKED)
		err = baton_handover_event(b, BATON_EV_DRAIN);
	baton_status_forget(bv);
	/*
	 * A reset does not help a function that is dead: NEEDS_RESET stays, for users. A kernel
	 * driver does not look; but the virtio core, when it goes, expects to read what it wrote.
	 */
	WRITE_ONCE(bv->needs_reset,
		   b->owner.state == BATON_DEAD && b->owner.consumer == BATON_USER);
	if (err)
		return err;
	memset(bv->group_asid, 0, sizeof(bv->group_asid));
	err = baton_handover_show(b, 0);
	if (err)
		return err;

	/* vhost_vdpa resets in open(), which returns this: so a user is refused there. */
	if (b->owner.consumer == BATON_USER && !b->owner.user_allowed) {
		baton_report_refusal(b, "no user may own this function: %s", bv->denial);
		return -EPERM;
	}

	return 0;
}
