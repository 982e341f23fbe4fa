// SPDX-License-Identifier: GPL-2.0-only
/*
 * Proofs on drivers/vdpa/baton/relay_ring.c itself: one call, from any state that
 * keeps the invariants, on rings of SIZE entries in which every read finds
 * anything (-DNONDET_READS: both sides write while they are read).
 */
#include "../../drivers/vdpa/baton/relay_ring.h"

#ifndef SIZE
#define SIZE 2
#endif

u16 nondet_u16(void);
u32 nondet_u32(void);
bool nondet_bool(void);

static u32 marks;

static unsigned int bits(u32 word)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < SIZE; i++)
		n += word >> i & 1;
	return n;
}

static bool keeps(const struct baton_relay_ring *r)
{
	return !(marks >> r->size) && bits(marks) == r->in_flight && r->in_flight <= r->size;
}

/* As large as virtio says, so that CBMC sees their ends. */
static u16 avail[SIZE + 3], hw_avail[SIZE + 3];
static u32 used[2 * SIZE + 2], hw_used[2 * SIZE + 2];

static struct baton_relay_ring any_ring(void)
{
	struct baton_relay_ring r = { .avail = avail,
				      .used = used,
				      .hw_avail = hw_avail,
				      .hw_used = hw_used,
				      .marks = &marks,
				      .size = SIZE,
				      .event_idx = nondet_bool(),
				      .to_wrap = nondet_bool(),
				      .next_avail = nondet_u16(),
				      .next_used = nondet_u16(),
				      .hw_next_avail = nondet_u16(),
				      .hw_next_used = nondet_u16(),
				      .in_flight = nondet_u16() };

	marks = nondet_u32();
	__CPROVER_assume(keeps(&r));
	return r;
}

void forward(void)
{
	struct baton_relay_ring r = any_ring();
	struct baton_relay_ring old = r;
	u32 old_marks = marks;
	bool kick;
	int n = baton_relay_ring_forward(&r, &kick);

	__CPROVER_assert(keeps(&r), "forward keeps the invariants");
	__CPROVER_assert(!(old_marks & ~marks), "nothing under way is forgotten");
	__CPROVER_assert(r.next_used == old.next_used && r.hw_next_used == old.hw_next_used,
			 "nothing is returned");
	__CPROVER_assert((u16)(r.next_avail - old.next_avail) == (u16)(r.in_flight - old.in_flight),
			 "what was taken is under way");
	__CPROVER_assert((u16)(r.hw_next_avail - old.hw_next_avail) ==
				 (u16)(r.in_flight - old.in_flight),
			 "and was given to the hardware");
	__CPROVER_assert(n < 0 || n == r.in_flight - old.in_flight, "the count is right");
	__CPROVER_assert(n > 0 || !kick, "no doorbell for nothing");
	__CPROVER_assert(!r.to_wrap || (u16)-r.next_avail <= (u16)-old.next_avail,
			 "nothing beyond the wrap, if so wanted");
}

void give_back(void)
{
	struct baton_relay_ring r = any_ring();
	struct baton_relay_ring old = r;
	u32 old_marks = marks;
	bool signal;
	int n = baton_relay_ring_return(&r, &signal);

	__CPROVER_assert(keeps(&r), "return keeps the invariants");
	__CPROVER_assert(!(marks & ~old_marks), "nothing comes to be under way");
	__CPROVER_assert(r.next_avail == old.next_avail && r.hw_next_avail == old.hw_next_avail,
			 "nothing is forwarded");
	__CPROVER_assert((u16)(r.next_used - old.next_used) == (u16)(old.in_flight - r.in_flight),
			 "what is returned was under way");
	__CPROVER_assert(n < 0 || n == old.in_flight - r.in_flight, "the count is right");
	__CPROVER_assert(n > 0 || !signal, "no interrupt for nothing");
}

/* The rings of an honest owner, of which only this side writes. */
void withdraw(void)
{
	struct baton_relay_ring r = any_ring();
	u16 first = r.next_used;
	u32 under_way = marks, found = 0;

	r.next_avail = first + r.in_flight;
	for (unsigned int i = 0; i < SIZE + 3; i++)
		avail[i] = nondet_u16();
	baton_relay_ring_withdraw(&r, avail);

	__CPROVER_assert(keeps(&r) && !marks, "nothing is under way");
	__CPROVER_assert(r.next_avail == first && r.next_used == first,
			 "it goes on where it was used");
	for (u16 i = 0; i < bits(under_way); i++) {
		u16 head = avail[2 + (u16)(first + i) % SIZE];

		__CPROVER_assert(head < SIZE && !(found >> head & 1), "each is there once");
		found |= 1u << head;
	}
	__CPROVER_assert(found == under_way, "what was under way is there, and nothing else");
}
