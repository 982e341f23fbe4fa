#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C5, user ownership needs isolation: where there is none, open() fails with EPERM, and the log and
# last_refusal say why, naming the siblings of a shared group. The kernel owns the function all the
# same, with bus mastering on only while it does. Missing interrupt remapping can be overridden by
# a module parameter, which taints the kernel; nothing else can.
#
# On arm64 interrupts are isolated with virtio-iommu as well; and 6.12's driver of the SMMU knows no two
# functions behind a conventional bridge ("stream 64 already in tree"), so there is no shared-group there.
#
#   net0, blk0 or plain0 --- baton_pci --- v0 --- vhost_vdpa (refused), virtio_vdpa
#
# shares: its VM
# topology: net-blk@intel-nointremap net-blk@none net-blk@virtio shared-group odd net-blk@smmuv3-noits
# timeout: 120
import fcntl
import platform

from lib import *
from vhost_vdpa import *

TOPOLOGY, IOMMU = (BATON_RUN / "topology").read_text().split()
TAINT_USER = 1 << 6
NOT_ISOLATED = "interrupts are not isolated: .*allow_unsafe_interrupts"

NAME, REASON = {
    "net-blk@intel-nointremap": ("net0", NOT_ISOLATED),
    "net-blk@virtio": ("net0", NOT_ISOLATED),
    "net-blk@smmuv3-noits": ("net0", NOT_ISOLATED),
    "net-blk@none": ("net0", "no IOMMU"),
    "shared-group": ("net0", r"shares IOMMU group \d+:.*"),
    "odd": ("plain0", "the device does not offer ACCESS_PLATFORM"),
}[TOPOLOGY]


def user_is_refused():
    node = user_node("v0")
    with fails_with(errno.EPERM):
        Device(node)
    reason = vdpa_read("v0", "last_refusal")
    assert re.search(REASON, reason), reason
    # It may tell of somebody's addresses.
    assert (VDPA / "v0/baton/last_refusal").stat().st_mode & 0o777 == 0o400
    assert kernel_log_count(REASON)
    assert vdpa_read("v0", "owner") == "none" and not bus_master(NAME)


def kernel_works():
    if NAME == "net0":
        sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings")
    else:
        sh("vdpa_bind v0 virtio_vdpa; disk_works /dev/$(vdpa_disk v0)")
    assert vdpa_read("v0", "owner") == "kernel" and bus_master(NAME)
    sh("vdpa_unbind v0")
    assert vdpa_read("v0", "owner") == "none" and not bus_master(NAME)


def siblings_are_named():
    reason = vdpa_read("v0", "last_refusal")
    assert function("net0") in reason and function("blk0") in reason, reason


def vfio_is_kept_out_of_the_group():
    """The other function of the group may have VFIO's driver; a user of VFIO does not get it."""
    sh("modprobe vfio-pci; fn_bind blk0 vfio-pci")
    path = pathlib.Path("/sys/bus/pci/devices", function("blk0"), "iommu_group").resolve().name
    set_container, set_iommu, type1 = 0x3b68, 0x3b66, 1
    container = os.open("/dev/vfio/vfio", os.O_RDWR)
    group = os.open(f"/dev/vfio/{path}", os.O_RDWR)
    with fails_with(errno.EPERM, errno.EBUSY):
        fcntl.ioctl(group, set_container, struct.pack("i", container))
        fcntl.ioctl(container, set_iommu, type1)
    os.close(group)
    os.close(container)


def tainted():
    return int(pathlib.Path("/proc/sys/kernel/tainted").read_text()) & TAINT_USER


def overridden():
    """The parameter is for missing interrupt remapping and for nothing else."""
    # Whoever had this VM before may have asked for it too: so the line counts.
    expect_log("Setting dangerous option allow_unsafe_interrupts - tainting kernel")
    sh("vdpa_del v0; for name in net0 blk0 plain0; do unbind $name || true; done; "
       f"baton_reload allow_unsafe_interrupts=1; bind_baton {NAME}; vdpa_add v0 {NAME}")
    assert tainted()
    if REASON == NOT_ISOLATED:
        exercise(user_node("v0"))
    else:
        user_is_refused()


def main():
    if TOPOLOGY == "net-blk@virtio" and platform.machine() == "aarch64":
        ktap_skip_all("the ITS isolates interrupts, whatever the IOMMU")
    ktap_start(7)
    expect_log(f"no user may own this function: {REASON}")
    sh(f"bind_baton {NAME}; vdpa_add v0 {NAME}")
    with case("no user may have it, and the reason is told"):
        user_is_refused()
    with case("the kernel may"):
        kernel_works()
    with case("again no user"):
        user_is_refused()
    if TOPOLOGY == "shared-group":
        with case("siblings are named"):
            siblings_are_named()
        with case("VFIO is kept out of the group"):
            vfio_is_kept_out_of_the_group()
    else:
        skip("siblings are named", "it has none")
        skip("VFIO is kept out of the group", "it is alone there")
    with case("a parameter overrides missing interrupt remapping, and taints"):
        overridden()
    with case("the kernel still may"):
        kernel_works()
    ktap_finish()


main()
