/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * baton: virtio functions on the vDPA bus
 *
 * What a function driver has to implement to have its functions presented on
 * the vDPA bus, and what it may call. A function driver knows its transport
 * (registers, interrupts, ways of reset) and makes no decisions; the core
 * (baton.ko) decides, and knows no transport.
 *
 * Life of a function:
 *
 * 1. The function driver's probe makes the function's registers accessible,
 *    fills in struct baton_function and calls baton_function_register().
 * 2. The core resets the function, puts it into an empty IOMMU domain, learns
 *    its features and queues, and registers a vDPA management device.
 * 3. "vdpa dev add" makes a vDPA device of it, whose consumers come and go.
 * 4. The function driver's remove calls baton_function_unregister(), after
 *    which the core calls no operation any more.
 *
 * Locking: the core calls all operations that may sleep, but for get_doorbell, under one
 * mutex of the function, so they never run concurrently for one function. Those that may
 * be called from atomic context say so, and may run at any time.
 */
#ifndef _LINUX_BATON_H
#define _LINUX_BATON_H

#include <linux/types.h>

struct baton;
struct baton_function;
struct device;

/* In place of the index of a vector, in struct baton_queue_config: none. */
#define BATON_NO_VECTOR 0xffff

/**
 * struct baton_queue_config - all that a queue has to be told before it runs
 * @desc: address of the descriptor area
 * @driver: address of the driver area (split: available ring)
 * @device: address of the device area (split: used ring)
 * @size: number of entries; at most the maximum that find_queues reported
 * @vector: index of the interrupt vector, or %BATON_NO_VECTOR
 */
struct baton_queue_config {
	u64 desc;
	u64 driver;
	u64 device;
	u16 size;
	u16 vector;
};

/**
 * struct baton_doorbell - where a queue's doorbell can be mapped by a user
 * @addr: physical address of the page that holds it, and nothing else; 0 if there is no
 *	  such page
 * @size: of the area, in bytes; 0 if it cannot be mapped
 */
struct baton_doorbell {
	phys_addr_t addr;
	size_t size;
};

/*
 * How many queues of a function are used at most: a bound for what is allocated on the word of a
 * function that is not to be trusted.
 */
#define BATON_MAX_QUEUES	4096

/**
 * struct baton_function_ops - operations of a function driver
 *
 * All are mandatory unless marked as optional. "The device" is the virtio
 * device behind the function.
 *
 * @get_features: Read the feature bits that the device offers (virtio 1.2,
 *	2.2). May sleep.
 * @set_features: Write the feature bits that the driver accepts. Called only
 *	while the status is ACKNOWLEDGE | DRIVER. May sleep.
 * @get_status: Read the device status (virtio 1.2, 2.1). Returns 0xff if the
 *	device does not answer. Any context, hard interrupt included.
 * @set_status: Write the device status; 0 begins a reset. Must not wait for
 *	its end: the core does, by @get_status. May sleep.
 * @find_queues: Find out how many queues the device has and how large each
 *	may be, and prepare their doorbells. Called once, from
 *	baton_function_register(), at a time when every feature has been
 *	negotiated that will ever be, since some devices show all of their
 *	queues only then. Fills in &baton_function.nr_queues and
 *	&baton_function.queue_max, which the function driver owns until
 *	baton_function_unregister() has returned. Returns 0 or a negative errno.
 *	May sleep.
 * @setup_queue: Write everything in @cfg to queue @idx, check that the device
 *	took the vector, then enable the queue. The core calls it after the
 *	features have been negotiated, for each queue at most once between two
 *	resets, of the device or of the queue. Returns 0; -EBUSY if the device has no
 *	resources for the vector; -EIO if the queue did not become enabled. May sleep.
 * @reset_queue: Optional. Have the device forget queue @idx, which it runs, and wait
 *	until it has (virtio 1.2, 2.6.1). Called only if VIRTIO_F_RING_RESET was negotiated.
 *	Returns 0; -ETIMEDOUT if that takes longer than @timeout_ms; -ENODEV; -EIO if the
 *	queue is still enabled. May sleep.
 * @kick: Ring the doorbell of queue @idx. Any context. It may still be called
 *	shortly after a reset, and must do no harm then.
 * @kick_data: Ring the doorbell of the queue in the lower half of @data, with
 *	@data (VIRTIO_F_NOTIFICATION_DATA; virtio 1.2, 4.1.5.2). Any context.
 * @get_doorbell: Optional. Where queue @idx has its doorbell, if it has a page to
 *	itself, and whether users may map that: they keep it mapped when the function
 *	has gone, so no other device may be given it. Called at registration and for
 *	each queue of each new vDPA device, after @find_queues. The address must depend on
 *	nothing that changes after that, since no mutex is held. May sleep.
 * @read_config: Read one field of @width 1, 2 or 4 bytes at @offset, which need not
 *	be a multiple of @width, below &baton_function.config_len. Returns its value
 *	in CPU byte order. May sleep.
 * @write_config: Write one field, as for @read_config. May sleep.
 * @get_generation: Read the configuration generation. Any context, hard
 *	interrupt included.
 * @alloc_vectors: Allocate between one and @want interrupt vectors. Called
 *	only after the owner's IOMMU domain has been attached, since the
 *	doorbell of message-signalled interrupts may have to be mapped into it.
 *	Returns how many were allocated, or a negative errno. May sleep.
 * @free_vectors: Free them. All interrupts have been freed. May sleep.
 * @vector_irq: The Linux interrupt number of vector @vector. May sleep.
 * @set_config_vector: Tell the device which vector signals changes of its
 *	configuration. Returns 0, or -EBUSY if the device did not take it. May
 *	sleep.
 * @set_master: Allow the function to direct DMA, or forbid it. Forbidding also
 *	keeps message-signalled interrupts from being sent. May sleep.
 * @reset: Reset the whole function by a way that does not need it to
 *	cooperate (PCI: function-level reset), and restore what it needs to be
 *	accessible, bus mastering off. Called with no vectors allocated. Returns
 *	0, or a negative errno if there is no such way, it failed, or the function
 *	cannot be reached again @timeout_ms after it should. May sleep.
 * @present: Is the function still there (not unplugged)? May sleep.
 */
struct baton_function_ops {
	u64 (*get_features)(struct baton_function *fn);
	void (*set_features)(struct baton_function *fn, u64 features);
	u8 (*get_status)(struct baton_function *fn);
	void (*set_status)(struct baton_function *fn, u8 status);

	int (*find_queues)(struct baton_function *fn);
	int (*setup_queue)(struct baton_function *fn, u16 idx,
			   const struct baton_queue_config *cfg);
	int (*reset_queue)(struct baton_function *fn, u16 idx, unsigned int timeout_ms);
	void (*kick)(struct baton_function *fn, u16 idx);
	void (*kick_data)(struct baton_function *fn, u32 data);
	struct baton_doorbell (*get_doorbell)(struct baton_function *fn, u16 idx);

	u32 (*read_config)(struct baton_function *fn, unsigned int offset, unsigned int width);
	void (*write_config)(struct baton_function *fn, unsigned int offset, unsigned int width,
			     u32 value);
	u8 (*get_generation)(struct baton_function *fn);

	int (*alloc_vectors)(struct baton_function *fn, unsigned int want);
	void (*free_vectors)(struct baton_function *fn);
	int (*vector_irq)(struct baton_function *fn, unsigned int vector);
	int (*set_config_vector)(struct baton_function *fn, u16 vector);

	void (*set_master)(struct baton_function *fn, bool on);
	int (*reset)(struct baton_function *fn, unsigned int timeout_ms);
	bool (*present)(struct baton_function *fn);
};

/**
 * struct baton_function - a thing that speaks virtio and has one requester ID
 * @dev: the device that directs the DMA; parent of the vDPA device, and what
 *	 the management device is named after
 * @ops: operations
 * @device_id: virtio device ID (virtio 1.2, chapter 5)
 * @vendor_id: virtio vendor ID
 * @config_len: how many bytes of the device-specific configuration space can
 *		be reached; 0 if there is none
 * @nr_queues: how many queues there are, at most %BATON_MAX_QUEUES; filled in by
 *	       find_queues
 * @queue_max: the largest size of each queue, 0 for one that is not available;
 *	       filled in by find_queues
 * @baton: the core's own, from baton_function_register() to baton_function_unregister()
 *
 * All fields but the last are filled in by the function driver and do not
 * change after find_queues.
 */
struct baton_function {
	struct device *dev;
	const struct baton_function_ops *ops;
	u32 device_id;
	u32 vendor_id;
	unsigned int config_len;
	u16 nr_queues;
	const u16 *queue_max;
	struct baton *baton;
};

int baton_function_register(struct baton_function *fn);
void baton_function_ask(struct baton_function *fn);
void baton_function_unregister(struct baton_function *fn);
void baton_function_shutdown(struct baton_function *fn);
void baton_function_reset_prepare(struct baton_function *fn);
void baton_function_reset_done(struct baton_function *fn);
void baton_function_error(struct baton_function *fn, bool for_good);
void baton_function_recover(struct baton_function *fn);
int baton_function_sleep(struct baton_function *fn);
void baton_function_wake(struct baton_function *fn);

#endif /* _LINUX_BATON_H */
