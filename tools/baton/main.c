// SPDX-License-Identifier: GPL-2.0-only
/* The table of commands: dispatch, usage and completion come from it. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "conf.h"

#ifndef VERSION
#define VERSION "0"
#endif
#define TIMEOUT_S 10

/* Options as bits; a command has some. */
enum {
	OPT_JSON = 1,
	OPT_VERBOSE = 2,
	OPT_FORCE = 4,
	OPT_DRY_RUN = 8,
	OPT_TIMEOUT = 16,
	OPT_CHECK = 32,
	OPT_OUTPUT = 64,
};

static const struct command {
	const char *name, *arguments;
	int least, most;
	unsigned int options;
	int (*run)(const struct options *o, char **argv);
	const char *help;
} commands[] = {
	{ "list", "", 0, 0, OPT_JSON | OPT_VERBOSE, command_list,
	  "functions and their devices, one a line (the same without a command)" },
	{ "show", "[NAME]", 0, 1, OPT_JSON | OPT_VERBOSE, command_show,
	  "all that is known of one, or of each" },
	{ "bind", "FUNCTION", 1, 1, OPT_FORCE, command_bind, "take a function to baton" },
	{ "unbind", "FUNCTION", 1, 1, OPT_FORCE, command_unbind,
	  "give a function back to the kernel's usual driver" },
	{ "add", "NAME FUNCTION [KEY VALUE]...", 2, 2 + 2 * 16, OPT_FORCE | OPT_TIMEOUT,
	  command_add, "make a device of a function (keys: as in baton.conf(5))" },
	{ "del", "NAME", 1, 1, OPT_FORCE | OPT_TIMEOUT, command_del, "delete a device" },
	{ "give", "NAME kernel|user|none", 2, 2, OPT_FORCE | OPT_TIMEOUT, command_give,
	  "hand a device to the kernel's drivers, to a user, to nobody" },
	{ "apply", "[FILE]...", 0, 1000, OPT_DRY_RUN | OPT_FORCE | OPT_TIMEOUT, command_apply,
	  "make devices as /etc/baton/*.conf declare them" },
	{ "match", "FUNCTION", 1, 1, 0, command_match,
	  "for udev: units of the declarations about a function" },
	{ "node", "NAME", 1, 1, 0, command_node,
	  "/dev/baton/NAME and its permissions, as declared" },
	{ "watch", "", 0, 0, OPT_JSON, command_watch,
	  "owners, refusals and faults as they change and happen" },
	{ "check", "[NAME]", 0, 1, OPT_JSON | OPT_CHECK, command_check,
	  "is this machine, is this function ready, and for what" },
	{ "metrics", "", 0, 0, OPT_OUTPUT, command_metrics, "as OpenMetrics, for node_exporter" },
	{ "cdi", "", 0, 0, OPT_OUTPUT, command_cdi,
	  "a specification for containers (CDI) of what the devices are now" },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* Long options without a short one. */
enum { LONG_COLOUR = 256, LONG_MEMORY, LONG_DEVICES, LONG_AGAINST, LONG_QUALIFY };

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "force", no_argument, NULL, 'f' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "timeout", required_argument, NULL, 't' },
	{ "output", required_argument, NULL, 'o' },
	{ "memory", required_argument, NULL, LONG_MEMORY },
	{ "devices", required_argument, NULL, LONG_DEVICES },
	{ "against", required_argument, NULL, LONG_AGAINST },
	{ "qualify", no_argument, NULL, LONG_QUALIFY },
	{ "color", no_argument, NULL, LONG_COLOUR },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static const struct option_help {
	unsigned int bit;
	const char *text;
} option_helps[] = {
	{ OPT_JSON, "-j, --json         JSON instead of text" },
	{ OPT_VERBOSE, "-v, --verbose      empty and rarely wanted things too" },
	{ OPT_FORCE, "-f, --force        even if somebody uses it" },
	{ OPT_DRY_RUN, "-n, --dry-run      say what would change, and change nothing" },
	{ OPT_TIMEOUT, "-t, --timeout S    wait no longer than this, in seconds (10)" },
	{ OPT_OUTPUT, "-o, --output FILE  write there, at once or not at all" },
	{ OPT_CHECK, "--memory SIZE      of a guest: 4G" },
	{ OPT_CHECK, "--devices N        how many of these the guest has (1)" },
	{ OPT_CHECK,
	  "--against FILE     another host's `baton show --json`: can a guest go there?" },
	{ OPT_CHECK,
	  "--qualify          try the function itself, as a user of the device would; KTAP" },
};

int command_fails(int status, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("baton: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	putc('\n', stderr);
	return status;
}

static void usage(FILE *out)
{
	char left[64];
	size_t i;

	fputs("usage: baton [OPTION]... [COMMAND [ARGUMENT]...]\n\n"
	      "Functions that the vDPA bus serves to the kernel or to a user, and who has "
	      "them.\n\n",
	      out);
	for (i = 0; i < NR_COMMANDS; i++) {
		snprintf(left, sizeof(left), "%s %s", commands[i].name, commands[i].arguments);
		fprintf(out, "  %-34s %s\n", left, commands[i].help);
	}
	fputs("\n  -h, --help         this, or of a command (baton give --help)\n"
	      "  -V, --version      the version\n"
	      "  --color            colour even if this is no terminal\n\n"
	      "Exit status: 0 done, 1 failed, 2 usage, 3 not there, 4 in use, 5 timed out.\n",
	      out);
}

static void usage_of(FILE *out, const struct command *c)
{
	size_t i;

	fprintf(out, "usage: baton %s %s\n\n%s\n", c->name, c->arguments, c->help);
	for (i = 0; i < sizeof(option_helps) / sizeof(option_helps[0]); i++)
		if (c->options & option_helps[i].bit)
			fprintf(out, "  %s\n", option_helps[i].text);
	if (c->run != command_add)
		return;
	fputs("keys:", out);
	for (i = 0; conf_key(i); i++)
		fprintf(out, " %s", conf_key(i));
	putc('\n', out);
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* 4G, 512M, or bytes; 0 if it is neither. */
static unsigned long long read_size(const char *text)
{
	static const char units[] = "KMGT";
	unsigned long long size;
	const char *unit;
	char *end;

	size = strtoull(text, &end, 10);
	if (end == text || text[0] == '-')
		return 0;
	unit = *end ? strchr(units, *end) : NULL;
	if (unit && !end[1])
		return size << 10 * (unit - units + 1);
	return *end ? 0 : size;
}

/* Which bit an option is, after it has been noted; 0: it is good with every command; -1: usage. */
static int take_option(struct options *o, int option)
{
	char *end;
	long number;

	switch (option) {
	case 'j':
		o->json = true;
		return OPT_JSON;
	case 'v':
		o->verbose = true;
		return OPT_VERBOSE;
	case 'f':
		o->force = true;
		return OPT_FORCE;
	case 'n':
		o->dry_run = true;
		return OPT_DRY_RUN;
	case 't':
		number = strtol(optarg, &end, 10);
		o->timeout_ms = (int)number * 1000;
		return *end || number < 1 || number > 3600 ? -1 : OPT_TIMEOUT;
	case 'o':
		o->output = optarg;
		return OPT_OUTPUT;
	case LONG_MEMORY:
		o->memory = read_size(optarg);
		return o->memory ? OPT_CHECK : -1;
	case LONG_DEVICES:
		number = strtol(optarg, &end, 10);
		o->devices = (unsigned int)number;
		return *end || number < 1 || number > 255 ? -1 : OPT_CHECK;
	case LONG_AGAINST:
		o->against = optarg;
		return OPT_CHECK;
	case LONG_QUALIFY:
		o->qualify = true;
		return OPT_CHECK;
	case LONG_COLOUR:
		o->colour = true;
		return 0;
	default:
		return -1;
	}
}

int main(int argc, char **argv)
{
	struct options o = { .timeout_ms = TIMEOUT_S * 1000, .devices = 1 };
	const struct command *command;
	unsigned int given = 0;
	bool help = false;
	int option, bit, nr;

	o.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	while ((option = getopt_long(argc, argv, "jvfnt:o:hV", long_options, NULL)) != -1) {
		if (option == 'h') {
			help = true;
			continue;
		}
		if (option == 'V') {
			puts("baton " VERSION);
			return EXIT_DONE;
		}
		bit = take_option(&o, option);
		if (bit < 0) {
			if (option != '?')
				command_fails(0, "'%s' is no value for that option", optarg);
			return command_fails(EXIT_USAGE, "`baton --help` tells how it is used");
		}
		given |= (unsigned int)bit;
	}
	argv += optind;
	command = find_command(*argv ? *argv++ : "list");
	if (help) {
		if (command && optind < argc)
			usage_of(stdout, command);
		else
			usage(stdout);
		return EXIT_DONE;
	}
	if (!command)
		return command_fails(EXIT_USAGE, "there is no command '%s': `baton --help`",
				     argv[-1]);
	for (nr = 0; argv[nr];)
		nr++;
	if (nr < command->least || nr > command->most || given & ~command->options) {
		usage_of(stderr, command);
		return EXIT_USAGE;
	}
	nr = command->run(&o, argv);
	/* What could not be written was not told. */
	if (fflush(stdout) || ferror(stdout))
		return command_fails(EXIT_FAILED, "cannot write to standard output");
	return nr;
}
