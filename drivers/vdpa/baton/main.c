// SPDX-License-Identifier: GPL-2.0-only
/*
 * baton.ko is loaded and unloaded. Each vDPA device, and each function driver, keeps it loaded.
 */
#include <linux/module.h>
#include <linux/workqueue.h>

#include "faults.h"
#include "gone.h"
#include "mgmt.h"
#include "ops.h"
#include "param.h"
#include "virtio.h"

static int __init main_init(void)
{
	int err;

	baton_wq = alloc_workqueue("baton", WQ_UNBOUND, 0);
	if (!baton_wq)
		return -ENOMEM;
	err = baton_gone_init();
	if (err)
		goto err_wq;
	err = baton_mgmt_init();
	if (err)
		goto err_gone;
	err = baton_virtio_init();
	if (err)
		goto err_mgmt;
	baton_ops_init();
	baton_faults_init();

	return 0;

err_mgmt:
	baton_mgmt_uninit();
err_gone:
	baton_gone_uninit();
err_wq:
	destroy_workqueue(baton_wq);
	return err;
}

static void __exit main_uninit(void)
{
	baton_faults_uninit();
	baton_mgmt_uninit();
	baton_gone_uninit();
	destroy_workqueue(baton_wq);
}

module_init(main_init);
module_exit(main_uninit);

MODULE_DESCRIPTION("virtio functions on the vDPA bus, one DMA owner at a time");
MODULE_LICENSE("GPL");
#ifdef BATON_VERSION
MODULE_VERSION(BATON_VERSION);
#endif
