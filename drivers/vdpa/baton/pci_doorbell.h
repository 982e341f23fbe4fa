/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a page of a doorbell may have to be shared with.
 */
#ifndef BATON_PCI_DOORBELL_H
#define BATON_PCI_DOORBELL_H

#include <linux/pci.h>
#include <linux/types.h>

/* Three of virtio's, a table and a bit array of MSI-X; some to spare. */
#define BATON_PCI_OTHERS	12

/**
 * struct baton_pci_others - what else is in a function's BARs
 * @nr: how many entries @at has
 * @at: where each lies, as physical addresses
 * @at.first: its first byte
 * @at.last: its last byte
 */
struct baton_pci_others {
	unsigned int nr;
	struct {
		u64 first;
		u64 last;
	} at[BATON_PCI_OTHERS];
};

void baton_pci_doorbell_look(struct pci_dev *pdev, struct baton_pci_others *others);
bool baton_pci_doorbell_alone(const struct baton_pci_others *others, u64 page);

#endif /* BATON_PCI_DOORBELL_H */
