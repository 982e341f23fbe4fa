/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A function that has failed under the kernel's own driver.
 */
#ifndef BATON_RECOVER_H
#define BATON_RECOVER_H

#include <linux/workqueue.h>

#include "param.h"

struct baton_vdpa;

/**
 * struct baton_recovery - how a vDPA device gets its kernel driver going again
 * @work: does it
 * @tried: it has been done
 * @when: in jiffies
 * @given_up: it was wanted again too soon after that, and the log says so
 *
 * &baton.lock guards all but @work.
 */
struct baton_recovery {
	struct delayed_work work;
	bool tried;
	unsigned long when;
	bool given_up;
};

/* Several resets may come together: a bus that recovers tells of each function on it. */
#define BATON_RECOVER_DELAY	msecs_to_jiffies(300)

/*
 * See whether the kernel's driver needs the function anew. The work item finds that out: here,
 * nothing is looked at.
 *
 * Context: any; between baton_recover_init() and baton_recover_uninit().
 */
static inline void baton_recover_begin(struct baton_recovery *recovery)
{
	queue_delayed_work(baton_wq, &recovery->work, BATON_RECOVER_DELAY);
}

void baton_recover_init(struct baton_vdpa *bv);
void baton_recover_uninit(struct baton_vdpa *bv);

#endif /* BATON_RECOVER_H */
