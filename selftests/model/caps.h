/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_CAPS_H
#define MODEL_CAPS_H

#include "model.h"

/* Change the %NR_CAPS virtio capabilities at @caps, honest until then, as @seed has it. */
void caps_mangle(u8 *caps, u64 seed);

#endif /* MODEL_CAPS_H */
