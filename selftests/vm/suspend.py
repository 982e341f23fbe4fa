#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C15, a user's device is suspended: it is nobody's then, and from the position that is reported on the
# available ring has what was not done, each request once. Nothing is lost and nothing done twice, in
# order or out of order, direct or relayed; where that cannot be, the device runs on.
#
#   peer0 --- hub --- net0 (selftests/model) --- baton_pci --- v0 --- vhost_vdpa --- a client of our own
#                     blk0 (selftests/model) --- baton_pci --- v1 --- vhost_vdpa --- another
#
# shares: its VM
# topology: model
# timeout: 150
import platform
import select

from lib import *
from model import *
from vhost_vdpa import *

F_SUSPEND, F_RESUME = 1 << 4, 1 << 5
PEER = "10.9.0.1"
net0, blk0 = Model("net0"), Model("blk0")


def to_do(ring, position):
    """The heads that whoever goes on at this position finds."""
    return [ring.mem.u16[(ring.driver + 4) // 2 + at % ring.size]
            for at in range(position, position + (ring.avail_idx - position & 0xffff))]


def is_offered():
    for name, wanted in ("v0", F_SUSPEND), ("v1", F_SUSPEND | F_RESUME):
        with Device(user_node(name)) as dev:
            assert dev.get_backend_features() & (F_SUSPEND | F_RESUME) == wanted, name


def blk_rests():
    """Direct at first, relayed after that; through the wrap, by resume and by reset."""
    for way in "resume", "reset":
        with Device(user_node("v1")) as dev:
            blk = Blk(dev)
            for i in range(20):
                data = os.urandom(4096)
                blk.write(8 * i, data)
                dev.suspend()
                assert stands("blk0", "v1") == ("none", "suspended", False)
                assert dev.get_status() == DRIVER_OK
                dev.suspend()           # It is already.
                position = dev.get_vring_base(0)
                assert position == blk.queue.used_index() == blk.queue.avail_idx
                if way == "resume":
                    dev.resume()
                    dev.resume()
                else:
                    stop_and_go_on(dev, [blk.queue])
                assert stands("blk0", "v1") == ("user", "user", True)
                assert blk.read(8 * i, 4096) == data
            blk.exercise()


def post_writes(blk, number):
    """So many requests at once, the Nth of which writes N to the Nth sector: {head: number}."""
    mem, heads = blk.mem, {}
    for i in range(number):
        at = blk.data + 1024 * i
        mem.bytes[at:at + 16] = struct.pack("<IIQ", 1, 0, i)
        mem.bytes[at + 16:at + 528] = bytes([i + 1]) * 512
        mem.bytes[at + 528] = 0xff
        head = blk.queue.post([(mem.iova + at, 528, READ), (mem.iova + at + 528, 1, WRITE)])
        heads[head] = i
    return heads


def blk_out_of_order(position):
    """Of twenty requests the first five are held, and the others come back in reverse order."""
    set_relay("v1", "always")
    with Device(user_node("v1")) as dev:
        blk = Blk(dev, base=position)
        blk.write(0, bytes(16384))
        blk0.set(reorder=1, held=5)
        heads = post_writes(blk, 20)
        blk.queue.kick()
        wait_for(lambda: blk.queue.used_index() == position + 16 & 0xffff)
        before = time.monotonic()
        dev.suspend()
        assert 1.5 < time.monotonic() - before < 4 * SLOWER
        blk0.set(reorder=0, held=0)
        # What came back after all came back once.
        back = [heads.pop(blk.queue.used()[0]) for _ in range(15)]
        assert sorted(back) == list(range(5, 20)) and blk.queue.used() is None, back
        assert dev.get_vring_base(0) == blk.queue.used_index()
        assert sorted(to_do(blk.queue, blk.queue.used_index())) == sorted(heads), heads
        # One more, made while it rests.
        more = blk.post_flush()
        dev.resume()
        assert sorted(blk.queue.wait()[0] for _ in range(6)) == sorted([*heads, more])
        for i in range(20):
            assert blk.read(i, 512) == bytes([i + 1]) * 512
        blk.exercise()
    set_relay("v1", "auto")


def forget():
    """A new device: of the old one's user somebody has waited long enough for a minute."""
    sh("vdpa dev del v1; vdpa_add v1 blk0")


def blk_is_slow():
    """On the user's own rings nobody can tell which are under way: it runs on."""
    forget()
    with Device(user_node("v1")) as dev:
        blk = Blk(dev)
        blk0.set(reorder=1, held=1)
        heads = post_writes(blk, 4)
        blk.queue.kick()
        wait_for(lambda: blk.queue.used_index() == 3)
        with fails_with(errno.EBUSY):
            dev.suspend()
        assert "not answered" in vdpa_read("v1", "last_refusal"), vdpa_read("v1", "last_refusal")
        blk0.set(reorder=0, held=0)
        assert stands("blk0", "v1") == ("user", "user", True)
        for _ in range(3):
            heads.pop(blk.queue.wait()[0])
        blk.flush()
        assert len(heads) == 1
        before = time.monotonic()
        dev.reset()
        assert 1.5 < time.monotonic() - before < 5 * SLOWER


def is_not_awaited_for_ever():
    """Six seconds in a minute: others wait for who waits."""
    forget()
    with Device(user_node("v1")) as dev:
        blk = Blk(dev)
        blk0.set(reorder=1, held=1)
        post_writes(blk, 2)
        blk.queue.kick()
        wait_for(lambda: blk.queue.used_index() == 1)
        took = []
        for _ in range(4):
            before = time.monotonic()
            with fails_with(errno.EBUSY):
                dev.suspend()
            took.append(time.monotonic() - before)
        before = time.monotonic()
        dev.reset()
        took.append(time.monotonic() - before)
        blk0.set(reorder=0, held=0)
        note(f"refused after {', '.join(f'{seconds:.1f}' for seconds in took)} s")
        assert all(1.5 < seconds for seconds in took[:3]) and all(seconds < 1 * SLOWER for seconds in took[3:]), took
    forget()


def blk_is_not_rung_for():
    """A guest that is stopped between a request and its doorbell, which the device waits for."""
    for way in "resume", "reset":
        with Device(user_node("v1")) as dev:
            blk = Blk(dev)
            # On the user's own rings it is done before the device rests, relayed afterwards.
            for number, done in (3, 3), (1, 3), (7, 4):
                heads = post_writes(blk, number)
                if way == "resume":
                    dev.suspend()
                    assert dev.get_vring_base(0) == done
                    dev.resume()
                else:
                    stop_and_go_on(dev, [blk.queue])
                assert sorted(blk.queue.wait()[0] for _ in heads) == sorted(heads)
            blk.exercise()


def blk_is_told():
    """Of what was done by a device that rests before it has interrupted. EVENT_IDX: the user wants to be told of
    the next, and of no other."""
    for way in "resume", "reset":
        with Device(user_node("v1")) as dev:
            blk = Blk(dev, features=EVENT_IDX)
            queue = blk.queue
            # used_event, behind the entries of the available ring.
            queue.mem.u16[(queue.driver + 4) // 2 + queue.size] = queue.avail_idx
            blk0.set(silent=1)
            try:
                head = blk.post_flush()
                queue.kick()
                wait_for(lambda: queue.used_index() == queue.avail_idx)
                assert not select.select([queue.call_fd], [], [], 0.1)[0]
                if way == "resume":
                    dev.suspend()
                    dev.resume()
                else:
                    stop_and_go_on(dev, [queue])
                assert select.select([queue.call_fd], [], [], 5 * SLOWER)[0]
                assert queue.wait()[0] == head
            finally:
                blk0.set(silent=0)


def blk_has_two_queues():
    """One of them relayed: what it has not answered does not excuse the other."""
    with Device(user_node("v1")) as dev:
        dev.start()
        mem = Memory(1 << 20).map(dev, 0x100000)
        dev.negotiate(USUAL | Blk.F_MQ)
        rings = [SplitQueue(dev, 0, 64, mem, base=7), SplitQueue(dev, 1, 64, mem)]
        for ring in rings:
            ring.enable()
        dev.run()
        head, status = mem.alloc(16), mem.alloc(1)
        mem.bytes[head:head + 16] = struct.pack("<IIQ", 4, 0, 0)
        blk0.set(held=2)
        for ring in rings:
            ring.post([(mem.iova + head, 16, READ), (mem.iova + status, 1, WRITE)])
            ring.kick()
        with fails_with(errno.EBUSY):
            dev.suspend()
        assert "queue 1 has" in vdpa_read("v1", "last_refusal"), vdpa_read("v1", "last_refusal")
        blk0.set(held=0)
        assert stands("blk0", "v1") == ("user", "user", True)


def blk_is_not_ready():
    """The hardware runs a queue all the same, and where it stands is said all the same."""
    for policy in "auto", "always":
        set_relay("v1", policy)
        with Device(user_node("v1")) as dev:
            blk = Blk(dev)
            for i in range(5):
                blk.write(8 * i, bytes([i + 1]) * 4096)
            dev.set_vring_enable(0, 0)
            dev.suspend()
            assert dev.get_vring_base(0) == blk.queue.used_index() == 5
            dev.set_vring_enable(0, 1)
            dev.resume()
            blk.flush()
            assert blk.queue.used_index() == 6
            blk.exercise()
    set_relay("v1", "auto")


def arp(net):
    net.arp(PEER, "10.9.0.2")


def net_rests():
    for text in "auto", "always":
        set_relay("v0", text)
        with Device(user_node("v0")) as dev:
            net = Net(dev)
            for _ in range(20):
                arp(net)
                dev.suspend()
                assert stands() == ("none", "suspended", False)
                positions = [dev.get_vring_base(queue) for queue in (0, 1)]
                assert positions == [net.rx.used_index(), net.tx.used_index()], positions
                assert set(to_do(net.rx, positions[0])) == set(net.buffers) and \
                    positions[1] == net.tx.avail_idx
                stop_and_go_on(dev, [net.rx, net.tx])
            # More answers than there are buffers.
            for _ in range(40):
                arp(net)
    set_relay("v0", "auto")


def read_only_available_ring():
    """What is under way could not be written there."""
    set_relay("v1", "always")
    with Device(user_node("v1")) as dev:
        dev.start()
        mem = Memory(1 << 20).map(dev, 0x100000)
        ring_mem = Memory(1 << 16).map(dev, 0x300000, RW)
        dev.negotiate(USUAL)
        queue = SplitQueue(dev, 0, 64, ring_mem)
        # The driver's part in a page of its own, which the device may only read.
        copy = Memory(PAGE).map(dev, 0x400000, RO)
        queue.mem.u16[(queue.driver + 2) // 2] = 0
        dev.set_vring_addr(0, ring_mem.iova + queue.desc, copy.iova, ring_mem.iova + queue.device)
        queue.enable()
        dev.run()
        blk0.set(held=1)
        mem.bytes[0:16] = struct.pack("<IIQ", 4, 0, 0)
        queue.post([(mem.iova, 16, READ), (mem.iova + 64, 1, WRITE)])
        copy.bytes[:PAGE] = ring_mem.bytes[queue.driver:queue.driver + PAGE]
        queue.kick()
        wait_for(lambda: int(blk0.queue(0)["avail"]) == 1)
        with fails_with(errno.EIO):
            dev.suspend()
        assert dev.get_status() & NEEDS_RESET
        assert "reading only" in vdpa_read("v1", "last_refusal"), vdpa_read("v1", "last_refusal")
        # And it is not said that nothing was done.
        for ask in dev.suspend, lambda: dev.get_vring_base(0):
            with fails_with(errno.EIO):
                ask()
        blk0.set(held=0)
    with Device(user_node("v1")) as dev:
        Blk(dev).exercise()
    set_relay("v1", "auto")


def may_not_be_relayed():
    """The hardware would begin at 0: with this policy nothing goes on, whenever it was set."""
    with Device(user_node("v1")) as dev:
        blk = Blk(dev)
        blk.flush()
        set_relay("v1", "never")
        dev.suspend()
        with fails_with(errno.EIO):
            dev.resume()
        assert dev.get_status() & NEEDS_RESET
        assert "cannot go on at 1" in vdpa_read("v1", "last_refusal"), vdpa_read("v1", "last_refusal")
        set_relay("v1", "auto")
        dev.reset()
        # A position from before the policy.
        dev.negotiate(dev.features)
        blk.queue.describe(1)
        blk.queue.enable()
        set_relay("v1", "never")
        dev.set_status(DRIVER_OK)
        assert dev.get_status() == FEATURES_OK | FAILED, dev.get_status()
    set_relay("v1", "auto")


def interrupts_go_past():
    """KVM may have a queue's interrupt exactly as long as it is one: C12."""
    # Before 6.17 vhost would ruin KVM's list if a queue were on it.
    may = not platform.release().startswith("6.12")

    def come(what, *wanted):
        with Trace("baton:baton_bypass") as trace:
            what()
        got = [int(line[-1]) for line in trace.lines("baton_bypass") if "queue=0" in line]
        assert got == [*wanted] * may, (what, got)

    with Device(user_node("v1")) as dev:
        blk = []
        come(lambda: blk.append(Blk(dev)), 1)
        come(lambda: dev.set_vring_call(0, blk[0].queue.call_fd), 0, 1)
        come(dev.suspend, 0)
        come(dev.resume, 1)
        come(dev.reset, 0)
        set_relay("v1", "always")
        come(lambda: stop_and_go_on(dev, [blk[0].queue]))
        come(dev.reset)
        set_relay("v1", "auto")
    # Deleted under an open user.
    with Device(user_node("v1")) as dev:
        Blk(dev).flush()
        come(lambda: sh("vdpa_del v1"), 0)
    wait_for(lambda: not (VDPA / "v1").exists())
    sh("vdpa_add v1 blk0")


def is_left():
    """Closed, reset, or reset by somebody else while it rests."""
    with Device(user_node("v1")) as dev:
        Blk(dev).flush()
        dev.suspend()
        dev.reset()
        assert stands("blk0", "v1") == ("none", "blocked", False)
    with Device(user_node("v1")) as dev:
        Blk(dev).flush()
        dev.suspend()
    assert stands("blk0", "v1") == ("none", "blocked", False)
    with Device(user_node("v1")) as dev:
        Blk(dev).flush()
        dev.suspend()
        flr("blk0")
        assert dev.get_status() & NEEDS_RESET
        for ask in dev.resume, lambda: dev.get_vring_base(0):
            with fails_with(errno.EIO):
                ask()
    vdpa_bind("v1", "virtio_vdpa")
    sh("disk_works /dev/$(vdpa_disk v1)")
    sh("vdpa_unbind v1")


def before_driver_ok():
    """Nothing runs, and nothing rests."""
    with Device(user_node("v1")) as dev:
        dev.start()
        dev.suspend()
        assert stands("blk0", "v1") == ("none", "blocked", False)


ktap_start(17)
sh("bind_baton net0; vdpa_add v0 net0; bind_baton blk0; vdpa_add v1 blk0")
netdev = peer_goes()
sh(f"ip -n peer address add {PEER}/24 dev {netdev}")

with case("what is there is offered: suspend to both, resume to the disk"):
    is_offered()
with case("before DRIVER_OK there is nothing to suspend"):
    before_driver_ok()
with case("blk: suspended and going on forty times"):
    blk_rests()
with case("blk, out of order: nothing is lost and nothing done twice"):
    blk_out_of_order(0)
with case("blk, out of order: over the wrap"):
    blk_out_of_order(0xfff8)
with case("blk, requests that nobody rang for: done before it rests"):
    blk_is_not_rung_for()
with case("blk, answered without an interrupt: told when it goes on"):
    blk_is_told()
with case("blk, not ready any more: its position is that of what was done"):
    blk_is_not_ready()
expect_log("suspend refused: queue 1 has requests that were not answered in")
with case("blk, two queues: each is waited for"):
    blk_has_two_queues()
expect_log("suspend refused: queue 0 has requests that were not answered in")
with case("blk, slow, on its user's own rings: it runs on; a reset waits two seconds"):
    blk_is_slow()
with case("blk, who has it wait again and again is not waited for any more"):
    is_not_awaited_for_ever()
with case("net: suspended and going on forty times, with each receive buffer"):
    net_rests()
expect_log("queue 0 cannot go on later: requests are under way")
expect_log("suspend refused: the function is suspended and has to be reset first")
with case("an available ring that may only be read is not written"):
    read_only_available_ring()
expect_log("queue 0 cannot go on at 1: it is not relayed")
with case("nothing goes on where nothing may be relayed"):
    may_not_be_relayed()
with case("an interrupt is KVM's to have exactly as long as it is one"):
    interrupts_go_past()
expect_log("was reset under its consumer")
with case("suspended, and reset, closed, or reset by others"):
    is_left()
with case("and it works for the next"):
    with Device(user_node("v0")) as net_dev:
        arp(Net(net_dev))
ktap_finish()
