# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel's own drivers do with functions of each class, by the function's name in the topology."""

import errno
import mmap
import os
import pathlib
import platform
import re
import select
import struct

from lib import BATON_RUN, HERE, function, note, sh, wait_for

EV_KEY, KEY_A = 1, 30
MNT = pathlib.Path("/tmp/mnt")
# What is shared with the host: not the run directory where that is in memory (guest-init).
SHARED = pathlib.Path("/shared") if pathlib.Path("/shared/job").exists() else BATON_RUN


def child(name, pattern, left=None):
    """What the kernel's driver made of a function: a path in sysfs below its virtio device. Not what it left
    with a driver that hangs, which is called so."""
    device = pathlib.Path("/sys/bus/pci/devices", function(name))
    return wait_for(lambda: next((path for path in device.glob(f"virtio*/{pattern}") if path.name != left), None), 10)


def opened(path):
    """None as long as the driver, whose node is there before its disk is, does not know of it."""
    try:
        return os.open(path, os.O_RDWR | os.O_DIRECT)
    except OSError as err:
        if err.errno not in (errno.ENXIO, errno.ENOENT):
            raise
        return None


def disk(name, pattern):
    """What is written, past the page cache, is read back."""
    wrote, read = (mmap.mmap(-1, 1 << 20) for _ in range(2))
    wrote[:] = os.urandom(len(wrote))
    fd = wait_for(lambda: opened(f"/dev/{child(name, pattern).name}"), 10)
    try:
        assert os.pwrite(fd, wrote, 4 << 20) == os.preadv(fd, [read], 4 << 20) == len(read)
        assert read[:] == wrote[:]
    finally:
        os.close(fd)


def net(_):
    sh("net_up net0; pings")


def blk(name):
    disk(name, "block/*")


def scsi(name):
    disk(name, "host*/target*/*/block/*")


def rng(name):
    number = child(name, "").name.removeprefix("virtio")
    hwrng = pathlib.Path("/sys/class/misc/hw_random")
    available = (hwrng / "rng_available").read_text().split()
    mine = next(rng for rng in available if rng.startswith("virtio_rng"))
    note(f"virtio{number} is {mine} of {available}")
    (hwrng / "rng_current").write_text(mine)
    with open("/dev/hwrng", "rb", buffering=0) as stream:
        data = stream.read(64)
    assert len(set(data)) > 16, data.hex()


def crypto(_):
    """The kernel itself tests a new algorithm with many known vectors, both ways."""
    def tested():
        entries = pathlib.Path("/proc/crypto").read_text().split("\n\n")
        # Nobody but the registry refers to it: then the test is over. While it is not, there is an
        # entry of type "larval" that says the same.
        ours = r"""driver +: virtio_crypto_aes_cbc\n(.*\n)*refcnt +: 1
selftest +: passed\n(.*\n)*type +: skcipher"""
        return any(re.search(ours, entry) for entry in entries)
    wait_for(tested)


def console(name):
    """What is written to the port and to the console arrives in QEMU, which keeps it in files."""
    token = os.urandom(4).hex()
    ports = child(name, "virtio-ports")
    # The console is a port as well, but has no name.
    port = wait_for(lambda: next(ports.glob("*/name"), None)).parent.name
    for node, file in ((port, f"{name}-port"), ("hvc0", f"{name}-con")):
        with open(f"/dev/{node}", "wb", buffering=0) as stream:
            stream.write(f"hello from {node}, {token}\n".encode())
        wait_for(lambda: f"hello from {node}, {token}" in (SHARED / file).read_text())


def ninep(name):
    MNT.mkdir(exist_ok=True)
    sh(f"mount -t 9p -o trans=virtio,version=9p2000.L,ro {name} {MNT}")
    try:
        assert (MNT / "vm/lib.sh").read_bytes() == (HERE / "lib.sh").read_bytes()
    finally:
        sh(f"busybox umount {MNT}")


def keyboard(name):
    """A key that somebody presses."""
    sh("modprobe evdev")
    node = f"/dev/input/{child(name, 'input/input*/event*').name}"
    fd = os.open(node, os.O_RDONLY | os.O_NONBLOCK)
    try:
        sh("qmp hmp 'sendkey a'")
        assert select.select([fd], [], [], 10)[0], "no key came"
        kind, code, value = struct.unpack("16xHHi", os.read(fd, 24))
        assert (kind, code, value) == (EV_KEY, KEY_A, 1), (kind, code, value)
    finally:
        os.close(fd)


def sound(name):
    """Its card was made of what the device said of its streams."""
    card, stream = re.fullmatch(r"pcmC(\d)D(\dp)", child(name, "sound/card*/pcmC*p").name).groups()
    info = pathlib.Path(f"/proc/asound/card{card}/pcm{stream}/info").read_text()
    assert "stream: PLAYBACK" in info, info


def gpu(name):
    """Which displays there are is an answer of the device's. (virtio_gpu makes its device of the function itself.)"""
    function_dir = pathlib.Path("/sys/bus/pci/devices", function(name))
    status = wait_for(lambda: next(function_dir.glob("drm/card*/card*-*/status"), None), 10)
    wait_for(lambda: status.read_text() == "connected\n", 10)


KERNEL = {"net0": net, "blk0": blk, "scsi0": scsi, "rng0": rng, "crypto0": crypto, "console0": console,
          "ninep0": ninep, "input0": keyboard, "sound0": sound, "gpu0": gpu}
# What says, in a kernel's name or arguments, that it has no driver for it, and why.
LEFT_OUT = {"scsi0": ("virtio_scsi_init", "its driver is left out there: see tools/lab/vm"),
            "input0": ("virtio_input_driver_init", "its driver is left out there: see tools/lab/vm"),
            "crypto0": ("-baton-", "debug kernels do not test algorithms"),
            "sound0": ("-baton-", "debug kernels have no driver for it"),
            "gpu0": ("-baton-", "debug kernels have no driver for it")}


def left_out(name):
    """Why this kernel has no driver for a function; None if it has one."""
    sign, why = LEFT_OUT.get(name, ("", None))
    return why if sign in platform.release() + pathlib.Path("/proc/cmdline").read_text() else None
