// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions of our own making (selftests/model): messages that are none, registers
 * as virtio has them, rings that a driver has made well or badly. All but the process.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "../model/blk.h"
#include "../model/net.h"
#include "../model/pci.h"
#include "../model/queue.h"
#include "../model/regs.h"
#include "../model/settings.h"
#include "../model/wire.h"
#include "../model/wrong.h"
#include "test.h"

#define MEMORY 0x40000
#define BASE 0x100000ull
#define DESC BASE
#define AVAIL (BASE + 0x4000)
#define USED (BASE + 0x6000)
#define TABLE (BASE + 0x8000)
#define DATA (BASE + 0xa000)
#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT
#define NOTIFY_BAR 2

static struct model m;
static u8 memory[MEMORY];
static u64 now;
static int last_irq[2]; /* a pipe's ends stand for an eventfd */
static bool no_dma;

u64 model_now(void)
{
	return now;
}

void model_log(struct model *model, const char *format, ...)
{
	(void)model;
	(void)format;
}

static int dma(struct model *model, bool write, u64 addr, void *data, size_t len)
{
	(void)model;
	if (no_dma || addr < BASE || addr - BASE > MEMORY || len > MEMORY - (addr - BASE))
		return -ENODEV;
	memcpy(write ? memory + (addr - BASE) : data, write ? data : memory + (addr - BASE), len);
	return 0;
}

static void put(u64 addr, u64 value, int width)
{
	memcpy(memory + (addr - BASE), &value, width);
}

static u64 get(u64 addr, int width)
{
	u64 value = 0;

	memcpy(&value, memory + (addr - BASE), width);
	return value;
}

/* A function with these settings, "name value" each, up to NULL. */
static int make(const char *const *settings)
{
	model_end(&m);
	free(m.file);
	memset(&m, 0, sizeof(m));
	memset(memory, 0, sizeof(memory));
	no_dma = false;
	now = 1000;
	m.net.fd = m.log_fd = -1;
	m.dma = dma;
	for (int i = 0; i < VECTORS_MAX; i++)
		m.irq_fd[i] = -1;
	settings_default(&m);
	for (; settings && settings[0]; settings += 2)
		if (settings_set(&m, settings[0], settings[1]))
			return -EINVAL;
	settings_finish(&m);
	return model_init(&m);
}

static void reg_write(u32 offset, u64 value, int width)
{
	pci_write(&m, 0, offset, (u8 *)&value, width);
}

static u64 reg_read(u32 offset, int width)
{
	u64 value = 0;

	pci_read(&m, 0, offset, (u8 *)&value, width);
	return value;
}

static void set_up_queue(u16 index, u16 size)
{
	reg_write(22, index, 2);
	reg_write(24, size, 2);
	reg_write(26, index + 1, 2);
	reg_write(32, DESC, 8);
	reg_write(40, AVAIL, 8);
	reg_write(48, USED, 8);
	reg_write(28, 1, 2);
}

static void start(u64 features, u16 queue, u16 size)
{
	reg_write(20, 0, 1);
	now += m.set.reset_ms;
	model_work(&m);
	reg_write(20, 1, 1);
	reg_write(20, 3, 1);
	for (int i = 0; i < 2; i++) {
		reg_write(8, i, 4);
		reg_write(12, features >> (32 * i), 4);
	}
	reg_write(20, 11, 1);
	set_up_queue(queue, size);
	reg_write(20, 15, 1);
}

static void kick(u16 queue)
{
	pci_write(&m, NOTIFY_BAR, queue * m.set.multiplier, (u8 *)&queue, 2);
	model_work(&m);
}

static void desc(u64 table, int i, u64 addr, u32 len, u16 flags, u16 next)
{
	put(table + 16 * i, addr, 8);
	put(table + 16 * i + 8, len, 4);
	put(table + 16 * i + 12, flags, 2);
	put(table + 16 * i + 14, next, 2);
}

static void offer(u16 head, u16 idx, u16 size)
{
	put(AVAIL + 4 + 2 * (idx % size), head, 2);
	put(AVAIL + 2, idx + 1, 2);
}

#define V1 (BIT(F_VERSION_1) | BIT(F_ACCESS_PLATFORM))

/* -- messages ------------------------------------------------------------------------------ */

static u8 reply[WIRE_MAX + 64];

static size_t ask(u16 command, const void *body, size_t len, u32 flags)
{
	struct wire_header h = {
		.id = 7, .command = command, .size = sizeof(h) + len, .flags = flags
	};
	u8 *msg = malloc(sizeof(h) + len); /* ASan sees its end */
	struct wire_fds fds = { 0 };
	size_t n;

	memcpy(msg, &h, sizeof(h));
	if (len)
		memcpy(msg + sizeof(h), body, len);
	n = wire_request(&m, msg, sizeof(h) + len, &fds, reply);
	free(msg);
	return n;
}

static int error_of(void)
{
	struct wire_header h;

	memcpy(&h, reply, sizeof(h));
	return h.flags & WIRE_ERROR ? (int)h.error : 0;
}

static void wire_answers(void)
{
	const u8 version[8] = { 0 };
	u32 info[8] = { 32, 0, 0 };

	CHECK_EQ(make(NULL), 0);
	CHECK(ask(WIRE_VERSION, version, sizeof(version), 0) > 20);
	CHECK_EQ(error_of(), 0);
	CHECK_EQ(reply[ask(WIRE_VERSION, version, sizeof(version), 0) - 1], 0);
	CHECK_EQ(ask(WIRE_GET_REGION_INFO, info, sizeof(info), 0), 48);
	CHECK_EQ(ask(WIRE_DMA_MAP, info, sizeof(info), 0), 48);
	CHECK_EQ(ask(WIRE_DMA_MAP, info, sizeof(info), WIRE_NO_REPLY), 0);
}

static void wire_refuses(void)
{
	const u8 one = 1, wrong_version[4] = { 1 };
	u32 body[8] = { 0 };

	CHECK_EQ(make(NULL), 0);
	for (u16 command = 0; command < 40; command++) {
		CONTEXT("command %u", command);
		CHECK_EQ(ask(command, &one, 1, 0), 16 + (command == 2 || command == 3));
		if (command != WIRE_DMA_MAP && command != WIRE_DMA_UNMAP && command != WIRE_RESET)
			CHECK(error_of());
	}
	ask(WIRE_VERSION, wrong_version, sizeof(wrong_version), 0);
	CHECK_EQ(error_of(), EINVAL);
	body[2] = NR_REGIONS;
	ask(WIRE_GET_REGION_INFO, body, sizeof(body), 0);
	CHECK_EQ(error_of(), EINVAL);
	ask(WIRE_GET_IRQ_INFO, body, 16, 0);
	CHECK_EQ(error_of(), EINVAL);
}

static void wire_bounds(void)
{
	static const struct {
		u64 offset;
		u32 region, count;
		int error;
	} accesses[] = { { 0, REGION_CONFIG, 4096, 0 },	      { 1, REGION_CONFIG, 4096, EINVAL },
			 { 4095, REGION_CONFIG, 1, 0 },	      { 4096, REGION_CONFIG, 1, EINVAL },
			 { 0, REGION_CONFIG, 0, EINVAL },     { ~0ull, REGION_CONFIG, 2, EINVAL },
			 { 0, 0, 0xffffffff, EINVAL },	      { 0, 5, 1, EINVAL },
			 { 0, NR_REGIONS, 1, EINVAL },	      { 62, 0, 4, 0 },
			 { ~0ull - 3, 0, 0xffffffff, EINVAL } };
	u8 body[20] = { 0 };

	CHECK_EQ(make(NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(accesses); i++) {
		CONTEXT("case %zu", i);
		memcpy(body, &accesses[i].offset, 8);
		memcpy(body + 8, &accesses[i].region, 4);
		memcpy(body + 12, &accesses[i].count, 4);
		ask(WIRE_REGION_READ, body, 16, 0);
		CHECK_EQ(error_of(), accesses[i].error);
		/* as many bytes as are announced have to be there */
		ask(WIRE_REGION_WRITE, body, 16, 0);
		CHECK_EQ(error_of(), EINVAL);
	}
}

static void wire_irqs(void)
{
	u32 body[5] = { 20, 4 | 32, 2, 0, 1 };

	CHECK_EQ(make(NULL), 0);
	ask(WIRE_SET_IRQS, body, sizeof(body), 0);
	CHECK_EQ(error_of(), 0);
	body[3] = m.set.vectors;
	ask(WIRE_SET_IRQS, body, sizeof(body), 0);
	CHECK_EQ(error_of(), EINVAL);
	body[3] = 1;
	body[4] = 0xffffffff;
	ask(WIRE_SET_IRQS, body, sizeof(body), 0);
	CHECK_EQ(error_of(), EINVAL);
}

/* -- PCI and registers --------------------------------------------------------------------- */

static void capabilities(void)
{
	static const char *const many[] = { "pairs", "512", "vectors", "1026", "ats", "1",
					    "pasid", "1",   "af",      "1",    NULL };
	u8 at;
	int nr, virtio;

	for (int round = 0; round < 2; round++) {
		CHECK_EQ(make(round ? many : NULL), 0);
		nr = virtio = 0;
		for (at = m.pci[PCI_CAPABILITY_LIST]; at && nr < 20; at = m.pci[at + 1], nr++) {
			u32 offset, length;

			if (m.pci[at] != PCI_CAP_ID_VNDR)
				continue;
			memcpy(&offset, m.pci + at + 8, 4);
			memcpy(&length, m.pci + at + 12, 4);
			CHECK(offset + length <= pci_region_size(&m, m.pci[at + 4]));
			virtio++;
		}
		CHECK_EQ(nr, round ? 7 : 6);
		CHECK_EQ(virtio, 4);
	}
	CHECK_EQ(reg_read(18, 2), 1025);
}

/* What the driver reads of the configuration space, its capabilities made by this seed. */
static void read_mangled(const char *seed, u8 *pci)
{
	CHECK_EQ(settings_set(&m, "caps_seed", seed), 0);
	pci_read(&m, REGION_CONFIG, 0, pci, sizeof(m.pci));
}

/* Of all that a seed may make, each kind comes within a few; the chain stays. */
static void mangled(void)
{
	unsigned int missing = 0, outside = 0, same = 0;
	u8 good[sizeof(m.pci)] = {}, pci[sizeof(m.pci)] = {}, again[sizeof(m.pci)] = {};
	char seed[24];

	CHECK_EQ(make(NULL), 0);
	read_mangled("0", good);
	for (unsigned int i = 1; i <= 200; i++) {
		unsigned int types = 0, nr = 0;
		u8 at = good[PCI_CAPABILITY_LIST];

		snprintf(seed, sizeof(seed), "%u", i);
		read_mangled(seed, pci);
		same += !memcmp(good, pci, sizeof(good));
		for (; at && nr < 20; nr++, at = pci[at + 1]) {
			u32 bar = pci[at + 4], offset, length;

			CHECK_EQ(pci[at], good[at]);
			CHECK_EQ(pci[at + 1], good[at + 1]);
			if (pci[at] != PCI_CAP_ID_VNDR)
				continue;
			memcpy(&offset, pci + at + 8, 4);
			memcpy(&length, pci + at + 12, 4);
			types |= pci[at + 3] < 5 ? 1u << pci[at + 3] : 0;
			outside += bar > 5 || (u64)offset + length > m.bar_size[bar];
		}
		CHECK(nr < 20);
		missing += (types & 0x1e) != 0x1e;
		/* Honest, and the same once more. */
		read_mangled("0", again);
		CHECK(!memcmp(good, again, sizeof(good)));
		read_mangled(seed, again);
		CHECK(!memcmp(pci, again, sizeof(pci)));
	}
	CHECK(missing > 20 && missing < 180);
	CHECK(outside > 20);
	CHECK(same < 40);
}

static void places(void)
{
	static const char *const moved[] = { "common", "4:0x10000", "doorbells", "0:0x0", "isr",
					     "5:0x0",  "config",    "1:0x4000",	 "bar64", "0",
					     "msix",   "3:0x800",   NULL };
	static const char *const bad[] = { "doorbells", "2:0", "common", "3:0", NULL };
	u8 status = 1;

	CHECK_EQ(make(moved), 0);
	pci_write(&m, 4, 0x10014, &status, 1);
	CHECK_EQ(m.status, 1);
	/* BAR 2 is one of 64 bits: there is no BAR 3 */
	CHECK(make(bad));
}

static void settings_are_checked(void)
{
	CHECK_EQ(make(NULL), 0);
	CHECK_EQ(settings_set(&m, "nothing", "1"), -ENOENT);
	CHECK_EQ(settings_set(&m, "pairs", "many"), -EINVAL);
	CHECK_EQ(settings_set(&m, "pairs", ""), -EINVAL);
	CHECK_EQ(settings_set(&m, "common", "6:0"), -EINVAL);
	CHECK_EQ(settings_set(&m, "common", "1"), -EINVAL);
	CHECK_EQ(settings_set(&m, "size_1025", "1"), -EINVAL);
	CHECK_EQ(settings_set(&m, "size_0", "32769"), -EINVAL);
	CHECK_EQ(settings_set(&m, "size_0", "32768"), 0);
	CHECK_EQ(settings_set(&m, "more", "0x800000000"), 0);
	CHECK_EQ(m.more, BIT(F_IN_ORDER));
}

static void negotiation(void)
{
	static const char *const picky[] = { "demand", "0x1000000000", "more", "0x1000000000",
					     NULL };

	CHECK_EQ(make(NULL), 0);
	start(V1, 0, 16);
	CHECK_EQ(reg_read(20, 1), 15);
	/* what is not offered */
	reg_write(20, 0, 1);
	reg_write(8, 1, 4);
	reg_write(12, 1 | 0x80, 4);
	reg_write(20, 11, 1);
	CHECK_EQ(reg_read(20, 1), 3);
	/* what it insists on */
	CHECK_EQ(make(picky), 0);
	start(V1, 0, 16);
	CHECK(!(reg_read(20, 1) & 8));
	start(V1 | BIT(F_ORDER_PLATFORM), 0, 16);
	CHECK_EQ(reg_read(20, 1), 15);
}

static void resets(void)
{
	static const char *const slow[] = { "reset_ms", "500", NULL };
	const u8 flr[2] = { 0, 0x80 };

	CHECK_EQ(make(slow), 0);
	start(V1, 0, 16);
	reg_write(20, 0, 1);
	CHECK_EQ(reg_read(20, 1), 15);
	now += 499;
	model_work(&m);
	CHECK_EQ(reg_read(20, 1), 15);
	CHECK_EQ(model_next(&m), now + 1);
	now++;
	model_work(&m);
	CHECK_EQ(reg_read(20, 1), 0);
	m.set.reset_ms = 0;
	start(V1, 0, 16);
	m.pci[PCI_COMMAND] = 6;
	pci_write(&m, REGION_CONFIG, m.pcie + PCI_EXP_DEVCTL, flr, 2);
	CHECK_EQ(reg_read(20, 1), 0);
	CHECK_EQ(m.pci[PCI_COMMAND], 0);
	/* in the middle of a DMA it waits for its end */
	m.in_dma = 1;
	m.status = 15;
	reg_write(20, 0, 1);
	CHECK_EQ(reg_read(20, 1), 15);
	CHECK_EQ(model_write(&m, BASE, memory, 1), -ECANCELED);
	m.in_dma = 0;
	model_work(&m);
	CHECK_EQ(reg_read(20, 1), 0);
}

static void gone(void)
{
	CHECK_EQ(make(NULL), 0);
	CHECK_EQ(settings_set(&m, "ones", "1"), 0);
	CHECK_EQ(reg_read(20, 1), 0xff);
	CHECK_EQ(m.set.vanish, 0);
}

/* -- rings --------------------------------------------------------------------------------- */

static void commands(void)
{
	CHECK_EQ(make(NULL), 0);
	start(V1 | net_features(&m), 2, 16);
	CHECK(m.net.promisc);
	put(DATA, 0, 1);     /* receive mode */
	put(DATA + 1, 0, 1); /* promiscuous */
	put(DATA + 2, 0, 1); /* off */
	put(DATA + 16, 9, 1);
	desc(DESC, 3, DATA, 2, NEXT, 5);
	desc(DESC, 5, DATA + 2, 1, NEXT, 0);
	desc(DESC, 0, DATA + 16, 1, WRITE, 0);
	offer(3, 0, 16);
	kick(2);
	CHECK_EQ(get(USED + 2, 2), 1);
	CHECK_EQ(get(USED + 4, 4), 3);
	CHECK_EQ(get(DATA + 16, 1), VIRTIO_NET_OK);
	CHECK(!m.net.promisc);
	/* indirect, and a command that is none */
	put(DATA, 77, 1);
	desc(TABLE, 0, DATA, 3, NEXT, 1);
	desc(TABLE, 1, DATA + 16, 1, WRITE, 0);
	desc(DESC, 1, TABLE, 32, INDIRECT, 0);
	offer(1, 1, 16);
	kick(2);
	CHECK_EQ(get(USED + 2, 2), 2);
	CHECK_EQ(get(DATA + 16, 1), VIRTIO_NET_ERR);
	/* mute: used, and nothing written */
	m.set.wrong_queue = 2;
	m.set.mute = 1;
	put(DATA + 16, 9, 1);
	offer(1, 2, 16);
	kick(2);
	CHECK_EQ(get(USED + 2, 2), 3);
	CHECK_EQ(get(DATA + 16, 1), 9);
	m.set.mute = 0;
	m.set.twice = 1;
	offer(1, 3, 16);
	kick(2);
	CHECK_EQ(get(USED + 2, 2), 5);
}

static void filters(void)
{
	static const u8 other[14] = { 2, 0, 0, 0, 0, 9 }, own[14] = { 0x52, 0x54, 0, 0, 0, 1 };
	static const char *const small[] = { "filters", "1", NULL };
	u8 tagged[18] = { 0x52, 0x54, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x81, 0, 0, 5 };

	CHECK_EQ(make(small), 0);
	start(V1 | net_features(&m), 2, 16);
	CHECK(net_wants(&m, other, sizeof(other)));
	m.net.promisc = false;
	CHECK(!net_wants(&m, other, sizeof(other)));
	CHECK(net_wants(&m, own, sizeof(own)));
	CHECK(!net_wants(&m, tagged, sizeof(tagged)));
	m.net.vlans[0] = 1 << 5;
	CHECK(net_wants(&m, tagged, sizeof(tagged)));
	CHECK(!net_wants(&m, own, 13));
	/* two addresses, room for one */
	memset(memory + (DATA - BASE), 0, 64);
	put(DATA, 1, 1);
	put(DATA + 2, 2, 4);
	desc(DESC, 0, DATA, 2 + 4 + 12 + 4, NEXT, 1);
	desc(DESC, 1, DATA + 64, 1, WRITE, 0);
	offer(0, 0, 16);
	kick(2);
	CHECK_EQ(get(DATA + 64, 1), VIRTIO_NET_OK);
	CHECK(net_wants(&m, other, sizeof(other)));
	/* the first table claims more than there is */
	put(DATA + 2, 0xffffffff, 4);
	offer(0, 1, 16);
	kick(2);
	CHECK_EQ(get(DATA + 64, 1), VIRTIO_NET_ERR);
}

static void receives(void)
{
	u8 frame[60];

	memset(frame, 0xab, sizeof(frame));
	CHECK_EQ(make(NULL), 0);
	start(V1 | net_features(&m), 0, 4);
	net_receive(&m, frame, sizeof(frame)); /* no buffer */
	CHECK_EQ(get(USED + 2, 2), 0);
	desc(DESC, 0, DATA, 40, NEXT | WRITE, 1);
	desc(DESC, 1, DATA + 40, 40, WRITE, 0);
	offer(0, 0, 4);
	net_receive(&m, frame, sizeof(frame));
	CHECK_EQ(get(USED + 2, 2), 1);
	CHECK_EQ(get(USED + 8, 4), 72);
	CHECK_EQ(get(DATA + 10, 2), 1);
	CHECK_EQ(get(DATA + 71, 1), 0xab);
	/* too short: it stays where it is */
	desc(DESC, 0, DATA, 40, WRITE, 0);
	offer(0, 1, 4);
	net_receive(&m, frame, sizeof(frame));
	CHECK_EQ(get(USED + 2, 2), 1);
	CHECK_EQ(m.q[0].next_avail, 1);
}

/* Each ends with the queue at rest until reset, and nothing used. */
static void nonsense(void)
{
	for (int i = 0; i < 9; i++) {
		CONTEXT("kind %d", i);
		CHECK_EQ(make(NULL), 0);
		start(V1 | net_features(&m), 2, 16);
		desc(DESC, 0, DATA, 3, NEXT, 1);
		desc(DESC, 1, DATA + 16, 1, WRITE, 0);
		offer(0, 0, 16);
		switch (i) {
		case 0:
			desc(DESC, 1, DATA, 1, NEXT, 0); /* loop */
			break;
		case 1:
			desc(DESC, 0, DATA, 3, NEXT, 16);
			break;
		case 2:
			offer(16, 0, 16);
			break;
		case 3:
			put(AVAIL + 2, 17, 2);
			break;
		case 4:
			desc(DESC, 0, DATA, 3, NEXT | WRITE, 1);
			desc(DESC, 1, DATA, 3, 0, 0);
			break;
		case 5:
			desc(DESC, 0, TABLE, 15, INDIRECT, 0);
			break;
		case 6:
			desc(DESC, 0, TABLE, 16 * (PART_MAX + 1), INDIRECT, 0);
			break;
		case 7:
			desc(DESC, 0, TABLE, 16, INDIRECT, 0);
			desc(TABLE, 0, DATA, 1, NEXT, 0);
			break;
		case 8:
			desc(DESC, 0, 0x10, 3, 0, 0); /* not mapped */
			break;
		}
		kick(2);
		CHECK(m.q[2].broken);
		CHECK_EQ(get(USED + 2, 2), 0);
		reg_write(20, 0, 1);
		CHECK(!m.q[2].broken);
	}
}

/* The second chain begins where the first ended, whatever the available ring says. */
static void in_order(void)
{
	static const char *const with[] = { "more", "0x800000000", NULL };

	CHECK_EQ(make(with), 0);
	start(V1 | BIT(F_IN_ORDER) | net_features(&m), 2, 4);
	for (int i = 0; i < 2; i++) {
		desc(DESC, 2 * i, DATA, 3, NEXT, 2 * i + 1);
		desc(DESC, 2 * i + 1, DATA + 16 + i, 1, WRITE, 0);
	}
	put(DATA + 16, 0x0909, 2);
	for (int i = 0; i < 3; i++) {
		put(AVAIL + 2, i + 1, 2);
		kick(2);
		CHECK_EQ(get(USED + 4 + 8 * i, 4), i * 2 % 4);
	}
	CHECK_EQ(get(DATA + 16, 2), 0);
	CHECK_EQ(get(USED + 2, 2), 3);
	/* and a chain that does not go on in order is none */
	desc(DESC, 2, DATA, 3, NEXT, 1);
	put(AVAIL + 2, 4, 2);
	kick(2);
	CHECK(m.q[2].broken);
}

static void packed(void)
{
	static const char *const with[] = { "more", "0x400000000", NULL };
	u16 flags;

	CHECK_EQ(make(with), 0);
	start(V1 | BIT(F_RING_PACKED) | net_features(&m), 2, 4);
	/* twice round a ring of four, two descriptors each */
	for (int i = 0; i < 4; i++) {
		u64 at = DESC + 16 * (2 * i % 4);

		CONTEXT("chain %d", i);
		flags = i < 2 ? 0x80 : 0x8000;
		put(at, DATA, 8);
		put(at + 8, 3, 4);
		put(at + 16, DATA + 16, 8);
		put(at + 24, 1, 4);
		put(at + 28, 40 + i, 2);
		put(at + 30, flags | WRITE, 2);
		put(DATA + 16, 9, 1);
		put(at + 14, flags | NEXT, 2);
		kick(2);
		CHECK_EQ(get(at + 12, 2), 40 + i);
		CHECK_EQ(get(at + 14, 2) & 0x8080, i < 2 ? 0x8080 : 0);
		CHECK_EQ(get(DATA + 16, 1), 0);
	}
}

static void events(void)
{
	int before;

	CHECK_EQ(make(NULL), 0);
	CHECK(!pipe(last_irq));
	pci_set_irq(&m, 3, last_irq[1]);
	start(V1 | BIT(F_EVENT_IDX) | net_features(&m), 2, 16);
	desc(DESC, 0, DATA, 3, NEXT, 1);
	desc(DESC, 1, DATA + 16, 1, WRITE, 0);
	put(AVAIL + 4 + 32, 1, 2); /* not before the second */
	before = m.irqs;
	offer(0, 0, 16);
	kick(2);
	CHECK_EQ(m.irqs, before);
	model_work(&m);
	CHECK_EQ(get(USED + 4 + 8 * 16, 2), 1); /* from where on it has to kick */
	offer(0, 1, 16);
	kick(2);
	CHECK_EQ(m.irqs, before + 1);
	pci_set_irq(&m, 3, -1);
	close(last_irq[0]);
}

static void disk(void)
{
	char path[] = "/tmp/model-XXXXXX";
	const char *const with[] = {
		"class", "2", "file", path, "reorder", "1", "name", "d", NULL
	};
	int fd = mkstemp(path);

	CHECK(fd >= 0 && !ftruncate(fd, 4096));
	close(fd);
	CHECK_EQ(make(with), 0);
	CHECK_EQ(m.blk.sectors, 8);
	start(V1, 0, 16);
	for (int i = 0; i < 3; i++) { /* write, read, read beyond */
		put(DATA + 0x1000 * i, i ? 0 : 1, 4);
		put(DATA + 0x1000 * i + 8, i == 2 ? 8 : 0, 8);
		put(DATA + 0x1000 * i + 16, 9, 1);
		desc(DESC, 3 * i, DATA + 0x1000 * i, 16, NEXT, 3 * i + 1);
		desc(DESC, 3 * i + 1, DATA + 0x1000 * i + 0x200, 512, NEXT | (i ? WRITE : 0),
		     3 * i + 2);
		desc(DESC, 3 * i + 2, DATA + 0x1000 * i + 16, 1, WRITE, 0);
	}
	put(DATA + 0x200, 0x1234, 4);
	offer(0, 0, 16);
	kick(0);
	CHECK_EQ(get(DATA + 16, 1), 0);
	offer(3, 1, 16);
	offer(6, 2, 16);
	kick(0);
	CHECK_EQ(get(DATA + 0x1010, 1), 0);
	CHECK_EQ(get(DATA + 0x1200, 4), 0x1234);
	CHECK_EQ(get(DATA + 0x2010, 1), 1);
	/* the last was answered first */
	CHECK_EQ(get(USED + 4 + 8, 4), 6);
	CHECK_EQ(get(USED + 4 + 16, 4), 3);
	unlink(path);
}

static void strays(void)
{
	static const char *const with[] = { "stray_ms", "10", NULL };

	CHECK_EQ(make(with), 0);
	start(V1 | net_features(&m), 2, 16);
	desc(DESC, 0, DATA, 3, NEXT, 1);
	desc(DESC, 1, DATA + 16, 1, WRITE, 0);
	offer(0, 0, 16);
	kick(2);
	reg_write(20, 0, 1);
	put(DATA + 16, 0, 1);
	model_work(&m);
	CHECK_EQ(get(DATA + 16, 1), 0x5a);
	CHECK_EQ(m.strays, 1);
	no_dma = true;
	model_work(&m);
	CHECK_EQ(m.strays_refused, 1);
	now += 11;
	model_work(&m);
	CHECK_EQ(m.stray_until, 0);
}

static void told(void)
{
	char answer[100];
	char ask_write[] = " write 0x100000 0x77 4", far[] = "write 0x10 1 4", what[] = "dance",
	     look[] = "read 0x100000 2";

	CHECK_EQ(make(NULL), 0);
	wrong_command(&m, ask_write, answer, sizeof(answer));
	CHECK_EQ(answer[0], 0);
	CHECK_EQ(get(BASE, 4), 0x77777777);
	wrong_command(&m, look, answer, sizeof(answer));
	CHECK(!strcmp(answer, "7777"));
	wrong_command(&m, far, answer, sizeof(answer));
	CHECK(!strcmp(answer, "error 19"));
	wrong_command(&m, what, answer, sizeof(answer));
	CHECK(!strcmp(answer, "error 38"));
}

static const struct test_case cases[] = {
	{ "messages are answered", wire_answers },
	{ "messages that are none are refused", wire_refuses },
	{ "reads and writes stay within their region", wire_bounds },
	{ "interrupts are set within bounds", wire_irqs },
	{ "capabilities lie within their BARs", capabilities },
	{ "capabilities as no function should have them", mangled },
	{ "regions lie where they are told to", places },
	{ "settings are checked", settings_are_checked },
	{ "features: not offered, demanded", negotiation },
	{ "reset: at once, slow, FLR, during a DMA", resets },
	{ "all ones", gone },
	{ "control commands, answers that are wrong", commands },
	{ "filters, and their overflow", filters },
	{ "frames", receives },
	{ "nonsense in rings", nonsense },
	{ "IN_ORDER is read strictly", in_order },
	{ "packed rings", packed },
	{ "EVENT_IDX", events },
	{ "disk, out of order", disk },
	{ "stray writes", strays },
	{ "commands at run time", told },
};

int main(void)
{
	m.net.fd = -1;
	for (int i = 0; i < VECTORS_MAX; i++)
		m.irq_fd[i] = -1;
	return run_cases(cases, ARRAY_SIZE(cases));
}
