#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C3, reset: somebody resets a disk through sysfs (function-level reset) while the kernel's driver has
# requests under way. The driver steps aside for it and goes on afterwards; no request is lost.
#
#   blk0 --- root port --- baton_pci --- v0 --- virtio_vdpa --- fio
#
# shares: its VM
# topology: hotplug
# timeout: 150
from lib import *

STEPS = ["quiesce", "unmaster", "unvector", "block",                            # it steps aside
         "negotiate", "attach", "vectors", "program", "master", "driver_ok",
         "control", "queues"]                                                   # and comes back


def under_load():
    """Everything that was written is there, and nothing failed."""
    resets = runs = 0
    while resets < 5:
        load = disk_load("v0", "--rw=randwrite", "--size=24m", "--verify=crc32c", "--verify_fatal=1")
        while resets < 5 and load.poll() is None:
            flr("blk0")
            assert stands("blk0") == ("kernel", "kernel", True), stands("blk0")
            resets += 1
            busy("blk0", lambda: load.poll() is not None)
        assert load.wait() == 0, f"fio: exit status {load.returncode}"
        runs += 1
    note(f"{resets} resets during {runs} runs of fio")


def order():
    with Trace("baton:baton_step") as trace:
        flr("blk0")
    steps = [line.split()[1] for line in trace.lines("baton_step")]
    assert steps == STEPS, steps


def unbound_under_load():
    load = disk_load("v0", "--rw=randread", "--time_based", "--runtime=60")
    busy("blk0")
    flr("blk0")
    busy("blk0")
    started = time.monotonic()
    sh("vdpa_unbind v0")
    note(f"unbound after {time.monotonic() - started:.1f} s")
    # Reads of a disk that is gone fail, or end at once: fio would go on.
    load.kill()
    load.wait()
    assert stands("blk0") == ("none", "blocked", False) and not interrupts("blk0"), stands("blk0")


ktap_start(4)
sh("bind_baton blk0; vdpa_add v0 blk0; vdpa_bind v0 virtio_vdpa; disk_works /dev/$(vdpa_disk v0)")
with case("reset five times under load"):
    under_load()
with case("in the order that the ownership model demands"):
    order()
with case("unbound under load"):
    unbound_under_load()
with case("then it works again"):
    sh("vdpa_bind v0 virtio_vdpa; disk_works /dev/$(vdpa_disk v0)")
ktap_finish()
