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


def busy(unless=lambda: False):
    """More interrupts than a moment ago: requests are answered."""
    before = interrupt_count("blk0")
    wait_for(lambda: unless() or interrupt_count("blk0") > before + 50, 20)


def fio(*options):
    disk = sh("vdpa_disk v0")
    return subprocess.Popen(
        ["fio", "--name=load", f"--filename=/dev/{disk}", "--bs=4k", "--iodepth=16", "--direct=1",
         "--ioengine=libaio", "--output=/dev/null", *options], stderr=subprocess.STDOUT)


def under_load():
    """Everything that was written is there, and nothing failed."""
    resets = runs = 0
    while resets < 5:
        load = fio("--rw=randwrite", "--size=24m", "--verify=crc32c", "--verify_fatal=1")
        while resets < 5 and load.poll() is None:
            flr("blk0")
            assert stands("blk0") == ("kernel", "kernel", True), stands("blk0")
            resets += 1
            busy(lambda: load.poll() is not None)
        assert load.wait() == 0, f"fio: exit status {load.returncode}"
        runs += 1
    note(f"{resets} resets during {runs} runs of fio")


def order():
    with Trace("baton:baton_step") as trace:
        flr("blk0")
    steps = [line.split()[1] for line in trace.lines("baton_step")]
    assert steps == STEPS, steps


def unbound_under_load():
    load = fio("--rw=randread", "--time_based", "--runtime=60")
    busy()
    flr("blk0")
    busy()
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
