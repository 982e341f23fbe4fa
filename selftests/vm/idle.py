#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C1, held from probe to remove: a function that nobody owns sits in an empty domain. Here somebody
# drives it past baton, through the window to its registers in PCI configuration space, bus
# mastering switched on by hand: a request with physical addresses. The same does reach memory as
# long as no driver has the function, since iommu=pt maps all of it for the kernel.
#
#   this process --- PCI configuration space --- blk0 --- nobody, or baton_pci (idle)
#
# topology: blk@intel-pt
# timeout: 120
import mmap

from lib import *
from registers import COMMON, NOTIFY, Registers
from vhost_vdpa import *

CANARY = b"\x5a" * PAGE
DESC, AVAIL, USED, HEAD, STATUS = 0, 0x400, 0x800, 0xc00, 0xc40     # in the first page


class Attack:
    """A read from the disk into a page, by physical addresses."""

    def __init__(self):
        self.mem = Memory(2 * PAGE)
        self.mem.bytes.madvise(mmap.MADV_NOHUGEPAGE)
        self.mem.bytes[:] = bytes(PAGE) + CANARY
        self.ring, self.page = (physical(self.mem.address + at) for at in (0, PAGE))

    def prepare(self):
        """One request in the ring."""
        self.mem.bytes[:] = bytes(PAGE) + CANARY
        for i, (address, length, flags) in enumerate((
                (self.ring + HEAD, 16, 1), (self.page, PAGE, 3), (self.ring + STATUS, 1, 2))):
            struct.pack_into("<QIHH", self.mem.bytes, DESC + 16 * i, address, length, flags, i + 1)
        self.mem.bytes[STATUS] = 0xff
        struct.pack_into("<HHH", self.mem.bytes, AVAIL, 0, 1, 0)

    def run(self):
        """virtio 1.2, 3.1.1, by hand."""
        registers = Registers("blk0")
        common = lambda offset, form, value: registers.write(COMMON, offset, form, value)
        self.prepare()
        sh("setpci -s $(fn_address blk0) COMMAND=0x6:0x6")
        for status in 0, 1, 3:
            common(20, "B", status)
        for half, features in enumerate((0, USUAL >> 32)):
            common(8, "<I", half)
            common(12, "<I", features)
        common(20, "B", 11)
        common(22, "<H", 0)                         # queue 0
        common(24, "<H", 64)
        for offset, address in ((32, self.ring + DESC), (40, self.ring + AVAIL),
                                (48, self.ring + USED)):
            common(offset, "<I", address & 0xffffffff)
            common(offset + 4, "<I", address >> 32)
        common(28, "<H", 1)
        common(20, "B", 15)
        assert bus_master("blk0") and registers.read(COMMON, 20) == 15
        multiplier = registers.pci(registers.caps[NOTIFY][0] + 16, "<I")
        registers.write(NOTIFY, registers.read(COMMON, 30, "<H") * multiplier, "<H", 0)
        with contextlib.suppress(TimeoutError):
            wait_for(lambda: self.mem.bytes[STATUS] != 0xff, 1)
        common(20, "B", 0)
        sh("setpci -s $(fn_address blk0) COMMAND=0:0x4")
        return self.mem.bytes[PAGE:] == CANARY and self.mem.bytes[STATUS] == 0xff


def main():
    ktap_start(6)
    expect_log(FAULT.pattern)
    expect_log("DMAR: DRHD: handling fault status")
    attack = Attack()

    sh("echo $(fn_address blk0) >$(fn_dir blk0)/driver/unbind")
    ok("without any driver the attack reaches memory", not attack.run())
    equal("and the IOMMU does not mind", faults(), 0)

    sh("bind_baton blk0; vdpa_add v0 blk0")
    ok("idle: it does not", attack.run())
    with case("and the IOMMU has recorded it"):
        wait_for(lambda: kernel_log_count(rf"{function('blk0')[5:]}\] fault addr "
                                          rf"{attack.ring:#x} "))
    user_node("v0")
    ok("bound to vhost_vdpa: nor does it", attack.run())
    with case("the function still works"):
        exercise(user_node("v0"))
    ktap_finish()


main()
