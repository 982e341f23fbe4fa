// SPDX-License-Identifier: GPL-2.0-only
/* bind, unbind, add, del and give: one step each, as typed. */
#include <string.h>

#include "change.h"

static int step_no_function(const char *name)
{
	return command_fails(EXIT_NOT_THERE, "there is no function %s: `baton list`", name);
}

static int step_no_device(const char *name)
{
	return command_fails(EXIT_NOT_THERE, "there is no device %s: `baton list`", name);
}

int command_bind(const struct options *o, char **argv)
{
	struct function fn;

	return function_find(&fn, argv[0]) ? change_bind(&fn, o) : step_no_function(argv[0]);
}

int command_unbind(const struct options *o, char **argv)
{
	struct function fn;
	struct device dev;
	int status;

	if (!function_find(&fn, argv[0]))
		return step_no_function(argv[0]);
	if (strcmp(fn.driver, FUNCTION_DRIVER))
		return EXIT_DONE;
	if (device_read(&dev, fn.device)) {
		status = change_del(&dev, o);
		if (status)
			return status;
	}
	/* That no driver takes it (VFs, as was asked for) is no failure. */
	function_bind(&fn, "");
	if (function_find(&fn, argv[0]) && !strcmp(fn.driver, FUNCTION_DRIVER))
		return command_fails(EXIT_FAILED, "%s stays with baton: `dmesg | grep %s`",
				     fn.address, fn.address);
	return EXIT_DONE;
}

/* The keys that are about a device; the others say which function, or are the declaration's. */
static bool step_read_keys(struct conf *c, char **words)
{
	char error[CONF_ERROR];

	conf_init(c);
	for (; *words; words += 2) {
		if (!words[1]) {
			command_fails(0, "%s has no value", *words);
			return false;
		}
		if (!conf_set(c, words[0], words[1], error)) {
			command_fails(0, "%s", error);
			return false;
		}
	}
	if (c->function[0] || c->pf[0] || c->function_mac[0] || c->vfs || c->vf >= 0 ||
	    c->node_owner[0] || c->node_group[0] || c->has_mode) {
		command_fails(0, "that key is for declarations: baton.conf(5)");
		return false;
	}
	return true;
}

int command_add(const struct options *o, char **argv)
{
	const char *name = argv[0];
	struct function fn;
	struct device dev;
	struct conf c;
	int status;

	if (!conf_name_ok(name))
		return command_fails(EXIT_USAGE, "'%s' is no name for a device", name);
	if (!step_read_keys(&c, argv + 2))
		return EXIT_USAGE;
	if (!function_find(&fn, argv[1]))
		return step_no_function(argv[1]);
	status = change_bind(&fn, o);
	if (!status)
		status = change_add(name, &fn, &c);
	if (!status && c.policy[0])
		status = change_attribute(name, "policy", c.policy);
	if (!status && c.relay[0])
		status = change_attribute(name, "relay", c.relay);
	if (status || !c.owner[0])
		return status;
	return device_read(&dev, name) ? change_give(&dev, fn.class, c.owner, o)
				       : step_no_device(name);
}

int command_del(const struct options *o, char **argv)
{
	struct device dev;

	return device_read(&dev, argv[0]) ? change_del(&dev, o) : step_no_device(argv[0]);
}

int command_give(const struct options *o, char **argv)
{
	struct function fn;
	struct device dev;

	if (!device_consumer_of(argv[1]))
		return command_fails(EXIT_USAGE, "'%s' is not kernel, user or none", argv[1]);
	if (!device_read(&dev, argv[0]) || !function_find(&fn, argv[0]))
		return step_no_device(argv[0]);
	return change_give(&dev, fn.class, argv[1], o);
}
