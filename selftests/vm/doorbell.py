#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C12, answers are constants or sizes, where doorbells have pages of their own, as hardware's do: a user
# maps those of its queues and rings by writing there, past the kernel; nobody gets that of a control
# queue; a mapping stays what it was, whatever becomes of the queue and of the function.
#
#   net0 (page-per-vq) --- root port --- baton_pci --- v0 --- vhost_vdpa --- this process
#
# shares: its VM
# topology: hotplug
# timeout: 90
import mmap

from lib import *
from vhost_vdpa import *

CTRL_VQ = 1 << 17
CONTROL = 2                     # after one pair
ENOTSUPP = 524                  # the kernel's own


class Doorbell:
    """The page of a queue's doorbell, mapped for writing."""

    def __init__(self, dev, index):
        self.index = index
        self.page = mmap.mmap(dev.fd, PAGE, mmap.MAP_SHARED, mmap.PROT_WRITE, offset=index * PAGE)
        self.word = ctypes.c_uint16.from_buffer(self.page)

    def ring(self):
        self.word.value = self.index
        # Memory would keep it; x86 lets everybody read what he may write.
        assert not self.word.value, "this is no doorbell"

    def close(self):
        del self.word
        self.page.close()


def mappable(dev, index):
    try:
        Doorbell(dev, index).close()
    except OSError as err:
        assert err.errno == ENOTSUPP, err
        return False
    return True


def main():
    ktap_start(6)
    # Of a physical function, which may go while one is mapped, the administrator has to want it.
    sh("bind_baton net0; echo Y >/sys/module/baton_pci/parameters/physical_doorbells; vdpa_add v0 net0")
    node = user_node("v0")

    with case("frames go out and come in by mapped doorbells alone"):
        with Device(node) as dev:
            net = Net(dev)
            bells = [Doorbell(dev, ring.index) for ring in (net.rx, net.tx)]
            for ring, bell in zip((net.rx, net.tx), bells):
                dev.set_vring_kick(ring.index, -1)
                ring.kick = bell.ring
            for _ in range(3 * net.tx.size):
                net.arp()
            for bell in bells:
                bell.close()

    with case("the control queue's is nobody's, the owner's or the hardware's"):
        with Device(node) as dev:
            assert mappable(dev, 0) and mappable(dev, 1) and not mappable(dev, CONTROL)
            dev.start()
            dev.negotiate(USUAL)
            # The user has no control queue now: the hardware has one for us.
            assert mappable(dev, 1) and not mappable(dev, CONTROL)
        with Device(node) as dev:
            dev.start()
            dev.negotiate(USUAL | CTRL_VQ)
            assert mappable(dev, 1) and not mappable(dev, CONTROL)

    expect_log("was reset under its consumer .user.")
    with case("it can be rung through a reset by others, and does no harm"):
        with Device(node) as dev:
            net = Net(dev)
            net.arp()
            bell = Doorbell(dev, 1)
            bell.ring()
            flr("net0")
            assert dev.get_status() & NEEDS_RESET
            bell.ring()
            dev.reset()
            bell.ring()
            bell.close()

    with case("it keeps the device from the next one until it is unmapped"):
        dev = Device(node)
        bell = Doorbell(dev, 0)
        bell.ring()
        dev.close()
        with fails_with(errno.EBUSY):
            Device(node)
        bell.close()
        Device(node).close()
    equal("nobody owns the function", stands(), ("none", "blocked", False))
    with case("the next user finds it well"):
        exercise(node)
    sh("echo N >/sys/module/baton_pci/parameters/physical_doorbells")
    ktap_finish()


main()
