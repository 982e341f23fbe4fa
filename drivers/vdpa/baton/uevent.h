/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events for user space (Documentation/ABI).
 */
#ifndef BATON_UEVENT_H
#define BATON_UEVENT_H

#include <linux/bitops.h>
#include <linux/workqueue.h>

#include "param.h"

struct baton_vdpa;

/* What is to be told: bits of &baton_uevent.pending. */
enum {
	BATON_TELL_OWNER,	/* owner or state has changed */
	BATON_TELL_FAULT,	/* there is a new fault */
};

/**
 * struct baton_uevent - what user space has yet to be told of a vDPA device
 * @pending: which of %BATON_TELL_*; changed atomically
 * @work: tells it
 */
struct baton_uevent {
	unsigned long pending;
	struct delayed_work work;
};

/* How much later the first of several changes is told: who provokes them is no burden for udev. */
#define BATON_UEVENT_DELAY	msecs_to_jiffies(100)

/* Context: any; between baton_uevent_init() and baton_uevent_uninit(). */
static inline void baton_uevent_raise(struct baton_uevent *uevent, unsigned int what)
{
	set_bit(what, &uevent->pending);
	/* If it is queued already it will see this one as well. */
	queue_delayed_work(baton_wq, &uevent->work, BATON_UEVENT_DELAY);
}

void baton_uevent_init(struct baton_vdpa *bv);
void baton_uevent_uninit(struct baton_vdpa *bv);
void baton_uevent_tell(struct baton_vdpa *bv, const char *event);

#endif /* BATON_UEVENT_H */
