// SPDX-License-Identifier: GPL-2.0-only
/* What a topology, or a command, says of a function: a name and a number each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blk.h"
#include "net.h"
#include "regs.h"
#include "settings.h"

#define BAR(bar, offset) ((u64)(bar) << 28 | (offset))
#define UNSET UINT64_MAX

#define N(field) { #field, offsetof(struct model, set.field) }
#define M(field) { #field, offsetof(struct model, field) }

struct field {
	const char *name;
	size_t offset;
};

static const struct field numbers[] = {
	N(class),	N(pairs),
	N(queues),	N(queue_size),
	N(vectors),	N(flr),
	N(af),		N(ats),
	N(pasid),	N(vendor),
	N(device),	N(subvendor),
	N(subdevice),	N(ring_index),
	N(multiplier),	N(same_doorbell),
	N(bar64),	N(mac),
	N(mtu),		N(features),
	N(demand),	N(filters),
	N(command_ms),	N(delay_ms),
	N(reset_ms),	N(flr_ms),
	N(reorder),	N(ones),
	N(vanish),	N(no_generation),
	N(unsettled),	N(stray_ms),
	N(no_reset),	N(no_enable),
	N(wrong_queue), N(deaf),
	N(mute),	N(ack),
	N(wrong_id),	N(twice),
	N(jump),	N(waits),
	N(held),	N(refuse),
	N(claims),	N(queue_reset_ms),
	N(silent),	N(caps_seed),
	M(more),	M(less),
};

static const struct field texts[] = {
	M(socket), M(dir), M(file), M(peer_local), M(peer_remote),
};

/* A BAR and an offset in it, as BAR:OFFSET. */
static const struct field places[] = {
	N(common), N(isr), N(config), N(doorbells), N(msix),
};

void settings_default(struct model *m)
{
	m->set = (struct settings){
		.class = REGS_NET,
		.pairs = 1,
		.queues = 1,
		.queue_size = 256,
		.vectors = UNSET,
		.flr = 1,
		.vendor = 0x1af4,
		.device = UNSET,
		.subvendor = 0x1af4,
		.subdevice = 0x1100,
		.multiplier = 4096,
		.bar64 = BIT(2),
		.mac = 0x525400000001,
		.common = BAR(0, 0),
		.isr = BAR(0, 0x1000),
		.config = BAR(0, 0x2000),
		.msix = BAR(1, 0),
		.doorbells = BAR(2, 0),
		.features = UNSET,
		.filters = 32,
		.ack = 256,
	};
}

void settings_finish(struct model *m)
{
	struct settings *s = &m->set;
	bool net = s->class == REGS_NET;

	if (s->vectors == UNSET)
		s->vectors = net ? 2 * s->pairs + 2 : s->queues + 1;
	if (s->device == UNSET)
		s->device = 0x1040 + s->class;
	if (s->features == UNSET)
		s->features = BIT(F_VERSION_1) | BIT(F_ACCESS_PLATFORM) | BIT(F_INDIRECT) |
			      BIT(F_EVENT_IDX) | (net ? net_features(m) : blk_features(m));
	s->features |= m->more;
	s->features &= ~m->less;
}

/* Where the field of this name is, in a structure at @base; NULL: no such name. */
static void *settings_find(const struct field *fields, size_t nr, void *base, const char *name)
{
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(name, fields[i].name))
			return (char *)base + fields[i].offset;
	return NULL;
}

int settings_set(struct model *m, const char *name, const char *value)
{
	u64 *place = settings_find(places, ARRAY_LEN(places), m, name);
	u64 *number = settings_find(numbers, ARRAY_LEN(numbers), m, name);
	char **text = settings_find(texts, ARRAY_LEN(texts), m, name);
	u64 parsed;
	char *end;

	if (text) {
		free(*text);
		*text = strdup(value);
		return *text ? 0 : -ENOMEM;
	}
	if (!strcmp(name, "name")) {
		strncpy(m->name, value, sizeof(m->name) - 1);
		return 0;
	}
	parsed = strtoull(value, &end, 0);
	if (end == value || *end != (place ? ':' : '\0'))
		return -EINVAL;
	if (place) {
		if (parsed >= NR_BARS)
			return -EINVAL;
		*place = BAR(parsed, strtoull(end + 1, &end, 0));
		return *end ? -EINVAL : 0;
	}
	if (!strncmp(name, "size_", 5)) {
		u64 index = strtoull(name + 5, &end, 10);

		if (*end || index >= QUEUES_MAX || !parsed || parsed > 32768)
			return -EINVAL;
		m->sizes[index] = parsed;
		return 0;
	}
	if (!number)
		return -ENOENT;
	*number = parsed;
	return 0;
}
