#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The lab itself: the functions of the topology are there and carry traffic with the kernel's own
# virtio-pci driver, the IOMMU is the one asked for, the log policy's announcements work.
# shares: its VM
# topology: net-blk net-blk@intel-pt net-blk@amd net-blk@virtio net-blk@none net-blk@smmuv3-pt net-blk@smmuv3-noits
# timeout: 120
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

read -r topology iommu <"$BATON_RUN/topology"
declare -A GROUP_TYPE=([intel]=DMA [intel-pt]=identity [amd]=DMA [virtio]=DMA-FQ
	[smmuv3]=DMA [smmuv3-pt]=identity [smmuv3-noits]=DMA)

# Kernels for Arm flush at once unless they are told otherwise.
[[ $(uname -m) != aarch64 ]] || GROUP_TYPE[virtio]=DMA

ktap_start 7

runs_named_kernel() {
	local name
	read -r name _ <"$BATON_RUN/kernel"
	[[ $(uname -r) == "${name%-arm64}".* || $(uname -r) == *-baton-"$name" ]] || return
	[[ $name != *-arm64 || $(uname -m) == aarch64 ]]
}
check "kernel is one of the lab's ($(uname -r))" runs_named_kernel

functions_exist() {
	local name address class
	while read -r name address class; do
		[[ -e /sys/bus/pci/devices/$address ]] || { echo "$name ($class) is missing"; return 1; }
	done <"$BATON_RUN/functions"
}
check "functions of $topology exist" functions_exist

iommu_is_there() {
	local group
	group=$(fn_dir net0)/iommu_group
	if [[ $iommu == none ]]; then
		[[ ! -e $group ]]
	else
		[[ $(<"$group/type") == "${GROUP_TYPE[$iommu]}" ]]
	fi
}
check "IOMMU is $iommu" iommu_is_there

netdev=$(basename "$(fn_dir net0)"/virtio*/net/*)
ip address add 10.0.2.15/24 dev "$netdev"
ip link set "$netdev" up
check "net0 pings" ping -c 3 -i 0.2 -w 10 10.0.2.2

disk=$(basename "$(fn_dir blk0)"/virtio*/block/*)
check "blk0 reads and writes" fio --name=rw --filename="/dev/$disk" --rw=randrw --size=4M --bs=4k \
	--verify=crc32c --direct=1 --ioengine=psync --output=/dev/null

# An empty disk holds no ext4, and the kernel says so as an error: the run would fail if the
# announcement did not work.
expect_log "VFS: Can't find ext4 filesystem"
check "an error in the kernel log can be announced" refuses mount -t ext4 "/dev/$disk" /mnt

check "QEMU's monitor answers" qmp query-status

ktap_finish
