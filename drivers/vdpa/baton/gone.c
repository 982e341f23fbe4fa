// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vDPA device whose function has left it.
 *
 * A vDPA device cannot be taken from a user who has it open: the bus waits until it is
 * closed. So that nobody waits for that (C11), the function is drained and leaves the vDPA
 * device, and &baton_vdpa.gone, a function in the state dead, takes its place. The user
 * keeps a device whose configuration can be read, whose status says NEEDS_RESET, and which
 * refuses everything else.
 *
 * Invariant: once baton_gone_leave() has returned, no operation of the vDPA device reaches the
 * function or its driver. &baton_vdpa.b changes once, with the &baton.lock of the function that
 * leaves held; from then on that of &baton_vdpa.gone guards the vDPA device. Kicks take no lock:
 * they read it within rcu_read_lock(), and are waited for.
 *
 * In sysfs the device moves from the function's directory, which may go, to one of our own.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/pm_runtime.h>
#include <linux/rcupdate.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>

#include "core.h"
#include "gone.h"
#include "handover.h"
#include "le.h"

/* Where these devices are: /sys/devices/baton. */
static struct device *gone_root;

static struct baton_gone *to_gone(struct baton_function *fn)
{
	return container_of(fn, struct baton_gone, fn);
}

static u64 gone_get_features(struct baton_function *fn)
{
	return 0;
}

static void gone_set_features(struct baton_function *fn, u64 features)
{
}

static u8 gone_get_status(struct baton_function *fn)
{
	return 0xff;
}

static void gone_set_status(struct baton_function *fn, u8 status)
{
}

static void gone_kick(struct baton_function *fn, u16 idx)
{
}

static void gone_kick_data(struct baton_function *fn, u32 data)
{
}

/* What is not in the copy reads 0, as fields do that a function does not have. */
static u32 gone_read_config(struct baton_function *fn, unsigned int offset, unsigned int width)
{
	const struct baton_shadow *s = &to_gone(fn)->b.shadow;

	if (width > s->size || offset > s->size - width)
		return 0;
	return baton_le_get(s->bytes + offset, width);
}

static void gone_write_config(struct baton_function *fn, unsigned int offset, unsigned int width,
			      u32 value)
{
}

static u8 gone_get_generation(struct baton_function *fn)
{
	return 0;
}

static bool gone_present(struct baton_function *fn)
{
	return false;
}

/* The others are for probe, dev add and handovers, none of which there are in the state dead. */
static const struct baton_function_ops gone_ops = {
	.get_features		= gone_get_features,
	.set_features		= gone_set_features,
	.get_status		= gone_get_status,
	.set_status		= gone_set_status,
	.kick			= gone_kick,
	.kick_data		= gone_kick_data,
	.read_config		= gone_read_config,
	.write_config		= gone_write_config,
	.get_generation		= gone_get_generation,
	.present		= gone_present,
};

static void gone_copy_config(struct baton_gone *gone, struct baton *b)
{
	struct baton_shadow *s = &gone->b.shadow;

	/* Registers of a function that is not there read all ones: the copy stays as it is. */
	if (b->fn->ops->present(b->fn))
		baton_shadow_generation(b);
	*s = b->shadow;
	s->generation++;
	if (gone->fn.device_id == VIRTIO_ID_NET && b->hw_features & BIT_ULL(VIRTIO_NET_F_STATUS))
		s->bytes[offsetof(struct virtio_net_config, status)] &= ~VIRTIO_NET_S_LINK_UP;
	gone->b.config = b->config;
	gone->b.config.ctx = &gone->fn;
}

/* Makes the function that takes @b's place; nobody else can see it yet. */
static void gone_make(struct baton_vdpa *bv, struct baton *b)
{
	struct baton_gone *gone = &bv->gone;

	gone->fn = (struct baton_function) {
		.dev = &bv->vdpa.dev,
		.ops = &gone_ops,
		.device_id = bv->device_id,
		.vendor_id = bv->vendor_id,
		.nr_queues = bv->nr_queues,
		.baton = &gone->b,
	};
	mutex_init(&gone->b.lock);
	baton_report_init(&gone->b);
	strscpy(gone->b.report.fault, "the function has left: this vDPA device was deleted");
	gone->b.fn = &gone->fn;
	gone->b.bv = bv;
	gone->b.owner = (struct baton_owner) { .state = BATON_DEAD, .consumer = b->owner.consumer };
	gone->b.hw_features = b->hw_features;
	gone_copy_config(gone, b);
}

/**
 * baton_gone_leave() - a function leaves its vDPA device
 * @bv: the vDPA device; not to be found by netlink any more
 *
 * The function is drained first. When this returns it cannot reach anything that its owner
 * mapped, and no operation of the vDPA device reaches it.
 *
 * Context: may sleep, as long as a reset takes; &baton.lock not held; vdpa_dev_lock held.
 */
void __no_context_analysis baton_gone_leave(struct baton_vdpa *bv)
{
	struct baton *b;
	int err;

	b = baton_vdpa_lock(bv);
	gone_make(bv, b);
	baton_handover_unbind(b);
	/* A driver that stays would wait for what it asks from now on, too. */
	baton_virtio_break(b);
	baton_virtio_forget(b);
	baton_queue_reset(bv);
	WRITE_ONCE(bv->needs_reset, true);
	b->bv = NULL;
	/* From here on the lock of bv->gone.b guards @bv: see baton_vdpa_lock(). */
	smp_store_release(&bv->b, &bv->gone.b);
	mutex_unlock(&b->lock);

	/* Kicks, which take no lock, may still use the function until this returns. */
	synchronize_rcu_expedited();

	baton_compat_set_dma_dev(&bv->vdpa, gone_root);
	/*
	 * Who binds it just now has up to two references of its old parent (__device_attach(),
	 * __driver_probe_device()), and drops as many of the new one.
	 */
	pm_runtime_get_noresume(gone_root);
	pm_runtime_get_noresume(gone_root);
	err = device_move(&bv->vdpa.dev, gone_root, DPM_ORDER_NONE);
	if (err)
		dev_err(&bv->vdpa.dev, "cannot leave the directory of its function: %pe\n",
			ERR_PTR(err));
}

/**
 * baton_gone_init() - make the directory of devices whose functions have left
 *
 * Context: may sleep; module init.
 * Return: 0 or a negative errno.
 */
int __init baton_gone_init(void)
{
	gone_root = root_device_register("baton");
	return PTR_ERR_OR_ZERO(gone_root);
}

/**
 * baton_gone_uninit() - undo baton_gone_init()
 *
 * Context: may sleep; module exit, or failed init.
 */
void baton_gone_uninit(void)
{
	root_device_unregister(gone_root);
}
