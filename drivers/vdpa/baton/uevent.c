// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events: uevents of the vDPA device, for those who would rather not poll.
 *
 * A user can make his device change hands as fast as he can call ioctl(), and each
 * uevent is work for every process that listens. So changes are told from a work item,
 * at most one of a kind in %BATON_UEVENT_DELAY; what is told is how things stand then.
 * The last change is always told.
 */
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/slab.h>

#include "core.h"
#include "uevent.h"

#define UEVENT_LEN	(BATON_REASON_LEN + sizeof("BATON_FAULT="))

static void uevent_tell_owner(struct baton_vdpa *bv)
{
	char owner[32], state[32];

	/* Read once each, as sysfs does: a long reset is told while it takes place. */
	snprintf(owner, sizeof(owner), "BATON_OWNER=%s",
		 baton_owner_party_name(READ_ONCE(READ_ONCE(bv->b)->owner.owner)));
	snprintf(state, sizeof(state), "BATON_STATE=%s",
		 baton_owner_state_name(READ_ONCE(READ_ONCE(bv->b)->owner.state)));
	kobject_uevent_env(&bv->vdpa.dev.kobj, KOBJ_CHANGE,
			   (char *[]) { "BATON_EVENT=owner", owner, state, NULL });
}

static void uevent_copy_fault(struct baton_vdpa *bv, char *fault)
{
	CLASS(baton_vdpa, b)(bv);
	snprintf(fault, UEVENT_LEN, "BATON_FAULT=%s", b->report.fault);
}

static void uevent_tell_fault(struct baton_vdpa *bv)
{
	char *fault = kmalloc(UEVENT_LEN, GFP_KERNEL);

	if (!fault)
		return;
	uevent_copy_fault(bv, fault);
	kobject_uevent_env(&bv->vdpa.dev.kobj, KOBJ_CHANGE,
			   (char *[]) { "BATON_EVENT=fault", fault, NULL });
	kfree(fault);
}

static void uevent_work(struct work_struct *work)
{
	struct baton_vdpa *bv = container_of(work, struct baton_vdpa, uevent.work.work);

	/* It is on its way in or out: the bus tells of that. */
	if (!device_is_registered(&bv->vdpa.dev))
		return;
	if (test_and_clear_bit(BATON_TELL_FAULT, &bv->uevent.pending))
		uevent_tell_fault(bv);
	if (test_and_clear_bit(BATON_TELL_OWNER, &bv->uevent.pending))
		uevent_tell_owner(bv);
}

/**
 * baton_uevent_tell() - tell user space something now
 * @bv: the vDPA device
 * @event: what has happened to it
 *
 * Context: may sleep.
 */
void baton_uevent_tell(struct baton_vdpa *bv, const char *event)
{
	char variable[32];

	snprintf(variable, sizeof(variable), "BATON_EVENT=%s", event);
	kobject_uevent_env(&bv->vdpa.dev.kobj, KOBJ_CHANGE, (char *[]) { variable, NULL });
}

/**
 * baton_uevent_init() - a vDPA device is being made of a function
 * @bv: the vDPA device
 */
void baton_uevent_init(struct baton_vdpa *bv)
{
	INIT_DELAYED_WORK(&bv->uevent.work, uevent_work);
}

/**
 * baton_uevent_uninit() - nothing more will be told of a vDPA device
 * @bv: the vDPA device, no longer registered, and no longer the function's
 *
 * Context: may sleep; &baton.lock not held.
 */
void baton_uevent_uninit(struct baton_vdpa *bv)
{
	cancel_delayed_work_sync(&bv->uevent.work);
}
