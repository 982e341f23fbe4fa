/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that baton is for, 6.12 and later.
 *
 * Each difference is tested for as a feature, never as a version, since distributions
 * and stable kernels backport changes. BATON_HAVE_* come from the Makefile, which looks
 * into the headers of the kernel that is built for.
 */
#ifndef BATON_COMPAT_H
#define BATON_COMPAT_H

#include <linux/irqbypass.h>
#include <linux/vdpa.h>
#include <linux/virtio.h>

#ifdef BATON_HAVE_VIRTIO_MAP
/* The operation that says how a queue is mapped, and what it returns. */
#define baton_compat_get_vq_map get_vq_map
#define baton_compat_vq_map union virtio_map

#define baton_compat_alloc_device(parent, config, ngroups, nas, size, name) \
	__vdpa_alloc_device(parent, config, NULL, ngroups, nas, size, name, false)

static inline union virtio_map baton_compat_map_by(struct device *dev)
{
	return (union virtio_map) { .dma_dev = dev };
}

static inline void baton_compat_set_dma_dev(struct vdpa_device *vdev, struct device *dev)
{
	vdev->vmap.dma_dev = dev;
}

static inline union virtio_map baton_compat_get_map(struct vdpa_device *vdev)
{
	return vdev->vmap;
}
#else
#define baton_compat_get_vq_map get_vq_dma_dev
#define baton_compat_vq_map struct device *

#define baton_compat_alloc_device(parent, config, ngroups, nas, size, name) \
	__vdpa_alloc_device(parent, config, ngroups, nas, size, name, false)

static inline struct device *baton_compat_map_by(struct device *dev)
{
	return dev;
}

static inline void baton_compat_set_dma_dev(struct vdpa_device *vdev, struct device *dev)
{
	vdev->dma_dev = dev;
}

static inline struct device *baton_compat_get_map(struct vdpa_device *vdev)
{
	return vdev->dma_dev;
}
#endif

/*
 * Older kernels look a producer up by its eventfd when it is unregistered, and vhost unregisters
 * producers that it never registered: it would find ours, and corrupt the list. So nothing is
 * offered there: -EOPNOTSUPP. Context: may sleep.
 */
static inline int baton_compat_bypass_register(struct irq_bypass_producer *producer,
					       struct eventfd_ctx *eventfd, int irq)
{
#ifdef BATON_HAVE_BYPASS_ARGS
	return irq_bypass_register_producer(producer, eventfd, irq);
#else
	return -EOPNOTSUPP;
#endif
}

/* Without CONFIG_PM_SLEEP virtio drivers have no freeze and restore. Context: may sleep. */
#ifdef CONFIG_PM_SLEEP
static inline int baton_compat_virtio_freeze(struct virtio_device *virtio)
{
	return virtio_device_freeze(virtio);
}

static inline int baton_compat_virtio_restore(struct virtio_device *virtio)
{
	return virtio_device_restore(virtio);
}
#else
static inline int baton_compat_virtio_freeze(struct virtio_device *virtio)
{
	return -EOPNOTSUPP;
}

static inline int baton_compat_virtio_restore(struct virtio_device *virtio)
{
	return -EOPNOTSUPP;
}
#endif

/*
 * Newer kernels let clang check that functions release the locks they take; this marks those that
 * must not, since another function releases them.
 */
#ifndef __no_context_analysis
#define __no_context_analysis
#endif

#endif /* BATON_COMPAT_H */
