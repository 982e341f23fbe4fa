/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values as JSON (RFC 8259), out and in. What is read comes from another host's
 * `baton show --json`: whole numbers only, no deeper than that is.
 */
#ifndef BATON_JSON_H
#define BATON_JSON_H

#include <stdio.h>

#include "value.h"

/* On one line, or on several; ends with a newline. */
void json_write(FILE *out, const struct value *v, bool one_line);
/* NULL if it is no JSON, or has what is not supported. */
struct value *json_read(const char *text, size_t len);

#endif
