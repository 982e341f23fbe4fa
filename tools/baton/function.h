/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A function, as sysfs shows it: something on PCI that speaks virtio, whoever
 * drives it. What is read is a moment's picture.
 */
#ifndef BATON_FUNCTION_H
#define BATON_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>

#define FUNCTION_DRIVER "baton_pci"
#define FUNCTION_NAME 64

struct function {
	char address[32];
	char driver[FUNCTION_NAME];
	char class[16];
	/* The vDPA device that was made of it; "" if there is none. */
	char device[FUNCTION_NAME];
	/* Its IOMMU group, "" if there is none, and how many are in it. */
	char group[16];
	int group_size;
	/* Of a VF: the address of its PF, and its number. */
	char pf[32];
	int vf;
};

/* All of them, in the order of their addresses; their number. To be given to free(). */
size_t function_read_all(struct function **all);
/* By address, with or without the domain, or by the name of its vDPA device. False if there is
 * none. */
bool function_find(struct function *fn, const char *name);
/* By its PF and number. */
bool function_find_vf(struct function *fn, const char *pf, int vf);
/* By a MAC address as text, which its netdev or its vDPA device has. */
bool function_find_mac(struct function *fn, const char *mac);
/* Whether its netdev or its vDPA device has it. */
bool function_has_mac(const struct function *fn, const char *mac);
/* 0000:00:10.0 of 00:10.0; false if that is no address. */
bool function_address(char address[32], const char *text);
/* Why a user may not own it, as far as sysfs tells; "" if nothing is against it. */
void function_isolation(const struct function *fn, char *why, size_t size);
/* Give it to a driver ("" for whichever the kernel chooses): 0 or a negative errno. */
int function_bind(const struct function *fn, const char *driver);
/* A virtio device ID as vdpa(8) and we call it. */
const char *function_class_name(unsigned int id);

#endif
