/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A value: what is told, before anybody decides whether as text or as JSON. A
 * command makes one tree of values; print.c and json.c know nothing of devices.
 */
#ifndef BATON_VALUE_H
#define BATON_VALUE_H

#include <stdbool.h>
#include <stddef.h>

enum value_kind { VALUE_NULL, VALUE_BOOL, VALUE_NUMBER, VALUE_TEXT, VALUE_ARRAY, VALUE_OBJECT };

/* Members of an object, and of an array (without keys), are a list that their parent owns. */
struct value {
	enum value_kind kind;
	char *key;
	bool is_true;
	unsigned long long number;
	char *text;
	struct value *first, *last, *next;
};

struct value *value_new(enum value_kind kind);
void value_free(struct value *v);

/* To an object with a key, to an array without (NULL). The new value is its parent's. */
struct value *value_add(struct value *parent, const char *key, enum value_kind kind);
void value_add_text(struct value *parent, const char *key, const char *text);
void value_add_format(struct value *parent, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void value_add_number(struct value *parent, const char *key, unsigned long long number);
void value_add_bool(struct value *parent, const char *key, bool is_true);

/* A member of an object; NULL if there is none of that name. */
const struct value *value_get(const struct value *object, const char *key);
/* Its text; "" if there is no such member, or it is something else. */
const char *value_text(const struct value *object, const char *key);

#endif
