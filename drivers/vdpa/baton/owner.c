// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMA-ownership state machine (Documentation/dma-ownership.rst).
 *
 * An event that the table allows starts a sequence of steps; the caller does
 * each step, reports how it went with baton_owner_done(), and goes on until
 * there is none left:
 *
 *	err = baton_owner_event(o, event);
 *	while (o->step != BATON_STEP_NONE)
 *		baton_owner_done(o, do_it(o->step));
 *
 * Order is everything here. Towards an owner: its domain, then the vectors
 * (where the IOMMU translates MSIs they are mapped into the domain that is
 * attached), then the queues, and bus mastering as the last thing before
 * DRIVER_OK. Away from an owner: the function stops first (virtio 1.2, 2.4.1:
 * a device is reset when its status reads 0), then loses bus mastering, its
 * vectors and its domain. A function that does not stop loses all three before
 * it is reset by force, so that nothing it still does can reach memory.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/types.h>

#include "owner.h"

#define NR_OF(array) (sizeof(array) / sizeof((array)[0]))

/*
 * What each event does in each state. Pairs that are not named are refused.
 *
 *	        grant          (steps)          (steps)
 *	blocked -----> granting -----> kernel ----.
 *	   ^              |        \-> user ------|-- lose --> lost
 *	   |              | (a step failed)       |             |
 *	   |              v                       | drain       | drain
 *	   '---------- draining <-----------------'-------------'
 *	    (handshake)   |  ^
 *	                  v  | revive
 *	                broken
 */
enum verdict {
	REFUSE,		/* -EBUSY, or -EIO where the function is broken */
	KEEP,		/* allowed, nothing to do */
	SET_KERNEL,
	SET_USER,
	SET_NONE,
	START_GRANT,
	START_DRAIN,
	START_LOSS,
};

static const unsigned char transitions[BATON_NR_STATES][BATON_NR_EVENTS] = {
	[BATON_BLOCKED] = {
		[BATON_EV_BIND_KERNEL]	= SET_KERNEL,
		[BATON_EV_BIND_USER]	= SET_USER,
		[BATON_EV_UNBIND]	= SET_NONE,
		[BATON_EV_GRANT]	= START_GRANT,
		[BATON_EV_DRAIN]	= START_DRAIN,
		[BATON_EV_LOSE]		= KEEP,
	},
	[BATON_KERNEL_OWNS] = {
		[BATON_EV_DRAIN]	= START_DRAIN,
		[BATON_EV_LOSE]		= START_LOSS,
	},
	[BATON_USER_OWNS] = {
		[BATON_EV_DRAIN]	= START_DRAIN,
		[BATON_EV_LOSE]		= START_LOSS,
	},
	[BATON_LOST] = {
		[BATON_EV_DRAIN]	= START_DRAIN,
		[BATON_EV_LOSE]		= KEEP,
	},
	[BATON_BROKEN] = {
		[BATON_EV_BIND_KERNEL]	= SET_KERNEL,
		[BATON_EV_BIND_USER]	= SET_USER,
		[BATON_EV_UNBIND]	= SET_NONE,
		[BATON_EV_LOSE]		= KEEP,
		[BATON_EV_REVIVE]	= START_DRAIN,
	},
};

/* What follows each step: END leaves it to owner_finish() what has been reached. */
#define END BATON_STEP_NONE

static const struct {
	unsigned char ok;
	unsigned char failed;
} sequel[BATON_NR_STEPS] = {
	[BATON_STEP_ATTACH]	= { BATON_STEP_VECTORS,	BATON_STEP_QUIESCE },
	[BATON_STEP_VECTORS]	= { BATON_STEP_PROGRAM,	BATON_STEP_QUIESCE },
	[BATON_STEP_PROGRAM]	= { BATON_STEP_MASTER,	BATON_STEP_QUIESCE },
	[BATON_STEP_MASTER]	= { BATON_STEP_DRIVER_OK, BATON_STEP_QUIESCE },
	[BATON_STEP_DRIVER_OK]	= { BATON_STEP_CONTROL,	BATON_STEP_QUIESCE },
	[BATON_STEP_CONTROL]	= { END,		BATON_STEP_QUIESCE },

	[BATON_STEP_QUIESCE]	= { BATON_STEP_UNMASTER, BATON_STEP_UNMASTER },
	[BATON_STEP_UNMASTER]	= { BATON_STEP_UNVECTOR, BATON_STEP_UNVECTOR },
	[BATON_STEP_UNVECTOR]	= { BATON_STEP_BLOCK,	BATON_STEP_BLOCK },
	[BATON_STEP_BLOCK]	= { END,		END },
	[BATON_STEP_FLR]	= { BATON_STEP_VERIFY,	END },
	[BATON_STEP_VERIFY]	= { END,		END },

	[BATON_STEP_FORSAKE]	= { END,		END },
};

static void owner_start_drain(struct baton_owner *o)
{
	WRITE_ONCE(o->state, BATON_DRAINING);
	o->quiesced = false;
	o->step = BATON_STEP_QUIESCE;
}

/* The steps have run out: which state has been reached? */
static void owner_finish(struct baton_owner *o, enum baton_step last)
{
	switch (o->state) {
	case BATON_GRANTING:
		WRITE_ONCE(o->state, o->owner == BATON_USER ? BATON_USER_OWNS : BATON_KERNEL_OWNS);
		break;
	case BATON_DRAINING:
		if (last == BATON_STEP_BLOCK && !o->quiesced) {
			o->step = BATON_STEP_FLR;
			break;
		}
		WRITE_ONCE(o->owner, BATON_NONE);
		WRITE_ONCE(o->state, o->quiesced && o->blocked ? BATON_BLOCKED : BATON_BROKEN);
		break;
	default:
		break;
	}
}

/**
 * baton_owner_init() - a function that has just been probed
 * @o: the state machine
 *
 * It starts out as broken, that is: trusted with nothing, until
 * %BATON_EV_REVIVE has seen it reset and blocked.
 */
void baton_owner_init(struct baton_owner *o)
{
	*o = (struct baton_owner) { .state = BATON_BROKEN };
}

/**
 * baton_owner_event() - let something happen
 * @o: the state machine
 * @event: what happens
 *
 * Context: any; the caller serialises all calls for one @o.
 * Return: 0, and @o->step says what has to be done first, if anything;
 * -EBUSY if @event is not allowed in this state, -EIO if the function is
 * broken, -EPERM if nobody, or somebody who must not, asks for ownership.
 * Nothing has changed then.
 */
int baton_owner_event(struct baton_owner *o, enum baton_event event)
{
	if (event >= BATON_NR_EVENTS || o->state >= BATON_NR_STATES || o->step != BATON_STEP_NONE)
		return -EBUSY;

	switch (transitions[o->state][event]) {
	case KEEP:
		return 0;
	case SET_KERNEL:
	case SET_USER:
		if (o->consumer != BATON_NONE)
			return -EBUSY;
		o->consumer = event == BATON_EV_BIND_USER ? BATON_USER : BATON_KERNEL;
		return 0;
	case SET_NONE:
		o->consumer = BATON_NONE;
		return 0;
	case START_GRANT:
		if (o->consumer == BATON_NONE ||
		    (o->consumer == BATON_USER && !o->user_allowed))
			return -EPERM;
		WRITE_ONCE(o->state, BATON_GRANTING);
		WRITE_ONCE(o->owner, o->consumer);
		o->step = BATON_STEP_ATTACH;
		return 0;
	case START_DRAIN:
		owner_start_drain(o);
		return 0;
	case START_LOSS:
		WRITE_ONCE(o->state, BATON_LOST);
		o->step = BATON_STEP_FORSAKE;
		return 0;
	default:
		return o->state == BATON_BROKEN ? -EIO : -EBUSY;
	}
}

/**
 * baton_owner_done() - report how the current step went
 * @o: the state machine
 * @err: 0, or why the step failed
 *
 * Context: any; the caller serialises all calls for one @o.
 */
void baton_owner_done(struct baton_owner *o, int err)
{
	enum baton_step step = o->step;

	if (step == BATON_STEP_NONE || step >= NR_OF(sequel))
		return;

	switch (step) {
	case BATON_STEP_ATTACH:
		/* Even a failed attach may have taken the empty domain away. */
		o->blocked = false;
		break;
	case BATON_STEP_QUIESCE:
	case BATON_STEP_VERIFY:
		o->quiesced = !err;
		break;
	case BATON_STEP_BLOCK:
		o->blocked = !err;
		break;
	default:
		break;
	}

	o->step = err ? sequel[step].failed : sequel[step].ok;
	if (o->state == BATON_GRANTING && o->step == BATON_STEP_QUIESCE)
		owner_start_drain(o);
	if (o->step == BATON_STEP_NONE)
		owner_finish(o, step);
}

/**
 * baton_owner_may_release() - may the owner's memory be used for other things?
 * @o: the state machine
 *
 * Return: true once the function can no longer reach memory: it has answered
 * the reset handshake, or (broken) has neither bus mastering nor a domain.
 */
bool baton_owner_may_release(const struct baton_owner *o)
{
	return o->step == BATON_STEP_NONE &&
	       (o->state == BATON_BLOCKED || o->state == BATON_BROKEN);
}

static const char *owner_name_of(const char *const *names, unsigned int nr, unsigned int i)
{
	return i < nr ? names[i] : "?";
}

/**
 * baton_owner_party_name() - a party as sysfs and the trace name it
 * @party: which
 *
 * Return: a constant string.
 */
const char *baton_owner_party_name(enum baton_party party)
{
	static const char *const names[] = { "none", "kernel", "user" };

	return owner_name_of(names, NR_OF(names), party);
}

/**
 * baton_owner_state_name() - a state as sysfs and the trace name it
 * @state: which
 *
 * Return: a constant string.
 */
const char *baton_owner_state_name(enum baton_state state)
{
	static const char *const names[] = {
		"blocked", "granting", "kernel", "user", "lost", "draining", "broken",
	};

	return owner_name_of(names, NR_OF(names), state);
}

/**
 * baton_owner_step_name() - a step as the log and the trace name it
 * @step: which
 *
 * Return: a constant string.
 */
const char *baton_owner_step_name(enum baton_step step)
{
	static const char *const names[] = {
		"none", "attach", "vectors", "program", "master", "driver_ok", "control", "quiesce",
		"unmaster", "unvector", "block", "flr", "verify", "forsake",
	};

	return owner_name_of(names, NR_OF(names), step);
}
