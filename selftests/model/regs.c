// SPDX-License-Identifier: GPL-2.0-only
/* virtio-pci's registers (virtio 1.3, 4.1.4), status and reset. */
#include <linux/virtio_pci.h>
#include <string.h>

#include "net.h"
#include "pci.h"
#include "regs.h"

#define ISR_QUEUE 1
#define ISR_CONFIG 2
#define LM_RINGS 0x20

/* As it lies in the BAR. */
struct common {
	u32 device_select, device_features, driver_select, driver_features;
	u16 config_vector, num_queues;
	u8 status, generation;
	u16 queue_select, size, vector, enable, notify_off;
	u32 desc[2], avail[2], used[2];
	u16 notify_data, reset;
	u16 admin[2];
};

_Static_assert(sizeof(struct common) == REGS_COMMON_SIZE, "as the specification has it");

static void queue_forget(struct queue *q)
{
	q->size = q->max;
	q->vector = NO_VECTOR;
	q->enabled = q->resetting = q->broken = q->kicked = false;
	q->desc = q->avail = q->used = 0;
	q->next_avail = q->next_used = q->told = q->next_desc = 0;
	q->avail_wrap = q->used_wrap = true;
	q->due = 0;
}

void regs_init(struct model *m)
{
	for (unsigned int i = 0; i < m->nr_queues; i++) {
		m->q[i].index = i;
		queue_forget(&m->q[i]);
	}
	m->config_vector = NO_VECTOR;
}

bool regs_running(const struct model *m)
{
	return m->status & S_DRIVER_OK && (!(m->status & S_NEEDS_RESET) || m->serves) &&
	       !m->reset_due;
}

static struct queue *regs_queue(struct model *m)
{
	return m->queue_select < m->nr_queues ? &m->q[m->queue_select] : NULL;
}

static void regs_split(u32 out[2], u64 value)
{
	out[0] = value;
	out[1] = value >> 32;
}

void regs_read_common(struct model *m, u64 offset, u8 *data, u32 len)
{
	const struct queue *q = regs_queue(m);
	struct common c = {
		.device_select = m->device_select,
		.driver_select = m->driver_select,
		.config_vector = m->config_vector,
		.num_queues = m->set.claims ? m->set.claims : m->nr_queues,
		.status = m->status,
		.generation = m->set.unsettled ? m->generation++ : m->generation,
		.queue_select = m->queue_select,
	};

	if (m->device_select < 2)
		c.device_features = m->set.features >> (32 * m->device_select);
	if (m->driver_select < 2)
		c.driver_features = m->driver_features >> (32 * m->driver_select);
	if (q) {
		c.size = q->size;
		c.vector = q->vector;
		c.enable = q->enabled && !m->set.no_enable;
		c.notify_off = m->set.same_doorbell ? 0 : q->index;
		regs_split(c.desc, q->desc);
		regs_split(c.avail, q->avail);
		regs_split(c.used, q->used);
		c.notify_data = q->index;
		c.reset = q->resetting;
	}
	if (offset < sizeof(c) && len <= sizeof(c) - offset)
		memcpy(data, (u8 *)&c + offset, len);
}

/* The driver has something for a queue; a slow device looks later. */
static void regs_kick(struct model *m, struct queue *q)
{
	bool control = m->set.class == REGS_NET && q->index == net_control_index(m);

	if (!q->kicked)
		q->due = model_now() + (control ? m->set.command_ms : m->set.delay_ms);
	q->kicked = true;
}

static void regs_set_status(struct model *m, u8 status)
{
	u64 missing = m->set.demand & ~m->driver_features;
	bool suspend = m->driver_features & BIT(F_SUSPEND);

	model_log(m, "status %#x", status);
	if (!status) {
		regs_ask_reset(m, false);
		return;
	}
	if (m->reset_due)
		return;
	if (status & S_FEATURES_OK && !(m->status & S_FEATURES_OK) &&
	    (m->driver_features & (~m->set.features | m->set.refuse) || missing)) {
		model_log(m, "features %#llx refused", m->driver_features);
		status &= ~S_FEATURES_OK;
	}
	/* Suspended, DRIVER_OK does not read as set; written again, it goes on. */
	if (suspend && status & S_SUSPEND && m->status & S_DRIVER_OK) {
		m->status = (status | S_SUSPEND) & ~S_DRIVER_OK;
		return;
	}
	if (status & S_DRIVER_OK && !(m->status & S_DRIVER_OK) && !m->set.waits)
		for (unsigned int i = 0; i < m->nr_queues; i++)
			if (m->q[i].enabled)
				regs_kick(m, &m->q[i]);
	m->status = (status & ~S_SUSPEND) | (m->status & S_NEEDS_RESET);
}

static void regs_set_half(u64 *field, u32 which, u32 value)
{
	*field = which ? (*field & 0xffffffff) | (u64)value << 32
		       : (*field & ~0xffffffffull) | value;
}

static u16 regs_vector(const struct model *m, u32 value)
{
	return value < m->set.vectors ? value : NO_VECTOR;
}

static void regs_enable(struct model *m, struct queue *q, bool on)
{
	if (!on) {
		model_log(m, "queue %u: enable 0 written, which is not allowed", q->index);
		return;
	}
	q->enabled = true;
	if (m->status & S_DRIVER_OK && !m->set.waits)
		regs_kick(m, q);
	model_log(m, "queue %u enabled size %u vector %u desc %#llx avail %#llx used %#llx%s",
		  q->index, q->size, q->vector, q->desc, q->avail, q->used,
		  m->status & S_DRIVER_OK ? " late" : "");
}

static void regs_write_queue(struct model *m, u64 offset, u32 value)
{
	struct queue *q = regs_queue(m);

	if (!q)
		return;
	switch (offset) {
	case offsetof(struct common, size):
		if (value && value <= q->max)
			q->size = value;
		return;
	case offsetof(struct common, vector):
		q->vector = regs_vector(m, value);
		return;
	case offsetof(struct common, enable):
		regs_enable(m, q, value);
		return;
	case offsetof(struct common, reset):
		if (value == 1 && m->driver_features & BIT(F_RING_RESET)) {
			q->resetting = true;
			q->reset_at = model_now() + m->set.queue_reset_ms;
		}
		return;
	}
	/* Where the rings are does not change while they are in use. */
	if (q->enabled)
		return;
	switch (offset & ~4ull) {
	case offsetof(struct common, desc):
		regs_set_half(&q->desc, offset & 4, value);
		return;
	case offsetof(struct common, avail):
		regs_set_half(&q->avail, offset & 4, value);
		return;
	case offsetof(struct common, used):
		regs_set_half(&q->used, offset & 4, value);
		return;
	}
}

void regs_write_common(struct model *m, u64 offset, const u8 *data, u32 len)
{
	u32 value = 0;

	/* A pair of 32 bits may be written in one go. */
	if (len == 8) {
		regs_write_common(m, offset, data, 4);
		regs_write_common(m, offset + 4, data + 4, 4);
		return;
	}
	if (len > 4)
		return;
	memcpy(&value, data, len);
	switch (offset) {
	case offsetof(struct common, device_select):
		m->device_select = value;
		break;
	case offsetof(struct common, driver_select):
		m->driver_select = value;
		break;
	case offsetof(struct common, driver_features):
		if (m->driver_select < 2 && !(m->status & S_FEATURES_OK))
			regs_set_half(&m->driver_features, m->driver_select, value);
		break;
	case offsetof(struct common, config_vector):
		m->config_vector = regs_vector(m, value);
		break;
	case offsetof(struct common, status):
		regs_set_status(m, value);
		break;
	case offsetof(struct common, queue_select):
		m->queue_select = value;
		break;
	default:
		regs_write_queue(m, offset, value);
	}
}

void regs_read_isr(struct model *m, u8 *data)
{
	data[0] = m->isr;
	m->isr = 0;
}

void regs_read_config(const struct model *m, u64 offset, u8 *data, u32 len)
{
	for (u32 i = 0; i < len && offset + i < m->config_len; i++)
		data[i] = m->config[offset + i];
}

void regs_write_config(struct model *m, u64 offset, const u8 *data, u32 len)
{
	for (u32 i = 0; i < len && offset + i < m->config_len; i++)
		m->config[offset + i] = data[i];
	model_log(m, "config written at %llu, %u bytes", offset, len);
}

/* The queue is told by where it rings, or, where all ring at one place, by what is written. */
void regs_doorbell(struct model *m, u64 offset, const u8 *data, u32 len)
{
	u16 index = 0;

	if (m->set.same_doorbell)
		memcpy(&index, data, len < 2 ? len : 2);
	else
		index = offset / m->set.multiplier;
	if (has_feature(m, F_NOTIFICATION_DATA) && len < 4) {
		model_log(m, "doorbell of queue %u, without data", index);
		return;
	}
	if (index < m->nr_queues && m->q[index].enabled && m->status & S_DRIVER_OK)
		regs_kick(m, &m->q[index]);
	else if (index < m->nr_queues && m->q[index].enabled)
		model_log(m, "doorbell of queue %u, before DRIVER_OK", index);
	else
		model_log(m, "doorbell of queue %u, which does not run", index);
}

/* IFC VFs: the position of each ring, 16 bits every 4 bytes. */
void regs_read_index(const struct model *m, u64 offset, u8 *data, u32 len)
{
	u64 index = (offset - LM_RINGS) / 4;

	if (offset < LM_RINGS || (offset - LM_RINGS) % 4 || index >= m->nr_queues)
		return;
	memcpy(data, &m->q[index].next_avail, len < 2 ? len : 2);
}

void regs_write_index(struct model *m, u64 offset, const u8 *data, u32 len)
{
	u64 index = (offset - LM_RINGS) / 4;
	u16 value = 0;

	if (offset < LM_RINGS || (offset - LM_RINGS) % 4 || index >= m->nr_queues ||
	    m->q[index].enabled)
		return;
	memcpy(&value, data, len < 2 ? len : 2);
	m->q[index].next_avail = m->q[index].next_used = m->q[index].told = value;
}

void regs_ask_reset(struct model *m, bool flr)
{
	u64 wait = flr ? m->set.flr_ms : m->set.reset_ms;

	if (flr)
		model_log(m, "flr");
	/* One that does not listen runs on. */
	if (m->set.no_reset > flr) {
		model_log(m, "reset ignored");
		return;
	}
	m->reset_is_flr = (m->reset_due && m->reset_is_flr) || flr;
	m->reset_due = true;
	m->reset_at = model_now() + wait;
	if (!m->in_dma)
		regs_work(m);
}

static void regs_reset(struct model *m)
{
	if (m->reset_is_flr)
		pci_forget(m);
	for (unsigned int i = 0; i < m->nr_queues; i++)
		queue_forget(&m->q[i]);
	m->status = m->isr = 0;
	m->device_select = m->driver_select = m->queue_select = 0;
	m->driver_features = 0;
	m->config_vector = NO_VECTOR;
	m->reset_due = m->reset_is_flr = m->serves = false;
	m->epoch++;
	if (m->set.class == REGS_NET)
		net_reset(m);
	if (m->set.stray_ms)
		m->stray_until = model_now() + m->set.stray_ms;
	model_log(m, "reset");
}

void regs_work(struct model *m)
{
	if (m->reset_due && model_now() >= m->reset_at)
		regs_reset(m);
	for (unsigned int i = 0; i < m->nr_queues; i++)
		if (m->q[i].resetting && model_now() >= m->q[i].reset_at) {
			model_log(m, "queue %u reset at %u", i, m->q[i].next_avail);
			queue_forget(&m->q[i]);
		}
}

void regs_config_changed(struct model *m)
{
	if (!m->set.no_generation)
		m->generation++;
	m->isr |= ISR_CONFIG;
	if (m->status & S_DRIVER_OK)
		pci_irq(m, m->config_vector);
}

void regs_queue_irq(struct model *m, const struct queue *q)
{
	m->isr |= ISR_QUEUE;
	pci_irq(m, q->vector);
}

void regs_needs_reset(struct model *m)
{
	if (!(m->status & S_DRIVER_OK))
		return;
	m->status |= S_NEEDS_RESET;
	m->isr |= ISR_CONFIG;
	pci_irq(m, m->config_vector);
}
