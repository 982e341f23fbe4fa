#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Modules and drivers go while nobody has a device open, also under traffic of the kernel's drivers,
# and leave the functions to virtio-pci as they had found them.
#
#   net0 --- baton_pci --- v0 --- virtio_vdpa --- ping;  blk0 --- baton_pci --- v1 --- fio, or vhost_vdpa
#
# shares: its VM
# topology: net-blk
# cpus: 2
# timeout: 180
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

ktap_start 9

give() { # consumer of v0, of v1
	bind_baton net0
	bind_baton blk0
	vdpa_add v0 net0
	vdpa_add v1 blk0
	vdpa_bind v0 "$1"
	vdpa_bind v1 "$2"
}

# Traffic that goes on until its device goes away.
load() {
	net_up v0
	ping -q -f 10.0.2.2 >/dev/null &
	load=$!
	fio --name=load --filename="/dev/$(vdpa_disk v1)" --rw=randread --bs=4k --iodepth=4 --direct=1 \
		--ioengine=libaio --time_based --runtime=20 >/dev/null 2>&1 &
	load="$load $!"
	wait_for 30 busy
}
busy() {
	(($(awk -v irq="baton-$(fn_address blk0)-" 'index($NF, irq) { n += $2 + $3 } END { print n + 0 }' \
		/proc/interrupts) > 100))
}
end_load() {
	# shellcheck disable=SC2086 # two processes
	kill $load 2>/dev/null || true
	wait
}

nothing_left() {
	! { grep -H baton- /proc/interrupts || compgen -G '/sys/bus/vdpa/devices/*' ||
		grep -w baton /proc/modules; } && [[ -z $(fn_driver net0)$(fn_driver blk0) ]]
}

native_works() {
	local netdev
	unbind net0 && unbind blk0 && [[ $(fn_driver net0) == virtio-pci ]] || return
	netdev=$(basename "$(fn_dir net0)"/virtio*/net/*)
	ip address replace 10.0.2.15/24 dev "$netdev"
	ip link set "$netdev" up
	pings && disk_works "/dev/$(basename "$(fn_dir blk0)"/virtio*/block/*)"
}

bind_baton net0
check "the core stays while its function driver is there" refuses rmmod baton

give virtio_vdpa virtio_vdpa
load
check "modules unload under the kernel's traffic" rmmod baton_pci baton
end_load
check "nothing is left" nothing_left
check "virtio-pci takes over" native_works

give_again() {
	baton_load
	give vhost_vdpa vhost_vdpa
	exercise v0 && exercise v1
}
exercise() { /baton/selftests/vm/vhost_vdpa.py "$(vhost_node "$1")"; }
check "loaded again, it works for users" give_again
check "modules unload with an idle user's device" rmmod baton_pci baton
check "nothing is left of that" nothing_left

baton_load
give virtio_vdpa virtio_vdpa
load
unbind_both() { unbind net0 && unbind blk0; }
check "functions are unbound under the kernel's traffic" unbind_both
end_load
check "virtio-pci takes over again" native_works

ktap_finish
