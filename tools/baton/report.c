// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "holder.h"
#include "netlink.h"
#include "report.h"
#include "sysfs.h"

#define HOLDERS_MAX 16

static void report_holders(struct value *v, const struct device *dev)
{
	struct value *array = value_add(v, "open_by", VALUE_ARRAY), *one;
	struct holder holders[HOLDERS_MAX];
	size_t i, nr = dev->node[0] ? holder_find(dev->node, holders, HOLDERS_MAX) : 0;

	for (i = 0; i < nr; i++) {
		one = value_add(array, NULL, VALUE_OBJECT);
		value_add_text(one, "command", holders[i].command);
		value_add_number(one, "pid", (unsigned long long)holders[i].pid);
		value_add_text(one, "container", holders[i].container);
	}
}

static void report_counter(void *data, const char *name, unsigned long long count)
{
	value_add_number(data, name, count);
}

static void report_queues(struct value *v, const struct device *dev, uint32_t nr)
{
	struct value *array = value_add(v, "queues", VALUE_ARRAY);
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (netlink_get_counters(dev->name, i, report_counter,
					 value_add(array, NULL, VALUE_OBJECT)))
			break;
}

static void report_config(struct value *v, const struct netlink_provision *p)
{
	const uint8_t *m = p->mac;

	if (p->has_mac)
		value_add_format(v, "mac", "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3],
				 m[4], m[5]);
	else
		value_add_text(v, "mac", "");
	value_add(v, "queue_pairs", p->has_pairs ? VALUE_NUMBER : VALUE_NULL)->number = p->pairs;
	value_add(v, "mtu", p->has_mtu ? VALUE_NUMBER : VALUE_NULL)->number = p->mtu;
	if (p->has_features)
		value_add_format(v, "features", "0x%llx", (unsigned long long)p->features);
	else
		value_add_text(v, "features", "");
}

static void report_device(struct value *v, const struct device *dev)
{
	struct netlink_config config, basic;
	struct value *made;
	char relay[32];
	int i;

	value_add_text(v, "consumer", dev->consumer);
	value_add_text(v, "owner", dev->owner);
	value_add_text(v, "state", dev->state);
	made = value_add(v, "made", VALUE_ARRAY);
	for (i = 0; i < dev->nr_made; i++)
		value_add_text(made, NULL, dev->made[i]);
	value_add_text(v, "node", dev->node);
	report_holders(v, dev);
	value_add_text(v, "policy", dev->policy);
	sysfs_read(relay, sizeof(relay), SYSFS_VDPA "%s/baton/relay", dev->name);
	value_add_text(v, "relay", relay);
	value_add_number(v, "mapped_bytes", dev->mapped);
	value_add_text(v, "last_refusal", dev->refusal);
	value_add_text(v, "last_fault", dev->fault);
	/* Of some classes vdpa's netlink shows no configuration. */
	netlink_get_config(dev->name, &config);
	report_config(v, &config.shown);
	if (netlink_get_device(dev->name, &basic))
		basic.queues = 0;
	report_queues(v, dev, basic.queues);
}

void report_function(struct value *array, const struct function *fn)
{
	struct value *v = value_add(array, NULL, VALUE_OBJECT);
	struct device dev;
	char why[DEVICE_LINE];

	value_add_text(v, "name", fn->device);
	value_add_text(v, "function", fn->address);
	value_add_text(v, "class", fn->class);
	value_add_text(v, "driver", fn->driver);
	if (fn->pf[0]) {
		value_add_text(v, "pf", fn->pf);
		value_add_number(v, "vf", (unsigned long long)fn->vf);
	}
	value_add_text(v, "iommu_group", fn->group);
	function_isolation(fn, why, sizeof(why));
	value_add_bool(v, "isolated", !why[0]);
	value_add_text(v, "not_isolated_because", why);
	if (device_read(&dev, fn->device))
		report_device(v, &dev);
}

struct value *report_all(void)
{
	struct value *array = value_new(VALUE_ARRAY);
	struct function *all;
	size_t i, nr = function_read_all(&all);

	for (i = 0; i < nr; i++)
		report_function(array, &all[i]);
	free(all);
	return array;
}
