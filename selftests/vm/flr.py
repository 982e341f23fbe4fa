#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C3, reset; C9, interrupts end with ownership; C10, observable: somebody resets the function
# through sysfs (function-level reset) while the kernel owns it, a user does, or nobody. The owner
# is told (NEEDS_RESET and a configuration interrupt), the function stays without bus mastering
# until he lets go, nothing leaks, and afterwards it works, in the same session too.
#
#   net0 --- root port --- baton_pci --- v0 --- virtio_vdpa --- ping, or vhost_vdpa --- this process
#
# shares: its VM
# topology: hotplug
# timeout: 150
import select

from lib import *
from vhost_vdpa import *

BLOCKED = ("none", "blocked", False)


def kernel_gets_it_anew():
    """Under traffic, which is refused by the broken queues until its driver is bound anew."""
    expect_log("has failed under the kernel's driver|its virtio driver was bound anew, and goes on")
    expect_log("Unexpected TXQ .0. queue failure: -5|Failed to add sgs for command vq: -5|"
               "Failed to (disable (promisc|allmulti) mode|set MAC filter table|kill VLAN ID 0)")
    sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings")
    flood = subprocess.Popen(["ping", "-q", "-f", "10.0.2.2"], stdout=subprocess.DEVNULL)
    try:
        with Trace("witness:config_changed", "baton") as trace:
            flr("net0")
            wait_for(lambda: kernel_log_count("its virtio driver was bound anew, and goes on"))
        assert any("kernel -> lost" in line for line in trace.lines("baton_owner")), trace.text
        assert trace.lines("config_changed"), "no configuration interrupt"
        steps = [line.split()[1] for line in trace.lines("baton_step")]
        # It is taken from the driver at once, and drained when the driver lets go of it.
        assert steps[:2] == ["disable", "quiesce"], steps
        assert stands() == ("kernel", "kernel", True), stands()
    finally:
        flood.kill()
        flood.wait()
    sh("net_up v0; pings; vdpa_unbind v0")
    assert stands() == BLOCKED and not interrupts("net0"), (stands(), interrupts("net0"))


def user_loses_it(then):
    with Device(NODE) as dev:
        config = os.eventfd(0, os.EFD_CLOEXEC)
        dev.set_config_call(config)
        net = Net(dev)
        net.arp()
        flr("net0")
        assert select.select([config], [], [], 5)[0], "no configuration interrupt"
        assert stands() == ("user", "lost", False), stands()
        assert dev.get_status() == DRIVER_OK | NEEDS_RESET, f"status {dev.get_status():#x}"
        # It may try to go on, and nothing happens.
        net.tx.post([(net.mem.iova + net.out, 72, READ)])
        net.tx.kick()
        dev.set_status(DRIVER_OK | NEEDS_RESET)
        assert net.tx.used() is None and stands() == ("user", "lost", False), stands()
        if then == "reset":
            dev.reset()
            assert dev.get_status() == 0 and stands() == BLOCKED, stands()
            assert not interrupts("net0"), interrupts("net0")
            dev.negotiate(USUAL)
            mem = Memory(1 << 20).map(dev, 0x40000000)
            tx = SplitQueue(dev, 1, 64, mem)
            tx.enable()
            dev.run()
            tx.request((mem.iova + mem.alloc(72), 72, READ))
    assert stands() == BLOCKED and not interrupts("net0"), (stands(), interrupts("net0"))
    assert vdpa_read("v0", "mapped_bytes") == "0"


def negotiated_user_loses_it():
    """Not yet the owner, but what was negotiated is gone."""
    with Device(NODE) as dev:
        dev.start()
        dev.negotiate(USUAL)
        flr("net0")
        assert dev.get_status() & NEEDS_RESET and stands() == BLOCKED, stands()
        dev.reset()
        Memory(1 << 20).map(dev, 0x40000000)
        dev.negotiate(USUAL)
        dev.run()
        assert stands() == ("user", "user", True), stands()


def nobody_loses_it():
    flr("net0")
    assert stands() == BLOCKED, stands()
    exercise(NODE)
    with Device(NODE) as dev:
        flr("net0")
        assert stands() == BLOCKED and dev.get_status() == 0, stands()
        Net(dev).arp()


def main():
    global NODE
    ktap_start(10)
    expect_log("was reset under its consumer .(kernel|user).")
    (TRACING / "kprobe_events").write_text("p:witness/config_changed virtio_config_changed\n")
    sh("bind_baton net0")
    with case("without a vDPA device"):
        flr("net0")
        assert not bus_master("net0")
    sh("vdpa_add v0 net0")
    NODE = user_node("v0")

    with case("nobody owns it"):
        nobody_loses_it()
    with case("a user owns it, and resets"):
        user_loses_it("reset")
    with case("a user owns it, and closes"):
        user_loses_it("close")
    with case("then it works for users"):
        exercise(NODE)
    with case("a user has negotiated"):
        negotiated_user_loses_it()
    with case("the kernel owns it"):
        kernel_gets_it_anew()
    with case("then it works for the kernel"):
        sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings; vdpa_unbind v0")
    NODE = user_node("v0")
    with case("ten times more"):
        for _ in range(10):
            user_loses_it("close")
    with case("it still works for users"):
        exercise(NODE)
    ktap_finish()


main()
