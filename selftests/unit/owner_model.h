/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A function, its IOMMU and its caller, as hostile as they come, around the
 * real owner.c: any event at any time, and each step succeeds, fails, or fails
 * after it took effect. Used by the unit tests, where a random number chooses,
 * and by the proofs, where CBMC tries every choice.
 *
 * What is assumed of the caller: it does the step that owner.c asks for, and
 * nothing else; the function starts out without bus mastering and vectors; and
 * UNMASTER, UNVECTOR and DISABLE do what they say. Nothing is assumed of the
 * function itself.
 */
#ifndef OWNER_MODEL_H
#define OWNER_MODEL_H

#include <linux/errno.h>
#include <linux/types.h>

#include "../../drivers/vdpa/baton/owner.h"

struct model {
	struct baton_owner o;
	enum baton_party domain; /* whose is attached; NONE: the empty one */
	bool master;		 /* bus mastering is on: the function can do DMA */
	bool vectors;		 /* it can raise interrupts */
	bool stopped;		 /* its status has read 0, and nothing was programmed since */
	bool features;		 /* it knows those that the consumer took */
	bool told;		 /* it was told what the administrator provisioned */
	bool queues;		 /* the owner's queues run */
};

/* Any number below n; CBMC's or the test's. */
unsigned int choose(unsigned int n);

static inline void model_init(struct model *m)
{
	*m = (struct model){ .domain = choose(BATON_NR_PARTIES), .stopped = choose(2) };
	baton_owner_init(&m->o);
}

/* To CBMC enums are signed, to gcc they are not: compare as unsigned. */
static inline bool in_table(const struct model *m)
{
	return (unsigned int)m->o.state < BATON_NR_STATES &&
	       (unsigned int)m->o.consumer < BATON_NR_PARTIES &&
	       (unsigned int)m->o.owner < BATON_NR_PARTIES &&
	       (unsigned int)m->o.step < BATON_NR_STEPS &&
	       (unsigned int)m->domain < BATON_NR_PARTIES;
}

/* The invariants. NULL if all hold, else the one that does not. */
static inline const char *model_broken(const struct model *m)
{
	const struct baton_owner *o = &m->o;
	bool granting = o->state == BATON_GRANTING;
	bool draining = o->state == BATON_DRAINING;
	bool powerless = !m->master && !m->vectors;

	if (!in_table(m))
		return "a value is out of its table";

	if (!baton_owner_valid(o))
		return "state, owner, consumer and the rest do not go together";

	/* Issue by issue: who may do DMA, where to, and when memory is given back. */
	if (m->master && o->owner == BATON_NONE)
		return "the function can do DMA and nobody owns it";
	if (m->master && m->domain != o->owner)
		return "the function can do DMA in a domain that is not its owner's";
	if (m->domain == BATON_USER && o->owner == BATON_KERNEL)
		return "a user's domain is attached while the kernel owns";
	if (m->domain == BATON_KERNEL && o->owner == BATON_USER)
		return "the kernel's domain is attached while a user owns";
	if (o->owner != BATON_NONE && o->owner != o->consumer)
		return "the owner is not the consumer";
	if (o->owner == BATON_USER && !o->user_allowed)
		return "a user owns a function that is not isolated";
	if (baton_owner_may_release(o) && (!powerless || o->owner != BATON_NONE))
		return "memory is released, but the function can reach it";
	if (baton_owner_may_release(o) && !m->stopped && o->state != BATON_BROKEN &&
	    o->state != BATON_PROBED && o->state != BATON_DEAD)
		return "memory is released before the reset handshake ended";
	if (o->emptied && m->domain != BATON_NONE)
		return "called emptied, but a domain is attached";

	/* What each state promises. */
	if ((granting || draining) == (o->step == BATON_STEP_NONE) && o->state != BATON_LOST &&
	    o->state != BATON_NEGOTIATED)
		return "steps are left over, or missing";
	if ((o->state == BATON_BLOCKED || o->state == BATON_NEGOTIATED ||
	     o->state == BATON_SUSPENDED) &&
	    !(powerless && m->stopped && o->emptied))
		return "blocked or suspended, but not powerless, reset and in the empty domain";
	if (o->state == BATON_NEGOTIATED && o->step == BATON_STEP_NONE && !m->features)
		return "negotiated, but the function does not know the features";
	if (granting && !m->features)
		return "granting a function that does not know the features";
	if (o->state == BATON_KERNEL_OWNS && o->owner != BATON_KERNEL)
		return "state and owner disagree";
	if (o->state == BATON_USER_OWNS && o->owner != BATON_USER)
		return "state and owner disagree";
	if ((o->state == BATON_KERNEL_OWNS || o->state == BATON_USER_OWNS) &&
	    !(m->master && m->vectors))
		return "owned, but not able to work";
	if ((o->state == BATON_KERNEL_OWNS || o->state == BATON_USER_OWNS) && !m->told)
		return "owned, but not told what was provisioned";
	if (m->stopped && m->queues)
		return "its status has read 0, and its queues run";
	if (o->owner == BATON_USER && m->queues && !m->told)
		return "a user's queues run, and nobody but the user says that it was told";
	if ((o->state == BATON_KERNEL_OWNS || o->state == BATON_USER_OWNS) && !m->queues)
		return "owned, but its queues do not run";
	if (o->state == BATON_LOST &&
	    (o->owner == BATON_NONE || (o->step == BATON_STEP_NONE && m->master)))
		return "lost, but no owner, or still able to do DMA";
	if ((o->state == BATON_PROBED || o->state == BATON_BROKEN || o->state == BATON_DEAD) &&
	    !(powerless && o->owner == BATON_NONE))
		return "probed, broken or dead, but trusted with something";
	if (granting && o->owner == BATON_NONE)
		return "granting to nobody";

	/* What each step may rely on: this makes the invariants inductive. */
	switch (o->step) {
	case BATON_STEP_NONE:
		break;
	case BATON_STEP_NEGOTIATE:
		if (o->state != BATON_NEGOTIATED)
			return "negotiate: not from the blocked state";
		break;
	case BATON_STEP_ATTACH:
		if (!granting || !powerless || !m->stopped || !o->emptied)
			return "attach: not from the blocked state";
		break;
	case BATON_STEP_VECTORS:
		if (!granting || !powerless || !m->stopped || m->domain != o->owner)
			return "vectors: wanted before the owner's domain";
		break;
	case BATON_STEP_PROGRAM:
	case BATON_STEP_MASTER:
		if (!granting || m->master || !m->vectors || m->domain != o->owner)
			return "program: wanted before domain and vectors";
		break;
	case BATON_STEP_DRIVER_OK:
	case BATON_STEP_CONTROL:
		if (!granting || !m->master || !m->vectors)
			return "DRIVER_OK, control: wanted before the function can work";
		break;
	case BATON_STEP_QUEUES:
		if (!granting || !m->master || !m->vectors || !m->told)
			return "queues: wanted before the function was told";
		break;
	case BATON_STEP_QUIESCE:
		if (!draining)
			return "quiesce: not draining";
		break;
	case BATON_STEP_UNMASTER:
		if (!draining || (o->answered && !m->stopped))
			return "unmaster: taken for stopped, but it is not";
		break;
	case BATON_STEP_UNVECTOR:
		if (!draining || m->master || (o->answered && !m->stopped))
			return "unvector: before bus mastering went";
		break;
	case BATON_STEP_BLOCK:
		if (!draining || !powerless || (o->answered && !m->stopped))
			return "block: before bus mastering and vectors went";
		break;
	case BATON_STEP_FLR:
	case BATON_STEP_VERIFY:
		if (!draining || !powerless || o->answered)
			return "FLR: not needed, or before bus mastering and vectors went";
		break;
	case BATON_STEP_DISABLE:
		if (o->state != BATON_LOST)
			return "disable: not lost";
		break;
	default:
		return "there is no such step";
	}
	return NULL;
}

/* What the step that is due does, and how it says it went. */
static inline int model_step(struct model *m)
{
	enum { WORKS, FAILS, FAILS_LATE } how = choose(3);
	bool effect = how != FAILS;

	switch (m->o.step) {
	case BATON_STEP_NEGOTIATE:
		if (effect)
			m->features = true;
		break;
	case BATON_STEP_ATTACH:
		if (effect)
			m->domain = m->o.owner;
		break;
	case BATON_STEP_VECTORS:
		if (effect)
			m->vectors = true;
		break;
	case BATON_STEP_PROGRAM:
		m->stopped = false;
		m->told = false;
		m->queues = m->o.owner == BATON_KERNEL;
		break;
	case BATON_STEP_QUEUES:
		m->queues = true;
		m->stopped = false;
		break;
	case BATON_STEP_CONTROL:
		if (effect)
			m->told = true;
		break;
	case BATON_STEP_MASTER:
		if (effect)
			m->master = true;
		break;
	case BATON_STEP_QUIESCE:
	case BATON_STEP_VERIFY:
		m->features = false;
		if (how == WORKS) {
			m->stopped = true;
			m->queues = false;
		}
		break;
	case BATON_STEP_BLOCK:
		if (effect)
			m->domain = BATON_NONE;
		break;
	case BATON_STEP_UNMASTER:
	case BATON_STEP_DISABLE:
		m->master = false;
		break;
	case BATON_STEP_UNVECTOR:
		m->vectors = false;
		break;
	default: /* DRIVER_OK, FLR: nothing that we could rely on */
		break;
	}
	return how == WORKS ? 0 : -EIO;
}

static inline bool same_owner(const struct baton_owner *a, const struct baton_owner *b)
{
	return a->state == b->state && a->consumer == b->consumer && a->owner == b->owner &&
	       a->step == b->step && a->user_allowed == b->user_allowed &&
	       a->answered == b->answered && a->emptied == b->emptied && a->goal == b->goal;
}

/* One event, whether or not it is allowed. NULL, or what is wrong with the answer. */
static inline const char *model_event(struct model *m)
{
	enum baton_event event = choose(BATON_NR_EVENTS + 1);
	struct baton_owner before;
	int err;

	/* Whether the function is isolated is found out when a user is bound. */
	if (m->o.consumer == BATON_NONE && m->o.step == BATON_STEP_NONE)
		m->o.user_allowed = choose(2);
	before = m->o;
	err = baton_owner_event(&m->o, event);

	if (err && !same_owner(&before, &m->o))
		return "a refused event changed something";
	if (!err && before.step != BATON_STEP_NONE)
		return "an event was let in between two steps";
	if (!err && event == BATON_EV_GRANT && before.state != BATON_NEGOTIATED)
		return "ownership was granted while it was not free, or nothing was negotiated";
	if (!err && before.owner != BATON_NONE && before.consumer != m->o.consumer)
		return "the consumer changed while it owned";
	if ((before.state == BATON_BROKEN || before.state == BATON_PROBED) && err != -EIO &&
	    event == BATON_EV_GRANT && before.step == BATON_STEP_NONE)
		return "DRIVER_OK of a function that is not trusted was not refused with EIO";
	if (before.state == BATON_DEAD && m->o.state != BATON_DEAD)
		return "a dead function came to life";
	/* Whoever resets it, it forgets the features. */
	if (!err && event == BATON_EV_LOSE)
		m->features = false;
	return NULL;
}

/* One thing happens: an event, or the step that is due. NULL if all is well. */
static inline const char *model_act(struct model *m)
{
	const char *broken = NULL;

	if (m->o.step != BATON_STEP_NONE && choose(2))
		baton_owner_done(&m->o, model_step(m));
	else
		broken = model_event(m);
	return broken ? broken : model_broken(m);
}

#endif /* OWNER_MODEL_H */
