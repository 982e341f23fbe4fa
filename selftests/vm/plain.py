#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# Net functions that have less than others: one that does not know of IOMMUs (no ACCESS_PLATFORM, QEMU's default; the
# kernel may own it, users may not) and is given commands all the same, at physical addresses; and one without a control
# queue, for the kernel and for users.
#
#   net0 (iommu_platform=off) --- baton_pci --- v0 --- virtio_vdpa --- ping, ip, ethtool
#   net1 (ctrl_vq=off) ---------- baton_pci --- v1 --- virtio_vdpa --- ping; vhost_vdpa --- this process
#
# shares: its VM
# topology: plain
from lib import *
from vhost_vdpa import *


def commands():
    """Sent by the kernel's driver, and answered by the device."""
    with Trace("baton:baton_command") as trace:
        sh("dev=$(vdpa_netdev v0); ip link set $dev promisc on; ip link set $dev promisc off; "
           "ip link add link $dev name vlan7 type vlan id 7; ip link del vlan7")
    lines = trace.lines("baton_command")
    assert len(lines) >= 4 and all(line.endswith(" ack=0") for line in lines), lines


ktap_start(5)
expect_log("no user may own this function: the device does not offer ACCESS_PLATFORM")
sh("bind_baton net0; vdpa_add v0 net0; bind_baton net1; vdpa_add v1 net1")
with case("no ACCESS_PLATFORM: the kernel's driver has traffic"):
    sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings")
with case("no ACCESS_PLATFORM: and commands"):
    commands()
    sh("pings")
with case("no ACCESS_PLATFORM: no user has it"):
    sh("vdpa_unbind v0")
    with fails_with(errno.EPERM):
        Device(user_node("v0")).close()
    sh("vdpa_del v0")
with case("no control queue: the kernel's driver has traffic"):
    sh("vdpa_bind v1 virtio_vdpa; net_up v1; pings; vdpa_unbind v1")
with case("no control queue: a user has traffic"):
    exercise(user_node("v1"))
ktap_finish()
