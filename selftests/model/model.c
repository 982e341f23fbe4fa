// SPDX-License-Identifier: GPL-2.0-only
/* What is done when no register is being answered. */
#include <errno.h>
#include <string.h>

#include "blk.h"
#include "net.h"
#include "pci.h"
#include "regs.h"
#include "wrong.h"

int model_init(struct model *m)
{
	bool net = m->set.class == REGS_NET;
	u64 nr = net ? 2 * m->set.pairs + 1 : m->set.queues;
	u64 max;
	int err;

	if (!nr || nr > QUEUES_MAX || m->set.vectors > VECTORS_MAX || !m->set.multiplier)
		return -EINVAL;
	m->nr_queues = nr;
	for (unsigned int i = 0; i < nr; i++) {
		max = m->sizes[i] ? m->sizes[i] : m->set.queue_size;
		if (!max || max > 32768)
			return -EINVAL;
		m->q[i].max = max;
	}
	regs_init(m);
	err = pci_init(m);
	if (err)
		return err;
	if (net)
		net_init(m);
	return net ? 0 : blk_init(m);
}

void model_end(struct model *m)
{
	for (u32 i = 0; i < VECTORS_MAX; i++)
		pci_set_irq(m, i, -1);
	if (m->set.class == REGS_BLK)
		blk_end(m);
}

/* A reset ends what is under way: whoever does DMA finds out at its next. */
int model_read(struct model *m, u64 addr, void *data, size_t len)
{
	return m->reset_due ? -ECANCELED : m->dma(m, false, addr, data, len);
}

int model_write(struct model *m, u64 addr, const void *data, size_t len)
{
	return m->reset_due ? -ECANCELED : m->dma(m, true, addr, (void *)data, len);
}

void model_work(struct model *m)
{
	regs_work(m);
	wrong_work(m);
	for (unsigned int i = 0; i < m->nr_queues && regs_running(m); i++) {
		struct queue *q = &m->q[i];

		if (!q->kicked || model_now() < q->due)
			continue;
		q->kicked = false;
		if (m->set.class == REGS_NET)
			net_queue(m, q);
		else
			blk_queue(m, q);
	}
	regs_work(m);
}

u64 model_next(const struct model *m)
{
	u64 next = UINT64_MAX;

	if (m->reset_due)
		next = m->reset_at;
	if (m->stray_until && next > model_now() + WRONG_EVERY_MS)
		next = model_now() + WRONG_EVERY_MS;
	for (unsigned int i = 0; i < m->nr_queues && regs_running(m); i++)
		if (m->q[i].kicked && m->q[i].due < next)
			next = m->q[i].due;
	for (unsigned int i = 0; i < m->nr_queues; i++)
		if (m->q[i].resetting && m->q[i].reset_at < next)
			next = m->q[i].reset_at;
	return next;
}
