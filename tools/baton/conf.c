// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"

#define LINE_MAX_LEN 512
#define MODE_MAX 0777
#define VF_MAX 65535
#define MTU_MIN 68
#define BLANKS " \t\r"

static const char conf_long[] = "is too long";

/* What a value was found to be: NULL, or what is wrong with it. */
typedef const char *(*conf_take)(struct conf *c, void *where, const char *value);

static const char *conf_take_word(struct conf *c, void *where, const char *value)
{
	(void)c;
	if (strlen(value) >= CONF_WORD)
		return conf_long;
	strcpy(where, value);
	return NULL;
}

static bool conf_number(const char *value, int base, unsigned long long max,
			unsigned long long *number)
{
	char *end;

	/* strtoull() takes blanks and signs, which nobody means. */
	if (!isxdigit((unsigned char)value[0]))
		return false;
	errno = 0;
	*number = strtoull(value, &end, base);
	return !errno && !*end && *number <= max;
}

static bool conf_is_address(const char *value)
{
	unsigned int part;
	int end = 0;

	if (sscanf(value, "%4x:%2x:%2x.%1x%n", &part, &part, &part, &part, &end) == 4 &&
	    !value[end])
		return true;
	end = 0;
	return sscanf(value, "%2x:%2x.%1x%n", &part, &part, &part, &end) == 3 && !value[end];
}

static const char *conf_take_address(struct conf *c, void *where, const char *value)
{
	if (!conf_is_address(value))
		return "is no PCI address, like 0000:65:00.2";
	return conf_take_word(c, where, value);
}

static bool conf_mac(const char *value, uint8_t mac[6])
{
	int i;

	for (i = 0; i < 6; i++, value += 3) {
		if (!isxdigit((unsigned char)value[0]) || !isxdigit((unsigned char)value[1]) ||
		    value[2] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)strtoul(value, NULL, 16);
	}
	return true;
}

static const char *conf_take_mac(struct conf *c, void *where, const char *value)
{
	struct netlink_provision *p = where;

	(void)c;
	if (!conf_mac(value, p->mac))
		return "is no MAC address, like 52:54:00:10:20:30";
	if (p->mac[0] & 1)
		return "is a group's address";
	p->has_mac = true;
	return NULL;
}

static const char *conf_take_function_mac(struct conf *c, void *where, const char *value)
{
	uint8_t mac[6];

	if (!conf_mac(value, mac))
		return "is no MAC address, like 52:54:00:10:20:30";
	return conf_take_word(c, where, value);
}

static const char *conf_take_mtu(struct conf *c, void *where, const char *value)
{
	struct netlink_provision *p = where;
	unsigned long long number;

	(void)c;
	if (!conf_number(value, 10, 65535, &number) || number < MTU_MIN)
		return "is no MTU from 68 to 65535";
	p->has_mtu = true;
	p->mtu = (uint16_t)number;
	return NULL;
}

static const char *conf_take_pairs(struct conf *c, void *where, const char *value)
{
	struct netlink_provision *p = where;
	unsigned long long number;

	(void)c;
	if (!conf_number(value, 10, 32768, &number) || !number)
		return "is no number of queue pairs";
	p->has_pairs = true;
	p->pairs = (uint16_t)number;
	return NULL;
}

static const char *conf_take_features(struct conf *c, void *where, const char *value)
{
	struct netlink_provision *p = where;
	unsigned long long number;

	(void)c;
	if (strncmp(value, "0x", 2) || !conf_number(value, 16, ~0ULL, &number))
		return "is no set of feature bits, like 0x300030020";
	p->has_features = true;
	p->features = number;
	return NULL;
}

static const char *conf_take_vf(struct conf *c, void *where, const char *value)
{
	unsigned long long number;

	(void)c;
	if (!conf_number(value, 10, VF_MAX, &number))
		return "is no number of a VF; they begin with 0";
	*(int *)where = (int)number;
	return NULL;
}

static const char *conf_take_vfs(struct conf *c, void *where, const char *value)
{
	unsigned long long number;

	(void)c;
	if (!conf_number(value, 10, VF_MAX, &number) || !number)
		return "is no count of VFs";
	*(unsigned int *)where = (unsigned int)number;
	return NULL;
}

static bool conf_is_one_of(const char *value, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(value, *words))
			return true;
	return false;
}

static const char *conf_take_owner(struct conf *c, void *where, const char *value)
{
	static const char *const words[] = { "kernel", "user", "none", NULL };

	if (!conf_is_one_of(value, words))
		return "is not kernel, user or none";
	return conf_take_word(c, where, value);
}

static const char *conf_take_relay(struct conf *c, void *where, const char *value)
{
	static const char *const words[] = { "auto", "always", "never", NULL };

	if (!conf_is_one_of(value, words))
		return "is not auto, always or never";
	return conf_take_word(c, where, value);
}

/* As sysfs shows it: single blanks, in the table's order, which is that of the words here. */
static const char *conf_take_policy(struct conf *c, void *where, const char *value)
{
	static const char *const whole[] = { "default", "strict", "permissive", NULL };
	static const char *const words[] = { "mac", "promisc", "allmulti", "vlan", NULL };
	static const char wrong[] =
		"is not default, strict, permissive, or some of mac promisc allmulti vlan";
	char copy[CONF_WORD], *word, *rest, *policy = where;
	unsigned int set = 0, i;

	if (conf_is_one_of(value, whole))
		return conf_take_word(c, where, value);
	if (strlen(value) >= sizeof(copy))
		return conf_long;
	strcpy(copy, value);
	for (word = strtok_r(copy, BLANKS, &rest); word; word = strtok_r(NULL, BLANKS, &rest)) {
		if (!conf_is_one_of(word, words))
			return wrong;
		for (i = 0; words[i]; i++)
			if (!strcmp(word, words[i]))
				set |= 1U << i;
	}
	if (!set)
		return wrong;
	policy[0] = '\0';
	for (i = 0; words[i]; i++)
		if (set & 1U << i)
			sprintf(policy + strlen(policy), "%s%s", policy[0] ? " " : "", words[i]);
	return NULL;
}

static const char *conf_take_mode(struct conf *c, void *where, const char *value)
{
	unsigned long long number;

	if (!conf_number(value, 8, MODE_MAX, &number))
		return "is no mode, like 0660";
	c->has_mode = true;
	*(unsigned int *)where = (unsigned int)number;
	return NULL;
}

static const struct conf_key {
	const char *name;
	conf_take take;
	size_t offset;
} conf_keys[] = {
	{ "function", conf_take_address, offsetof(struct conf, function) },
	{ "pf", conf_take_address, offsetof(struct conf, pf) },
	{ "vf", conf_take_vf, offsetof(struct conf, vf) },
	{ "vfs", conf_take_vfs, offsetof(struct conf, vfs) },
	{ "function-mac", conf_take_function_mac, offsetof(struct conf, function_mac) },
	{ "mac", conf_take_mac, offsetof(struct conf, provision) },
	{ "mtu", conf_take_mtu, offsetof(struct conf, provision) },
	{ "queue-pairs", conf_take_pairs, offsetof(struct conf, provision) },
	{ "features", conf_take_features, offsetof(struct conf, provision) },
	{ "policy", conf_take_policy, offsetof(struct conf, policy) },
	{ "relay", conf_take_relay, offsetof(struct conf, relay) },
	{ "owner", conf_take_owner, offsetof(struct conf, owner) },
	{ "node-owner", conf_take_word, offsetof(struct conf, node_owner) },
	{ "node-group", conf_take_word, offsetof(struct conf, node_group) },
	{ "node-mode", conf_take_mode, offsetof(struct conf, node_mode) },
};

#define CONF_NR_KEYS (sizeof(conf_keys) / sizeof(conf_keys[0]))

const char *conf_key(size_t i)
{
	return i < CONF_NR_KEYS ? conf_keys[i].name : NULL;
}

void conf_init(struct conf *c)
{
	memset(c, 0, sizeof(*c));
	c->vf = -1;
}

bool conf_set(struct conf *c, const char *key, const char *value, char error[CONF_ERROR])
{
	const char *wrong;
	size_t i;

	for (i = 0; i < CONF_NR_KEYS; i++)
		if (!strcmp(key, conf_keys[i].name))
			break;
	if (i == CONF_NR_KEYS) {
		snprintf(error, CONF_ERROR, "there is no key '%.40s'", key);
		return false;
	}
	if (c->given & 1U << i) {
		snprintf(error, CONF_ERROR, "%s is given twice", key);
		return false;
	}
	wrong = *value ? conf_keys[i].take(c, (char *)c + conf_keys[i].offset, value)
		       : "has no value";
	if (wrong) {
		snprintf(error, CONF_ERROR, "%s: '%.40s' %s", key, value, wrong);
		return false;
	}
	c->given |= 1U << i;
	return true;
}

/* Without the blanks around it. */
static char *conf_trim(char *text)
{
	char *end;

	text += strspn(text, BLANKS);
	end = text + strlen(text);
	while (end > text && strchr(BLANKS, end[-1]))
		*--end = '\0';
	return text;
}

static bool conf_line(struct conf *c, char *line, char error[CONF_ERROR])
{
	char *value;

	line[strcspn(line, "#")] = '\0';
	line = conf_trim(line);
	if (!*line)
		return true;
	value = strchr(line, '=');
	if (!value) {
		snprintf(error, CONF_ERROR, "'%.40s' is no 'key = value'", line);
		return false;
	}
	*value++ = '\0';
	return conf_set(c, conf_trim(line), conf_trim(value), error);
}

bool conf_parse(struct conf *c, const char *text, size_t len, char error[CONF_ERROR])
{
	char line[LINE_MAX_LEN], reason[CONF_ERROR];
	const char *end, *at = text;
	unsigned int number = 0;
	size_t n;

	for (; at < text + len; at = end + 1) {
		number++;
		end = memchr(at, '\n', (size_t)(text + len - at));
		if (!end)
			end = text + len;
		n = (size_t)(end - at);
		if (n >= sizeof(line) || memchr(at, '\0', n)) {
			snprintf(error, CONF_ERROR, "line %u: %s", number,
				 n >= sizeof(line) ? conf_long : "is no text");
			return false;
		}
		memcpy(line, at, n);
		line[n] = '\0';
		if (!conf_line(c, line, reason)) {
			snprintf(error, CONF_ERROR, "line %u: %.140s", number, reason);
			return false;
		}
	}
	return true;
}

bool conf_check(const struct conf *c, bool needs_function, char error[CONF_ERROR])
{
	int ways = !!c->function[0] + !!c->pf[0] + !!c->function_mac[0];
	const char *wrong = NULL;

	if (ways > 1 || (needs_function && !ways))
		wrong = "the function is named by one of: function, pf and vf, function-mac";
	else if ((c->vf >= 0 || c->vfs) && !c->pf[0])
		wrong = "vf and vfs need pf";
	else if (c->pf[0] && c->vf < 0)
		wrong = "pf needs vf: the PF itself is a function";
	else if (c->vfs && (unsigned int)c->vf >= c->vfs)
		wrong = "vf is beyond vfs; VFs are counted from 0";
	else if ((c->node_owner[0] || c->node_group[0] || c->has_mode) && c->owner[0] &&
		 strcmp(c->owner, "user"))
		wrong = "there is a node only with owner = user";
	if (wrong)
		snprintf(error, CONF_ERROR, "%s", wrong);
	return !wrong;
}

bool conf_name_ok(const char *name)
{
	const char *c;

	if (!isalnum((unsigned char)name[0]) || strlen(name) >= CONF_WORD)
		return false;
	for (c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			return false;
	return true;
}
