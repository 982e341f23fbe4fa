#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C3.7, a function that fails under the kernel's own driver: it asks for a reset, or others reset it. A disk's
# driver steps aside and has lost nothing; a network device's is bound anew, once, and then left alone. A
# user is told, as ever. Whoever listens hears of all that by uevents.
#
#   peer0 (10.0.2.2) --- hub --- net0 (selftests/model) --- baton_pci --- v0 --- virtio_vdpa --- ping; vhost_vdpa
#                                blk0 (selftests/model) --- baton_pci --- v1 --- virtio_vdpa --- a writer
#
# shares: its VM
# topology: model
# timeout: 120
import hashlib
import mmap
import threading

from lib import *
from model import *
from uevents import Uevents
from vhost_vdpa import *

OWNED = ("kernel", "kernel", True)
net0, blk0 = Model("net0"), Model("blk0")


class Writer(threading.Thread):
    """Writes blocks past the page cache, each time other ones, and remembers what should be there."""

    def __init__(self, disk):
        super().__init__(daemon=True)
        self.fd = os.open(f"/dev/{disk}", os.O_RDWR | os.O_DIRECT)
        self.there, self.done, self.failure, self.stop = {}, 0, None, False

    def run(self):
        buffer = mmap.mmap(-1, PAGE)
        try:
            while not self.stop:
                data = hashlib.sha512(f"{self.done}".encode()).digest() * (PAGE // 64)
                buffer[:] = data
                os.pwritev(self.fd, [buffer], self.done % 256 * PAGE)
                self.there[self.done % 256] = data
                self.done += 1
        except OSError as err:
            self.failure = err

    def check(self):
        self.stop = True
        self.join()
        assert not self.failure, self.failure
        buffer = mmap.mmap(-1, PAGE)
        for block, data in self.there.items():
            os.preadv(self.fd, [buffer], block * PAGE)
            assert buffer[:] == data, f"block {block}"
        os.close(self.fd)


def netdev():
    """Its network device as it is now, up."""
    sh("net_up v0; pings")


def disk_goes_on(writes):
    """One that answers what it was asked before, or has nothing to answer."""
    before = kernel_log_count("the virtio driver goes on after a reset")
    sh("vdpa_add v1 blk0; vdpa_bind v1 virtio_vdpa")
    writer = Writer(sh("vdpa_disk v1"))
    if writes:
        writer.start()
        wait_for(lambda: writer.done > 20)
    blk0.do(f"needs_reset {writes:d}")
    wait_for(lambda: kernel_log_count("the virtio driver goes on after a reset") == before + 1)
    assert stands("blk0", "v1") == OWNED
    if not writes:
        writer.start()
    done = writer.done
    wait_for(lambda: writer.failure or writer.done > done + 20)
    writer.check()
    sh("vdpa_del v1")


def netdev_goes_on(fail, events):
    """Whatever fails it."""
    before = kernel_log_count("its virtio driver was bound anew, and goes on")
    events.seen.clear()
    fail()
    wait_for(lambda: kernel_log_count("its virtio driver was bound anew, and goes on") == before + 1, 10)
    assert stands() == OWNED, stands()
    netdev()
    # That it was lost in between may be told, or be over by then.
    wait_for(lambda: events.came(BATON_EVENT="owner", BATON_STATE="kernel", BATON_OWNER="kernel"))


def control_queue_fails():
    """One command is not answered in time, those after it are."""
    net0.set(command_ms=60000)
    with subprocess.Popen(["ip", "link", "set", sh("vdpa_netdev v0"), "promisc", "on"]):
        time.sleep(0.3 * SLOWER)
        net0.set(command_ms=0)


def never_in_a_circle(events):
    net0.do("needs_reset 0")
    wait_for(lambda: stands() == ("kernel", "lost", False))
    wait_for(lambda: "again within 60 s: left as it is" in vdpa_read("v0", "last_fault"))
    wait_for(lambda: events.came(BATON_EVENT="fault", BATON_FAULT=vdpa_read("v0", "last_fault")))
    # Nor by itself later.
    time.sleep(2 * SLOWER)
    assert stands() == ("kernel", "lost", False)


def user_is_told():
    with Device(user_node("v0")) as dev:
        net = Net(dev)
        net.arp()
        net0.do("needs_reset 0")
        wait_for(lambda: dev.get_status() == DRIVER_OK | NEEDS_RESET)
        time.sleep(SLOWER)
        assert stands() == ("user", "user", True), stands()
        dev.reset()
        assert not dev.get_status()


def quick_changes(events):
    """Somebody who changes hands as fast as he can is no burden for those who listen."""
    node, number = user_node("v0"), 0
    events.came()
    events.seen.clear()
    start = time.monotonic()
    while time.monotonic() - start < 4:
        with Device(node) as dev:
            Net(dev)
        number += 1
    took = time.monotonic() - start
    wait_for(lambda: events.came(BATON_EVENT="owner", BATON_STATE="blocked", BATON_OWNER="none"))
    told = sum(event.get("BATON_EVENT") == "owner" for event in events.seen)
    note(f"{number} times user and back in {took:.1f} s: {told} events")
    assert 0 < told <= 10 * took + 2, told


def main():
    ktap_start(10)
    for line in (r"has failed under the kernel's driver, or asks to be reset",
                 "its virtio driver was bound anew, and goes on", "the virtio driver goes on after a reset",
                 "failed under the kernel's driver again within 60 s: left as it is",
                 "was reset under its consumer .kernel.", "the hardware's control queue failed .-ETIMEDOUT.",
                 # From between the failure and the end of the network device.
                 r"net eth\d+: Failed to|Failed to add sgs for command vq|Unexpected TXQ .0. queue failure|"
                 "was reset under its consumer|NETDEV WATCHDOG|TX timeout on queue"):
        expect_log(line)
    events = Uevents()
    sh("bind_baton net0; bind_baton blk0; vdpa_add v0 net0")
    sh(f"ip -n peer address add 10.0.2.2/24 dev {peer_goes()}")
    with case("a disk that asks for a reset under a writer goes on, and has each block"):
        disk_goes_on(True)
    with case("so does one that has nothing to do, and does nothing until it is reset"):
        disk_goes_on(False)
    with case("a network device that asks for a reset is bound anew"):
        sh("vdpa_bind v0 virtio_vdpa")
        netdev()
        netdev_goes_on(lambda: net0.do("needs_reset 0"), events)
    with case("again at once: it is left alone, and said so"):
        never_in_a_circle(events)
    with case("somebody binds it anew: it works"):
        sh("vdpa_unbind v0; vdpa_bind v0 virtio_vdpa")
        netdev()
    with case("a device that was just made: reset by others, its network device is bound anew"):
        sh("vdpa_del v0; vdpa_add v0 net0; vdpa_bind v0 virtio_vdpa")
        netdev()
        netdev_goes_on(lambda: flr("net0"), events)
    with case("likewise one whose control queue has failed, once"):
        sh("vdpa_del v0; vdpa_add v0 net0; vdpa_bind v0 virtio_vdpa")
        netdev()
        netdev_goes_on(control_queue_fails, events)
    with case("a user is told, and nothing more"):
        user_is_told()
    with case("one event for many changes, and always for the last"):
        quick_changes(events)
    with case("deleted while it recovers"):
        sh("vdpa_del v0; vdpa_add v0 net0; vdpa_bind v0 virtio_vdpa")
        net0.do("needs_reset 0")
        sh("vdpa_del v0; vdpa_add v0 net0")
        assert stands()[1:] == ("blocked", False), stands()
        exercise(user_node("v0"))
    ktap_finish()


main()
