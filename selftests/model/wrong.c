// SPDX-License-Identifier: GPL-2.0-only
/*
 * What no driver asked for: DMA to anywhere at any time, interrupts, writes that
 * go on after a reset; and the commands by which a test has it do so.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pci.h"
#include "regs.h"
#include "settings.h"
#include "wrong.h"

#define PATTERN 0x5a
#define DMA_MAX 65536

/* To the buffers that it was last given, and the used rings, whoever has that memory now. */
static void wrong_stray(struct model *m)
{
	u8 pattern[16];
	unsigned int nr, ok = 0, refused = 0;

	memset(pattern, PATTERN, sizeof(pattern));
	for (unsigned int i = 0; i < m->nr_queues; i++) {
		struct queue *q = &m->q[i];

		nr = q->nr_seen < SEEN_MAX ? q->nr_seen : SEEN_MAX;
		for (unsigned int k = 0; k < nr; k++) {
			struct buffer *b = &q->seen[k];
			size_t len = b->len < sizeof(pattern) ? b->len : sizeof(pattern);

			if (m->dma(m, true, b->addr, pattern, len))
				refused++;
			else
				ok++;
		}
	}
	m->strays += ok;
	m->strays_refused += refused;
}

void wrong_work(struct model *m)
{
	if (!m->stray_until)
		return;
	wrong_stray(m);
	if (model_now() < m->stray_until)
		return;
	m->stray_until = 0;
	model_log(m, "stray writes: %llu taken, %llu refused", m->strays, m->strays_refused);
}

/* -- commands ------------------------------------------------------------------------------ */

/* The next number of a command. */
static bool wrong_number(char **words, u64 *value)
{
	const char *word = strtok_r(NULL, " ", words);
	char *end;

	if (!word)
		return false;
	*value = strtoull(word, &end, 0);
	return !*end;
}

/* set NAME VALUE */
static int wrong_set(struct model *m, char **words, char *answer, size_t size)
{
	const char *name = strtok_r(NULL, " ", words), *value = strtok_r(NULL, " ", words);

	(void)answer;
	(void)size;
	return name && value ? settings_set(m, name, value) : -EINVAL;
}

/* write ADDRESS BYTE COUNT: by DMA; 0 or an error of QEMU's */
static int wrong_write(struct model *m, char **words, char *answer, size_t size)
{
	u64 addr, byte, count;
	u8 *data;
	int err;

	(void)answer;
	(void)size;
	if (!wrong_number(words, &addr) || !wrong_number(words, &byte) ||
	    !wrong_number(words, &count) || !count || count > DMA_MAX)
		return -EINVAL;
	data = malloc(count);
	if (!data)
		return -ENOMEM;
	memset(data, byte, count);
	err = m->dma(m, true, addr, data, count);
	free(data);
	return err;
}

/* write32 ADDRESS VALUE: in one go, as a message-signalled interrupt is */
static int wrong_write32(struct model *m, char **words, char *answer, size_t size)
{
	u64 addr, value;
	u32 data;

	(void)answer;
	(void)size;
	if (!wrong_number(words, &addr) || !wrong_number(words, &value))
		return -EINVAL;
	data = value;
	return m->dma(m, true, addr, &data, sizeof(data));
}

/* read ADDRESS COUNT: in hexadecimal */
static int wrong_read(struct model *m, char **words, char *answer, size_t size)
{
	u8 data[64];
	u64 addr, count;
	int err;

	if (!wrong_number(words, &addr) || !wrong_number(words, &count) || !count ||
	    count > sizeof(data) || size <= 2 * count)
		return -EINVAL;
	err = m->dma(m, false, addr, data, count);
	for (u64 i = 0; !err && i < count; i++)
		snprintf(answer + 2 * i, size - 2 * i, "%02x", data[i]);
	return err;
}

/* interrupt VECTOR */
static int wrong_interrupt(struct model *m, char **words, char *answer, size_t size)
{
	u64 vector;

	(void)answer;
	(void)size;
	if (!wrong_number(words, &vector) || vector >= m->set.vectors)
		return -EINVAL;
	pci_irq(m, vector);
	return 0;
}

/* config OFFSET VALUE WIDTH: the device changes it, and says so */
static int wrong_config(struct model *m, char **words, char *answer, size_t size)
{
	u64 offset, value, width;

	(void)answer;
	(void)size;
	if (!wrong_number(words, &offset) || !wrong_number(words, &value) ||
	    !wrong_number(words, &width) || width > 8 || offset > sizeof(m->config) - 8)
		return -EINVAL;
	memcpy(m->config + offset, &value, width);
	regs_config_changed(m);
	return 0;
}

/* pci OFFSET VALUE WIDTH: configuration space, past what is fixed there */
static int wrong_pci(struct model *m, char **words, char *answer, size_t size)
{
	u64 offset, value, width;

	(void)answer;
	(void)size;
	if (!wrong_number(words, &offset) || !wrong_number(words, &value) ||
	    !wrong_number(words, &width) || width > 8 || offset > sizeof(m->pci) - 8)
		return -EINVAL;
	memcpy(m->pci + offset, &value, width);
	return 0;
}

/* buffers QUEUE: address and length of those that it could last write to */
static int wrong_buffers(struct model *m, char **words, char *answer, size_t size)
{
	const struct queue *q;
	unsigned int nr;
	size_t at = 0;
	u64 index;

	if (!wrong_number(words, &index) || index >= m->nr_queues)
		return -EINVAL;
	q = &m->q[index];
	nr = q->nr_seen < SEEN_MAX ? q->nr_seen : SEEN_MAX;
	for (unsigned int i = 0; i < nr && at < size; i++)
		at += snprintf(answer + at, size - at, "%#llx %u ", q->seen[i].addr,
			       q->seen[i].len);
	return 0;
}

/* queue QUEUE: how it stands */
static int wrong_queue(struct model *m, char **words, char *answer, size_t size)
{
	const struct queue *q;
	u64 index;

	if (!wrong_number(words, &index) || index >= m->nr_queues)
		return -EINVAL;
	q = &m->q[index];
	snprintf(answer, size,
		 "enabled %d broken %d resetting %d size %u avail %u used %u vector %u desc %#llx "
		 "driver %#llx "
		 "device %#llx",
		 q->enabled, q->broken, q->resetting, q->size, q->next_avail, q->next_used,
		 q->vector, q->desc, q->avail, q->used);
	return 0;
}

/* state: of everything else */
static int wrong_state(struct model *m, char **words, char *answer, size_t size)
{
	const struct net *n = &m->net;

	(void)words;
	snprintf(answer, size,
		 "status %u features %#llx resets %llu interrupts %llu strays %llu refused %llu "
		 "mac %02x:%02x:%02x:%02x:%02x:%02x promisc %d allmulti %d pairs %u overflow %d "
		 "unicast %u multicast %u in %llu out %llu commands %llu",
		 m->status, m->driver_features, m->epoch, m->irqs, m->strays, m->strays_refused,
		 n->mac[0], n->mac[1], n->mac[2], n->mac[3], n->mac[4], n->mac[5], n->promisc,
		 n->allmulti, n->pairs, n->overflow || n->multi_overflow, n->nr_uni, n->nr_multi,
		 n->frames_in, n->frames_out, n->commands);
	return 0;
}

/* needs_reset SERVES: it asks to be reset, and answers requests until then, or does not */
static int wrong_needs_reset(struct model *m, char **words, char *answer, size_t size)
{
	u64 serves;

	(void)answer;
	(void)size;
	if (!wrong_number(words, &serves))
		return -EINVAL;
	m->serves = serves;
	regs_needs_reset(m);
	return 0;
}

/* die: the process ends, and QEMU reads all ones from then on */
static int wrong_die(struct model *m, char **words, char *answer, size_t size)
{
	(void)words;
	(void)answer;
	(void)size;
	model_log(m, "dies");
	m->gone = true;
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct model *m, char **words, char *answer, size_t size);
} commands[] = {
	{ "set", wrong_set },
	{ "write", wrong_write },
	{ "write32", wrong_write32 },
	{ "read", wrong_read },
	{ "interrupt", wrong_interrupt },
	{ "config", wrong_config },
	{ "pci", wrong_pci },
	{ "buffers", wrong_buffers },
	{ "queue", wrong_queue },
	{ "state", wrong_state },
	{ "needs_reset", wrong_needs_reset },
	{ "die", wrong_die },
};

void wrong_command(struct model *m, char *line, char *answer, size_t size)
{
	char *words, *name = strtok_r(line, " ", &words);
	int err = -ENOSYS;

	answer[0] = '\0';
	for (size_t i = 0; name && i < ARRAY_LEN(commands); i++)
		if (!strcmp(name, commands[i].name))
			err = commands[i].run(m, &words, answer, size);
	if (err)
		snprintf(answer, size, "error %d", -err);
	model_log(m, "did %s: %s", name ? name : "nothing", answer);
}
