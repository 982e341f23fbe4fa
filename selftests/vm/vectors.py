#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# With fewer interrupt vectors than queues, queues share; with none at all DRIVER_OK fails visibly.
# Mainline's vp_vdpa says that all is well, and its netdev is silently dead.
#
#   net0 blk0 (no MSI-X), net1 blk1 (one vector), net2 blk2 (two) --- baton_pci
#
# topology: vectors
# timeout: 200
from lib import *
from vhost_vdpa import *

NONE = r"DRIVER_OK refused: no interrupt vectors \(MSI-X\)"


def names(name):
    """Our interrupts in /proc/interrupts, without the prefix that all share."""
    prefix = f"baton-{function(name)}-"
    return {line.split()[-1].removeprefix(prefix) for line in
            pathlib.Path("/proc/interrupts").read_text().splitlines() if prefix in line}


def log_lines(name):
    return kernel_log_count(rf"baton_pci {function(name)}: ")


def virtio_status(name):
    """The device status as virtio_vdpa shows it."""
    device = next(pathlib.Path("/sys/bus/pci/devices", function(name)).glob("virtio*"))
    return int((device / "status").read_text(), 16)


ktap_start(2 * 4 + 6)
for number, wanted in (1, {"all"}), (2, {"config", "shared1"}):
    net, blk = f"net{number}", f"blk{number}"
    # A queue has a vector of its own if there are two for blk's one queue.
    for name, traffic in (net, f"net_up {net}; pings"), (blk, f"disk_works /dev/$(vdpa_disk {blk})"):
        with case(f"{name}, {number} vectors: data through virtio_vdpa"):
            sh(f"bind_baton {name}; vdpa_add {name} {name}")
            vdpa_bind(name, "virtio_vdpa")
            assert names(name) == wanted, names(name)
            sh(traffic)
            sh(f"vdpa_unbind {name}")
            assert not names(name), names(name)
        with case(f"{name}, {number} vectors: data through vhost_vdpa"):
            exercise(user_node(name))

expect_log(NONE)
sh("bind_baton net0; vdpa_add net0 net0")
with case("net0, no vectors: the kernel finds a failed device, and one line in the log"):
    before = log_lines("net0")
    vdpa_bind("net0", "virtio_vdpa")
    assert virtio_status("net0") & FAILED and not virtio_status("net0") & S_DRIVER_OK
    assert log_lines("net0") == before + 1, kernel_log()[-5:]
    assert vdpa_read("net0", "owner") == "none" and not bus_master("net0")
with case("net0, no vectors: unbound again"):
    sh("vdpa_unbind net0")
    assert vdpa_read("net0", "state") == "blocked"
expect_log(r"I/O error(, dev| on dev) vda|Dev vda: unable to read")
sh("bind_baton blk0; vdpa_add blk0 blk0")
with case("blk0, no vectors: the kernel finds a disk whose requests fail, and does not wait for them"):
    vdpa_bind("blk0", "virtio_vdpa")
    assert virtio_status("blk0") & FAILED and not virtio_status("blk0") & S_DRIVER_OK
    sh("wait_for 10 refuses dd if=/dev/$(vdpa_disk blk0) of=/dev/null bs=4k count=1 iflag=direct")
with case("blk0, no vectors: unbound again"):
    sh("vdpa_unbind blk0")
    assert vdpa_read("blk0", "state") == "blocked"
for name in "net0", "blk0":
    with case(f"{name}, no vectors: a user finds a failed device, and one line in the log"):
        node = user_node(name)
        for _ in range(2):
            before = log_lines(name)
            with Device(node) as dev:
                dev.start()
                dev.negotiate(USUAL)
                dev.set_status(DRIVER_OK)
                assert dev.get_status() == FEATURES_OK | FAILED, hex(dev.get_status())
            assert log_lines(name) == before + 1, kernel_log()[-5:]
            assert vdpa_read(name, "state") == "blocked" and not bus_master(name)
ktap_finish()
