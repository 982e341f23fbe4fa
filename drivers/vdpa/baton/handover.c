// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carrying out what owner.c decides, one step at a time.
 *
 * All of it runs with &baton.lock held, which baton_handover_event() asserts: events of one
 * function do not overlap, and &baton.owner changes nowhere else but in probe, and for
 * &baton_owner.user_allowed, under the same lock (consumer.c). The order of the steps is owner.c's.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/ktime.h>
#include <linux/virtio_config.h>

#include "core.h"
#include "handover.h"
#include "param.h"
#include "space.h"
#include "trace.h"

/* Before any features (virtio 1.2, 3.1.1, steps 2 and 3), and with them (step 5). */
#define S_SETUP		(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)
#define S_FEATURES	(S_SETUP | VIRTIO_CONFIG_S_FEATURES_OK)

/* Returns the status that the device then has. */
static u8 handover_write_status(struct baton *b, u8 status)
{
	b->fn->ops->set_status(b->fn, status);
	baton_shadow_stale(b);

	return b->fn->ops->get_status(b->fn);
}

/**
 * baton_handover_reset() - the reset handshake
 * @b: the function
 *
 * virtio 1.2, 2.4.1 and 4.1.4.3.2: write 0, then wait until it reads 0.
 *
 * Context: may sleep, for as long as the module parameter reset_timeout_ms
 * says; &baton.lock held.
 * Return: 0; -ENODEV if the function is gone; -ETIMEDOUT if it did not answer.
 */
int baton_handover_reset(struct baton *b)
{
	const struct baton_function_ops *ops = b->fn->ops;
	ktime_t start = ktime_get();
	ktime_t deadline = ktime_add_ms(start, READ_ONCE(baton_reset_timeout_ms));
	bool late;
	u8 status;
	int err = 0;

	status = handover_write_status(b, 0);
	while (status) {
		late = ktime_after(ktime_get(), deadline);
		if (status == 0xff && !ops->present(b->fn)) {
			err = -ENODEV;
			break;
		}
		if (late) {
			err = -ETIMEDOUT;
			break;
		}
		usleep_range(100, 1000);
		status = ops->get_status(b->fn);
	}

	trace_baton_reset(b->fn->dev, ktime_us_delta(ktime_get(), start), err);
	if (err == -ENODEV)
		baton_report_fault(b, "the function is gone (its status reads 0xff)");
	else if (err)
		baton_report_fault(b,
				   "no answer to reset: status %#x after %u ms (reset_timeout_ms)",
				   status, READ_ONCE(baton_reset_timeout_ms));

	return err;
}

/*
 * virtio 1.2, 3.1.1, steps 2 to 6, all at once: whatever order the consumer
 * sets its status bits in, the hardware sees the one of the specification.
 */
static int step_negotiate(struct baton *b)
{
	const struct baton_function_ops *ops = b->fn->ops;
	u64 features = b->bv->hw_features;
	u8 status;

	ops->set_status(b->fn, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	ops->set_status(b->fn, S_SETUP);
	ops->set_features(b->fn, features);
	status = handover_write_status(b, S_FEATURES);
	if (status == S_FEATURES)
		return 0;
	baton_report_refusal(b, "the device refused features %#llx: status %#x", features, status);

	return -EIO;
}

static int step_attach(struct baton *b)
{
	return baton_domain_attach(b, b->owner.owner);
}

static int step_vectors(struct baton *b)
{
	/* First: which interrupts are unmasked and offered to KVM depends on what is relayed. */
	return baton_relay_decide(b->bv) ?: baton_irq_request(b->bv);
}

/*
 * Invariant (C13): a user's queues run only after the hardware has confirmed what was provisioned,
 * since with queues that run the user can write the confirmation itself. Without a control queue
 * of the hardware's there is none to wait for, and queues are enabled before DRIVER_OK (virtio
 * 1.2, 3.1.1, step 7).
 */
static bool handover_queues_wait(const struct baton *b)
{
	return b->owner.owner == BATON_USER && b->bv->cvq.index != BATON_NO_CONTROL;
}

static int step_program(struct baton *b)
{
	int err = handover_queues_wait(b) ? 0 : baton_queue_enable_ready(b->bv);

	return err ?: baton_cvq_setup(b->bv);
}

static int step_master(struct baton *b)
{
	b->fn->ops->set_master(b->fn, true);
	return 0;
}

static int step_driver_ok(struct baton *b)
{
	u8 wanted = S_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK;
	u8 status = handover_write_status(b, wanted);

	if (status == wanted)
		return 0;
	baton_report_refusal(b, "DRIVER_OK refused by the device: wrote status %#x, reads %#x",
			     wanted, status);

	return -EIO;
}

static int step_control(struct baton *b)
{
	return baton_cvq_restore(b->bv);
}

static int step_queues(struct baton *b)
{
	int err = handover_queues_wait(b) ? baton_queue_enable_ready(b->bv) : 0;

	if (!err)
		baton_queue_start_enabled(b->bv);

	return err;
}

static int step_quiesce(struct baton *b)
{
	if (b->bv)
		baton_queue_mute(b->bv);
	return baton_handover_reset(b);
}

static int step_unmaster(struct baton *b)
{
	b->fn->ops->set_master(b->fn, false);
	return 0;
}

/*
 * After the interrupts were freed and before the rings are let go of: then nothing changes any
 * more, and it can be read what was not done.
 */
static void handover_withdraw(struct baton_vdpa *bv)
{
	const char *why;
	u16 idx;

	why = baton_position_withdraw(bv, &idx);
	if (!why)
		return;
	baton_report_refusal(bv->b, "queue %u cannot go on later: %s", idx, why);
	WRITE_ONCE(bv->needs_reset, true);
}

static int step_unvector(struct baton *b)
{
	if (!b->bv)
		return 0;
	baton_irq_free(b->bv);
	if (b->owner.goal == BATON_SUSPENDED)
		handover_withdraw(b->bv);
	baton_relay_stop(b->bv);
	baton_cvq_stop(b->bv);
	baton_ctrl_stop(b->bv);
	return 0;
}

static int step_block(struct baton *b)
{
	return baton_domain_attach(b, BATON_NONE);
}

static int step_flr(struct baton *b)
{
	int err;

	/* A reset of a function that is gone would only be waited for. */
	if (!b->fn->ops->present(b->fn))
		return -ENODEV;
	err = b->fn->ops->reset(b->fn, READ_ONCE(baton_reset_timeout_ms));
	if (err)
		baton_report_fault(b, "function-level reset failed: %pe", ERR_PTR(err));
	else
		baton_report_fault(b, "had to be reset by force (function-level reset)");

	return err;
}

static int step_disable(struct baton *b)
{
	step_unmaster(b);
	baton_queue_mute(b->bv);
	/* Handlers read registers, which may be reset, or be gone, from now on. */
	baton_irq_sync(b->bv);
	baton_virtio_break(b);
	return 0;
}

static int (*const steps[BATON_NR_STEPS])(struct baton *b) = {
	[BATON_STEP_NEGOTIATE]	= step_negotiate,
	[BATON_STEP_ATTACH]	= step_attach,
	[BATON_STEP_VECTORS]	= step_vectors,
	[BATON_STEP_PROGRAM]	= step_program,
	[BATON_STEP_MASTER]	= step_master,
	[BATON_STEP_DRIVER_OK]	= step_driver_ok,
	[BATON_STEP_CONTROL]	= step_control,
	[BATON_STEP_QUEUES]	= step_queues,
	[BATON_STEP_QUIESCE]	= step_quiesce,
	[BATON_STEP_UNMASTER]	= step_unmaster,
	[BATON_STEP_UNVECTOR]	= step_unvector,
	[BATON_STEP_BLOCK]	= step_block,
	[BATON_STEP_FLR]	= step_flr,
	[BATON_STEP_VERIFY]	= baton_handover_reset,
	[BATON_STEP_DISABLE]	= step_disable,
};

static void handover_set_state(struct baton *b, enum baton_state from)
{
	if (b->owner.state == from)
		return;
	trace_baton_owner(b->fn->dev, from, &b->owner);
	if (b->bv)
		baton_uevent_raise(&b->bv->uevent, BATON_TELL_OWNER);
}

/**
 * baton_handover_event() - let something happen to the function's ownership
 * @b: the function
 * @event: what
 *
 * Context: may sleep; &baton.lock held.
 * Return: 0 if @event has led where it should; what baton_owner_event()
 * returned if it was refused; otherwise the error of the step that failed, the
 * function being blocked again, or broken.
 */
int baton_handover_event(struct baton *b, enum baton_event event)
{
	struct baton_owner *o = &b->owner;
	enum baton_state from = o->state;
	enum baton_step last = BATON_STEP_NONE;
	int first_err = 0, err;

	lockdep_assert_held(&b->lock);

	err = baton_owner_event(o, event);
	if (err)
		return err;
	handover_set_state(b, from);

	while (o->step != BATON_STEP_NONE) {
		from = o->state;
		last = o->step;
		err = steps[last](b);
		trace_baton_step(b->fn->dev, last, err);
		if (!first_err)
			first_err = err;
		baton_owner_done(o, err);
		handover_set_state(b, from);
	}
	WARN_ON_ONCE(!baton_owner_valid(o));

	if (last != BATON_STEP_NONE && o->state == BATON_BROKEN) {
		baton_report_fault(b,
				   "broken: %s failed (%pe): remove and rescan the function, or reset it through sysfs",
				   baton_owner_step_name(last), ERR_PTR(err));
		return -EIO;
	}

	/* Steps of a drain may fail, and an FLR make up for it: that is no error. */
	return event == BATON_EV_NEGOTIATE || event == BATON_EV_GRANT ? first_err : 0;
}

/**
 * baton_handover_show() - choose the address space that a user's function sees
 * @b: the function; nobody owns it
 * @asid: which
 *
 * A new domain is attached for a moment (domain_finish()). If another device has joined the
 * group since, not even the empty one can be attached again: then the function is drained, and
 * becomes broken, since it is not blocked any more.
 *
 * Context: may sleep; &baton.lock held.
 * Return: as baton_space_show().
 */
int baton_handover_show(struct baton *b, unsigned int asid)
{
	struct baton_domain *dom = &b->domain;
	int err = baton_space_show(b, asid);

	if (err && dom->attached != dom->empty)
		baton_handover_event(b, BATON_EV_DRAIN);

	return err;
}

/**
 * baton_handover_fail() - the owner, or who was it, cannot go on and has to reset
 * @bv: the vDPA device
 * @stop: the function cannot be left running either
 *
 * Files of lower layers call it as &baton_vdpa.fail.
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_handover_fail(struct baton_vdpa *bv, bool stop)
{
	struct baton *b = bv->b;

	/* A kernel driver may wait for an answer until its queues are broken: losing does that. */
	if (stop || b->owner.owner == BATON_KERNEL)
		baton_handover_event(b, BATON_EV_LOSE);
	WRITE_ONCE(bv->needs_reset, true);
	baton_irq_config(bv);
	baton_recover_begin(&bv->recovery);
}

/**
 * baton_handover_unbind() - the consumer goes, or the function leaves it
 * @b: the function
 *
 * It is drained, if that has not happened, and the user's domain is freed.
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_handover_unbind(struct baton *b)
{
	enum baton_state state = b->owner.state;

	/* In these two the function can do nothing, but still has what the consumer said. */
	if (state == BATON_NEGOTIATED || state == BATON_SUSPENDED ||
	    !baton_owner_may_release(&b->owner))
		baton_handover_event(b, BATON_EV_DRAIN);
	baton_handover_event(b, BATON_EV_UNBIND);
	baton_domain_user_uninit(b);
	b->owner.user_allowed = false;
}
