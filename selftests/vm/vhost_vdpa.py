#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A user of /dev/vhost-vdpa-N: a driver for virtio devices in a few hundred lines.

Device, Memory, SplitQueue and PackedQueue are primitives: they do what they are told, right or
wrong, in any order, and raise OSError with the kernel's errno. setup() and the classes Net, Blk and
Crypto put them together as a well-behaved driver does:

    with Device(user_node("v0")) as dev:        # user_node: see lib.py
        Net(dev).arp()

    with Device(node) as dev:
        dev.start()                             # SET_OWNER and backend features
        mem = Memory(1 << 20).map(dev, 0x100000)
        dev.negotiate(VERSION_1 | ACCESS_PLATFORM)
        rx = SplitQueue(dev, 0, 64, mem)
        rx.enable()
        dev.set_status(DRIVER_OK)
        rx.post([(0xfee00000, 4096, WRITE)])    # a descriptor may point anywhere
        rx.kick()

As a program, for tests in bash: vhost_vdpa.py NODE [packed] [size=N] does what its class can do,
reading and writing (10.0.2.2's answer to ARP, blocks of a disk, AES), and fails if any goes wrong.
"""

import ctypes
import fcntl
import mmap
import os
import select
import struct
import sys
import time

PAGE = mmap.PAGESIZE

# Device status (virtio 1.2, 2.1). What a driver usually writes comes cumulated.
ACKNOWLEDGE, DRIVER, S_DRIVER_OK, S_FEATURES_OK, NEEDS_RESET, FAILED = 1, 2, 4, 8, 64, 128
FEATURES_OK = ACKNOWLEDGE | DRIVER | S_FEATURES_OK
DRIVER_OK = FEATURES_OK | S_DRIVER_OK

# Features
EVENT_IDX = 1 << 29
VERSION_1 = 1 << 32
ACCESS_PLATFORM = 1 << 33
RING_PACKED = 1 << 34
USUAL = VERSION_1 | ACCESS_PLATFORM

# Of the backend
ENABLE_AFTER_DRIVER_OK = 1 << 6

# Permissions of a mapping
RO, WO, RW = 1, 2, 3

# Device classes
NET, BLOCK, RNG, CRYPTO = 1, 2, 4, 20

# The first two blocks of NIST SP 800-38A, F.2.1 (CBC-AES128)
AES_KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
AES_IV = bytes(range(16))
AES_PLAIN = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
AES_SECRET = bytes.fromhex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2")

READ, WRITE = False, True       # what the device does with a buffer: third field of a descriptor


class Device:
    """An open vhost-vdpa node; every method is one system call unless it says otherwise."""

    def __init__(self, node):
        self.fd = os.open(node, os.O_RDWR | os.O_CLOEXEC)
        self.features = 0       # negotiated
        self.eventfds = []      # its queues'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for fd in [self.fd, *self.eventfds] if self.fd >= 0 else []:
            os.close(fd)
        self.fd, self.eventfds = -1, []

    def ioctl(self, direction, number, form="", *values):
        """Direction 0 none, 1 write, 2 read, 3 both; return what the kernel left in the buffer."""
        buf = bytearray(struct.pack(form, *values) if values else struct.calcsize(form))
        fcntl.ioctl(self.fd, direction << 30 | len(buf) << 16 | 0xaf << 8 | number, buf)
        return struct.unpack(form, buf)

    def get(self, number, form):
        return self.ioctl(2, number, form)[0]

    def set_owner(self): self.ioctl(0, 0x01)
    def get_features(self): return self.get(0x00, "Q")
    def get_backend_features(self): return self.get(0x26, "Q")
    def set_backend_features(self, features): self.ioctl(1, 0x25, "Q", features)
    def get_device_id(self): return self.get(0x70, "I")
    def get_status(self): return self.get(0x71, "B")
    def set_status(self, status): self.ioctl(1, 0x72, "B", status)
    def reset(self): self.set_status(0)
    def get_vring_num(self): return self.get(0x76, "H")
    def set_config_call(self, fd): self.ioctl(1, 0x77, "i", fd)
    def get_iova_range(self): return self.ioctl(2, 0x78, "QQ")
    def get_config_size(self): return self.get(0x79, "I")
    def get_as_num(self): return self.get(0x7a, "I")
    def get_vring_group(self, index): return self.ioctl(3, 0x7b, "II", index, 0)[1]
    def set_group_asid(self, group, asid): self.ioctl(1, 0x7c, "II", group, asid)
    def suspend(self): self.ioctl(0, 0x7d)
    def resume(self): self.ioctl(0, 0x7e)
    def get_vqs_count(self): return self.get(0x80, "I")
    def get_group_num(self): return self.get(0x81, "I")
    def get_vring_size(self, index): return self.ioctl(3, 0x82, "II", index, 0)[1]

    def set_features(self, features):
        self.ioctl(1, 0x00, "Q", features)
        self.features = features

    def get_config(self, offset, length):
        buf = bytearray(struct.pack("II", offset, length) + bytes(length))
        fcntl.ioctl(self.fd, 2 << 30 | 8 << 16 | 0xaf << 8 | 0x73, buf)
        return bytes(buf[8:])

    def set_config(self, offset, data):
        buf = bytearray(struct.pack("II", offset, len(data)) + data)
        fcntl.ioctl(self.fd, 1 << 30 | 8 << 16 | 0xaf << 8 | 0x74, buf)

    def set_vring_num(self, index, num): self.ioctl(1, 0x10, "II", index, num)
    def set_vring_base(self, index, num): self.ioctl(1, 0x12, "II", index, num)
    def get_vring_base(self, index): return self.ioctl(3, 0x12, "II", index, 0)[1]
    def set_vring_kick(self, index, fd): self.ioctl(1, 0x20, "Ii", index, fd)
    def set_vring_call(self, index, fd): self.ioctl(1, 0x21, "Ii", index, fd)
    def set_vring_enable(self, index, on=1): self.ioctl(1, 0x75, "II", index, on)

    def set_vring_addr(self, index, desc, driver, device):
        self.ioctl(1, 0x11, "IIQQQQ", index, 0, desc, device, driver, 0)

    def iotlb(self, kind, iova=0, size=0, address=0, perm=0, asid=0):
        """One IOTLB message, version 2."""
        os.write(self.fd, struct.pack("IIQQQBB38x", 2, asid, iova, size, address, perm, kind))

    def map(self, iova, size, address, perm=RW, asid=0):
        self.iotlb(2, iova, size, address, perm, asid)

    def unmap(self, iova, size, asid=0):
        self.iotlb(3, iova, size, asid=asid)

    def batch_begin(self, asid=0): self.iotlb(5, asid=asid)
    def batch_end(self, asid=0): self.iotlb(6, asid=asid)

    def start(self):
        """Become the owner, and take what there is of backend features (message version 2, batches,
        ASID), without which nothing can be mapped."""
        self.set_owner()
        self.set_backend_features(self.get_backend_features() & 0xe)

    def negotiate(self, features):
        """Up to FEATURES_OK, as the specification has it."""
        self.set_status(ACKNOWLEDGE)
        self.set_status(ACKNOWLEDGE | DRIVER)
        self.set_features(features)
        self.set_status(FEATURES_OK)
        if self.get_status() != FEATURES_OK:
            raise ValueError(f"features {features:#x} refused: status {self.get_status():#x}")

    def run(self):
        """DRIVER_OK, and see that it took."""
        self.set_status(DRIVER_OK)
        if self.get_status() != DRIVER_OK:
            raise ValueError(f"DRIVER_OK refused: status {self.get_status():#x}")


class Memory:
    """Anonymous memory, and a simple allocator for parts of it."""

    def __init__(self, size):
        self.size = size
        self.bytes = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        first = ctypes.c_char.from_buffer(self.bytes)
        self.address = ctypes.addressof(first)
        del first
        # Fields of rings must be written in one go: struct.pack_into() would do it bytewise.
        self.u16 = memoryview(self.bytes).cast("H")
        self.u32 = memoryview(self.bytes).cast("I")
        self.u64 = memoryview(self.bytes).cast("Q")
        self.iova = None
        self.used = 0

    def map(self, dev, iova, perm=RW):
        dev.map(iova, self.size, self.address, perm)
        self.iova = iova
        return self

    def alloc(self, size, align=64):
        """Offset of a part that nobody else uses."""
        offset = (self.used + align - 1) & -align
        if offset + size > self.size:
            raise MemoryError("this Memory is too small")
        self.used = offset + size
        return offset

    def free(self):
        """Give the memory back to the kernel; mapped for the device or not."""
        for view in self.u16, self.u32, self.u64:
            view.release()
        self.bytes.close()


class Queue:
    """What both kinds of ring have in common. The parts of the ring are at the offsets desc, driver
    and device of the memory."""

    def __init__(self, dev, index, size, mem, desc_len, driver_len, device_len, base):
        self.dev, self.index, self.size, self.mem = dev, index, size, mem
        self.desc = mem.alloc(desc_len, PAGE)
        self.driver = mem.alloc(driver_len)
        # Elements of a used ring must not cross a page here: with an IOMMU, QEMU (up to 11.1 at least)
        # writes the second half to some other memory.
        self.device = mem.alloc(device_len + 4) + 4
        self.kick_fd = os.eventfd(0, os.EFD_CLOEXEC)
        self.call_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        dev.eventfds += [self.kick_fd, self.call_fd]
        self.calls = 0          # interrupts that came
        self.describe(base)

    def describe(self, base):
        """Tell the device all there is to know of it; again after a reset."""
        self.dev.set_vring_num(self.index, self.size)
        self.dev.set_vring_base(self.index, base)
        self.dev.set_vring_addr(self.index, self.mem.iova + self.desc,
                                self.mem.iova + self.driver, self.mem.iova + self.device)
        self.dev.set_vring_kick(self.index, self.kick_fd)
        self.dev.set_vring_call(self.index, self.call_fd)

    def enable(self):
        self.dev.set_vring_enable(self.index)

    def kick(self):
        os.eventfd_write(self.kick_fd, 1)

    def wait(self, seconds=5, poll=False):
        """The next used buffer as (id, length); TimeoutError if none comes. Waits for the queue's
        interrupt, unless it is to poll."""
        deadline = time.monotonic() + seconds
        while (used := self.used()) is None:
            left = deadline - time.monotonic()
            if left < 0:
                raise TimeoutError(f"queue {self.index}: nothing came back within {seconds} s")
            if not poll and select.select([self.call_fd], [], [], left)[0]:
                self.calls += os.eventfd_read(self.call_fd)
        return used

    def request(self, *buffers, seconds=5):
        """Post buffers, kick, wait; return the length that the device says it has written."""
        head = self.post(buffers)
        self.kick()
        used, length = self.wait(seconds)
        if used != head:
            raise ValueError(f"queue {self.index}: posted buffer {head}, got {used} back")
        return length


class SplitQueue(Queue):
    """virtio 1.2, 2.7. With a base, both rings stand there already."""

    def __init__(self, dev, index, size, mem, base=0):
        super().__init__(dev, index, size, mem, 16 * size, 6 + 2 * size, 6 + 8 * size, base)
        self.free = list(range(size))
        self.chains = {}
        self.avail_idx = self.used_idx = base
        mem.u16[(self.driver + 2) // 2] = mem.u16[(self.device + 2) // 2] = base

    def post(self, buffers):
        """Make a chain of (IOVA, length, WRITE or READ) available; return its head."""
        chain = [self.free.pop() for _ in buffers]
        for i, (addr, length, write) in enumerate(buffers):
            last = i == len(chain) - 1
            at = self.desc + 16 * chain[i]
            self.mem.bytes[at:at + 16] = struct.pack(
                "<QIHH", addr, length, 2 * write | (not last), 0 if last else chain[i + 1])
        self.chains[chain[0]] = chain
        self.mem.u16[(self.driver + 4) // 2 + self.avail_idx % self.size] = chain[0]
        self.avail_idx = (self.avail_idx + 1) & 0xffff
        self.mem.u16[(self.driver + 2) // 2] = self.avail_idx
        return chain[0]

    def used_index(self):
        """As the device has it: where a device after it goes on."""
        return self.mem.u16[(self.device + 2) // 2]

    def used(self):
        if self.used_index() == self.used_idx:
            return None
        at = (self.device + 4) // 4 + 2 * (self.used_idx % self.size)
        head, length = self.mem.u32[at], self.mem.u32[at + 1]
        self.used_idx = (self.used_idx + 1) & 0xffff
        self.free += self.chains.pop(head)
        return head, length


class PackedQueue(Queue):
    """virtio 1.2, 2.8."""

    def __init__(self, dev, index, size, mem):
        # Both wrap counters start at 1, both indices at 0.
        super().__init__(dev, index, size, mem, 16 * size, 4, 4, 0x80008000)
        self.ids = list(range(size))
        self.lengths = {}
        self.next_avail = self.next_used = 0    # never wrap: position and lap are derived

    def flags(self, position):
        """AVAIL and USED bits of a descriptor made available there (bits 7 and 15)."""
        return 0x0080 if position // self.size % 2 == 0 else 0x8000

    def post(self, buffers):
        """As SplitQueue.post(), in ring order; return the buffer id."""
        if self.next_avail + len(buffers) > self.next_used + self.size:
            raise IndexError("the ring is full")
        buffer_id = self.ids.pop()
        self.lengths[buffer_id] = len(buffers)
        first_flags = None
        for i, (addr, length, write) in enumerate(buffers):
            position = self.next_avail + i
            at = self.desc + 16 * (position % self.size)
            flags = self.flags(position) | 2 * write | (i < len(buffers) - 1)
            self.mem.bytes[at:at + 14] = struct.pack("<QIH", addr, length, buffer_id)
            if i == 0:
                first_flags = at + 14, flags
            else:
                self.mem.u16[(at + 14) // 2] = flags
        # The first descriptor's flags last: they make the whole chain available.
        self.mem.u16[first_flags[0] // 2] = first_flags[1]
        self.next_avail += len(buffers)
        return buffer_id

    def used(self):
        at = self.desc + 16 * (self.next_used % self.size)
        both = 0x8080
        wanted = both if self.next_used // self.size % 2 == 0 else 0
        if self.next_used == self.next_avail or self.mem.u16[(at + 14) // 2] & both != wanted:
            return None
        _, length, buffer_id = struct.unpack_from("<QIH", self.mem.bytes, at)
        self.next_used += self.lengths.pop(buffer_id)
        self.ids.append(buffer_id)
        return buffer_id, length


def setup(dev, queues, size=64, features=0, iova=0x100000, memory=1 << 20, base=0):
    """From a device that was just opened to one that runs with that many queues; return its mapped
    memory and the queues. Features are added to those that always have to be taken. Split queues can
    begin at another base than 0."""
    dev.start()
    mem = Memory(memory).map(dev, iova)
    dev.negotiate(USUAL | features)
    kind = PackedQueue if features & RING_PACKED else SplitQueue
    at = {"base": base} if base else {}
    rings = [kind(dev, index, min(size, dev.get_vring_size(index)), mem, **at)
             for index in range(queues)]
    for ring in rings:
        ring.enable()
    dev.run()
    return mem, rings


def stop_and_go_on(dev, rings):
    """As QEMU does: reset, and the same split rings again from where the used ring stands."""
    dev.reset()
    dev.negotiate(dev.features)
    for ring in rings:
        ring.describe(ring.used_index())
        ring.enable()
    dev.run()
    for ring in rings:
        ring.kick()


class Net:
    """A net device with one queue pair and receive buffers posted."""

    BUFFER = 2048
    HEADER = 12

    def __init__(self, dev, buffers=16, **how):
        self.mac = dev.get_config(0, 6)
        self.mem, (self.rx, self.tx) = setup(dev, 2, **how)
        self.buffers = {}       # id in the ring: offset in memory
        for _ in range(buffers):
            self.give(self.mem.alloc(self.BUFFER))
        self.rx.kick()
        self.out = self.mem.alloc(self.BUFFER)

    def give(self, offset):
        self.buffers[self.rx.post([(self.mem.iova + offset, self.BUFFER, WRITE)])] = offset

    def send(self, frame):
        packet = bytes(self.HEADER) + frame.ljust(60, b"\0")
        self.mem.bytes[self.out:self.out + len(packet)] = packet
        self.tx.request((self.mem.iova + self.out, len(packet), READ))

    def receive(self, seconds=5):
        """The next frame; its buffer is given to the device again."""
        used, length = self.rx.wait(seconds)
        offset = self.buffers.pop(used)
        frame = self.mem.bytes[offset + self.HEADER:offset + length]
        self.give(offset)
        self.rx.kick()
        return frame

    def arp(self, target="10.0.2.2", source="10.0.2.15", seconds=5):
        """Ask for the MAC address of an IP address; return it."""
        src, dst = (bytes(map(int, ip.split("."))) for ip in (source, target))
        self.send(b"\xff" * 6 + self.mac + struct.pack(">HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
                  + self.mac + src + bytes(6) + dst)
        deadline = time.monotonic() + seconds
        while True:
            frame = self.receive(max(0, deadline - time.monotonic()))
            if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\x02" and frame[28:32] == dst:
                return frame[22:28]

    def exercise(self):
        """More requests than the ring has entries."""
        for _ in range(2 * self.tx.size + 1):
            self.arp()


class Blk:
    """A blk device; with more queues than one they are used in turn."""

    F_MQ = 1 << 12

    def __init__(self, dev, queues=1, features=0, **how):
        self.sectors = struct.unpack("<Q", dev.get_config(0, 8))[0]
        self.mem, self.queues = setup(dev, queues, features=features | self.F_MQ * (queues > 1),
                                      **how)
        self.queue = self.queues[0]
        self.head = self.mem.alloc(16)
        self.status = self.mem.alloc(1)
        self.data = self.mem.alloc(65536, PAGE)

    def request(self, kind, sector=0, length=0, write=READ):
        """One request of any kind with its data at self.data; return the status byte."""
        base = self.mem.iova
        self.mem.bytes[self.head:self.head + 16] = struct.pack("<IIQ", kind, 0, sector)
        self.mem.bytes[self.status] = 0xff
        data = [(base + self.data, length, write)] if length else []
        self.queue.request((base + self.head, 16, READ), *data, (base + self.status, 1, WRITE))
        return self.mem.bytes[self.status]

    def read(self, sector, length):
        self.check(self.request(0, sector, length, WRITE))
        return self.mem.bytes[self.data:self.data + length]

    def write(self, sector, data):
        self.mem.bytes[self.data:self.data + len(data)] = data
        self.check(self.request(1, sector, len(data), READ))

    def flush(self):
        self.check(self.request(4))

    def post_flush(self):
        """Of one queue, and nobody rings for it yet; its head."""
        base = self.mem.iova
        self.mem.bytes[self.head:self.head + 16] = struct.pack("<IIQ", 4, 0, 0)
        self.mem.bytes[self.status] = 0xff
        return self.queue.post([(base + self.head, 16, READ), (base + self.status, 1, WRITE)])

    def get_id(self):
        self.check(self.request(8, 0, 20, WRITE))
        return self.mem.bytes[self.data:self.data + 20].rstrip(b"\0").decode()

    @staticmethod
    def check(status):
        if status:
            raise ValueError(f"the disk answers with status {status}")

    def exercise(self):
        """More requests than the ring has entries, and what was written is read back."""
        pattern = os.urandom(4096)
        rounds = self.queue.size + 1
        for i in range(rounds):
            self.queue = self.queues[i % len(self.queues)]
            self.write(8 * i % self.sectors, pattern[i % 4096:] + pattern[:i % 4096])
        self.flush()
        for i in range(rounds):
            if self.read(8 * i % self.sectors, 4096) != pattern[i % 4096:] + pattern[:i % 4096]:
                raise ValueError(f"sector {8 * i}: read something else than was written")


class Crypto:
    """A crypto device with one data queue and the control queue, which comes last."""

    AES_CBC = 3

    def __init__(self, dev, **how):
        queues = struct.unpack("<I", dev.get_config(4, 4))[0]
        self.mem, rings = setup(dev, queues + 1, **how)
        self.queue, self.ctrl = rings[0], rings[-1]
        self.buf = self.mem.alloc(4 * PAGE, PAGE)

    def place(self, *parts):
        """Put bytes (for the device to read) and lengths (to write) behind each other in memory;
        return their descriptors and offsets."""
        at, descs, offsets = self.buf, [], []
        for part in parts:
            length = part if isinstance(part, int) else len(part)
            if not isinstance(part, int):
                self.mem.bytes[at:at + length] = part
            descs.append((self.mem.iova + at, length, WRITE if isinstance(part, int) else READ))
            offsets.append(at)
            at += (length + 63) & -64
        return descs, offsets

    def session(self, key, encrypt=True):
        request = struct.pack("<4I4I32xII", 0x0002, self.AES_CBC, 0, 0,
                              self.AES_CBC, len(key), 1 if encrypt else 2, 0, 1, 0)
        descs, offsets = self.place(request, key, 16)
        self.ctrl.request(*descs)
        number, status = struct.unpack_from("<QI", self.mem.bytes, offsets[2])
        if status:
            raise ValueError(f"no session: status {status}")
        return number

    def crypt(self, session, iv, data, encrypt=True):
        request = struct.pack("<IIQII4I24xII", 0 if encrypt else 1, self.AES_CBC, session, 0, 0,
                              len(iv), len(data), len(data), 0, 1, 0)
        descs, offsets = self.place(request, iv, data, len(data), 1)
        self.mem.bytes[offsets[4]] = 0xff
        self.queue.request(*descs)
        if self.mem.bytes[offsets[4]]:
            raise ValueError(f"the request failed: status {self.mem.bytes[offsets[4]]}")
        return self.mem.bytes[offsets[3]:offsets[3] + len(data)]

    def exercise(self):
        encrypt, decrypt = self.session(AES_KEY), self.session(AES_KEY, False)
        for _ in range(self.queue.size):
            if self.crypt(encrypt, AES_IV, AES_PLAIN) != AES_SECRET:
                raise ValueError("encrypted to something else than the standard says")
            if self.crypt(decrypt, AES_IV, AES_SECRET, False) != AES_PLAIN:
                raise ValueError("decrypted to something else than was encrypted")


class Rng:
    """An entropy device."""

    def __init__(self, dev, **how):
        self.mem, (self.queue,) = setup(dev, 1, **how)
        self.data = self.mem.alloc(64)

    def exercise(self):
        seen = set()
        for _ in range(4):
            got = self.queue.request((self.mem.iova + self.data, 64, WRITE))
            assert 0 < got <= 64, got
            seen.add(self.mem.bytes[self.data:self.data + got])
        assert len(seen) == 4, "the same again"


CLASSES = {NET: Net, BLOCK: Blk, CRYPTO: Crypto, RNG: Rng}


def exercise(node, **how):
    """Traffic by the class of the device."""
    with Device(node) as dev:
        CLASSES[dev.get_device_id()](dev, **how).exercise()


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    how = {"features": RING_PACKED} if "packed" in sys.argv[2:] else {}
    how |= {key: int(value) for key, _, value in (arg.partition("=") for arg in sys.argv[2:])
            if value}
    exercise(sys.argv[1], **how)


if __name__ == "__main__":
    main()
