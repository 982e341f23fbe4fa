#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C4, unmap before release: a page stays allocated until the function cannot reach it any more, even
# if the user and vhost_vdpa have both let go of it. C6, reserved regions and bad requests are
# refused before the IOMMU core sees them, and a request that fails half way leaves nothing behind.
# C7, the user's domain holds what the user mapped, and nothing else.
#
#   blk0 --- baton_pci --- v0 --- vhost_vdpa --- this process
#
# Witnesses: the IOMMU core's map and unmap tracepoints; and for pages their reference counts, read
# by probes from the kernel's array of struct page at the very moment when a translation is removed.
#
# shares: its VM
# topology: blk blk@amd
# timeout: 150
import mmap
import platform
import random
import signal

from lib import *
from vhost_vdpa import *

IOVA = 0x40000000
ARM = platform.machine() == "aarch64"
# Where functions write their interrupts: on Arm that is an address like others, and translated; what
# a domain keeps free for it is Linux's choice, what is there the machine's.
MSI_WINDOW = 0x8000000 if ARM else 0xfee00000
ITS = 0x8080000
# A pinned page counts this many references at once (GUP_PIN_COUNTING_BIAS).
PIN = 1024


def pages(number):
    """Memory of small pages, which are not next to each other."""
    mem = Memory(number * PAGE)
    mem.bytes.madvise(mmap.MADV_NOHUGEPAGE)
    for page in random.sample(range(number), number):
        mem.bytes[page * PAGE] = 1
    return mem


def mapped():
    return int(vdpa_read("v0", "mapped_bytes"))


# -- requests ---------------------------------------------------------------------------------

def refused(dev, iova, size, address, perm, reason):
    """The request fails, the IOMMU core does not hear of it, and we say why."""
    with Trace("iommu:map", "baton:baton_refusal") as trace:
        with fails_with(errno.EFAULT, errno.EINVAL):
            dev.map(iova, size, address, perm)
    assert not trace.lines("map"), f"the IOMMU core saw {trace.lines('map')}"
    assert mapped() == 0, f"{mapped()} bytes are mapped"
    if reason:
        assert re.search(reason, vdpa_read("v0", "last_refusal")), vdpa_read("v0", "last_refusal")
        assert len(trace.lines("baton_refusal")) == 1, trace.text


def requests(node):
    expect_log("refused to map 0x")
    mem = pages(2)
    with Device(node) as dev:
        dev.start()
        last = dev.get_iova_range()[1]
        ours, window = r"permission must be", r"touches a reserved region"
        for name, *request in (
                ("no permission", IOVA, PAGE, mem.address, 0, ours),
                ("unknown permission", IOVA, PAGE, mem.address, 4, ours),
                ("start of the MSI window", MSI_WINDOW, PAGE, mem.address, RW, window),
                ("end of the MSI window", MSI_WINDOW + 0xff000, PAGE, mem.address, RO, window),
                # The rest is refused by vhost_vdpa, by what we advertise.
                ("beyond the range", last + 1, PAGE, mem.address, RW, None),
                ("across the range's end", last + 1 - PAGE, 2 * PAGE, mem.address, RW, None),
                ("nothing", IOVA, 0, mem.address, RW, None),
                ("more than there is", PAGE, 2 ** 64 - PAGE, mem.address, RW, None),
                ("memory that is not there", IOVA, PAGE, PAGE, RW, None)):
            if request[0] >> 64:
                skip(f"refused: {name}", "there is nothing beyond")
                continue
            with case(f"refused: {name}"):
                refused(dev, *request)

        with case("refused: overlapping"):
            dev.map(IOVA, 2 * PAGE, mem.address)
            with fails_with(errno.EFAULT):
                dev.map(IOVA + PAGE, PAGE, mem.address)
            assert mapped() == 2 * PAGE
            dev.unmap(IOVA, 2 * PAGE)
            assert mapped() == 0
        with case("misaligned: whole pages, and all of them unmapped again"):
            dev.map(IOVA + 0x100, 0x100, mem.address + 0x100)
            assert mapped() == PAGE
            dev.unmap(IOVA + 0x100, 0x100)
            assert mapped() == 0
        with case("after all that a good request works"):
            dev.map(IOVA, PAGE, mem.address)
            dev.unmap(IOVA, PAGE)


def half_way(node):
    """Two pages that are not next to each other are mapped one after the other; the second one
    would lie in the MSI window."""
    mem = pages(64)
    page = next(i for i in range(63) if physical(mem.address + (i + 1) * PAGE)
                != physical(mem.address + i * PAGE) + PAGE)
    count = Counter(physical(mem.address + page * PAGE))
    alone = count.settled()
    with Device(node) as dev:
        dev.start()
        with Trace("iommu") as trace:
            with fails_with(errno.EFAULT):
                dev.map(MSI_WINDOW - PAGE, 2 * PAGE, mem.address + page * PAGE)
        assert len(trace.lines("map")) == 1, "the first page was not even mapped"
        assert len(trace.lines("unmap")) == 1, "the first page was not unmapped"
        assert mapped() == 0
        assert count.now() == alone, f"{count.now()} references, {alone} before"


# -- pages ------------------------------------------------------------------------------------

class Counter:
    """The reference count of a page: now (sched_yield is probed), and whenever a translation is
    about to be removed from an IO page table, and when it just has been."""

    STRUCT_PAGE, REFCOUNT = 64, 52

    def __init__(self, address):
        where = self.base() + address // PAGE * self.STRUCT_PAGE + self.REFCOUNT
        sched_yield = "__arm64_sys_sched_yield" if ARM else "__x64_sys_sched_yield"
        self.probe("".join(f"{kind}:witness/{name} {function} count=@{where:#x}:s32\n"
                           for kind, name, function in (
                               ("p", "now", sched_yield),
                               ("p", "unmapping", "iommu_unmap_fast"),
                               ("r", "unmapped", "iommu_unmap_fast"))))

    @staticmethod
    def probe(text):
        (TRACING / "set_event").write_text("")
        (TRACING / "kprobe_events").write_text(text)

    @classmethod
    def base(cls):
        """Where the array of struct page begins, which differs from boot to boot: the kernel holds the
        page that it reads for us."""
        cls.probe("p:witness/base unpin_user_pages_dirty_lock page=+0($arg1):x64\n")
        there, here = pages(1), ctypes.create_string_buffer(1)
        with Trace("witness:base") as trace:
            assert ctypes.CDLL(None).process_vm_readv(
                os.getpid(), (ctypes.c_size_t * 2)(ctypes.addressof(here), 1), 1,
                (ctypes.c_size_t * 2)(there.address, 1), 1, 0) == 1
        entry = int(trace.lines("base")[-1].rpartition("=")[2], 16)
        return entry - physical(there.address) // PAGE * cls.STRUCT_PAGE

    @staticmethod
    def counts(lines):
        return [int(line.rpartition("=")[2]) for line in lines]

    def now(self):
        with Trace("witness:now") as trace:
            os.sched_yield()
        return self.counts(trace.lines("now"))[-1]

    def settled(self):
        """New pages wait in lists, with a reference of their own, until those are drained."""
        def drained():
            pathlib.Path("/proc/sys/vm/drop_caches").write_text("1")
            return self.now() == 1
        wait_for(drained)
        return 1


def refused_at_the_end(node):
    """As above, many times: does vhost_vdpa let go of the piece that was refused? That of 6.12.118 does,
    that of 7.3.4 does not ("Memory accounting" in dma-ownership.rst)."""
    mem = pages(64)
    page = next(i for i in range(63) if physical(mem.address + (i + 1) * PAGE)
                != physical(mem.address + i * PAGE) + PAGE)
    before, times = pinned(), 200
    with Device(node) as dev:
        dev.start()
        for _ in range(times):
            with fails_with(errno.EFAULT):
                dev.map(MSI_WINDOW - PAGE, 2 * PAGE, mem.address + page * PAGE)
        assert mapped() == 0
    left = pinned() - before
    note(f"{left} pages stay pinned")
    assert left == 0 or (left == times and not os.uname().release.startswith("6.12")), left


def held_while_mapped(node):
    mem = pages(1)
    count = Counter(physical(mem.address))
    count.settled()
    with Device(node) as dev:
        dev.start()
        dev.map(IOVA, PAGE, mem.address)
        equal("mapped: the process, vhost_vdpa and we hold the page", count.now(), 1 + PIN + 1)
        dev.unmap(IOVA, PAGE)
        equal("unmapped: the process holds the page", count.now(), 1)

        dev.map(IOVA, PAGE, mem.address)
        mem.free()
        equal("freed while mapped: vhost_vdpa and we hold the page", count.now(), PIN + 1)
        with Trace("witness", "iommu:unmap", "baton:baton_unmap") as trace:
            dev.unmap(IOVA, PAGE)
        equal("the translation goes first, then the last reference",
              [name for name, _ in trace.read() if name != "now"],
              ["unmapping", "unmap", "unmapped", "baton_unmap"])
        equal("while there is a translation, there is a page",
              count.counts(trace.lines("unmapping") + trace.lines("unmapped")), [1, 1])


def held_to_the_end(node):
    """The same if the user just dies: then nobody but us is left who could hold the page."""
    mem = pages(1)
    pid = os.fork()
    if not pid:
        mem.bytes[:] = b"x" * PAGE  # its own copy
        dev = Device(node)
        Blk(dev)
        dev.map(IOVA, PAGE, mem.address)
        os.kill(os.getpid(), signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    count = Counter(physical(mem.address, pid))
    with Trace("witness", "iommu:unmap", "baton") as trace:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        wait_for(lambda: mapped() == 0)
    events = [name for name, _ in trace.read()]
    with case("killed: the function is stopped before anything is unmapped"):
        assert vdpa_read("v0", "state") == "blocked"
        assert 0 <= events.index("baton_reset") < events.index("unmap"), events
        # Between the two: the function has lost bus mastering and its domain.
        steps = [line.split()[1] for name, line in trace.read()[:events.index("unmap")]
                 if name == "baton_step"]
        assert steps == ["quiesce", "unmaster", "unvector", "block"], steps
    with case("killed: while there is a translation, there is a page"):
        counts = count.counts(trace.lines("unmapping") + trace.lines("unmapped"))
        assert counts and min(counts) >= 1, counts


# -- the domain -------------------------------------------------------------------------------

def domain_is_the_users(node):
    """Everything that a whole session maps, as the IOMMU core saw it, is what was asked for. On Arm
    the function's doorbell is there as well: a page, for as long as there is the domain."""
    with Trace("iommu:map", "iommu:unmap", "baton:baton_map") as trace:
        exercise(node)
    hexadecimal = r"0x([0-9a-f]+)"
    wanted = [tuple(int(number, 16) for number in re.search(
        rf"iova={hexadecimal} size={hexadecimal} pa={hexadecimal}", line).groups())
        for line in trace.lines("baton_map")]
    done = []
    for line in trace.lines("map"):
        iova, pa, size = re.search(rf"iova={hexadecimal} .*paddr={hexadecimal} size=(\d+)",
                                   line).groups()
        done.append((int(iova, 16), int(size), int(pa, 16)))
    assert wanted, "nothing was mapped"
    if ARM:
        bells = [entry for entry in done if entry not in wanted]
        assert [(size, pa) for _, size, pa in bells] == [(PAGE, ITS + 0x10000)], bells
        assert MSI_WINDOW <= bells[0][0] < MSI_WINDOW + 0x100000, bells
        done.remove(bells[0])
    assert done == wanted, f"IOMMU {done}\nours {wanted}"
    unmaps = [re.search(rf"iova={hexadecimal}", line)[1] for line in trace.lines("unmap")]
    assert sorted(int(iova, 16) for iova in unmaps) == sorted(iova for iova, _, _ in wanted)


def main():
    ktap_start(23)
    sh("bind_baton blk0; vdpa_add v0 blk0")
    node = user_node("v0")
    requests(node)
    with case("a request that fails half way leaves nothing behind"):
        half_way(node)
    with case("nothing stays pinned but what that kernel's vhost_vdpa forgets"):
        refused_at_the_end(node)
    held_while_mapped(node)
    held_to_the_end(node)
    with case("the user's domain holds what the user mapped"):
        # A new domain.
        node = user_node("v0")
        domain_is_the_users(node)
    with case("the function still works"):
        exercise(node)
    ktap_finish()


main()
