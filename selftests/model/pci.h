/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_PCI_H
#define MODEL_PCI_H

#include "model.h"

int pci_init(struct model *m);
u64 pci_region_size(const struct model *m, u32 region);
void pci_read(struct model *m, u32 region, u64 offset, u8 *data, u32 len);
void pci_write(struct model *m, u32 region, u64 offset, const u8 *data, u32 len);
bool pci_master(const struct model *m);

/* What an FLR takes from configuration space. */
void pci_forget(struct model *m);

/* Interrupts are eventfds of QEMU's. @fd is ours from here on; -1: none. */
void pci_set_irq(struct model *m, u32 vector, int fd);
void pci_irq(struct model *m, u32 vector);

#endif /* MODEL_PCI_H */
