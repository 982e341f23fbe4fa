/* SPDX-License-Identifier: GPL-2.0-only */
/* What the driver makes of what is provisioned, as far as it can be told from outside. */
#ifndef BATON_PROVISION_H
#define BATON_PROVISION_H

#include <stdint.h>

/* Feature bits that the consumer of a device of this class is not offered, though they were
 * provisioned. */
uint64_t provision_left_out(uint64_t features, const char *class, const char *consumer);

#endif
