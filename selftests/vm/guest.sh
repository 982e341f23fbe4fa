#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A QEMU guest (Debian's kernel) owns a net and a block function through vhost_vdpa: it pings, and it
# and the kernel read what the other wrote to the disk. Afterwards nothing of it is left.
#
#     net0 ---- hub ---- peer0 (192.0.2.1)        blk0 ---- a disk
#
# topology: guest
# cpus: 2
# timeout: 300
# not on kasan: no KVM there, and a guest emulated in an emulated machine takes too long
# not on lockdep: no KVM there, and a guest emulated in an emulated machine takes too long
# not on kcsan: no KVM there, and a guest emulated in an emulated machine takes too long
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

owners() { [[ $(vdpa_owner v0) == "$1" && $(vdpa_owner v1) == "$1" ]]; }

# Checksum of 4 MiB of a disk, from MiB $2 on, past the page cache.
checksum() { dd if="$1" bs=1M count=4 skip="$2" iflag=direct status=none | sha256sum | cut -c1-64; }

# What the guest does, with the checksum that it is to find; it says the one that it leaves.
guest_job() {
	cat <<-EOT
		set -e
		ip link set eth0 up
		ip address add 192.0.2.2/24 dev eth0
		ping -A -c 3 -w 20 192.0.2.1
		dd if=/dev/vda bs=1M count=4 | sha256sum | grep $1
		dd if=/dev/urandom of=/root/data bs=1M count=4
		dd if=/root/data of=/dev/vda bs=1M seek=8
		sync
		echo "written: \$(sha256sum </root/data)"
	EOT
}

run_guest() {
	local rc=0 pid
	/baton/tools/lab/inner-guest /tmp/job -netdev "vhost-vdpa,id=net,vhostdev=$(vhost_node v0)" \
		-device "virtio-net-pci,netdev=net,mac=$(vdpa_mac v0)" \
		-device "vhost-vdpa-device-pci,vhostdev=$(vhost_node v1)" >/tmp/out 2>&1 &
	pid=$!
	wait_for 100 owners user && cp "/sys/bus/vdpa/devices/v0/baton/mapped_bytes" /tmp/mapped || rc=$?
	wait "$pid" || rc=$?
	cat /tmp/out
	return "$rc"
}

nothing_left() {
	local name
	for name in net0 blk0; do
		# Bit 2 of the command register: bus mastering.
		(($(setpci -s "$(fn_address "$name")" COMMAND.w | sed 's/^/0x/') & 4)) && return 1
	done
	owners none && [[ $(cat /sys/bus/vdpa/devices/v?/baton/mapped_bytes) == $'0\n0' ]]
}

ktap_start 6
peer=$(basename "$(fn_dir peer0)"/virtio*/net/*)
ip address add 192.0.2.1/24 dev "$peer"
ip link set "$peer" up
bind_baton net0
bind_baton blk0
vdpa_add v0 net0
vdpa_add v1 blk0

vdpa_bind v1 virtio_vdpa
disk=/dev/$(vdpa_disk v1)
dd if=/dev/urandom of="$disk" bs=1M count=4 oflag=direct status=none
guest_job "$(checksum "$disk" 0)" >/tmp/job

vdpa_bind v0 vhost_vdpa
vdpa_bind v1 vhost_vdpa
check "a bound user owns nothing yet" owners none
check "the guest pings, reads what the kernel wrote, and writes" run_guest
check "user owned both while it ran, with all of its memory mapped" \
	test "$(cat /tmp/mapped)" -ge $((256 << 20))
check "nothing is left: owner, mappings, bus mastering" nothing_left

vdpa_bind v1 virtio_vdpa
written=$(sed -n 's/^written: \([0-9a-f]*\).*/\1/p' /tmp/out)
check "the kernel reads what the guest wrote" \
	test "$(checksum "/dev/$(vdpa_disk v1)" 8)" == "$written"
vdpa_unbind v1
vdpa_del v0
vdpa_del v1
check "the functions go back to virtio-pci" unbind net0
ktap_finish
