# SPDX-License-Identifier: GPL-2.0-only
"""A user of a network function who has a control queue, well-behaved or not."""

import select

from lib import *
from vhost_vdpa import *

DATA_IOVA, CONTROL_IOVA = 0x100000, 0x800000
OK, ERR = 0, 1
NEXT, INDIRECT = 1, 4
QUEUE, SIZE = 4, 16             # the control queue: after two queue pairs
RX, MAC, VLAN, ANNOUNCE, PAIRS, OFFLOADS, COAL = range(7)
le16 = struct.Struct("<H").pack


def table(*lists):
    """The data of a command that sets address tables."""
    return b"".join(struct.pack("<I", len(macs)) + b"".join(macs) for macs in lists)


def set_policy(words):
    """Of v0, for its next owner."""
    (VDPA / "v0" / "baton" / "policy").write_text(words)


class Owner:
    """A user with data queues and a control queue, up to DRIVER_OK."""

    def __init__(self, dev, asid=0, without=0):
        self.dev = dev
        dev.start()
        self.mem = Memory(1 << 20).map(dev, DATA_IOVA)
        self.control = Memory(1 << 18)
        # In an address space of its own it may well have the same addresses.
        self.asid, self.control.iova = asid, DATA_IOVA if asid else CONTROL_IOVA
        dev.set_group_asid(1, asid)
        dev.map(self.control.iova, self.control.size, self.control.address, RW, asid)
        dev.negotiate(dev.get_features() & ~without)
        # The control queue is the last one.
        data_queues = dev.get_vqs_count() - 1
        self.queue = SplitQueue(dev, data_queues, SIZE, self.control)
        self.rings = [SplitQueue(dev, n, 64, self.mem) for n in range(data_queues)]
        self.told = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        dev.eventfds.append(self.told)
        dev.set_config_call(self.told)
        self.out = self.control.alloc(16384, PAGE)
        self.ack = self.control.alloc(64)

    def run(self):
        for ring in [self.queue, *self.rings]:
            ring.enable()
        self.dev.run()
        return self

    def command(self, kind, number, data=b"", parts=1):
        """One command, its bytes in that many buffers; return the answer."""
        command = bytes([kind, number]) + data
        self.control.bytes[self.out:self.out + len(command)] = command
        self.control.bytes[self.ack] = 0xff
        step = -(-len(command) // parts)
        base = self.control.iova
        buffers = [(base + self.out + at, min(step, len(command) - at), READ)
                   for at in range(0, len(command), step)]
        self.queue.request(*buffers, (base + self.ack, 1, WRITE))
        return self.control.bytes[self.ack]

    # By hand, for rings that make no sense

    def desc(self, number, addr, length, flags=0, follows=0, table=None):
        at = (self.queue.desc if table is None else table) + 16 * number
        self.control.bytes[at:at + 16] = struct.pack("<QIHH", addr, length, flags, follows)

    def offer(self, head, ahead=1):
        """Make a chain available, and the index go that far ahead; return the index before that of
        the used ring."""
        queue, mem = self.queue, self.control
        used = mem.u16[(queue.device + 2) // 2]
        mem.u16[(queue.driver + 4) // 2 + queue.avail_idx % queue.size] = head
        queue.avail_idx = (queue.avail_idx + ahead) & 0xffff
        mem.u16[(queue.driver + 2) // 2] = queue.avail_idx
        queue.kick()
        return used

    def answered(self, head, answer=ERR):
        """The chain comes back, with this answer (None: there is no room for one)."""
        self.control.bytes[self.ack] = 0xff
        used = self.offer(head)
        wait_for(lambda: self.control.u16[(self.queue.device + 2) // 2] == (used + 1) & 0xffff)
        got = self.control.bytes[self.ack]
        assert got == (0xff if answer is None else answer), f"answer {got:#x}"
        assert not self.dev.get_status() & NEEDS_RESET
        self.queue.used_idx += 1

    def served(self):
        """All that was made available has come back, or never will."""
        used = self.control.u16[(self.queue.device + 2) // 2]
        return used == self.queue.avail_idx or self.dev.get_status() & NEEDS_RESET

    def loses(self):
        """It is told that it has to reset."""
        wait_for(lambda: self.dev.get_status() & NEEDS_RESET)
        wait_for(lambda: select.select([self.told], [], [], 0)[0])
        assert os.eventfd_read(self.told) >= 1
