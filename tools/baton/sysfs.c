// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sysfs.h"

static char *sysfs_vpath(char path[PATH_MAX], const char *format, va_list args)
{
	const char *root = getenv("BATON_ROOT");
	int n = snprintf(path, PATH_MAX, "%s", root ? root : "");

	if (n < PATH_MAX)
		vsnprintf(path + n, PATH_MAX - n, format, args);
	return path;
}

char *sysfs_path(char path[PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	sysfs_vpath(path, format, args);
	va_end(args);
	return path;
}

int sysfs_read(char *text, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	ssize_t n;
	int fd;

	text[0] = '\0';
	va_start(args, format);
	fd = open(sysfs_vpath(path, format, args), O_RDONLY | O_CLOEXEC);
	va_end(args);
	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	else
		text[n] = '\0';
	close(fd);
	text[strcspn(text, "\n")] = '\0';
	return n < 0 ? (int)n : 0;
}

int sysfs_write(const char *text, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	int fd, err = 0;

	va_start(args, format);
	fd = open(sysfs_vpath(path, format, args), O_WRONLY | O_TRUNC | O_CLOEXEC);
	va_end(args);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int sysfs_link(char *text, size_t size, const char *format, ...)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *last;
	va_list args;
	ssize_t n;

	text[0] = '\0';
	va_start(args, format);
	n = readlink(sysfs_vpath(path, format, args), target, sizeof(target) - 1);
	va_end(args);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	last = strrchr(target, '/');
	snprintf(text, size, "%s", last ? last + 1 : target);
	return 0;
}

bool sysfs_exists(const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, format);
	sysfs_vpath(path, format, args);
	va_end(args);
	return !access(path, F_OK);
}

unsigned long long sysfs_number(unsigned long long otherwise, const char *format, ...)
{
	char path[PATH_MAX], text[64] = "", *end;
	unsigned long long number;
	va_list args;
	FILE *file;

	va_start(args, format);
	file = fopen(sysfs_vpath(path, format, args), "re");
	va_end(args);
	if (!file)
		return otherwise;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	number = strtoull(text, &end, 0);
	return end == text ? otherwise : number;
}

static int sysfs_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int sysfs_list(struct dirent ***entries, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	int nr;

	va_start(args, format);
	sysfs_vpath(path, format, args);
	va_end(args);
	*entries = NULL;
	nr = scandir(path, entries, sysfs_visible, alphasort);
	return nr < 0 ? 0 : nr;
}

void sysfs_list_free(struct dirent **entries, int nr)
{
	while (nr-- > 0)
		free(entries[nr]);
	free(entries);
}
