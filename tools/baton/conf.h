/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A declaration: how one device shall be. Pure C: text in, structure or error out,
 * so that it can be tried and fuzzed by itself. The same words are arguments of
 * `baton add`.
 */
#ifndef BATON_CONF_H
#define BATON_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "netlink.h"

#define CONF_SIZE_MAX 65536
#define CONF_WORD 64
#define CONF_ERROR 160

struct conf {
	/* Which function: one of address, PF and number, MAC. */
	char function[CONF_WORD], pf[CONF_WORD], function_mac[CONF_WORD];
	int vf;
	/* How many VFs the PF shall have at least; 0: as it is. */
	unsigned int vfs;
	struct netlink_provision provision;
	/* "" where nothing was said, and nothing is to be changed. */
	char owner[CONF_WORD], policy[CONF_WORD], relay[CONF_WORD];
	char node_owner[CONF_WORD], node_group[CONF_WORD];
	bool has_mode;
	unsigned int node_mode;
	/* Which keys were given: each may be once. */
	unsigned int given;
};

/* Nothing said yet. */
void conf_init(struct conf *c);
/* One key; false with a reason if it, or its value, is not to be had. */
bool conf_set(struct conf *c, const char *key, const char *value, char error[CONF_ERROR]);
/* A whole file; false with line number and reason. */
bool conf_parse(struct conf *c, const char *text, size_t len, char error[CONF_ERROR]);
/* What is only seen when all was read. With needs_function, it has to say which one. */
bool conf_check(const struct conf *c, bool needs_function, char error[CONF_ERROR]);
/* May a device, and so its file, be called this? */
bool conf_name_ok(const char *name);
/* The keys, for usage and completion; NULL behind the last. */
const char *conf_key(size_t i);

#endif
