// SPDX-License-Identifier: GPL-2.0-only
/* list and show: the same values, as a table, as sheets or as JSON. */
#include <stdio.h>

#include "command.h"
#include "json.h"
#include "print.h"
#include "report.h"

static const struct print_column columns[] = {
	{ "NAME", "name" },	{ "FUNCTION", "function" }, { "CLASS", "class" },
	{ "DRIVER", "driver" }, { "CONSUMER", "consumer" }, { "OWNER", "owner" },
	{ "STATE", "state" },	{ "IS", "made" },	    { "OPEN BY", "open_by" },
};

static const struct print_column more_columns[] = {
	{ "NAME", "name" },	    { "FUNCTION", "function" },
	{ "CLASS", "class" },	    { "DRIVER", "driver" },
	{ "CONSUMER", "consumer" }, { "OWNER", "owner" },
	{ "STATE", "state" },	    { "IS", "made" },
	{ "NODE", "node" },	    { "OPEN BY", "open_by" },
	{ "GROUP", "iommu_group" }, { "ISOLATED", "isolated" },
	{ "MAC", "mac" },	    { "PAIRS", "queue_pairs" },
	{ "POLICY", "policy" },	    { "LAST REFUSAL", "last_refusal" },
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

int command_list(const struct options *o, char **argv)
{
	struct value *all = report_all();

	(void)argv;
	if (o->json)
		json_write(stdout, all, false);
	else if (!all->first)
		command_fails(EXIT_DONE, "there are no functions: `lspci -d 1af4:`");
	else if (o->verbose)
		print_table(stdout, all, more_columns, NR(more_columns), o->colour);
	else
		print_table(stdout, all, columns, NR(columns), o->colour);
	value_free(all);
	return EXIT_DONE;
}

int command_show(const struct options *o, char **argv)
{
	struct value *all;
	const struct value *one;
	struct function fn;

	if (!*argv) {
		all = report_all();
	} else {
		if (!function_find(&fn, *argv))
			return command_fails(EXIT_NOT_THERE, "there is no %s: `baton list`", *argv);
		all = value_new(VALUE_ARRAY);
		report_function(all, &fn);
	}
	if (o->json) {
		json_write(stdout, all, false);
	} else {
		for (one = all->first; one; one = one->next) {
			print_sheet(stdout, one, o->verbose, o->colour);
			if (one->next)
				putchar('\n');
		}
	}
	value_free(all);
	return EXIT_DONE;
}
