# SPDX-License-Identifier: GPL-2.0-only
"""A virtio-pci function's registers, seen past whatever driver it has.

virtio 1.2, 4.1.4.9: a capability in PCI configuration space is a window to the registers, one
access of 1, 2 or 4 bytes at a time. Reading through it disturbs no driver, as long as nobody else
uses the window (the kernel never does).

QEMU's Arm machine ends with a failed assertion when that window is used: it looks for the BAR in an address
space, and there only aliases of it are in one. There the BAR is mapped (sysfs, `iomem=relaxed`).
"""

import ctypes
import mmap
import os
import platform
import struct

from lib import function

COMMON, NOTIFY, ISR, DEVICE, WINDOW = 1, 2, 3, 4, 5
VENDOR_CAPABILITY = 9


MAPPED = platform.machine() == "aarch64"
WIDTHS = {1: ctypes.c_uint8, 2: ctypes.c_uint16, 4: ctypes.c_uint32}


class Registers:
    def __init__(self, name):
        self.dir = f"/sys/bus/pci/devices/{function(name)}"
        self.bars = {}
        self.fd = os.open(f"{self.dir}/config", os.O_RDWR)
        self.caps = {}          # kind: (where the capability is, BAR, offset in it, length)
        at = self.pci(0x34, "B")
        while at:
            vendor, following, _, kind, bar = struct.unpack("5B", os.pread(self.fd, 5, at))
            if vendor == VENDOR_CAPABILITY:
                self.caps.setdefault(kind, (at, bar, self.pci(at + 8, "<I"),
                                            self.pci(at + 12, "<I")))
            at = following
        self.window = self.caps[WINDOW][0]

    def pci(self, offset, form):
        return struct.unpack(form, os.pread(self.fd, struct.calcsize(form), offset))[0]

    def mapped(self, kind, offset, form):
        """A register, as what is read and written in one access (of its width)."""
        _, bar, base, _ = self.caps[kind]
        if bar not in self.bars:
            fd = os.open(f"{self.dir}/resource{bar}", os.O_RDWR)
            self.bars[bar] = mmap.mmap(fd, os.fstat(fd).st_size)
            os.close(fd)
        return WIDTHS[struct.calcsize(form)].from_buffer(self.bars[bar], base + offset)

    def read(self, kind, offset, form="B"):
        if MAPPED:
            return self.mapped(kind, offset, form).value
        _, bar, base, _ = self.caps[kind]
        os.pwrite(self.fd, bytes([bar]), self.window + 4)
        os.pwrite(self.fd, struct.pack("<I", base + offset), self.window + 8)
        os.pwrite(self.fd, struct.pack("<I", struct.calcsize(form)), self.window + 12)
        return self.pci(self.window + 16, form)

    def write(self, kind, offset, form, value):
        if MAPPED:
            self.mapped(kind, offset, form).value = value
            return
        _, bar, base, _ = self.caps[kind]
        os.pwrite(self.fd, bytes([bar]), self.window + 4)
        os.pwrite(self.fd, struct.pack("<I", base + offset), self.window + 8)
        os.pwrite(self.fd, struct.pack("<I", struct.calcsize(form)), self.window + 12)
        os.pwrite(self.fd, struct.pack(form, value), self.window + 16)

    def features(self):
        """What the device offers. Writes the register that selects a half: not for use while a
        driver reads them as well."""
        offered = 0
        for half in 0, 1:
            self.write(COMMON, 0, "<I", half)
            offered |= self.read(COMMON, 4, "<I") << 32 * half
        return offered

    def accepted(self):
        """What the driver accepted; as for features()."""
        taken = 0
        for half in 0, 1:
            self.write(COMMON, 8, "<I", half)
            taken |= self.read(COMMON, 12, "<I") << 32 * half
        return taken

    def status(self):
        return self.read(COMMON, 20)

    def config(self, length):
        """Configuration space, byte by byte."""
        return bytes(self.read(DEVICE, offset) for offset in range(length))
