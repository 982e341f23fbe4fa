#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C11, nobody waits for a user, again and again: a function is taken away from a user who has it open and
# runs, by each way that leaves it on the bus, and is somebody else's before he closes. Nothing is left
# behind when he has: memory, pinned pages, mappings, interrupts, nodes; and the IOMMU has recorded no fault.
# (BATON_CYCLES asks for another number.)
#
#   net0 --- baton_pci --- v0, v1, ... --- vhost_vdpa --- this process
#
# shares: its VM
# topology: net
# timeout: 200
# not on kasan: what is freed stays aside for a while there, to catch who still uses it
import itertools

from leftovers import judge, measure
from lib import *
from vhost_vdpa import *

CYCLES = int(os.environ.get("BATON_CYCLES", 40))
GONE = pathlib.Path("/sys/devices/baton")
ADDRESS = function("net0")
WAYS = ("vdpa dev del {}", "echo " + ADDRESS + " >/sys/bus/pci/drivers/baton_pci/unbind; bind_baton net0")
NUMBER = itertools.count()


def removals(count):
    """The last user is still there when the next one runs."""
    last = None
    for _ in range(count):
        number = next(NUMBER)
        name = f"v{number}"
        sh(f"vdpa_add {name} net0")
        dev = Device(user_node(name))
        Net(dev).arp()
        assert vdpa_read(name, "owner") == "user"
        if last:
            last.close()
        sh(WAYS[number % len(WAYS)].format(name))
        assert dev.get_status() & NEEDS_RESET and not bus_master("net0")
        last = dev
    last.close()
    wait_for(lambda: not list(VDPA.iterdir()) and not list(GONE.glob("v*")))


def left():
    """What was looked up in sysfs under a name of its own stays in the kernel's cache of names, and is not
    all let go of at once."""
    for _ in range(4):
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("2")
        time.sleep(0.5)
    return measure()


def main():
    ktap_start(6)
    sh("bind_baton net0")
    removals(12)        # what is allocated once, is allocated now
    before = left()
    start = time.monotonic()
    with case(f"{CYCLES} times taken away from a user who stays"):
        removals(CYCLES)
    note(f"{(time.monotonic() - start) / CYCLES * 1000:.0f} ms each")
    judge(before, left(), CYCLES)
    with case("it works for the next"):
        sh("vdpa_add v0 net0")
        exercise(user_node("v0"))
    ktap_finish()


main()
