/* SPDX-License-Identifier: GPL-2.0-only */
/* Values as text for people: tables, and sheets of one thing each. */
#ifndef BATON_PRINT_H
#define BATON_PRINT_H

#include <stdio.h>

#include "value.h"

struct print_column {
	const char *title, *key;
};

/* A row for each member of an array. Colour: red for what is wrong. */
void print_table(FILE *out, const struct value *rows, const struct print_column *columns, size_t nr,
		 bool colour);
/* A line for each member of an object; empty ones only if asked for. */
void print_sheet(FILE *out, const struct value *object, bool empty_too, bool colour);

#endif
