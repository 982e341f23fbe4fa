// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the core has to know of each virtio device class: a constant table.
 *
 * Each entry of a layout is a run of fields of one width (virtio 1.2, chapter
 * 5, "Device configuration layout" of each class). A class that is not listed
 * works all the same; its configuration space is then read by alignment.
 */
#include <linux/types.h>
#include <linux/virtio_ids.h>

#include "config.h"

#define BIT64(nr) (1ULL << (nr))
#define NR_OF(array) (sizeof(array) / sizeof((array)[0]))

/* VIRTIO_ID_SPI, which the headers of older kernels do not have. */
#define ID_SPI 45

static const struct baton_field net_fields[] = {
	{ 1, 6, BIT64(5) },			/* mac: MAC */
	{ 2, 1, BIT64(16) },			/* status: STATUS */
	{ 2, 1, BIT64(22) | BIT64(60) },	/* max_virtqueue_pairs: MQ, RSS */
	{ 2, 1, BIT64(3) },			/* mtu: MTU */
	{ 4, 1, BIT64(63) },			/* speed: SPEED_DUPLEX */
	{ 1, 1, BIT64(63) },			/* duplex */
	{ 1, 1, BIT64(60) | BIT64(57) },	/* rss_max_key_size: RSS, HASH_REPORT */
	{ 2, 1, BIT64(60) },			/* rss_max_indirection_table_length */
	{ 4, 1, BIT64(60) | BIT64(57) },	/* supported_hash_types */
};

static const struct baton_field blk_fields[] = {
	{ 8, 1, 0 },				/* capacity */
	{ 4, 1, BIT64(1) },			/* size_max: SIZE_MAX */
	{ 4, 1, BIT64(2) },			/* seg_max: SEG_MAX */
	{ 2, 1, BIT64(4) },			/* cylinders: GEOMETRY */
	{ 1, 2, BIT64(4) },			/* heads, sectors */
	{ 4, 1, BIT64(6) },			/* blk_size: BLK_SIZE */
	{ 1, 2, BIT64(10) },			/* physical_block_exp …: TOPOLOGY */
	{ 2, 1, BIT64(10) },			/* min_io_size */
	{ 4, 1, BIT64(10) },			/* opt_io_size */
	/* writeback, unused: CONFIG_WCE, FLUSH */
	{ 1, 2, BIT64(11) | BIT64(9), .writes = BIT64(11) },
	{ 2, 1, BIT64(12) },			/* num_queues: MQ */
	{ 4, 3, BIT64(13) },			/* max_discard_sectors …: DISCARD */
	{ 4, 2, BIT64(14) },			/* max_write_zeroes_sectors …: WRITE_ZEROES */
	{ 1, 4, BIT64(14) },			/* write_zeroes_may_unmap, unused */
	{ 4, 3, BIT64(16) },			/* max_secure_erase_sectors …: SECURE_ERASE */
	{ 4, 5, BIT64(17) },			/* zone_sectors …: ZONED */
	{ 1, 4, BIT64(17) },			/* zoned model, unused */
};

static const struct baton_field console_fields[] = {
	{ 2, 2, BIT64(0) },			/* cols, rows: SIZE */
	{ 4, 1, BIT64(1) },			/* max_nr_ports: MULTIPORT */
	{ 4, 1, BIT64(2) },			/* emerg_wr: EMERG_WRITE */
};

static const struct baton_field balloon_fields[] = {
	{ 4, 2, 0 },				/* num_pages, actual */
	{ 4, 1, BIT64(3) },			/* free_page_hint_cmd_id: FREE_PAGE_HINT */
	{ 4, 1, BIT64(4) },			/* poison_val: PAGE_POISON */
};

static const struct baton_field scsi_fields[] = {
	{ 4, 7, 0 },				/* num_queues … cdb_size */
	{ 2, 2, 0 },				/* max_channel, max_target */
	{ 4, 1, 0 },				/* max_lun */
};

static const struct baton_field gpu_fields[] = {
	{ 4, 4, 0 },				/* events_read … num_capsets */
	{ 4, 1, BIT64(5) },			/* blob_alignment: BLOB_ALIGNMENT */
};

static const struct baton_field input_fields[] = {
	{ 1, 8, 0 },				/* select, subsel, size, reserved */
	{ 1, 128, 0 },				/* the union: bytes to all but the driver */
};

static const struct baton_field vsock_fields[] = {
	{ 8, 1, 0 },				/* guest_cid */
};

static const struct baton_field crypto_fields[] = {
	{ 4, 12, 0 },				/* status … akcipher_algo */
	{ 8, 1, 0 },				/* max_size */
};

static const struct baton_field mem_fields[] = {
	{ 8, 1, 0 },				/* block_size */
	{ 2, 1, BIT64(0) },			/* node_id: ACPI_PXM */
	{ 1, 6, 0 },				/* padding */
	{ 8, 5, 0 },				/* addr … requested_size */
};

static const struct baton_field snd_fields[] = {
	{ 4, 3, 0 },				/* jacks, streams, chmaps */
	{ 4, 1, BIT64(0) },			/* controls: CTLS */
};

static const struct baton_field fs_fields[] = {
	{ 1, 36, 0 },				/* tag */
	{ 4, 1, 0 },				/* num_request_queues */
	{ 4, 1, BIT64(0) },			/* notify_buf_size: NOTIFICATION */
};

static const struct baton_field pmem_fields[] = {
	{ 8, 2, 0 },				/* start, size */
};

static const struct baton_field rpmb_fields[] = {
	{ 1, 3, 0 },				/* capacity, max_wr_cnt, max_rd_cnt */
};

static const struct baton_field gpio_fields[] = {
	{ 2, 1, 0 },				/* ngpio */
	{ 1, 2, 0 },				/* padding */
	{ 4, 1, 0 },				/* gpio_names_size */
};

static const struct baton_field spi_fields[] = {
	{ 1, 4, 0 },				/* cs_max_number … rx_nbits_supported */
	{ 4, 7, 0 },				/* bits_per_word_mask … max_cs_inactive_ns */
};

/* No configuration space at all; without an entry its layout would count as unknown. */
static const struct baton_field no_fields[] = {
	{ 1, 0, 0 },
};

static const struct baton_class classes[] = {
	{ VIRTIO_ID_NET, "net", NR_OF(net_fields), net_fields },
	{ VIRTIO_ID_BLOCK, "block", NR_OF(blk_fields), blk_fields, .pausable = true,
	  .waits = true },
	{ VIRTIO_ID_CONSOLE, "console", NR_OF(console_fields), console_fields },
	{ VIRTIO_ID_RNG, "rng", NR_OF(no_fields), no_fields },
	{ VIRTIO_ID_BALLOON, "balloon", NR_OF(balloon_fields), balloon_fields, .waits = true },
	{ VIRTIO_ID_SCSI, "scsi", NR_OF(scsi_fields), scsi_fields, .waits = true },
	/* Layout unknown to this table: the tag is as long as the field before it says. */
	{ VIRTIO_ID_9P, "9p", .waits = true },
	{ VIRTIO_ID_GPU, "gpu", NR_OF(gpu_fields), gpu_fields },
	{ VIRTIO_ID_INPUT, "input", NR_OF(input_fields), input_fields },
	/* guest_cid may change: a transport reset event says so, no notification (5.10.6.7). */
	{ VIRTIO_ID_VSOCK, "vsock", NR_OF(vsock_fields), vsock_fields, .polled = true },
	{ VIRTIO_ID_CRYPTO, "crypto", NR_OF(crypto_fields), crypto_fields },
	/* The driver's own requests change plugged_size, of which there is no notification. */
	{ VIRTIO_ID_MEM, "mem", NR_OF(mem_fields), mem_fields, .polled = true },
	{ VIRTIO_ID_SOUND, "sound", NR_OF(snd_fields), snd_fields, .waits = true },
	{ VIRTIO_ID_FS, "fs", NR_OF(fs_fields), fs_fields, .waits = true },
	{ VIRTIO_ID_PMEM, "pmem", NR_OF(pmem_fields), pmem_fields, .waits = true },
	{ VIRTIO_ID_RPMB, "rpmb", NR_OF(rpmb_fields), rpmb_fields },
	{ VIRTIO_ID_GPIO, "gpio", NR_OF(gpio_fields), gpio_fields },
	{ ID_SPI, "spi", NR_OF(spi_fields), spi_fields },
};

/**
 * baton_class_find() - look a device class up
 * @id: virtio device ID
 *
 * Context: any.
 * Return: its entry, a constant; NULL if it is not in the table.
 */
const struct baton_class *baton_class_find(u32 id)
{
	unsigned int i;

	for (i = 0; i < NR_OF(classes); i++)
		if (classes[i].id == id)
			return &classes[i];

	return NULL;
}

/**
 * baton_class_answers() - does each request of a queue get an answer soon?
 * @id: virtio device ID
 * @queue: which queue
 *
 * Receive buffers, for one, may wait for ever. (The number of a network device's control queue
 * is even.)
 *
 * Context: any.
 * Return: true if so.
 */
bool baton_class_answers(u32 id, u16 queue)
{
	switch (id) {
	case VIRTIO_ID_BLOCK:
	case VIRTIO_ID_CRYPTO:
		return true;
	case VIRTIO_ID_NET:
		return queue % 2;
	default:
		return false;
	}
}
