// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tool's two parsers, of declarations and of JSON. Whatever the text: no error
 * without a reason; what was read has been checked, is whole, and says the same when
 * it is read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "json.h"

static void must(bool true_is)
{
	if (!true_is)
		abort();
}

static void try_conf(const char *text, size_t len)
{
	char error[CONF_ERROR] = "";
	struct conf c, again;

	conf_init(&c);
	if (!conf_parse(&c, text, len, error) || !conf_check(&c, true, error)) {
		must(error[0] && memchr(error, '\0', sizeof(error)));
		return;
	}
	must(memchr(c.function, '\0', sizeof(c.function)) && memchr(c.pf, '\0', sizeof(c.pf)) &&
	     memchr(c.policy, '\0', sizeof(c.policy)) &&
	     memchr(c.node_owner, '\0', sizeof(c.node_owner)));
	must(!!c.function[0] + !!c.pf[0] + !!c.function_mac[0] == 1);
	must(!c.provision.has_mac || !(c.provision.mac[0] & 1));
	must(!c.provision.has_mtu || c.provision.mtu >= 68);
	must(c.node_mode <= 0777);
	must(!c.vfs || (unsigned int)c.vf < c.vfs);
	conf_init(&again);
	must(conf_parse(&again, text, len, error) && !memcmp(&c, &again, sizeof(c)));
}

static void try_json(const char *text, size_t len)
{
	struct value *v = json_read(text, len), *again;
	char *written = NULL;
	size_t size = 0;
	FILE *out;

	if (!v)
		return;
	out = open_memstream(&written, &size);
	json_write(out, v, true);
	fclose(out);
	again = json_read(written, size);
	must(again);
	value_free(again);
	value_free(v);
	free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says whose it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] == 'j')
		try_json((const char *)data + 1, size - 1);
	else
		try_conf((const char *)data + 1, size - 1);
	return 0;
}
