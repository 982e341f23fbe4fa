// SPDX-License-Identifier: GPL-2.0-only
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "made.h"
#include "sysfs.h"

/*
 * Netdevs are there for a reader in their own network namespace only; the directory
 * that they are in is there for everybody, as long as there is one.
 */
static bool made_here(const char *dir, const char *kind, made_is is, void *data)
{
	struct dirent **entries;
	int i, nr;
	bool found;

	if (!sysfs_exists("%s/%s", dir, kind))
		return false;
	nr = sysfs_list(&entries, "%s/%s", dir, kind);
	found = !nr && is(data, kind, "");
	for (i = 0; i < nr && !found; i++)
		found = is(data, kind, entries[i]->d_name);
	sysfs_list_free(entries, nr);
	return found;
}

/* Below the virtio device itself; those of a SCSI adapter three levels further down. */
static bool made_below(const char *dir, int level, made_is is, void *data)
{
	static const char *const levels[] = { "virtio", "host", "target", "" };
	struct dirent **entries;
	char path[PATH_MAX];
	bool found = false;
	int i, nr;

	if (level == sizeof(levels) / sizeof(levels[0]))
		return false;
	nr = sysfs_list(&entries, "%s", dir);
	for (i = 0; i < nr && !found; i++) {
		/* Links lead elsewhere. */
		if (entries[i]->d_type == DT_LNK ||
		    strncmp(entries[i]->d_name, levels[level], strlen(levels[level])))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
		found = made_here(path, "net", is, data) || made_here(path, "block", is, data) ||
			made_below(path, level + 1, is, data);
	}
	sysfs_list_free(entries, nr);
	return found;
}

bool made_any(const char *function, made_is is, void *data)
{
	return made_below(function, 0, is, data);
}
