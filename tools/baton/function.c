// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "function.h"
#include "netlink.h"
#include "sysfs.h"
#include "wait.h"

#define VIRTIO_VENDOR 0x1af4
/* Transitional devices, whose class is in the subsystem's ID, and modern ones (virtio 1.2, 4.1.2).
 */
#define TRANSITIONAL_FIRST 0x1000
#define MODERN_FIRST 0x1040
#define VIRTIO_LAST 0x107f
#define BIND_MS 5000

const char *function_class_name(unsigned int id)
{
	static const char *const names[] = {
		[1] = "net",	 [2] = "block",	 [3] = "console", [4] = "rng",	  [5] = "balloon",
		[8] = "scsi",	 [9] = "9p",	 [16] = "gpu",	  [18] = "input", [19] = "vsock",
		[20] = "crypto", [25] = "sound", [26] = "fs",	  [27] = "pmem",
	};

	return id < sizeof(names) / sizeof(names[0]) && names[id] ? names[id] : "other";
}

/* The vDPA device below a function is a directory of its name that the vDPA bus has as well. */
static void function_read_device(struct function *fn)
{
	struct dirent **entries;
	int i, nr = sysfs_list(&entries, SYSFS_PCI "%s", fn->address);
	char bus[FUNCTION_NAME];

	for (i = 0; i < nr; i++) {
		if (entries[i]->d_type != DT_DIR)
			continue;
		sysfs_link(bus, sizeof(bus), SYSFS_PCI "%s/%s/subsystem", fn->address,
			   entries[i]->d_name);
		if (!strcmp(bus, "vdpa"))
			snprintf(fn->device, sizeof(fn->device), "%s", entries[i]->d_name);
	}
	sysfs_list_free(entries, nr);
}

static void function_read_class(struct function *fn)
{
	unsigned int device = (unsigned int)sysfs_number(0, SYSFS_PCI "%s/device", fn->address);
	struct netlink_config config;

	if (device >= TRANSITIONAL_FIRST && device < MODERN_FIRST)
		device =
			(unsigned int)sysfs_number(0, SYSFS_PCI "%s/subsystem_device", fn->address);
	else if (device <= VIRTIO_LAST)
		device = device > MODERN_FIRST ? device - MODERN_FIRST : 0;
	/* A vendor with IDs of its own: only the function itself knows, so its vDPA device does. */
	else if (fn->device[0] && !netlink_get_device(fn->device, &config))
		device = config.id;
	else
		device = 0;
	snprintf(fn->class, sizeof(fn->class), "%s", function_class_name(device));
}

/* Which of its PF's VFs it is: the link to it has the number. */
static void function_read_vf(struct function *fn)
{
	char target[32];
	int vf;

	fn->vf = -1;
	if (sysfs_link(fn->pf, sizeof(fn->pf), SYSFS_PCI "%s/physfn", fn->address))
		return;
	for (vf = 0; !sysfs_link(target, sizeof(target), SYSFS_PCI "%s/virtfn%d", fn->pf, vf); vf++)
		if (!strcmp(target, fn->address))
			fn->vf = vf;
}

/* False if it is none of ours. */
static bool function_read(struct function *fn, const char *address)
{
	unsigned long long vendor = sysfs_number(0, SYSFS_PCI "%s/vendor", address);
	unsigned long long device = sysfs_number(0, SYSFS_PCI "%s/device", address);
	struct dirent **entries;
	int nr;

	memset(fn, 0, sizeof(*fn));
	snprintf(fn->address, sizeof(fn->address), "%s", address);
	sysfs_link(fn->driver, sizeof(fn->driver), SYSFS_PCI "%s/driver", address);
	if (strcmp(fn->driver, FUNCTION_DRIVER) &&
	    (vendor != VIRTIO_VENDOR || device < TRANSITIONAL_FIRST || device > VIRTIO_LAST))
		return false;
	function_read_device(fn);
	function_read_class(fn);
	function_read_vf(fn);
	sysfs_link(fn->group, sizeof(fn->group), SYSFS_PCI "%s/iommu_group", address);
	nr = sysfs_list(&entries, SYSFS_PCI "%s/iommu_group/devices", address);
	sysfs_list_free(entries, nr);
	fn->group_size = nr;
	return true;
}

size_t function_read_all(struct function **all)
{
	struct dirent **entries;
	int i, nr = sysfs_list(&entries, SYSFS_PCI);
	size_t found = 0;

	*all = calloc(nr ? (size_t)nr : 1, sizeof(**all));
	for (i = 0; *all && i < nr; i++)
		found += function_read(&(*all)[found], entries[i]->d_name);
	sysfs_list_free(entries, nr);
	return found;
}

bool function_address(char address[32], const char *text)
{
	unsigned int domain = 0, bus, slot, fn;
	int end = 0;

	if (sscanf(text, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &fn, &end) != 4 || text[end]) {
		domain = 0;
		end = 0;
		if (sscanf(text, "%2x:%2x.%1x%n", &bus, &slot, &fn, &end) != 3 || text[end])
			return false;
	}
	if (slot > 0x1f || fn > 7)
		return false;
	snprintf(address, 32, "%04x:%02x:%02x.%x", domain, bus, slot, fn);
	return true;
}

bool function_find(struct function *fn, const char *name)
{
	struct function *all;
	char address[32];
	size_t i, nr;
	bool found = false;

	if (function_address(address, name))
		return sysfs_exists(SYSFS_PCI "%s", address) && function_read(fn, address);
	nr = function_read_all(&all);
	for (i = 0; i < nr && !found; i++) {
		found = all[i].device[0] && !strcmp(all[i].device, name);
		if (found)
			*fn = all[i];
	}
	free(all);
	return found;
}

bool function_find_vf(struct function *fn, const char *pf, int vf)
{
	char address[32];

	return !sysfs_link(address, sizeof(address), SYSFS_PCI "%s/virtfn%d", pf, vf) &&
	       function_read(fn, address);
}

/* Its netdev's, while virtio-pci has it; what its vDPA device shows, while we have. */
bool function_has_mac(const struct function *fn, const char *mac)
{
	struct netlink_config config;
	struct dirent **virtio, **netdev;
	const uint8_t *m = config.shown.mac;
	bool has = false;
	char text[32];
	int i, k, nr, nr_netdev;

	if (strcmp(fn->class, "net"))
		return false;
	nr = sysfs_list(&virtio, SYSFS_PCI "%s", fn->address);
	for (i = 0; i < nr; i++) {
		if (strncmp(virtio[i]->d_name, "virtio", 6))
			continue;
		nr_netdev =
			sysfs_list(&netdev, SYSFS_PCI "%s/%s/net", fn->address, virtio[i]->d_name);
		for (k = 0; k < nr_netdev; k++) {
			sysfs_read(text, sizeof(text), SYSFS_PCI "%s/%s/net/%s/address",
				   fn->address, virtio[i]->d_name, netdev[k]->d_name);
			has |= !strcasecmp(text, mac);
		}
		sysfs_list_free(netdev, nr_netdev);
	}
	sysfs_list_free(virtio, nr);
	if (has || !fn->device[0] || netlink_get_config(fn->device, &config) ||
	    !config.shown.has_mac)
		return has;
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	return !strcasecmp(text, mac);
}

bool function_find_mac(struct function *fn, const char *mac)
{
	struct function *all;
	size_t i, nr = function_read_all(&all);
	bool found = false;

	for (i = 0; i < nr && !found; i++) {
		found = function_has_mac(&all[i], mac);
		if (found)
			*fn = all[i];
	}
	free(all);
	return found;
}

void function_isolation(const struct function *fn, char *why, size_t size)
{
	struct dirent **entries;
	int i, nr, n;

	why[0] = '\0';
	if (!fn->group[0]) {
		snprintf(why, size, "no IOMMU");
		return;
	}
	if (fn->group_size <= 1)
		return;
	n = snprintf(why, size, "shares IOMMU group %s with", fn->group);
	nr = sysfs_list(&entries, SYSFS_PCI "%s/iommu_group/devices", fn->address);
	for (i = 0; i < nr && n < (int)size; i++)
		if (strcmp(entries[i]->d_name, fn->address))
			n += snprintf(why + n, size - n, " %s", entries[i]->d_name);
	sysfs_list_free(entries, nr);
}

struct function_wanted {
	const char *address, *driver;
};

static bool function_is_bound(void *data)
{
	const struct function_wanted *wanted = data;
	char driver[FUNCTION_NAME];

	sysfs_link(driver, sizeof(driver), SYSFS_PCI "%s/driver", wanted->address);
	return wanted->driver[0] ? !strcmp(driver, wanted->driver) : true;
}

int function_bind(const struct function *fn, const char *driver)
{
	struct function_wanted wanted = { fn->address, driver };
	int err;

	/* An empty line takes an override back. */
	err = sysfs_write(driver[0] ? driver : "\n", SYSFS_PCI "%s/driver_override", fn->address);
	if (err)
		return err;
	if (fn->driver[0]) {
		err = sysfs_write(fn->address, "/sys/bus/pci/drivers/%s/unbind", fn->driver);
		if (err && err != -ENODEV)
			return err;
	}
	/* What the probe said is in the log; here, only whether there is a driver afterwards. */
	err = sysfs_write(fn->address, "/sys/bus/pci/drivers_probe");
	if (wait_until(function_is_bound, &wanted, BIND_MS))
		return 0;
	return err ? err : -ENODEV;
}
