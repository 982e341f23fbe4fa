# SPDX-License-Identifier: GPL-2.0-only
"""What a driver may have left behind: memory, pinned pages, interrupts."""

import pathlib
import re
import time

from lib import equal, faults, note, ok, pinned

PAGES = re.compile(r"^(SecPageTables|VmallocUsed|Percpu): +(\d+) kB$", re.M)
CACHES = r"kmalloc-\S+|kernfs_node_cache|radix_tree_node|iommu_\S+"
READINGS = 8
# Bytes for each cycle that do not count, and what the kernel moves between its caches anyway.
LIMIT, NOISE = 110, 96 << 10


def slabs(caches):
    """Bytes in objects of each of these caches. They are shrunk first: then only those objects
    count that are really in use, and what is free in the slab that a processor has taken from since."""
    for shrink in pathlib.Path("/sys/kernel/slab").glob("*/shrink"):
        if re.fullmatch(caches, shrink.parent.name):
            shrink.write_text("1")
    found = re.findall(rf"^({caches}) +(\d+) +\d+ +(\d+) ",
                       pathlib.Path("/proc/slabinfo").read_text(), re.M)
    assert found
    return {name: int(used) * int(size) for name, used, size in found}


def objects():
    """Bytes in objects that drivers allocate. kfree_rcu() collects for 5 seconds (6.12): of several
    readings, the least counts."""
    readings = []
    for _ in range(READINGS):
        readings.append(slabs(CACHES))
        time.sleep(1)
    return {name: min(reading[name] for reading in readings) for name in readings[0]}


def pages():
    """Bytes in pages that are no slab: IO page tables, vmalloc, per-CPU memory."""
    return {name: int(kib) << 10 for name, kib in
            PAGES.findall(pathlib.Path("/proc/meminfo").read_text())}


def msi_interrupts():
    """Names of all message-signalled interrupts, whoever has them."""
    return {line.split()[-1] for line in pathlib.Path("/proc/interrupts").read_text().splitlines()
            if "MSI" in line}


def grown(before, after):
    for name in before:
        if before[name] != after[name]:
            note(f"{name}: {after[name] - before[name]:+} bytes")
    return sum(after.values()) - sum(before.values())


def measure():
    return objects(), pages(), pinned(), msi_interrupts()


def judge(before, after, cycles):
    """Four cases: what so many cycles have left behind."""
    limit = NOISE + LIMIT * cycles
    size = grown(before[0], after[0]) + grown(before[1], after[1])
    ok("no memory is left behind", size <= limit, f"{size} bytes, limit {limit}")
    equal("no pages stay pinned", after[2], before[2])
    equal("interrupts as before", after[3], before[3])
    equal("no faults", faults(), 0)
