/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual functions of a physical one.
 */
#ifndef BATON_PCI_VFS_H
#define BATON_PCI_VFS_H

#include <linux/types.h>

struct baton_pci;
struct pci_dev;
struct pci_driver;

void baton_pci_vfs_init(struct baton_pci *p);
void baton_pci_vfs_uninit(struct baton_pci *p);
void baton_pci_vfs_find(struct baton_pci *p, struct pci_driver *driver);
int baton_pci_vfs_join(struct baton_pci *p);
void baton_pci_vfs_leave(struct baton_pci *p);
void baton_pci_vfs_heal(struct baton_pci *p);
void baton_pci_vfs_set_master(struct baton_pci *p, bool on);
int baton_pci_vfs_configure(struct baton_pci *p, int nr);
void baton_pci_vfs_reset_prepare(struct baton_pci *p);
void baton_pci_vfs_reset_done(struct baton_pci *p);
void baton_pci_vfs_error(struct baton_pci *p, bool for_good);
void baton_pci_vfs_recover(struct baton_pci *p);

#endif /* BATON_PCI_VFS_H */
