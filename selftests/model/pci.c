// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI face: configuration space with its capabilities, BARs, interrupts.
 * QEMU keeps the BARs' addresses and the MSI-X table itself; bus mastering is
 * obeyed there too, whatever we do.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "pci.h"
#include "regs.h"

#define PCIE_AT 0x40
#define PCIE_SIZE 60
#define AF_AT 0x7c
#define MSIX_AT 0x84
#define VIRTIO_AT 0x90
#define CONFIG_SIZE 256 /* of the device's own configuration; what is not there reads 0 */
#define ISR_SIZE 4
#define LM_BAR 4
#define LM_SIZE (0x20 + 4 * QUEUES_MAX)
#define PAGE 4096

static void pci_put16(u8 *p, u16 value)
{
	memcpy(p, &value, sizeof(value));
}

static void pci_put32(u8 *p, u32 value)
{
	memcpy(p, &value, sizeof(value));
}

bool pci_master(const struct model *m)
{
	return m->pci[PCI_COMMAND] & PCI_COMMAND_MASTER;
}

/* Make room for @size bytes in a BAR. */
static int pci_place(struct model *m, u32 bar, u64 offset, u64 size)
{
	u64 end = offset + size, need = PAGE;

	if (bar >= NR_BARS || end > 0x10000000)
		return -EINVAL;
	while (need < end)
		need *= 2;
	if (need > m->bar_size[bar])
		m->bar_size[bar] = need;
	return 0;
}

/* The capability at @at is the next one; returns where it is. */
static u8 pci_link(struct model *m, u8 *last, u8 at, u8 id)
{
	m->pci[*last] = at;
	m->pci[at] = id;
	*last = at + 1;
	return at;
}

static void pci_express(struct model *m, u8 *last)
{
	u8 at = pci_link(m, last, PCIE_AT, PCI_CAP_ID_EXP);

	m->pcie = at;
	pci_put16(m->pci + at + PCI_EXP_FLAGS, 2);
	pci_put32(m->pci + at + PCI_EXP_DEVCAP,
		  PCI_EXP_DEVCAP_RBER | (m->set.flr ? PCI_EXP_DEVCAP_FLR : 0));
	pci_put16(m->pci_write + at + PCI_EXP_DEVCTL, 0x7fff);
	/* 2.5 GT/s, one lane */
	pci_put32(m->pci + at + PCI_EXP_LNKCAP, 0x11);
	pci_put16(m->pci + at + PCI_EXP_LNKSTA, 0x11);
	pci_put16(m->pci_write + at + PCI_EXP_LNKCTL, 0xffff);
	pci_put16(m->pci_write + at + PCI_EXP_DEVCTL2, 0xffff);
}

static int pci_msix(struct model *m, u8 *last)
{
	struct place p = place_of(m->set.msix);
	u32 table = 16 * m->set.vectors, pba = 8 * ((m->set.vectors + 63) / 64);
	u8 at = pci_link(m, last, MSIX_AT, PCI_CAP_ID_MSIX);

	m->msix_cap = at;
	pci_put16(m->pci + at + PCI_MSIX_FLAGS, m->set.vectors - 1);
	pci_put16(m->pci_write + at + PCI_MSIX_FLAGS,
		  PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	pci_put32(m->pci + at + PCI_MSIX_TABLE, p.offset | p.bar);
	pci_put32(m->pci + at + PCI_MSIX_PBA, (p.offset + table) | p.bar);
	return pci_place(m, p.bar, p.offset, table + pba);
}

static int pci_virtio(struct model *m, u8 *last)
{
	u32 span = m->set.same_doorbell ? 1 : m->nr_queues;
	const struct {
		u8 type;
		u64 place;
		u32 size;
	} caps[] = {
		{ VIRTIO_PCI_CAP_COMMON_CFG, m->set.common, REGS_COMMON_SIZE },
		{ VIRTIO_PCI_CAP_ISR_CFG, m->set.isr, ISR_SIZE },
		{ VIRTIO_PCI_CAP_DEVICE_CFG, m->set.config, CONFIG_SIZE },
		{ VIRTIO_PCI_CAP_NOTIFY_CFG, m->set.doorbells,
		  (span - 1) * m->set.multiplier +
			  (m->set.multiplier > 4 ? m->set.multiplier : 4) },
	};
	u8 at = VIRTIO_AT;
	size_t i;
	int err;

	for (i = 0; i < ARRAY_LEN(caps); i++, at += CAP_SIZE) {
		struct place p = place_of(caps[i].place);
		u8 *cap = m->pci + pci_link(m, last, at, PCI_CAP_ID_VNDR);

		cap[VIRTIO_PCI_CAP_LEN] = caps[i].type == VIRTIO_PCI_CAP_NOTIFY_CFG ? 20 : 16;
		cap[VIRTIO_PCI_CAP_CFG_TYPE] = caps[i].type;
		cap[VIRTIO_PCI_CAP_BAR] = p.bar;
		pci_put32(cap + VIRTIO_PCI_CAP_OFFSET, p.offset);
		pci_put32(cap + VIRTIO_PCI_CAP_LENGTH, caps[i].size);
		if (caps[i].type == VIRTIO_PCI_CAP_NOTIFY_CFG)
			pci_put32(cap + VIRTIO_PCI_NOTIFY_CAP_MULT,
				  m->set.same_doorbell ? 0 : m->set.multiplier);
		err = pci_place(m, p.bar, p.offset, caps[i].size);
		if (err)
			return err;
	}
	memcpy(m->caps, m->pci + VIRTIO_AT, sizeof(m->caps));
	return 0;
}

/* The seed may have changed. BARs and the chain, which QEMU has seen, stay as they are. */
static void pci_set_caps(struct model *m)
{
	memcpy(m->pci + VIRTIO_AT, m->caps, sizeof(m->caps));
	if (m->set.caps_seed)
		caps_mangle(m->pci + VIRTIO_AT, m->set.caps_seed);
}

/* Extended ones, without anything behind them. */
static void pci_extended(struct model *m)
{
	u32 at = 0x100;

	if (m->set.ats) {
		pci_put32(m->pci + at,
			  PCI_EXT_CAP_ID_ATS | 1 << 16 | (m->set.pasid ? (at + 0x10) << 20 : 0));
		pci_put16(m->pci_write + at + PCI_ATS_CTRL, 0x801f);
		at += 0x10;
	}
	if (m->set.pasid) {
		pci_put32(m->pci + at, PCI_EXT_CAP_ID_PASID | 1 << 16);
		pci_put16(m->pci + at + PCI_PASID_CAP, 0x1400);
		pci_put16(m->pci_write + at + PCI_PASID_CTRL, 0x7);
	}
}

int pci_init(struct model *m)
{
	u8 last = PCI_CAPABILITY_LIST;
	u32 bar;
	int err;

	memset(m->pci, 0, sizeof(m->pci));
	memset(m->pci_write, 0, sizeof(m->pci_write));
	memset(m->bar_size, 0, sizeof(m->bar_size));
	pci_put16(m->pci + PCI_VENDOR_ID, m->set.vendor);
	pci_put16(m->pci + PCI_DEVICE_ID, m->set.device);
	pci_put16(m->pci + PCI_SUBSYSTEM_VENDOR_ID, m->set.subvendor);
	pci_put16(m->pci + PCI_SUBSYSTEM_ID, m->set.subdevice);
	pci_put16(m->pci + PCI_STATUS, PCI_STATUS_CAP_LIST);
	m->pci[PCI_REVISION_ID] = 1;
	pci_put16(m->pci + PCI_CLASS_DEVICE, m->set.class == REGS_NET ? 0x0200 : 0x0100);
	pci_put16(m->pci_write + PCI_COMMAND,
		  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
	m->pci_write[PCI_CACHE_LINE_SIZE] = 0xff;
	m->pci_write[PCI_INTERRUPT_LINE] = 0xff;

	pci_express(m, &last);
	if (m->set.af) {
		m->af_cap = pci_link(m, &last, AF_AT, PCI_CAP_ID_AF);
		m->pci[AF_AT + PCI_AF_LENGTH] = 6;
		m->pci[AF_AT + PCI_AF_CAP] = PCI_AF_CAP_TP | PCI_AF_CAP_FLR;
	}
	err = m->set.vectors ? pci_msix(m, &last) : 0;
	if (!err)
		err = pci_virtio(m, &last);
	if (!err && m->set.ring_index)
		err = pci_place(m, LM_BAR, 0, LM_SIZE);
	pci_extended(m);

	for (bar = 0; bar < NR_BARS; bar++)
		if (m->bar_size[bar] && m->set.bar64 & BIT(bar)) {
			if (bar == NR_BARS - 1 || m->bar_size[bar + 1])
				return -EINVAL;
			m->pci[PCI_BASE_ADDRESS_0 + 4 * bar] =
				PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH;
		}
	return err;
}

void pci_forget(struct model *m)
{
	pci_put16(m->pci + PCI_COMMAND, 0);
	pci_put16(m->pci + m->pcie + PCI_EXP_DEVCTL, 0);
	if (m->msix_cap)
		pci_put16(m->pci + m->msix_cap + PCI_MSIX_FLAGS, m->set.vectors - 1);
}

u64 pci_region_size(const struct model *m, u32 region)
{
	if (region < NR_BARS)
		return m->bar_size[region];
	return region == REGION_CONFIG ? sizeof(m->pci) : 0;
}

static void pci_config_write(struct model *m, u64 offset, const u8 *data, u32 len)
{
	bool was_master = pci_master(m), flr = false;

	for (u32 i = 0; i < len; i++) {
		u64 at = offset + i;
		u8 mask = m->pci_write[at];

		m->pci[at] = (m->pci[at] & ~mask) | (data[i] & mask);
		/* bit 15 of device control, bit 0 of the older way */
		flr |= m->set.flr && at == m->pcie + PCI_EXP_DEVCTL + 1u && data[i] & 0x80;
		flr |= m->af_cap && at == m->af_cap + PCI_AF_CTRL + 0u && data[i] & 1;
	}
	if (was_master != pci_master(m))
		model_log(m, "master %d", pci_master(m));
	if (flr)
		regs_ask_reset(m, true);
}

static bool pci_is(u64 setting, u32 size, u32 bar, u64 offset)
{
	struct place p = place_of(setting);

	return p.bar == bar && offset >= p.offset && offset - p.offset < size;
}

static u32 pci_doorbells_size(const struct model *m)
{
	return (m->set.same_doorbell ? 1 : m->nr_queues) *
	       (m->set.multiplier > 4 ? m->set.multiplier : 4);
}

void pci_read(struct model *m, u32 region, u64 offset, u8 *data, u32 len)
{
	memset(data, 0, len);
	if (region == REGION_CONFIG) {
		pci_set_caps(m);
		memcpy(data, m->pci + offset, len);
		if (m->set.vanish)
			memset(data, 0xff, len);
		return;
	}
	if (m->set.ones || m->set.vanish)
		memset(data, 0xff, len);
	else if (pci_is(m->set.common, REGS_COMMON_SIZE, region, offset))
		regs_read_common(m, offset - place_of(m->set.common).offset, data, len);
	else if (pci_is(m->set.isr, ISR_SIZE, region, offset))
		regs_read_isr(m, data);
	else if (pci_is(m->set.config, CONFIG_SIZE, region, offset))
		regs_read_config(m, offset - place_of(m->set.config).offset, data, len);
	else if (m->set.ring_index && region == LM_BAR)
		regs_read_index(m, offset, data, len);
}

void pci_write(struct model *m, u32 region, u64 offset, const u8 *data, u32 len)
{
	if (region == REGION_CONFIG)
		pci_config_write(m, offset, data, len);
	else if (m->set.ones || m->set.vanish)
		return;
	else if (pci_is(m->set.common, REGS_COMMON_SIZE, region, offset))
		regs_write_common(m, offset - place_of(m->set.common).offset, data, len);
	else if (pci_is(m->set.config, CONFIG_SIZE, region, offset))
		regs_write_config(m, offset - place_of(m->set.config).offset, data, len);
	else if (pci_is(m->set.doorbells, pci_doorbells_size(m), region, offset))
		regs_doorbell(m, offset - place_of(m->set.doorbells).offset, data, len);
	else if (m->set.ring_index && region == LM_BAR)
		regs_write_index(m, offset, data, len);
}

void pci_set_irq(struct model *m, u32 vector, int fd)
{
	if (m->irq_fd[vector] >= 0)
		close(m->irq_fd[vector]);
	m->irq_fd[vector] = fd;
}

void pci_irq(struct model *m, u32 vector)
{
	const u64 one = 1;

	if (vector >= m->set.vectors || m->irq_fd[vector] < 0)
		return;
	m->irqs++;
	if (write(m->irq_fd[vector], &one, sizeof(one)) != sizeof(one))
		model_log(m, "interrupt %u: not taken", vector);
}
