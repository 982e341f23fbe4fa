// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens, as it happens: the driver's tracepoints, in a tracing instance of
 * our own that nobody else's settings disturb, and the vDPA bus's uevents, which
 * tell of devices that come, go and change their consumer.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "json.h"
#include "sysfs.h"
#include "watch.h"

#define TRACING "/sys/kernel/tracing"
#define LINE 1024

static volatile sig_atomic_t watch_stopped;

static void watch_stop(int signal)
{
	(void)signal;
	watch_stopped = 1;
}

static void watch_tell(const struct options *o, const char *event, const char *who,
		       const char *what)
{
	struct value *v;
	struct timespec now;
	struct tm tm;
	char when[40];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(when + strlen(when), sizeof(when) - strlen(when), ".%03ldZ",
		 now.tv_nsec / 1000000);
	if (o->json) {
		v = value_new(VALUE_OBJECT);
		value_add_text(v, "time", when);
		value_add_text(v, "event", event);
		value_add_text(v, "name", who);
		value_add_text(v, "what", what);
		json_write(stdout, v, true);
		value_free(v);
	} else {
		printf("%s  %-8s  %s  %s\n", when, event, who, what);
	}
	fflush(stdout);
}

bool watch_split(char *line, struct watch_event *event)
{
	static const char *const names[] = { "owner", "refusal", "fault", "reset" };
	char *at = strstr(line, ": baton_");
	size_t i, len;

	if (!at)
		return false;
	at += strlen(": baton_");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		len = strlen(names[i]);
		if (strncmp(at, names[i], len) || strncmp(at + len, ": ", 2))
			continue;
		event->name = names[i];
		event->who = at + len + 2;
		/* An address has colons, but no blank behind them. */
		at = strstr(event->who, ": ");
		if (!at)
			return false;
		*at = '\0';
		event->what = at + 2;
		event->what[strcspn(event->what, "\n")] = '\0';
		return true;
	}
	return false;
}

/* "bind@/devices/.../v0" and, behind zeros, KEY=VALUE: only those of the vDPA bus. */
static void watch_uevent(const struct options *o, const char *text, size_t len)
{
	const char *at, *action = "", *path = "", *driver = "", *bus = "", *name;
	char what[LINE];

	for (at = text; at < text + len; at += strlen(at) + 1) {
		if (!strncmp(at, "ACTION=", 7))
			action = at + 7;
		else if (!strncmp(at, "DEVPATH=", 8))
			path = at + 8;
		else if (!strncmp(at, "DRIVER=", 7))
			driver = at + 7;
		else if (!strncmp(at, "SUBSYSTEM=", 10))
			bus = at + 10;
	}
	if (strcmp(bus, "vdpa") || !strcmp(action, "change"))
		return;
	name = strrchr(path, '/');
	snprintf(what, sizeof(what), "%s%s%s", action, *driver ? " " : "", driver);
	watch_tell(o, "device", name ? name + 1 : path, what);
}

/* Lines that came in parts are kept until they are whole. */
struct watch_lines {
	char text[4 * LINE];
	size_t len;
};

static void watch_trace(const struct options *o, struct watch_lines *lines, int fd)
{
	struct watch_event event;
	ssize_t n = read(fd, lines->text + lines->len, sizeof(lines->text) - lines->len - 1);
	char *line = lines->text, *end;

	if (n <= 0)
		return;
	lines->len += (size_t)n;
	lines->text[lines->len] = '\0';
	while ((end = strchr(line, '\n'))) {
		*end = '\0';
		if (watch_split(line, &event))
			watch_tell(o, event.name, event.who, event.what);
		line = end + 1;
	}
	lines->len -= (size_t)(line - lines->text);
	/* One that does not fit is none of ours. */
	if (lines->len == sizeof(lines->text) - 1)
		lines->len = 0;
	memmove(lines->text, line, lines->len);
}

static int watch_open_uevents(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Its directory, to be removed at the end; "" if there is no tracing. */
static int watch_open_trace(char instance[PATH_MAX])
{
	static const char *const events[] = { "owner", "refusal", "fault" };
	char path[PATH_MAX];
	size_t i;
	int fd;

	snprintf(instance, PATH_MAX, TRACING "/instances/baton-%d", (int)getpid());
	if (mkdir(instance, 0700)) {
		instance[0] = '\0';
		return -1;
	}
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		snprintf(path, sizeof(path), "%.100s/events/baton/baton_%s/enable", instance,
			 events[i]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "1", 1) != 1)
			command_fails(0, "no %s will be seen: is baton.ko loaded?", events[i]);
		if (fd >= 0)
			close(fd);
	}
	snprintf(path, sizeof(path), "%.100s/trace_pipe", instance);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static void watch_loop(const struct options *o, int uevents, int trace)
{
	struct pollfd fds[] = { { uevents, POLLIN, 0 }, { trace, POLLIN, 0 } };
	static struct watch_lines lines;
	char text[8192];
	ssize_t n;

	while (!watch_stopped && !ferror(stdout)) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (watch_stopped)
			return;
		if (fds[0].revents & POLLIN) {
			n = recv(uevents, text, sizeof(text) - 1, 0);
			if (n > 0) {
				text[n] = '\0';
				watch_uevent(o, text, (size_t)n);
			}
		}
		if (fds[1].revents)
			watch_trace(o, &lines, trace);
	}
}

int command_watch(const struct options *o, char **argv)
{
	struct sigaction stop = { .sa_handler = watch_stop };
	char instance[PATH_MAX];
	int uevents, trace;

	(void)argv;
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	/* Somebody who reads no more ends us, by an error when writing. */
	stop.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &stop, NULL);
	uevents = watch_open_uevents();
	if (uevents < 0)
		return command_fails(EXIT_FAILED, "cannot hear uevents: %s", strerror(errno));
	trace = watch_open_trace(instance);
	if (trace < 0) {
		close(uevents);
		if (instance[0])
			rmdir(instance);
		return command_fails(EXIT_FAILED, "cannot trace (" TRACING "): %s",
				     strerror(errno));
	}
	watch_loop(o, uevents, trace);
	close(trace);
	close(uevents);
	rmdir(instance);
	return EXIT_DONE;
}
