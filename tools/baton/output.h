/* SPDX-License-Identifier: GPL-2.0-only */
/* A file that others read: they find the old one or the new one, never half of it. */
#ifndef BATON_OUTPUT_H
#define BATON_OUTPUT_H

#include <stdio.h>

/* To standard output if there is no path. Returns an exit status. */
int output_write(const char *path, void (*write)(FILE *out, void *data), void *data);

#endif
