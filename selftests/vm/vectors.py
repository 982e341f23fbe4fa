#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# With fewer interrupt vectors than queues, those that come too late share one, and no others; with none
# at all DRIVER_OK fails visibly. Who polls has none. Mainline's vp_vdpa says that all is well, and its netdev is silently dead.
#
#   net0 blk0 (no MSI-X), net1 blk1 (one vector), net2 blk2 (two), blk3 (four, for four queues) --- baton_pci
#
# topology: vectors
# cpus: 2
# timeout: 200
import functools

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


def short(name):
    """One vector less than is wanted costs one queue its own. (The kernel's driver has as many queues
    as there are processors: enough vectors.)"""
    line = "4 interrupt vectors instead of 5: 2 queues share one"
    sh(f"bind_baton {name}; vdpa_add {name} {name}")
    with case("four queues, one vector short: two of them share one, and each gets its interrupts"):
        before = kernel_log_count(line)
        with Device(user_node(name)) as dev:
            blk = Blk(dev, queues=4)
            assert names(name) == {"config", "vq0", "vq1", "shared3"}, names(name)
            assert kernel_log_count(line) == before + 1
            blk.exercise()


def polls(ring):
    """A queue whose owner gives no eventfd, and looks by itself whether something has come."""
    ring.dev.set_vring_call(ring.index, -1)
    ring.wait = functools.partial(type(ring).wait, ring, poll=True)


def polling(name):
    """C9 for users who want no interrupts: there are none, on vectors of one queue and of several."""
    with Device(user_node(name)) as dev:
        blk = Blk(dev, queues=4)
        for ring in blk.queues:
            polls(ring)
        before = interrupt_count(name)
        with case("a user who polls is not interrupted, on whatever vector"):
            for blk.queue in blk.queues:
                blk.read(0, 4096)
            assert interrupt_count(name) == before, interrupt_count(name) - before
        for ring in blk.queues[1], blk.queues[3]:
            with case(f"queue {ring.index}: an eventfd that comes late is told at once"):
                dev.set_vring_call(ring.index, ring.call_fd)
                assert select.select([ring.call_fd], [], [], 5)[0]
                os.eventfd_read(ring.call_fd)
                assert interrupt_count(name) > before
                del ring.wait
                blk.queue = ring
                blk.read(0, 4096)
                before = interrupt_count(name)
    with case("nor is one who gave none before DRIVER_OK"):
        with Device(user_node(name)) as dev:
            dev.start()
            mem = Memory(1 << 20).map(dev, 0x100000)
            dev.negotiate(USUAL)
            ring = SplitQueue(dev, 0, 64, mem)
            polls(ring)
            ring.enable()
            dev.run()
            before, status = interrupt_count(name), mem.alloc(1)
            head = mem.alloc(16)
            mem.bytes[head] = 4     # flush
            ring.request((mem.iova + head, 16, READ), (mem.iova + status, 1, WRITE))
            assert interrupt_count(name) == before


ktap_start(2 * 4 + 1 + 4 + 6)
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

short("blk3")
polling("blk3")

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
