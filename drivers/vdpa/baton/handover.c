// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carrying out what owner.c decides, one step at a time.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/ktime.h>
#include <linux/virtio_config.h>

#include "core.h"
#include "trace.h"

static void handover_write_status(struct baton *b, u8 status)
{
	b->fn->ops->set_status(b->fn, status);
	b->hw_status = status;
	baton_shadow_stale(b);
}

/**
 * baton_handover_quiesce() - the reset handshake
 * @b: the function
 *
 * virtio 1.2, 2.4.1 and 4.1.4.3.2: write 0, then wait until it reads 0.
 *
 * Context: may sleep, for as long as the module parameter reset_timeout_ms
 * says; &baton.lock held.
 * Return: 0; -ENODEV if the function is gone; -ETIMEDOUT if it did not answer.
 */
int baton_handover_quiesce(struct baton *b)
{
	const struct baton_function_ops *ops = b->fn->ops;
	ktime_t start = ktime_get();
	ktime_t deadline = ktime_add_ms(start, READ_ONCE(baton_reset_timeout_ms));
	bool late;
	u8 status;
	int err = 0;

	handover_write_status(b, 0);
	for (;;) {
		late = ktime_after(ktime_get(), deadline);
		status = ops->get_status(b->fn);
		if (!status)
			break;
		if (status == 0xff && !ops->present(b->fn)) {
			err = -ENODEV;
			break;
		}
		if (late) {
			err = -ETIMEDOUT;
			break;
		}
		usleep_range(100, 1000);
	}

	trace_baton_reset(b->fn->dev, ktime_us_delta(ktime_get(), start), err);
	if (err == -ENODEV)
		baton_function_refuse(b, "the function is gone (its status reads 0xff)");
	else if (err)
		baton_function_refuse(b,
				      "no answer to reset: status %#x after %u ms (reset_timeout_ms)",
				      status, READ_ONCE(baton_reset_timeout_ms));

	return err;
}

static int step_quiesce(struct baton *b)
{
	if (b->bv)
		baton_queue_silence(b->bv);
	return baton_handover_quiesce(b);
}

static int step_attach(struct baton *b)
{
	return baton_dma_attach(b, b->owner.owner);
}

static int step_program(struct baton *b)
{
	int err = baton_queue_enable_ready(b);

	return err ?: baton_ctrl_start(b);
}

static int step_block(struct baton *b)
{
	return baton_dma_attach(b, BATON_NONE);
}

static int step_master(struct baton *b)
{
	b->fn->ops->set_master(b->fn, true);
	return 0;
}

static int step_unmaster(struct baton *b)
{
	b->fn->ops->set_master(b->fn, false);
	return 0;
}

static int step_driver_ok(struct baton *b)
{
	u8 status;

	handover_write_status(b, b->hw_status | VIRTIO_CONFIG_S_DRIVER_OK);
	status = b->fn->ops->get_status(b->fn);
	if (status != b->hw_status) {
		baton_function_refuse(b,
				      "DRIVER_OK refused by the device: wrote status %#x, reads %#x",
				      b->hw_status, status);
		return -EIO;
	}

	return 0;
}

static int step_unvector(struct baton *b)
{
	baton_irq_free(b);
	baton_ctrl_stop(b);
	return 0;
}

static int step_flr(struct baton *b)
{
	int err = b->fn->ops->reset(b->fn);

	if (err)
		baton_function_refuse(b, "function-level reset failed: %pe", ERR_PTR(err));
	else
		baton_function_refuse(b, "had to be reset by force (function-level reset)");

	return err;
}

static int step_forsake(struct baton *b)
{
	step_unmaster(b);
	baton_queue_silence(b->bv);
	baton_virtio_break(b);
	return 0;
}

static int (*const steps[BATON_NR_STEPS])(struct baton *b) = {
	[BATON_STEP_ATTACH]	= step_attach,
	[BATON_STEP_VECTORS]	= baton_irq_request,
	[BATON_STEP_PROGRAM]	= step_program,
	[BATON_STEP_MASTER]	= step_master,
	[BATON_STEP_DRIVER_OK]	= step_driver_ok,
	[BATON_STEP_CONTROL]	= baton_ctrl_restore,
	[BATON_STEP_QUIESCE]	= step_quiesce,
	[BATON_STEP_UNMASTER]	= step_unmaster,
	[BATON_STEP_UNVECTOR]	= step_unvector,
	[BATON_STEP_BLOCK]	= step_block,
	[BATON_STEP_FLR]	= step_flr,
	[BATON_STEP_VERIFY]	= baton_handover_quiesce,
	[BATON_STEP_FORSAKE]	= step_forsake,
};

/**
 * baton_handover_owned() - has somebody yet to let go of the function?
 * @b: the function
 *
 * Context: &baton.lock held.
 * Return: true from DRIVER_OK on until reset.
 */
bool baton_handover_owned(const struct baton *b)
{
	return baton_running(b) || b->owner.state == BATON_LOST;
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
	if (err) {
		if (event == BATON_EV_GRANT)
			baton_function_refuse(b, "DRIVER_OK refused: function %s, consumer %s: %pe",
					      baton_owner_state_name(o->state),
					      baton_owner_party_name(o->consumer), ERR_PTR(err));
		return err;
	}
	if (o->state != from)
		trace_baton_owner(b->fn->dev, from, o);

	while (o->step != BATON_STEP_NONE) {
		from = o->state;
		last = o->step;
		err = steps[last](b);
		trace_baton_step(b->fn->dev, last, err);
		if (!first_err)
			first_err = err;
		baton_owner_done(o, err);
		if (o->state != from)
			trace_baton_owner(b->fn->dev, from, o);
	}

	if (last != BATON_STEP_NONE && o->state == BATON_BROKEN) {
		baton_function_refuse(b,
				      "broken: %s failed (%pe): remove and rescan the function, or reset it through sysfs",
				      baton_owner_step_name(last), ERR_PTR(err));
		return -EIO;
	}

	/* A drain that had to use force has still led where it should. */
	return event == BATON_EV_DRAIN || event == BATON_EV_REVIVE ? 0 : first_err;
}
