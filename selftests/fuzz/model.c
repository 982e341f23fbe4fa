// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: the functions of our own making (selftests/model), all but the
 * process. The input is what they have to live with, in this order again and again:
 * a byte that says what, two bytes of length, and so many bytes. model_seeds.py
 * writes the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../model/net.h"
#include "../model/regs.h"
#include "../model/settings.h"
#include "../model/wire.h"
#include "../model/wrong.h"

#define BASE 0x100000ull
#define MEMORY 0x8000
#define STEPS 300

enum what { MESSAGE, RAM, FRAME, TIME, COMMAND, WORK, NR };

static struct model m;
static u8 memory[MEMORY];
static u64 now;
static unsigned int dmas;

u64 model_now(void)
{
	return now;
}

void model_log(struct model *model, const char *format, ...)
{
	(void)model;
	(void)format;
}

/* No more than a step can have use for: who loops is told that the memory has gone. */
static int dma(struct model *model, bool write, u64 addr, void *data, size_t len)
{
	(void)model;
	if (++dmas > 20000 || addr < BASE || addr - BASE > MEMORY || len > MEMORY - (addr - BASE))
		return -ENODEV;
	if (write)
		memcpy(memory + (addr - BASE), data, len);
	else
		memcpy(data, memory + (addr - BASE), len);
	return 0;
}

static void message(const u8 *data, size_t len)
{
	static u8 reply[WIRE_MAX + 64];
	struct wire_fds fds = { 0 };
	u8 *copy = malloc(len ? len : 1);

	if (!copy)
		return;
	memcpy(copy, data, len);
	if (wire_request(&m, copy, len, &fds, reply) > WIRE_MAX)
		abort();
	free(copy);
}

static void command(const u8 *data, size_t len)
{
	char line[200], answer[1024];

	len = len < sizeof(line) - 1 ? len : sizeof(line) - 1;
	memcpy(line, data, len);
	line[len] = '\0';
	/* It may be told to be a function that cannot be, but only before it is one; and texts are
	 * files. */
	if (!strncmp(line, "set", 3))
		return;
	wrong_command(&m, line, answer, sizeof(answer));
}

static void step(enum what what, const u8 *data, size_t len)
{
	u16 at;

	dmas = 0;
	switch (what) {
	case MESSAGE:
		message(data, len);
		break;
	case RAM:
		if (len < 2)
			break;
		memcpy(&at, data, 2);
		for (size_t i = 2; i < len; i++)
			memory[(at + i - 2) % MEMORY] = data[i];
		break;
	case FRAME:
		if (m.set.class == REGS_NET)
			net_receive(&m, data, len);
		break;
	case TIME:
		now += len;
		break;
	case COMMAND:
		command(data, len);
		break;
	default:
		break;
	}
	if (what != MESSAGE)
		model_work(&m);
	model_next(&m);
}

/* One byte says what it is: class, and features besides. */
static void make(u8 kind)
{
	memset(&m, 0, sizeof(m));
	memset(memory, 0, sizeof(memory));
	now = 1;
	m.net.fd = m.log_fd = -1;
	m.dma = dma;
	for (int i = 0; i < VECTORS_MAX; i++)
		m.irq_fd[i] = -1;
	settings_default(&m);
	m.set.class = kind & 1 ? REGS_BLK : REGS_NET;
	m.set.pairs = kind & 2 ? 2 : 1;
	m.set.queues = m.set.pairs;
	m.set.reorder = !!(kind & 4);
	m.set.ring_index = !!(kind & 8);
	m.set.stray_ms = kind & 16 ? 5 : 0;
	m.set.reset_ms = kind & 32 ? 5 : 0;
	m.more = BIT(F_RING_RESET) | BIT(F_SUSPEND) | BIT(F_RING_PACKED) | BIT(F_IN_ORDER);
	settings_finish(&m);
	if (m.set.class == REGS_BLK)
		m.file = (char *)"/dev/null";
	if (model_init(&m))
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u16 len;

	if (!size)
		return 0;
	make(data[0]);
	data++;
	size--;
	for (int steps = 0; size >= 3 && steps < STEPS; steps++) {
		memcpy(&len, data + 1, 2);
		if (len > size - 3)
			len = size - 3;
		step(data[0] % NR, data + 3, len);
		data += 3 + len;
		size -= 3 + len;
	}
	model_end(&m);
	return 0;
}
