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
	/* Of VFs: the address of their PF, and whether there is a declaration of that one, too. */
	char pf[32];
	bool pf_is_declared;
	/* Another one's VFs are made of its function. */
	bool is_pf;
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

static int apply_parse(struct apply *a, const char *file, char error[CONF_ERROR])
{
	static char text[CONF_SIZE_MAX];
	FILE *stream;
	size_t len;

	snprintf(error, CONF_ERROR, "a declaration is called NAME.conf");
	if (!apply_name(a->name, file))
		return EXIT_USAGE;
	stream = fopen(file, "re");
	snprintf(error, CONF_ERROR, "%s", strerror(errno));
	if (!stream)
		return errno == ENOENT ? EXIT_NOT_THERE : EXIT_FAILED;
	len = fread(text, 1, sizeof(text), stream);
	fclose(stream);
	snprintf(error, CONF_ERROR, "is too long");
	conf_init(&a->conf);
	if (len == sizeof(text) || !conf_parse(&a->conf, text, len, error) ||
	    !conf_check(&a->conf, true, error))
		return EXIT_USAGE;
	if (a->conf.pf[0])
		function_address(a->pf, a->conf.pf);
	return EXIT_DONE;
}

static int apply_read(struct apply *a, const char *file)
{
	char error[CONF_ERROR];
	int status = apply_parse(a, file, error);

	return status ? command_fails(status, "%s: %s", file, error) : EXIT_DONE;
}

struct apply_vf {
	const char *pf, *number;
	int vf, err;
	struct function fn;
};

static bool apply_vf_is_there(void *data)
{
	struct apply_vf *vf = data;

	return function_find_vf(&vf->fn, vf->pf, vf->vf);
}

/* virtio-pci says that it is busy until its virtio driver is done with the PF. */
static bool apply_vfs_are_made(void *data)
{
	struct apply_vf *vf = data;

	vf->err = sysfs_write(vf->number, SYSFS_PCI "%s/sriov_numvfs", vf->pf);
	return vf->err != -EBUSY;
}

/* What a PF waits for before it can make VFs, NULL if nothing. A rule of udev's looks then. */
static const char *apply_pf_lacks(const struct apply *a)
{
	struct dirent **entries;
	char driver[FUNCTION_NAME];
	bool driven = false;
	int i, nr;

	if (!sysfs_exists(SYSFS_PCI "%s", a->pf))
		return "is not there";
	sysfs_link(driver, sizeof(driver), SYSFS_PCI "%s/driver", a->pf);
	/* Taken later, it would lose them. */
	if (a->pf_is_declared && strcmp(driver, FUNCTION_DRIVER))
		return "is not baton's, as it is declared";
	if (!driver[0])
		return "has no driver";
	if (strcmp(driver, "virtio-pci"))
		return NULL;
	nr = sysfs_list(&entries, SYSFS_PCI "%s", a->pf);
	for (i = 0; i < nr && !driven; i++)
		driven = !strncmp(entries[i]->d_name, "virtio", strlen("virtio")) &&
			 sysfs_exists(SYSFS_PCI "%s/%s/driver", a->pf, entries[i]->d_name);
	sysfs_list_free(entries, nr);
	return driven ? NULL : "has no virtio driver";
}

/* VFs come up without a driver: virtio-pci, which is built in, would take them. */
static int apply_vfs(struct apply *a)
{
	struct apply_vf vf = { .pf = a->pf, .vf = a->conf.vf };
	const char *lacks = apply_pf_lacks(a);
	unsigned int now, total;
	char number[16];

	now = (unsigned int)sysfs_number(0, SYSFS_PCI "%s/sriov_numvfs", a->pf);
	total = (unsigned int)sysfs_number(0, SYSFS_PCI "%s/sriov_totalvfs", a->pf);
	if (now >= a->conf.vfs)
		return EXIT_DONE;
	/* Without --dry-run, it might be otherwise by now. */
	if (lacks && (!a->o->dry_run || !total))
		return command_fails(EXIT_NOT_THERE, "%s: its PF %s %s (yet)", a->name, a->pf,
				     lacks);
	if (a->conf.vfs > total)
		return command_fails(EXIT_FAILED, "%s: vfs = %u: %s can have %u", a->name,
				     a->conf.vfs, a->pf, total);
	if (now)
		return command_fails(EXIT_IN_USE,
				     "%s: %s has %u VFs, and would lose them to get %u: "
				     "`echo 0 >/sys/bus/pci/devices/%s/sriov_numvfs` first",
				     a->name, a->pf, now, a->conf.vfs, a->pf);
	if (!apply_change(a, "make %u VFs of %s", a->conf.vfs, a->pf))
		return EXIT_DONE;
	snprintf(number, sizeof(number), "%u", a->conf.vfs);
	vf.number = number;
	sysfs_write("0", SYSFS_PCI "%s/sriov_drivers_autoprobe", a->pf);
	wait_until(apply_vfs_are_made, &vf, VF_MS);
	if (vf.err)
		return command_fails(EXIT_FAILED, "%s: VFs of %s: %s", a->name, a->pf,
				     strerror(-vf.err));
	wait_until(apply_vf_is_there, &vf, VF_MS);
	return EXIT_DONE;
}

/* Whether it is about the function of this address. */
static bool apply_is_about(const struct apply *a, const char *address)
{
	const struct conf *c = &a->conf;
	struct function fn;
	char named[32];

	if (c->function[0])
		return function_address(named, c->function) && !strcmp(named, address);
	if (a->pf[0])
		return !sysfs_link(named, sizeof(named), SYSFS_PCI "%s/virtfn%d", a->pf, c->vf) &&
		       !strcmp(named, address);
	return function_find(&fn, address) &&
	       (!strcmp(fn.device, a->name) || function_has_mac(&fn, c->function_mac));
}

/* Which function it is today. One that became ours by its MAC may have another since. */
static bool apply_find(const struct apply *a, struct function *fn)
{
	const struct conf *c = &a->conf;

	if (c->function[0])
		return function_find(fn, c->function);
	if (a->pf[0])
		return function_find_vf(fn, a->pf, c->vf);
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
	int status;

	if (a->conf.vfs) {
		status = apply_vfs(a);
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
 * What other declarations say of the same PF. Its VFs can be made only once, so of
 * those that disagree the largest number is taken.
 */
static void apply_heed(struct apply *a, const struct apply *other)
{
	/* A VF has none itself. */
	if (!a->pf[0] && other->pf[0] && !a->is_pf)
		a->is_pf = apply_is_about(a, other->pf);
	if (a->pf[0] && !other->pf[0] && !a->pf_is_declared)
		a->pf_is_declared = apply_is_about(other, a->pf);
	if (a->pf[0] && !strcmp(a->pf, other->pf) && other->conf.vfs > a->conf.vfs)
		a->conf.vfs = other->conf.vfs;
}

/* All that there are, but for those that are wrong; their number. To be given to free(). */
static size_t apply_read_all(struct apply **all, const struct options *o)
{
	char *const none[] = { NULL };
	char error[CONF_ERROR];
	glob_t files;
	size_t i, k, nr = 0;

	*all = NULL;
	if (!apply_files(&files, (char **)none))
		*all = calloc(files.gl_pathc + 1, sizeof(**all));
	for (i = 0; *all && i < files.gl_pathc; i++) {
		memset(&(*all)[nr], 0, sizeof(**all));
		(*all)[nr].o = o;
		nr += !apply_parse(&(*all)[nr], files.gl_pathv[i], error);
	}
	globfree(&files);
	for (i = 0; i < nr; i++)
		for (k = 0; k < nr; k++)
			apply_heed(&(*all)[i], &(*all)[k]);
	return nr;
}

/* These, in the light of all: PFs first, since their VFs go with the driver that they have. */
static int apply_these(struct apply *these, size_t nr, const struct options *o)
{
	int status = EXIT_DONE, one, pf;
	struct apply *all;
	size_t i, k, nr_all = apply_read_all(&all, o);

	for (i = 0; i < nr; i++) {
		for (k = 0; k < nr_all; k++)
			apply_heed(&these[i], &all[k]);
		for (k = 0; k < nr; k++)
			apply_heed(&these[i], &these[k]);
	}
	free(all);
	for (pf = 1; pf >= 0; pf--) {
		for (i = 0; i < nr; i++) {
			if (these[i].is_pf != pf)
				continue;
			one = apply_one(&these[i]);
			status = status ? status : one;
		}
	}
	return status;
}

int command_apply(const struct options *o, char **argv)
{
	int status = EXIT_DONE, one;
	char path[PATH_MAX];
	struct apply *these;
	glob_t files;
	size_t i, nr = 0;
	int lock;

	/* At boot, units of several functions run at once; each looks before it does. */
	lock = open(sysfs_path(path, LOCK), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (lock >= 0 && !o->dry_run)
		flock(lock, LOCK_EX);
	if (apply_files(&files, argv))
		return command_fails(EXIT_FAILED, "cannot list the declarations");
	these = calloc(files.gl_pathc + 1, sizeof(*these));
	if (!these)
		return command_fails(EXIT_FAILED, "%s", strerror(errno));
	for (i = 0; i < files.gl_pathc; i++) {
		memset(&these[nr], 0, sizeof(*these));
		these[nr].o = o;
		/* One that is wrong must not keep the others from coming up. */
		one = apply_read(&these[nr], files.gl_pathv[i]);
		nr += !one;
		status = status ? status : one;
	}
	one = apply_these(these, nr, o);
	free(these);
	globfree(&files);
	if (lock >= 0)
		close(lock);
	return status ? status : one;
}

/*
 * For udev, in its words: units of the declarations that are about this function, or
 * whose VFs it can make now.
 */
int command_match(const struct options *o, char **argv)
{
	struct apply *all;
	struct function fn;
	bool found = false;
	size_t i, nr;

	if (!function_address(fn.address, argv[0]) && !function_find(&fn, argv[0]))
		return command_fails(EXIT_NOT_THERE, "there is no function %s", argv[0]);
	nr = apply_read_all(&all, o);
	for (i = 0; i < nr; i++) {
		if (!apply_is_about(&all[i], fn.address) &&
		    (!all[i].conf.vfs || strcmp(all[i].pf, fn.address) || apply_pf_lacks(&all[i])))
			continue;
		printf("%sbaton@%s.service", found ? " " : "SYSTEMD_WANTS=", all[i].name);
		found = true;
	}
	if (found)
		putchar('\n');
	free(all);
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
