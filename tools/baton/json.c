// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define DEPTH_MAX 8
#define STRING_MAX 4096

static void json_text(FILE *out, const char *text)
{
	const unsigned char *c;

	putc('"', out);
	for (c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if (*c < 0x20 || *c == 0x7f)
			fprintf(out, "\\u%04x", *c);
		else
			putc(*c, out);
	}
	putc('"', out);
}

static void json_break(FILE *out, int indent, bool one_line)
{
	if (!one_line)
		fprintf(out, "\n%*s", 2 * indent, "");
}

static void json_value(FILE *out, const struct value *v, int indent, bool one_line)
{
	const struct value *member;

	switch (v->kind) {
	case VALUE_NULL:
		fputs("null", out);
		break;
	case VALUE_BOOL:
		fputs(v->is_true ? "true" : "false", out);
		break;
	case VALUE_NUMBER:
		fprintf(out, "%llu", v->number);
		break;
	case VALUE_TEXT:
		json_text(out, v->text);
		break;
	case VALUE_ARRAY:
	case VALUE_OBJECT:
		putc(v->kind == VALUE_ARRAY ? '[' : '{', out);
		for (member = v->first; member; member = member->next) {
			json_break(out, indent + 1, one_line);
			if (v->kind == VALUE_OBJECT) {
				json_text(out, member->key);
				fputs(": ", out);
			}
			json_value(out, member, indent + 1, one_line);
			if (member->next)
				fputs(one_line ? ", " : ",", out);
		}
		if (v->first)
			json_break(out, indent, one_line);
		putc(v->kind == VALUE_ARRAY ? ']' : '}', out);
	}
}

void json_write(FILE *out, const struct value *v, bool one_line)
{
	json_value(out, v, 0, one_line);
	putc('\n', out);
}

/* What is left to read. */
struct json_input {
	const char *at, *end;
};

static bool json_take(struct json_input *in, const char *word)
{
	size_t len = strlen(word);

	while (in->at < in->end && strchr(" \t\r\n", *in->at) && *in->at)
		in->at++;
	if ((size_t)(in->end - in->at) < len || memcmp(in->at, word, len))
		return false;
	in->at += len;
	return true;
}

/* One character after a backslash; -1 if it is none that we write or that others would for us. */
static int json_escape(struct json_input *in)
{
	static const char names[] = "\"\\/bfnrt", are[] = "\"\\/\b\f\n\r\t";
	const char *name;
	int digit, code = 0;
	char c;

	if (in->at == in->end)
		return -1;
	c = *in->at++;
	name = c ? strchr(names, c) : NULL;
	if (name)
		return are[name - names];
	if (c != 'u' || in->end - in->at < 4)
		return -1;
	for (digit = 0; digit < 4; digit++, in->at++) {
		if (!isxdigit((unsigned char)*in->at))
			return -1;
		c = *in->at;
		code = code * 16 + (isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return code && code < 0x80 ? code : '?';
}

/* What stands between quotes, the first of which has been taken. */
static char *json_string(struct json_input *in)
{
	char text[STRING_MAX];
	size_t n = 0;
	int c;

	while (in->at < in->end && n < sizeof(text) - 1) {
		c = (unsigned char)*in->at++;
		if (c == '"') {
			text[n] = '\0';
			return strdup(text);
		}
		if (c == '\\')
			c = json_escape(in);
		if (c <= 0)
			break;
		text[n++] = (char)c;
	}
	return NULL;
}

static bool json_number(struct json_input *in, struct value *v)
{
	unsigned long long digit;

	if (in->at == in->end || !isdigit((unsigned char)*in->at))
		return false;
	for (; in->at < in->end && isdigit((unsigned char)*in->at); in->at++) {
		digit = *in->at - '0';
		if (v->number > (~0ULL - digit) / 10)
			return false;
		v->number = v->number * 10 + digit;
	}
	return true;
}

static bool json_fill(struct json_input *in, struct value *v, int depth);

static bool json_members(struct json_input *in, struct value *v, int depth)
{
	const char *end = v->kind == VALUE_ARRAY ? "]" : "}";
	struct value *member;

	if (json_take(in, end))
		return true;
	do {
		member = value_add(v, NULL, VALUE_NULL);
		if (v->kind == VALUE_OBJECT) {
			if (!json_take(in, "\""))
				return false;
			member->key = json_string(in);
			if (!member->key || !json_take(in, ":"))
				return false;
		}
		if (!json_fill(in, member, depth + 1))
			return false;
	} while (json_take(in, ","));
	return json_take(in, end);
}

static bool json_fill(struct json_input *in, struct value *v, int depth)
{
	if (depth > DEPTH_MAX)
		return false;
	if (json_take(in, "null"))
		return true;
	if (json_take(in, "\"")) {
		v->text = json_string(in);
		v->kind = VALUE_TEXT;
		return v->text;
	}
	if (json_take(in, "[") || json_take(in, "{")) {
		v->kind = in->at[-1] == '[' ? VALUE_ARRAY : VALUE_OBJECT;
		return json_members(in, v, depth);
	}
	v->kind = VALUE_BOOL;
	v->is_true = json_take(in, "true");
	if (v->is_true || json_take(in, "false"))
		return true;
	v->kind = VALUE_NUMBER;
	return json_number(in, v);
}

struct value *json_read(const char *text, size_t len)
{
	struct json_input in = { text, text + len };
	struct value *v = value_new(VALUE_NULL);

	/* The empty word: blanks at the end. */
	if (json_fill(&in, v, 0) && json_take(&in, "") && in.at == in.end)
		return v;
	value_free(v);
	return NULL;
}
