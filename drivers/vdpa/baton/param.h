/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Module parameters, and the module's workqueue: see param.c.
 */
#ifndef BATON_PARAM_H
#define BATON_PARAM_H

#include <linux/types.h>

struct workqueue_struct;

/*
 * How long the kernel's driver of a disk is waited for, in ms, while none of the requests that it
 * has under way is answered.
 */
#define BATON_STUCK_MS 2000

extern unsigned int baton_reset_timeout_ms;
extern unsigned int baton_ctrl_timeout_ms;
extern bool baton_allow_unsafe_interrupts;
extern struct workqueue_struct *baton_wq;

#endif /* BATON_PARAM_H */
