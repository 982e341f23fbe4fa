// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access to the device-specific configuration space. No state: the caller serialises accesses.
 *
 * virtio 1.2, 4.1.3.1: each field is accessed in its own width, a 64-bit one
 * as two halves of 32 bits; 2.5.1: fields that depend on a feature exist only
 * if it was offered; 4.1.4.3.1: several fields belong together only if the
 * generation is the same before and after.
 */
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>

#include "config.h"
#include "le.h"

/* A function whose generation changes in each of so many attempts is given up as torn. */
#define GENERATION_RETRIES 16

struct field_pos {
	unsigned int offset;	/* of this field, from the start of the space */
	unsigned int width;
	bool present;		/* the function has it, and the transport reaches it */
	u64 writes;		/* of these an owner has to have one, to write it; 0: it need not */
};

static bool config_class_known(const struct baton_config *c)
{
	return c->class && c->class->nr_fields;
}

/**
 * baton_config_size() - how large the configuration space is
 * @c: the configuration space
 *
 * All fields of the class count, whether or not the function offers the
 * features that they belong to: a consumer may ask for the whole structure,
 * and finds zeroes where the function has nothing.
 *
 * Context: any.
 * Return: the size in bytes; for a class with an unknown layout, what the
 * transport can reach.
 */
unsigned int baton_config_size(const struct baton_config *c)
{
	unsigned int size = 0, i;

	if (!config_class_known(c))
		return c->mapped;
	for (i = 0; i < c->class->nr_fields; i++)
		size += c->class->fields[i].width * c->class->fields[i].count;

	return size;
}

/*
 * Where is the field that holds the byte at @offset? False if there is none.
 * Where the layout is unknown, take the widest access that alignment and the
 * @left bytes of the request allow.
 */
static bool config_find_field(const struct baton_config *c, unsigned int offset, unsigned int left,
			      struct field_pos *pos)
{
	const struct baton_field *f;
	unsigned int start = 0, size, i;

	if (!config_class_known(c)) {
		*pos = (struct field_pos) { .offset = offset, .width = 1,
					    .present = offset < c->mapped };
		if (!pos->present)
			return false;
		if (left > c->mapped - offset)
			left = c->mapped - offset;
		if (offset % 4 == 0 && left >= 4)
			pos->width = 4;
		else if (offset % 2 == 0 && left >= 2)
			pos->width = 2;
		return true;
	}

	for (i = 0; i < c->class->nr_fields; i++, start += size) {
		f = &c->class->fields[i];
		size = f->width * f->count;
		if (offset - start >= size)
			continue;
		pos->width = f->width;
		pos->writes = f->writes ? f->writes : f->features;
		pos->offset = start + (offset - start) / f->width * f->width;
		pos->present = (!f->features || (f->features & c->features)) &&
			       pos->offset + pos->width <= c->mapped;
		return true;
	}

	return false;
}

static void config_read_field(const struct baton_config *c, const struct field_pos *pos, u8 *bytes)
{
	if (!pos->present) {
		memset(bytes, 0, pos->width);
	} else if (pos->width == 8) {
		baton_le_put(bytes, c->read(c->ctx, pos->offset, 4), 4);
		baton_le_put(bytes + 4, c->read(c->ctx, pos->offset + 4, 4), 4);
	} else {
		baton_le_put(bytes, c->read(c->ctx, pos->offset, pos->width), pos->width);
	}
}

static void config_write_field(const struct baton_config *c, const struct field_pos *pos,
			       const u8 *bytes)
{
	if (pos->width == 8) {
		c->write(c->ctx, pos->offset, 4, baton_le_get(bytes, 4));
		c->write(c->ctx, pos->offset + 4, 4, baton_le_get(bytes + 4, 4));
	} else {
		c->write(c->ctx, pos->offset, pos->width, baton_le_get(bytes, pos->width));
	}
}

static void config_read_once(const struct baton_config *c, unsigned int offset, u8 *buf,
			     unsigned int len)
{
	unsigned int skip, n;
	struct field_pos pos;
	u8 bytes[8];

	while (len) {
		if (!config_find_field(c, offset, len, &pos)) {
			memset(buf, 0, len);
			return;
		}
		config_read_field(c, &pos, bytes);
		skip = offset - pos.offset;
		n = pos.width - skip;
		if (n > len)
			n = len;
		memcpy(buf, bytes + skip, n);
		buf += n;
		offset += n;
		len -= n;
	}
}

/**
 * baton_config_read() - read any part of the configuration space
 * @c: the configuration space
 * @offset: the first byte; may lie anywhere in a field, or beyond the end
 * @buf: where to; filled whatever happens
 * @len: how many bytes
 *
 * What the function does not have, and what lies beyond the end, reads 0.
 *
 * Context: as @c->read and @c->generation; the caller serialises.
 * Return: 0; -EAGAIN if the generation never settled: @buf then holds what was
 * read last, which may be torn.
 */
int baton_config_read(const struct baton_config *c, unsigned int offset, void *buf,
		      unsigned int len)
{
	u8 before, after;
	unsigned int i;

	for (i = 0; i < GENERATION_RETRIES; i++) {
		before = c->generation(c->ctx);
		config_read_once(c, offset, buf, len);
		after = c->generation(c->ctx);
		if (before == after)
			return 0;
	}

	return -EAGAIN;
}

/**
 * baton_config_write() - write any part of the configuration space
 * @c: the configuration space
 * @features: what its owner took
 * @offset: the first byte
 * @buf: what to write
 * @len: how many bytes
 *
 * What can be read, as long as nothing has been negotiated even, are the fields of all that
 * the function offers. A driver may write those of what it has negotiated (5.2.5, for one);
 * a device need not look whether it has.
 *
 * Context: as @c->write; the caller serialises.
 * Return: 0; -EINVAL if a field would be written in part, or is not this owner's:
 * nothing has been written then.
 */
int baton_config_write(const struct baton_config *c, u64 features, unsigned int offset,
		       const void *buf, unsigned int len)
{
	unsigned int done, left;
	struct field_pos pos;
	const u8 *bytes = buf;

	for (done = 0; done < len; done += pos.width)
		if (!config_find_field(c, offset + done, len - done, &pos) || !pos.present ||
		    pos.offset != offset + done || pos.width > len - done ||
		    (pos.writes && !(pos.writes & features & c->features)))
			return -EINVAL;

	for (left = len; left; left -= pos.width, offset += pos.width, bytes += pos.width) {
		config_find_field(c, offset, left, &pos);
		config_write_field(c, &pos, bytes);
	}

	return 0;
}
