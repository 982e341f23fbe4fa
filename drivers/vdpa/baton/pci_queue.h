/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Of the function driver for virtio-pci: the registers of one queue. See pci_queue.c.
 */
#ifndef BATON_PCI_QUEUE_H
#define BATON_PCI_QUEUE_H

#include <linux/types.h>

struct baton_function;
struct baton_queue_config;
struct virtio_pci_modern_device;

int baton_pci_queue_setup(struct baton_function *fn, u16 idx,
			  const struct baton_queue_config *cfg);
bool baton_pci_queue_resettable(const struct virtio_pci_modern_device *mdev);
int baton_pci_queue_reset(struct baton_function *fn, u16 idx, unsigned int timeout_ms);

#endif /* BATON_PCI_QUEUE_H */
