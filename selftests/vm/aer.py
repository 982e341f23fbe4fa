#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C3.4, errors of the bus: the root port reports an error of a function (PCIe AER), correctable,
# non-fatal or fatal, while nobody owns it, a user does, or the kernel. The port recovers. Who owned the
# function has lost it, is told (NEEDS_RESET and a configuration interrupt), and it works again once he
# has reset it. A correctable error is nobody's concern, and a disk of the kernel's goes on after an error
# that is not fatal. The function at the other port notices nothing.
#
#   net0 --- root port --- baton_pci --- v0 --- this process; virtio_vdpa --- ping
#   blk0 --- root port --- baton_pci --- v1 --- this process; virtio_vdpa --- fio
#
# topology: aer
# timeout: 180
import select

from lib import *
from vhost_vdpa import *

ERRORS = {"correctable": "RCVR", "not fatal": "COMP_ABORT", "fatal": "DLP"}
BLOCKED = ("none", "blocked", False)
RECOVERED = r"pcieport .*AER: device recovery successful"


def inject(kind, name="net0"):
    """And wait until the port has done with it."""
    seen = kernel_log_count(RECOVERED), kernel_log_count(r"AER: Correct(ed|able)")
    sh(f"qmp hmp 'pcie_aer_inject_error {name} {ERRORS[kind]}'")
    if kind == "correctable":
        wait_for(lambda: kernel_log_count(r"AER: Correct(ed|able)") > seen[1], 10)
    else:
        wait_for(lambda: kernel_log_count(RECOVERED) > seen[0], 20)


def nobody(kind):
    inject(kind)
    assert stands() == BLOCKED, stands()
    exercise(NODE)


def user(kind):
    with Device(NODE) as dev:
        told = os.eventfd(0, os.EFD_CLOEXEC)
        dev.set_config_call(told)
        net = Net(dev)
        net.arp()
        inject(kind)
        if kind == "correctable":
            assert stands() == ("user", "user", True) and dev.get_status() == DRIVER_OK
            net.arp()
            return
        assert select.select([told], [], [], 5)[0], "no configuration interrupt"
        assert stands() == ("user", "lost", False), stands()
        assert dev.get_status() == DRIVER_OK | NEEDS_RESET, f"status {dev.get_status():#x}"
        net.tx.kick()
        dev.reset()
        assert stands() == BLOCKED and dev.get_status() == 0, stands()
    exercise(NODE)


def kernel(kind):
    # A new device: its driver may be bound anew.
    sh("vdpa_del v0; vdpa_add v0 net0; vdpa_bind v0 virtio_vdpa; net_up v0; pings")
    anew = kernel_log_count("its virtio driver was bound anew, and goes on")
    inject(kind)
    if kind != "correctable":
        wait_for(lambda: kernel_log_count("its virtio driver was bound anew, and goes on") > anew)
        sh("net_up v0")
    sh("pings; vdpa_unbind v0")
    assert stands() == BLOCKED, stands()


def disk_goes_on():
    vdpa_bind("v1", "virtio_vdpa")
    load = disk_load("v1", "--rw=randwrite", "--size=24m", "--verify=crc32c", "--verify_fatal=1")
    busy("blk0")
    inject("not fatal", "blk0")
    assert stands("blk0", "v1") == ("kernel", "kernel", True), stands("blk0", "v1")
    assert load.wait() == 0
    sh("vdpa_unbind v1")


ktap_start(3 * len(ERRORS) + 3)
# virtio_net may have something to send to a function that is lost.
# (What the network device is to hear by a control queue that is gone, too.)
expect_log("was reset under its consumer .(kernel|user).|Unexpected TXQ .0. queue failure|"
           r"Failed to add sgs for command vq|net eth\d+: Failed to")
expect_log("has failed under the kernel's driver|its virtio driver was bound anew, and goes on")
expect_log("AER: |PCIe Bus Error|virtio.*error|device .*error status|   \\[ *[0-9]+\\]|broadcast .* message")
sh("bind_baton net0; bind_baton blk0; vdpa_add v0 net0; vdpa_add v1 blk0")
bystander = Device(user_node("v1"))
disk = Blk(bystander)
disk.exercise()
for kind in ERRORS:
    NODE = user_node("v0")
    with case(f"{kind}: nobody owns it"):
        nobody(kind)
    with case(f"{kind}: a user owns it"):
        user(kind)
    with case(f"{kind}: the kernel owns it"):
        kernel(kind)
with case("the function at the other port noticed nothing"):
    assert bystander.get_status() == DRIVER_OK and stands("blk0", "v1") == ("user", "user", True)
    disk.exercise()
bystander.close()
with case("not fatal: the kernel's disk goes on"):
    disk_goes_on()
NODE = user_node("v0")
with case("it works for users"):
    exercise(NODE)
ktap_finish()
