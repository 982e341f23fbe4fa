#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Write what selftests/fuzz/model.c begins with: a driver that brings a function up and uses it, and
some that make a mistake. usage: model_seeds.py DIRECTORY"""

import pathlib
import struct
import sys

BASE = 0x100000
DESC, AVAIL, USED, DATA = 0, 0x1000, 0x2000, 0x4000
MESSAGE, RAM, FRAME, TIME, COMMAND, WORK = range(6)
NET, BLK = 0, 1
PACKED, IN_ORDER, EVENT_IDX = 1 << 34, 1 << 35, 1 << 29
USUAL = 3 << 32


def step(what, data=b""):
    return struct.pack("<BH", what, len(data)) + data


def message(command, body, flags=0):
    return step(MESSAGE, struct.pack("<HHIII", 1, command, 16 + len(body), flags, 0) + body)


def write(region, offset, value, width):
    return message(10, struct.pack("<QII", offset, region, width) + value.to_bytes(width, "little"))


def read(region, offset, width):
    return message(9, struct.pack("<QII", offset, region, width))


def ram(offset, data):
    return step(RAM, struct.pack("<H", offset) + data)


def desc(addr, length, flags, following):
    return struct.pack("<QIHH", BASE + addr, length, flags, following)


def up(features, queues):
    out = [write(7, 4, 6, 2), write(0, 20, 0, 1), write(0, 20, 3, 1)]
    for half in range(2):
        out += [write(0, 8, half, 4), write(0, 12, features >> 32 * half & 0xffffffff, 4)]
    out.append(write(0, 20, 11, 1))
    for queue in queues:
        out += [write(0, 22, queue, 2), write(0, 24, 16, 2), write(0, 26, queue + 1, 2),
                write(0, 32, BASE + DESC, 8), write(0, 40, BASE + AVAIL, 8),
                write(0, 48, BASE + USED, 8), write(0, 28, 1, 2)]
    return b"".join(out) + write(0, 20, 15, 1)


def split(queue, chain, idx=1):
    """A chain of (address, length, writable), made available and announced."""
    table = b"".join(desc(addr, length, 2 * wr | (i < len(chain) - 1), i + 1)
                     for i, (addr, length, wr) in enumerate(chain))
    return ram(DESC, table) + ram(AVAIL, struct.pack("<HHH", 0, idx, 0)) + \
        write(2, 4096 * queue, queue, 2) + step(WORK)


def command(data):
    return ram(DATA, data) + split(2, [(DATA, len(data), 0), (DATA + 0x1000, 1, 1)])


ALL_NET = USUAL | 1 << 5 | 1 << 15 | 1 << 16 | 0xf << 17 | 1 << 23 | 1 << 20
SEEDS = {
    "hello": message(1, b"\0\0\0\0{}\0") + message(4, struct.pack("<IIII", 16, 0, 0, 0))
    + b"".join(message(5, struct.pack("<IIIIQQ", 32, 0, i, 0, 0, 0)) for i in range(10))
    + b"".join(message(7, struct.pack("<IIII", 16, 0, i, 0)) for i in range(6))
    + message(8, struct.pack("<IIIII", 20, 36, 2, 0, 2)) + message(13, b""),
    "beyond": read(0, 0x3fff, 4096) + read(7, 4095, 32000) + read(7, 0, 200000),
    "registers": b"".join(read(0, i, 4) for i in range(0, 64, 4)) + read(0, 0x1000, 1)
    + read(0, 0x2000, 4) + write(0, 0x2000, 5, 1) + read(7, 0, 256),
    "promiscuous": up(ALL_NET, [2]) + command(b"\0\0\0"),
    "table": up(ALL_NET, [2]) + command(b"\1\0" + struct.pack("<I", 1) + bytes(6)
                                        + struct.pack("<I", 1) + bytes(6)),
    "long-table": up(ALL_NET, [2]) + command(b"\1\0" + struct.pack("<I", 150) + bytes(900)
                                             + struct.pack("<I", 180) + bytes(1080)),
    "vlan": up(ALL_NET, [2]) + command(b"\2\0\5\0"),
    "frames": up(ALL_NET, [0, 1]) + split(0, [(DATA, 2000, 1)])
    + step(FRAME, b"\xff" * 12 + b"\x81\0\0\5" + bytes(60)) + split(1, [(DATA, 100, 0)]),
    "events": up(ALL_NET | EVENT_IDX, [0]) + split(0, [(DATA, 2000, 1)]) + step(FRAME, bytes(60)),
    "in-order": up(ALL_NET | IN_ORDER, [2]) + command(b"\0\0\0") + command(b"\0\1\1"),
    "packed": up(ALL_NET | PACKED, [2])
    + ram(DESC, desc(DATA, 3, 0, 0x81) + desc(DATA + 64, 1, 0, 0x82)) + write(2, 8192, 2, 2)
    + step(WORK),
    "resets": up(ALL_NET | 1 << 40 | 1 << 43, [2]) + write(0, 22, 2, 2) + write(0, 58, 1, 2)
    + step(WORK) + write(0, 20, 0x1f, 1) + write(0, 20, 15, 1) + write(7, 0x48, 0x8000, 2)
    + step(TIME, bytes(10)) + write(0, 20, 0, 1) + step(TIME, bytes(10)),
    "told": step(COMMAND, b"write 0x100000 1 16") + step(COMMAND, b"read 0x100000 16")
    + step(COMMAND, b"state") + step(COMMAND, b"queue 1") + step(COMMAND, b"buffers 0")
    + step(COMMAND, b"config 6 0 2") + step(COMMAND, b"pci 64 1 4")
    + step(COMMAND, b"interrupt 1"),
}
BLK_SEEDS = {
    "disk-read": up(USUAL, [0]) + ram(DATA, bytes(16))
    + split(0, [(DATA, 16, 0), (DATA + 512, 512, 1), (DATA + 64, 1, 1)]),
    "disk-write": up(USUAL, [0]) + ram(DATA, b"\1" + bytes(15))
    + split(0, [(DATA, 16, 0), (DATA + 512, 512, 0), (DATA + 64, 1, 1)]),
    "disk-id": up(USUAL, [0]) + ram(DATA, b"\x08" + bytes(15))
    + split(0, [(DATA, 16, 0), (DATA + 512, 20, 1), (DATA + 64, 1, 1)]),
}


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for seeds, kind in ((SEEDS, NET), (BLK_SEEDS, BLK)):
        for name, data in seeds.items():
            (out / name).write_bytes(bytes([kind]) + data)
            (out / f"{name}-slow").write_bytes(bytes([kind | 0x3e]) + data)


main()
