// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "print.h"

#define CELL 512
#define COLUMNS_MAX 16

/* Objects in a list are told by their members' values; in a list of names, by the names. */
static void print_cell(char *cell, size_t size, const struct value *v)
{
	const struct value *member;
	size_t n = 0;

	cell[0] = '\0';
	if (!v)
		return;
	switch (v->kind) {
	case VALUE_NULL:
		break;
	case VALUE_BOOL:
		snprintf(cell, size, "%s", v->is_true ? "yes" : "no");
		break;
	case VALUE_NUMBER:
		snprintf(cell, size, "%llu", v->number);
		break;
	case VALUE_TEXT:
		snprintf(cell, size, "%s", v->text);
		break;
	case VALUE_ARRAY:
	case VALUE_OBJECT:
		for (member = v->first; member && n + 2 < size; member = member->next) {
			if (v->kind == VALUE_OBJECT && member->kind == VALUE_NUMBER)
				n += snprintf(cell + n, size - n, "%s ", member->key);
			if (n >= size)
				break;
			print_cell(cell + n, size - n, member);
			if (!cell[n])
				continue;
			n += strlen(cell + n);
			if (member->next)
				n += snprintf(cell + n, size - n,
					      v->kind == VALUE_ARRAY ? ", " : " ");
		}
		/* A separator whose successor was empty. */
		n = strlen(cell);
		while (n && strchr(", ", cell[n - 1]))
			cell[--n] = '\0';
	}
}

static bool print_is_wrong(const char *key, const char *cell)
{
	static const char *const wrong[] = { "broken", "lost", "dead", "fail" };
	size_t i;

	if (!strcmp(key, "last_fault"))
		return *cell;
	if (strcmp(key, "state") && strcmp(key, "verdict"))
		return false;
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (!strcmp(cell, wrong[i]))
			return true;
	return false;
}

static void print_padded(FILE *out, const char *key, const char *cell, int width, bool colour)
{
	bool red = colour && print_is_wrong(key, cell);

	fprintf(out, "%s%s%s", red ? "\033[31m" : "", cell, red ? "\033[0m" : "");
	if (width)
		fprintf(out, "%*s", width - (int)strlen(cell) + 2, "");
}

void print_table(FILE *out, const struct value *rows, const struct print_column *columns, size_t nr,
		 bool colour)
{
	int width[COLUMNS_MAX] = { 0 };
	const struct value *row;
	char cell[CELL];
	size_t i;

	for (i = 0; i < nr; i++) {
		width[i] = (int)strlen(columns[i].title);
		for (row = rows->first; row; row = row->next) {
			print_cell(cell, sizeof(cell), value_get(row, columns[i].key));
			if ((int)strlen(cell) > width[i])
				width[i] = (int)strlen(cell);
		}
	}
	/* No blanks at the end of a line. */
	width[nr - 1] = 0;
	for (i = 0; i < nr; i++)
		print_padded(out, "", columns[i].title, width[i], false);
	putc('\n', out);
	for (row = rows->first; row; row = row->next) {
		for (i = 0; i < nr; i++) {
			print_cell(cell, sizeof(cell), value_get(row, columns[i].key));
			print_padded(out, columns[i].key, cell[0] ? cell : "-", width[i], colour);
		}
		putc('\n', out);
	}
}

void print_sheet(FILE *out, const struct value *object, bool empty_too, bool colour)
{
	const struct value *member;
	char cell[CELL];
	int width = 0;

	for (member = object->first; member; member = member->next) {
		print_cell(cell, sizeof(cell), member);
		if ((cell[0] || empty_too) && (int)strlen(member->key) > width)
			width = (int)strlen(member->key);
	}
	for (member = object->first; member; member = member->next) {
		print_cell(cell, sizeof(cell), member);
		if (!cell[0] && !empty_too)
			continue;
		print_padded(out, "", member->key, width, false);
		print_padded(out, member->key, cell[0] ? cell : "-", 0, colour);
		putc('\n', out);
	}
}
