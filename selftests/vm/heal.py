#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C14, a queue that was relayed goes back to its owner's own rings, and nothing is lost or done twice:
# on hardware that is slow to answer, that fills receive buffers while it resets their queue, and that
# does not reset a queue at all. (That it goes well with QEMU's functions: relay.py.)
#
#   peer0 --- hub --- net0 (selftests/model) --- baton_pci --- v0 --- vhost_vdpa --- a client of our own
#                     blk0 (selftests/model) --- baton_pci --- v1 --- vhost_vdpa --- another
#
# shares: its VM
# topology: model
# timeout: 100
from lib import *
from model import *
from vhost_vdpa import *

net0, blk0 = Model("net0"), Model("blk0")
SEND = """
import itertools, socket, struct, sys
number = itertools.count()
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
    s.bind((sys.argv[1], 0))
    for line in sys.stdin:
        for _ in range(int(line)):
            s.send(b"\\xff" * 6 + b"\\x02" + bytes(4) + b"\\x01" + struct.pack(">HH", 0x88b5, next(number)) + bytes(60))
"""


class Peer:
    """Sends numbered frames, when told to."""

    def __enter__(self):
        self.process = subprocess.Popen(["ip", "netns", "exec", "peer", "python3", "-c", SEND, netdev],
                                        stdin=subprocess.PIPE, text=True)
        return self

    def send(self, number):
        print(number, file=self.process.stdin, flush=True)

    def __exit__(self, *_):
        self.process.stdin.close()
        assert not self.process.wait()


def comes(net, *numbers):
    """These frames, each once, and no other."""
    got, deadline = [], time.monotonic() + 10 * SLOWER
    while len(got) < len(numbers):
        frame = net.receive(max(0, deadline - time.monotonic()))
        if frame[12:14] == b"\x88\xb5":
            got.append(struct.unpack_from(">H", frame, 14)[0])
    assert tuple(got) == numbers, got


def healed(trace):
    return [tuple(map(int, re.findall(r"=(\d+)", line))) for line in trace.lines("baton_heal")]


def blk_is_slow():
    """Who waits beyond the wrap does not wait for long, and the queue is relayed as before."""
    with Device(user_node("v1")) as dev, Trace("baton:baton_heal") as trace:
        blk = Blk(dev, base=0xfffe)
        blk0.set(delay_ms=400)
        before = time.monotonic()
        heads = [blk.post_flush() for _ in range(6)]
        blk.queue.kick()
        assert [blk.queue.wait()[0] for _ in heads] == heads
        # All of them in one go: four waited for 50 ms, and not for the other two.
        assert 0.4 <= time.monotonic() - before < 0.75 * SLOWER
        blk0.set(delay_ms=0)
        assert not healed(trace)
        blk.exercise()
        stop_and_go_on(dev, blk.queues)
        blk.flush()


def blk_heals():
    """Answered out of order."""
    with Device(user_node("v1")) as dev, Trace("baton:baton_heal") as trace:
        blk = Blk(dev, base=0xfff8)
        blk0.set(reorder=1)
        heads = [blk.post_flush() for _ in range(20)]
        blk.queue.kick()
        assert sorted(blk.queue.wait()[0] for _ in heads) == sorted(heads)
        assert healed(trace) == [(0, 0)]
        blk0.set(reorder=0)
        blk.exercise()


def net_heals():
    """A queue whose buffers are all under way. What comes at once may be told at once: up to the wrap first."""
    with Device(user_node("v0")) as dev, Trace("baton:baton_heal") as trace, Peer() as peer:
        net = Net(dev, base=0xfffa)
        peer.send(6)
        comes(net, *range(6))
        wait_for(lambda: healed(trace) == [(0, 0)])
        for first in range(6, 30, 8):
            peer.send(8)
            comes(net, *range(first, first + 8))
        assert healed(trace) == [(0, 0)]


def net_goes_on_filling():
    """More buffers come back than those up to the wrap: it is relayed again, from there."""
    net0.set(queue_reset_ms=500)
    with Device(user_node("v0")) as dev, Trace("baton:baton_heal") as trace, Peer() as peer:
        net = Net(dev, base=0xfffe)
        peer.send(2)
        wait_for(lambda: net0.queue(0)["resetting"] == "1")
        peer.send(8)
        comes(net, *range(10))
        ((queue, position),) = wait_for(lambda: healed(trace))
        assert queue == 0 and 1 <= position <= 8, position
        stop_and_go_on(dev, [net.rx, net.tx])
        peer.send(3)
        comes(net, *range(10, 13))
    net0.set(queue_reset_ms=0)


def never_ends():
    """A queue that is not reset: the owner has to reset, and nothing reaches it any more."""
    blk0.set(queue_reset_ms=60000)
    with Device(user_node("v1")) as dev:
        blk = Blk(dev, base=0xffff)
        blk.flush()
        wait_for(lambda: dev.get_status() & NEEDS_RESET, 10)
        assert stands("blk0", "v1") == ("user", "lost", False)
        assert "did not reset queue 0" in vdpa_read("v1", "last_refusal"), vdpa_read("v1", "last_refusal")
    blk0.set(queue_reset_ms=0)
    with Device(user_node("v1")) as dev:
        Blk(dev).exercise()


def goes_meanwhile():
    """Its owner resets the device, or closes it, when it is about to heal."""
    for _ in range(10):
        for way in "reset", "close":
            with Device(user_node("v1")) as dev:
                blk = Blk(dev, base=0xffff)
                blk.post_flush()
                blk.queue.kick()
                if way == "reset":
                    dev.reset()
    with Device(user_node("v1")) as dev:
        Blk(dev).exercise()


ktap_start(6)
sh("bind_baton net0; vdpa_add v0 net0; bind_baton blk0; vdpa_add v1 blk0")
netdev = peer_goes()
# Nothing is to come but what was told to be sent: each frame counts.
sh(f"ip netns exec peer sh -c 'f=/proc/sys/net/ipv6/conf/{netdev}/disable_ipv6; [ ! -e $f ] || echo 1 >$f'")

with case("blk: slow at the wrap: it stays relayed"):
    blk_is_slow()
with case("blk: out of order at the wrap: it heals"):
    blk_heals()
with case("net: its receive buffers go back with the queue"):
    net_heals()
with case("net: buffers are filled while the queue is reset: none is lost, it is relayed again"):
    net_goes_on_filling()
expect_log("the device did not reset queue 0: -ETIMEDOUT")
with case("a queue that cannot be reset: its owner has to"):
    never_ends()
with case("the owner goes when it is about to heal"):
    goes_meanwhile()
ktap_finish()
