// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes of the vDPA device, in a directory of their own: baton/
 * (Documentation/ABI/testing/sysfs-bus-vdpa-devices-baton).
 *
 * owner, state and mapped_bytes are read without a lock, so that a reader sees a long reset
 * while it goes on. The others take &baton.lock, which guards what they show and store.
 */
#include <linux/cleanup.h>
#include <linux/device.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "core.h"
#include "sysfs.h"

static struct baton *sysfs_to_baton(struct device *dev)
{
	return READ_ONCE(to_bv(dev_to_vdpa(dev))->b);
}

static ssize_t owner_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	enum baton_party owner = READ_ONCE(sysfs_to_baton(dev)->owner.owner);

	return sysfs_emit(buf, "%s\n", baton_owner_party_name(owner));
}
static DEVICE_ATTR_RO(owner);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	enum baton_state state = READ_ONCE(sysfs_to_baton(dev)->owner.state);

	return sysfs_emit(buf, "%s\n", baton_owner_state_name(state));
}
static DEVICE_ATTR_RO(state);

static ssize_t last_refusal_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	CLASS(baton_vdpa, b)(to_bv(dev_to_vdpa(dev)));
	return sysfs_emit(buf, "%s\n", b->report.refusal);
}

/* It may say which addresses a user uses: no other's business. */
static DEVICE_ATTR_ADMIN_RO(last_refusal);

static ssize_t last_fault_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	CLASS(baton_vdpa, b)(to_bv(dev_to_vdpa(dev)));
	return sysfs_emit(buf, "%s\n", b->report.fault);
}
static DEVICE_ATTR_RO(last_fault);

static ssize_t mapped_bytes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct baton *b = sysfs_to_baton(dev);

	return sysfs_emit(buf, "%llu\n", READ_ONCE(b->domain.mapped));
}
static DEVICE_ATTR_RO(mapped_bytes);

/* In the order of BATON_MAY_*. */
static const char *const may[] = { "mac", "promisc", "allmulti", "vlan" };

static ssize_t policy_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct baton_vdpa *bv = to_bv(dev_to_vdpa(dev));
	unsigned int i;
	int len = 0;

	CLASS(baton_vdpa, b)(bv);
	if (!bv->policy_set)
		return sysfs_emit(buf, "default\n");
	if (!bv->policy)
		return sysfs_emit(buf, "strict\n");
	for (i = 0; i < ARRAY_SIZE(may); i++)
		if (bv->policy & BIT(i))
			len += sysfs_emit_at(buf, len, "%s%s", len ? " " : "", may[i]);

	return len + sysfs_emit_at(buf, len, "\n");
}

static int policy_parse(char *text, u32 *policy)
{
	char *word;
	int i;

	*policy = 0;
	while ((word = strsep(&text, "\n ")) != NULL) {
		if (!*word)
			continue;
		i = match_string(may, ARRAY_SIZE(may), word);
		if (i < 0)
			return -EINVAL;
		*policy |= BIT(i);
	}

	return 0;
}

/* Takes effect with the next FEATURES_OK, when it is copied to &baton_net.may. */
static ssize_t policy_store(struct device *dev, struct device_attribute *attr, const char *buf,
			    size_t count)
{
	struct baton_vdpa *bv = to_bv(dev_to_vdpa(dev));
	bool set = true;
	u32 policy = 0;
	int err = 0;

	char *text __free(kfree) = kstrndup(buf, count, GFP_KERNEL);

	if (!text)
		return -ENOMEM;
	if (sysfs_streq(text, "default"))
		set = false;
	else if (sysfs_streq(text, "permissive"))
		policy = BATON_MAY_ALL;
	else if (!sysfs_streq(text, "strict"))
		err = policy_parse(text, &policy);

	CLASS(baton_vdpa, b)(bv);
	if (err) {
		baton_report_refusal(b,
				     "policy refused: it is default, strict, permissive, or some of: mac promisc allmulti vlan");
		return err;
	}
	bv->policy = policy;
	bv->policy_set = set;

	return count;
}
static DEVICE_ATTR_RW(policy);

/* In the order of enum baton_relay_policy. */
static const char *const relay_policies[] = { "auto", "always", "never" };

static ssize_t relay_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct baton_vdpa *bv = to_bv(dev_to_vdpa(dev));

	CLASS(baton_vdpa, b)(bv);
	return sysfs_emit(buf, "%s\n", relay_policies[bv->relay]);
}

/*
 * Takes effect with the next DRIVER_OK, when baton_relay_decide() looks at it; for the positions
 * that are accepted (set_vq_state), and for doorbells, at once.
 */
static ssize_t relay_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t count)
{
	struct baton_vdpa *bv = to_bv(dev_to_vdpa(dev));
	int i = sysfs_match_string(relay_policies, buf);

	CLASS(baton_vdpa, b)(bv);
	if (i < 0) {
		baton_report_refusal(b, "relay refused: it is auto, always or never");
		return i;
	}
	bv->relay = i;

	return count;
}
static DEVICE_ATTR_RW(relay);

static struct attribute *attrs[] = {
	&dev_attr_owner.attr,
	&dev_attr_state.attr,
	&dev_attr_last_refusal.attr,
	&dev_attr_last_fault.attr,
	&dev_attr_mapped_bytes.attr,
	&dev_attr_policy.attr,
	&dev_attr_relay.attr,
	NULL
};

static const struct attribute_group group = {
	.name = "baton",
	.attrs = attrs,
};

const struct attribute_group *baton_sysfs_groups[] = { &group, NULL };
