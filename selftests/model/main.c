// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process: model SETTINGS-FILE. It returns when QEMU can connect, and goes on
 * in the background until QEMU closes the connection.
 *
 * In the directory that it shares with the VM: NAME.log, a line for each thing
 * that happened; and a mailbox. A command is a file that appears as NAME.do (by
 * rename): a number, and the command. NAME.done is the number, and the answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "net.h"
#include "settings.h"
#include "wire.h"
#include "wrong.h"

#define LINE 1024

u64 model_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

void model_log(struct model *m, const char *format, ...)
{
	char line[LINE];
	va_list args;
	int n, more;

	n = snprintf(line, sizeof(line), "%llu ", (model_now() - m->log_start));
	va_start(args, format);
	more = vsnprintf(line + n, sizeof(line) - n - 1, format, args);
	va_end(args);
	n = n + more < LINE - 2 ? n + more : LINE - 2;
	line[n++] = '\n';
	if (m->log_fd >= 0 && write(m->log_fd, line, n) != n)
		m->log_fd = -1;
}

static void __attribute__((noreturn)) die(const char *what, const char *which, int err)
{
	fprintf(stderr, "model: %s %s: %s\n", what, which, strerror(err));
	exit(1);
}

static void read_settings(struct model *m, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[LINE];
	int err;

	if (!file)
		die("cannot read", path, errno);
	while (fgets(line, sizeof(line), file)) {
		char *words;
		const char *name = strtok_r(line, " \n", &words);
		const char *value = strtok_r(NULL, " \n", &words);

		if (!name || name[0] == '#')
			continue;
		err = value ? settings_set(m, name, value) : -EINVAL;
		if (err)
			die("setting", name, -err);
	}
	fclose(file);
	settings_finish(m);
}

static int bound(int type, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(addr.sun_path))
		die("socket", path, ENAMETOOLONG);
	strcpy(addr.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("socket", path, errno);
	return fd;
}

/* The other end of the wire: QEMU's datagrams, there sooner or later. */
static void find_peer(struct model *m)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	static bool found;

	if (found || m->net.fd < 0 || !m->peer_remote ||
	    strlen(m->peer_remote) >= sizeof(addr.sun_path))
		return;
	strcpy(addr.sun_path, m->peer_remote);
	found = !connect(m->net.fd, (struct sockaddr *)&addr, sizeof(addr));
}

static void path_of(const struct model *m, char *path, const char *suffix)
{
	snprintf(path, LINE, "%s/%s%s", m->dir, m->name, suffix);
}

/* A command has come, if it is ours. */
static void read_mail(struct model *m)
{
	char path[LINE], done[LINE], line[LINE] = "", answer[LINE], *command;
	unsigned long number;
	FILE *file;

	path_of(m, path, ".do");
	file = fopen(path, "re");
	if (!file)
		return;
	command = fgets(line, sizeof(line), file);
	fclose(file);
	unlink(path);
	if (!command)
		return;
	line[strcspn(line, "\n")] = '\0';
	number = strtoul(line, &command, 10);
	wrong_command(m, command, answer, sizeof(answer));
	path_of(m, path, ".new");
	path_of(m, done, ".done");
	file = fopen(path, "we");
	if (!file)
		return;
	fprintf(file, "%lu %s\n", number, answer);
	fclose(file);
	if (rename(path, done))
		model_log(m, "mailbox: %s", strerror(errno));
}

static void read_frames(struct model *m)
{
	u8 frame[FRAME_MAX];
	ssize_t n;

	/* What it does not want, or has no room for, is lost. */
	n = recv(m->net.fd, frame, sizeof(frame), MSG_DONTWAIT);
	if (n > 0)
		net_receive(m, frame, n);
}

static void serve(struct model *m, int mail)
{
	struct pollfd p[] = { { .fd = m->fd, .events = POLLIN },
			      { .fd = mail, .events = POLLIN },
			      { .fd = m->net.fd, .events = POLLIN } };
	char events[4096];
	u64 now, next;
	int timeout;

	while (!m->gone) {
		find_peer(m);
		model_work(m);
		next = model_next(m);
		now = model_now();
		timeout = next == UINT64_MAX ? 1000 : next <= now ? 0 : (int)(next - now);
		if (poll(p, ARRAY_LEN(p), timeout) < 0)
			continue;
		if (p[0].revents)
			wire_receive(m, 0, NULL, 0, NULL);
		if (p[1].revents && read(mail, events, sizeof(events)) > 0)
			read_mail(m);
		if (p[2].revents)
			read_frames(m);
	}
}

int main(int argc, char **argv)
{
	static struct model model;
	struct model *m = &model;
	int listening, mail, err;
	char path[LINE];

	if (argc != 2) {
		fprintf(stderr, "usage: model SETTINGS\n");
		return 2;
	}
	m->net.fd = m->log_fd = -1;
	m->log_start = model_now();
	m->dma = wire_dma;
	for (size_t i = 0; i < VECTORS_MAX; i++)
		m->irq_fd[i] = -1;
	settings_default(m);
	read_settings(m, argv[1]);
	if (!m->socket || !m->dir)
		die("settings", argv[1], EINVAL);
	path_of(m, path, ".log");
	m->log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (m->log_fd < 0)
		die("cannot write", path, errno);
	if (m->peer_local)
		m->net.fd = bound(SOCK_DGRAM, m->peer_local);
	err = model_init(m);
	if (err)
		die("settings", argv[1], -err);
	mail = inotify_init1(IN_CLOEXEC);
	if (mail < 0 || inotify_add_watch(mail, m->dir, IN_MOVED_TO) < 0)
		die("cannot watch", m->dir, errno);
	listening = bound(SOCK_STREAM, m->socket);
	if (listen(listening, 1) || daemon(1, 1))
		die("socket", m->socket, errno);
	m->fd = accept(listening, NULL, NULL);
	if (m->fd < 0)
		die("socket", m->socket, errno);
	close(listening);
	serve(m, mail);
	model_log(m, "ends");
	model_end(m);
	return 0;
}
