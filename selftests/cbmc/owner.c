// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proofs on drivers/vdpa/baton/owner.c itself, in the hostile surroundings of
 * selftests/unit/owner_model.h. Run by selftests/cbmc/run, which also says
 * which result each of these functions must have.
 */
#include "../unit/owner_model.h"

#ifndef ACTIONS
#define ACTIONS 1
#endif

unsigned int nondet_uint(void);
struct model nondet_model(void);

unsigned int choose(unsigned int n)
{
	unsigned int any = nondet_uint();

	__CPROVER_assume(any < n);
	return any;
}

/* From probe on: no ACTIONS in a row, whatever they are, break an invariant. */
void bounded(void)
{
	struct model m;

	model_init(&m);
	__CPROVER_assert(!model_broken(&m), "invariants hold after probe");
	for (int i = 0; i < ACTIONS; i++)
		__CPROVER_assert(!model_act(&m), "invariants hold after every action");
}

/* From any state that keeps the invariants, one action leads to another such state: no bound. */
void inductive(void)
{
	struct model m = nondet_model();

	__CPROVER_assume(!model_broken(&m));
	__CPROVER_assert(!model_act(&m), "invariants are inductive");
}

/* Do what is due until nothing is. Did all of it succeed? */
static bool finish_steps(struct model *m)
{
	bool all_well = true;
	int err;

	for (int i = 0; i < ACTIONS && m->o.step != BATON_STEP_NONE; i++) {
		err = model_step(m);
		all_well = all_well && !err;
		baton_owner_done(&m->o, err);
	}
	return all_well;
}

/* Steps come to an end, and those of a drain, if all goes well, in the blocked state. */
void ends(void)
{
	struct model m = nondet_model();
	bool all_well;

	__CPROVER_assume(!model_broken(&m));
	finish_steps(&m);
	__CPROVER_assert(m.o.step == BATON_STEP_NONE, "no sequence of steps goes on for ever");

	if (baton_owner_event(&m.o, BATON_EV_DRAIN) == 0) {
		all_well = finish_steps(&m);
		__CPROVER_assert(!all_well || m.o.state == BATON_BLOCKED,
				 "a drain that goes well ends blocked");
		__CPROVER_assert(m.o.state == BATON_BLOCKED || m.o.state == BATON_BROKEN,
				 "a drain ends blocked or broken");
		__CPROVER_assert(baton_owner_may_release(&m.o), "memory is free after a drain");
	}
}

/* A shutdown is the end, from wherever it comes. */
void dies(void)
{
	struct model m = nondet_model();

	__CPROVER_assume(!model_broken(&m));
	finish_steps(&m);
	if (baton_owner_event(&m.o, BATON_EV_SHUTDOWN) == 0) {
		finish_steps(&m);
		__CPROVER_assert(m.o.state == BATON_DEAD, "a shutdown ends dead");
	}
}

/* What a user suspends ends suspended if all goes well, and is nobody's. */
void suspends(void)
{
	struct model m = nondet_model();
	bool all_well;

	__CPROVER_assume(!model_broken(&m) && m.o.state == BATON_USER_OWNS);
	__CPROVER_assert(!baton_owner_event(&m.o, BATON_EV_SUSPEND), "a user may suspend");
	all_well = finish_steps(&m);
	__CPROVER_assert(!all_well || m.o.state == BATON_SUSPENDED,
			 "a suspend that goes well ends suspended");
	__CPROVER_assert(m.o.state == BATON_SUSPENDED || m.o.state == BATON_BROKEN,
			 "a suspend ends suspended or broken");
	__CPROVER_assert(baton_owner_may_release(&m.o), "memory is free then");
}

/* The proofs above are not empty: every state and every step can be reached. */
void reach(void)
{
	struct model m;

	model_init(&m);
	for (int i = 0; i < ACTIONS; i++) {
		model_act(&m);
		__CPROVER_cover(m.o.state == BATON_PROBED);
		__CPROVER_cover(m.o.state == BATON_BLOCKED);
		__CPROVER_cover(m.o.state == BATON_NEGOTIATED);
		__CPROVER_cover(m.o.state == BATON_GRANTING);
		__CPROVER_cover(m.o.state == BATON_KERNEL_OWNS);
		__CPROVER_cover(m.o.state == BATON_USER_OWNS);
		__CPROVER_cover(m.o.state == BATON_LOST);
		__CPROVER_cover(m.o.state == BATON_SUSPENDED);
		__CPROVER_cover(m.o.state == BATON_DRAINING);
		__CPROVER_cover(m.o.state == BATON_BROKEN);
		__CPROVER_cover(m.o.state == BATON_DEAD);
		__CPROVER_cover(m.o.step == BATON_STEP_NEGOTIATE);
		__CPROVER_cover(m.o.step == BATON_STEP_DRIVER_OK);
		__CPROVER_cover(m.o.step == BATON_STEP_CONTROL);
		__CPROVER_cover(m.o.step == BATON_STEP_QUEUES);
		__CPROVER_cover(m.o.step == BATON_STEP_VERIFY);
		__CPROVER_cover(m.o.step == BATON_STEP_DISABLE);
	}
}
