#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C14, the relay: a user's queues begin at any position, and go on after a stop with what is in them;
# the policy decides, and what the owner does to its rings hurts nobody else. Over the wrap a queue goes
# back to its owner's own rings (RING_RESET).
#
#   net0 --- baton_pci --- v0 --- vhost_vdpa --- a client of our own
#   blk0 --- baton_pci --- v1 --- vhost_vdpa --- another
#
# shares: its VM
# topology: net-blk
# cpus: 2
# timeout: 150
import threading

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


class Heals:
    """Queues of a device that go back to their owner's own rings, while the block runs."""

    def __init__(self, *queues):
        self.queues = queues
        self.trace = Trace("baton:baton_heal")

    def __enter__(self):
        self.trace.__enter__()

    def __exit__(self, kind, *_):
        if not kind:
            wait_for(lambda: len(self.healed()) >= len(self.queues), 10)
        self.trace.__exit__()
        got = sorted(line.partition(" ")[2] for line in self.healed())
        assert kind or got == [f"queue={queue} position=0" for queue in self.queues], got

    def healed(self):
        return self.trace.lines("baton_heal")


def net_heals():
    with Device(user_node("v0")) as dev:
        net = Net(dev, base=0xfff0)
        with Heals(0, 1):
            # At the wrap no packet may come until the queue has gone back.
            while net.rx.used_idx:
                net.arp()
            wait_for(lambda: not relayed(0) and not relayed(1))
            for _ in range(net.rx.size // 2):
                net.arp()
        assert not relayed(0) and not relayed(1)
        # Interrupts come as before, and the queues can be stopped and go on, relayed again.
        if select.select([net.rx.call_fd], [], [], 0)[0]:
            os.eventfd_read(net.rx.call_fd)
        net.arp()
        assert select.select([net.rx.call_fd], [], [], 5 * SLOWER)[0]
        stop_and_go_on(dev, [net.rx, net.tx])
        assert relayed(0) and relayed(1)
        net.arp()


def needs_kick(queue, old):
    """virtio 1.2, 2.7.10: does the device want to know?"""
    new, event = queue.avail_idx, queue.mem.u16[(queue.device + 4 + 8 * queue.size) // 2]
    return ((new - event - 1) & 0xffff) < ((new - old) & 0xffff)


def pipelined(blk, writes, event_idx):
    """Always as many requests under way as there is room for; the Nth writes N to the Nth sector, and
    each is answered once."""
    mem, queue = blk.mem, blk.queue
    at = [mem.alloc(544) for _ in range(queue.size // 3)]
    doing, made, done = {}, 0, 0
    while done < writes:
        old = queue.avail_idx
        while at and made < writes:
            place = at.pop()
            mem.bytes[place:place + 528] = struct.pack("<IIQ", 1, 0, made) + struct.pack("<H", made) * 256
            mem.bytes[place + 528] = 0xff
            doing[queue.post([(mem.iova + place, 528, READ), (mem.iova + place + 528, 1, WRITE)])] = place
            made += 1
        if old != queue.avail_idx and (not event_idx or needs_kick(queue, old)):
            queue.kick()
        place = doing.pop(queue.wait(poll=True)[0])
        assert mem.bytes[place + 528] == 0
        at.append(place)
        done += 1
    assert queue.used() is None and not doing


def blk_heals():
    for features in 0, EVENT_IDX:
        for base in 0xffc0, 0xfffd:
            with Device(user_node("v1")) as dev:
                blk = Blk(dev, base=base, features=features)
                blk.write(0, bytes(65536))
                with Heals(0):
                    pipelined(blk, 90, features)
                pipelined(blk, 30, features)
                for i in range(0, 90, 25):
                    assert blk.read(i, 512) == struct.pack("<H", i) * 256
                stop_and_go_on(dev, blk.queues)
                blk.flush()


def does_not_heal():
    """The administrator said so."""
    set_relay("v1", "always")
    with Device(user_node("v1")) as dev, Trace("baton:baton_heal") as trace:
        blk = Blk(dev, base=0xfff0)
        for _ in range(32):
            blk.flush()
        assert not trace.lines("baton_heal")
    set_relay("v1", "auto")


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
        head = blk.post_flush()
        queue.kick()
        time.sleep(0.5)
        assert queue.used() is None
        dev.map(mem.iova, mem.size, mem.address)
        assert queue.wait()[0] == head and mem.bytes[blk.status] == 0
        blk.exercise()


class Churn(threading.Thread):
    """Maps and unmaps memory, other than what is in use, while the block runs."""

    def __init__(self, dev):
        super().__init__()
        self.dev, self.memory, self.times, self.error, self.over = dev, Memory(1 << 20), 0, None, False

    def run(self):
        try:
            while not self.over:
                self.memory.map(self.dev, 0x20000000 + (self.times % 16 << 21))
                self.dev.unmap(self.memory.iova, self.memory.size)
                self.times += 1
        except OSError as error:
            self.error = error

    def __enter__(self):
        self.start()
        return self

    def enough(self):
        return self.error or self.times > 5

    def __exit__(self, *_):
        self.over = True
        self.join()
        assert not self.error, self.error


def mapped_for_each(blk, number):
    """As a guest's vIOMMU has it: a buffer is mapped for one request, and never again there."""
    dev, mem, buffer = blk.queue.dev, blk.mem, Memory(2 * PAGE)
    for i in range(number):
        buffer.map(dev, 0x40000000 + 0x10000 * i)
        at = buffer.iova
        data = os.urandom(PAGE)
        for kind, write in (1, READ), (0, WRITE):
            buffer.bytes[PAGE:] = data if kind else bytes(PAGE)
            buffer.bytes[:17] = struct.pack("<IIQB", kind, 0, 8 * i, 0xff)
            blk.queue.request((at, 16, READ), (at + PAGE, PAGE, write), (at + 16, 1, WRITE))
            assert buffer.bytes[16] == 0 and buffer.bytes[PAGE:] == data
        dev.unmap(at, buffer.size)
    assert vdpa_read("v1", "mapped_bytes") == str(mem.size)


def memory_comes_and_goes():
    """On its own rings, relayed, and from the one to the other."""
    for base in 0, 0xfff0:
        with Device(user_node("v1")) as dev:
            mapped_for_each(Blk(dev, base=base), 16)
        with Device(user_node("v0")) as dev:
            net = Net(dev, base=base)
            with Churn(dev) as churn:
                packets = 0
                while packets < 40 or not churn.enough():
                    net.arp()
                    packets += 1


def read_only_used_ring():
    with Device(user_node("v1")) as dev:
        dev.start()
        mem = Memory(1 << 20).map(dev, 0x100000, RO)
        dev.negotiate(USUAL)
        SplitQueue(dev, 0, 64, mem, 7).enable()
        dev.set_status(DRIVER_OK)
        assert dev.get_status() & FAILED
        assert "cannot be relayed" in vdpa_read("v1", "last_refusal"), vdpa_read("v1", "last_refusal")


ktap_start(15)
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
with case("net: over the wrap both queues go back to their owner's rings"):
    net_heals()
with case("blk: likewise, with many requests under way, with and without event index"):
    blk_heals()
with case("by policy \"always\" they do not"):
    does_not_heal()
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
with case("memory is mapped and unmapped under traffic"):
    memory_comes_and_goes()
expect_log(r"queue 0 cannot be relayed: its rings at")
with case("a used ring that may only be read is not written"):
    read_only_used_ring()

ktap_finish()
