/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which feature bits are offered to whom: functions of their arguments alone, callable in any
 * context. Pure C, as owner.h is.
 */
#ifndef BATON_FEATURES_H
#define BATON_FEATURES_H

#include <linux/types.h>

#include "owner.h"

u64 baton_features_offer(u64 hardware, enum baton_party consumer);
u64 baton_features_rung(u64 hardware, bool apart);
u64 baton_features_private(u64 hardware, enum baton_party consumer);
u64 baton_features_usual(u64 offered, bool net);
const char *baton_features_check(u64 offered, u64 wanted);

#endif /* BATON_FEATURES_H */
