/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A unit test is a table of named cases and RUN(cases) as its main(). A case
 * fails by a CHECK that does not hold; the sanitizers end the program, which
 * selftests/unit/run counts as a failure too.
 */
#ifndef UNIT_TEST_H
#define UNIT_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct test_case {
	const char *name;
	void (*run)(void);
};

static bool case_failed;

/* What is being tried, for messages out of loops. */
static char context[200];

#define CONTEXT(...) snprintf(context, sizeof(context), __VA_ARGS__)

/* Returns from the case (or from a helper of it) at the first failure. */
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			printf("# %s:%d: %s: not true: %s\n", __FILE__, __LINE__, context, #cond); \
			case_failed = true;                                                        \
			return;                                                                    \
		}                                                                                  \
	} while (0)

#define CHECK_EQ(got, want)                                                                        \
	do {                                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);                      \
		if (got_ != want_) {                                                               \
			printf("# %s:%d: %s: %s is %lld, not %lld\n", __FILE__, __LINE__, context, \
			       #got, got_, want_);                                                 \
			case_failed = true;                                                        \
			return;                                                                    \
		}                                                                                  \
	} while (0)

/* For loops over helpers that CHECK. */
#define STOP_IF_FAILED()         \
	do {                     \
		if (case_failed) \
			return;  \
	} while (0)

static int run_cases(const struct test_case *cases, size_t nr)
{
	int failures = 0;
	size_t i;

	printf("KTAP version 1\n1..%zu\n", nr);
	for (i = 0; i < nr; i++) {
		case_failed = false;
		context[0] = '\0';
		cases[i].run();
		failures += case_failed;
		printf("%sok %zu %s\n", case_failed ? "not " : "", i + 1, cases[i].name);
		fflush(stdout);
	}
	return failures ? 1 : 0;
}

#define RUN(cases)                                          \
	int main(void)                                      \
	{                                                   \
		return run_cases(cases, ARRAY_SIZE(cases)); \
	}

#endif /* UNIT_TEST_H */
