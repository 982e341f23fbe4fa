// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Container Device Interface (0.6.0): what a container gets if it asks for
 * baton.dev/device=NAME. Disks and nodes are device nodes. A netdev is none: a
 * runtime's hook moves it into the container, by ip(8) and with the container's
 * process from the state that the runtime writes to the hook's standard input.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "json.h"
#include "output.h"
#include "report.h"

#define KIND "baton.dev/device"
#define HOOK "/usr/libexec/baton/cdi-move-netdev"

static void cdi_node(struct value *nodes, const char *path, const char *type)
{
	struct value *node = value_add(nodes, NULL, VALUE_OBJECT);

	value_add_text(node, "path", path);
	value_add_text(node, "type", type);
	value_add_text(node, "permissions", "rw");
}

static void cdi_netdev(struct value *edits, const char *netdev)
{
	struct value *hook = value_add(value_add(edits, "hooks", VALUE_ARRAY), NULL, VALUE_OBJECT);
	struct value *args;

	value_add_text(hook, "hookName", "createRuntime");
	value_add_text(hook, "path", HOOK);
	args = value_add(hook, "args", VALUE_ARRAY);
	value_add_text(args, NULL, "cdi-move-netdev");
	value_add_text(args, NULL, netdev);
}

/* A device that nobody has yet, or that is nothing a container can use, is not in it. */
static void cdi_device(struct value *devices, const struct value *v)
{
	const struct value *made = value_get(v, "made");
	const char *node = value_text(v, "node"), *class = value_text(v, "class");
	struct value *edits, *nodes;
	char path[128];

	made = made ? made->first : NULL;
	if (!made && !*node)
		return;
	devices = value_add(devices, NULL, VALUE_OBJECT);
	value_add_text(devices, "name", value_text(v, "name"));
	edits = value_add(devices, "containerEdits", VALUE_OBJECT);
	if (!*node && !strcmp(class, "net")) {
		cdi_netdev(edits, made->text);
		return;
	}
	nodes = value_add(edits, "deviceNodes", VALUE_ARRAY);
	if (*node)
		cdi_node(nodes, node, "c");
	/* An adapter may have several. */
	for (; made; made = made->next) {
		snprintf(path, sizeof(path), "/dev/%s", made->text);
		cdi_node(nodes, path, "b");
	}
}

static void cdi_write(FILE *out, void *data)
{
	json_write(out, data, false);
}

int command_cdi(const struct options *o, char **argv)
{
	struct value *all = report_all(), *spec = value_new(VALUE_OBJECT), *devices;
	const struct value *v;
	int status;

	(void)argv;
	value_add_text(spec, "cdiVersion", "0.6.0");
	value_add_text(spec, "kind", KIND);
	devices = value_add(spec, "devices", VALUE_ARRAY);
	for (v = all->first; v; v = v->next)
		cdi_device(devices, v);
	status = output_write(o->output, cdi_write, spec);
	value_free(spec);
	value_free(all);
	return status;
}
