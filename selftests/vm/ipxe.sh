#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A real guest through QEMU: iPXE boots from the network. It is unlike other drivers: QEMU makes its
# queues ready before it has negotiated features. It gets an address by DHCP, a script by TFTP, says
# what the script tells it to, and resets the machine, which ends QEMU. Then once more with QEMU between
# its queues and the function's (x-svq=on: shadow virtqueues, as for live migration): it starts like that
# only with a control queue in a group of its own (C7), and offered no feature that those do not know.
# And both with the older QEMU that is Debian's own.
#
#   net0 --- baton_pci --- v0 --- vhost_vdpa --- QEMU (TCG, in this VM) --- SeaBIOS, iPXE
#
# shares: its VM
# topology: net
# timeout: 300
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

ktap_start 20

console=/tmp/console
# The network behind net0 names "boot" as what to boot, and serves it from here.
cat >"$BATON_RUN/tftp/boot" <<'END'
#!ipxe
echo baton: booted ${net0/mac} at ${net0/ip}
echo baton: bye
reboot
END

qemu_backports() { timeout $((90 * ${BATON_SLOWER:-1})) qemu-system-x86_64 "$@"; }
qemu_stable() {
	QEMU_MODULE_DIR=/opt/qemu-stable/usr/lib/x86_64-linux-gnu/qemu timeout $((90 * ${BATON_SLOWER:-1})) \
		/opt/qemu-stable/usr/bin/qemu-system-x86_64 -L /opt/qemu-stable/usr/share/qemu \
		-L /usr/share/seabios -L /usr/lib/ipxe/qemu "$@"
}

# guest QEMU OPTIONS: with these for its netdev
guest() {
	"qemu_$1" -accel tcg -M pc,graphics=off -m 64 -nodefaults -display none \
		-no-reboot -serial "file:$console" \
		-netdev "vhost-vdpa,id=net,vhostdev=$(vhost_node v0)$2" \
		-device "virtio-net-pci,netdev=net,mac=$(vdpa_mac v0),disable-legacy=on,iommu_platform=on,bootindex=0"
}
said() { grep -aqE "$1" "$console"; }

bind_baton net0
vdpa_add v0 net0
vdpa_bind v0 vhost_vdpa
for qemu in backports stable; do
	version=$("qemu_$qemu" --version | sed -n 's/.* version \([0-9]*\.[0-9]*\).*/\1/p')
	for options in "" ",x-svq=on"; do
		name="QEMU $version$options"
		trace_start baton/baton_owner
		check "$name: boots from the network, and ends" guest "$qemu" "$options"
		trace_stop
		# What it said, without what is meant for a terminal.
		sed 's/\x1b\[[0-9;]*[A-Za-z]//g' $console | tr -cd '[:print:]\n' | tail -n 12 | sed 's/^/# /'
		echo
		check "$name: was given an address" said 'booted 52:54:00:6e:00:00 at 10\.0\.2\.[0-9]+'
		check "$name: owned the function" trace_has 'granting -> user owner=user'
		check "$name: nobody does now" test "$(vdpa_owner v0)" = none
		check "$name: bus mastering is off" refuses fn_master net0
		: >$console
	done
done

ktap_finish
