// SPDX-License-Identifier: GPL-2.0-only
/* OpenMetrics 1.0, for node_exporter's textfile collector among others. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "output.h"
#include "report.h"

/* A label's value: backslash, quote and newline are escaped. */
static void metrics_label(FILE *out, const char *name, const char *text)
{
	fprintf(out, "%s=\"", name);
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			putc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		else
			putc(*text, out);
	}
	putc('"', out);
}

static void metrics_labels(FILE *out, const char *metric, const struct value *v)
{
	fprintf(out, "%s{", metric);
	metrics_label(out, "device", value_text(v, "name"));
	putc(',', out);
	metrics_label(out, "function", value_text(v, "function"));
}

static void metrics_family(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

/* One sample for each that it can be, 1 for the one that it is. */
static void metrics_states(FILE *out, const struct value *all, const char *name, const char *key,
			   const char *const *words, const char *help)
{
	const struct value *v;
	size_t i;

	metrics_family(out, name, "stateset", help);
	for (v = all->first; v; v = v->next) {
		for (i = 0; *value_text(v, "name") && words[i]; i++) {
			metrics_labels(out, name, v);
			putc(',', out);
			metrics_label(out, name, words[i]);
			fprintf(out, "} %d\n", !strcmp(value_text(v, key), words[i]));
		}
	}
}

static void metrics_info(FILE *out, const struct value *all)
{
	static const char *const labels[] = { "class", "driver", "consumer" };
	const struct value *v;
	size_t i;

	metrics_family(out, "baton_function", "info", "Functions, and what they are.");
	for (v = all->first; v; v = v->next) {
		metrics_labels(out, "baton_function_info", v);
		for (i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
			putc(',', out);
			metrics_label(out, labels[i], value_text(v, labels[i]));
		}
		fputs("} 1\n", out);
	}
}

static void metrics_gauges(FILE *out, const struct value *all)
{
	const struct value *v, *member, *mapped;
	int opened;

	metrics_family(out, "baton_mapped_bytes", "gauge", "Memory that a user has mapped.");
	fputs("# UNIT baton_mapped_bytes bytes\n", out);
	for (v = all->first; v; v = v->next) {
		mapped = value_get(v, "mapped_bytes");
		if (!mapped)
			continue;
		metrics_labels(out, "baton_mapped_bytes", v);
		fprintf(out, "} %llu\n", mapped->number);
	}
	metrics_family(out, "baton_open", "gauge", "Processes that have the device open.");
	for (v = all->first; v; v = v->next) {
		if (!value_get(v, "open_by"))
			continue;
		opened = 0;
		for (member = value_get(v, "open_by")->first; member; member = member->next)
			opened++;
		metrics_labels(out, "baton_open", v);
		fprintf(out, "} %d\n", opened);
	}
	metrics_family(out, "baton_faulty", "gauge", "1 if the function did what it should not.");
	for (v = all->first; v; v = v->next) {
		if (!value_get(v, "last_fault"))
			continue;
		metrics_labels(out, "baton_faulty", v);
		fprintf(out, "} %d\n", *value_text(v, "last_fault") != '\0');
	}
}

/* Samples of one family must follow each other, so each counter goes through all queues. */
static void metrics_counter(FILE *out, const struct value *all, const char *name, const char *help)
{
	const struct value *v, *queue, *count;
	char family[64], sample[80];
	int i;

	snprintf(family, sizeof(family), "baton_queue_%s", name);
	snprintf(sample, sizeof(sample), "%s_total", family);
	metrics_family(out, family, "counter", help);
	for (v = all->first; v; v = v->next) {
		queue = value_get(v, "queues");
		for (queue = queue ? queue->first : NULL, i = 0; queue; queue = queue->next, i++) {
			count = value_get(queue, name);
			if (!count)
				continue;
			metrics_labels(out, sample, v);
			fprintf(out, ",queue=\"%d\"} %llu\n", i, count->number);
		}
	}
}

static void metrics_write(FILE *out, void *data)
{
	static const char *const owners[] = { "none", "kernel", "user", NULL };
	static const char *const states[] = { "probed",	  "blocked", "negotiated", "granting",
					      "kernel",	  "user",    "lost",	   "suspended",
					      "draining", "broken",  "dead",	   NULL };
	const struct value *all = data;

	metrics_info(out, all);
	metrics_states(out, all, "baton_owner", "owner", owners, "Who may direct the DMA.");
	metrics_states(out, all, "baton_state", "state", states, "Where it stands in a handover.");
	metrics_gauges(out, all);
	metrics_counter(out, all, "kicks", "Doorbells rung through the driver.");
	metrics_counter(out, all, "interrupts", "Interrupts that went through the driver.");
	metrics_counter(out, all, "received_commands", "Control commands of owners.");
	metrics_counter(out, all, "completed_commands", "Those that were carried out.");
	metrics_counter(out, all, "refused_commands", "Those that were refused.");
	fputs("# EOF\n", out);
}

int command_metrics(const struct options *o, char **argv)
{
	struct value *all = report_all();
	int status = output_write(o->output, metrics_write, all);

	(void)argv;
	value_free(all);
	return status;
}
