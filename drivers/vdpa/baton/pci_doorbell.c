// SPDX-License-Identifier: GPL-2.0-only
/*
 * What shares a page with a doorbell is the user's to write, once the page is mapped. virtio
 * says where a function's structures are, PCI where its interrupts' are, and nothing says that
 * they keep out of each other's pages.
 */
#include <linux/align.h>
#include <linux/math.h>
#include <linux/overflow.h>
#include <linux/pci.h>
#include <linux/virtio_pci.h>

#include "pci_doorbell.h"

#define VECTORS_OF_A_WORD	64

static void doorbell_note(struct pci_dev *pdev, struct baton_pci_others *others, u8 bar,
			  u64 offset, u64 length)
{
	u64 first, last;

	if (bar >= PCI_STD_NUM_BARS || !length)
		return;
	/* What makes no sense, or does not fit in here, is everywhere. */
	if (others->nr == BATON_PCI_OTHERS ||
	    check_add_overflow((u64)pci_resource_start(pdev, bar), offset, &first) ||
	    check_add_overflow(first, length - 1, &last)) {
		others->nr = 0;
		first = 0;
		last = U64_MAX;
	}
	others->at[others->nr].first = first;
	others->at[others->nr++].last = last;
}

static void doorbell_note_virtio(struct pci_dev *pdev, struct baton_pci_others *others, u8 cap)
{
	u32 offset, length, high = 0, more = 0;
	u8 type, bar;

	pci_read_config_byte(pdev, cap + offsetof(struct virtio_pci_cap, cfg_type), &type);
	pci_read_config_byte(pdev, cap + offsetof(struct virtio_pci_cap, bar), &bar);
	pci_read_config_dword(pdev, cap + offsetof(struct virtio_pci_cap, offset), &offset);
	pci_read_config_dword(pdev, cap + offsetof(struct virtio_pci_cap, length), &length);
	switch (type) {
	case VIRTIO_PCI_CAP_SHARED_MEMORY_CFG:
		pci_read_config_dword(pdev, cap + offsetof(struct virtio_pci_cap64, offset_hi),
				      &high);
		pci_read_config_dword(pdev, cap + offsetof(struct virtio_pci_cap64, length_hi),
				      &more);
		break;
	case VIRTIO_PCI_CAP_COMMON_CFG:
	case VIRTIO_PCI_CAP_ISR_CFG:
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		break;
	default:
		/* Doorbells themselves, and what is no structure in a BAR. */
		return;
	}
	doorbell_note(pdev, others, bar, (u64)high << 32 | offset, (u64)more << 32 | length);
}

/**
 * baton_pci_doorbell_look() - find out what else is in a function's BARs
 * @pdev: the function
 * @others: filled in
 *
 * Context: may sleep.
 */
void baton_pci_doorbell_look(struct pci_dev *pdev, struct baton_pci_others *others)
{
	u32 table, pending;
	u16 flags, vectors;
	u8 cap;

	others->nr = 0;
	for (cap = pci_find_capability(pdev, PCI_CAP_ID_VNDR); cap;
	     cap = pci_find_next_capability(pdev, cap, PCI_CAP_ID_VNDR))
		doorbell_note_virtio(pdev, others, cap);
	if (!pdev->msix_cap)
		return;
	pci_read_config_word(pdev, pdev->msix_cap + PCI_MSIX_FLAGS, &flags);
	pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_TABLE, &table);
	pci_read_config_dword(pdev, pdev->msix_cap + PCI_MSIX_PBA, &pending);
	vectors = (flags & PCI_MSIX_FLAGS_QSIZE) + 1;
	doorbell_note(pdev, others, table & PCI_MSIX_TABLE_BIR, table & PCI_MSIX_TABLE_OFFSET,
		      PCI_MSIX_ENTRY_SIZE * vectors);
	doorbell_note(pdev, others, pending & PCI_MSIX_PBA_BIR, pending & PCI_MSIX_PBA_OFFSET,
		      DIV_ROUND_UP(vectors, VECTORS_OF_A_WORD) * sizeof(u64));
}

/**
 * baton_pci_doorbell_alone() - does a page hold none of a function's structures but doorbells?
 * @others: where those are
 * @page: physical address of the page
 *
 * Context: any.
 * Return: true if so.
 */
bool baton_pci_doorbell_alone(const struct baton_pci_others *others, u64 page)
{
	unsigned int i;

	for (i = 0; i < others->nr; i++)
		if (others->at[i].first <= page + (PAGE_SIZE - 1) && others->at[i].last >= page)
			return false;

	return true;
}
