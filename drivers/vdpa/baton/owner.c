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
 * The caller serialises: in the core all of it happens under the lock of struct
 * baton. The order of the steps keeps one invariant: from the function's first
 * reset on, the domain that is attached while bus mastering is on is the owner's.
 *
 * Towards an owner: its domain, then the vectors (where the IOMMU translates
 * MSIs they are mapped into the domain that is attached), then the queues, and
 * bus mastering as the last thing before DRIVER_OK. A user's queues come last of
 * all where the hardware is first told what was provisioned: its own queues would
 * let the user write the answers.
 *
 * Away from an owner: the function stops first (virtio 1.2, 2.4.1: a device is
 * reset when its status reads 0), then loses bus mastering, its vectors and its
 * domain. A function that does not stop loses all three before it is reset by
 * force, so that nothing it still does can reach memory.
 */
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/types.h>

#include "owner.h"

#define NR_OF(array) (sizeof(array) / sizeof((array)[0]))

/*
 * What each event does in each state. Pairs that are not named are refused.
 *
 *	probed --.
 *	         | recover
 *	         v
 *	      draining <---------------------------------------------------.
 *	 (handshake) |  ^ recover                                           |
 *	    |        |  '--- broken                                         |
 *	    |        '----->   (did not answer)                             |
 *	    v  negotiate               grant            (steps)             |
 *	 blocked ------> negotiated ---------> granting ------> kernel -----|
 *	    ^                |                    |         \-> user -------|
 *	    |                | lose               | (a step failed)         | drain
 *	    '----------------'                    '-------------------------|
 *	                                            kernel, user -- lose -> lost
 *
 * Shutdown drains what has not been, and leads to dead, from where nothing does.
 * Suspend drains what a user owns, and leads to suspended, from where both negotiate
 * and drain do, as from blocked.
 */
enum verdict {
	REFUSE,		/* -EBUSY; -EIO if the function is not to be trusted, -ENODEV if dead */
	KEEP,		/* allowed, nothing to do */
	SET_KERNEL,
	SET_USER,
	SET_NONE,
	SET_BLOCKED,
	SET_DEAD,
	START_NEGOTIATION,
	START_GRANT,
	START_DRAIN,
	START_LOSS,
	START_END,
	START_SUSPENSION,
};

static const unsigned char transitions[BATON_NR_STATES][BATON_NR_EVENTS] = {
	[BATON_PROBED] = {
		[BATON_EV_LOSE]		= KEEP,
		[BATON_EV_RECOVER]	= START_DRAIN,
		[BATON_EV_SHUTDOWN]	= SET_DEAD,
	},
	[BATON_BLOCKED] = {
		[BATON_EV_BIND_KERNEL]	= SET_KERNEL,
		[BATON_EV_BIND_USER]	= SET_USER,
		[BATON_EV_UNBIND]	= SET_NONE,
		[BATON_EV_NEGOTIATE]	= START_NEGOTIATION,
		[BATON_EV_DRAIN]	= START_DRAIN,
		[BATON_EV_LOSE]		= KEEP,
		/* It has been reset, and may have died since: it is not waited for again. */
		[BATON_EV_SHUTDOWN]	= SET_DEAD,
	},
	[BATON_NEGOTIATED] = {
		[BATON_EV_GRANT]	= START_GRANT,
		[BATON_EV_DRAIN]	= START_DRAIN,
		/* Nothing was given to it yet, and it forgets the features. */
		[BATON_EV_LOSE]		= SET_BLOCKED,
		[BATON_EV_SHUTDOWN]	= START_END,
	},
	[BATON_KERNEL_OWNS] = {
		[BATON_EV_DRAIN]	= START_DRAIN,
		[BATON_EV_LOSE]		= START_LOSS,
		[BATON_EV_SHUTDOWN]	= START_END,
	},
	[BATON_USER_OWNS] = {
		[BATON_EV_DRAIN]	= START_DRAIN,
		[BATON_EV_LOSE]		= START_LOSS,
		[BATON_EV_SHUTDOWN]	= START_END,
		[BATON_EV_SUSPEND]	= START_SUSPENSION,
	},
	[BATON_LOST] = {
		[BATON_EV_DRAIN]	= START_DRAIN,
		[BATON_EV_LOSE]		= KEEP,
		[BATON_EV_SHUTDOWN]	= START_END,
	},
	[BATON_SUSPENDED] = {
		[BATON_EV_NEGOTIATE]	= START_NEGOTIATION,
		/* What there is to be drained was; but who asks may doubt it. */
		[BATON_EV_DRAIN]	= START_DRAIN,
		[BATON_EV_LOSE]		= KEEP,
		[BATON_EV_SHUTDOWN]	= SET_DEAD,
		[BATON_EV_SUSPEND]	= KEEP,
	},
	[BATON_BROKEN] = {
		[BATON_EV_BIND_KERNEL]	= SET_KERNEL,
		[BATON_EV_BIND_USER]	= SET_USER,
		[BATON_EV_UNBIND]	= SET_NONE,
		[BATON_EV_LOSE]		= KEEP,
		[BATON_EV_RECOVER]	= START_DRAIN,
		[BATON_EV_SHUTDOWN]	= SET_DEAD,
	},
	[BATON_DEAD] = {
		[BATON_EV_UNBIND]	= SET_NONE,
		[BATON_EV_LOSE]		= KEEP,
		[BATON_EV_SHUTDOWN]	= KEEP,
	},
};

/*
 * Which parties may be owner and consumer in each state, as sets; whether steps
 * may be left to do; and whether the last handshake must have been answered, and
 * the empty domain be attached.
 */
enum {
	NOBODY	= 1 << BATON_NONE,
	KERNEL	= 1 << BATON_KERNEL,
	USER	= 1 << BATON_USER,
	ANYBODY	= NOBODY | KERNEL | USER,
};

static const struct {
	unsigned char owners;
	unsigned char consumers;
	bool steps;
	bool safe;
} valid[BATON_NR_STATES] = {
	[BATON_PROBED]		= { NOBODY,		NOBODY,		false,	false },
	[BATON_BLOCKED]		= { NOBODY,		ANYBODY,	false,	true },
	[BATON_NEGOTIATED]	= { NOBODY,		KERNEL | USER,	true,	true },
	[BATON_GRANTING]	= { KERNEL | USER,	KERNEL | USER,	true,	false },
	[BATON_KERNEL_OWNS]	= { KERNEL,		KERNEL,		false,	false },
	[BATON_USER_OWNS]	= { USER,		USER,		false,	false },
	[BATON_LOST]		= { KERNEL | USER,	KERNEL | USER,	true,	false },
	[BATON_SUSPENDED]	= { NOBODY,		USER,		false,	true },
	[BATON_DRAINING]	= { ANYBODY,		ANYBODY,	true,	false },
	[BATON_BROKEN]		= { NOBODY,		ANYBODY,	false,	false },
	[BATON_DEAD]		= { NOBODY,		ANYBODY,	false,	false },
};

/* What follows each step: END leaves it to owner_finish() what has been reached. */
#define END BATON_STEP_NONE

static const struct {
	unsigned char ok;
	unsigned char failed;
} sequel[BATON_NR_STEPS] = {
	[BATON_STEP_NEGOTIATE]	= { END,		BATON_STEP_QUIESCE },

	[BATON_STEP_ATTACH]	= { BATON_STEP_VECTORS,	BATON_STEP_QUIESCE },
	[BATON_STEP_VECTORS]	= { BATON_STEP_PROGRAM,	BATON_STEP_QUIESCE },
	[BATON_STEP_PROGRAM]	= { BATON_STEP_MASTER,	BATON_STEP_QUIESCE },
	[BATON_STEP_MASTER]	= { BATON_STEP_DRIVER_OK, BATON_STEP_QUIESCE },
	[BATON_STEP_DRIVER_OK]	= { BATON_STEP_CONTROL,	BATON_STEP_QUIESCE },
	[BATON_STEP_CONTROL]	= { BATON_STEP_QUEUES,	BATON_STEP_QUIESCE },
	[BATON_STEP_QUEUES]	= { END,		BATON_STEP_QUIESCE },

	[BATON_STEP_QUIESCE]	= { BATON_STEP_UNMASTER, BATON_STEP_UNMASTER },
	[BATON_STEP_UNMASTER]	= { BATON_STEP_UNVECTOR, BATON_STEP_UNVECTOR },
	[BATON_STEP_UNVECTOR]	= { BATON_STEP_BLOCK,	BATON_STEP_BLOCK },
	[BATON_STEP_BLOCK]	= { END,		END },
	[BATON_STEP_FLR]	= { BATON_STEP_VERIFY,	END },
	[BATON_STEP_VERIFY]	= { END,		END },

	[BATON_STEP_DISABLE]	= { END,		END },
};

static void owner_start_drain(struct baton_owner *o, enum baton_state goal)
{
	WRITE_ONCE(o->state, BATON_DRAINING);
	o->answered = false;
	o->goal = goal;
	o->step = BATON_STEP_QUIESCE;
}

static enum baton_state owner_drained(const struct baton_owner *o)
{
	return o->goal == BATON_DEAD || (o->answered && o->emptied) ? o->goal : BATON_BROKEN;
}

/* The steps have run out: which state has been reached? */
static void owner_finish(struct baton_owner *o, enum baton_step last)
{
	switch (o->state) {
	case BATON_GRANTING:
		WRITE_ONCE(o->state, o->owner == BATON_USER ? BATON_USER_OWNS : BATON_KERNEL_OWNS);
		break;
	case BATON_DRAINING:
		if (last == BATON_STEP_BLOCK && !o->answered) {
			o->step = BATON_STEP_FLR;
			break;
		}
		WRITE_ONCE(o->owner, BATON_NONE);
		WRITE_ONCE(o->state, owner_drained(o));
		break;
	default:
		break;
	}
}

/**
 * baton_owner_init() - a function that has just been probed
 * @o: the state machine
 *
 * It is trusted with nothing until %BATON_EV_RECOVER has seen it reset and
 * blocked.
 */
void baton_owner_init(struct baton_owner *o)
{
	*o = (struct baton_owner) { .state = BATON_PROBED };
}

/* Why an event is refused. */
static int owner_refusal(const struct baton_owner *o)
{
	switch (o->state) {
	case BATON_DEAD:
		return -ENODEV;
	case BATON_PROBED:
	case BATON_BROKEN:
		return -EIO;
	default:
		return -EBUSY;
	}
}

/**
 * baton_owner_event() - let something happen
 * @o: the state machine
 * @event: what happens
 *
 * Context: any; the caller serialises all calls for one @o.
 * Return: 0, and @o->step says what has to be done first, if anything;
 * -EBUSY if @event is not allowed in this state, -EIO if the function is
 * probed or broken, -ENODEV if it is dead, -EPERM if nobody, or somebody who
 * must not, asks for it. Nothing has changed then.
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
		WRITE_ONCE(o->consumer, event == BATON_EV_BIND_USER ? BATON_USER : BATON_KERNEL);
		return 0;
	case SET_NONE:
		WRITE_ONCE(o->consumer, BATON_NONE);
		return 0;
	case SET_BLOCKED:
		WRITE_ONCE(o->state, BATON_BLOCKED);
		return 0;
	case SET_DEAD:
		WRITE_ONCE(o->state, BATON_DEAD);
		return 0;
	case START_NEGOTIATION:
		if (o->consumer == BATON_NONE)
			return -EPERM;
		WRITE_ONCE(o->state, BATON_NEGOTIATED);
		o->step = BATON_STEP_NEGOTIATE;
		return 0;
	case START_GRANT:
		if (o->consumer == BATON_USER && !o->user_allowed)
			return -EPERM;
		WRITE_ONCE(o->state, BATON_GRANTING);
		WRITE_ONCE(o->owner, o->consumer);
		o->step = BATON_STEP_ATTACH;
		return 0;
	case START_DRAIN:
		owner_start_drain(o, BATON_BLOCKED);
		return 0;
	case START_END:
		owner_start_drain(o, BATON_DEAD);
		return 0;
	case START_SUSPENSION:
		owner_start_drain(o, BATON_SUSPENDED);
		return 0;
	case START_LOSS:
		WRITE_ONCE(o->state, BATON_LOST);
		o->step = BATON_STEP_DISABLE;
		return 0;
	default:
		return owner_refusal(o);
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
		o->emptied = false;
		break;
	case BATON_STEP_QUIESCE:
	case BATON_STEP_VERIFY:
		o->answered = !err;
		break;
	case BATON_STEP_BLOCK:
		o->emptied = !err;
		break;
	default:
		break;
	}

	o->step = err ? sequel[step].failed : sequel[step].ok;
	if (o->state != BATON_DRAINING && o->step == BATON_STEP_QUIESCE)
		owner_start_drain(o, BATON_BLOCKED);
	if (o->step == BATON_STEP_NONE)
		owner_finish(o, step);
}

/**
 * baton_owner_valid() - do the parts of the state machine go together?
 * @o: the state machine
 *
 * Return: true if so. False is a bug in owner.c, or in who wrote to @o.
 */
bool baton_owner_valid(const struct baton_owner *o)
{
	if (o->state >= BATON_NR_STATES || o->step >= BATON_NR_STEPS ||
	    o->owner >= BATON_NR_PARTIES || o->consumer >= BATON_NR_PARTIES)
		return false;
	if (!(valid[o->state].owners & 1u << o->owner) ||
	    !(valid[o->state].consumers & 1u << o->consumer))
		return false;
	if (o->owner != BATON_NONE && (o->owner != o->consumer ||
				       (o->owner == BATON_USER && !o->user_allowed)))
		return false;
	if (o->step != BATON_STEP_NONE && !valid[o->state].steps)
		return false;
	if (o->state == BATON_DRAINING && o->goal != BATON_BLOCKED && o->goal != BATON_DEAD &&
	    !(o->goal == BATON_SUSPENDED && o->consumer == BATON_USER))
		return false;

	return !valid[o->state].safe || (o->answered && o->emptied);
}

/**
 * baton_owner_may_release() - may the owner's memory be used for other things?
 * @o: the state machine
 *
 * Return: true once the function can no longer reach memory: it has answered
 * the reset handshake, or (broken, dead) has neither bus mastering nor a domain.
 */
bool baton_owner_may_release(const struct baton_owner *o)
{
	return o->step == BATON_STEP_NONE &&
	       (o->state == BATON_PROBED || o->state == BATON_BLOCKED ||
		o->state == BATON_NEGOTIATED || o->state == BATON_SUSPENDED ||
		o->state == BATON_BROKEN || o->state == BATON_DEAD);
}

/**
 * baton_owner_runs() - does the function work for somebody?
 * @o: the state machine
 *
 * Return: true from DRIVER_OK on until reset, or until it is lost.
 */
bool baton_owner_runs(const struct baton_owner *o)
{
	return o->state == BATON_KERNEL_OWNS || o->state == BATON_USER_OWNS;
}

/**
 * baton_owner_held() - has somebody yet to let go of the function?
 * @o: the state machine
 *
 * Return: true from DRIVER_OK on until reset.
 */
bool baton_owner_held(const struct baton_owner *o)
{
	return baton_owner_runs(o) || o->state == BATON_LOST;
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
		"probed", "blocked", "negotiated", "granting", "kernel", "user", "lost",
		"suspended", "draining", "broken", "dead",
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
		"none", "negotiate", "attach", "vectors", "program", "master", "driver_ok",
		"control", "queues", "quiesce", "unmaster", "unvector", "block", "flr", "verify",
		"disable",
	};

	return owner_name_of(names, NR_OF(names), step);
}
