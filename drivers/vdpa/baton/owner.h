/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may direct the function's DMA: the state machine, and nothing else.
 *
 * This header and owner.c use no kernel API beyond fixed-width types and errno
 * values: the same files are compiled into baton.ko, into the unit tests and
 * into the CBMC proofs (selftests/).
 */
#ifndef BATON_OWNER_H
#define BATON_OWNER_H

#include <linux/types.h>

/**
 * enum baton_party - somebody who can hold the function's DMA
 * @BATON_NONE: nobody
 * @BATON_KERNEL: the kernel's virtio drivers, through virtio_vdpa
 * @BATON_USER: a user-space process, through vhost_vdpa
 * @BATON_NR_PARTIES: how many there are
 */
enum baton_party {
	BATON_NONE,
	BATON_KERNEL,
	BATON_USER,
	BATON_NR_PARTIES
};

/**
 * enum baton_state - where the function stands in its life
 * @BATON_PROBED: its driver has just been probed; nothing is known of it yet
 * @BATON_BLOCKED: reset; empty domain, bus mastering off, no vectors
 * @BATON_NEGOTIATED: as @BATON_BLOCKED, but the hardware knows the features that
 *		      the consumer took; the one state that can be granted from
 * @BATON_GRANTING: between the owner's DRIVER_OK and the hardware's
 * @BATON_KERNEL_OWNS: DRIVER_OK, the kernel's DMA domain is attached
 * @BATON_USER_OWNS: DRIVER_OK, the user's domain is attached
 * @BATON_LOST: the function was taken from its owner, who has yet to reset;
 *		bus mastering off
 * @BATON_SUSPENDED: as @BATON_BLOCKED, but its user means to go on where the queues stood
 * @BATON_DRAINING: the reset handshake and what follows it
 * @BATON_BROKEN: did not answer reset, nor a function-level reset
 * @BATON_DEAD: shut down, or gone: nobody will own it any more
 * @BATON_NR_STATES: how many there are
 */
enum baton_state {
	BATON_PROBED,
	BATON_BLOCKED,
	BATON_NEGOTIATED,
	BATON_GRANTING,
	BATON_KERNEL_OWNS,
	BATON_USER_OWNS,
	BATON_LOST,
	BATON_SUSPENDED,
	BATON_DRAINING,
	BATON_BROKEN,
	BATON_DEAD,
	BATON_NR_STATES
};

/**
 * enum baton_event - what can happen to the state machine
 * @BATON_EV_BIND_KERNEL: virtio_vdpa is about to be bound
 * @BATON_EV_BIND_USER: vhost_vdpa is about to be bound
 * @BATON_EV_UNBIND: the consumer has let go
 * @BATON_EV_NEGOTIATE: the consumer set FEATURES_OK
 * @BATON_EV_GRANT: the consumer set DRIVER_OK
 * @BATON_EV_DRAIN: the consumer asked for reset, or the core needs one
 * @BATON_EV_LOSE: somebody else is about to reset the function, or it has failed
 * @BATON_EV_RECOVER: a function that was not to be trusted may be well now: it is
 *		      drained to see whether it is
 * @BATON_EV_SHUTDOWN: it will not be used any more
 * @BATON_EV_SUSPEND: the user wants a rest, and to go on later
 * @BATON_NR_EVENTS: how many there are
 */
enum baton_event {
	BATON_EV_BIND_KERNEL,
	BATON_EV_BIND_USER,
	BATON_EV_UNBIND,
	BATON_EV_NEGOTIATE,
	BATON_EV_GRANT,
	BATON_EV_DRAIN,
	BATON_EV_LOSE,
	BATON_EV_RECOVER,
	BATON_EV_SHUTDOWN,
	BATON_EV_SUSPEND,
	BATON_NR_EVENTS
};

/**
 * enum baton_step - one thing to be done to the hardware or to the IOMMU
 * @BATON_STEP_NONE: nothing is left to do
 * @BATON_STEP_NEGOTIATE: write the features and see that they were taken
 * @BATON_STEP_ATTACH: attach the owner's domain
 * @BATON_STEP_VECTORS: allocate vectors and request interrupts
 * @BATON_STEP_PROGRAM: write the queues and enable those that are ready; a user's
 *			only if there is nothing to be told in @BATON_STEP_CONTROL
 * @BATON_STEP_MASTER: bus mastering on
 * @BATON_STEP_DRIVER_OK: write DRIVER_OK and see that it took
 * @BATON_STEP_CONTROL: tell the hardware what the administrator provisioned
 * @BATON_STEP_QUEUES: enable what is not enabled yet, let doorbells through
 * @BATON_STEP_QUIESCE: write status 0 and wait until it reads 0
 * @BATON_STEP_UNMASTER: bus mastering off
 * @BATON_STEP_UNVECTOR: free interrupts and vectors, callbacks synchronised
 * @BATON_STEP_BLOCK: attach the empty domain
 * @BATON_STEP_FLR: reset the whole function
 * @BATON_STEP_VERIFY: the reset handshake once more, after @BATON_STEP_FLR
 * @BATON_STEP_DISABLE: bus mastering off and no more than that: the function
 *			was lost, but its owner has yet to let go
 * @BATON_NR_STEPS: how many there are
 *
 * BATON_STEP_UNMASTER, BATON_STEP_UNVECTOR and BATON_STEP_DISABLE cannot fail.
 * Every step from BATON_STEP_QUIESCE on may be asked for where there is
 * nothing to undo, and must then do nothing.
 */
enum baton_step {
	BATON_STEP_NONE,
	BATON_STEP_NEGOTIATE,
	BATON_STEP_ATTACH,
	BATON_STEP_VECTORS,
	BATON_STEP_PROGRAM,
	BATON_STEP_MASTER,
	BATON_STEP_DRIVER_OK,
	BATON_STEP_CONTROL,
	BATON_STEP_QUEUES,
	BATON_STEP_QUIESCE,
	BATON_STEP_UNMASTER,
	BATON_STEP_UNVECTOR,
	BATON_STEP_BLOCK,
	BATON_STEP_FLR,
	BATON_STEP_VERIFY,
	BATON_STEP_DISABLE,
	BATON_NR_STEPS
};

/**
 * struct baton_owner - the state machine of one function
 * @state: where the function stands
 * @consumer: whose vDPA bus driver is bound
 * @owner: who may direct DMA now; %BATON_NONE in every state but granting,
 *	   kernel, user, lost and draining
 * @step: what has to be done next
 * @user_allowed: whether the function is isolated well enough for a user
 * @answered: the reset handshake of the current drain has ended well
 * @emptied: the empty domain is attached (or there is no IOMMU to attach to)
 * @goal: the state that the last drain was to end in
 *
 * Which of these go together stands in one table, in owner.c, and is asked for
 * by baton_owner_valid(). Everything else that the core knows of the function's
 * life follows from @state: what status the hardware has been given, whether its
 * queues and vectors are set up, and whether an owner has yet to let go.
 *
 * @state, @owner and @consumer are written by WRITE_ONCE(): each may be read without the
 * lock that serialises changes. Two that are read so need not go together.
 */
struct baton_owner {
	enum baton_state state;
	enum baton_party consumer;
	enum baton_party owner;
	enum baton_step step;
	bool user_allowed;
	bool answered;
	bool emptied;
	enum baton_state goal;
};

void baton_owner_init(struct baton_owner *o);
int baton_owner_event(struct baton_owner *o, enum baton_event event);
void baton_owner_done(struct baton_owner *o, int err);
bool baton_owner_valid(const struct baton_owner *o);
bool baton_owner_may_release(const struct baton_owner *o);
bool baton_owner_runs(const struct baton_owner *o);
bool baton_owner_held(const struct baton_owner *o);
const char *baton_owner_party_name(enum baton_party party);
const char *baton_owner_state_name(enum baton_state state);
const char *baton_owner_step_name(enum baton_step step);

#endif /* BATON_OWNER_H */
