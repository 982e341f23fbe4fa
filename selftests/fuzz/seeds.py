#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Write what the fuzzer begins with: one file a kind of owner (struct input of ring.c).

    seeds.py DIRECTORY
"""
import pathlib
import struct
import sys

BASE = 0x10000          # the first window, of 4096 bytes
DESC, AVAIL, USED, TABLE, DATA, REPLY = 0, 0x200, 0x300, 0x400, 0x500, 0xf00
NEXT, WRITE, INDIRECT = 1, 2, 4
EVENT_IDX, HAS_MAC, REWIND = 1, 2, 4
ALL = (1 << 64) - 1
MAC = bytes((0x52, 0x54, 0, 0, 0, 1))
OTHER = bytes((0x52, 0x54, 0, 0, 0, 2))
GROUP = bytes((0x33, 0x33, 0, 0, 0, 1))

COMMANDS = [
    b"\0\0\1", b"\0\1\0", b"\0\5\1",
    b"\1\0" + struct.pack("<I", 1) + MAC + struct.pack("<I", 1) + GROUP,
    b"\1\1" + MAC, b"\2\0\5\0", b"\3\0", b"\4\0\2\0",
    b"\4\1" + struct.pack("<IHHHHHB", 1, 1, 0, 0, 1, 2, 3) + b"key",
    b"\4\2" + bytes(12) + b"\2ke", b"\5\0" + bytes(8), b"\6\0" + bytes(8),
    b"\6\2\1\0" + bytes(10), b"\6\3\1\0\0\0",
]


def desc(address, length, flags=0, following=0):
    return struct.pack("<QIHH", address, length, flags, following)


def seed(table, available, changes=(), indirect=b"", data=b"", flags=HAS_MAC, may=15,
         next_index=0, features=ALL, chunk=10, reply=b""):
    """An owner with a ring of 32 entries that offers the descriptors `available`."""
    changes = list(changes) + [(0xffff, 0, 0)] * (8 - len(changes))
    header = struct.pack("<6BH3HHQ", 5, flags, 0xff, may, 0, chunk, next_index,
                         DESC, AVAIL, USED, 2, features)
    header += b"".join(struct.pack("<HHI", *change) for change in changes)
    heads = [0] * 32
    for nth, head in enumerate(available):
        heads[(next_index + nth) % 32] = head
    memory = bytearray(4096)
    for offset, part in (
            (DESC, b"".join(table)),
            (AVAIL, struct.pack("<HH32H", 0, (next_index + len(available)) & 0xffff, *heads)),
            (TABLE, indirect), (DATA, data), (REPLY, reply)):
        memory[offset:offset + len(part)] = part
    return header + bytes(memory)


def every_command(**more):
    table, data, heads = [], b"", []
    for command in COMMANDS:
        heads.append(len(table))
        table.append(desc(BASE + DATA + len(data), len(command), NEXT, len(table) + 1))
        table.append(desc(BASE + REPLY, 16, WRITE))
        data += command
    return seed(table, heads, data=data, **more)


def in_table(entries, length=None):
    return dict(table=[desc(BASE + TABLE, length or 16 * len(entries), INDIRECT)], available=[0],
                indirect=b"".join(entries), data=COMMANDS[4])


ANSWER = desc(BASE + REPLY, 1, WRITE)
MAC_DESC = desc(BASE + DATA, 8, NEXT, 1)

SEEDS = {
    "every-command": every_command(),
    "every-command-strict": every_command(may=0, flags=HAS_MAC | EVENT_IDX, chunk=0),
    "every-command-wrap": every_command(next_index=0xfff8),
    "other-address": seed([MAC_DESC, ANSWER], [0], data=b"\1\1" + OTHER, may=0),
    "own-65-times": seed([desc(BASE + DATA, 400, NEXT, 1), ANSWER], [0], may=0,
                         data=b"\1\0" + struct.pack("<I", 65) + MAC * 65 + bytes(4)),
    "offloads-not-taken": seed([desc(BASE + DATA, 10, NEXT, 1), ANSWER], [0], may=0,
                               features=1 << 2, data=b"\5\0\x80" + bytes(7)),
    "other-table": seed([desc(BASE + DATA, 16, NEXT, 1), ANSWER], [0], may=0,
                        data=b"\1\0" + struct.pack("<II", 0, 1) + OTHER),
    "indirect": seed(**in_table([MAC_DESC, ANSWER])),
    "indirect-in-indirect": seed(**in_table([desc(BASE + TABLE, 16, INDIRECT)])),
    "indirect-4g": seed(**in_table([desc(BASE + DATA, 1, NEXT, 0xffff)], 0xfffffff0)),
    "loop": seed([desc(BASE + DATA, 1, NEXT, 1), desc(BASE + DATA, 1, NEXT, 0)], [0]),
    "answers-loop": seed([desc(BASE + REPLY, 1, NEXT | WRITE, 0)], [0]),
    "4g": seed([desc(BASE + DATA, 0xffffffff, NEXT, 1), ANSWER], [0]),
    "too-long": seed([desc(BASE, 4096, NEXT, n + 1) for n in range(3)] + [ANSWER], [0]),
    "off-the-map": seed([desc(BASE + 4095, 2, NEXT, 1), ANSWER], [0]),
    "end-of-space": seed([desc((1 << 64) - 8, 9, NEXT, 1), ANSWER], [0]),
    "index-jump": seed([MAC_DESC, ANSWER], [0] * 33),
    # The address, the length and the index change while they are looked at.
    "toctou": seed([MAC_DESC, ANSWER] * 2, [0, 2], data=COMMANDS[4], may=0,
                   flags=HAS_MAC | REWIND,
                   changes=[(2, 8, 0xffffffff), (3, DATA + 4, 0x02000000), (5, AVAIL, 0x70000),
                            (8, 16, 0), (9, 12, 0x00010001), (12, USED, 0x12340000)]),
}

where = pathlib.Path(sys.argv[1])
where.mkdir(parents=True, exist_ok=True)
for name, content in SEEDS.items():
    (where / name).write_bytes(content)
