// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where function drivers hand their functions in, and take them back.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/module.h>

#include "core.h"
#include "function.h"
#include "handover.h"
#include "mgmt.h"

/**
 * baton_function_register() - present a function on the vDPA bus
 * @fn: the function; must stay until baton_function_unregister()
 *
 * Resets the function, takes its DMA away (empty IOMMU domain, bus mastering
 * off) and registers a management device for it.
 *
 * Context: may sleep; from the function driver's probe.
 * Return: 0 or a negative errno, the reason being in the log; no operation of
 * @fn is called any more then, but what find_queues allocated is still there.
 */
int baton_function_register(struct baton_function *fn)
{
	struct baton *b = baton_function_create(fn);
	int err;

	if (IS_ERR(b))
		return PTR_ERR(b);
	err = baton_mgmt_register(b);
	if (err) {
		baton_function_destroy(b);
		return err;
	}

	dev_info(fn->dev, "virtio %s function, %u queues of up to %u entries, features %#llx, %s\n",
		 b->config.class ? b->config.class->name : "?", fn->nr_queues, b->queue_max,
		 b->hw_features, b->domain.isolated ? "isolated by the IOMMU" : "not isolated");

	return 0;
}
EXPORT_SYMBOL_GPL(baton_function_register);

/**
 * baton_function_ask() - a function is to go, after others
 * @fn: the function
 *
 * A user who has its vDPA device open is asked now to close it, and the moment that he is given
 * for that begins. To be called of all functions that are to go one after the other,
 * before the first one does.
 *
 * Context: may sleep; while nobody unregisters @fn.
 */
void baton_function_ask(struct baton_function *fn)
{
	baton_mgmt_ask(fn->baton);
}
EXPORT_SYMBOL_GPL(baton_function_ask);

/**
 * baton_function_unregister() - take a function off the vDPA bus
 * @fn: the function
 *
 * Deletes its vDPA device; a user who does not close it keeps one that is dead.
 * Afterwards the function is reset, without bus mastering, and back in the IOMMU
 * domain that it had before.
 *
 * Context: may sleep; from the function driver's remove.
 */
void baton_function_unregister(struct baton_function *fn)
{
	struct baton *b = fn->baton;

	baton_mgmt_unregister(b);
	baton_function_destroy(b);
}
EXPORT_SYMBOL_GPL(baton_function_unregister);
