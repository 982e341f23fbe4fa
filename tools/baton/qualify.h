/* SPDX-License-Identifier: GPL-2.0-only */
/* Does a function do what the specification, and the ownership model, ask of it? */
#ifndef BATON_QUALIFY_H
#define BATON_QUALIFY_H

/* The name of a device that is a user's and that nobody has open. KTAP on standard output; returns
 * an exit status. */
int qualify_device(const char *name);

#endif
