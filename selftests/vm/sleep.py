#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C3.6, system sleep: S3, and as far as pm_test goes (nothing in the VM ends it) s2idle and hibernation.
# The kernel's drivers of a network interface with traffic and of a disk with requests under way step
# aside and go on. A user finds NEEDS_RESET, is told by an interrupt, and goes on after a reset; one who
# suspended his device has lost nothing. A function that writes on after its reset reaches nothing, asleep
# or awake, and bus mastering comes on with the next owner only.
#
#   peer0 (10.0.2.2) --- hub --- net0 (selftests/model) --- baton_pci --- v0 --- ping; this process
#                                blk0 (selftests/model) --- baton_pci --- v1 --- writers; this process
#
# topology: model
# timeout: 400
# init: memory
import mmap
import random
import select

import model
from lib import *
from power import POWER, drivers, sleep
from vhost_vdpa import *

BLOCKED = ("none", "blocked", False)
ALARM_SECONDS = 4
STRAY_MS = 8000
BLOCK = 4096


def s2idle():
    """Up to where it would wait for an interrupt."""
    (POWER / "pm_test").write_text("platform")
    (POWER / "mem_sleep").write_text("s2idle")
    (POWER / "state").write_text("mem")


def s3():
    (POWER / "mem_sleep").write_text("deep")
    pathlib.Path("/sys/class/rtc/rtc0/wakealarm").write_text(f"+{ALARM_SECONDS}")
    (POWER / "state").write_text("mem")


def hibernation():
    """Up to where the image would be made."""
    (POWER / "pm_test").write_text("core")
    (POWER / "disk").write_text("platform")
    (POWER / "state").write_text("disk")


class Writer:
    """A process that writes blocks of its share of a disk, past the page cache, and reads them again."""

    def __init__(self, disk, share, shares):
        self.stop, end = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.closerange(3, end)       # what is to tell the others to stop, too
            os.set_blocking(end, False)
            try:
                self.work(disk, share, shares, end)
                os._exit(0)
            except BaseException as err:
                os.write(2, f"# writer: {err!r}\n".encode())
                os._exit(1)
        os.close(end)

    @staticmethod
    def work(disk, share, shares, end):
        fd = os.open(disk, os.O_RDWR | os.O_DIRECT)
        buf = mmap.mmap(-1, BLOCK)
        while True:
            block = random.randrange(512) * shares + share
            text = os.urandom(16) * (BLOCK // 16)
            buf[:] = text
            assert os.pwritev(fd, [buf], block * BLOCK) == BLOCK
            buf[:] = bytes(BLOCK)
            assert os.preadv(fd, [buf], block * BLOCK) == BLOCK and buf[:] == text, f"block {block}"
            try:
                os.write(end, b".")
            except BrokenPipeError:
                return
            except BlockingIOError:
                pass

    def goes_on(self):
        """It gets something done from now on."""
        os.set_blocking(self.stop, False)
        with contextlib.suppress(BlockingIOError):
            while os.read(self.stop, 65536):
                pass
        assert select.select([self.stop], [], [], 20 * SLOWER)[0], "the disk does nothing"

    def end(self):
        os.close(self.stop)
        _, status = os.waitpid(self.pid, 0)
        assert not status, f"exit status {status:#x}"


def kernel(how):
    vdpa_bind("v0", "virtio_vdpa")
    vdpa_bind("v1", "virtio_vdpa")
    sh("net_up v0; pings")
    disk = f"/dev/{sh('vdpa_disk v1')}"
    writers = [Writer(disk, share, 4) for share in range(4)]
    for writer in writers:
        writer.goes_on()
    sleep(how)
    sh("pings")
    for writer in writers:
        writer.goes_on()
    for writer in writers:
        writer.end()
    assert stands() == stands("blk0", "v1") == ("kernel", "kernel", True)
    sh("vdpa_unbind v0; vdpa_unbind v1")


def user(how):
    with Device(user_node("v0")) as dev:
        told = os.eventfd(0, os.EFD_CLOEXEC)
        dev.set_config_call(told)
        net = Net(dev)
        net.arp()
        net0.set(stray_ms=STRAY_MS if how in (drivers, s3) else 0)
        net0.mark()
        sleep(how)
        net0.set(stray_ms=0)
        assert stands() == BLOCKED, stands()
        # Its own word, past the kernel's.
        assert net0.log("master 0") and not net0.log("master 1"), net0.log("master")
        assert dev.get_status() == DRIVER_OK | NEEDS_RESET, f"status {dev.get_status():#x}"
        assert select.select([told], [], [], 5)[0], "no configuration interrupt"
        if how in (drivers, s3):
            taken = net0.state()["strays"]
            assert net0.log("stray writes", 20), "it does not write"
            assert net0.state()["strays"] == taken, "written without an owner"
        net.tx.kick()
        with fails_with(errno.EIO, errno.EOPNOTSUPP):
            dev.suspend()
        dev.reset()
        assert stands() == BLOCKED and dev.get_status() == 0, stands()
    exercise(user_node("v0"))


def nobody(how):
    """And one who may go on: suspended by himself."""
    with Device(user_node("v1")) as dev:
        disk = Blk(dev)
        disk.exercise()
        dev.suspend()
        assert stands("blk0", "v1") == ("none", "suspended", False)
        sleep(how)
        assert stands("blk0", "v1") == ("none", "suspended", False)
        assert stands() == BLOCKED, stands()
        dev.resume()
        assert dev.get_status() == DRIVER_OK
        disk.exercise()


WAYS = {"drivers": drivers, "s2idle": s2idle, "S3": s3, "hibernation": hibernation}

ktap_start(3 * len(WAYS))
expect_log("was reset under its consumer .user.|suspend refused: .* blocked|DMAR: |dmar_fault: ")
expect_log("ACPI Error: Could not disable RealTimeClock events|ACPI: PM: ")
model.SHARED = pathlib.Path("/shared/model")
net0 = model.Model("net0")
PEER = sh('basename "$(fn_dir peer0)"/virtio*/net/*')
sh(f"ip netns add peer; ip link set {PEER} netns peer; ip -n peer link set {PEER} up; "
   f"ip -n peer address add 10.0.2.2/24 dev {PEER}")
sh("bind_baton net0; bind_baton blk0; vdpa_add v0 net0; vdpa_add v1 blk0")
for name, way in WAYS.items():
    with case(f"{name}: the kernel's drivers go on"):
        kernel(way)
    with case(f"{name}: a user is told"):
        user(way)
    with case(f"{name}: nobody's, and suspended by its user"):
        nobody(way)
ktap_finish()
