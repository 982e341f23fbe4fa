/* SPDX-License-Identifier: GPL-2.0-only */
/* What commands have in common: their options, and how they end. */
#ifndef BATON_COMMAND_H
#define BATON_COMMAND_H

#include <stdbool.h>

/* Exit statuses: documented in baton(8), so they stay as they are. */
enum {
	EXIT_DONE = 0,
	/* The kernel, or what was asked for, says no; the reason is on standard error. */
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	/* No such function or device. */
	EXIT_NOT_THERE = 3,
	/* Somebody uses it; --force takes it away all the same. */
	EXIT_IN_USE = 4,
	EXIT_TIMEOUT = 5,
};

struct options {
	bool json, verbose, force, dry_run, colour, qualify;
	int timeout_ms;
	/* For check: bytes of a guest's memory, and how many devices it has. */
	unsigned long long memory;
	unsigned int devices;
	/* Another host's `baton show --json`; where to write to. NULL: not given. */
	const char *against, *output;
};

/* Without arguments, argv[0] is NULL. */
int command_list(const struct options *o, char **argv);
int command_show(const struct options *o, char **argv);
int command_bind(const struct options *o, char **argv);
int command_unbind(const struct options *o, char **argv);
int command_add(const struct options *o, char **argv);
int command_del(const struct options *o, char **argv);
int command_give(const struct options *o, char **argv);
int command_apply(const struct options *o, char **argv);
int command_match(const struct options *o, char **argv);
int command_node(const struct options *o, char **argv);
int command_watch(const struct options *o, char **argv);
int command_check(const struct options *o, char **argv);
int command_metrics(const struct options *o, char **argv);
int command_cdi(const struct options *o, char **argv);

/* One line on standard error; returns the exit status that it is given. */
int command_fails(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
