// SPDX-License-Identifier: GPL-2.0-only
/* Is this machine ready, is this function: findings, each with what to do about it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "command.h"
#include "device.h"
#include "function.h"
#include "json.h"
#include "netlink.h"
#include "print.h"
#include "qualify.h"
#include "report.h"
#include "sysfs.h"

#define FILE_MAX (1024 * 1024)
#define SMALL_PAGE 4096ULL

/*
 * What QEMU lets pass of the features that a vhost-vdpa device offers: anything else
 * blocks a migration, and x-svq. Of net's own, and of the transport's (28 to 42),
 * version 10 and later.
 */
#define QEMU_NET \
	(0xfULL | 0x1fffa0ULL | 1ULL << 22 | 1ULL << 23 | 3ULL << 26 | 1ULL << 57 | 0xfULL << 60)
#define QEMU_TRANSPORT (1ULL << 29 | 1ULL << 32 | 1ULL << 33)

enum check_verdict { CHECK_OK, CHECK_NOTE, CHECK_FAIL };

__attribute__((format(printf, 5, 6))) static void
check_finding(struct value *findings, const char *what, enum check_verdict verdict,
	      const char *remedy, const char *format, ...)
{
	static const char *const verdicts[] = { "ok", "note", "fail" };
	struct value *v = value_add(findings, NULL, VALUE_OBJECT);
	char text[DEVICE_LINE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	value_add_text(v, "verdict", verdicts[verdict]);
	value_add_text(v, "what", what);
	value_add_text(v, "found", text);
	value_add_text(v, "remedy", verdict == CHECK_OK ? "" : remedy);
}

/* Whether a file has a line with this text in it. */
static bool check_file_has(const char *file, const char *text)
{
	char path[PATH_MAX], line[1024];
	bool has = false;
	FILE *stream = fopen(sysfs_path(path, "%s", file), "re");

	if (!stream)
		return false;
	while (!has && fgets(line, sizeof(line), stream))
		has = strstr(line, text);
	fclose(stream);
	return has;
}

/* Loaded, built in, or at least there for this kernel. */
static enum check_verdict check_module(const char *name, const char *kernel)
{
	char path[PATH_MAX], file[DEVICE_NAME + 8];

	if (sysfs_exists("/sys/module/%s", name))
		return CHECK_OK;
	snprintf(file, sizeof(file), "/%s.ko", name);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", kernel);
	return check_file_has(path, file) ? CHECK_NOTE : CHECK_FAIL;
}

static void check_modules(struct value *findings)
{
	static const struct {
		const char *name, *remedy;
	} modules[] = {
		{ "vdpa", "a kernel with CONFIG_VDPA: Debian's have it" },
		{ "vhost_vdpa", "a kernel with CONFIG_VHOST_VDPA; guests need it" },
		{ "virtio_vdpa", "a kernel with CONFIG_VIRTIO_VDPA; the kernel's drivers need it" },
		{ "baton", "install the package baton-dkms, or `make dkms-install`" },
		{ "baton_pci", "install the package baton-dkms, or `make dkms-install`" },
	};
	enum check_verdict verdict;
	struct utsname kernel;
	size_t i;

	uname(&kernel);
	for (i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		verdict = check_module(modules[i].name, kernel.release);
		check_finding(findings, modules[i].name, verdict,
			      verdict == CHECK_NOTE ? "`baton add` loads it" : modules[i].remedy,
			      "%s",
			      verdict == CHECK_OK     ? "loaded"
			      : verdict == CHECK_NOTE ? "installed, not loaded"
						      : "not there for this kernel");
	}
}

static void check_iommu(struct value *findings)
{
	struct dirent **entries;
	int nr = sysfs_list(&entries, "/sys/class/iommu");
	bool remaps = check_file_has("/proc/interrupts", "IR-") ||
		      sysfs_exists("/sys/firmware/devicetree/base/interrupt-controller");

	sysfs_list_free(entries, nr);
	check_finding(findings, "IOMMU", nr ? CHECK_OK : CHECK_FAIL,
		      "turn it on in the firmware (VT-d, AMD-Vi, SMMU), and intel_iommu=on on the "
		      "kernel's command line; until then only the kernel can own a function",
		      nr ? "on" : "none");
	check_finding(findings, "interrupt remapping", remaps ? CHECK_OK : CHECK_FAIL,
		      "turn it on in the firmware; no user may own a function without it",
		      remaps ? "on" : "off");
}

static void check_secure_boot(struct value *findings)
{
	static const char variable[] =
		"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
	char path[PATH_MAX];
	unsigned char value[5] = { 0 };
	FILE *stream = fopen(sysfs_path(path, "%s", variable), "re");
	bool on;

	on = stream && fread(value, sizeof(value), 1, stream) && value[4] == 1;
	if (stream)
		fclose(stream);
	check_finding(
		findings, "Secure Boot", on ? CHECK_NOTE : CHECK_OK,
		"modules have to be signed: `mokutil --import /var/lib/dkms/mok.pub`, reboot, "
		"confirm",
		on ? "on" : "off");
}

/* Each device pins all of the guest's memory, and each counts. */
static void check_memlock(struct value *findings, const struct options *o)
{
	unsigned long long need = o->memory * o->devices + (512ULL << 20), entries;
	struct rlimit limit;

	if (!o->memory || getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	check_finding(
		findings, "memlock",
		limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= need ? CHECK_OK : CHECK_FAIL,
		"`ulimit -l unlimited`, or LimitMEMLOCK=infinity in the unit that starts QEMU",
		"%llu MiB of %llu MiB",
		limit.rlim_cur == RLIM_INFINITY ? need >> 20
						: (unsigned long long)limit.rlim_cur >> 20,
		need >> 20);
	/* Of the module vhost there is one as well, which is for others. */
	entries = sysfs_number(0, "/sys/module/vhost_vdpa/parameters/max_iotlb_entries");
	if (!entries)
		return;
	check_finding(findings, "max_iotlb_entries", CHECK_NOTE,
		      "huge pages (hugetlbfs, memory-backend-file) always fit; else raise "
		      "max_iotlb_entries of the module vhost_vdpa",
		      "%llu: scattered memory beyond %llu MiB may not fit", entries,
		      entries * SMALL_PAGE >> 20);
}

static unsigned int check_vectors(const struct function *fn)
{
	struct dirent **entries;
	unsigned char config[256];
	char path[PATH_MAX];
	FILE *stream = fopen(sysfs_path(path, SYSFS_PCI "%s/config", fn->address), "re");
	size_t len = stream ? fread(config, 1, sizeof(config), stream) : 0;
	unsigned int at, hops;
	int nr;

	if (stream)
		fclose(stream);
	/* Capabilities are a list; the one of MSI-X has its table's size less one. */
	for (at = len == sizeof(config) ? config[0x34] : 0, hops = 0; at >= 0x40 && hops < 48;
	     at = config[at + 1], hops++)
		if (at <= 0xfc && config[at] == 0x11)
			return ((config[at + 2] | config[at + 3] << 8) & 0x7ff) + 1;
	nr = sysfs_list(&entries, SYSFS_PCI "%s/msi_irqs", fn->address);
	sysfs_list_free(entries, nr);
	return (unsigned int)nr;
}

/* Features that QEMU does not know how to move. The driver offers a user less than the kernel. */
static void check_migration(struct value *findings, const struct function *fn,
			    const struct device *dev)
{
	struct netlink_config config;
	uint64_t features, blocking;

	if (strcmp(fn->class, "net")) {
		check_finding(findings, "migration", CHECK_NOTE,
			      "detach it before, or take a net function",
			      "QEMU migrates no vhost-vdpa devices of class %s", fn->class);
		return;
	}
	if (strcmp(dev->consumer, "vhost_vdpa") || netlink_get_config(dev->name, &config) ||
	    !config.shown.has_features) {
		check_finding(findings, "migration", CHECK_NOTE, "`baton give` it to a user",
			      "can be told only of a device that a user may open");
		return;
	}
	features = config.shown.features;
	blocking = features & ~(QEMU_NET | QEMU_TRANSPORT);
	if (blocking)
		check_finding(findings, "migration", CHECK_FAIL,
			      "narrow the features: in baton.conf(5), features = what is left",
			      "QEMU refuses it for features 0x%llx; 0x%llx are left",
			      (unsigned long long)blocking,
			      (unsigned long long)(features & ~blocking));
	else
		check_finding(findings, "migration", CHECK_OK, "", "no feature blocks it");
}

static void check_function(struct value *findings, const struct function *fn)
{
	struct netlink_function offers;
	char why[DEVICE_LINE];
	unsigned int vectors = check_vectors(fn);
	bool resets = sysfs_exists(SYSFS_PCI "%s/reset", fn->address);
	struct device dev;

	check_finding(findings, "driver",
		      strcmp(fn->driver, FUNCTION_DRIVER) ? CHECK_NOTE : CHECK_OK, "`baton bind`",
		      "%s", fn->driver[0] ? fn->driver : "none");
	function_isolation(fn, why, sizeof(why));
	check_finding(findings, "isolation", why[0] ? CHECK_FAIL : CHECK_OK,
		      "no user may own it: a VF, another slot, a bridge with ACS above it", "%s",
		      why[0] ? why : "alone in its IOMMU group");
	check_finding(findings, "function-level reset", resets ? CHECK_OK : CHECK_NOTE,
		      "if it ever fails to reset, only remove and rescan are left", "%s",
		      resets ? "yes" : "none");
	if (device_read(&dev, fn->device)) {
		check_finding(findings, "fault", dev.fault[0] ? CHECK_FAIL : CHECK_OK,
			      "Documentation/observability.rst", "%s",
			      dev.fault[0] ? dev.fault : "none");
		check_migration(findings, fn, &dev);
	}
	if (netlink_get_function(fn->address, &offers))
		return;
	check_finding(findings, "interrupt vectors",
		      vectors > offers.queues ? CHECK_OK : CHECK_NOTE,
		      "queues share; more, if the function can have them",
		      "%u for %u queues and the configuration", vectors, offers.queues);
}

static struct value *check_read_other(const char *file)
{
	static char text[FILE_MAX];
	FILE *stream = fopen(file, "re");
	size_t len = stream ? fread(text, 1, sizeof(text), stream) : 0;

	if (stream)
		fclose(stream);
	return len && len < sizeof(text) ? json_read(text, len) : NULL;
}

/* A member as text, whatever it is there. */
static void check_as_text(char *text, size_t size, const struct value *v)
{
	text[0] = '\0';
	if (v && v->kind == VALUE_TEXT)
		snprintf(text, size, "%s", v->text);
	else if (v && v->kind == VALUE_NUMBER)
		snprintf(text, size, "%llu", v->number);
}

/* A guest that goes from this device to that one must find the same there. */
static void check_against(struct value *findings, const struct value *ours,
			  const struct value *theirs)
{
	static const struct {
		const char *key, *remedy;
	} same[] = {
		{ "class", "another function" },
		{ "consumer", "compare them while both are a user's: `baton give`" },
		{ "features", "give both the same: features in baton.conf(5)" },
		{ "mac", "give both the same: mac in baton.conf(5)" },
		{ "queue_pairs", "give both the same: queue-pairs in baton.conf(5)" },
		{ "mtu", "give both the same: mtu in baton.conf(5)" },
		{ "policy", "give both the same: policy in baton.conf(5)" },
	};
	char here[DEVICE_LINE], there[DEVICE_LINE], what[32];
	size_t i;

	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		check_as_text(here, sizeof(here), value_get(ours, same[i].key));
		check_as_text(there, sizeof(there), value_get(theirs, same[i].key));
		snprintf(what, sizeof(what), "%s, there", same[i].key);
		check_finding(findings, what, strcmp(here, there) ? CHECK_FAIL : CHECK_OK,
			      same[i].remedy, "here %s, there %s", here[0] ? here : "none",
			      there[0] ? there : "none");
	}
}

/* The device of the same name, or the only one there is. */
static int check_other(struct value *findings, const struct function *fn, const char *file)
{
	struct value *other = check_read_other(file), *ours;
	const struct value *v;

	if (!other || other->kind != VALUE_ARRAY) {
		value_free(other);
		return command_fails(EXIT_USAGE, "%s is not what `baton show --json` writes", file);
	}
	for (v = other->first; v; v = v->next)
		if (!strcmp(value_text(v, "name"), fn->device))
			break;
	if (!v && other->first && !other->first->next)
		v = other->first;
	if (!v) {
		value_free(other);
		return command_fails(EXIT_NOT_THERE, "%s has no device %s", file, fn->device);
	}
	ours = value_new(VALUE_ARRAY);
	report_function(ours, fn);
	check_against(findings, ours->first, v);
	value_free(ours);
	value_free(other);
	return EXIT_DONE;
}

static int check_tell(const struct options *o, const struct value *findings)
{
	static const struct print_column columns[] = {
		{ "VERDICT", "verdict" },
		{ "WHAT", "what" },
		{ "FOUND", "found" },
		{ "DO", "remedy" },
	};
	const struct value *v;

	if (o->json)
		json_write(stdout, findings, false);
	else
		print_table(stdout, findings, columns, sizeof(columns) / sizeof(columns[0]),
			    o->colour);
	for (v = findings->first; v; v = v->next)
		if (!strcmp(value_text(v, "verdict"), "fail"))
			return EXIT_FAILED;
	return EXIT_DONE;
}

int command_check(const struct options *o, char **argv)
{
	struct value *findings;
	struct function fn;
	int status = EXIT_DONE;

	if ((o->against || o->qualify) && !*argv)
		return command_fails(EXIT_USAGE, "--%s needs the name of a device",
				     o->qualify ? "qualify" : "against");
	if (o->qualify)
		return qualify_device(*argv);
	if (*argv && !function_find(&fn, *argv))
		return command_fails(EXIT_NOT_THERE, "there is no %s: `baton list`", *argv);
	findings = value_new(VALUE_ARRAY);
	check_modules(findings);
	check_iommu(findings);
	check_secure_boot(findings);
	check_memlock(findings, o);
	if (*argv)
		check_function(findings, &fn);
	if (o->against)
		status = check_other(findings, &fn, o->against);
	if (!status)
		status = check_tell(o, findings);
	value_free(findings);
	return status;
}
