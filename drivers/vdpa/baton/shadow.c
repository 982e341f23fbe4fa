// SPDX-License-Identifier: GPL-2.0-only
/*
 * A copy of the device-specific configuration space, so that reading it costs
 * no access to the device.
 *
 * &baton.lock guards the copy; @stale is atomic, since the interrupt handler, which
 * can take no lock that sleeps, sets it. Whoever reads next clears it first and then
 * makes a new copy, so that a change that comes meanwhile makes it stale again.
 *
 * The copy becomes stale when a running device says by an interrupt that its
 * configuration changed, and with whatever the core does that may change it (status,
 * configuration, control command). A device that does not run has no interrupt: of
 * that one no copy is older than UNTOLD, in jiffies.
 *
 * The generation that consumers see counts copies that differ from the one before. It
 * also changes with each copy that may be torn; such a copy stays stale.
 */
#include <linux/jiffies.h>
#include <linux/string.h>

#include "core.h"
#include "shadow.h"

#define UNTOLD (HZ / 10)

/**
 * baton_shadow_init() - is there to be a copy?
 * @b: the function; &baton.config is complete
 *
 * There is none of a space whose layout is unknown, nor of one that changes without a
 * notification (&baton_class.polled).
 *
 * Context: &baton.lock held; from probe.
 */
void baton_shadow_init(struct baton *b)
{
	const struct baton_class *class = b->config.class;
	unsigned int size = baton_config_size(&b->config);

	if (class && class->nr_fields && !class->polled && size <= sizeof(b->shadow.bytes))
		b->shadow.size = size;
	baton_shadow_stale(b);
}

/**
 * baton_shadow_stale() - the device's configuration may have changed
 * @b: the function
 *
 * Context: any.
 */
void baton_shadow_stale(struct baton *b)
{
	atomic_set(&b->shadow.stale, 1);
}

/* Returns -EAGAIN if what is there now may be torn. */
static int shadow_refresh(struct baton *b)
{
	struct baton_shadow *s = &b->shadow;
	u8 bytes[sizeof(s->bytes)];
	int err;

	/*
	 * Before the first access to the device, and as a full barrier: a change
	 * that comes later makes the copy stale again.
	 */
	if (!atomic_xchg(&s->stale, 0) &&
	    (baton_owner_runs(&b->owner) || time_before(jiffies, s->read + UNTOLD)))
		return 0;

	s->read = jiffies;
	err = baton_config_read(&b->config, 0, bytes, s->size);
	if (err)
		baton_shadow_stale(b);
	if (err || memcmp(s->bytes, bytes, s->size))
		s->generation++;
	memcpy(s->bytes, bytes, s->size);

	return err;
}

/**
 * baton_shadow_read() - read any part of the configuration space
 * @b: the function
 * @offset: the first byte
 * @buf: where to; filled whatever happens
 * @len: how many bytes
 *
 * Context: may sleep; &baton.lock held.
 * Return: as baton_config_read().
 */
int baton_shadow_read(struct baton *b, unsigned int offset, void *buf, unsigned int len)
{
	const struct baton_shadow *s = &b->shadow;
	unsigned int n = 0;
	int err;

	if (!s->size)
		return baton_config_read(&b->config, offset, buf, len);

	err = shadow_refresh(b);
	if (offset < s->size)
		n = min(len, s->size - offset);
	memcpy(buf, s->bytes + offset, n);
	if (n < len)
		memset(buf + n, 0, len - n);

	return err;
}

/**
 * baton_shadow_write() - write any part of the configuration space
 * @b: the function
 * @features: what its owner took
 * @offset: the first byte
 * @buf: what to write
 * @len: how many bytes
 *
 * The copy is read anew afterwards, since the device need not take what was written.
 *
 * Context: may sleep; &baton.lock held.
 * Return: as baton_config_write().
 */
int baton_shadow_write(struct baton *b, u64 features, unsigned int offset, const void *buf,
		       unsigned int len)
{
	int err = baton_config_write(&b->config, features, offset, buf, len);

	baton_shadow_stale(b);
	return err;
}

/**
 * baton_shadow_generation() - the configuration generation, as consumers see it
 * @b: the function
 *
 * Context: may sleep; &baton.lock held.
 * Return: the same as before unless the configuration changed.
 */
u32 baton_shadow_generation(struct baton *b)
{
	if (!b->shadow.size)
		return b->fn->ops->get_generation(b->fn);

	shadow_refresh(b);
	return b->shadow.generation;
}

/**
 * baton_shadow_moved() - did the configuration change before anybody could be told?
 * @b: the function, which has just been granted to its owner
 *
 * An owner's driver has read some of the configuration before DRIVER_OK, and there are
 * interrupts only from then on. True may be wrong, and costs the driver one more read.
 *
 * Context: may sleep; &baton.lock held.
 * Return: true if it is another one than at the last grant.
 */
bool baton_shadow_moved(struct baton *b)
{
	u32 generation = baton_shadow_generation(b);
	bool moved = generation != b->shadow.told;

	b->shadow.told = generation;

	return moved;
}
