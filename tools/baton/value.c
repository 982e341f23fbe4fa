// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE /* vasprintf() */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

/* Without memory there is nothing useful left that a command could do. */
static void *value_memory(void *memory)
{
	if (!memory) {
		fputs("baton: out of memory\n", stderr);
		exit(1);
	}
	return memory;
}

struct value *value_new(enum value_kind kind)
{
	struct value *v = value_memory(calloc(1, sizeof(*v)));

	v->kind = kind;
	return v;
}

void value_free(struct value *v)
{
	struct value *next;

	for (; v; v = next) {
		next = v->next;
		value_free(v->first);
		free(v->key);
		free(v->text);
		free(v);
	}
}

struct value *value_add(struct value *parent, const char *key, enum value_kind kind)
{
	struct value *v = value_new(kind);

	if (key)
		v->key = value_memory(strdup(key));
	if (parent->last)
		parent->last->next = v;
	else
		parent->first = v;
	parent->last = v;
	return v;
}

void value_add_text(struct value *parent, const char *key, const char *text)
{
	value_add(parent, key, VALUE_TEXT)->text = value_memory(strdup(text));
}

void value_add_format(struct value *parent, const char *key, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		text = NULL;
	value_add(parent, key, VALUE_TEXT)->text = value_memory(text);
}

void value_add_number(struct value *parent, const char *key, unsigned long long number)
{
	value_add(parent, key, VALUE_NUMBER)->number = number;
}

void value_add_bool(struct value *parent, const char *key, bool is_true)
{
	value_add(parent, key, VALUE_BOOL)->is_true = is_true;
}

const struct value *value_get(const struct value *object, const char *key)
{
	const struct value *v;

	if (!object || object->kind != VALUE_OBJECT)
		return NULL;
	for (v = object->first; v; v = v->next)
		if (v->key && !strcmp(v->key, key))
			return v;
	return NULL;
}

const char *value_text(const struct value *object, const char *key)
{
	const struct value *v = value_get(object, key);

	return v && v->kind == VALUE_TEXT ? v->text : "";
}
