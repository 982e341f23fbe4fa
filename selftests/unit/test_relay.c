// SPDX-License-Identifier: GPL-2.0-only
/* The relay's arithmetic: where it begins, what passes, what is not followed, who is told. */
#include <errno.h>
#include <linux/virtio_ring.h>

#include "../../drivers/vdpa/baton/relay_ring.h"
#include "test.h"

#define MAX 32768u

/* All rings of the largest size; a smaller one uses the beginning. */
static u16 avail[MAX + 3], hw_avail[MAX + 3];
static u32 used[1 + 2 * MAX + 1], hw_used[1 + 2 * MAX + 1];
static u32 marks[BATON_RELAY_WORDS(MAX)];
static struct baton_relay_ring ring;
static bool told;

static void begin(u16 size, u16 position, bool event_idx)
{
	memset(avail, 0, sizeof(avail));
	memset(hw_avail, 0, sizeof(hw_avail));
	memset(used, 0xff, sizeof(used));
	memset(hw_used, 0, sizeof(hw_used));
	memset(marks, 0, sizeof(marks));
	ring = (struct baton_relay_ring){ .avail = avail,
					  .used = used,
					  .hw_avail = hw_avail,
					  .hw_used = hw_used,
					  .marks = marks,
					  .size = size,
					  .event_idx = event_idx };
	avail[1] = position;
	((u16 *)used)[1] = position;
	baton_relay_ring_init(&ring, position);
}

static void offer(u16 head)
{
	avail[2 + avail[1] % ring.size] = head;
	avail[1]++;
}

/* The hardware's index is the upper half of the first word. */
static u16 hw_index(void)
{
	return hw_used[0] >> 16;
}

static void answer(u32 head, u32 len)
{
	u32 at = 1 + 2 * (hw_index() % ring.size);

	hw_used[at] = head;
	hw_used[at + 1] = len;
	hw_used[0] = (u32)(u16)(hw_index() + 1) << 16 | (hw_used[0] & 0xffff);
}

static u16 used_index(void)
{
	return ((u16 *)used)[1];
}

static void test_round(u16 size, u16 position, bool event_idx)
{
	u32 i, n = 3u * size + 5;

	CONTEXT("%u entries from %u, event index %d", size, position, event_idx);
	begin(size, position, event_idx);
	CHECK_EQ(((u16 *)used)[0], 0);
	for (i = 0; i < n; i++) {
		u16 head = i * 7 % size, at = (u16)(position + i);

		offer(head);
		CHECK_EQ(baton_relay_ring_forward(&ring, &told), 1);
		CHECK_EQ(hw_avail[1], (u16)(i + 1));
		CHECK_EQ(hw_avail[2 + i % size], head);
		CHECK_EQ(ring.in_flight, 1);
		answer(head, i);
		CHECK_EQ(baton_relay_ring_return(&ring, &told), 1);
		CHECK_EQ(used_index(), (u16)(at + 1));
		CHECK_EQ(used[1 + 2 * (at % size)], head);
		CHECK_EQ(used[2 + 2 * (at % size)], i);
		CHECK_EQ(ring.in_flight, 0);
		if (event_idx) {
			CHECK_EQ(((u16 *)used)[2 + 4 * size], (u16)(at + 1));
			CHECK_EQ(hw_avail[2 + size], (u16)(i + 1));
		}
	}
}

static void test_rounds(void)
{
	static const u16 sizes[] = { 1, 2, 64, 1024, MAX };
	static const u16 positions[] = { 0, 1, 777, 0x7fff, 0x8000, 0xfffe, 0xffff };

	for (unsigned int s = 0; s < ARRAY_SIZE(sizes); s++)
		for (unsigned int p = 0; p < 2 * ARRAY_SIZE(positions); p++) {
			test_round(sizes[s], positions[p / 2], p % 2);
			STOP_IF_FAILED();
		}
}

/* A full ring at once, over the wrap, returned backwards. */
static void test_out_of_order(void)
{
	begin(64, 0xfff0, false);
	for (u16 i = 0; i < 64; i++)
		offer(i);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), 64);
	CHECK_EQ(ring.in_flight, 64);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), 0);
	for (u16 i = 0; i < 64; i++)
		answer(63 - i, i);
	CHECK_EQ(baton_relay_ring_return(&ring, &told), 64);
	CHECK_EQ(used_index(), (u16)(0xfff0 + 64));
	for (u16 i = 0; i < 64; i++)
		CHECK_EQ(used[1 + 2 * ((u16)(0xfff0 + i) % 64)], 63u - i);
}

/* Of a full ring over the wrap, every third came back, the first of all not. */
static void test_withdraw(bool in_order)
{
	u16 position = 0xfff0, size = 64, next, head;
	bool found[64] = {};
	u16 n = 0;

	CONTEXT("in order: %d", in_order);
	begin(size, position, false);
	for (u16 i = 0; i < size; i++)
		offer(size - 1 - i);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), size);
	for (u16 i = 0; i < size; i++)
		if (in_order ? i < 21 : i % 3 == 1) {
			answer(size - 1 - i, 0);
			n++;
		}
	CHECK_EQ(baton_relay_ring_return(&ring, &told), n);
	/* And one that was not forwarded yet, where the first entry was. */
	offer(size - 1 - (in_order ? 0 : 1));
	baton_relay_ring_withdraw(&ring, avail);
	CHECK_EQ(ring.in_flight, 0);
	CHECK_EQ(ring.next_used, (u16)(position + n));
	CHECK_EQ(avail[1], (u16)(position + size + 1));
	for (next = ring.next_used; next != (u16)(position + size); next++) {
		head = avail[2 + next % size];
		CHECK(head < size && !found[head]);
		found[head] = true;
		if (in_order)
			CHECK_EQ(head, (u16)(size - 1 - (u16)(next - position)));
	}
	for (u16 i = 0; i < size; i++)
		CHECK_EQ(found[size - 1 - i], in_order ? i >= 21 : i % 3 != 1);
	CHECK_EQ(avail[2 + (u16)(position + size) % size], size - 1 - (in_order ? 0 : 1));
	/* Whoever goes on there finds just that. */
	memset(hw_avail, 0, sizeof(hw_avail));
	memset(hw_used, 0, sizeof(hw_used));
	baton_relay_ring_init(&ring, ring.next_used);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), size - n + 1);
}

static void test_withdrawn(void)
{
	test_withdraw(true);
	test_withdraw(false);
}

static void test_to_wrap(void)
{
	bool kick, signal;

	for (unsigned int i = 0; i < 2; i++) {
		begin(16, 0xfffd, i);
		ring.to_wrap = true;
		for (u16 head = 0; head < 8; head++)
			offer(head);
		CHECK_EQ(baton_relay_ring_forward(&ring, &kick), 3);
		CHECK(kick);
		CHECK_EQ(ring.next_avail, 0);
		CHECK_EQ(baton_relay_ring_forward(&ring, &kick), 0);
		CHECK(!kick);
		for (u16 head = 0; head < 3; head++)
			answer(head, 1);
		CHECK_EQ(baton_relay_ring_return(&ring, &signal), 3);
		CHECK_EQ(used_index(), 0);
		CHECK_EQ(ring.in_flight, 0);
		CHECK_EQ(baton_relay_ring_forward(&ring, &kick), 0);
		/* It has taken too long. */
		ring.to_wrap = false;
		CHECK_EQ(baton_relay_ring_forward(&ring, &kick), 5);
		CHECK_EQ(ring.next_avail, 5);
		ring.to_wrap = true;
		offer(0);
		CHECK_EQ(baton_relay_ring_forward(&ring, &kick), 1);
	}
}

static void test_hostile_owner(void)
{
	begin(16, 5, false);
	avail[1] = 5 + 17;
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), -EPROTO);
	begin(16, 5, false);
	avail[1] = 4;
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), -EPROTO);
	begin(16, 5, false);
	offer(16);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), -EPROTO);
	CHECK_EQ(hw_avail[1], 0);
	begin(16, 5, false);
	offer(0xffff);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), -EPROTO);
	/* One head twice, at once or while it is under way. */
	begin(16, 5, false);
	offer(3);
	offer(3);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), -EPROTO);
	CHECK_EQ(hw_avail[1], 0);
	begin(16, 5, false);
	offer(3);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), 1);
	offer(3);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), -EPROTO);
	CHECK_EQ(hw_avail[1], 1);
	/* More than are left. */
	begin(16, 5, false);
	for (u16 i = 0; i < 10; i++)
		offer(i);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), 10);
	avail[1] += 7;
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), -EPROTO);
}

static void test_hostile_device(void)
{
	begin(16, 5, false);
	answer(0, 0);
	CHECK_EQ(baton_relay_ring_return(&ring, &told), -EPROTO);
	begin(16, 5, false);
	offer(3);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), 1);
	answer(4, 0);
	CHECK_EQ(baton_relay_ring_return(&ring, &told), -EPROTO);
	CHECK_EQ(used_index(), 5);
	begin(16, 5, false);
	offer(3);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), 1);
	answer(0x10003, 0);
	CHECK_EQ(baton_relay_ring_return(&ring, &told), -EPROTO);
	/* Twice the same, the second time in the place of another. */
	begin(16, 5, false);
	offer(3);
	offer(4);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), 2);
	answer(3, 0);
	answer(3, 0);
	CHECK_EQ(baton_relay_ring_return(&ring, &told), -EPROTO);
	CHECK_EQ(used_index(), 5);
}

static void test_flags(void)
{
	begin(16, 5, false);
	offer(1);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), 1);
	CHECK(told);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), 0);
	CHECK(!told);
	hw_used[0] |= VRING_USED_F_NO_NOTIFY;
	offer(2);
	CHECK_EQ(baton_relay_ring_forward(&ring, &told), 1);
	CHECK(!told);
	answer(1, 0);
	CHECK_EQ(baton_relay_ring_return(&ring, &told), 1);
	CHECK(told);
	avail[0] = VRING_AVAIL_F_NO_INTERRUPT;
	answer(2, 0);
	CHECK_EQ(baton_relay_ring_return(&ring, &told), 1);
	CHECK(!told);
}

/* The event is passed: at it, behind it, over the wrap; the flags mean nothing then. */
static void test_events(void)
{
	begin(16, 0xfffe, true);
	CHECK_EQ(((u16 *)used)[2 + 4 * 16], 0xfffe);
	((u16 *)hw_used)[2 + 4 * 16] = 1;
	hw_used[0] |= VRING_USED_F_NO_NOTIFY;
	avail[0] = VRING_AVAIL_F_NO_INTERRUPT;
	avail[2 + 16] = 0;
	for (u16 i = 0; i < 4; i++) {
		CONTEXT("request %u", i);
		offer(i);
		CHECK_EQ(baton_relay_ring_forward(&ring, &told), 1);
		CHECK_EQ(told, i == 1);
		answer(i, 0);
		CHECK_EQ(baton_relay_ring_return(&ring, &told), 1);
		CHECK_EQ(told, i == 2);
	}
}

static const struct test_case cases[] = {
	{ "all sizes, from any position, with and without event index", test_rounds },
	{ "returned out of order, over the wrap", test_out_of_order },
	{ "withdrawn, in order and out of order, over the wrap", test_withdrawn },
	{ "nothing beyond the wrap, if so wanted", test_to_wrap },
	{ "an owner who lies", test_hostile_owner },
	{ "a device that returns what it was not given", test_hostile_device },
	{ "who is told: flags", test_flags },
	{ "who is told: event index", test_events },
};

RUN(cases)
