// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where commands lie in the hardware's control queue: nothing is used twice within a round,
 * descriptors go round in the order of the ring, and an answer is the one that is due or none.
 */
#include <errno.h>

#include "../../drivers/vdpa/baton/slots.h"
#include "test.h"

static void sizes(void)
{
	static const struct {
		unsigned int max, size;
	} table[] = { { 2, 2 }, { 3, 2 }, { 4, 4 }, { 63, 32 }, { 64, 64 }, { 1024, 64 } };
	struct baton_slots s;

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		baton_slots_init(&s, table[i].max);
		CONTEXT("maximum %u", table[i].max);
		CHECK_EQ(s.size, table[i].size);
		CHECK_EQ(s.sent, 0);
	}
}

/* Three rounds of each size, long commands among them. */
static void in_turn(void)
{
	for (unsigned int max = 2; max <= 64; max *= 2) {
		unsigned int used[BATON_SLOTS_MAX] = { 0 };
		struct baton_slots s;

		baton_slots_init(&s, max);
		for (unsigned int i = 0; i < 3 * max; i++) {
			size_t len = i % 5 ? 8 : 100;
			struct baton_slot slot = baton_slots_next(&s, len);

			CONTEXT("ring of %u, command %u", max, i);
			/* 2.7.5: in ring order, from 0 on, wrapping. */
			CHECK_EQ(slot.desc, 2 * i % max);
			CHECK_EQ(slot.avail, i % max);
			CHECK(slot.nth < max / 2);
			CHECK_EQ(used[slot.nth], i / (max / 2));
			used[slot.nth]++;
			CHECK_EQ(slot.nth_long >= 0, len > BATON_SLOTS_SHORT);
			CHECK(slot.command + len <= BATON_SLOTS_COMMANDS);
			baton_slots_sent(&s, &slot);
		}
		CHECK_EQ(s.sent, 3 * max);
	}
}

static bool overlap(unsigned int a, unsigned int alen, unsigned int b, unsigned int blen)
{
	return a < b + blen && b < a + alen;
}

/* Neither commands nor answers of one round touch each other. */
static void apart(void)
{
	struct baton_slot slots[BATON_SLOTS_MAX];
	size_t len[BATON_SLOTS_MAX];
	struct baton_slots s;

	baton_slots_init(&s, 64);
	for (unsigned int i = 0; i < BATON_SLOTS_MAX; i++) {
		/* As many long ones as there is memory for. */
		len[i] = i < BATON_SLOTS_NR_LONG ? BATON_SLOTS_LONG : BATON_SLOTS_SHORT;
		slots[i] = baton_slots_next(&s, len[i]);
		baton_slots_sent(&s, &slots[i]);
		for (unsigned int j = 0; j < i; j++) {
			CONTEXT("commands %u and %u", i, j);
			CHECK(!overlap(slots[i].command, len[i], slots[j].command, len[j]));
			CHECK(!overlap(slots[i].answer, BATON_SLOTS_ANSWER, slots[j].answer,
				       BATON_SLOTS_ANSWER));
		}
	}
}

static void answers(void)
{
	struct baton_slots s;

	baton_slots_init(&s, 4);
	for (unsigned int i = 0; i < 0x10005; i++) {
		struct baton_slot slot = baton_slots_next(&s, 8);

		baton_slots_sent(&s, &slot);
		if (i > 3 && i < 0xfffc)
			continue;
		CONTEXT("command %u", i);
		CHECK_EQ(baton_slots_answered(&s, s.sent - 1), 0);
		CHECK_EQ(baton_slots_answered(&s, s.sent), 1);
		CHECK_EQ(baton_slots_answered(&s, s.sent + 1), -EPROTO);
		CHECK_EQ(baton_slots_answered(&s, s.sent - 2), -EPROTO);
		CHECK_EQ(baton_slots_answered(&s, s.sent + 0x8000), -EPROTO);
	}
}

static const struct test_case cases[] = {
	{ "as large a ring as the hardware can do", sizes },
	{ "slots are used in turn, descriptors in ring order", in_turn },
	{ "nothing is shared between two of a round", apart },
	{ "one answer is due", answers },
};

RUN(cases)
