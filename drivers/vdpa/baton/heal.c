// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue that is relayed goes back to its owner's own rings.
 *
 * Hardware begins its queues at 0. So it can go on with the owner's rings when these stand at 0
 * again, as they do after at most 65536 requests, if it can be told to forget one queue and
 * begin it anew (VIRTIO_F_RING_RESET; virtio 1.2, 2.6.1). The owner need not know: it may ring and
 * fill its rings all the while.
 *
 * Where each request gets an answer soon, nothing is forwarded beyond the wrap. When all before it
 * is answered, the hardware has nothing of the queue, and is told. If that takes too long, the
 * relay goes on till the next wrap. Receive buffers may wait for ever: their queue is tried when
 * exactly those up to the wrap came back, and what is under way then is withdrawn as at a suspend
 * (C15). If more came back by the time that the hardware has let go, the queue is relayed again.
 *
 * Invariant (C14): between the reset of the queue and its next start the hardware has no ring of
 * it. &baton.lock is held from before the one until after the other, and
 * &baton_queue.live is false.
 */
#include <linux/jiffies.h>
#include <linux/virtio_config.h>

#include "core.h"
#include "heal.h"
#include "param.h"
#include "trace.h"

/* How long requests from beyond the wrap wait for those before it. */
#define HEAL_MS	50

static bool heal_answers(const struct baton_relay *relay)
{
	return baton_class_answers(relay->bv->device_id, relay->bq->index);
}

/**
 * baton_heal_prepare() - is a queue to heal?
 * @relay: its relay, not running yet
 *
 * By policy "always" it is not, nor on hardware that cannot reset a single queue.
 *
 * Context: &baton.lock held.
 */
void baton_heal_prepare(struct baton_relay *relay)
{
	const struct baton_vdpa *bv = relay->bv;

	relay->heals = bv->relay == BATON_RELAY_AUTO && bv->b->fn->ops->reset_queue &&
		       bv->hw_features & BIT_ULL(VIRTIO_F_RING_RESET);
	relay->ring.to_wrap = relay->heals && heal_answers(relay);
}

/* &baton_relay.lock held. Does the owner's ring stand at 0, and nothing keep it from healing? */
static bool heal_is_due(const struct baton_relay *relay)
{
	const struct baton_relay_ring *r = &relay->ring;

	if (!relay->running || !relay->heals)
		return false;
	if (heal_answers(relay))
		return r->to_wrap && !r->next_avail && !r->in_flight;

	return !r->next_used;
}

/**
 * baton_heal_look() - something was forwarded, or returned: is it time to heal?
 * @relay: the relay; it runs, or has just failed
 *
 * Context: any; &baton_relay.lock held.
 */
void baton_heal_look(struct baton_relay *relay)
{
	struct baton_relay_ring *r = &relay->ring;

	if (heal_is_due(relay))
		mod_delayed_work(baton_wq, &relay->heal, 0);
	else if (!relay->heals || !heal_answers(relay))
		return;
	else if (r->next_avail)
		r->to_wrap = true;
	else if (r->to_wrap)
		queue_delayed_work(baton_wq, &relay->heal, msecs_to_jiffies(HEAL_MS));
}

/**
 * baton_heal_kick() - ring for a kick that found the relay stopped
 * @relay: the relay; it does not run
 *
 * The kick may have seen &baton_queue.relayed before the queue healed, and &baton_queue.live
 * after: then nobody else rings for what it came for.
 *
 * Context: any; &baton_relay.lock held, which orders this against heal_withdraw().
 */
void baton_heal_kick(struct baton_relay *relay)
{
	struct baton_function *fn = baton_vdpa_function(relay->bv);

	if (!READ_ONCE(relay->bq->relayed) && READ_ONCE(relay->bq->live))
		fn->ops->kick(fn, relay->bq->index);
}

/* The hardware has let go of the queue: it is the owner's, which stands at its state. */
static const char *heal_withdraw(struct baton_queue *bq)
{
	struct baton_relay *relay = bq->relay;
	const char *why = baton_relay_withdraw(bq);

	if (why)
		return why;
	baton_relay_undo(bq);
	if (bq->state.split.avail_index)
		return NULL;
	spin_lock_irq(&relay->lock);
	WRITE_ONCE(bq->relayed, false);
	spin_unlock_irq(&relay->lock);

	return NULL;
}

/* Returns whether the owner still has a queue. */
static bool heal_queue(struct baton_vdpa *bv, struct baton_queue *bq)
{
	struct baton *b = bv->b;
	const char *why;
	int err;

	WRITE_ONCE(bq->live, false);
	err = b->fn->ops->reset_queue(b->fn, bq->index, baton_reset_timeout_ms);
	if (err) {
		baton_report_refusal(b,
				     "the device did not reset queue %u: %pe: the owner has to reset (sysfs: baton/relay, always, has it not asked to)",
				     bq->index, ERR_PTR(err));
		bv->fail(bv, true);
		return false;
	}
	WRITE_ONCE(bq->enabled, false);
	why = heal_withdraw(bq);
	if (why) {
		baton_report_refusal(b, "queue %u cannot go on: %s: the owner has to reset",
				     bq->index, why);
		bv->fail(bv, false);
		return false;
	}
	trace_baton_heal(b->fn->dev, bq->index, bq->state.split.avail_index);
	/* The reason is in the log. */
	if (baton_queue_enable(bv, bq)) {
		bv->fail(bv, false);
		return false;
	}
	/* Whether or not somebody rang meanwhile: it has yet to look. */
	WRITE_ONCE(bq->early, true);
	baton_queue_start(bv, bq);
	if (!bq->relayed)
		baton_irq_listen(bv, bq);

	return true;
}

static void heal_work(struct work_struct *work)
{
	struct baton_relay *relay = container_of(to_delayed_work(work), struct baton_relay, heal);
	struct baton_queue *bq = relay->bq;
	struct baton_vdpa *bv = relay->bv;
	bool due, possible;

	CLASS(baton_vdpa, b)(bv);
	if (!baton_owner_runs(&b->owner) || bv->needs_reset || !bq->relayed || !bq->live)
		return;
	/* Where something may be under way, baton_relay_withdraw() has to write there. */
	possible = heal_answers(relay) || baton_area_is_writable(b, &relay->avail);
	spin_lock_irq(&relay->lock);
	if (!possible)
		relay->heals = false;
	due = heal_is_due(relay);
	if (!due)
		relay->ring.to_wrap = false;
	spin_unlock_irq(&relay->lock);
	if (due)
		heal_queue(bv, bq);
	else
		baton_relay_kick(bq);
}

/**
 * baton_heal_init() - initialise what a relay needs to end
 * @relay: the relay
 *
 * Context: any; nobody else uses @relay yet.
 */
void baton_heal_init(struct baton_relay *relay)
{
	INIT_DELAYED_WORK(&relay->heal, heal_work);
}
