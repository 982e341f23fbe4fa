#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# C1, held from probe to remove: while baton has the function, whoever owns it, no other driver gets
# it, nobody changes the IOMMU domain under it, and bus mastering is on only while somebody owns it.
# Probing attaches a domain (ours, empty), removing attaches another (the default one again).
#
#   net0 --- baton_pci --- v0 --- nobody, virtio_vdpa, vhost_vdpa --- nobody --- virtio-pci
#
# shares: its VM
# topology: net net@amd
# cpus: 2
# timeout: 120
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

ktap_start 15

address=$(fn_address net0)
group=$(fn_dir net0)/iommu_group
type=$(<"$group/type")

# All types but DMA-FQ, which is no other domain: it only defers flushes, and the kernel lets
# anybody who asks for it have it at any time.
type_is_fixed() {
	local new
	for new in auto identity DMA; do
		if echo "$new" >"$group/type"; then
			echo "took $new"
			return 1
		fi
	done
	[[ $(<"$group/type") == "$type" ]]
}

vfio_is_kept_out() {
	echo "$address" >/sys/bus/pci/drivers/vfio-pci/bind && return 1
	echo "$address" >/sys/bus/pci/drivers_probe || true
	[[ $(fn_driver net0) == "$BATON_DRIVER" ]]
}

modprobe vfio-pci

trace_start iommu/attach_device_to_domain
bind_baton net0
check "probe attaches a domain" trace_has "attach_device_to_domain: .*device=$address"
trace_stop
check "unbound: bus mastering is off" refuses fn_master net0
vdpa_add v0 net0
check "idle: bus mastering is off" refuses fn_master net0
check "idle: the domain's type is fixed" type_is_fixed

echo vfio-pci >"$(fn_dir net0)/driver_override"
check "idle: VFIO is kept out" vfio_is_kept_out

vdpa_bind v0 virtio_vdpa
net_up v0
check "kernel: it works" pings
check "kernel: bus mastering is on" fn_master net0
check "kernel: the domain's type is fixed" type_is_fixed
check "kernel: VFIO is kept out" vfio_is_kept_out

vdpa_bind v0 vhost_vdpa
check "between: bus mastering is off" refuses fn_master net0
exec {user}<>"$(vhost_node v0)"
check "user: bus mastering is off before DRIVER_OK" refuses fn_master net0
check "user: the domain's type is fixed" type_is_fixed
check "user: VFIO is kept out" vfio_is_kept_out
exec {user}>&-

vdpa_del v0
trace_start iommu/attach_device_to_domain
echo "$address" >"$(fn_dir net0)/driver/unbind"
check "remove attaches a domain" trace_has "attach_device_to_domain: .*device=$address"
trace_stop

# To be sure that it was baton's hold, and not a kernel where nothing of this works at all.
type_can_change() {
	echo identity >"$group/type"
	[[ $(<"$group/type") == identity ]]
	echo "$type" >"$group/type"
}
check "afterwards the type can be changed" type_can_change

ktap_finish
