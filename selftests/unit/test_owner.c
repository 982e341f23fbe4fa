// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ownership state machine: the table of events, the order of steps, a step
 * that fails at each place, and a function that does not play by the rules.
 */
#include <errno.h>
#include <stdint.h>

#include "../../drivers/vdpa/baton/owner.h"
#include "owner_model.h"
#include "test.h"

#define GRANT "attach vectors program master driver_ok control queues "
#define DRAIN "quiesce unmaster unvector block "
#define NEGOTIATE "negotiate "

/* The steps that were done, by name. */
static char journal[400];

static uint64_t seed = 1;

/* xorshift64: the same numbers everywhere. */
unsigned int choose(unsigned int n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 16) % n;
}

/* Let an event happen and do its steps; those whose bit is set in @failing fail. */
static int happen_failing(struct baton_owner *o, enum baton_event event, unsigned int failing)
{
	int err = baton_owner_event(o, event);
	int limit = 20;

	journal[0] = '\0';
	while (o->step != BATON_STEP_NONE && limit--) {
		strcat(journal, baton_owner_step_name(o->step));
		strcat(journal, " ");
		baton_owner_done(o, failing & 1u << o->step ? -EIO : 0);
	}
	return err;
}

static int happen(struct baton_owner *o, enum baton_event event)
{
	return happen_failing(o, event, 0);
}

/* Features, and DRIVER_OK. */
static int happen_granted(struct baton_owner *o)
{
	int err = happen(o, BATON_EV_NEGOTIATE);

	return err ? err : happen(o, BATON_EV_GRANT);
}

/* Lead a fresh function to a state, with a user as its consumer unless the state says otherwise. */
static struct baton_owner in_state(enum baton_state state)
{
	struct baton_owner o;

	baton_owner_init(&o);
	o.user_allowed = true;
	if (state == BATON_PROBED)
		return o;
	happen(&o, BATON_EV_RECOVER);
	happen(&o, state == BATON_KERNEL_OWNS ? BATON_EV_BIND_KERNEL : BATON_EV_BIND_USER);
	switch (state) {
	case BATON_NEGOTIATED:
		happen(&o, BATON_EV_NEGOTIATE);
		break;
	case BATON_BROKEN:
		happen_failing(&o, BATON_EV_DRAIN, ~0u);
		break;
	case BATON_DEAD:
		happen(&o, BATON_EV_SHUTDOWN);
		break;
	case BATON_GRANTING:
		happen(&o, BATON_EV_NEGOTIATE);
		baton_owner_event(&o, BATON_EV_GRANT);
		break;
	case BATON_DRAINING:
		baton_owner_event(&o, BATON_EV_DRAIN);
		break;
	case BATON_KERNEL_OWNS:
	case BATON_USER_OWNS:
		happen_granted(&o);
		break;
	case BATON_LOST:
		happen_granted(&o);
		happen(&o, BATON_EV_LOSE);
		break;
	case BATON_SUSPENDED:
		happen_granted(&o);
		happen(&o, BATON_EV_SUSPEND);
		break;
	default:
		break;
	}
	return o;
}

static void states_can_be_set_up(void)
{
	for (int s = 0; s < BATON_NR_STATES; s++) {
		CONTEXT("%s", baton_owner_state_name(s));
		CHECK_EQ(in_state(s).state, s);
	}
}

static void starts_out_untrusted(void)
{
	struct baton_owner o;

	baton_owner_init(&o);
	CHECK_EQ(o.state, BATON_PROBED);
	CHECK_EQ(o.owner, BATON_NONE);
	CHECK(!o.user_allowed);
	CHECK_EQ(happen(&o, BATON_EV_BIND_KERNEL), -EIO);
	CHECK_EQ(happen(&o, BATON_EV_NEGOTIATE), -EIO);
	CHECK_EQ(happen(&o, BATON_EV_GRANT), -EIO);
	CHECK_EQ(happen(&o, BATON_EV_RECOVER), 0);
	CHECK(!strcmp(journal, DRAIN));
	CHECK_EQ(o.state, BATON_BLOCKED);
	CHECK_EQ(happen(&o, BATON_EV_BIND_KERNEL), 0);
	CHECK_EQ(happen(&o, BATON_EV_GRANT), -EBUSY);
	CHECK_EQ(happen(&o, BATON_EV_NEGOTIATE), 0);
	CHECK(!strcmp(journal, NEGOTIATE));
	CHECK_EQ(o.state, BATON_NEGOTIATED);
	CHECK_EQ(happen(&o, BATON_EV_GRANT), 0);
	CHECK_EQ(o.state, BATON_KERNEL_OWNS);
}

/*
 * What every event does in every state, a user being bound (the kernel where it owns, nobody where
 * it was just probed). One letter an event: bind kernel, bind user, unbind, negotiate, grant,
 * drain, lose, recover, shutdown, suspend; b -EBUSY, i -EIO, n -ENODEV, k allowed with nothing to
 * do, N G D L start a sequence.
 */
static void every_event_in_every_state(void)
{
	/* clang-format off */
	static const char *const expected[BATON_NR_STATES] = {
		[BATON_PROBED]		= "iiiiiikDki",
		[BATON_BLOCKED]		= "bbkNbDkbkb",
		[BATON_NEGOTIATED]	= "bbbbGDkbDb",
		[BATON_GRANTING]	= "bbbbbbbbbb",
		[BATON_KERNEL_OWNS]	= "bbbbbDLbDb",
		[BATON_USER_OWNS]	= "bbbbbDLbDD",
		[BATON_LOST]		= "bbbbbDkbDb",
		[BATON_SUSPENDED]	= "bbbNbDkbkk",
		[BATON_DRAINING]	= "bbbbbbbbbb",
		[BATON_BROKEN]		= "bbkiiikDki",
		[BATON_DEAD]		= "nnknnnknkn",
	};
	/* clang-format on */

	for (int s = 0; s < BATON_NR_STATES; s++) {
		for (int e = 0; e < BATON_NR_EVENTS; e++) {
			struct baton_owner o = in_state(s), before = o;
			char want = expected[s][e];
			int err = baton_owner_event(&o, e);

			CONTEXT("%s, event %d, expected %c", baton_owner_state_name(s), e, want);
			CHECK_EQ(err, want == 'b'   ? -EBUSY
				      : want == 'i' ? -EIO
				      : want == 'n' ? -ENODEV
						    : 0);
			if (err)
				CHECK(same_owner(&o, &before));
			else
				CHECK_EQ(o.step, want == 'N'   ? BATON_STEP_NEGOTIATE
						 : want == 'G' ? BATON_STEP_ATTACH
						 : want == 'D' ? BATON_STEP_QUIESCE
						 : want == 'L' ? BATON_STEP_DISABLE
							       : BATON_STEP_NONE);
		}
	}
}

static void consumers(void)
{
	struct baton_owner o = in_state(BATON_BLOCKED);

	CHECK_EQ(o.consumer, BATON_USER);
	CHECK_EQ(happen(&o, BATON_EV_UNBIND), 0);
	CHECK_EQ(o.consumer, BATON_NONE);
	CHECK_EQ(happen(&o, BATON_EV_NEGOTIATE), -EPERM);
	CHECK_EQ(happen(&o, BATON_EV_BIND_KERNEL), 0);
	CHECK_EQ(happen(&o, BATON_EV_BIND_USER), -EBUSY);
	CHECK_EQ(o.consumer, BATON_KERNEL);
}

static void users_need_isolation(void)
{
	struct baton_owner o = in_state(BATON_BLOCKED);

	o.user_allowed = false;
	CHECK_EQ(happen(&o, BATON_EV_NEGOTIATE), 0);
	CHECK_EQ(happen(&o, BATON_EV_GRANT), -EPERM);
	CHECK_EQ(o.state, BATON_NEGOTIATED);
	CHECK_EQ(happen(&o, BATON_EV_UNBIND), -EBUSY);
	CHECK_EQ(happen(&o, BATON_EV_DRAIN), 0);
	CHECK_EQ(happen(&o, BATON_EV_UNBIND), 0);
	CHECK_EQ(happen(&o, BATON_EV_BIND_KERNEL), 0);
	CHECK_EQ(happen_granted(&o), 0);
	CHECK_EQ(o.owner, BATON_KERNEL);
}

static void handover(void)
{
	struct baton_owner o = in_state(BATON_KERNEL_OWNS);

	CHECK(!strcmp(journal, GRANT));
	CHECK_EQ(o.owner, BATON_KERNEL);
	CHECK(!baton_owner_may_release(&o));
	CHECK_EQ(happen(&o, BATON_EV_DRAIN), 0);
	CHECK(!strcmp(journal, DRAIN));
	CHECK_EQ(o.owner, BATON_NONE);
	CHECK(baton_owner_may_release(&o));
	CHECK_EQ(happen(&o, BATON_EV_UNBIND), 0);
	CHECK_EQ(happen(&o, BATON_EV_BIND_USER), 0);
	CHECK_EQ(happen_granted(&o), 0);
	CHECK(!strcmp(journal, GRANT));
	CHECK_EQ(o.owner, BATON_USER);
	CHECK_EQ(o.state, BATON_USER_OWNS);
}

/* Whichever step of a grant fails, the next thing is a whole drain, and then all is as before. */
static void each_grant_step_fails(void)
{
	static const char *const done[] = {
		"attach ",
		"attach vectors ",
		"attach vectors program ",
		"attach vectors program master ",
		"attach vectors program master driver_ok ",
		"attach vectors program master driver_ok control ",
		"attach vectors program master driver_ok control queues ",
	};
	char want[200];

	for (unsigned int i = 0; i < ARRAY_SIZE(done); i++) {
		struct baton_owner o = in_state(BATON_NEGOTIATED);

		CONTEXT("after %s", done[i]);
		snprintf(want, sizeof(want), "%s%s", done[i], DRAIN);
		CHECK_EQ(happen_failing(&o, BATON_EV_GRANT, 1u << (BATON_STEP_ATTACH + i)), 0);
		CHECK(!strcmp(journal, want));
		CHECK_EQ(o.state, BATON_BLOCKED);
		CHECK_EQ(o.owner, BATON_NONE);
		/* What was negotiated has gone with it. */
		CHECK_EQ(happen(&o, BATON_EV_GRANT), -EBUSY);
		CHECK_EQ(happen_granted(&o), 0);
		CHECK_EQ(o.state, BATON_USER_OWNS);
	}
}

static void negotiation_fails(void)
{
	struct baton_owner o = in_state(BATON_BLOCKED);

	CHECK_EQ(happen_failing(&o, BATON_EV_NEGOTIATE, 1u << BATON_STEP_NEGOTIATE), 0);
	CHECK(!strcmp(journal, NEGOTIATE DRAIN));
	CHECK_EQ(o.state, BATON_BLOCKED);
	CHECK_EQ(happen(&o, BATON_EV_GRANT), -EBUSY);
	CHECK_EQ(happen_granted(&o), 0);
	CHECK_EQ(o.state, BATON_USER_OWNS);
}

/* Nobody owns it yet, so nobody has to let go; but what it was told is gone. */
static void lost_while_negotiated(void)
{
	struct baton_owner o = in_state(BATON_NEGOTIATED);

	CHECK_EQ(happen(&o, BATON_EV_LOSE), 0);
	CHECK(!strcmp(journal, ""));
	CHECK_EQ(o.state, BATON_BLOCKED);
	CHECK_EQ(happen(&o, BATON_EV_GRANT), -EBUSY);
	CHECK_EQ(happen_granted(&o), 0);
}

/* Whatever it was doing, and however that ends, nobody has it afterwards. */
static void shutdown_is_the_end(void)
{
	static const struct {
		enum baton_state state;
		const char *journal;
	} table[] = {
		{ BATON_PROBED, "" },	     { BATON_BLOCKED, "" },
		{ BATON_NEGOTIATED, DRAIN }, { BATON_KERNEL_OWNS, DRAIN },
		{ BATON_USER_OWNS, DRAIN },  { BATON_LOST, DRAIN },
		{ BATON_SUSPENDED, "" },     { BATON_BROKEN, "" },
		{ BATON_DEAD, "" },
	};

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(table); i++) {
		bool fails = i >= ARRAY_SIZE(table);
		unsigned int nth = i % ARRAY_SIZE(table);
		struct baton_owner o = in_state(table[nth].state);
		const char *forced = fails && *table[nth].journal ? "flr " : "";

		CONTEXT("from %s, steps %s", baton_owner_state_name(o.state),
			fails ? "fail" : "work");
		CHECK_EQ(happen_failing(&o, BATON_EV_SHUTDOWN, fails ? ~0u : 0), 0);
		CHECK(!strncmp(journal, table[nth].journal, strlen(table[nth].journal)));
		CHECK(!strcmp(journal + strlen(table[nth].journal), forced));
		CHECK_EQ(o.state, BATON_DEAD);
		CHECK_EQ(o.owner, BATON_NONE);
		CHECK(baton_owner_may_release(&o));
		CHECK(baton_owner_valid(&o));
		CHECK_EQ(happen(&o, BATON_EV_RECOVER), -ENODEV);
		CHECK_EQ(happen(&o, BATON_EV_BIND_KERNEL), -ENODEV);
		CHECK_EQ(happen(&o, BATON_EV_UNBIND), 0);
		CHECK_EQ(o.consumer, BATON_NONE);
	}
}

static void what_goes_together(void)
{
	struct baton_owner o;

	for (int s = 0; s < BATON_NR_STATES; s++) {
		CONTEXT("%s", baton_owner_state_name(s));
		o = in_state(s);
		CHECK(baton_owner_valid(&o));
		CHECK_EQ(baton_owner_runs(&o), s == BATON_KERNEL_OWNS || s == BATON_USER_OWNS);
		CHECK_EQ(baton_owner_held(&o), baton_owner_runs(&o) || s == BATON_LOST);
		o.owner = BATON_NR_PARTIES;
		CHECK(!baton_owner_valid(&o));
	}
	o = in_state(BATON_USER_OWNS);
	o.user_allowed = false;
	CHECK(!baton_owner_valid(&o));
	o = in_state(BATON_USER_OWNS);
	o.consumer = BATON_KERNEL;
	CHECK(!baton_owner_valid(&o));
	o = in_state(BATON_BLOCKED);
	o.emptied = false;
	CHECK(!baton_owner_valid(&o));
	o = in_state(BATON_BLOCKED);
	o.step = BATON_STEP_MASTER;
	CHECK(!baton_owner_valid(&o));
	o.state = BATON_NR_STATES;
	CHECK(!baton_owner_valid(&o));
}

static void each_drain_step_fails(void)
{
	static const struct {
		unsigned int failing;
		const char *journal;
		enum baton_state state;
	} table[] = {
		{ 1u << BATON_STEP_QUIESCE, DRAIN "flr verify ", BATON_BLOCKED },
		{ 1u << BATON_STEP_QUIESCE | 1u << BATON_STEP_FLR, DRAIN "flr ", BATON_BROKEN },
		{ 1u << BATON_STEP_QUIESCE | 1u << BATON_STEP_VERIFY, DRAIN "flr verify ",
		  BATON_BROKEN },
		{ 1u << BATON_STEP_BLOCK, DRAIN, BATON_BROKEN },
		{ 1u << BATON_STEP_QUIESCE | 1u << BATON_STEP_BLOCK, DRAIN "flr verify ",
		  BATON_BROKEN },
		{ ~0u, DRAIN "flr ", BATON_BROKEN },
	};

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(table); i++) {
		struct baton_owner o = in_state(BATON_USER_OWNS);
		bool suspend = i % 2;
		enum baton_state state = table[i / 2].state;

		CONTEXT("failing 0x%x, %s", table[i / 2].failing, suspend ? "suspend" : "drain");
		CHECK_EQ(happen_failing(&o, suspend ? BATON_EV_SUSPEND : BATON_EV_DRAIN,
					table[i / 2].failing),
			 0);
		CHECK(!strcmp(journal, table[i / 2].journal));
		CHECK_EQ(o.state, suspend && state == BATON_BLOCKED ? BATON_SUSPENDED : state);
		CHECK_EQ(o.owner, BATON_NONE);
		if (o.state == BATON_BROKEN) {
			CHECK_EQ(happen(&o, BATON_EV_NEGOTIATE), -EIO);
			CHECK_EQ(happen(&o, BATON_EV_GRANT), -EIO);
			CHECK_EQ(happen(&o, BATON_EV_RECOVER), 0);
		} else if (suspend) {
			CHECK_EQ(happen(&o, BATON_EV_DRAIN), 0);
		}
		CHECK_EQ(o.state, BATON_BLOCKED);
	}
}

static void lost_and_found(void)
{
	struct baton_owner o = in_state(BATON_KERNEL_OWNS);

	CHECK_EQ(happen(&o, BATON_EV_LOSE), 0);
	CHECK(!strcmp(journal, "disable "));
	CHECK_EQ(o.state, BATON_LOST);
	CHECK_EQ(o.owner, BATON_KERNEL);
	CHECK(!baton_owner_may_release(&o));
	CHECK_EQ(happen(&o, BATON_EV_GRANT), -EBUSY);
	CHECK_EQ(happen(&o, BATON_EV_DRAIN), 0);
	CHECK(!strcmp(journal, DRAIN));
	CHECK_EQ(happen_granted(&o), 0);
	CHECK_EQ(o.state, BATON_KERNEL_OWNS);
}

/* Nobody owns it meanwhile, and nobody else can have it. */
static void suspended_goes_on(void)
{
	struct baton_owner o = in_state(BATON_USER_OWNS);

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(happen(&o, BATON_EV_SUSPEND), 0);
		CHECK(!strcmp(journal, DRAIN));
		CHECK_EQ(o.state, BATON_SUSPENDED);
		CHECK_EQ(o.owner, BATON_NONE);
		CHECK_EQ(o.consumer, BATON_USER);
		CHECK(baton_owner_may_release(&o));
		CHECK_EQ(happen(&o, BATON_EV_UNBIND), -EBUSY);
		CHECK_EQ(happen(&o, BATON_EV_GRANT), -EBUSY);
		CHECK_EQ(happen_granted(&o), 0);
		CHECK(!strcmp(journal, GRANT));
		CHECK_EQ(o.state, BATON_USER_OWNS);
	}
	CHECK_EQ(happen(&o, BATON_EV_SUSPEND), 0);
	CHECK_EQ(happen(&o, BATON_EV_DRAIN), 0);
	CHECK(!strcmp(journal, DRAIN));
	CHECK_EQ(o.state, BATON_BLOCKED);
	CHECK_EQ(happen(&o, BATON_EV_UNBIND), 0);
}

static void nonsense_changes_nothing(void)
{
	struct baton_owner o = in_state(BATON_USER_OWNS), before = o;

	baton_owner_done(&o, 0);
	baton_owner_done(&o, -EIO);
	CHECK(same_owner(&o, &before));
	CHECK_EQ(baton_owner_event(&o, BATON_NR_EVENTS), -EBUSY);
	CHECK_EQ(baton_owner_event(&o, (enum baton_event) - 1), -EBUSY);
	CHECK(same_owner(&o, &before));

	o.step = before.step = BATON_NR_STEPS;
	baton_owner_done(&o, 0);
	CHECK(same_owner(&o, &before));
	o.step = BATON_STEP_NONE;
	o.state = BATON_NR_STATES;
	CHECK_EQ(baton_owner_event(&o, BATON_EV_DRAIN), -EBUSY);
	CHECK(!baton_owner_may_release(&o));
}

/*
 * A function as the steps see it: a status register and what it makes of what
 * is written there.
 */
struct mock {
	enum hostility {
		HONEST,
		NEEDS_FLR,	   /* status never returns to 0 until a function-level reset */
		NEVER_RESETS,	   /* nor after that */
		GONE,		   /* reads 0xff */
		FLIPS_BITS,	   /* of whatever is read */
		REFUSES_FEATURES,  /* FEATURES_OK does not stay set */
		REFUSES_DRIVER_OK, /* neither does DRIVER_OK */
		REFUSES_CONTROL,   /* does not take what was provisioned */
		ASKS_FOR_RESET,	   /* DEVICE_NEEDS_RESET as soon as it runs */
	} hostility;
	unsigned char status;
	bool master;
};

enum { ACK = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };

static unsigned char mock_read(const struct mock *m)
{
	switch (m->hostility) {
	case GONE:
		return 0xff;
	case FLIPS_BITS:
		return m->status ^ (1 << choose(8));
	default:
		return m->status;
	}
}

static void mock_write(struct mock *m, unsigned char status)
{
	if (!status && (m->hostility == NEEDS_FLR || m->hostility == NEVER_RESETS))
		return;
	if (m->hostility == REFUSES_FEATURES)
		status &= ~FEATURES_OK;
	if (m->hostility == REFUSES_DRIVER_OK)
		status &= ~DRIVER_OK;
	if (m->hostility == ASKS_FOR_RESET && (status & DRIVER_OK))
		status |= NEEDS_RESET;
	m->status = status;
}

static int mock_set(struct mock *m, unsigned char status)
{
	mock_write(m, status);
	return mock_read(m) == status ? 0 : -EIO;
}

static int mock_handshake(struct mock *m)
{
	mock_write(m, 0);
	for (int deadline = 3; deadline; deadline--)
		if (mock_read(m) == 0)
			return 0;
	return -ETIMEDOUT;
}

static int mock_step(struct mock *m, enum baton_step step)
{
	switch (step) {
	case BATON_STEP_NEGOTIATE:
		return mock_set(m, ACK | DRIVER | FEATURES_OK);
	case BATON_STEP_MASTER:
		m->master = true;
		return 0;
	case BATON_STEP_DRIVER_OK:
		return mock_set(m, ACK | DRIVER | FEATURES_OK | DRIVER_OK);
	case BATON_STEP_CONTROL:
		return m->hostility == REFUSES_CONTROL ? -EIO : 0;
	case BATON_STEP_QUIESCE:
	case BATON_STEP_VERIFY:
		return mock_handshake(m);
	case BATON_STEP_UNMASTER:
	case BATON_STEP_DISABLE:
		m->master = false;
		return 0;
	case BATON_STEP_FLR:
		if (m->hostility == NEEDS_FLR)
			m->hostility = HONEST;
		m->status = 0;
		return m->hostility == NEVER_RESETS || m->hostility == GONE ? -ENOTTY : 0;
	default:
		return 0;
	}
}

static int play(struct baton_owner *o, struct mock *m, enum baton_event event)
{
	int err = baton_owner_event(o, event);

	while (o->step != BATON_STEP_NONE) {
		baton_owner_done(o, mock_step(m, o->step));
		if (m->master && o->owner == BATON_NONE)
			return -EFAULT;
	}
	return err;
}

/* Features and DRIVER_OK, as far as the function goes along. */
static int play_granted(struct baton_owner *o, struct mock *m)
{
	int err = play(o, m, BATON_EV_NEGOTIATE);

	return err || o->state != BATON_NEGOTIATED ? err : play(o, m, BATON_EV_GRANT);
}

/* Each hostility, from the grant on and from the moment on that it is owned. */
static void hostile_function(void)
{
	static const struct {
		const char *name;
		enum hostility hostility;
		enum baton_state granted, drained;
	} table[] = {
		{ "honest", HONEST, BATON_KERNEL_OWNS, BATON_BLOCKED },
		{ "status stays until FLR", NEEDS_FLR, BATON_KERNEL_OWNS, BATON_BLOCKED },
		{ "status never returns to 0", NEVER_RESETS, BATON_KERNEL_OWNS, BATON_BROKEN },
		{ "reads 0xff", GONE, BATON_BROKEN, BATON_BROKEN },
		{ "refuses FEATURES_OK", REFUSES_FEATURES, BATON_BLOCKED, BATON_BLOCKED },
		{ "refuses DRIVER_OK", REFUSES_DRIVER_OK, BATON_BLOCKED, BATON_BLOCKED },
		{ "refuses what was provisioned", REFUSES_CONTROL, BATON_BLOCKED, BATON_BLOCKED },
		{ "asks for reset at once", ASKS_FOR_RESET, BATON_BLOCKED, BATON_BLOCKED },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		struct mock m = { 0 };
		struct baton_owner o;

		CONTEXT("%s", table[i].name);
		baton_owner_init(&o);
		CHECK_EQ(play(&o, &m, BATON_EV_RECOVER), 0);
		CHECK_EQ(play(&o, &m, BATON_EV_BIND_KERNEL), 0);
		m.hostility = table[i].hostility;
		CHECK_EQ(play_granted(&o, &m), 0);
		CHECK_EQ(o.state, table[i].granted);
		CHECK_EQ(m.master, o.state == BATON_KERNEL_OWNS);

		/* The next owner of a function that is well again finds nothing of this. */
		m = (struct mock){ 0 };
		play(&o, &m, o.state == BATON_BROKEN ? BATON_EV_RECOVER : BATON_EV_DRAIN);
		CHECK_EQ(play_granted(&o, &m), 0);
		CHECK_EQ(o.state, BATON_KERNEL_OWNS);

		m.hostility = table[i].hostility;
		CHECK_EQ(play(&o, &m, BATON_EV_DRAIN), 0);
		CHECK_EQ(o.state, table[i].drained);
		CHECK(!m.master);
		CHECK_EQ(play_granted(&o, &m), o.state == BATON_BROKEN ? -EIO : 0);
	}
}

static void bits_that_flip(void)
{
	for (int i = 0; i < 1000; i++) {
		struct mock m = { .hostility = FLIPS_BITS };
		struct baton_owner o = in_state(BATON_BLOCKED);

		CONTEXT("round %d", i);
		CHECK_EQ(play_granted(&o, &m), 0);
		CHECK_EQ(m.master, o.state == BATON_USER_OWNS);
		CHECK(o.state == BATON_USER_OWNS || o.state == BATON_BLOCKED ||
		      o.state == BATON_BROKEN);
		m.hostility = HONEST;
		CHECK_EQ(play(&o, &m, o.state == BATON_BROKEN ? BATON_EV_RECOVER : BATON_EV_DRAIN),
			 0);
		CHECK_EQ(o.state, BATON_BLOCKED);
	}
}

/* What CBMC proves, tried with the compiler and the sanitizers of this machine. */
static void random_walks(void)
{
	struct model m;

	for (int walk = 0; walk < 200; walk++) {
		model_init(&m);
		CONTEXT("walk %d", walk);
		CHECK(!model_broken(&m));
		for (int i = 0; i < 2000; i++) {
			const char *broken = model_act(&m);

			CONTEXT("walk %d, action %d: %s", walk, i, broken ? broken : "");
			CHECK(!broken);
		}
	}
}

static void names(void)
{
	for (int i = 0; i < BATON_NR_STATES; i++)
		for (int j = 0; j < i; j++)
			CHECK(strcmp(baton_owner_state_name(i), baton_owner_state_name(j)));
	for (int i = 0; i < BATON_NR_STEPS; i++)
		for (int j = 0; j < i; j++)
			CHECK(strcmp(baton_owner_step_name(i), baton_owner_step_name(j)));
	CHECK(!strcmp(baton_owner_party_name(BATON_USER), "user"));
	CHECK(!strcmp(baton_owner_party_name(BATON_NR_PARTIES), "?"));
	CHECK(!strcmp(baton_owner_state_name(BATON_NR_STATES), "?"));
	CHECK(!strcmp(baton_owner_step_name(BATON_NR_STEPS), "?"));
}

static const struct test_case cases[] = {
	{ "every state can be set up", states_can_be_set_up },
	{ "a probed function is trusted with nothing", starts_out_untrusted },
	{ "every event in every state", every_event_in_every_state },
	{ "one consumer at a time", consumers },
	{ "a user needs isolation, the kernel does not", users_need_isolation },
	{ "handover kernel, none, user", handover },
	{ "each step of a grant fails", each_grant_step_fails },
	{ "negotiation fails", negotiation_fails },
	{ "each step of a drain fails", each_drain_step_fails },
	{ "lost to a foreign reset, and found again", lost_and_found },
	{ "suspended by a user, who goes on, or does not", suspended_goes_on },
	{ "lost before anybody owned it", lost_while_negotiated },
	{ "a shutdown is the end", shutdown_is_the_end },
	{ "what goes together, and what does not", what_goes_together },
	{ "events and reports that make no sense", nonsense_changes_nothing },
	{ "a hostile function", hostile_function },
	{ "a function that flips bits", bits_that_flip },
	{ "random walks keep the invariants", random_walks },
	{ "names", names },
};

RUN(cases)
