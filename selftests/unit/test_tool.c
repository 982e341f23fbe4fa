// SPDX-License-Identifier: GPL-2.0-only
/*
 * tools/baton: values, JSON and tables, declarations, and what it makes of sysfs
 * and /proc, shown to it as a tree of ordinary files. Of the kernel's netlink there
 * is a stand-in here.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "change.h"
#include "conf.h"
#include "device.h"
#include "function.h"
#include "holder.h"
#include "json.h"
#include "print.h"
#include "report.h"
#include "sysfs.h"
#include "test.h"
#include "watch.h"

/* -- the stand-in ---------------------------------------------------------------------------- */

static struct netlink_config shown;
static int config_error;

int netlink_add(const char *name, const char *address, const struct netlink_provision *p,
		char why[NETLINK_WHY])
{
	strcpy(why, "words of the kernel's");
	return -EOPNOTSUPP;
}

int netlink_del(const char *name, char why[NETLINK_WHY])
{
	why[0] = '\0';
	return -ENODEV;
}

int netlink_get_config(const char *name, struct netlink_config *config)
{
	*config = shown;
	return config_error;
}

int netlink_get_device(const char *name, struct netlink_config *config)
{
	*config = shown;
	return 0;
}

int netlink_get_function(const char *address, struct netlink_function *function)
{
	memset(function, 0, sizeof(*function));
	return -ENODEV;
}

int netlink_get_counters(const char *name, uint32_t queue, netlink_counter tell, void *data)
{
	tell(data, "kicks", 10 + queue);
	return 0;
}

int command_fails(int status, const char *format, ...)
{
	return status;
}

/* -- a tree of files ------------------------------------------------------------------------- */

static char root[] = "/tmp/test_tool.XXXXXX";

static void tree_run(const char *command)
{
	char text[PATH_MAX];

	snprintf(text, sizeof(text), "cd '%s' && %s", root, command);
	if (system(text))
		abort();
}

/* A file with a line, and the directories above it. */
static void put(const char *path, const char *line)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command),
		 "mkdir -p \"$(dirname '%s')\" && printf '%%b\\n' '%s' >'%s'", path, line, path);
	tree_run(command);
}

static void point(const char *path, const char *target)
{
	char command[PATH_MAX];

	snprintf(command, sizeof(command), "mkdir -p \"$(dirname '%s')\" && ln -sfn '%s' '%s'",
		 path, target, path);
	tree_run(command);
}

#define PCI "sys/bus/pci/devices/"

static void put_function(const char *address, const char *id, const char *driver)
{
	char path[200];

	snprintf(path, sizeof(path), PCI "%s/vendor", address);
	put(path, "0x1af4");
	snprintf(path, sizeof(path), PCI "%s/device", address);
	put(path, id);
	snprintf(path, sizeof(path), PCI "%s/driver", address);
	point(path, driver);
}

/*
 *   10.0  net, baton_pci, group 4: v0, owned by a user, open by process 4711
 *   10.1  net, virtio-pci, group 5 with 10.2: eth7
 *   10.2  block (transitional), baton_pci, no group of its own: v1, the kernel's vda, mounted
 *   20.0  a disk controller: none of ours
 */
static void tree_make(void)
{
	if (!mkdtemp(root))
		abort();
	setenv("BATON_ROOT", root, 1);
	put_function("0000:00:10.0", "0x1041", "../../../bus/pci/drivers/baton_pci");
	put_function("0000:00:10.1", "0x1041", "../../../bus/pci/drivers/virtio-pci");
	put_function("0000:00:10.2", "0x1001", "../../../bus/pci/drivers/baton_pci");
	put(PCI "0000:00:10.2/subsystem_device", "0x0002");
	put(PCI "0000:00:20.0/vendor", "0x8086");
	put(PCI "0000:00:20.0/device", "0x1041");
	put("groups/4/devices/0000:00:10.0", "");
	put("groups/5/devices/0000:00:10.1", "");
	put("groups/5/devices/0000:00:10.2", "");
	point(PCI "0000:00:10.0/iommu_group", "../../../../../groups/4");
	point(PCI "0000:00:10.1/iommu_group", "../../../../../groups/5");
	point(PCI "0000:00:10.0/physfn", "../0000:00:11.0");
	point(PCI "0000:00:11.0/virtfn0", "../0000:00:12.0");
	point(PCI "0000:00:11.0/virtfn1", "../0000:00:10.0");
	put(PCI "0000:00:10.1/virtio3/net/eth7/address", "52:54:00:10:20:31");

	put(PCI "0000:00:10.0/v0/baton/owner", "user");
	put(PCI "0000:00:10.0/v0/baton/state", "broken");
	put(PCI "0000:00:10.0/v0/baton/policy", "default");
	put(PCI "0000:00:10.0/v0/baton/last_refusal", "no \"user\"\tmay");
	put(PCI "0000:00:10.0/v0/baton/last_fault", "");
	put(PCI "0000:00:10.0/v0/baton/mapped_bytes", "4096");
	put(PCI "0000:00:10.0/v0/vhost-vdpa-3/dev", "1:1");
	put(PCI "0000:00:10.0/v0/driver_override", "");
	point(PCI "0000:00:10.0/v0/driver", "../../bus/vdpa/drivers/vhost_vdpa");
	point(PCI "0000:00:10.0/v0/subsystem", "../../../../vdpa");
	point("sys/bus/vdpa/devices/v0", "../../pci/devices/0000:00:10.0/v0");
	put("dev/vhost-vdpa-3", "");
	put("proc/4711/comm", "qemu-system-x86");
	put("proc/4711/cgroup", "0::/machine.slice/libpod-0123.scope/container");
	put("proc/4712/comm", "other");
	point("proc/4711/fd/3", "/dev/vhost-vdpa-3");
	point("proc/4712/fd/3", "/dev/vhost-vdpa-30");

	put(PCI "0000:00:10.2/v1/baton/owner", "kernel");
	put(PCI "0000:00:10.2/virtio5/block/vda/vda1/dev", "254:1");
	put(PCI "0000:00:10.2/v1/driver_override", "");
	point(PCI "0000:00:10.2/v1/driver", "../../bus/vdpa/drivers/virtio_vdpa");
	point(PCI "0000:00:10.2/v1/subsystem", "../../../../vdpa");
	point("sys/bus/vdpa/devices/v1", "../../pci/devices/0000:00:10.2/v1");
	put("sys/class/block/vda/dev", "254:0");
	put("sys/class/block/vda/vda1/dev", "254:1");
	put("proc/self/mountinfo", "36 35 254:1 / /srv/data rw,noatime - ext4 /dev/vda1 rw");
	put("sys/bus/pci/drivers_probe", "");
	put("sys/bus/vdpa/drivers_probe", "");
	put("sys/bus/vdpa/drivers/vhost_vdpa/unbind", "");
}

/* -- functions and devices ------------------------------------------------------------------- */

static void functions_are_found(void)
{
	struct function *all;

	CHECK_EQ(function_read_all(&all), 3);
	CHECK(!strcmp(all[0].address, "0000:00:10.0"));
	CHECK(!strcmp(all[0].class, "net"));
	CHECK(!strcmp(all[0].driver, "baton_pci"));
	CHECK(!strcmp(all[0].device, "v0"));
	CHECK(!strcmp(all[0].group, "4"));
	CHECK_EQ(all[0].group_size, 1);
	CHECK(!strcmp(all[0].pf, "0000:00:11.0"));
	CHECK_EQ(all[0].vf, 1);
	CHECK(!strcmp(all[2].class, "block"));
	CHECK(!strcmp(all[1].device, ""));
	CHECK_EQ(all[1].vf, -1);
	free(all);
}

static void function_has_names(void)
{
	struct function fn;

	CHECK(function_find(&fn, "00:10.2"));
	CHECK(!strcmp(fn.device, "v1"));
	CHECK(function_find(&fn, "0000:00:10.1"));
	CHECK(function_find(&fn, "v0"));
	CHECK(!strcmp(fn.address, "0000:00:10.0"));
	CHECK(function_find_vf(&fn, "0000:00:11.0", 1));
	CHECK(!strcmp(fn.address, "0000:00:10.0"));
	CHECK(function_find_mac(&fn, "52:54:00:10:20:31"));
	CHECK(!strcmp(fn.address, "0000:00:10.1"));
	shown.shown.has_mac = true;
	memcpy(shown.shown.mac, "\x52\x54\0\x10\x20\x3A", 6);
	CHECK(function_find_mac(&fn, "52:54:00:10:20:3a"));
	CHECK(!strcmp(fn.address, "0000:00:10.0"));
	CHECK(!function_find_mac(&fn, "52:54:00:10:20:32"));
	CHECK(!function_find(&fn, "00:20.0"));
	CHECK(!function_find(&fn, "00:11.9"));
	CHECK(!function_find(&fn, "v2"));
	CHECK(!function_find(&fn, ""));
	CHECK(!function_find_vf(&fn, "0000:00:11.0", 2));
}

static void isolation_has_a_reason(void)
{
	struct function fn;
	char why[200];

	CHECK(function_find(&fn, "v0"));
	function_isolation(&fn, why, sizeof(why));
	CHECK(!strcmp(why, ""));
	CHECK(function_find(&fn, "00:10.1"));
	function_isolation(&fn, why, sizeof(why));
	CHECK(!strcmp(why, "shares IOMMU group 5 with 0000:00:10.2"));
	CHECK(function_find(&fn, "00:10.2"));
	function_isolation(&fn, why, sizeof(why));
	CHECK(!strcmp(why, "no IOMMU"));
}

static void device_is_read(void)
{
	struct device dev;

	CHECK(device_read(&dev, "v0"));
	CHECK(!strcmp(dev.consumer, "vhost_vdpa"));
	CHECK(!strcmp(dev.node, "/dev/vhost-vdpa-3"));
	CHECK(!strcmp(dev.refusal, "no \"user\"\tmay"));
	CHECK_EQ(dev.mapped, 4096);
	CHECK_EQ(dev.nr_made, 0);
	CHECK(device_read(&dev, "v1"));
	CHECK_EQ(dev.nr_made, 1);
	CHECK(!strcmp(dev.made[0], "vda"));
	CHECK(!strcmp(dev.kind, "block"));
	CHECK(!device_read(&dev, "v2"));
	CHECK(!device_read(&dev, "../v0"));
	CHECK(!device_read(&dev, ""));
}

static void users_are_found(void)
{
	struct holder holders[2];
	struct device dev;
	char why[300], path[PATH_MAX];

	CHECK_EQ(holder_find("/dev/vhost-vdpa-3", holders, 2), 1);
	CHECK_EQ(holders[0].pid, 4711);
	CHECK(!strcmp(holders[0].command, "qemu-system-x86"));
	CHECK(!strcmp(holders[0].container, "libpod-0123.scope"));
	CHECK(device_read(&dev, "v0"));
	CHECK(holder_has_node(&dev, why, sizeof(why)));
	CHECK(strstr(why, "4711"));
	CHECK(device_read(&dev, "v1"));
	CHECK(!holder_has_node(&dev, why, sizeof(why)));
	CHECK(holder_has_disk(device_function(path, "v1"), why, sizeof(why)));
	CHECK(!strcmp(why, "vda is mounted on /srv/data"));
	CHECK(holder_has_disk("/" PCI "0000:00:10.2", why, sizeof(why)));
	put("proc/self/mountinfo", "36 35 254:16 / /srv/data rw,noatime - ext4 /dev/vdb rw");
	CHECK(!holder_has_disk("/" PCI "0000:00:10.2", why, sizeof(why)));
	CHECK(!strcmp(why, ""));
}

/* An adapter's are further down; a netdev of another network namespace has no name here. */
static void what_was_made_is_found(void)
{
	char what[300];
	struct device dev;

	tree_run("mv " PCI "0000:00:10.2/virtio5/block " PCI "0000:00:10.2/virtio5/none");
	put(PCI "0000:00:10.2/virtio5/host2/target2:0:0/2:0:0:0/block/sda/dev", "8:0");
	put(PCI "0000:00:10.2/virtio5/host2/target2:0:0/2:0:0:1/block/sdb/dev", "8:16");
	put("sys/class/block/sdb/dev", "8:16");
	put("proc/self/mountinfo", "36 35 8:16 / /srv/data rw,noatime - ext4 /dev/sdb rw");
	CHECK(device_read(&dev, "v1"));
	CHECK_EQ(dev.nr_made, 2);
	CHECK(!strcmp(dev.made[1], "sdb"));
	CHECK(holder_has_disk("/" PCI "0000:00:10.2", what, sizeof(what)));
	CHECK(!strcmp(what, "sdb is mounted on /srv/data"));
	CHECK(!holder_has_netdev("/" PCI "0000:00:10.2", what, sizeof(what)));
	tree_run("rm -r " PCI "0000:00:10.2/virtio5/host2 && mkdir " PCI
		 "0000:00:10.2/virtio5/net");
	CHECK(device_read(&dev, "v1"));
	CHECK_EQ(dev.nr_made, 0);
	CHECK(!strcmp(dev.kind, "net"));
	CHECK(holder_has_netdev("/" PCI "0000:00:10.2", what, sizeof(what)));
	CHECK(strstr(what, "another network namespace"));
	CHECK(!holder_has_netdev("/" PCI "0000:00:10.1", what, sizeof(what)));
	put("sys/class/net/eth7/flags", "0x1003");
	CHECK(holder_has_netdev("/" PCI "0000:00:10.1", what, sizeof(what)));
	CHECK(!strcmp(what, "eth7 is up, and goes away"));
	tree_run("rmdir " PCI "0000:00:10.2/virtio5/net");
	tree_run("mv " PCI "0000:00:10.2/virtio5/none " PCI "0000:00:10.2/virtio5/block");
}

static char *read_all(const char *path)
{
	static char text[200];

	sysfs_read(text, sizeof(text), "/%s", path);
	return text;
}

static void giving_writes_three_files(void)
{
	CHECK_EQ(device_give("v0", "", 1), -ENODEV);
	CHECK(!strcmp(read_all(PCI "0000:00:10.0/v0/driver_override"), "none"));
	CHECK(!strcmp(read_all("sys/bus/vdpa/drivers/vhost_vdpa/unbind"), "v0"));
	CHECK(!strcmp(read_all("sys/bus/vdpa/drivers_probe"), ""));
	/* What it has it keeps: nothing is torn away. */
	put("sys/bus/vdpa/drivers/vhost_vdpa/unbind", "");
	CHECK_EQ(device_give("v0", "vhost_vdpa", 1), 0);
	CHECK(!strcmp(read_all("sys/bus/vdpa/drivers/vhost_vdpa/unbind"), ""));
	CHECK_EQ(device_give("v0", "virtio_vdpa", 1), -ENODEV);
	CHECK(!strcmp(read_all(PCI "0000:00:10.0/v0/driver_override"), "virtio_vdpa"));
	CHECK(!strcmp(read_all("sys/bus/vdpa/drivers_probe"), "v0"));
	CHECK_EQ(device_give("v2", "vhost_vdpa", 1), -ENOENT);
}

static void users_keep_what_they_have(void)
{
	struct options o = { .timeout_ms = 300 };
	struct device dev;

	put("sys/bus/vdpa/drivers/vhost_vdpa/unbind", "");
	CHECK(device_read(&dev, "v0"));
	CHECK_EQ(change_give(&dev, "net", "kernel", &o), EXIT_IN_USE);
	CHECK(!strcmp(read_all("sys/bus/vdpa/drivers/vhost_vdpa/unbind"), ""));
	CHECK_EQ(change_del(&dev, &o), EXIT_IN_USE);
	/* Of a user who has it open, it is taken only by deleting it. */
	o.force = true;
	CHECK_EQ(change_give(&dev, "net", "kernel", &o), EXIT_IN_USE);
	CHECK(!strcmp(read_all("sys/bus/vdpa/drivers/vhost_vdpa/unbind"), ""));
	CHECK(change_is_held(&dev));
	CHECK_EQ(change_del(&dev, &o), EXIT_FAILED);
	put("sys/bus/vdpa/drivers/virtio_vdpa/unbind", "");
	put("proc/self/mountinfo", "36 35 254:1 / /srv/data rw,noatime - ext4 /dev/vda1 rw");
	o.force = false;
	CHECK(device_read(&dev, "v1"));
	CHECK_EQ(change_give(&dev, "block", "none", &o), EXIT_IN_USE);
	CHECK(!strcmp(read_all("sys/bus/vdpa/drivers/virtio_vdpa/unbind"), ""));
	o.force = true;
	CHECK(change_give(&dev, "block", "none", &o) != EXIT_IN_USE);
	CHECK(!strcmp(read_all("sys/bus/vdpa/drivers/virtio_vdpa/unbind"), "v1"));
}

static void refusals_have_remedies(void)
{
	CHECK(strstr(change_remedy("no user may own this function: shares IOMMU group 9: x"),
		     "ACS"));
	CHECK(!change_remedy("something else"));
}

/* -- values ---------------------------------------------------------------------------------- */

/* What a function writes to a stream. */
static char *told(void (*tell)(FILE *out, const struct value *v), const struct value *v)
{
	static char text[4096];
	FILE *out = fmemopen(text, sizeof(text), "w");

	memset(text, 0, sizeof(text));
	tell(out, v);
	fclose(out);
	return text;
}

static void tell_json(FILE *out, const struct value *v)
{
	json_write(out, v, true);
}

static void tell_table(FILE *out, const struct value *v)
{
	static const struct print_column columns[] = { { "NAME", "name" },
						       { "STATE", "state" },
						       { "BY", "open_by" } };

	print_table(out, v, columns, 3, true);
}

static void tell_sheet(FILE *out, const struct value *v)
{
	print_sheet(out, v->first, false, false);
}

static void report_is_one_for_all(void)
{
	struct value *all = value_new(VALUE_ARRAY), *again;
	struct function fn;
	char first[4096];
	char *text;

	CHECK(function_find(&fn, "v0"));
	shown.queues = 2;
	report_function(all, &fn);
	text = told(tell_json, all);
	CHECK(strstr(text, "\"last_refusal\": \"no \\\"user\\\"\\u0009may\""));
	CHECK(strstr(text, "\"queues\": [{\"kicks\": 10}, {\"kicks\": 11}]"));
	CHECK(strstr(text, "\"isolated\": true"));
	CHECK(strstr(text, "\"pid\": 4711"));
	CHECK(strstr(text, "\"queue_pairs\": null"));
	strcpy(first, text);
	again = json_read(first, strlen(first));
	CHECK(again);
	CHECK(!strcmp(told(tell_json, again), first));
	value_free(again);
	text = told(tell_table, all);
	CHECK(!strcmp(text, "NAME  STATE   BY\n"
			    "v0    \033[31mbroken\033[0m  "
			    "qemu-system-x86 pid 4711 libpod-0123.scope\n"));
	text = told(tell_sheet, all);
	CHECK(strstr(text, "\nmapped_bytes  4096\n"));
	CHECK(!strstr(text, "last_fault"));
	value_free(all);
}

static void json_is_read(void)
{
	static const char *const good[] = { "null", " [ ] ", "{\"a\":[1,true,false,\"x\\u0041\"]}",
					    "18446744073709551615" };
	static const char *const bad[] = { "",		 "nul",	      "[1,]",
					   "{\"a\" 1}",	 "{1:2}",     "\"open",
					   "\"bad\\q\"", "\"\\u00\"", "18446744073709551616",
					   "-1",	 "1 2",	      "[[[[[[[[[[1]]]]]]]]]]" };
	struct value *v;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		CONTEXT("%s", good[i]);
		v = json_read(good[i], strlen(good[i]));
		CHECK(v);
		value_free(v);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		CONTEXT("%s", bad[i]);
		CHECK(!json_read(bad[i], strlen(bad[i])));
	}
}

/* -- declarations ---------------------------------------------------------------------------- */

static bool parses(struct conf *c, const char *text, char error[CONF_ERROR])
{
	error[0] = '\0';
	conf_init(c);
	return conf_parse(c, text, strlen(text), error) && conf_check(c, true, error);
}

static void declaration_is_read(void)
{
	char error[CONF_ERROR];
	struct conf c;

	CHECK(parses(&c,
		     "# all of it\npf=0000:65:00.0 # of\n  vf = 3\nvfs=8\r\n\n"
		     "mac = 52:54:00:10:20:30\nmtu = 9000\nqueue-pairs = 4\n"
		     "features = 0x300030020\npolicy = vlan  mac\nowner = user\n"
		     "node-owner = qemu\nnode-group = 107\nnode-mode = 0660\nrelay = auto",
		     error));
	CHECK(!strcmp(c.pf, "0000:65:00.0"));
	CHECK_EQ(c.vf, 3);
	CHECK_EQ(c.vfs, 8);
	CHECK(!memcmp(c.provision.mac, "\x52\x54\0\x10\x20\x30", 6));
	CHECK_EQ(c.provision.mtu, 9000);
	CHECK_EQ(c.provision.pairs, 4);
	CHECK_EQ(c.provision.features, 0x300030020);
	CHECK(!strcmp(c.policy, "mac vlan"));
	CHECK(!strcmp(c.owner, "user"));
	CHECK(!strcmp(c.node_owner, "qemu"));
	CHECK_EQ(c.node_mode, 0660);
	CHECK(parses(&c, "function = 65:00.2", error));
	CHECK(!c.provision.has_mac && !c.has_mode && !c.owner[0]);
	CHECK(parses(&c, "function-mac = 52:54:00:10:20:30", error));
}

static void mistakes_are_named(void)
{
	static const struct {
		const char *text, *error;
	} wrong[] = {
		{ "", "the function is named by one of" },
		{ "owner = user", "the function is named by one of" },
		{ "function = 65:00.2\npf = 65:00.0\nvf = 1", "one of" },
		{ "pf = 65:00.0", "pf needs vf" },
		{ "function = 65:00.2\nvf = 1", "need pf" },
		{ "pf = 65:00.0\nvf = 4\nvfs = 4", "beyond" },
		{ "function = 65:00.2\nowner = kernel\nnode-mode = 600", "only with owner = user" },
		{ "function = 65:00.2\nfunction = 65:00.2", "line 2: function is given twice" },
		{ "\n\nspeed = 3", "line 3: there is no key 'speed'" },
		{ "owner", "line 1: 'owner' is no 'key = value'" },
		{ "owner =", "line 1: owner: '' has no value" },
		{ "owner = me", "is not kernel, user or none" },
		{ "function = 65:00", "is no PCI address" },
		{ "function = 0000:65:00.2x", "is no PCI address" },
		{ "mac = 52:54:00:10:20", "is no MAC address" },
		{ "mac = 52:54:00:10:20:3g", "is no MAC address" },
		{ "mac = 53:54:00:10:20:30", "is a group's" },
		{ "mtu = 67", "is no MTU" },
		{ "mtu = 65536", "is no MTU" },
		{ "mtu = -1", "is no MTU" },
		{ "mtu = 1500 ", "named by one of" },
		{ "mtu = 1500x", "is no MTU" },
		{ "queue-pairs = 0", "is no number" },
		{ "features = 300030020", "is no set" },
		{ "features = 0x1ffffffffffffffff", "is no set" },
		{ "policy = mac strict", "is not default" },
		{ "vf = 65536", "is no number" },
		{ "vfs = 0", "is no count" },
		{ "node-mode = 1777", "is no mode" },
		{ "node-mode = 8", "is no mode" },
		{ "relay = on", "is not auto" },
		{ "node-owner = 0123456789012345678901234567890123456789012345678901234567890123",
		  "is too long" },
	};
	char error[CONF_ERROR];
	struct conf c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		CONTEXT("%s", wrong[i].text);
		CHECK(!parses(&c, wrong[i].text, error));
		CONTEXT("%s: %s", wrong[i].text, error);
		CHECK(strstr(error, wrong[i].error));
	}
	conf_init(&c);
	CHECK(!conf_parse(&c, "a\0b", 3, error));
	CHECK(strstr(error, "is no text"));
}

/* What `baton match` prints for a function; without its newline. */
static char *matched(const char *address)
{
	static const struct options o;
	char *argv[] = { (char *)address, NULL };
	char path[PATH_MAX];
	int saved, out;

	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	out = open(sysfs_path(path, "/out"), O_CREAT | O_TRUNC | O_WRONLY, 0600);
	if (saved < 0 || out < 0)
		abort();
	dup2(out, STDOUT_FILENO);
	command_match(&o, argv);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(out);
	return read_all("out");
}

/* By the events that there are: a function comes, a driver is bound. */
static void functions_have_units(void)
{
	put("etc/baton/b.conf", "pf = 00:11.0\nvf = 0\nvfs = 2");
	put("etc/baton/c.conf", "pf = 0000:00:11.0\nvf = 1");
	put("etc/baton/d.conf", "function-mac = 52:54:00:10:20:31");
	put("etc/baton/e.conf", "function = 00:10.2");
	put("etc/baton/wrong.conf", "function = 00:10.2\nowner = me");
	CHECK(!strcmp(matched("0000:00:10.2"), "SYSTEMD_WANTS=baton@e.service"));
	CHECK(!strcmp(matched("0000:00:10.1"), "SYSTEMD_WANTS=baton@d.service"));
	CHECK(!strcmp(matched("0000:00:10.0"), "SYSTEMD_WANTS=baton@c.service"));
	CHECK(!strcmp(matched("0000:00:20.0"), ""));
	/* VFs wait for the driver of their PF, whosever it is. */
	CHECK(!strcmp(matched("0000:00:11.0"), ""));
	point(PCI "0000:00:11.0/driver", "../../../bus/pci/drivers/virtio-pci");
	put(PCI "0000:00:11.0/virtio7/status", "1");
	CHECK(!strcmp(matched("0000:00:11.0"), ""));
	point(PCI "0000:00:11.0/virtio7/driver", ".");
	CHECK(!strcmp(matched("0000:00:11.0"), "SYSTEMD_WANTS=baton@b.service baton@c.service"));
	point(PCI "0000:00:11.0/driver", "../../../bus/pci/drivers/mlx5_core");
	CHECK(!strcmp(matched("0000:00:11.0"), "SYSTEMD_WANTS=baton@b.service baton@c.service"));
	/* One that is declared itself has to be taken first. */
	put("etc/baton/z.conf", "function = 00:11.0");
	CHECK(!strcmp(matched("0000:00:11.0"), "SYSTEMD_WANTS=baton@z.service"));
	point(PCI "0000:00:11.0/driver", "../../../bus/pci/drivers/baton_pci");
	CHECK(!strcmp(matched("0000:00:11.0"),
		      "SYSTEMD_WANTS=baton@b.service baton@c.service baton@z.service"));
	tree_run("rm -r etc");
}

static void names_are_plain(void)
{
	CHECK(conf_name_ok("net0"));
	CHECK(conf_name_ok("a.b-c_d"));
	CHECK(!conf_name_ok(""));
	CHECK(!conf_name_ok(".net"));
	CHECK(!conf_name_ok("a/b"));
	CHECK(!conf_name_ok("a b"));
	CHECK(!conf_name_ok("0123456789012345678901234567890123456789012345678901234567890123"));
}

/* -- the trace ------------------------------------------------------------------------------- */

static void trace_is_taken_apart(void)
{
	char owner[] =
		"  bash-1  [0] ..... 1.2: baton_owner: 0000:00:10.0: blocked -> user owner=user\n";
	char step[] = "  bash-1  [0] ..... 1.2: baton_step: 0000:00:10.0: attach err=0\n";
	char refusal[] = "x: baton_refusal: 0000:00:10.0: no: not so\n";
	char none[] = "CPU:0 [LOST 12 EVENTS]\n", half[] = "x: baton_owner: 0000:00:10.0";
	struct watch_event event;

	CHECK(watch_split(owner, &event));
	CHECK(!strcmp(event.name, "owner"));
	CHECK(!strcmp(event.who, "0000:00:10.0"));
	CHECK(!strcmp(event.what, "blocked -> user owner=user"));
	CHECK(watch_split(refusal, &event));
	CHECK(!strcmp(event.what, "no: not so"));
	CHECK(!watch_split(step, &event));
	CHECK(!watch_split(none, &event));
	CHECK(!watch_split(half, &event));
}

static void without_a_kernel(void)
{
	struct value *all;

	setenv("BATON_ROOT", "/nowhere", 1);
	all = report_all();
	CHECK(all && !all->first);
	value_free(all);
	tree_run("rm -rf \"$PWD\"");
}

static const struct test_case cases[] = {
	{ "functions are found, and what they are", functions_are_found },
	{ "a function by address, device, number and MAC", function_has_names },
	{ "why a function is not isolated", isolation_has_a_reason },
	{ "a device, its node, and what was made of it", device_is_read },
	{ "who has it open, where it is mounted", users_are_found },
	{ "what was made is found, wherever it is", what_was_made_is_found },
	{ "giving writes override, unbind and probe", giving_writes_three_files },
	{ "nothing is taken from its user without force", users_keep_what_they_have },
	{ "a refusal has its remedy", refusals_have_remedies },
	{ "text and JSON are of one tree", report_is_one_for_all },
	{ "JSON is read, and what is none is not", json_is_read },
	{ "a declaration is read", declaration_is_read },
	{ "mistakes in it are named, with their line", mistakes_are_named },
	{ "a function's declarations have units", functions_have_units },
	{ "names are plain", names_are_plain },
	{ "a line of the trace is taken apart", trace_is_taken_apart },
	{ "without a kernel of the kind there is nothing", without_a_kernel },
};

int main(void)
{
	tree_make();
	return run_cases(cases, ARRAY_SIZE(cases));
}
