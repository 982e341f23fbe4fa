#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# Adding and deleting a vDPA device leaves nothing behind, however often: no kernel memory, no
# interrupts, no pinned pages. Mainline's vp_vdpa keeps about 1.1 KiB each time; what is measured
# here is the same within a tenth of that.
#
#   net0 --- baton_pci --- v0 added, (used by this process,) deleted, again and again
#
# shares: its VM
# topology: net
# timeout: 120
# not on kasan: what is freed stays aside for a while there, to catch who still uses it
from leftovers import grown, measure
from lib import *
from netlink import Vdpa
from vhost_vdpa import *

CYCLES, USES = 1000, 100
# Bytes for each cycle: a tenth of vp_vdpa's. What the kernel itself keeps back and forth between
# its caches for each CPU is some 20 KiB, however many cycles there are.
LIMIT = 110
NOISE = 48 << 10


def cycles(count):
    for _ in range(count):
        vdpa.add("v0", address)
        vdpa.delete("v0")


def uses(count):
    for _ in range(count):
        vdpa.add("v0", address)
        with Device(user_node("v0")) as dev:
            Net(dev).arp()
        vdpa.delete("v0")


address = function("net0")
vdpa = Vdpa()
sh("bind_baton net0")

ktap_start(7)
for name, what, count in (("add and del", cycles, CYCLES),
                          ("add, traffic as user and del", uses, USES)):
    what(count // 10)       # what is allocated once, is allocated now
    before = measure()
    start = time.monotonic()
    what(count)
    note(f"{count} cycles in {time.monotonic() - start:.1f} s")
    after = measure()
    limit = NOISE + LIMIT * count
    size = grown(before[0], after[0])
    ok(f"{count} x {name}: no objects left", size <= limit, f"{size} bytes, limit {limit}")
    size = grown(before[1], after[1])
    ok(f"{count} x {name}: no pages left", size <= limit, f"{size} bytes, limit {limit}")
    equal(f"{count} x {name}: interrupts as before", after[3], before[3])
equal("no pages stay pinned", after[2], before[2])
ktap_finish()
