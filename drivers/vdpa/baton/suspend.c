// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user's device is stopped, and goes on where it stood.
 *
 * Invariants (C15): once suspended the function is nobody's, and each queue has a position
 * from which on its available ring has what was not done, each request once. &baton.lock,
 * held throughout, keeps other operations out.
 *
 * virtio 1.2 can do neither, so a suspend is a drain that leaves alone what the consumer
 * said of its queues; going on is another grant, and the queues that do not begin at 0 are
 * relayed.
 */
#include <linux/err.h>
#include <linux/virtio_config.h>

#include "core.h"
#include "handover.h"
#include "suspend.h"

/* Holds doorbells back, and waits until all that was asked for is done, or known to the relay. */
static int suspend_settle(struct baton_vdpa *bv)
{
	struct baton *b = bv->b;
	u16 idx;

	if (bv->features & BIT_ULL(VIRTIO_F_RING_PACKED)) {
		baton_report_refusal(b,
				     "suspend refused: packed rings start at their beginning, and so cannot go on");
		return -EOPNOTSUPP;
	}
	baton_queue_hold(bv);
	idx = baton_position_settle(bv);
	if (idx == bv->nr_queues)
		return 0;
	/* What a direct queue has not done cannot be known while requests are under way. */
	baton_queue_start_enabled(bv);
	baton_report_refusal(b,
			     "suspend refused: queue %u has requests that were not answered in %u ms: try again, or have it relayed from the beginning (sysfs: baton/relay)",
			     idx, BATON_SETTLE_MS);

	return -EBUSY;
}

/**
 * baton_suspend() - the user has its device stopped
 * @bv: the vDPA device, whose user set DRIVER_OK
 *
 * Context: may sleep, for up to %BATON_SETTLE_MS and a reset; &baton.lock held.
 * Return: 0: the queues' states say where they stand, and the function is nobody's;
 * -EBUSY (requests under way) or -EOPNOTSUPP (packed rings): the device runs on; -EIO: it
 * has to be reset.
 */
int baton_suspend(struct baton_vdpa *bv)
{
	struct baton *b = bv->b;
	int err;

	if (b->owner.state == BATON_SUSPENDED && !bv->needs_reset)
		return 0;
	if (b->owner.state != BATON_USER_OWNS || bv->needs_reset) {
		baton_report_refusal(b,
				     "suspend refused: the function is %s and has to be reset first",
				     baton_owner_state_name(b->owner.state));
		return -EIO;
	}
	err = suspend_settle(bv);
	if (err)
		return err;
	err = baton_handover_event(b, BATON_EV_SUSPEND);
	if (!err && !bv->needs_reset)
		return 0;
	baton_handover_fail(bv, false);

	return -EIO;
}

/**
 * baton_suspend_end() - the user has its device go on
 * @bv: the vDPA device
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0; -EIO if it has to be reset.
 */
int baton_suspend_end(struct baton_vdpa *bv)
{
	struct baton *b = bv->b;
	int err;

	if (b->owner.state == BATON_USER_OWNS)
		return 0;
	if (b->owner.state != BATON_SUSPENDED || bv->needs_reset)
		return -EIO;
	err = baton_handover_event(b, BATON_EV_NEGOTIATE);
	if (!err)
		err = baton_handover_event(b, BATON_EV_GRANT);
	if (!err)
		return 0;
	/* The step that failed has said why. */
	baton_handover_fail(bv, false);

	return -EIO;
}
