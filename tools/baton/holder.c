// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "holder.h"
#include "made.h"
#include "sysfs.h"

#define IFF_UP 1

/* The part of a control group's path that names a container or a machine. */
static void holder_read_container(struct holder *h)
{
	static const char *const marks[] = { "libpod-",	       "docker-",      "cri-containerd-",
					     "crio-",	       "machine-qemu", "lxc.payload.",
					     "systemd-nspawn@" };
	char line[1024], *part, *rest;
	size_t i;

	sysfs_read(line, sizeof(line), "/proc/%d/cgroup", h->pid);
	for (part = strtok_r(line, "/", &rest); part; part = strtok_r(NULL, "/", &rest))
		for (i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
			if (!strncmp(part, marks[i], strlen(marks[i])) && !h->container[0])
				snprintf(h->container, sizeof(h->container), "%s", part);
}

/* By its number where it has one: in a container it may be called otherwise. */
static bool holder_is_it(const char *link, const char *node, dev_t number)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;

	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	if (!strcmp(target, node))
		return true;
	/* Only what may be a node is worth a system call: sockets and pipes have no slash. */
	return number && target[0] == '/' && !stat(link, &st) && S_ISCHR(st.st_mode) &&
	       st.st_rdev == number;
}

static bool holder_has_open(int pid, const char *node, dev_t number)
{
	struct dirent **fds;
	int i, nr = sysfs_list(&fds, "/proc/%d/fd", pid);
	char path[PATH_MAX];
	bool has = false;

	for (i = 0; i < nr && !has; i++)
		has = holder_is_it(sysfs_path(path, "/proc/%d/fd/%s", pid, fds[i]->d_name), node,
				   number);
	sysfs_list_free(fds, nr);
	return has;
}

size_t holder_find(const char *node, struct holder *holders, size_t max)
{
	struct dirent **processes;
	int i, nr = sysfs_list(&processes, "/proc");
	char path[PATH_MAX];
	struct stat st;
	dev_t number = 0;
	size_t found = 0;

	if (!stat(sysfs_path(path, "%s", node), &st) && S_ISCHR(st.st_mode))
		number = st.st_rdev;
	for (i = 0; i < nr && found < max; i++) {
		struct holder *h = &holders[found];

		if (!isdigit((unsigned char)processes[i]->d_name[0]))
			continue;
		memset(h, 0, sizeof(*h));
		h->pid = atoi(processes[i]->d_name);
		if (!holder_has_open(h->pid, node, number))
			continue;
		sysfs_read(h->command, sizeof(h->command), "/proc/%d/comm", h->pid);
		holder_read_container(h);
		found++;
	}
	sysfs_list_free(processes, nr);
	return found;
}

/* Where a disk, or a partition of it, is mounted in this namespace. */
static bool holder_mount_of(const char *disk, char *where, size_t size)
{
	char number[32], part[32], line[1024], path[PATH_MAX], device[32], point[512];
	struct dirent **entries;
	int i, nr;
	bool found = false;
	FILE *mounts = fopen(sysfs_path(path, "/proc/self/mountinfo"), "re");

	if (!mounts)
		return false;
	sysfs_read(number, sizeof(number), "/sys/class/block/%s/dev", disk);
	nr = sysfs_list(&entries, "/sys/class/block/%s", disk);
	while (!found && fgets(line, sizeof(line), mounts)) {
		if (sscanf(line, "%*s %*s %31s %*s %511s", device, point) != 2)
			continue;
		found = number[0] && !strcmp(device, number);
		for (i = 0; i < nr && !found; i++) {
			if (strncmp(entries[i]->d_name, disk, strlen(disk)))
				continue;
			sysfs_read(part, sizeof(part), "/sys/class/block/%s/%s/dev", disk,
				   entries[i]->d_name);
			found = part[0] && !strcmp(device, part);
		}
		if (found)
			snprintf(where, size, "%s", point);
	}
	sysfs_list_free(entries, nr);
	fclose(mounts);
	return found;
}

/*
 * Mounted (in whatever namespace), swapped to, part of a volume: all of these
 * claim the disk, so that nobody else can open it exclusively.
 */
static bool holder_disk_in_use(const char *disk, char *why, size_t size)
{
	char where[512], path[PATH_MAX];
	int fd;

	if (holder_mount_of(disk, where, sizeof(where))) {
		snprintf(why, size, "%s is mounted on %s", disk, where);
		return true;
	}
	fd = open(sysfs_path(path, "/dev/%s", disk), O_RDONLY | O_EXCL | O_CLOEXEC);
	if (fd < 0 && errno == EBUSY) {
		snprintf(why, size, "%s is in use: mounted elsewhere, swap, or part of a volume",
			 disk);
		return true;
	}
	if (fd >= 0)
		close(fd);
	return false;
}

/* Where to say what was found. */
struct holder_words {
	char *text;
	size_t size;
};

static bool holder_is_disk_in_use(void *data, const char *kind, const char *name)
{
	struct holder_words *why = data;

	return !strcmp(kind, "block") && holder_disk_in_use(name, why->text, why->size);
}

bool holder_has_disk(const char *function, char *why, size_t size)
{
	struct holder_words words = { why, size };

	why[0] = '\0';
	return made_any(function, holder_is_disk_in_use, &words);
}

static bool holder_is_netdev_up(void *data, const char *kind, const char *name)
{
	struct holder_words *what = data;

	if (strcmp(kind, "net"))
		return false;
	if (!*name)
		snprintf(what->text, what->size,
			 "its netdev is in another network namespace, and goes away");
	else if (sysfs_number(0, "/sys/class/net/%s/flags", name) & IFF_UP)
		snprintf(what->text, what->size, "%s is up, and goes away", name);
	return what->text[0];
}

bool holder_has_netdev(const char *function, char *what, size_t size)
{
	struct holder_words words = { what, size };

	what[0] = '\0';
	return made_any(function, holder_is_netdev_up, &words);
}

bool holder_has_node(const struct device *dev, char *why, size_t size)
{
	struct holder h;

	why[0] = '\0';
	if (!dev->node[0] || !holder_find(dev->node, &h, 1))
		return false;
	snprintf(why, size, "%s has %s open (process %d%s%s)", h.command, dev->node, h.pid,
		 h.container[0] ? ", " : "", h.container);
	return true;
}
