#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# Device-specific configuration space reads the same through vhost_vdpa, at every offset and length,
# as through the function's registers; it has the size that its class has (mainline's vp_vdpa says
# 4096 and reads beyond the end); nothing is written but whole fields that exist, after FEATURES_OK, and
# that belong to a feature which the owner took (C8).
#
#   net0 blk0 scsi0 rng0 crypto0 console0 ninep0 --- baton_pci --- vhost_vdpa --- this process
#
# shares: its VM
# topology: classes
# timeout: 120
from lib import *
from registers import Registers
from vhost_vdpa import *

# The size of each class's structure (virtio 1.2, chapter 5, and zoned blk), and how much of it these
# devices have: what belongs to features that they do not offer reads 0. 9p has as much as its tag
# needs; what is shown of it is as much as can be reached.
SPACES = {"net0": (24, 8), "blk0": (96, 60), "scsi0": (36, 36), "rng0": (0, 0), "crypto0": (56, 56),
          "console0": (12, 8), "ninep0": (4096, 8)}
BLK_SIZE = 96
BLK_WRITEBACK = 32

def raw(name, present):
    """What the function's registers hold, as far as they mean anything."""
    return Registers(name).config(present)


def check_reads(dev, size):
    """Every offset, with lengths from one byte to all that is left; return the whole."""
    whole = dev.get_config(0, size) if size else b""
    for offset in range(min(size, 128)):
        left = size - offset
        for length in sorted({*range(1, min(left, 16) + 1), left}):
            got = dev.get_config(offset, length)
            assert got == whole[offset:offset + length], f"{length} bytes at {offset}: {got.hex()}"
    return whole


def check_refusals(dev, size):
    for offset, length in ((0, 0), (0, size + 1), (size, 1), (size + 1, 1), (1, size), (0, 1 << 20),
                           (0xffffffff, 1)):
        with fails_with(errno.EINVAL):
            dev.get_config(offset, length)
        with fails_with(errno.EINVAL):
            dev.set_config(offset, bytes(length))


ktap_start(2 * len(SPACES) + 8)
nodes = {}
for name, (wanted, present) in SPACES.items():
    sh(f"bind_baton {name}; vdpa_add {name} {name}")
    nodes[name] = user_node(name)
    with Device(nodes[name]) as dev:
        dev.start()
        size = dev.get_config_size()
        with case(f"{name}: {wanted} bytes read the same everywhere"):
            assert size == wanted, size
            whole, there = check_reads(dev, size), raw(name, present)
            assert whole[:present] == there, f"{whole[:present].hex()} is not {there.hex()}"
            assert not any(whole[present:size if wanted < 4096 else present]), whole.hex()
        with case(f"{name}: reads and writes beyond are refused"):
            check_refusals(dev, size)

with case("a change of configuration is told, and seen"):
    with Device(nodes["net0"]) as dev:
        call = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        Net(dev, features=1 << 16).arp()    # STATUS
        dev.set_config_call(call)
        for word, link in ("off", b"\0\0"), ("on", b"\1\0"):
            sh(f"qmp hmp 'set_link net0 {word}'")
            assert select.select([call], [], [], 5)[0], "no configuration interrupt"
            os.eventfd_read(call)
            assert dev.get_config(6, 2) == link
        os.close(call)

def told_at_start(dev, change=None):
    """Is a driver told of what changes after it has read it, and before there are interrupts?"""
    call = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    dev.set_config_call(call)
    dev.get_config(6, 2)
    if change:
        sh(f"qmp hmp 'set_link net0 {change}'")
    Net(dev, features=1 << 16)
    try:
        return bool(select.select([call], [], [], 0)[0])
    finally:
        os.close(call)


with case("a change just before DRIVER_OK is told, and nothing where there was none"):
    with Device(nodes["net0"]) as dev:
        told_at_start(dev)      # of what came before
    for word in None, "off", "on", None:
        with Device(nodes["net0"]) as dev:
            told = told_at_start(dev, word)
            assert told == bool(word), f"link {word}: {told}"

with case("so it is of a device that does not run, and tells nothing"):
    with Device(nodes["net0"]) as dev:
        for word, link in ("off", b"\0\0"), ("on", b"\1\0"):
            dev.get_config(6, 2)
            sh(f"qmp hmp 'set_link net0 {word}'")
            wait_for(lambda: dev.get_config(6, 2) == link, 1)

with Device(nodes["blk0"]) as dev:
    dev.start()
    before = dev.get_config(0, BLK_SIZE)
    with case("nothing is written before FEATURES_OK"):
        dev.set_config(BLK_WRITEBACK, b"\0")
        assert dev.get_config(0, BLK_SIZE) == before
    dev.negotiate(USUAL | 1 << 11)          # CONFIG_WCE
    for refused in "4 bytes at 2", f"1 bytes at {BLK_WRITEBACK}":
        expect_log(f"configuration write refused: {refused} are not whole fields")
    with case("part of a field is not written"):
        dev.set_config(2, b"\xff" * 4)
        assert dev.get_config(0, BLK_SIZE) == before
    with case("a field that can be written is"):
        dev.set_config(BLK_WRITEBACK, bytes([not before[BLK_WRITEBACK]]))
        after = dev.get_config(0, BLK_SIZE)
        assert after[BLK_WRITEBACK] == (not before[BLK_WRITEBACK])
        assert after[:BLK_WRITEBACK] == before[:BLK_WRITEBACK]
with case("the next owner does not find it"):
    with Device(nodes["blk0"]) as dev:
        assert dev.get_config(0, BLK_SIZE) == before
with case("a field whose feature was not taken, or not provisioned, is not written"):
    with Device(nodes["blk0"]) as dev:
        dev.start()
        dev.negotiate(USUAL)
        dev.set_config(BLK_WRITEBACK, bytes([not before[BLK_WRITEBACK]]))
        assert raw("blk0", BLK_WRITEBACK + 1) == before[:BLK_WRITEBACK + 1]
    sh(f"vdpa_del blk0; vdpa_add blk0 blk0 device_features {USUAL:#x}")
    with Device(user_node("blk0")) as dev:
        dev.start()
        dev.negotiate(USUAL)
        dev.set_config(BLK_WRITEBACK, bytes([not before[BLK_WRITEBACK]]))
        assert raw("blk0", BLK_WRITEBACK + 1) == before[:BLK_WRITEBACK + 1]
ktap_finish()
