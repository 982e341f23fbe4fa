// SPDX-License-Identifier: GPL-2.0-only
/*
 * Configuration space accesses: every offset and length of every class, on a
 * mock that fails the case when it is touched in any way but a field's own.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <linux/virtio_ids.h>

#include "../../drivers/vdpa/baton/config.h"
#include "test.h"

#define SPACE 256
#define MAX_ID 64
#define ID_SPI 45
#define BLK_CONFIG_WCE (1ull << 11)
#define BLK_WRITEBACK 32

static const struct baton_class unknown = { .id = 1000, .name = "unknown" };

/* The hardware: bytes, and for each byte where its field starts and ends. */
static struct space {
	u8 bytes[SPACE];
	struct {
		u8 start, width;
		bool present;
	} field[SPACE];
	unsigned int size; /* bytes that have a field */
	bool known;	   /* fields are known, so that their widths can be checked */
	unsigned int mapped;
	unsigned int writes;
	unsigned int unsettled; /* how many more times the generation changes */
	u8 generation;
	const char *complaint;
} hw;

static bool natural(unsigned int offset, unsigned int width)
{
	unsigned int start;

	if ((width != 1 && width != 2 && width != 4) || offset % width)
		return false;
	if (offset + width > hw.mapped)
		return false;
	if (!hw.known)
		return true;
	start = hw.field[offset].start;
	if (offset >= hw.size || !hw.field[offset].present)
		return false;
	if (hw.field[offset].width == 8)
		return width == 4 && (offset == start || offset == start + 4);
	return width == hw.field[offset].width && offset == start;
}

static u32 hw_read(void *ctx, unsigned int offset, unsigned int width)
{
	u32 value = 0;

	(void)ctx;
	if (!natural(offset, width)) {
		hw.complaint = "not read in its natural width";
		return 0;
	}
	while (width--)
		value = value << 8 | hw.bytes[offset + width];
	return value;
}

static void hw_write(void *ctx, unsigned int offset, unsigned int width, u32 value)
{
	(void)ctx;
	hw.writes++;
	if (!natural(offset, width)) {
		hw.complaint = "not written in its natural width";
		return;
	}
	for (unsigned int i = 0; i < width; i++)
		hw.bytes[offset + i] = value >> (8 * i);
}

static u8 hw_generation(void *ctx)
{
	(void)ctx;
	if (hw.unsettled) {
		hw.unsettled--;
		hw.generation++;
	}
	return hw.generation;
}

static struct baton_config set_up(const struct baton_class *class, u64 features,
				  unsigned int mapped)
{
	unsigned int at = 0;

	hw = (struct space){ .mapped = mapped, .known = class->nr_fields };
	for (unsigned int i = 0; i < SPACE; i++)
		hw.bytes[i] = i + 1;
	for (unsigned int i = 0; i < class->nr_fields; i++) {
		const struct baton_field *f = &class->fields[i];

		for (unsigned int n = 0; n < f->count; n++) {
			for (unsigned int b = 0; b < f->width; b++) {
				hw.field[at + b].start = at;
				hw.field[at + b].width = f->width;
				hw.field[at + b].present = at + f->width <= mapped &&
							   (!f->features || f->features & features);
			}
			at += f->width;
		}
	}
	hw.size = class->nr_fields ? at : mapped;
	return (struct baton_config){
		.class = class,
		.features = features,
		.mapped = mapped,
		.read = hw_read,
		.write = hw_write,
		.generation = hw_generation,
	};
}

static bool has_byte(unsigned int i)
{
	return i < hw.size && (hw.known ? hw.field[i].present : i < hw.mapped);
}

/* Every read of the space as it is set up now. ASan guards the ends of the buffer. */
static void read_all_ways(const struct baton_config *c)
{
	unsigned int beyond = hw.size + 9;

	for (unsigned int offset = 0; offset < beyond; offset++) {
		for (unsigned int len = 0; len < beyond; len++) {
			u8 *buf = malloc(len ? len : 1);
			int err;

			memset(buf, 0xee, len);
			err = baton_config_read(c, offset, buf, len);
			for (unsigned int i = 0; i < len; i++)
				if (buf[i] != (has_byte(offset + i) ? hw.bytes[offset + i] : 0))
					hw.complaint = "wrong byte";
			free(buf);
			CHECK_EQ(err, 0);
			if (hw.complaint)
				CONTEXT("class %s, mapped %u, offset %u, len %u: %s",
					c->class->name, hw.mapped, offset, len, hw.complaint);
			CHECK(!hw.complaint);
		}
	}
	CHECK_EQ(hw.writes, 0);
}

static bool whole_fields(unsigned int offset, unsigned int len)
{
	for (unsigned int i = offset; i < offset + len; i++)
		if (!has_byte(i))
			return false;
	return !len || (hw.field[offset].start == offset &&
			hw.field[offset + len - 1].start + hw.field[offset + len - 1].width ==
				offset + len);
}

static void write_all_ways(const struct baton_config *c)
{
	u8 value[SPACE];

	for (unsigned int i = 0; i < SPACE; i++)
		value[i] = ~i;
	for (unsigned int offset = 0; offset < hw.size + 9; offset++) {
		for (unsigned int len = 0; offset + len < hw.size + 9; len++) {
			struct space before = hw;
			int err = baton_config_write(c, ~0ull, offset, value, len);

			CONTEXT("class %s, mapped %u, offset %u, len %u: %s", c->class->name,
				hw.mapped, offset, len, hw.complaint ? hw.complaint : "");
			CHECK(!hw.complaint);
			CHECK_EQ(err, whole_fields(offset, len) ? 0 : -EINVAL);
			if (err)
				CHECK_EQ(hw.writes, before.writes);
			else
				CHECK(!memcmp(hw.bytes + offset, value, len));
			hw = before;
		}
	}
}

static void every_class(void (*all_ways)(const struct baton_config *c))
{
	static const u64 features[] = { ~0ull, 0, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa };

	for (u32 id = 0; id < MAX_ID; id++) {
		const struct baton_class *class = baton_class_find(id);

		if (!class || !class->nr_fields)
			continue;
		for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
			struct baton_config c = set_up(class, features[i], SPACE);
			unsigned int size = hw.size;

			all_ways(&c);
			STOP_IF_FAILED();
			/* The transport reaches less than the class has. */
			c = set_up(class, features[i], size < 3 ? 0 : size - 3);
			all_ways(&c);
			STOP_IF_FAILED();
		}
	}
}

static void read_every_class(void)
{
	every_class(read_all_ways);
}

static void write_every_class(void)
{
	every_class(write_all_ways);
}

static void read_unknown_class(void)
{
	struct baton_config c;

	for (unsigned int mapped = 0; mapped < 40; mapped++) {
		c = set_up(&unknown, 0, mapped);
		CHECK_EQ(baton_config_size(&c), mapped);
		read_all_ways(&c);
		STOP_IF_FAILED();
		c.class = NULL;
		CHECK_EQ(baton_config_size(&c), mapped);
	}
}

static void write_unknown_class(void)
{
	struct baton_config c = set_up(&unknown, 0, 10);
	u8 value[] = { 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2 };

	for (unsigned int offset = 0; offset < 12; offset++) {
		for (unsigned int len = 1; len < 12; len++) {
			int err;

			hw.writes = 0;
			err = baton_config_write(&c, ~0ull, offset, value, len);
			CONTEXT("offset %u, len %u", offset, len);
			CHECK(!hw.complaint);
			CHECK_EQ(err, offset + len <= 10 ? 0 : -EINVAL);
			if (err)
				CHECK_EQ(hw.writes, 0);
			else
				CHECK(!memcmp(hw.bytes + offset, value, len));
		}
	}
}

/* What an owner did not take, or was not provisioned, the device may believe all the same. */
static void write_what_was_taken(void)
{
	const struct baton_class *blk = baton_class_find(VIRTIO_ID_BLOCK);
	struct baton_config c = set_up(blk, ~0ull, SPACE);
	const u8 off = 0;
	u8 shown;

	CHECK_EQ(baton_config_write(&c, ~BLK_CONFIG_WCE, BLK_WRITEBACK, &off, 1), -EINVAL);
	CHECK_EQ(baton_config_write(&c, 0, BLK_WRITEBACK, &off, 1), -EINVAL);
	CHECK_EQ(hw.writes, 0);
	CHECK_EQ(baton_config_read(&c, BLK_WRITEBACK, &shown, 1), 0);
	CHECK_EQ(shown, hw.bytes[BLK_WRITEBACK]);
	CHECK_EQ(baton_config_write(&c, BLK_CONFIG_WCE, BLK_WRITEBACK, &off, 1), 0);
	CHECK_EQ(hw.bytes[BLK_WRITEBACK], 0);
	/* Nor what the function does not offer, whatever was taken. */
	c = set_up(blk, ~BLK_CONFIG_WCE, SPACE);
	CHECK_EQ(baton_config_write(&c, ~0ull, BLK_WRITEBACK, &off, 1), -EINVAL);
}

static void far_beyond(void)
{
	static const unsigned int offsets[] = { 1u << 31, -16u, -1u };
	const struct baton_class *net = baton_class_find(VIRTIO_ID_NET);
	u8 buf[16];

	for (unsigned int i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct baton_config c = set_up(net, ~0ull, SPACE);

		for (int known = 1; known >= 0; known--) {
			c.class = known ? net : &unknown;
			memset(buf, 0xee, sizeof(buf));
			CONTEXT("offset 0x%x, known %d", offsets[i], known);
			CHECK_EQ(baton_config_read(&c, offsets[i], buf, sizeof(buf)), 0);
			CHECK(!hw.complaint);
			CHECK(!buf[0] && !memcmp(buf, buf + 1, sizeof(buf) - 1));
			CHECK_EQ(baton_config_write(&c, ~0ull, offsets[i], buf, sizeof(buf)),
				 -EINVAL);
			CHECK_EQ(hw.writes, 0);
		}
	}
}

static void generation(void)
{
	struct baton_config c = set_up(baton_class_find(VIRTIO_ID_BLOCK), ~0ull, SPACE);
	u8 buf[8];

	hw.unsettled = 9;
	CHECK_EQ(baton_config_read(&c, 0, buf, sizeof(buf)), 0);
	CHECK(!memcmp(buf, hw.bytes, sizeof(buf)));
	CHECK_EQ(hw.unsettled, 0);

	/* For ever: it gives up, and what was read is there all the same. */
	hw.unsettled = -1u;
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(baton_config_read(&c, 0, buf, sizeof(buf)), -EAGAIN);
	CHECK(!memcmp(buf, hw.bytes, sizeof(buf)));
	CHECK(hw.unsettled > -1000u);
}

/* virtio 1.2, chapter 5: where some fields lie that are easily got wrong. */
static void class_layouts(void)
{
	static const struct {
		u32 id;
		unsigned int size, offset, width;
	} table[] = {
		{ VIRTIO_ID_NET, 24, 10, 2 },	 /* mtu */
		{ VIRTIO_ID_NET, 24, 12, 4 },	 /* speed */
		{ VIRTIO_ID_NET, 24, 18, 2 },	 /* rss_max_indirection_table_length */
		{ VIRTIO_ID_BLOCK, 96, 0, 8 },	 /* capacity */
		{ VIRTIO_ID_BLOCK, 96, 16, 2 },	 /* cylinders */
		{ VIRTIO_ID_BLOCK, 96, 34, 2 },	 /* num_queues */
		{ VIRTIO_ID_BLOCK, 96, 60, 4 },	 /* max_secure_erase_sectors */
		{ VIRTIO_ID_CONSOLE, 12, 4, 4 }, /* max_nr_ports */
		{ VIRTIO_ID_SCSI, 36, 28, 2 },	 /* max_channel */
		{ VIRTIO_ID_SCSI, 36, 32, 4 },	 /* max_lun */
		{ VIRTIO_ID_CRYPTO, 56, 48, 8 }, /* max_size */
		{ VIRTIO_ID_FS, 44, 36, 4 },	 /* num_request_queues */
		{ VIRTIO_ID_FS, 44, 40, 4 },	 /* notify_buf_size */
		{ VIRTIO_ID_RPMB, 3, 2, 1 },	 /* max_rd_cnt */
		{ ID_SPI, 32, 3, 1 },		 /* rx_nbits_supported */
		{ ID_SPI, 32, 28, 4 },		 /* max_cs_inactive_ns */
		{ VIRTIO_ID_INPUT, 136, 8, 1 },	 /* the union */
		{ VIRTIO_ID_VSOCK, 8, 0, 8 },	 /* guest_cid */
		{ VIRTIO_ID_MEM, 56, 16, 8 },	 /* addr */
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(table); i++) {
		struct baton_config c = set_up(baton_class_find(table[i].id), ~0ull, SPACE);

		CONTEXT("class %s, offset %u", c.class->name, table[i].offset);
		CHECK_EQ(baton_config_size(&c), table[i].size);
		CHECK_EQ(hw.field[table[i].offset].start, table[i].offset);
		CHECK_EQ(hw.field[table[i].offset].width, table[i].width);
	}
}

/* A copy of these would be old, and nobody would say so. */
static void changes_without_a_word(void)
{
	static const u32 polled[] = { VIRTIO_ID_MEM, VIRTIO_ID_VSOCK };

	for (u32 id = 1; id < MAX_ID; id++) {
		const struct baton_class *class = baton_class_find(id);
		bool wanted = false;

		for (unsigned int i = 0; i < ARRAY_SIZE(polled); i++)
			wanted |= polled[i] == id;
		CONTEXT("class %u", id);
		CHECK_EQ(class && class->polled, wanted);
	}
}

static void class_tables(void)
{
	CHECK(!baton_class_find(0));
	CHECK(!baton_class_find(-1u));
	for (u32 id = 1; id < MAX_ID; id++) {
		const struct baton_class *class = baton_class_find(id);
		unsigned int at = 0;

		if (!class)
			continue;
		CONTEXT("class %s", class->name);
		CHECK_EQ(class->id, id);
		for (unsigned int i = 0; i < class->nr_fields; i++) {
			u8 width = class->fields[i].width;

			CHECK(width == 1 || width == 2 || width == 4 || width == 8);
			CHECK_EQ(at % (width == 8 ? 4 : width), 0);
			/* A class without configuration space has one entry of none. */
			CHECK(class->fields[i].count > 0 || class->nr_fields == 1);
			at += width * class->fields[i].count;
		}
		CHECK(at <= SPACE - 9);
	}
}

static const struct test_case cases[] = {
	{ "class tables are sound", class_tables },
	{ "class layouts are those of the specification", class_layouts },
	{ "classes whose fields change without a word", changes_without_a_word },
	{ "read every class at every offset and length", read_every_class },
	{ "write every class at every offset and length", write_every_class },
	{ "write a field of a feature that was not taken", write_what_was_taken },
	{ "read a class with an unknown layout", read_unknown_class },
	{ "write a class with an unknown layout", write_unknown_class },
	{ "read and write far beyond the end", far_beyond },
	{ "a generation that does not settle", generation },
};

RUN(cases)
