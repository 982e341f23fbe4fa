// SPDX-License-Identifier: GPL-2.0-only
/* Which features are offered, and which choices are accepted. */
#include "../../drivers/vdpa/baton/features.h"
#include "test.h"

#define BIT(nr) (1ull << (nr))
#define EVENT_IDX BIT(29)
#define VERSION_1 BIT(32)
#define ACCESS_PLATFORM BIT(33)
#define PACKED BIT(34)
#define IN_ORDER BIT(35)
#define ORDER_PLATFORM BIT(36)
#define SR_IOV BIT(37)
#define NOTIFICATION_DATA BIT(38)
#define NOTIF_CONFIG_DATA BIT(39)
#define RING_RESET BIT(40)
#define ADMIN_VQ BIT(41)
#define SUSPEND BIT(43)

static void offers(void)
{
	/* Whatever else there may be between the device's bits, somebody would have to do it. */
	u64 carried = BIT(28) | EVENT_IDX | VERSION_1 | ACCESS_PLATFORM | PACKED | IN_ORDER |
		      ORDER_PLATFORM | NOTIFICATION_DATA;
	u64 not_carried = (BIT(50) - 1) & ~(BIT(24) - 1) & ~carried;

	CHECK_EQ(~not_carried & (SR_IOV | NOTIF_CONFIG_DATA | RING_RESET | ADMIN_VQ | SUSPEND), 0);

	for (int party = 0; party < BATON_NR_PARTIES; party++) {
		u64 offer = baton_features_offer(~0ull, party);

		CONTEXT("%s", baton_owner_party_name(party));
		CHECK_EQ(offer & not_carried, 0);
		CHECK_EQ(!(offer & NOTIFICATION_DATA), party == BATON_USER);
		/* In order, after a reset, is not where a user goes on. */
		CHECK_EQ(!(offer & IN_ORDER), party == BATON_USER);
		/* The device's own bits pass: 0 to 23, and 50 and above. */
		CHECK_EQ(offer & (BIT(24) - 1), BIT(24) - 1);
		CHECK_EQ(offer >> 50, ~0ull >> 50);
		CHECK((offer & (VERSION_1 | ACCESS_PLATFORM | PACKED | EVENT_IDX)) ==
		      (VERSION_1 | ACCESS_PLATFORM | PACKED | EVENT_IDX));
		/* Nothing is offered that the hardware does not have. */
		CHECK_EQ(baton_features_offer(VERSION_1 | 5, party), VERSION_1 | 5);
		CHECK_EQ(baton_features_offer(0, party), 0);
	}
}

static void choices(void)
{
	u64 offered = VERSION_1 | ACCESS_PLATFORM | 0xff;

	CHECK(!baton_features_check(offered, offered));
	CHECK(!baton_features_check(offered, VERSION_1 | ACCESS_PLATFORM));
	CHECK(baton_features_check(offered, offered | BIT(8)));
	CHECK(baton_features_check(offered, ACCESS_PLATFORM));
	CHECK(baton_features_check(offered, VERSION_1));
	CHECK(baton_features_check(offered, 0));
	/* Where it is not offered, the kernel may do without ACCESS_PLATFORM. */
	CHECK(!baton_features_check(VERSION_1 | 1, VERSION_1 | 1));
	CHECK(baton_features_check(VERSION_1 | 1, VERSION_1 | ACCESS_PLATFORM));
}

/* What QEMU never takes, and hardware may insist on. */
static void privately(void)
{
	CHECK_EQ(baton_features_private(~0ull, BATON_USER), ORDER_PLATFORM | RING_RESET);
	CHECK_EQ(baton_features_private(VERSION_1, BATON_USER), 0);
	CHECK_EQ(baton_features_private(~0ull, BATON_KERNEL), 0);
	CHECK_EQ(baton_features_private(~0ull, BATON_NONE), 0);
}

/* A doorbell that an old user still has must not say anything about a new owner's ring. */
static void doorbells_that_stay(void)
{
	CHECK_EQ(baton_features_rung(~0ull, true), ~NOTIFICATION_DATA);
	CHECK_EQ(baton_features_rung(~0ull, false), ~0ull);
	CHECK_EQ(baton_features_rung(VERSION_1, true), VERSION_1);
}

static const struct test_case cases[] = {
	{ "what is offered to whom", offers },
	{ "which choices are accepted", choices },
	{ "what is negotiated on a user's behalf", privately },
	{ "what is offered where doorbells can be mapped", doorbells_that_stay },
};

RUN(cases)
