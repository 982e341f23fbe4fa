#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C5, isolation, when it is lost: another device joins the IOMMU group of a function that baton holds,
# idle or with a user. Its driver is kept out; the user may finish, but no user may begin; the function
# cannot be put into a domain of its own any more, so it is broken until the other device has gone.
# No domain is freed while it is attached.
#
#   net0 --- baton_pci --- v0 --- nobody, or this process
#   blk0 --- comes and goes (both are functions of one slot)
#
# topology: twins twins@amd
# timeout: 120
from lib import *
from vhost_vdpa import *

PCI = pathlib.Path("/sys/bus/pci")
NET, BLK = function("net0"), function("blk0")


def blk_goes():
    (PCI / "devices" / BLK / "remove").write_text("1")
    wait_for(lambda: not (PCI / "devices" / BLK).exists())


def blk_comes():
    (PCI / "rescan").write_text("1")
    wait_for((PCI / "devices" / BLK).exists)


def members():
    return len(list((PCI / "devices" / NET / "iommu_group/devices").iterdir()))


def driver(address):
    path = PCI / "devices" / address / "driver"
    return path.resolve().name if path.exists() else ""


def run_user(dev):
    """Up to DRIVER_OK; returns the status that is reached."""
    dev.start()
    mem = Memory(1 << 20).map(dev, 0x100000)
    dev.negotiate(USUAL)
    SplitQueue(dev, 0, 64, mem).enable()
    dev.set_status(DRIVER_OK)
    return dev.get_status()


def main():
    ktap_start(14)
    expect_log("cannot attach the empty IOMMU domain: -EINVAL")
    expect_log("broken: block failed")
    expect_log("another device has joined IOMMU group")
    expect_log("no longer broken")
    if os.uname().release.startswith("6.12"):
        expect_log("device attach failed")      # newer kernels keep the sibling's driver out silently

    with case("with a sibling no user may own it"):
        sh("bind_baton net0; vdpa_add v0 net0")
        expect_log(f"shares IOMMU group [0-9]+:.* {BLK}")
        node = user_node("v0")
        with fails_with(errno.EPERM):
            Device(node)
        sh("vdpa_del v0; unbind net0")

    blk_goes()
    sh("bind_baton net0; vdpa_add v0 net0")
    node = user_node("v0")
    with Device(node) as dev:
        equal("alone, a user owns it", run_user(dev), DRIVER_OK)
        blk_comes()
        equal("the sibling is in the group", members(), 2)
        equal("its driver is kept out", driver(BLK), "")
        equal("the user still owns its function", stands(), ("user", "user", True))
    equal("after the user: reset, no bus mastering, broken", stands(), ("none", "broken", False))

    blk_goes()
    flr("net0")
    equal("alone again and reset: blocked", stands(), ("none", "blocked", False))
    with Device(node) as dev:
        equal("a user can own it again", run_user(dev), DRIVER_OK)

    blk_comes()
    with Device(node) as dev:
        run_user(dev)
        equal("idle and joined: no user may begin", stands(), ("none", "blocked", False))
        ok("the user is told", dev.get_status() & FAILED)
    with case("idle and joined, and the user tries another address space: not blocked, so broken"):
        with Device(node) as dev:
            dev.start()
            with fails_with(errno.EINVAL):
                dev.set_group_asid(0, 1)
            assert stands() == ("none", "broken", False), stands()
    blk_goes()
    flr("net0")
    equal("alone again, once more", stands(), ("none", "blocked", False))
    blk_comes()
    with case("removed with a sibling: nothing that is in use is freed"):
        sh("vdpa_del v0")
        (PCI / "devices" / NET / "driver/unbind").write_text(NET)
    with case("both gone and back: as new"):
        blk_goes()
        (PCI / "devices" / NET / "remove").write_text("1")
        (PCI / "rescan").write_text("1")
        wait_for((PCI / "devices" / NET).exists)
        assert driver(NET) == "virtio-pci" and driver(BLK) == "virtio-pci", (driver(NET), driver(BLK))
    ktap_finish()


main()
