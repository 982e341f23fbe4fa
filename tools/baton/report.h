/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known of functions and devices, as values: the keys are the interface of --json. */
#ifndef BATON_REPORT_H
#define BATON_REPORT_H

#include "function.h"
#include "value.h"

/* Add an object to an array. */
void report_function(struct value *array, const struct function *fn);
/* An array of them all. */
struct value *report_all(void);

#endif
