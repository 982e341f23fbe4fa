#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C4, C14: a guest's memory of any kind, and more of it that comes and goes under traffic, on its own
# rings and relayed: pages of 2 MiB; DIMMs plugged and unplugged; behind a vIOMMU, which iPXE, the
# guest, leaves as it is, so that it translates nothing. BATON_CYCLES=1 asks for pages of 4 KiB as well, and
# for one of 1 GiB where there is one (--topology bench).
#
#   net0 --- baton_pci --- v0 --- vhost_vdpa --- QEMU (TCG, in this VM) --- SeaBIOS, iPXE
#
# shares: its VM
# topology: net
# timeout: 300
from lib import *
from qemu import PC, Guest

Q35 = "q35,graphics=off"
DIMM = 32 << 20
GIGANTIC = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages")
# Of QEMU's ACPI, in ports: which DIMM, and what becomes of it (8: it is ejected).
SLOT, EJECT = 0xa00, 0xa14


def page_size(guest):
    """In KiB, of the guest's memory, as the kernel has it."""
    maps = pathlib.Path(f"/proc/{guest.process.pid}/smaps").read_text()
    return [int(size) for size in re.findall(r"/memfd:.*\nSize:.*\nKernelPageSize: *(\d+) kB", maps)]


def backed(size, how=""):
    return ["-object", f"memory-backend-memfd,id=ram,size={size}M{how}"]


def mapped():
    return int(vdpa_read("v0", "mapped_bytes"))


def plug_and_unplug(guest, slot):
    """The guest's firmware would eject a DIMM that is to go; iPXE runs none of it, so that its ports are
    written to from outside."""
    before = mapped()
    guest.qmp("object-add", **{"qom-type": "memory-backend-ram", "id": f"m{slot}", "size": DIMM})
    guest.qmp("device_add", driver="pc-dimm", id=f"d{slot}", memdev=f"m{slot}", slot=slot)
    wait_for(lambda: mapped() == before + DIMM, 20)
    guest.goes_on()
    guest.qmp("device_del", id=f"d{slot}")
    for port in f"o/w {SLOT} {slot}", f"o/b {EJECT} 8":
        guest.qmp("human-monitor-command", **{"command-line": port})
    wait_for(lambda: mapped() == before, 20)
    guest.qmp("object-del", id=f"m{slot}")
    guest.goes_on()


def relayed():
    return "relayed 1" in sh("vdpa dev vstats show v0 qidx 0")


FULL = "BATON_CYCLES" in os.environ
gigantic = FULL and GIGANTIC.exists() and int(GIGANTIC.read_text())
ktap_start(4 + 2 * FULL + bool(gigantic))
sh("bind_baton net0; vdpa_add v0 net0; vdpa_bind v0 vhost_vdpa; echo 40 >/proc/sys/vm/nr_hugepages")
with Guest("v0", options=[*backed(64, ",hugetlb=on,hugetlbsize=2M"), "-device", "intel-iommu,caching-mode=on"],
           machine=f"{Q35},memory-backend=ram", memory="64,slots=2,maxmem=1G") as guest:
    with case("pages of 2 MiB, behind a vIOMMU: boots"):
        guest.goes_on(120)
        assert page_size(guest) == [2048], page_size(guest)
    with case("memory is plugged and unplugged"):
        plug_and_unplug(guest, 0)
        assert not relayed()
    with case("stopped and continued; memory is plugged and unplugged while it is relayed"):
        guest.stop_and_cont(2)
        assert relayed()
        plug_and_unplug(guest, 0)
        plug_and_unplug(guest, 1)
with case("all of it is given back"):
    wait_for(lambda: not mapped() and re.search("HugePages_Free: *40\n", pathlib.Path("/proc/meminfo").read_text()))
sh("echo 0 >/proc/sys/vm/nr_hugepages")
if FULL:
    with Guest("v0", options=backed(64), machine=f"{PC},memory-backend=ram",
               memory="64,slots=2,maxmem=1G") as guest:
        with case("pages of 4 KiB: boots, is stopped and continued"):
            guest.goes_on(120)
            assert page_size(guest) == [4], page_size(guest)
            guest.stop_and_cont(3)
            assert relayed()
        with case("memory is plugged and unplugged"):
            plug_and_unplug(guest, 1)
if gigantic:
    with case("a page of 1 GiB: boots, is stopped and continued"), \
            Guest("v0", options=backed(1024, ",hugetlb=on,hugetlbsize=1G"),
                  machine=f"{PC},memory-backend=ram", memory="1024") as guest:
        guest.goes_on(120)
        assert page_size(guest) == [1 << 20], page_size(guest)
        guest.stop_and_cont(3)
        assert relayed()
ktap_finish()
