// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module parameters, and the workqueue for what has to sleep but is caused where nothing may:
 * control queues (ctrl.c) and relays that fail (relay.c). virtio.c pauses virtio drivers by it.
 *
 * The two timeouts can be written at any time, and are read by READ_ONCE(), without a lock. The
 * others do not change after the module was loaded.
 */
#include <linux/module.h>

#include "param.h"

unsigned int baton_reset_timeout_ms = 1000;
module_param_named(reset_timeout_ms, baton_reset_timeout_ms, uint, 0644);
MODULE_PARM_DESC(reset_timeout_ms,
		 "How long a function may take to answer a reset before it is reset by force (ms, default 1000)");

unsigned int baton_ctrl_timeout_ms = 1000;
module_param_named(ctrl_timeout_ms, baton_ctrl_timeout_ms, uint, 0644);
MODULE_PARM_DESC(ctrl_timeout_ms,
		 "How long a function may take to answer a control command, or all that tell it what was provisioned, before it is stopped (ms, default 1000)");

bool baton_allow_unsafe_interrupts;
module_param_named_unsafe(allow_unsafe_interrupts, baton_allow_unsafe_interrupts, bool, 0444);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Let users own functions that can forge interrupts, for want of interrupt remapping (taints the kernel, default N)");

struct workqueue_struct *baton_wq;
