#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# What the control path costs, in instructions, is what it cost when cost.json was last written, and
# does not grow faster than what there is to do.
#
#   net0 blk0 blk1 blk2 --- baton_pci --- vhost_vdpa --- tools/bench/client.c
#
# A count of instructions does not depend on the machine that emulates them, nor on its load. It does
# depend on the kernel: with another than the one that cost.json is about, the figures of the same
# series have to do, with more tolerance. After a change that is meant to change them:
# tools/bench/accept.
#
# topology: bench
# icount: on
# timeout: 300
# not on kasan: its instructions are not the ones that count
# not on lockdep: its instructions are not the ones that count
# not on kcsan: its instructions are not the ones that count
import json
import platform
import sys

sys.path.insert(0, "/baton/tools/bench")
from lib import *
import measure

SAME, OTHER = 0.05, 0.25        # tolerance with the very kernel, with another of its series
GROWTH = 1.15                   # vhost's own trees get deeper: logarithms of some thousands

measure.unlimited_maps()
sh("; ".join(f"bind_baton {name}; vdpa_add {name} {name}" for name in measure.QUEUES))
figures = measure.calls("net0")
del figures["syscall"]
figures |= measure.opens("net0")
for device in "blk0", "blk1", "blk2":
    figures |= measure.cycle(device)
for how in (("map", "4k", 2), ("map", "4k", 16), ("hot", "4k", 16), ("map", "2m", 64)):
    figures |= measure.maps("net0", *how)
(BATON_RUN / "cost.json").write_text(json.dumps({platform.release(): figures}))

committed = json.loads((HERE / "cost.json").read_text())
series = platform.release().split(".")[:2]
release = next((kernel for kernel in sorted(committed, key=lambda k: k != platform.release())
                if kernel.split(".")[:2] == series), "")
tolerance = SAME if release == platform.release() else OTHER
if tolerance == OTHER:
    note(f"cost.json is about {release or 'other kernels'}, this is {platform.release()}: "
         f"within {OTHER:.0%} will do; tools/bench/accept")

ktap_start(len(figures) + 3)
for what, value in figures.items():
    wanted = committed.get(release, {}).get(what)
    change = value / wanted - 1 if wanted else None
    ok(f"{what}: within {tolerance:.0%}", wanted and abs(change) <= tolerance,
       f"{value} instead of {wanted}" + (f": {change:+.1%}" if wanted else ""))
    note(f"{value}, {change or 0:+.2%}")
for name, less, more, times in (
        ("the cycle, from 8 to 64 queues", "blk1 8 queues, cycle", "blk2 64 queues, cycle", 8),
        ("map, from 2 to 16 MiB", "map 4k 2 MiB, map", "map 4k 16 MiB, map", 8),
        ("unmap, from 2 to 16 MiB", "map 4k 2 MiB, unmap", "map 4k 16 MiB, unmap", 8)):
    ok(f"{name}: linear", figures[more] <= figures[less] * times * GROWTH,
       f"{figures[less]} becomes {figures[more]}")
ktap_finish()
