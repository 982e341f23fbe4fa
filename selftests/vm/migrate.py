#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C14, C15: a guest with traffic moves from one function to another, with QEMU as it is and no option:
# there and back, from one version to the other, saved to a file, and cancelled on the way. The guest is
# iPXE (qemu.py); both functions have the same MAC address, provisioned. BATON_CYCLES=20 asks for more:
# from and to x-svq=on, and so many migrations in a row (with --timeout 3000).
#
#   net0 --- baton_pci --- v0 --- vhost_vdpa --- QEMU --.
#   net1 --- baton_pci --- v1 --- vhost_vdpa --- QEMU --'
#
# topology: two-net
# timeout: 700
from lib import *
from qemu import Guest

MAC = "02:00:00:00:00:42"
STATE, LINK = "/tmp/state", "unix:/tmp/migration"
CYCLES = int(os.environ.get("BATON_CYCLES", 0))
SHADOW = ",x-svq=on"


def state(guest):
    return guest.qmp("query-migrate").get("status")


def migrated(guest, uri, seconds=60):
    guest.qmp("migrate", uri=uri)
    wait_for(lambda: state(guest) in ("completed", "failed"), seconds)
    assert state(guest) == "completed", guest.qmp("query-migrate")


def arrives(name, qemu, uri, netdev=""):
    return Guest(name, qemu, ["-incoming", uri], netdev)


def moves(guest, name, qemu="", netdev=""):
    """To this device; the guest as it is there, still going on."""
    there = arrives(name, qemu, LINK, netdev)
    # What was said before is on the other's console.
    migrated(guest, LINK)
    guest.__exit__()
    wait_for(lambda: there.qmp("query-status")["status"] == "running", 20)
    # QEMU's TFTP server knows of no transfer that began elsewhere; the guest waits for it first.
    there.goes_on(240)
    assert "userspace" not in there.said(), there.said()
    return there


def cancelled(guest):
    """Slow enough to be caught in the middle, and never done: the guest always has more than what may be
    left for the last millisecond."""
    guest.qmp("migrate-set-parameters", **{"max-bandwidth": 10000, "downtime-limit": 1})
    with arrives("v1", "", LINK):
        guest.qmp("migrate", uri=LINK)
        wait_for(lambda: state(guest) == "active", 20)
        guest.goes_on(60)
        guest.qmp("migrate_cancel")
        wait_for(lambda: state(guest) == "cancelled", 20)
    guest.qmp("migrate-set-parameters", **{"max-bandwidth": 1 << 30, "downtime-limit": 300})
    guest.goes_on(60)


ktap_start(8 if CYCLES else 6)
sh(f"bind_baton net0; bind_baton net1; vdpa_add v0 net0 mac {MAC}; vdpa_add v1 net1 mac {MAC}; "
   "vdpa_bind v0 vhost_vdpa; vdpa_bind v1 vhost_vdpa")
guest = Guest("v0")
with case("boots"):
    guest.goes_on(120)
with case("cancelled in the middle: it goes on where it was"):
    cancelled(guest)
with case("moves to the other function"):
    guest = moves(guest, "v1")
with case("and back, to the older QEMU"):
    guest = moves(guest, "v0", "older ")
with case("and to the newer again"):
    guest = moves(guest, "v1")
if CYCLES:
    with case("from and to shadow queues: the four combinations"):
        for device, shadow in ("v0", SHADOW), ("v1", SHADOW), ("v0", ""), ("v1", ""):
            guest = moves(guest, device, netdev=shadow)
    with case(f"{CYCLES} times in a row"):
        for i in range(CYCLES):
            start = time.monotonic()
            guest = moves(guest, f"v{i % 2}")
            note(f"{i + 1}: goes on after {time.monotonic() - start:.0f} s, {guest.rounds()} rounds")
        if CYCLES % 2:
            guest = moves(guest, "v1")
with case("saved to a file, and restored on the other function"):
    guest.qmp("stop")
    migrated(guest, f"file:{STATE}")
    guest.__exit__()
    guest = arrives("v0", "", f"file:{STATE}")
    wait_for(lambda: guest.qmp("query-status")["status"] != "inmigrate", 30)
    guest.qmp("cont")
    guest.goes_on(240)
guest.__exit__()
ktap_finish()
