/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of the kernel's, and links, below a root that tests can replace by one of
 * their own: the environment's BATON_ROOT.
 */
#ifndef BATON_SYSFS_H
#define BATON_SYSFS_H

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define SYSFS_PCI "/sys/bus/pci/devices/"
#define SYSFS_VDPA "/sys/bus/vdpa/devices/"

/* Put together a path below the root; returns where it is, for callers that nest. */
char *sysfs_path(char path[PATH_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The first line of a file, without its end; "" and a negative errno if that fails. */
int sysfs_read(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Write to a file that exists; a negative errno if that fails. */
int sysfs_write(const char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The last part of what a link points to; "" and a negative errno if that fails. */
int sysfs_link(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool sysfs_exists(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A number, decimal or with 0x; the default if there is none. */
unsigned long long sysfs_number(unsigned long long otherwise, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Entries of a directory, sorted, but for hidden ones; their number, 0 if there is no directory. */
int sysfs_list(struct dirent ***entries, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void sysfs_list_free(struct dirent **entries, int nr);

#endif
