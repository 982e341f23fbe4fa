// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "output.h"

int output_write(const char *path, void (*write)(FILE *out, void *data), void *data)
{
	char name[PATH_MAX];
	FILE *out;
	int fd;

	if (!path) {
		write(stdout, data);
		return EXIT_DONE;
	}
	snprintf(name, sizeof(name), "%s.XXXXXX", path);
	fd = mkstemp(name);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out)
		return command_fails(EXIT_FAILED, "%s: %s", path, strerror(errno));
	write(out, data);
	/* mkstemp() lets only us read, which is not what it is for. */
	if (fchmod(fd, 0644) || fflush(out) || ferror(out) || rename(name, path)) {
		command_fails(0, "%s: %s", path, strerror(errno));
		fclose(out);
		unlink(name);
		return EXIT_FAILED;
	}
	fclose(out);
	return EXIT_DONE;
}
