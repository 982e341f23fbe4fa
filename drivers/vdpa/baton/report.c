// SPDX-License-Identifier: GPL-2.0-only
/*
 * What went wrong, said in the log, in the trace and in sysfs.
 *
 * &baton.lock guards both texts, against each other's writers and the readers in sysfs.
 *
 * A refusal is an answer to somebody: nothing has changed, and who was refused may try
 * again at once, as often as it likes. So in the log it is rate-limited. So is a notice:
 * what was asked for was done, but will not work.
 *
 * A fault is something that the function did, or failed to do. It goes together with a
 * change of state, so a user cannot repeat it at will: all faults are in the log, and
 * sysfs has the last one apart from the last refusal. Where a user can have it look so, and
 * begin anew, it is a doubt: shown as a fault is, and in the log as often as a refusal.
 */
#include <linux/device.h>
#include <linux/kernel.h>

#include "core.h"
#include "report.h"
#include "trace.h"

/**
 * baton_report_init() - nothing has been said yet
 * @b: the function; nobody else knows of it
 *
 * Context: any.
 */
void baton_report_init(struct baton *b)
{
	ratelimit_state_init(&b->report.limit, DEFAULT_RATELIMIT_INTERVAL,
			     DEFAULT_RATELIMIT_BURST);
}

/**
 * baton_report_refusal() - say no
 * @b: the function
 * @fmt: why: what was got, what the limit is, what to do
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_report_refusal(struct baton *b, const char *fmt, ...)
{
	struct baton_report *r = &b->report;
	va_list args;

	va_start(args, fmt);
	vscnprintf(r->refusal, sizeof(r->refusal), fmt, args);
	va_end(args);

	if (__ratelimit(&r->limit))
		dev_warn(b->fn->dev, "%s\n", r->refusal);
	trace_baton_refusal(b->fn->dev, r->refusal);
}

/**
 * baton_report_notice() - say of what was not refused that it will not work
 * @b: the function
 * @fmt: what was got, and what to do
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_report_notice(struct baton *b, const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	if (!__ratelimit(&b->report.limit))
		return;
	va_start(args, fmt);
	vaf.va = &args;
	dev_warn(b->fn->dev, "%pV\n", &vaf);
	va_end(args);
}

static __printf(2, 0) void report_note_fault(struct baton *b, const char *fmt, va_list args)
{
	vscnprintf(b->report.fault, sizeof(b->report.fault), fmt, args);
	trace_baton_fault(b->fn->dev, b->report.fault);
	if (b->bv)
		baton_uevent_raise(&b->bv->uevent, BATON_TELL_FAULT);
}

/**
 * baton_report_doubt() - the function does not do what it should, or its user has it look so
 * @b: the function, which a user owns
 * @fmt: what it did, or seems to have done
 *
 * A user can reset and do so again, as often as it likes: the log is limited as for a refusal.
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_report_doubt(struct baton *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report_note_fault(b, fmt, args);
	va_end(args);

	if (__ratelimit(&b->report.limit))
		dev_warn(b->fn->dev, "%s\n", b->report.fault);
}

/**
 * baton_report_fault() - the function does not do what it should
 * @b: the function
 * @fmt: what it did, and what to do about it
 *
 * Context: may sleep; &baton.lock held.
 */
void baton_report_fault(struct baton *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report_note_fault(b, fmt, args);
	va_end(args);

	dev_warn(b->fn->dev, "%s\n", b->report.fault);
}

/**
 * baton_report_recovered() - the last fault is over
 * @b: the function
 *
 * Context: any; &baton.lock held.
 */
void baton_report_recovered(struct baton *b)
{
	b->report.fault[0] = '\0';
}
