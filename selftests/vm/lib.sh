# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Helpers for VM tests in bash; also loaded by the lab's interactive shell, so it sets no options and
# no traps by itself. A test reads like this:
#
#   #!/bin/bash
#   # SPDX-License-Identifier: GPL-2.0-only
#   # what it proves
#   # topology: net-blk
#   # timeout: 60
#   set -euo pipefail
#   . "$(dirname "$0")/lib.sh"
#
#   ktap_start 2
#   bind_baton net0
#   vdpa_add v0 net0
#   check "one device" test -e /sys/bus/vdpa/devices/v0
#   check "second add is refused" refuses vdpa_add v1 net0
#   ktap_finish
#
# Commands outside `check` that fail end the test: what was planned and did not run counts as failed.

BATON_RUN=${BATON_RUN:-/run/baton}
# The driver under test; another one (vp-vdpa) may be named to compare.
BATON_DRIVER=${BATON_DRIVER:-baton_pci}

# -- KTAP -------------------------------------------------------------------------------------

# ktap_start PLANNED: header and plan; from here on the test's exit cleans up and reports.
ktap_start() {
	ktap_number=0 ktap_failed=0 ktap_planned=$1 ktap_cleanup=()
	echo "KTAP version 1"
	echo "1..$1"
	trap 'echo "# line $LINENO: failed: $BASH_COMMAND"' ERR
	trap 'ktap_exit $?' EXIT
}

ktap_pass() { echo "ok $((++ktap_number)) $1"; }

ktap_fail() {
	((++ktap_failed))
	echo "not ok $((++ktap_number)) $1"
}

ktap_skip() { echo "ok $((++ktap_number)) $1 # SKIP $2"; }

# ktap_skip_all WHY: instead of ktap_start, where nothing of the test can run.
ktap_skip_all() {
	echo "KTAP version 1"
	echo "1..0 # SKIP $1"
	exit 4
}

# check NAME COMMAND...: one test case. Its output is shown as comments.
check() {
	local name=$1 rc=0
	shift
	"$@" > >(sed 's/^/# /') 2>&1 || rc=$?
	wait $! 2>/dev/null || true
	if ((rc == 0)); then
		ktap_pass "$name"
	else
		echo "# exit status $rc: $*"
		ktap_fail "$name"
	fi
}

# refuses COMMAND...: true if the command fails (and neither hangs nor dies of a signal).
refuses() {
	local rc=0
	"$@" || rc=$?
	((rc > 0 && rc < 124))
}

# defer COMMAND...: run it when the test ends, last one first.
defer() { ktap_cleanup+=("$(printf '%q ' "$@")"); }

ktap_finish() { exit $((ktap_failed > 0)); }

ktap_exit() {
	local rc=$1 i
	trap - ERR EXIT
	set +e
	for ((i = ${#ktap_cleanup[@]} - 1; i >= 0; i--)); do
		eval "${ktap_cleanup[i]}" >/dev/null 2>&1
	done
	if ((ktap_number < ktap_planned)); then
		echo "# ended early (status $rc)"
		rc=1
	fi
	exit "$rc"
}

# -- the kernel log ---------------------------------------------------------------------------

# expect_log REGEX: kernel log lines that match this (Python regex, searched) are wanted: the run
# fails if none comes, and those that come are no failure.
expect_log() { printf '%s\n' "$1" >>"$BATON_RUN/expect"; }

# log_mark; ...; log_since REGEX: does a line since the last mark match? Lines may come late.
log_mark() {
	log_mark=$(dmesg | wc -l)
}

log_since() { wait_for 5 log_has "$1"; }
log_has() { dmesg | tail -n +$((log_mark + 1)) | grep -qE -- "$1"; }

# -- waiting ----------------------------------------------------------------------------------

# wait_for SECONDS COMMAND...: until it succeeds; fails, saying so, if that takes longer. Debug kernels
# get more time.
wait_for() {
	local deadline=$((SECONDS + $1 * ${BATON_SLOWER:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS > deadline)); then
			echo "# waited in vain for: $*" >&2
			return 1
		fi
		sleep 0.1
	done
}

# -- functions --------------------------------------------------------------------------------

# fn_address NAME: PCI address of a function of the topology.
fn_address() {
	local name address
	while read -r name address _; do
		[[ $name != "$1" ]] || { echo "$address"; return; }
	done <"$BATON_RUN/functions"
	echo "no function $1 in this topology" >&2
	return 1
}

fn_dir() { echo "/sys/bus/pci/devices/$(fn_address "$1")"; }

# name_of DIRECTORY: its own, if it is a link to one; nothing if there is none.
name_of() { [[ ! -e $1 ]] || (cd -P "$1" && echo "${PWD##*/}"); }

# fn_driver NAME: the driver that it is bound to; empty if none.
fn_driver() { name_of "/sys/bus/pci/devices/$(fn_address "$1")/driver"; }

# fn_bind NAME DRIVER: move a function to a driver ("" for the one the kernel would choose).
fn_bind() {
	local dir address
	address=$(fn_address "$1")
	dir=/sys/bus/pci/devices/$address
	echo "$2" >"$dir/driver_override"
	if [[ -e $dir/driver ]]; then
		echo "$address" >"$dir/driver/unbind"
	fi
	echo "$address" >/sys/bus/pci/drivers_probe || true
	[[ -e $dir/driver && ( -z $2 || $dir/driver -ef /sys/bus/pci/drivers/$2 ) ]]
}

bind_baton() { fn_bind "$1" "$BATON_DRIVER"; }

# fn_master NAME: may it direct DMA? As the PCI command register says, not the driver.
fn_master() {
	local command
	command=$(od -An -tu2 -j4 -N2 "$(fn_dir "$1")/config")
	((command & 4))
}

# baton_load PARAMETER=VALUE...: the core with these parameters, and the function driver. With
# BATON_MODULES=faults, those whose functions can be made to misbehave.
baton_load() {
	local dir
	dir=/baton/build/$(cut -d' ' -f1 "$BATON_RUN/kernel")${BATON_MODULES:+/$BATON_MODULES}
	dir+=/drivers/vdpa/baton
	insmod "$dir/baton.ko" "$@"
	insmod "$dir/baton_pci.ko"
}

# baton_reload PARAMETER=VALUE...: the core anew, with these parameters; no function may be bound.
baton_reload() {
	rmmod baton_pci baton
	baton_load "$@"
}

# unbind NAME: back to virtio-pci.
unbind() { fn_bind "$1" ""; }

# -- vDPA devices -----------------------------------------------------------------------------

# vdpa_add NAME FUNCTION [ARGUMENTS of vdpa dev add]
vdpa_add() {
	local name=$1 address
	address=$(fn_address "$2")
	shift 2
	vdpa dev add name "$name" mgmtdev "pci/$address" "$@"
}

vdpa_del() { vdpa dev del "$1"; }

# vdpa_driver NAME: the consumer that it is bound to; empty if none.
vdpa_driver() { name_of "/sys/bus/vdpa/devices/$1/driver"; }

vdpa_unbind() {
	[[ ! -e /sys/bus/vdpa/devices/$1/driver ]] || echo "$1" >"/sys/bus/vdpa/devices/$1/driver/unbind"
}

# vdpa_bind NAME virtio_vdpa|vhost_vdpa: hand a device to a consumer. Fails if the bind was refused.
vdpa_bind() {
	vdpa_unbind "$1"
	echo "$2" >"/sys/bus/vdpa/devices/$1/driver_override"
	echo "$1" >/sys/bus/vdpa/drivers_probe || true
	[[ /sys/bus/vdpa/devices/$1/driver -ef /sys/bus/vdpa/drivers/$2 ]]
}

vdpa_owner() { echo "$(<"/sys/bus/vdpa/devices/$1/baton/owner")"; }

# What the consumer made of it: netdev, disk, or /dev node. They wait, since drivers probe late.
# virtio_vdpa hangs its virtio device below the function, beside the vDPA device.
vdpa_netdev() { vdpa_child "$1" '../virtio*/net/*'; }
vdpa_disk() { vdpa_child "$1" '../virtio*/block/*'; }

# vdpa_mac DEVICE: the MAC address that it was given; QEMU wants to be told.
vdpa_mac() { vdpa dev config show "$1" | grep -oE '([0-9a-f]{2}:){5}[0-9a-f]{2}'; }
vhost_node() { echo "/dev/$(vdpa_child "$1" 'vhost-vdpa-*')"; }

# net_up DEVICE: address and link for the netdev of a vDPA device; pings: does QEMU's network answer?
net_up() {
	local netdev
	netdev=$(vdpa_netdev "$1")
	ip address replace 10.0.2.15/24 dev "$netdev"
	ip link set "$netdev" up
}

pings() { ping -q -c 3 -i 0.1 -w 10 10.0.2.2; }

# disk_works DISK: what is written, by eight at once, is read back. Not by fio, which an emulated processor takes
# seconds to start.
disk_works() {
	local data=/tmp/disk-works.$BASHPID share writers=() failed=0
	head -c 4M /dev/urandom >"$data"
	for share in {0..7}; do
		dd if="$data" of="$1" bs=4k count=128 skip=$((share * 128)) seek=$((share * 128)) oflag=direct \
			status=none &
		writers+=($!)
	done
	for share in "${writers[@]}"; do
		wait "$share" || failed=1
	done
	((failed == 0)) && dd if="$1" bs=64k count=64 iflag=direct status=none | cmp - "$data" || failed=1
	rm "$data"
	return $failed
}

# The newest: a function can have left others, whose drivers hang.
vdpa_child() {
	local found
	wait_for 10 compgen -G "/sys/bus/vdpa/devices/$1/$2" || return
	mapfile -t found < <(compgen -G "/sys/bus/vdpa/devices/$1/$2")
	((${#found[@]} < 2)) || mapfile -t found < <(printf '%s\n' "${found[@]}" | sort -V)
	echo "${found[-1]##*/}"
}

# -- boot -------------------------------------------------------------------------------------

# udev_comes_late: for a test's program before systemd: as on a machine where the driver's module is loaded
# by udev, after baton.service.
udev_comes_late() {
	local dir=/etc/systemd/system/systemd-udev-trigger.service.d
	rmmod virtio_net
	mkdir "$dir"
	printf '[Unit]\nAfter=baton.service\n' >"$dir/late.conf"
}

# -- containers -------------------------------------------------------------------------------

# make_box DIR: a container's root file system, DIR/root: this one, with a layer of its own to write to.
make_box() {
	mkdir -p "$1"/{root,upper,work}
	mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" box "$1/root"
	: >"$1/root/etc/machine-id"
}

# make_small_box DIR: one of which an image is soon made, with busybox and nothing else.
make_small_box() {
	local name
	mkdir -p "$1"/{bin,dev,etc,proc,run,sbin,sys,tmp,usr}
	cp "$(type -P busybox)" "$1/bin"
	for name in cat cmp dd ip ping sh sha256sum sleep; do
		ln -s busybox "$1/bin/$name"
	done
}

# -- traces -----------------------------------------------------------------------------------

TRACING=/sys/kernel/tracing

# trace_start EVENT...: from now on record these ("baton", "iommu/map", ...) and nothing else.
trace_start() {
	local event
	trace_stop
	echo >$TRACING/trace
	for event in "$@"; do
		echo 1 >"$TRACING/events/$event/enable"
	done
}

# trace_stop: what was recorded stays readable.
trace_stop() { echo 0 >$TRACING/events/enable; }

trace_lines() { grep -v '^#' $TRACING/trace || true; }
trace_has() { trace_lines | grep -E -- "$1"; }

# -- the QEMU around this VM ------------------------------------------------------------------

# qmp COMMAND [KEY=VALUE...]: see tools/lab/qmp
qmp() { /baton/tools/lab/qmp "$@"; }
