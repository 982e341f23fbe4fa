/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The device-specific configuration space: which fields a class has, how wide
 * they are, and how to read and write any part of it. Pure C, as owner.h is.
 *
 * There is no state here that changes: struct baton_config is filled in once, in probe.
 * Accesses to the device are serialised by the caller: in the core &baton.lock does.
 */
#ifndef BATON_CONFIG_H
#define BATON_CONFIG_H

#include <linux/types.h>

/**
 * struct baton_field - a run of equal fields in a configuration space
 * @width: of one field, in bytes: 1, 2, 4 or 8
 * @count: how many follow each other
 * @features: the fields exist if any of these was offered; 0: always
 * @writes: a driver may write them if it took any of these; 0: as @features
 */
struct baton_field {
	u8 width;
	u8 count;
	u64 features;
	u64 writes;
};

/**
 * struct baton_class - what the core has to know about a virtio device class
 * @id: virtio device ID
 * @name: for log lines
 * @nr_fields: how many entries @fields has; 0: layout unknown
 * @fields: the configuration space from its first byte on, no gaps
 * @pausable: its virtio driver can be stopped and started again while user
 *	      space goes on (freeze and restore), and waits for what is under way
 * @waits: its virtio driver, unbound, waits for requests or for who uses it, however long:
 *	   it is not waited for beyond %BATON_STUCK_MS
 * @polled: fields change without a notification, so that no copy may be kept (shadow.c)
 */
struct baton_class {
	u32 id;
	const char *name;
	unsigned int nr_fields;
	const struct baton_field *fields;
	bool pausable;
	bool waits;
	bool polled;
};

/**
 * struct baton_config - the configuration space of one function
 * @class: its layout
 * @features: all that the function offers
 * @mapped: how much of it the transport can reach, in bytes
 * @read: read one little-endian field of 1, 2 or 4 bytes; returns its value, as the CPU has it
 * @write: write one field of 1, 2 or 4 bytes; takes its value likewise
 * @generation: read the configuration generation
 * @ctx: handed to the three
 */
struct baton_config {
	const struct baton_class *class;
	u64 features;
	unsigned int mapped;
	u32 (*read)(void *ctx, unsigned int offset, unsigned int width);
	void (*write)(void *ctx, unsigned int offset, unsigned int width, u32 value);
	u8 (*generation)(void *ctx);
	void *ctx;
};

const struct baton_class *baton_class_find(u32 id);
bool baton_class_answers(u32 id, u16 queue);
unsigned int baton_config_size(const struct baton_config *c);
int baton_config_read(const struct baton_config *c, unsigned int offset, void *buf,
		      unsigned int len);
int baton_config_write(const struct baton_config *c, u64 features, unsigned int offset,
		       const void *buf, unsigned int len);

#endif /* BATON_CONFIG_H */
