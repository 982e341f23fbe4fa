#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C2, C4, C6: a user who owns a function makes it read and write wherever descriptors can point: at
# nothing, at the kernel's memory, at another process's, at its own that it has just unmapped or
# mapped for reading only, and at interrupts that are not its own. Each time the IOMMU records a
# fault, nothing is written and nothing leaks to the disk; the machine goes on, and so does the
# function.
#
#   blk0 --- baton_pci --- v0 --- vhost_vdpa --- this process; another one holds the canary
#
# That the IOMMU can be blamed, and not a wrong address: the same request works on mapped memory.
#
# shares: its VM
# topology: blk ats blk@amd blk@virtio
# timeout: 200
from lib import *
from vhost_vdpa import *

IOMMU = (BATON_RUN / "topology").read_text().split()[1]
INTEL = IOMMU == "intel"
OUT, IN = 1, 0                  # virtio-blk: to the disk, from the disk
CANARY = b"\x5a" * PAGE
ON_DISK = b"\xa5" * PAGE
NOWHERE = 0x40000000            # mapped by nobody, below any reserved region


class Canary:
    """A page of another process, which tells what it holds when asked."""

    def __init__(self):
        here, there = os.pipe2(0), os.pipe2(0)
        self.pid = os.fork()
        if not self.pid:
            mem = Memory(PAGE)
            mem.bytes[:] = CANARY
            os.write(there[1], struct.pack("Q", mem.address))
            while os.read(here[0], 1):
                os.write(there[1], mem.bytes[:])
            os._exit(0)
        self.ask, self.answer = here[1], there[0]
        self.physical = physical(struct.unpack("Q", os.read(self.answer, 8))[0], self.pid)

    def alive(self):
        os.write(self.ask, b"?")
        return os.read(self.answer, PAGE) == CANARY


def kernel_code():
    """Physical address of the kernel itself."""
    with open("/proc/iomem", encoding="utf-8") as resources:
        for line in resources:
            if "Kernel code" in line:
                return int(line.split("-")[0], 16)
    raise KeyError("Kernel code")


def transfer(blk, kind, address, length=PAGE):
    """Have the disk read or written from or to any address. It may fail as it likes."""
    blk.mem.bytes[blk.head:blk.head + 16] = struct.pack("<IIQ", kind, 0, 0)
    base = blk.mem.iova
    blk.queue.post([(base + blk.head, 16, READ), (address, length, kind == IN),
                    (base + blk.status, 1, WRITE)])
    blk.queue.kick()
    try:
        blk.queue.wait(2)
    except TimeoutError:
        note("the device does not answer any more")


def recorded(address):
    """How often has the IOMMU complained about this address? (The others than Intel's record each
    word of a transfer, soon too many for the log, and QEMU's AMD IOMMU calls every address 0.)"""
    return kernel_log_count(rf"DMAR: .*{function('blk0')[5:]}\] fault addr {address:#x} "
                            if INTEL else FAULT.pattern)


def pace(last=[0]):
    """The kernel records no more than three faults in five seconds; so take that time."""
    time.sleep(max(0, last[0] + 1.7 - time.monotonic()))
    last[0] = time.monotonic()


def faults_at(address, kind):
    """Provoke a fault until it is on record (the kernel limits their rate, and so does the IOMMU)
    and see that nothing came of it."""
    before = recorded(address)

    def provoke():
        with Device(NODE) as dev:
            blk = Blk(dev)
            blk.write(0, ON_DISK)
            pace()
            transfer(blk, kind, address)
        return recorded(address) > before or (before and not INTEL)
    wait_for(provoke, 15)
    assert canary.alive(), "the canary is dead"
    with Device(NODE) as dev:
        disk = Blk(dev).read(0, PAGE)
    assert CANARY[:16] not in disk, "the canary is on the disk"


def just_unmapped(kind):
    """Use memory, so that its translation is cached wherever it can be; then unmap it. Until the
    fault is on record, as in faults_at()."""
    wait_for(lambda: unmap_and_use(kind), 30)


def unmap_and_use(kind):
    iova = NOWHERE
    with Device(NODE) as dev:
        blk = Blk(dev)
        blk.write(0, ON_DISK)
        mem = Memory(PAGE).map(dev, iova)
        mem.bytes[:] = bytes(PAGE)
        transfer(blk, IN, iova)
        assert mem.bytes[:] == ON_DISK, "it did not even work while it was mapped"
        mem.bytes[:] = CANARY
        before = recorded(iova)
        pace()
        dev.unmap(iova, PAGE)
        transfer(blk, kind, iova)
        assert mem.bytes[:] == CANARY, "memory was written after it had been unmapped"
    with Device(NODE) as dev:
        assert CANARY[:16] not in Blk(dev).read(0, PAGE), "it was read after it had been unmapped"
    return not INTEL or recorded(iova) > before


def read_only():
    """The device may not write it; that it may read it is seen to work. (In this order: QEMU
    records no fault if it has the translation in its cache.)"""
    with Device(NODE) as dev:
        blk = Blk(dev)
        mem = Memory(PAGE).map(dev, NOWHERE, RO)
        mem.bytes[:] = CANARY
        blk.write(0, ON_DISK)
        before = recorded(NOWHERE)

        def provoke():
            pace()
            transfer(blk, IN, NOWHERE)
            return not INTEL or recorded(NOWHERE) > before
        wait_for(provoke, 30)
        for again in False, True:
            assert mem.bytes[:] == CANARY, "memory was written that was mapped for reading only"
            transfer(blk, OUT, NOWHERE)
            assert blk.read(0, PAGE) == CANARY, "the device could not read it"
            blk.write(0, ON_DISK)
            if not again:
                transfer(blk, IN, NOWHERE)
        blk.write(0, bytes(PAGE))


def forge_interrupt():
    """A message in the interrupt window, in remappable format, for an entry of the table that does
    not exist. This much QEMU checks; real VT-d also refuses entries of other functions (QEMU does
    not say who sent what is not an MSI-X vector) and messages in the old format."""
    index = 0x7000
    with Device(NODE) as dev:
        blk = Blk(dev)
        blk.mem.bytes[blk.head:blk.head + 16] = struct.pack("<IIQ", IN, 0, 0)
        base = blk.mem.iova
        pace()
        blk.queue.post([(base + blk.head, 16, READ), (0xfee00010 | index << 5, 4, WRITE),
                        (base + blk.data, 508, WRITE), (base + blk.status, 1, WRITE)])
        blk.queue.kick()
        wait_for(lambda: kernel_log_count(rf"INTR-REMAP.* index {index:#x} "))
        blk.queue.wait()


def main():
    global NODE, canary
    ktap_start(14)
    expect_log(FAULT.pattern)
    if INTEL:
        expect_log("DMAR: DRHD: handling fault status")
    if IOMMU == "virtio":
        expect_log("Setting dangerous option allow_unsafe_interrupts - tainting kernel")
        sh("baton_reload allow_unsafe_interrupts=1")
    canary = Canary()
    sh("bind_baton blk0; vdpa_add v0 blk0")
    NODE = user_node("v0")
    exercise(NODE)

    for what, address in (("unmapped memory", NOWHERE), ("another process", canary.physical),
                          ("the kernel", kernel_code())):
        for kind, verb in ((IN, "written"), (OUT, "read")):
            with case(f"{what} cannot be {verb}"):
                faults_at(address, kind)
    for kind, verb in ((IN, "written"), (OUT, "read")):
        with case(f"just unmapped memory cannot be {verb}"):
            just_unmapped(kind)
    with case("memory mapped for reading can be read and not written"):
        read_only()
    if INTEL:
        expect_log("DMAR: .INTR-REMAP. ")
        with case("an interrupt that is not its own cannot be sent"):
            forge_interrupt()
    else:
        skip("an interrupt that is not its own cannot be sent", f"QEMU's {IOMMU} has no such check")

    ok("the canary is alive", canary.alive())
    with case("the next user finds a working function"):
        exercise(NODE)
    with case("and so does the kernel"):
        sh("vdpa_bind v0 virtio_vdpa; fio --name=rw --filename=/dev/$(vdpa_disk v0) --rw=randrw "
           "--size=1M --bs=4k --verify=crc32c --direct=1 --ioengine=psync")
    equal("nothing stays mapped", vdpa_read("v0", "mapped_bytes"), "0")
    ktap_finish()


main()
