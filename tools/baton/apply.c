// SPDX-License-Identifier: GPL-2.0-only
/*
 * Declarations carried out. Each step looks first, so that what already is as
 * declared is left alone; with --dry-run it only looks.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "change.h"
#include "provision.h"
#include "sysfs.h"
#include "wait.h"

#define DIRECTORY "/etc/baton"
#define NODES "/dev/baton"
#define LOCK "/run/baton-apply.lock"
#define VF_MS 5000

/* One declaration under way. */
struct apply {
	const struct options *o;
	char name[CONF_WORD];
	struct conf conf;
	struct function fn;
	bool changed;
};

/* Say what is done, or would be; whether it is to be done. */
__attribute__((format(printf, 2, 3))) static bool apply_change(struct apply *a, const char *format,
							       ...)
{
	va_list args;

	printf("%s: %s", a->name, a->o->dry_run ? "would " : "");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	a->changed = true;
	return !a->o->dry_run;
}

/* What a file is called is what its device is called: /etc/baton/NAME.conf. */
static bool apply_name(char name[CONF_WORD], const char *file)
{
	const char *base = strrchr(file, '/');
	size_t len;

	base = base ? base + 1 : file;
	len = strlen(base);
	if (len <= 5 || len - 5 >= CONF_WORD || strcmp(base + len - 5, ".conf"))
		return false;
	memcpy(name, base, len - 5);
	name[len - 5] = '\0';
	return conf_name_ok(name);
}

static int apply_read(struct apply *a, const char *file)
{
	static char text[CONF_SIZE_MAX];
	char error[CONF_ERROR];
	FILE *stream;
	size_t len;

	if (!apply_name(a->name, file))
		return command_fails(EXIT_USAGE, "%s: a declaration is called NAME.conf", file);
	stream = fopen(file, "re");
	if (!stream)
		return command_fails(errno == ENOENT ? EXIT_NOT_THERE : EXIT_FAILED, "%s: %s", file,
				     strerror(errno));
	len = fread(text, 1, sizeof(text), stream);
	fclose(stream);
	if (len == sizeof(text))
		return command_fails(EXIT_USAGE, "%s: is too long", file);
	conf_init(&a->conf);
	if (!conf_parse(&a->conf, text, len, error) || !conf_check(&a->conf, true, error))
		return command_fails(EXIT_USAGE, "%s: %s", file, error);
	return EXIT_DONE;
}

struct apply_vf {
	const char *pf;
	int vf;
	struct function fn;
};

static bool apply_vf_is_there(void *data)
{
	struct apply_vf *vf = data;

	return function_find_vf(&vf->fn, vf->pf, vf->vf);
}

/* VFs come up without a driver: virtio-pci, which is built in, would take them. */
static int apply_vfs(struct apply *a, const char *pf)
{
	struct apply_vf vf = { .pf = pf, .vf = a->conf.vf };
	unsigned int now, total;
	char number[16];
	int err;

	if (!a->conf.vfs)
		return EXIT_DONE;
	now = (unsigned int)sysfs_number(0, SYSFS_PCI "%s/sriov_numvfs", pf);
	total = (unsigned int)sysfs_number(0, SYSFS_PCI "%s/sriov_totalvfs", pf);
	if (now >= a->conf.vfs)
		return EXIT_DONE;
	if (a->conf.vfs > total)
		return command_fails(EXIT_FAILED, "%s: vfs = %u: %s can have %u", a->name,
				     a->conf.vfs, pf, total);
	if (now)
		return command_fails(EXIT_IN_USE,
				     "%s: %s has %u VFs, and would lose them to get %u: "
				     "`echo 0 >/sys/bus/pci/devices/%s/sriov_numvfs` first",
				     a->name, pf, now, a->conf.vfs, pf);
	if (!apply_change(a, "make %u VFs of %s", a->conf.vfs, pf))
		return EXIT_DONE;
	snprintf(number, sizeof(number), "%u", a->conf.vfs);
	sysfs_write("0", SYSFS_PCI "%s/sriov_drivers_autoprobe", pf);
	err = sysfs_write(number, SYSFS_PCI "%s/sriov_numvfs", pf);
	if (err)
		return command_fails(EXIT_FAILED, "%s: VFs of %s: %s", a->name, pf, strerror(-err));
	wait_until(apply_vf_is_there, &vf, VF_MS);
	return EXIT_DONE;
}

/* Which function it is today. One that became ours by its MAC may have another since. */
static bool apply_find(const struct apply *a, struct function *fn)
{
	const struct conf *c = &a->conf;
	char pf[32];

	if (c->function[0])
		return function_find(fn, c->function);
	if (c->pf[0])
		return function_address(pf, c->pf) && function_find_vf(fn, pf, c->vf);
	return (function_find(fn, a->name) && !strcmp(fn->device, a->name)) ||
	       function_find_mac(fn, c->function_mac);
}

/* What an existing device has otherwise than declared, in words; false if nothing. */
static bool apply_differs(const struct apply *a, char *how, size_t size)
{
	const struct netlink_provision *p = &a->conf.provision;
	struct netlink_config now;
	struct device dev;
	uint64_t differ;

	how[0] = '\0';
	if (!p->has_mac && !p->has_mtu && !p->has_pairs && !p->has_features)
		return false;
	if (netlink_get_config(a->name, &now) || !device_read(&dev, a->name))
		return false;
	differ = (p->features ^ now.shown.features) &
		 ~provision_left_out(p->features, a->fn.class, dev.consumer);
	if (p->has_mac && memcmp(p->mac, now.shown.mac, sizeof(p->mac)))
		snprintf(how, size, "MAC address");
	else if (p->has_mtu && p->mtu != now.shown.mtu)
		snprintf(how, size, "MTU (%u)", now.shown.mtu);
	/* Without the feature for several there is one pair, and nothing shown. */
	else if (p->has_pairs && p->pairs != (now.shown.has_pairs ? now.shown.pairs : 1))
		snprintf(how, size, "number of queue pairs (%d)",
			 now.shown.has_pairs ? now.shown.pairs : 1);
	else if (p->has_features && differ)
		snprintf(how, size, "features (0x%llx)", (unsigned long long)now.shown.features);
	return how[0];
}

static int apply_remove_old(struct apply *a, const char *why)
{
	struct device old;
	int status;

	if (!device_read(&old, a->name))
		return EXIT_DONE;
	/* Its name would not be free: --force is no help. */
	if (!a->o->dry_run && change_is_held(&old))
		return EXIT_IN_USE;
	if (!apply_change(a, "make the device anew: %s", why))
		return EXIT_DONE;
	status = change_del(&old, a->o);
	a->fn.device[0] = '\0';
	return status;
}

static int apply_device(struct apply *a)
{
	struct function elsewhere;
	char how[DEVICE_LINE];
	int status = EXIT_DONE;

	if (!strcmp(a->fn.device, a->name)) {
		if (!apply_differs(a, how, sizeof(how)))
			return EXIT_DONE;
		status = apply_remove_old(a, how);
	} else if (a->fn.device[0]) {
		return command_fails(EXIT_FAILED, "%s: %s already is device %s", a->name,
				     a->fn.address, a->fn.device);
	} else if (sysfs_exists(SYSFS_VDPA "%s", a->name)) {
		if (!function_find(&elsewhere, a->name))
			return command_fails(EXIT_FAILED,
					     "%s: another driver has a device of this "
					     "name",
					     a->name);
		snprintf(how, sizeof(how), "it was of %s", elsewhere.address);
		status = apply_remove_old(a, how);
	}
	if (!status && apply_change(a, "make the device of %s", a->fn.address))
		status = change_add(a->name, &a->fn, &a->conf);
	return status;
}

static int apply_attribute(struct apply *a, const char *attribute, const char *value)
{
	char now[DEVICE_LINE];

	if (!value[0])
		return EXIT_DONE;
	sysfs_read(now, sizeof(now), SYSFS_VDPA "%s/baton/%s", a->name, attribute);
	/* The whole words have another spelling. */
	if (!strcmp(now, value) ||
	    (!strcmp(value, "permissive") && !strcmp(now, "mac promisc allmulti vlan")))
		return EXIT_DONE;
	if (!apply_change(a, "set %s to %s", attribute, value))
		return EXIT_DONE;
	return change_attribute(a->name, attribute, value);
}

static int apply_owner(struct apply *a)
{
	const char *owner = a->conf.owner;
	struct device dev;

	if (!owner[0])
		return EXIT_DONE;
	if (device_read(&dev, a->name) && !strcmp(dev.consumer, device_consumer_of(owner)))
		return EXIT_DONE;
	if (!apply_change(a, "give it to %s", strcmp(owner, "none") ? owner : "nobody"))
		return EXIT_DONE;
	return device_read(&dev, a->name)
		       ? change_give(&dev, a->fn.class, owner, a->o)
		       : command_fails(EXIT_FAILED, "%s: its device is gone", a->name);
}

/* A user by name or number; false if there is none. */
static bool apply_user(const char *name, uid_t *id)
{
	const struct passwd *user = getpwnam(name);
	char *end;

	*id = user ? user->pw_uid : (uid_t)strtoul(name, &end, 10);
	return user || !*end;
}

static bool apply_group(const char *name, gid_t *id)
{
	const struct group *group = getgrnam(name);
	char *end;

	*id = group ? group->gr_gid : (gid_t)strtoul(name, &end, 10);
	return group || !*end;
}

static int apply_permissions(struct apply *a, const char *node)
{
	const struct conf *c = &a->conf;
	uid_t uid = 0;
	gid_t gid = 0;
	struct stat st;
	mode_t mode;

	if (stat(node, &st))
		return command_fails(EXIT_FAILED, "%s: %s: %s", a->name, node, strerror(errno));
	uid = st.st_uid;
	gid = st.st_gid;
	mode = c->has_mode ? c->node_mode : st.st_mode & 07777;
	if (c->node_owner[0] && !apply_user(c->node_owner, &uid))
		return command_fails(EXIT_FAILED, "%s: there is no user %s", a->name,
				     c->node_owner);
	if (c->node_group[0] && !apply_group(c->node_group, &gid))
		return command_fails(EXIT_FAILED, "%s: there is no group %s", a->name,
				     c->node_group);
	if (uid == st.st_uid && gid == st.st_gid && mode == (st.st_mode & 07777))
		return EXIT_DONE;
	if (!apply_change(a, "make %s %u:%u, mode %04o", node, (unsigned int)uid, (unsigned int)gid,
			  (unsigned int)mode))
		return EXIT_DONE;
	/* Nobody may be let in by the old mode under the new owner, nor the other way round. */
	if (chmod(node, 0) || chown(node, uid, gid) || chmod(node, mode))
		return command_fails(EXIT_FAILED, "%s: %s: %s", a->name, node, strerror(errno));
	return EXIT_DONE;
}

/* /dev/baton/NAME: the node of whatever number, or nothing if there is none. */
static int apply_node(struct apply *a)
{
	char link[PATH_MAX], path[PATH_MAX], target[PATH_MAX];
	struct device dev;
	ssize_t n;
	bool has = device_read(&dev, a->name) && dev.node[0];

	sysfs_path(link, NODES "/%s", a->name);
	n = readlink(link, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	if (!has) {
		if (n > 0 && apply_change(a, "remove %s", link))
			unlink(link);
		return EXIT_DONE;
	}
	snprintf(path, sizeof(path), "../%s", dev.node + strlen("/dev/"));
	if (strcmp(target, path) && apply_change(a, "make %s, which is %s", link, dev.node)) {
		/* udev may be making the same one: whoever is last, it is whole. */
		mkdir(sysfs_path(target, NODES), 0755);
		sysfs_path(target, NODES "/.%s.%d", a->name, (int)getpid());
		if (symlink(path, target) || rename(target, link))
			return command_fails(EXIT_FAILED, "%s: %s: %s", a->name, link,
					     strerror(errno));
	}
	return apply_permissions(a, sysfs_path(path, "%s", dev.node));
}

static int apply_one(struct apply *a)
{
	char pf[32];
	int status;

	if (a->conf.pf[0] && function_address(pf, a->conf.pf)) {
		status = apply_vfs(a, pf);
		if (status)
			return status;
	}
	if (!apply_find(a, &a->fn)) {
		/* With --dry-run, its VFs were not made. */
		if (a->o->dry_run && a->changed)
			return EXIT_DONE;
		return command_fails(EXIT_NOT_THERE, "%s: its function is not there (yet)",
				     a->name);
	}
	if (strcmp(a->fn.driver, FUNCTION_DRIVER) &&
	    apply_change(a, "take %s from %s", a->fn.address,
			 a->fn.driver[0] ? a->fn.driver : "nobody")) {
		status = change_bind(&a->fn, a->o);
		if (status)
			return status;
	}
	status = apply_device(a);
	if (!status)
		status = apply_attribute(a, "policy", a->conf.policy);
	if (!status)
		status = apply_attribute(a, "relay", a->conf.relay);
	if (!status)
		status = apply_owner(a);
	if (!status)
		status = apply_node(a);
	return status;
}

/* All of /etc/baton/, or those that were named. */
static int apply_files(glob_t *files, char **argv)
{
	char path[PATH_MAX];

	memset(files, 0, sizeof(*files));
	if (!*argv)
		return glob(sysfs_path(path, DIRECTORY "/*.conf"), 0, NULL, files) == GLOB_NOSPACE;
	for (; *argv; argv++)
		if (glob(*argv, GLOB_NOCHECK | (files->gl_pathc ? GLOB_APPEND : 0), NULL, files))
			return 1;
	return 0;
}

/*
 * A PF's VFs can be made only once, so of declarations that disagree the largest
 * number is taken.
 */
static void apply_most_vfs(struct apply *all, size_t nr)
{
	size_t i, k;

	for (i = 0; i < nr; i++)
		for (k = 0; k < nr; k++)
			if (all[i].conf.vfs && !strcasecmp(all[i].conf.pf, all[k].conf.pf) &&
			    all[k].conf.vfs > all[i].conf.vfs)
				all[i].conf.vfs = all[k].conf.vfs;
}

int command_apply(const struct options *o, char **argv)
{
	int status = EXIT_DONE, one;
	char path[PATH_MAX];
	struct apply *all;
	glob_t files;
	size_t i, nr = 0;
	int lock;

	/* At boot, units of several functions run at once; each looks before it does. */
	lock = open(sysfs_path(path, LOCK), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (lock >= 0 && !o->dry_run)
		flock(lock, LOCK_EX);
	if (apply_files(&files, argv))
		return command_fails(EXIT_FAILED, "cannot list the declarations");
	all = calloc(files.gl_pathc + 1, sizeof(*all));
	if (!all)
		return command_fails(EXIT_FAILED, "%s", strerror(errno));
	for (i = 0; i < files.gl_pathc; i++) {
		all[nr].o = o;
		/* One that is wrong must not keep the others from coming up. */
		one = apply_read(&all[nr], files.gl_pathv[i]);
		nr += !one;
		status = status ? status : one;
	}
	apply_most_vfs(all, nr);
	for (i = 0; i < nr; i++) {
		one = apply_one(&all[i]);
		status = status ? status : one;
	}
	free(all);
	globfree(&files);
	if (lock >= 0)
		close(lock);
	return status;
}

/* For udev, in its words: units of the declarations that are about this function. */
int command_match(const struct options *o, char **argv)
{
	char *const none[] = { NULL };
	struct function wanted, fn;
	struct apply a;
	bool found = false;
	glob_t files;
	size_t i;

	if (!function_find(&wanted, argv[0]))
		return command_fails(EXIT_NOT_THERE, "there is no function %s", argv[0]);
	if (apply_files(&files, (char **)none))
		return command_fails(EXIT_FAILED, "cannot list the declarations");
	for (i = 0; i < files.gl_pathc; i++) {
		memset(&a, 0, sizeof(a));
		a.o = o;
		if (apply_read(&a, files.gl_pathv[i]))
			continue;
		/* A PF that has yet to get its VFs is what they wait for. */
		if ((apply_find(&a, &fn) && !strcmp(fn.address, wanted.address)) ||
		    (a.conf.vfs && function_find(&fn, a.conf.pf) &&
		     !strcmp(fn.address, wanted.address))) {
			printf("%sbaton@%s.service", found ? " " : "SYSTEMD_WANTS=", a.name);
			found = true;
		}
	}
	if (found)
		putchar('\n');
	globfree(&files);
	return found ? EXIT_DONE : EXIT_NOT_THERE;
}

int command_node(const struct options *o, char **argv)
{
	struct apply a = { .o = o };
	char path[PATH_MAX];
	int status = EXIT_DONE;

	if (!conf_name_ok(argv[0]))
		return command_fails(EXIT_USAGE, "'%s' is no name for a device", argv[0]);
	/* Without a declaration it has a link all the same, and root's permissions. */
	conf_init(&a.conf);
	snprintf(a.name, sizeof(a.name), "%s", argv[0]);
	if (sysfs_exists(DIRECTORY "/%s.conf", argv[0]))
		status = apply_read(&a, sysfs_path(path, DIRECTORY "/%s.conf", argv[0]));
	return status ? status : apply_node(&a);
}
