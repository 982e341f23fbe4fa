#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# Functions of every class carry data: through virtio_vdpa to the kernel's driver of their class, and
# net, blk and crypto through vhost_vdpa to this process as well.
#
#   net0 blk0 scsi0 rng0 crypto0 console0 ninep0 --- baton_pci --- virtio_vdpa --- their drivers
#
# shares: its VM
# topology: classes
# cpus: 2
# timeout: 200
import platform

from lib import *
from vhost_vdpa import *


def child(name, pattern):
    """What the kernel's driver made of a function: a path in sysfs below its virtio device."""
    device = pathlib.Path("/sys/bus/pci/devices", function(name))
    return wait_for(lambda: next(device.glob(f"virtio*/{pattern}"), None), 10)


def disk(name, pattern):
    sh(f"disk_works /dev/{child(name, pattern).name}")


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
    ports = child(name, "virtio-ports")
    # The console is a port as well, but has no name.
    port = wait_for(lambda: next(ports.glob("*/name"), None)).parent.name
    for node, file in ((port, f"{name}-port"), ("hvc0", f"{name}-con")):
        with open(f"/dev/{node}", "wb", buffering=0) as stream:
            stream.write(f"hello from {node}\n".encode())
        wait_for(lambda: f"hello from {node}" in (BATON_RUN / file).read_text())


def ninep(name):
    sh(f"mount -t 9p -o trans=virtio,version=9p2000.L,ro {name} /mnt")
    try:
        sh(f"cmp /mnt/vm/lib.sh {HERE}/lib.sh")
    finally:
        sh("umount /mnt")


KERNEL = {"net0": net, "blk0": blk, "scsi0": scsi, "rng0": rng, "crypto0": crypto,
          "console0": console, "ninep0": ninep}
USER = "net0", "blk0", "crypto0"
LEFT_OUT = {"scsi0": ("kasan", "its driver is left out there: see tools/lab/vm"),
            "crypto0": ("-baton-", "debug kernels do not test algorithms")}

ktap_start(len(KERNEL) + len(USER))
for name in KERNEL:
    sh(f"bind_baton {name}; vdpa_add {name} {name}")
for name, works in KERNEL.items():
    if (why := LEFT_OUT.get(name)) and why[0] in platform.release():
        skip(f"{name}: data through virtio_vdpa", why[1])
        continue
    with case(f"{name}: data through virtio_vdpa"):
        vdpa_bind(name, "virtio_vdpa")
        assert vdpa_read(name, "owner") == "kernel"
        works(name)
        assert interrupt_count(name), "no interrupt of ours came"
        sh(f"vdpa_unbind {name}")
        assert vdpa_read(name, "state") == "blocked" and not bus_master(name)
for name in USER:
    with case(f"{name}: data through vhost_vdpa"):
        exercise(user_node(name))
        assert vdpa_read(name, "state") == "blocked" and not bus_master(name)
ktap_finish()
