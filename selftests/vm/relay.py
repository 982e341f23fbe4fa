#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C14, the relay: a user's queues begin at any position, and go on after a stop with what is in them;
# the policy decides, and what the owner does to its rings hurts nobody else.
#
#   net0 --- baton_pci --- v0 --- vhost_vdpa --- a client of our own
#   blk0 --- baton_pci --- v1 --- vhost_vdpa --- another
#
# shares: its VM
# topology: net-blk
# cpus: 2
# timeout: 150
from lib import *
from vhost_vdpa import *

BASES = 1, 777, 0x7fff, 0xfff0, 0xffff


def relayed(queue):
    """Of a net device: the vDPA core gives no others' statistics."""
    return "relayed 1" in sh(f"vdpa dev vstats show v0 qidx {queue}")


def begins_anywhere(name):
    for base in BASES:
        with Device(user_node(name)) as dev:
            user = CLASSES[dev.get_device_id()](dev, base=base)
            assert name == "v1" or (relayed(0) and relayed(1))
            user.exercise()


def net_goes_on():
    with Device(user_node("v0")) as dev:
        net = Net(dev)
        for _ in range(30):
            net.arp()
            stop_and_go_on(dev, [net.rx, net.tx])
        # All receive buffers are still under way: as many answers as there are buffers, and more.
        for _ in range(40):
            net.arp()
        assert relayed(0) and relayed(1)


def blk_goes_on():
    with Device(user_node("v1")) as dev:
        blk = Blk(dev, base=0xffe0)
        for i in range(30):
            data = os.urandom(4096)
            blk.write(8 * i, data)
            stop_and_go_on(dev, blk.queues)
            assert blk.read(8 * i, 4096) == data
        blk.exercise()


def post_reads(blk):
    """As many requests as the ring takes, all at once, of different sizes."""
    mem = blk.mem
    mem.bytes[blk.head:blk.head + 16] = struct.pack("<IIQ", 0, 0, 0)
    for i in range(blk.queue.size // 3):
        blk.queue.post([(mem.iova + blk.head, 16, READ),
                        (mem.iova + blk.data, 512 * (1 + 37 * i % 128), WRITE),
                        (mem.iova + blk.status, 1, WRITE)])


def blk_is_answered():
    """A reset finds nothing under way, direct or relayed: nothing has to be done twice."""
    for text in "auto", "always":
        set_relay("v1", text)
        for _ in range(10):
            with Device(user_node("v1")) as dev:
                blk = Blk(dev)
                post_reads(blk)
                blk.queue.kick()
                dev.reset()
                used = blk.queue.used_index()
                assert used == blk.queue.avail_idx, f"{text}: {used} of {blk.queue.avail_idx}"
    set_relay("v1", "auto")


def blk_is_not_rung_for():
    """A reset answers what the driver had no time to ring for."""
    with Device(user_node("v1")) as dev:
        blk = Blk(dev)
        # At DRIVER_OK, QEMU's disk rings for itself, and hears it when its main loop gets round to it.
        time.sleep(0.5 * SLOWER)
        post_reads(blk)
        dev.reset()
        assert blk.queue.used_index() == blk.queue.avail_idx


def by_policy():
    set_relay("v1", "always")
    with Device(user_node("v1")) as dev, Trace("baton:baton_relay") as trace:
        Blk(dev).exercise()
    assert "queue=0 position=0" in "".join(trace.lines("baton_relay"))
    set_relay("v1", "never")
    with Device(user_node("v1")) as dev:
        dev.start()
        dev.set_features(USUAL)
        with fails_with(errno.EOPNOTSUPP):
            dev.set_vring_base(0, 5)
        assert "relay" in vdpa_read("v1", "last_refusal"), vdpa_read("v1", "last_refusal")
    set_relay("v1", "auto")
    with Device(user_node("v1")) as dev, Trace("baton:baton_relay") as trace:
        Blk(dev).exercise()
    assert not trace.lines("baton_relay")


def stale_base():
    with Device(user_node("v1")) as dev:
        blk = Blk(dev, base=100)
        blk.exercise()
        dev.reset()
        dev.negotiate(dev.features)
        blk.queue.describe(100)
        blk.queue.enable()
        dev.set_status(DRIVER_OK)
        assert dev.get_status() & FAILED
        assert "cannot go on at 100" in vdpa_read("v1", "last_refusal"), vdpa_read("v1", "last_refusal")


def hostile(what):
    """The owner has to reset, and the other function's owner does not notice."""
    with Device(user_node("v0")) as other, Device(user_node("v1")) as dev:
        net, blk = Net(other, base=9), Blk(dev, base=9)
        net.arp()
        blk.flush()
        what(blk.queue)
        blk.queue.kick()
        wait_for(lambda: dev.get_status() & NEEDS_RESET)
        assert "makes no sense" in vdpa_read("v1", "last_refusal"), vdpa_read("v1", "last_refusal")
        net.exercise()
        stop_and_go_on(other, [net.rx, net.tx])
        net.arp()
    with Device(user_node("v1")) as dev:
        Blk(dev, base=3).exercise()


def index_jumps(queue):
    queue.mem.u16[(queue.driver + 2) // 2] = queue.avail_idx + queue.size + 1


def head_beyond(queue):
    queue.mem.u16[(queue.driver + 4) // 2 + queue.avail_idx % queue.size] = queue.size
    queue.mem.u16[(queue.driver + 2) // 2] = queue.avail_idx + 1


def ring_comes_back():
    """Unmapped, and written to all the same: nothing happens. Mapped again: it does."""
    with Device(user_node("v1")) as dev:
        blk = Blk(dev, base=50)
        blk.flush()
        mem, queue = blk.mem, blk.queue
        dev.unmap(mem.iova, mem.size)
        mem.bytes[blk.head:blk.head + 16] = struct.pack("<IIQ", 4, 0, 0)
        mem.bytes[blk.status] = 0xff
        head = queue.post([(mem.iova + blk.head, 16, READ), (mem.iova + blk.status, 1, WRITE)])
        queue.kick()
        time.sleep(0.5)
        assert queue.used() is None
        dev.map(mem.iova, mem.size, mem.address)
        assert queue.wait()[0] == head and mem.bytes[blk.status] == 0
        blk.exercise()


def read_only_used_ring():
    with Device(user_node("v1")) as dev:
        dev.start()
        mem = Memory(1 << 20).map(dev, 0x100000, RO)
        dev.negotiate(USUAL)
        SplitQueue(dev, 0, 64, mem, 7).enable()
        dev.set_status(DRIVER_OK)
        assert dev.get_status() & FAILED
        assert "cannot be relayed" in vdpa_read("v1", "last_refusal"), vdpa_read("v1", "last_refusal")


ktap_start(11)
sh("bind_baton net0; vdpa_add v0 net0; vdpa_bind v0 vhost_vdpa")
sh("bind_baton blk0; vdpa_add v1 blk0; vdpa_bind v1 vhost_vdpa")

with case("net: begins anywhere"):
    begins_anywhere("v0")
with case("blk: begins anywhere"):
    begins_anywhere("v1")
with case("net: stopped and going on thirty times"):
    net_goes_on()
with case("blk: stopped and going on thirty times, over the wrap"):
    blk_goes_on()
with case("blk: what is under way is answered before a reset"):
    blk_is_answered()
with case("blk: nor what nobody rang for"):
    blk_is_not_rung_for()
expect_log(r"queue 0 refused to start at 5: the policy is to relay no queue")
with case("by policy: always, never, auto"):
    by_policy()
expect_log(r"queue 0 cannot go on at 100: its used ring stands at")
with case("a stale base is refused"):
    stale_base()
expect_log(r"queue 0 stopped: its available ring makes no sense")
with case("rings that make no sense hurt their owner only"):
    hostile(index_jumps)
    hostile(head_beyond)
with case("a ring that is unmapped rests until it is mapped again"):
    ring_comes_back()
expect_log(r"queue 0 cannot be relayed: its rings at")
with case("a used ring that may only be read is not written"):
    read_only_used_ring()

ktap_finish()
