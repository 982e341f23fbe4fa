/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own driver of a function: see virtio.c.
 */
#ifndef BATON_VIRTIO_H
#define BATON_VIRTIO_H

#include <linux/notifier.h>

struct baton;
struct baton_virtio_pause;
struct device;

/**
 * struct baton_virtio - the virtio device that virtio_vdpa made of a function
 * @nb: tells when one comes and goes
 * @dev: the device, from before its driver is probed until after it is removed;
 *	 holds a reference; &baton.lock guards it
 * @paused: its driver has stepped aside for a reset, from reset_prepare to reset_done; guarded by
 *	    the function's device lock, as are the next two
 * @noio: what memalloc_noio_save() returned then
 * @asleep: @dev, if its driver has stepped aside until the system wakes; holds a reference
 * @aside: its driver has stepped aside, for the one or the other, and is not back. Written with the
 *	   function's device lock held; read under &baton.lock, by baton_status_set(), which the
 *	   driver calls on its way back
 */
struct baton_virtio {
	struct notifier_block nb;
	struct device *dev;
	struct baton_virtio_pause *paused;
	unsigned int noio;
	struct device *asleep;
	bool aside;
};

int baton_virtio_init(void);
int baton_virtio_watch(struct baton *b);
void baton_virtio_unwatch(struct baton *b);
void baton_virtio_forget(struct baton *b);
void baton_virtio_break(struct baton *b);
bool baton_virtio_can_pause(const struct baton *b);
bool baton_virtio_waits(const struct baton *b);
void baton_virtio_pause(struct baton *b);
void baton_virtio_resume(struct baton *b);
void baton_virtio_renew(struct baton *b);
int baton_virtio_sleep(struct baton *b);
void baton_virtio_wake(struct baton *b);

#endif /* BATON_VIRTIO_H */
