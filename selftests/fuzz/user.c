// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz what users and administrators can reach of baton in a running kernel: the ioctls, messages
 * and mappings of /dev/vhost-vdpa-N, and vdpa's netlink commands.
 *
 *   user SECONDS SEED CURRENT NAME=ADDRESS...   fuzz these functions; NAME is the vDPA device
 *   user replay FILE NAME=ADDRESS...            run one program, as it was left in CURRENT
 *
 * A program is a list of operations, what a well-behaved user or administrator does to begin with.
 * Programs are mutated: operations left out, doubled, moved, swapped with another program's, and
 * their arguments replaced. Where the kernel has KCOV, a program that got somewhere new is kept and
 * mutated further. The program that is about to run is written to CURRENT first, as text, for the
 * case that it is the last one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/kcov.h>
#include <linux/netlink.h>
#include <linux/vdpa.h>
#include <linux/vhost.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_OPS 64
#define MAX_CORPUS 1024
#define MAX_TARGETS 4
#define NR_ARGS 5
#define SLOTS 2		  /* files open at a time */
#define QUEUES 4	  /* eventfds for as many */
#define PAGE 4096UL	  /* bytes of one */
#define AREA (1UL << 20)  /* what is mapped for the device, and nothing near it */
#define GUARD (1UL << 36) /* before and behind it */
#define COVER (1UL << 16) /* program counters for each program */
#define STUCK 120	  /* seconds that no program takes */
#define HASHES (1U << 16)
#define die(...) (fprintf(stderr, __VA_ARGS__), exit(1))

/* -- programs ------------------------------------------------------------------------------- */

enum kind {
	OPEN,
	CLOSE,
	IOCTL_NONE,
	IOCTL_U8,
	IOCTL_U16,
	IOCTL_U32,
	IOCTL_U64,
	IOCTL_VRING,
	IOCTL_VRING_FD,
	IOCTL_VRING_ADDR,
	IOCTL_CONFIG_CALL,
	IOCTL_RAW,
	CONFIG_GET,
	CONFIG_SET,
	IOTLB,
	IOTLB_OLD,
	IOTLB_SHORT,
	KICK,
	DOORBELL,
	NETLINK,
	NR_KINDS
};

static const char *const names[NR_KINDS] = {
	"open",	 "close",     "ioctl",	     "ioctl-u8",  "ioctl-u16", "ioctl-u32",  "ioctl-u64",
	"vring", "vring-fd",  "vring-addr",  "config-fd", "ioctl-raw", "config-get", "config-set",
	"iotlb", "iotlb-old", "iotlb-short", "kick",	  "doorbell",  "netlink",
};

struct op {
	uint8_t kind;
	uint8_t slot;
	uint64_t arg[NR_ARGS];
};

struct program {
	unsigned int len;
	struct op ops[MAX_OPS];
};

static struct program corpus[MAX_CORPUS];
static unsigned int corpus_len;

static uint64_t seed;

/* xorshift64* */
static uint64_t any(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dULL;
}

static unsigned int below(unsigned int n)
{
	return n ? (any() >> 32) % n : 0;
}

/* -- the world ------------------------------------------------------------------------------ */

static struct {
	const char *name;
	const char *address;
} targets[MAX_TARGETS];

static unsigned int nr_targets;
static int files[SLOTS];
static volatile uint16_t *doorbells[SLOTS];
static sigjmp_buf untouchable;
static unsigned long nr_touched;
static int kicks[QUEUES], calls[QUEUES];
static char *area;
static int genl;
/* A mapping was refused, perhaps after part of it had been made. */
static bool refused;
static uint16_t family;

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

static bool exists(const char *name, const char *what)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/bus/vdpa/devices/%s%s", name, what);
	return !access(path, F_OK);
}

static int open_target(unsigned int i)
{
	char path[600] = "";
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/vdpa/devices/%s", targets[i].name);
	dir = opendir(path);
	*path = '\0';
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "vhost-vdpa-", 11))
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
	if (dir)
		closedir(dir);
	return *path ? open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;
}

static void leave_doorbell(int slot)
{
	if (doorbells[slot])
		munmap((void *)doorbells[slot], PAGE);
	doorbells[slot] = NULL;
}

static void close_files(void)
{
	for (unsigned int i = 0; i < SLOTS; i++) {
		leave_doorbell(i);
		if (files[i] >= 0)
			close(files[i]);
		files[i] = -1;
	}
}

/* -- netlink -------------------------------------------------------------------------------- */

struct message {
	struct nlmsghdr nl;
	struct genlmsghdr genl;
	char attrs[1024];
};

static void put(struct message *m, unsigned int type, const void *data, unsigned int len)
{
	struct nlattr *attr = (void *)((char *)m + NLMSG_ALIGN(m->nl.nlmsg_len));

	if (NLMSG_ALIGN(m->nl.nlmsg_len) + NLA_HDRLEN + NLA_ALIGN(len) > sizeof(*m))
		return;
	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	memcpy((char *)attr + NLA_HDRLEN, data, len);
	m->nl.nlmsg_len = NLMSG_ALIGN(m->nl.nlmsg_len) + NLA_ALIGN(attr->nla_len);
}

static void put_text(struct message *m, unsigned int type, const char *text)
{
	put(m, type, text, strlen(text) + 1);
}

static struct message request(uint16_t type, uint8_t command, uint16_t flags)
{
	return (struct message){
		.nl = { .nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN,
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | flags },
		.genl = { .cmd = command, .version = 1 },
	};
}

/* Answers, all of them, of which only the first is kept. */
static int ask(struct message *m, char *answer, size_t size)
{
	char more[8192];
	ssize_t got;

	if (send(genl, m, m->nl.nlmsg_len, 0) < 0)
		return -errno;
	got = recv(genl, answer, size, 0);
	while (recv(genl, more, sizeof(more), MSG_DONTWAIT) > 0)
		;
	return got < 0 ? -errno : 0;
}

static void find_family(void)
{
	struct message m = request(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	struct timeval patience = { .tv_sec = 2 };
	char answer[8192];
	struct nlattr *attr;

	genl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	/* A dump that makes no sense may get no answer at all. */
	setsockopt(genl, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	put_text(&m, CTRL_ATTR_FAMILY_NAME, VDPA_GENL_NAME);
	if (ask(&m, answer, sizeof(answer)))
		die("no netlink: %s\n", strerror(errno));
	attr = (void *)(answer + NLMSG_HDRLEN + GENL_HDRLEN);
	while (attr->nla_type != CTRL_ATTR_FAMILY_ID)
		attr = (void *)((char *)attr + NLA_ALIGN(attr->nla_len));
	family = *(uint16_t *)((char *)attr + NLA_HDRLEN);
}

static void add(unsigned int i)
{
	struct message m = request(family, VDPA_CMD_DEV_NEW, NLM_F_ACK);
	char answer[8192];

	put_text(&m, VDPA_ATTR_DEV_NAME, targets[i].name);
	put_text(&m, VDPA_ATTR_MGMTDEV_BUS_NAME, "pci");
	put_text(&m, VDPA_ATTR_MGMTDEV_DEV_NAME, targets[i].address);
	ask(&m, answer, sizeof(answer));
}

static void delete(const char *name)
{
	struct message m = request(family, VDPA_CMD_DEV_DEL, NLM_F_ACK);
	char answer[8192];

	put_text(&m, VDPA_ATTR_DEV_NAME, name);
	ask(&m, answer, sizeof(answer));
}

/* Whatever became of it: there is a vDPA device again, and users can open it. */
static void restore(unsigned int i)
{
	static const char *const others[] = { "other", "" };
	char path[256];

	for (unsigned int tries = 0; tries < 2; tries++) {
		if (!exists(targets[i].name, ""))
			add(i);
		snprintf(path, sizeof(path), "/sys/bus/vdpa/devices/%s/driver_override",
			 targets[i].name);
		if (!exists(targets[i].name, "/driver") && !write_file(path, "vhost_vdpa"))
			write_file("/sys/bus/vdpa/drivers_probe", targets[i].name);
		if (exists(targets[i].name, "/driver"))
			return;
		/* The function has another one. */
		for (unsigned int n = 0; n < 2; n++)
			delete (others[n]);
		for (unsigned int n = 0; n < nr_targets; n++)
			delete (targets[n].name);
	}
	die("%s cannot be had again\n", targets[i].name);
}

/*
 * arg: command, which attributes there are (a bit each), a value for them, length of the one that
 * is wrong, and which one that is. Nobody may have a device open that is deleted: all are closed.
 */
static void netlink(const struct op *op)
{
	const uint64_t *a = op->arg;
	const char *bad_names[] = { "", "other",
				    "a name that is longer than any name may be, ............" };
	unsigned int i = a[2] % nr_targets;
	const char *name = a[1] >> 16 & 1 ? bad_names[a[2] % 3] : targets[i].name;
	struct message m =
		request(family, a[0] & 0xff, a[0] >> 8 & NLM_F_DUMP ? NLM_F_DUMP : NLM_F_ACK);
	uint8_t mac[6] = { a[2] & 1 ? 0x52 : 0x53, 0x54, 0, a[2] >> 8, a[2] >> 16, a[2] >> 24 };
	char bytes[256], answer[8192];
	const struct {
		unsigned int type;
		const void *data;
		unsigned int len;
	} attrs[] = {
		{ VDPA_ATTR_DEV_NAME, name, strlen(name) + 1 },
		{ VDPA_ATTR_MGMTDEV_BUS_NAME, "pci", 4 },
		{ VDPA_ATTR_MGMTDEV_DEV_NAME, targets[i].address, strlen(targets[i].address) + 1 },
		{ VDPA_ATTR_DEV_FEATURES, &a[2], 8 },
		{ VDPA_ATTR_DEV_NET_CFG_MACADDR, mac, 6 },
		{ VDPA_ATTR_DEV_NET_CFG_MTU, &a[2], 2 },
		{ VDPA_ATTR_DEV_NET_CFG_MAX_VQP, &a[2], 2 },
		{ VDPA_ATTR_DEV_QUEUE_INDEX, &a[2], 4 },
		{ a[2] & 0xff, &a[2], 8 },
	};

	close_files();
	memset(bytes, 0xff, sizeof(bytes));
	for (unsigned int n = 0; n < sizeof(attrs) / sizeof(*attrs); n++) {
		if (!(a[1] >> n & 1))
			continue;
		if (a[4] == n + 1)
			put(&m, attrs[n].type, bytes, a[3] % sizeof(bytes));
		else
			put(&m, attrs[n].type, attrs[n].data, attrs[n].len);
	}
	ask(&m, answer, sizeof(answer));
	for (unsigned int n = 0; n < nr_targets; n++)
		restore(n);
}

/* -- running programs ----------------------------------------------------------------------- */

static void vring_addr(int fd, const uint64_t *a)
{
	struct vhost_vring_addr addr = {
		.index = a[0],
		.desc_user_addr = a[1],
		.avail_user_addr = a[2],
		.used_user_addr = a[3],
	};

	ioctl(fd, VHOST_SET_VRING_ADDR, &addr);
}

static void config(int fd, unsigned long request, const uint64_t *a)
{
	/* As much is read or written as the length says: up to where the buffer ends, exactly. */
	static char *buffer;
	unsigned int len = a[1];

	if (!buffer) {
		buffer = mmap(NULL, 2 * AREA, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		munmap(buffer + AREA, AREA);
	}
	if (len > AREA - sizeof(struct vhost_vdpa_config))
		len = 0;
	struct vhost_vdpa_config *c = (void *)(buffer + AREA - sizeof(*c) - len);

	c->off = a[0];
	c->len = a[1];
	memset(c->buf, a[2], len);
	ioctl(fd, request, c);
}

static void iotlb(int fd, const struct op *op)
{
	const uint64_t *a = op->arg;
	struct vhost_msg_v2 v2 = { .type = VHOST_IOTLB_MSG_V2, .asid = op->arg[4] >> 16 };
	struct vhost_msg v1 = { .type = VHOST_IOTLB_MSG };
	struct vhost_iotlb_msg body = {
		.iova = a[0],
		.size = a[1],
		/* A small number is an offset in what may be written to, any other is what it is.
		 */
		.uaddr = a[2] < 2 * AREA ? (uintptr_t)area + a[2] : a[2],
		.perm = a[3],
		.type = a[4],
	};

	v1.iotlb = v2.iotlb = body;
	if (op->kind == IOTLB)
		refused |= write(fd, &v2, sizeof(v2)) < 0;
	else if (op->kind == IOTLB_OLD)
		refused |= write(fd, &v1, sizeof(v1)) < 0;
	else
		(void)!write(fd, &v2, a[1] % sizeof(v2));
}

static void no_doorbell(int signal)
{
	(void)signal;
	siglongjmp(untouchable, 1);
}

/* It stays mapped while the program goes on: what is touched need not be what was mapped. */
static void doorbell(int slot, unsigned int queue, bool touch)
{
	void *page;

	if (!doorbells[slot]) {
		page = mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, files[slot], queue * PAGE);
		if (page == MAP_FAILED)
			return;
		doorbells[slot] = page;
	}
	if (!touch)
		return;
	if (sigsetjmp(untouchable, 1))
		return;
	/* No doorbell keeps what is written, and x86 lets everybody read what he may write. */
	*doorbells[slot] = queue | 1;
	if (*doorbells[slot] == (uint16_t)(queue | 1))
		die("what a user has mapped for a doorbell is memory\n");
	nr_touched++;
}

static void run_op(const struct op *op)
{
	static char raw[1 << 14];
	struct vhost_vring_state state = { .index = op->arg[1], .num = op->arg[2] };
	struct vhost_vring_file file = { .index = op->arg[1] };
	int slot = op->slot % SLOTS, fd = files[slot], queue = op->arg[1] % QUEUES;
	unsigned int number = op->arg[0] & 0xff;
	uint64_t value = op->arg[1];

	switch (op->kind) {
	case OPEN:
		if (fd < 0)
			files[slot] = open_target(op->arg[0] % nr_targets);
		break;
	case CLOSE:
		leave_doorbell(slot);
		if (fd >= 0)
			close(fd);
		files[slot] = -1;
		break;
	case IOCTL_NONE:
		ioctl(fd, _IO(VHOST_VIRTIO, number), 0);
		break;
	case IOCTL_U8:
		ioctl(fd, _IOC(op->arg[2] & 3, VHOST_VIRTIO, number, 1), &value);
		break;
	case IOCTL_U16:
		ioctl(fd, _IOC(op->arg[2] & 3, VHOST_VIRTIO, number, 2), &value);
		break;
	case IOCTL_U32:
		ioctl(fd, _IOC(op->arg[2] & 3, VHOST_VIRTIO, number, 4), &value);
		break;
	case IOCTL_U64:
		ioctl(fd, _IOC(op->arg[2] & 3, VHOST_VIRTIO, number, 8), &value);
		break;
	case IOCTL_VRING:
		ioctl(fd, _IOC(op->arg[3] & 3, VHOST_VIRTIO, number, sizeof(state)), &state);
		break;
	case IOCTL_VRING_FD:
		file.fd = op->arg[2] == 0 ? kicks[queue] : op->arg[2] == 1 ? calls[queue] : -1;
		ioctl(fd, _IOW(VHOST_VIRTIO, number, struct vhost_vring_file), &file);
		break;
	case IOCTL_VRING_ADDR:
		vring_addr(fd, op->arg);
		break;
	case IOCTL_CONFIG_CALL:
		file.fd = op->arg[0] & 1 ? -1 : calls[0];
		ioctl(fd, VHOST_VDPA_SET_CONFIG_CALL, &file.fd);
		break;
	case IOCTL_RAW:
		memset(raw, op->arg[3], sizeof(raw));
		ioctl(fd, _IOC(op->arg[2] & 3, VHOST_VIRTIO, number, value & 0x3fff), raw);
		break;
	case CONFIG_GET:
		config(fd, VHOST_VDPA_GET_CONFIG, op->arg);
		break;
	case CONFIG_SET:
		config(fd, VHOST_VDPA_SET_CONFIG, op->arg);
		break;
	case IOTLB:
	case IOTLB_OLD:
	case IOTLB_SHORT:
		iotlb(fd, op);
		break;
	case KICK:
		eventfd_write(kicks[queue], 1);
		break;
	case DOORBELL:
		doorbell(slot, op->arg[0] & 0xffff, !(op->arg[1] & 1));
		break;
	case NETLINK:
		netlink(op);
		break;
	}
}

static void run(const struct program *p)
{
	alarm(STUCK);
	/* The rings are empty: indices that say so. */
	memset(area, 0, AREA);
	refused = false;
	for (unsigned int i = 0; i < p->len; i++)
		run_op(&p->ops[i]);
	close_files();
	alarm(0);
}

/* How many pages are pinned for DMA, by anybody. */
static long pinned(void)
{
	char line[128];
	long value, pages = 0;
	FILE *in;

	/* Each CPU keeps some of the count to itself, for a while. */
	write_file("/proc/sys/vm/stat_refresh", "1");
	in = fopen("/proc/vmstat", "r");
	if (!in)
		die("/proc/vmstat: %s\n", strerror(errno));
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "nr_foll_pin_acquired %ld", &value) == 1)
			pages += value;
		if (sscanf(line, "nr_foll_pin_released %ld", &value) == 1)
			pages -= value;
	}
	fclose(in);
	return pages;
}

/* -- as text -------------------------------------------------------------------------------- */

static void print(FILE *out, const struct program *p)
{
	for (unsigned int i = 0; i < p->len; i++) {
		fprintf(out, "%s %u", names[p->ops[i].kind], p->ops[i].slot);
		for (unsigned int n = 0; n < NR_ARGS; n++)
			fprintf(out, " %#llx", (unsigned long long)p->ops[i].arg[n]);
		fputc('\n', out);
	}
}

static struct program parse(const char *path)
{
	struct program p = {};
	char line[256], name[32];
	FILE *in = fopen(path, "r");

	if (!in)
		die("%s: %s\n", path, strerror(errno));
	while (p.len < MAX_OPS && fgets(line, sizeof(line), in)) {
		struct op *op = &p.ops[p.len];
		unsigned long long a[NR_ARGS];
		unsigned int slot;

		if (*line == '#' || *line == '\n')
			continue;
		if (sscanf(line, "%31s %u %llx %llx %llx %llx %llx", name, &slot, &a[0], &a[1],
			   &a[2], &a[3], &a[4]) != 2 + NR_ARGS)
			die("%s: no operation: %s", path, line);
		while (op->kind < NR_KINDS && strcmp(name, names[op->kind]))
			op->kind++;
		if (op->kind == NR_KINDS)
			die("%s: no operation %s\n", path, name);
		op->slot = slot;
		for (unsigned int n = 0; n < NR_ARGS; n++)
			op->arg[n] = a[n];
		p.len++;
	}
	fclose(in);
	return p;
}

/* -- what a well-behaved user does ---------------------------------------------------------- */

static void step(struct program *p, uint8_t kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		 uint64_t e)
{
	if (p->len < MAX_OPS)
		p->ops[p->len++] = (struct op){ .kind = kind, .arg = { a, b, c, d, e } };
}

#define IOVA 0x100000UL
#define FEATURES (1ULL << 32 | 1ULL << 33)
enum { NONE, W, R, RW }; /* directions of an ioctl */

static void begin(struct program *p, unsigned int target, uint64_t features, unsigned int maps)
{
	step(p, OPEN, target, 0, 0, 0, 0);
	step(p, IOCTL_NONE, 0x01, 0, 0, 0, 0);	/* SET_OWNER */
	step(p, IOCTL_U64, 0x25, 0xe, W, 0, 0); /* SET_BACKEND_FEATURES */
	for (unsigned int i = 0; i < maps; i++)
		step(p, IOTLB, IOVA + i * (AREA / maps), AREA / maps, i * (AREA / maps),
		     VHOST_ACCESS_RW, VHOST_IOTLB_UPDATE);
	step(p, IOCTL_U8, 0x72, 1, W, 0, 0);
	step(p, IOCTL_U8, 0x72, 3, W, 0, 0);
	step(p, IOCTL_U64, 0x00, features, W, 0, 0); /* SET_FEATURES */
	step(p, IOCTL_U8, 0x72, 11, W, 0, 0);
}

static void queues(struct program *p, unsigned int nr)
{
	for (unsigned int q = 0; q < nr; q++) {
		uint64_t at = IOVA + q * 0x10000;

		step(p, IOCTL_VRING, 0x10, q, 64, W, 0); /* NUM */
		step(p, IOCTL_VRING, 0x12, q, 0, W, 0);	 /* BASE */
		step(p, IOCTL_VRING_ADDR, q, at, at + 0x4000, at + 0x8000, 0);
		step(p, IOCTL_VRING_FD, 0x20, q, 0, 0, 0); /* KICK */
		step(p, IOCTL_VRING_FD, 0x21, q, 1, 0, 0); /* CALL */
		step(p, IOCTL_VRING, 0x75, q, 1, W, 0);	   /* ENABLE */
	}
}

static struct program *fresh(void)
{
	return &corpus[corpus_len++];
}

static void seeds(void)
{
	struct program *p;

	for (unsigned int target = 0; target < nr_targets; target++) {
		p = fresh();
		begin(p, target, FEATURES, 1);
		queues(p, 1 + !target);
		step(p, IOCTL_CONFIG_CALL, 0, 0, 0, 0, 0);
		step(p, IOCTL_U8, 0x72, 15, W, 0, 0);
		step(p, KICK, 0, 0, 0, 0, 0);
		step(p, IOCTL_VRING, 0x12, 0, 0, RW, 0); /* GET_BASE */
		step(p, IOTLB, IOVA, AREA, 0, 0, VHOST_IOTLB_INVALIDATE);
		step(p, KICK, 0, 1, 0, 0, 0);
		step(p, IOCTL_U8, 0x72, 0, W, 0, 0);

		/* All that can be asked. */
		p = fresh();
		begin(p, target, FEATURES, 1);
		step(p, IOCTL_U64, 0x00, 0, R, 0, 0);
		step(p, IOCTL_U64, 0x26, 0, R, 0, 0);
		for (unsigned int number = 0x70; number <= 0x82; number++)
			step(p,
			     number == 0x71   ? IOCTL_U8
			     : number == 0x76 ? IOCTL_U16
					      : IOCTL_U32,
			     number, 0, R, 0, 0);
		step(p, IOCTL_RAW, 0x78, 16, R, 0, 0); /* IOVA_RANGE */
		for (unsigned int q = 0; q < 4; q++) {
			step(p, IOCTL_VRING, 0x7b, q, 0, RW, 0); /* GROUP */
			step(p, IOCTL_VRING, 0x82, q, 0, RW, 0); /* SIZE */
		}
		step(p, CONFIG_GET, 0, 8, 0, 0, 0);
		step(p, CONFIG_GET, 6, 2, 0, 0, 0);
		step(p, CONFIG_SET, 32, 1, 0, 0, 0);
		step(p, DOORBELL, 0, 0, 0, 0, 0);

		/* Of a queue that is another one when it is touched: net's control queue. */
		p = fresh();
		step(p, OPEN, target, 0, 0, 0, 0);
		step(p, IOCTL_NONE, 0x01, 0, 0, 0, 0);
		step(p, IOCTL_U64, 0x00, FEATURES, W, 0, 0);
		step(p, DOORBELL, 2, 1, 0, 0, 0);
		step(p, IOCTL_U8, 0x72, 0, W, 0, 0);
		step(p, DOORBELL, 2, 0, 0, 0, 0);

		/* Mappings, in batches, of which some go again. */
		p = fresh();
		begin(p, target, FEATURES, 4);
		step(p, IOTLB, 0, 0, 0, 0, VHOST_IOTLB_BATCH_BEGIN);
		step(p, IOTLB, 0x40000000, 0x3000, 0x1000, VHOST_ACCESS_RO, VHOST_IOTLB_UPDATE);
		step(p, IOTLB, 0x50000000, 0x1000, 0x5000, VHOST_ACCESS_WO, VHOST_IOTLB_UPDATE);
		step(p, IOTLB, 0, 0, 0, 0, VHOST_IOTLB_BATCH_END);
		step(p, IOTLB, 0x40000000, 0x3000, 0, 0, VHOST_IOTLB_INVALIDATE);
		step(p, IOTLB_OLD, 0x60000000, 0x1000, 0, VHOST_ACCESS_RW, VHOST_IOTLB_UPDATE);
		step(p, IOTLB, 0xfee00000, 0x1000, 0, VHOST_ACCESS_RW, VHOST_IOTLB_UPDATE);

		/* The address space of the other group; for net, the control queue is in it. */
		p = fresh();
		step(p, OPEN, target, 0, 0, 0, 0);
		step(p, IOCTL_NONE, 0x01, 0, 0, 0, 0);
		step(p, IOCTL_U64, 0x25, 0xe, W, 0, 0);
		step(p, IOCTL_VRING, 0x7c, 1, 1, W, 0); /* SET_GROUP_ASID */
		step(p, IOTLB, IOVA, AREA, 0, VHOST_ACCESS_RW, VHOST_IOTLB_UPDATE);
		step(p, IOTLB, IOVA, AREA, 0, VHOST_ACCESS_RW, 1 << 16 | VHOST_IOTLB_UPDATE);
		step(p, IOCTL_U64, 0x00, FEATURES | 1 << 17, W, 0, 0);
		step(p, IOCTL_U8, 0x72, 11, W, 0, 0);
		queues(p, 3);
		step(p, IOCTL_U8, 0x72, 15, W, 0, 0);
		step(p, KICK, 0, 2, 0, 0, 0);
		step(p, IOCTL_VRING, 0x7c, 0, 1, W, 0);
		step(p, IOCTL_NONE, 0x02, 0, 0, 0, 0); /* RESET_OWNER */
		step(p, IOCTL_NONE, 0x7d, 0, 0, 0, 0); /* SUSPEND */
		step(p, IOCTL_NONE, 0x7e, 0, 0, 0, 0); /* RESUME */

		/* The administrator. */
		p = fresh();
		step(p, NETLINK, VDPA_CMD_DEV_DEL, 1, target, 0, 0);
		step(p, NETLINK, VDPA_CMD_DEV_NEW, 0x7, target, 0, 0);
		step(p, NETLINK, VDPA_CMD_DEV_NEW, 0xf, FEATURES, 0, 0);
		step(p, NETLINK, VDPA_CMD_DEV_NEW, 0x10007, target, 0, 0);
		step(p, NETLINK, VDPA_CMD_DEV_NEW, 0x77, target, 0, 0);
		step(p, NETLINK, VDPA_CMD_DEV_ATTR_SET, 0x11, 1, 0, 0);
		p = fresh();
		step(p, NETLINK, VDPA_CMD_MGMTDEV_GET, 0x6, target, 0, 0);
		step(p, NETLINK, VDPA_CMD_MGMTDEV_GET | NLM_F_DUMP << 8, 0, target, 0, 0);
		step(p, NETLINK, VDPA_CMD_DEV_GET, 1, target, 0, 0);
		step(p, NETLINK, VDPA_CMD_DEV_CONFIG_GET, 1, target, 0, 0);
		step(p, NETLINK, VDPA_CMD_DEV_VSTATS_GET, 0x81, target, 0, 0);
	}
}

/* -- mutations ------------------------------------------------------------------------------ */

static uint64_t interesting(uint64_t old)
{
	static const uint64_t values[] = {
		0,
		1,
		2,
		3,
		7,
		8,
		64,
		255,
		256,
		257,
		1024,
		4095,
		4096,
		4097,
		32768,
		65535,
		65536,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		0x100000000,
		0xfedfffff,
		0xfee00000,
		IOVA,
		IOVA + AREA,
		1ULL << 39,
		1ULL << 47,
		0x7fffffffffffffff,
		0x8000000000000000,
		0xffff888000000000,
		0xfffffffffffff000,
		0xffffffffffffffff,
		FEATURES,
		1 << 17,
	};

	switch (below(6)) {
	case 0:
		return old ^ 1ULL << below(64);
	case 1:
		return old + below(33) - 16;
	case 2:
		return below(16);
	case 3:
		return any() >> below(64);
	default:
		return values[below(sizeof(values) / sizeof(*values))];
	}
}

static void insert(struct program *p, const struct op *op)
{
	unsigned int at = below(p->len + 1);

	if (p->len == MAX_OPS)
		return;
	memmove(&p->ops[at + 1], &p->ops[at], (p->len - at) * sizeof(*op));
	p->ops[at] = *op;
	p->len++;
}

static void mutate(struct program *p)
{
	const struct program *other = &corpus[below(corpus_len)];
	struct op op = {};
	unsigned int i;

	if (!p->len) {
		*p = *other;
		return;
	}
	i = below(p->len);
	switch (below(10)) {
	case 0:
		memmove(&p->ops[i], &p->ops[i + 1], (--p->len - i) * sizeof(op));
		break;
	case 1:
		insert(p, &p->ops[i]);
		break;
	case 2:
		op = p->ops[i];
		p->ops[i] = p->ops[0];
		p->ops[0] = op;
		break;
	case 3:
		insert(p, &other->ops[below(other->len)]);
		break;
	case 4:
		op.kind = below(NR_KINDS);
		for (unsigned int n = 0; n < NR_ARGS; n++)
			op.arg[n] = interesting(0);
		insert(p, &op);
		break;
	case 5:
		p->ops[i].slot = below(SLOTS);
		break;
	case 6:
		while (p->len < MAX_OPS && i < other->len)
			p->ops[p->len++] = other->ops[i++];
		break;
	default:
		p->ops[i].arg[below(NR_ARGS)] = interesting(p->ops[i].arg[below(NR_ARGS)]);
		break;
	}
}

/* -- coverage ------------------------------------------------------------------------------- */

static unsigned long *cover;
static unsigned long seen[HASHES];
static unsigned int nr_seen;

static void start_cover(void)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	if (ioctl(fd, KCOV_INIT_TRACE, COVER))
		die("KCOV: %s\n", strerror(errno));
	cover = mmap(NULL, COVER * sizeof(*cover), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (cover == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC))
		die("KCOV: %s\n", strerror(errno));
}

/* Has the last program been somewhere new? */
static bool new_cover(void)
{
	unsigned int before = nr_seen;
	unsigned long nr = cover ? __atomic_load_n(&cover[0], __ATOMIC_RELAXED) : 0;

	for (unsigned long i = 1; i <= nr && nr_seen < HASHES / 2; i++) {
		unsigned int h = (cover[i] * 0x9e3779b97f4a7c15ULL) >> 48;

		while (seen[h] && seen[h] != cover[i])
			h = (h + 1) % HASHES;
		if (seen[h])
			continue;
		seen[h] = cover[i];
		nr_seen++;
	}
	return nr_seen > before;
}

static void print_cover(const char *path)
{
	char name[256];
	FILE *out;

	if (!cover)
		return;
	snprintf(name, sizeof(name), "%s.cover", path);
	out = fopen(name, "w");
	for (unsigned int i = 0; out && i < HASHES; i++)
		if (seen[i])
			fprintf(out, "%lx\n", seen[i]);
	if (out)
		fclose(out);
}

/* -- the whole ------------------------------------------------------------------------------ */

static void prepare(char **words)
{
	char *reserved = mmap(NULL, 2 * GUARD, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (reserved == MAP_FAILED)
		die("no room: %s\n", strerror(errno));
	area = mmap(reserved + GUARD, AREA, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	signal(SIGBUS, no_doorbell);
	for (unsigned int i = 0; i < SLOTS; i++)
		files[i] = -1;
	for (unsigned int i = 0; i < QUEUES; i++) {
		kicks[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		calls[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	for (; *words && nr_targets < MAX_TARGETS; words++) {
		targets[nr_targets].name = strtok(*words, "=");
		targets[nr_targets++].address = strtok(NULL, "=");
	}
	find_family();
	for (unsigned int i = 0; i < nr_targets; i++)
		restore(i);
}

static void leave_text(const char *path, const struct program *p)
{
	FILE *out = fopen(path, "w");

	if (!out)
		die("%s: %s\n", path, strerror(errno));
	print(out, p);
	fclose(out);
}

static unsigned long fuzz(double seconds, const char *current)
{
	const unsigned int first = corpus_len;
	struct timespec start, now;
	static struct program p;
	const long at_first = pinned();
	long before = at_first, after;
	unsigned long n;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (n = 0;; n++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec >= seconds)
			break;
		/* First each seed as it is. */
		p = corpus[n < first ? n : below(corpus_len)];
		for (unsigned int i = n < first ? 0 : 1 + below(6); i; i--)
			mutate(&p);
		leave_text(current, &p);
		if (cover)
			__atomic_store_n(&cover[0], 0, __ATOMIC_RELAXED);
		run(&p);
		/* The file system may not be done with the text yet. */
		for (unsigned int i = 0; (after = pinned()) > before && i < 100; i++)
			usleep(20000);
		/* vhost_vdpa forgets pages whose mapping was refused: dma-ownership.rst. */
		if (after > before) {
			if (!refused)
				die("%ld pages were pinned, %ld are after program %lu\n", before,
				    after, n);
			before = after;
		}
		if (new_cover() && n >= first && corpus_len < MAX_CORPUS && p.len)
			corpus[corpus_len++] = p;
	}
	printf("%ld pages stay pinned, %lu doorbells touched\n", before - at_first, nr_touched);
	return n;
}

int main(int argc, char **argv)
{
	unsigned long n;

	if (argc >= 4 && !strcmp(argv[1], "replay")) {
		struct program p = parse(argv[2]);

		prepare(argv + 3);
		run(&p);
		return 0;
	}
	if (argc < 5)
		die("usage: user SECONDS SEED CURRENT NAME=ADDRESS...\n"
		    "       user replay FILE NAME=ADDRESS...\n");
	seed = strtoull(argv[2], NULL, 0) ?: 1;
	prepare(argv + 4);
	seeds();
	start_cover();
	n = fuzz(atof(argv[1]), argv[3]);
	print_cover(argv[3]);
	printf("%lu programs, %u kept, %u places in the modules\n", n, corpus_len, nr_seen);
	return 0;
}
