// SPDX-License-Identifier: GPL-2.0-only
/*
 * What operations on a vhost-vdpa device cost, in ticks of the time stamp
 * counter: in a VM that counts instructions (tools/lab/vm --icount) these are
 * instructions.
 *
 *   client NODE calls                       reads of configuration, features, status
 *   client NODE open                        open and close
 *   client NODE cycle QUEUES                bring-up and reset
 *   client NODE map|hot|message KIND MIBS   map and unmap memory: in one message, the
 *                                           same while the device runs, in a message
 *                                           for each 2 MiB; KIND is 4k, 2m or 1g
 *
 * Each line of the output is a figure: its name, the median, the smallest and
 * the largest of the samples. What reading the counter takes is subtracted. The
 * first read of the configuration does not count.
 * With MARK=1 in the environment, each operation is done once between two marks
 * that the QEMU around us can see (a write to port 0x80).
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE 4096UL
#define MIB (1UL << 20)
#define RING_IOVA 0x100000UL
#define RING_SIZE 32
#define MAP_IOVA (1UL << 32)
#define MEMORY (1UL << 30) /* what there is; larger maps repeat it */
#define SAMPLES 101

static const char *node;
static bool marking;
static uint64_t overhead;

static uint64_t now(void)
{
	unsigned int aux;

	return __rdtscp(&aux);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void report(const char *name, uint64_t *samples, int n)
{
	qsort(samples, n, sizeof(*samples), compare);
	printf("%s %lu %lu %lu\n", name, samples[n / 2], samples[0], samples[n - 1]);
	fflush(stdout);
}

/* 1 begins a stretch that QEMU's trace attributes to what is printed; 0 ends it. */
static void mark(const char *name, unsigned char value)
{
	if (!marking)
		return;
	if (value) {
		printf("mark %s\n", name);
		fflush(stdout);
	}
	outb(value, 0x80);
}

#define MEASURE(name, samples, i, what)                   \
	do {                                              \
		uint64_t begin_;                          \
		mark(name, 1);                            \
		begin_ = now();                           \
		what;                                     \
		(samples)[i] = now() - begin_ - overhead; \
		mark(name, 0);                            \
	} while (0)

static void calibrate(void)
{
	uint64_t samples[SAMPLES] = {};
	int i;

	for (i = 0; i < SAMPLES; i++)
		MEASURE("nothing", samples, i, );
	qsort(samples, SAMPLES, sizeof(*samples), compare);
	overhead = samples[SAMPLES / 2];
}

static void call(int fd, unsigned long request, void *arg, const char *what)
{
	if (ioctl(fd, request, arg))
		err(1, "%s", what);
}
#define CALL(fd, request, arg) call(fd, request, arg, #request)

static int open_node(void)
{
	int fd = open(node, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", node);
	return fd;
}

static int start(void)
{
	uint64_t features;
	int fd = open_node();

	CALL(fd, VHOST_SET_OWNER, NULL);
	CALL(fd, VHOST_GET_BACKEND_FEATURES, &features);
	CALL(fd, VHOST_SET_BACKEND_FEATURES, &features);
	return fd;
}

static void set_status(int fd, uint8_t status)
{
	CALL(fd, VHOST_VDPA_SET_STATUS, &status);
}

static void iotlb(int fd, uint8_t type, uint64_t iova, uint64_t size, void *addr)
{
	struct vhost_msg_v2 msg = {
		.type = VHOST_IOTLB_MSG_V2,
		.iotlb = {
			.iova = iova,
			.size = size,
			.uaddr = (uint64_t)addr,
			.perm = VHOST_ACCESS_RW,
			.type = type,
		},
	};

	if (write(fd, &msg, sizeof(msg)) != sizeof(msg))
		err(1, "IOTLB message %u for %#lx bytes at %#lx", type, size, iova);
}

static void calls(void)
{
	struct {
		struct vhost_vdpa_config head;
		/* cppcheck-suppress unusedStructMember ; the kernel fills it */
		uint8_t bytes[16];
	} config = { .head = { .off = 0, .len = 12 } };
	uint64_t samples[SAMPLES] = {}, features;
	int fd = start(), i, n = marking ? 1 : SAMPLES;
	uint8_t status;

	for (i = 0; i < n; i++)
		MEASURE("syscall", samples, i, syscall(SYS_getppid));
	report("syscall", samples, n);
	CALL(fd, VHOST_VDPA_GET_CONFIG, &config);
	for (i = 0; i < n; i++)
		MEASURE("get_config", samples, i, CALL(fd, VHOST_VDPA_GET_CONFIG, &config));
	report("get_config", samples, n);
	for (i = 0; i < n; i++)
		MEASURE("get_features", samples, i, CALL(fd, VHOST_GET_FEATURES, &features));
	report("get_features", samples, n);
	for (i = 0; i < n; i++)
		MEASURE("get_status", samples, i, CALL(fd, VHOST_VDPA_GET_STATUS, &status));
	report("get_status", samples, n);
	close(fd);
}

static void opens(void)
{
	uint64_t opens[SAMPLES] = {}, closes[SAMPLES] = {};
	int i, fd, n = marking ? 1 : 21;

	for (i = 0; i < n; i++) {
		MEASURE("open", opens, i, fd = open_node());
		CALL(fd, VHOST_SET_OWNER, NULL);
		MEASURE("close", closes, i, close(fd));
	}
	report("open", opens, n);
	report("close", closes, n);
}

static void set_queue(int fd, unsigned int index, int kick, int interrupt)
{
	struct vhost_vring_state state = { .index = index, .num = RING_SIZE };
	struct vhost_vring_file file = { .index = index };
	uint64_t page = RING_IOVA + index * PAGE;
	struct vhost_vring_addr addr = {
		.index = index,
		.desc_user_addr = page,
		.avail_user_addr = page + 1024,
		.used_user_addr = page + 2048,
	};

	CALL(fd, VHOST_SET_VRING_NUM, &state);
	state.num = 0;
	CALL(fd, VHOST_SET_VRING_BASE, &state);
	CALL(fd, VHOST_SET_VRING_ADDR, &addr);
	file.fd = kick;
	CALL(fd, VHOST_SET_VRING_KICK, &file);
	file.fd = interrupt;
	CALL(fd, VHOST_SET_VRING_CALL, &file);
	state.num = 1;
	CALL(fd, VHOST_VDPA_SET_VRING_ENABLE, &state);
}

/* One eventfd for each queue and purpose; more queues than that are not measured. */
static int kicks[256], interrupts[256];

static void set_up(int fd, unsigned int queues)
{
	uint64_t features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_ACCESS_PLATFORM;
	uint8_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
	unsigned int i;

	if (queues > 2)
		features |= 1ULL << 12; /* blk: MQ */
	set_status(fd, status);
	CALL(fd, VHOST_SET_FEATURES, &features);
	set_status(fd, status | VIRTIO_CONFIG_S_FEATURES_OK);
	for (i = 0; i < queues; i++)
		set_queue(fd, i, kicks[i], interrupts[i]);
}

static void run(int fd)
{
	uint8_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK;

	set_status(fd, status);
}

static void need_running(int fd)
{
	uint8_t status;

	CALL(fd, VHOST_VDPA_GET_STATUS, &status);
	if (!(status & VIRTIO_CONFIG_S_DRIVER_OK))
		errx(1, "DRIVER_OK refused: status %#x", status);
}

static void *map_rings(int fd, unsigned int queues)
{
	size_t size = queues * PAGE;
	void *rings = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	unsigned int i;

	if (rings == MAP_FAILED)
		err(1, "rings");
	iotlb(fd, VHOST_IOTLB_UPDATE, RING_IOVA, size, rings);
	for (i = 0; i < queues; i++) {
		kicks[i] = eventfd(0, EFD_CLOEXEC);
		interrupts[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (kicks[i] < 0 || interrupts[i] < 0)
			err(1, "eventfd");
	}
	return rings;
}

static void cycle(unsigned int queues)
{
	uint64_t ups[SAMPLES] = {}, oks[SAMPLES] = {}, resets[SAMPLES] = {}, all[SAMPLES] = {};
	int fd = start(), i, n = marking ? 1 : 21;

	if (queues > sizeof(kicks) / sizeof(kicks[0]))
		errx(1, "too many queues");
	map_rings(fd, queues);
	set_status(fd, 0);
	for (i = 0; i < n; i++) {
		MEASURE("setup", ups, i, set_up(fd, queues));
		MEASURE("driver_ok", oks, i, run(fd));
		need_running(fd);
		MEASURE("reset", resets, i, set_status(fd, 0));
		all[i] = ups[i] + oks[i] + resets[i];
	}
	report("cycle", all, n);
	report("setup", ups, n);
	report("driver_ok", oks, n);
	report("reset", resets, n);
	close(fd);
}

/*
 * MEMORY bytes of pages of one kind, in the file twice over so that each map of
 * more sees the same pages again. No two neighbours are neighbours in memory.
 */
static char *scatter(const char *kind, size_t bytes, size_t *page)
{
	unsigned int flags = 0;
	size_t i, n, part = bytes < MEMORY ? bytes : MEMORY;
	char *at;
	int file;

	*page = PAGE;
	if (!strcmp(kind, "2m")) {
		*page = 2 * MIB;
		flags = MFD_HUGETLB | MFD_HUGE_2MB;
	} else if (!strcmp(kind, "1g")) {
		*page = 1024 * MIB;
		flags = MFD_HUGETLB | MFD_HUGE_1GB;
	}
	file = memfd_create("bench", flags);
	if (file < 0 || ftruncate(file, part))
		err(1, "memory of %s pages", kind);
	at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	/* Aligned to the page: room for it is taken from the next map. */
	if (at != MAP_FAILED && *page > PAGE) {
		munmap(at, bytes);
		at = mmap(NULL, bytes + *page, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		at = (char *)(((uintptr_t)at + *page - 1) & -*page);
	}
	if (at == MAP_FAILED)
		err(1, "%zu bytes of addresses", bytes);
	for (i = 0; i < bytes; i += part)
		if (mmap(at + i, part, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) ==
		    MAP_FAILED)
			err(1, "%zu bytes of %s pages", part, kind);
	close(file);

	/* Touched in the order of a step that is prime to their number, which is a power of two. */
	n = part / *page;
	for (i = 0; i < n; i++)
		at[i * (n > 8 ? 2 * (n * 5 / 16) + 1 : 1) % n * *page] = 1;
	for (i = part; i < bytes; i += *page)
		at[i] = 1;
	return at;
}

/* What does a map of the memory consist of, as the kernel's own list of page frames has it? */
static size_t count_chunks(const char *at, size_t bytes)
{
	uint64_t entries[512], entry, last = 0;
	size_t pages = bytes / PAGE, chunks = 0, i, k;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	for (i = 0; i < pages; i += 512) {
		if (pread(fd, entries, sizeof(entries), ((uintptr_t)at / PAGE + i) * 8) !=
		    sizeof(entries))
			err(1, "pagemap");
		for (k = 0; k < 512; k++) {
			entry = entries[k] & ((1ULL << 55) - 1);
			chunks += !(i + k) || entry != last + 1;
			last = entry;
		}
	}
	close(fd);
	return chunks;
}

static void map(const char *how, const char *kind, size_t bytes)
{
	uint64_t maps[SAMPLES] = {}, unmaps[SAMPLES] = {};
	bool hot = !strcmp(how, "hot"), messages = !strcmp(how, "message");
	size_t step = messages ? 2 * MIB : bytes, page, i;
	int fd = start(), k, n = marking || bytes > 256 * MIB ? 1 : bytes > 64 * MIB ? 3 : 5;
	char *at = scatter(kind, bytes, &page);

	map_rings(fd, 2);
	if (hot) {
		set_up(fd, 2);
		run(fd);
		need_running(fd);
	}
	for (k = 0; k < n; k++) {
		MEASURE("map", maps, k, {
			if (messages)
				iotlb(fd, VHOST_IOTLB_BATCH_BEGIN, 0, 0, NULL);
			for (i = 0; i < bytes; i += step)
				iotlb(fd, VHOST_IOTLB_UPDATE, MAP_IOVA + i, step, at + i);
			if (messages)
				iotlb(fd, VHOST_IOTLB_BATCH_END, 0, 0, NULL);
		});
		MEASURE("unmap", unmaps, k, {
			if (messages)
				iotlb(fd, VHOST_IOTLB_BATCH_BEGIN, 0, 0, NULL);
			for (i = 0; i < bytes; i += step)
				iotlb(fd, VHOST_IOTLB_INVALIDATE, MAP_IOVA + i, step, NULL);
			if (messages)
				iotlb(fd, VHOST_IOTLB_BATCH_END, 0, 0, NULL);
		});
	}
	printf("chunks %zu\n", count_chunks(at, bytes));
	report("map", maps, n);
	report("unmap", unmaps, n);
	close(fd);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";

	node = argv[1];
	if (mlockall(MCL_CURRENT))
		err(1, "mlockall");
	calibrate();
	marking = getenv("MARK");
	if (marking && ioperm(0x80, 1, 1))
		err(1, "port 0x80");
	if (!strcmp(what, "calls"))
		calls();
	else if (!strcmp(what, "open"))
		opens();
	else if (!strcmp(what, "cycle") && argc == 4)
		cycle(atoi(argv[3]));
	else if ((!strcmp(what, "map") || !strcmp(what, "hot") || !strcmp(what, "message")) &&
		 argc == 5)
		map(what, argv[3], atol(argv[4]) * MIB);
	else
		errx(2, "usage: client NODE calls|open|cycle QUEUES|map|hot|message KIND MIBS");
	return 0;
}
