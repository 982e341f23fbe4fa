/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the administrator is told: refusals, notices and faults of the function (report.c).
 */
#ifndef BATON_REPORT_H
#define BATON_REPORT_H

#include <linux/ratelimit.h>
#include <linux/types.h>

struct baton;

#define BATON_REASON_LEN 192

/**
 * struct baton_report - what was last said of a function
 * @limit: of lines in the log that a user can provoke: refusals and notices
 * @refusal: why something was last refused
 * @fault: what was last wrong with the function; "" if nothing is
 *
 * &baton.lock guards all.
 */
struct baton_report {
	struct ratelimit_state limit;
	char refusal[BATON_REASON_LEN];
	char fault[BATON_REASON_LEN];
};

void baton_report_init(struct baton *b);
__printf(2, 3) void baton_report_refusal(struct baton *b, const char *fmt, ...);
__printf(2, 3) void baton_report_notice(struct baton *b, const char *fmt, ...);
__printf(2, 3) void baton_report_fault(struct baton *b, const char *fmt, ...);
__printf(2, 3) void baton_report_doubt(struct baton *b, const char *fmt, ...);
void baton_report_recovered(struct baton *b);

#endif /* BATON_REPORT_H */
