#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C3, C4, C9 when memory is short: a sequence that works is run again and again, and each time another
# of its allocations fails (/proc/self/fail-nth), the first, the second, and so on, until it gets through
# untouched. Whoever asked for it, the core of the kernel included. It may fail, in an orderly manner: the
# function is blocked afterwards, without interrupts, nothing stays mapped or pinned, kmemleak finds
# nothing, and the next run works.
#
#   net0 --- root port --- baton_pci --- v0 --- virtio_vdpa, or vhost_vdpa --- this process
#
# topology: hotplug
# kernels: kasan
# timeout: 300
import ctypes
import fcntl
import socket

from leftovers import pages
from lib import *
from netlink import Vdpa
from vhost_vdpa import *

INJECT = pathlib.Path("/sys/kernel/debug")
FUNCTION = pathlib.Path("/sys/bus/pci/devices", function("net0"))
BUS = pathlib.Path("/sys/bus/vdpa")
DRIVERS = pathlib.Path("/sys/bus/pci/drivers")
SIOCSIFHWADDR, ARPHRD_ETHER = 0x8924, 1
MANY = 3000                     # there cannot be so many


class Nth:
    """The allocation that fails."""

    def __init__(self):
        self.fd = os.open("/proc/thread-self/fail-nth", os.O_RDWR)

    def arm(self, number):
        os.pwrite(self.fd, b"%d" % number, 0)

    def disarm(self):
        """Did any fail?"""
        left = int(os.pread(self.fd, 16, 0))
        os.pwrite(self.fd, b"0", 0)
        return left == 0


def inject():
    """Every allocation counts."""
    for kind in "failslab", "fail_page_alloc":
        (INJECT / kind / "ignore-gfp-wait").write_text("N")
        (INJECT / kind / "verbose").write_text("0")
    (INJECT / "fail_page_alloc/min-order").write_text("0")
    # Page faults allocate as well, and are none of our business.
    mcl_current, mcl_future = 1, 2
    assert not ctypes.CDLL(None).mlockall(mcl_current | mcl_future)


def spare(name):
    """But for those that this function of the kernel's asks for, on whatever way."""
    symbols = sorted((int(line.split()[0], 16), line.split()[2]) for line in
                     pathlib.Path("/proc/kallsyms").read_text().splitlines())
    start = next(address for address, symbol in symbols if symbol == name)
    end = next(address for address, _ in symbols if address > start)
    for kind in "failslab", "fail_page_alloc":
        (INJECT / kind / "reject-start").write_text(hex(start))
        (INJECT / kind / "reject-end").write_text(hex(end))


class Files:
    """Files that are open before anything may fail: what is of interest is what writing to them does."""

    def __init__(self):
        self.fds = {}

    def write(self, path, text):
        if path not in self.fds:
            self.fds[path] = os.open(path, os.O_WRONLY)
        os.pwrite(self.fds[path], text.encode(), 0)


def quiet():
    """Nobody has it, and nothing is left. If there was no memory even to block it, it is broken."""
    global broken
    assert vdpa_read("v0", "mapped_bytes") == "0" and not interrupts("net0")
    if vdpa_read("v0", "state") == "broken":
        assert vdpa_read("v0", "owner") == "none" and not bus_master("net0")
        broken += 1
        (FUNCTION / "reset").write_text("1")
    stands = vdpa_read("v0", "owner"), vdpa_read("v0", "state"), bus_master("net0")
    assert stands == ("none", "blocked", False), stands


def sweep(name, before, run, after, check=quiet):
    """Fail each allocation of run() in turn; after() undoes what it has or has not done."""
    global broken
    with case(name):
        number, failures, broken = 0, 0, 0
        start = time.monotonic()
        before()
        run()                   # what is allocated once, is allocated now
        after()
        pins, tables = pinned(), pages()["SecPageTables"]
        while True:
            number += 1
            assert number < MANY, "does not end"
            before()
            nth.arm(number)
            try:
                run()
            except (OSError, ValueError, AssertionError):
                failures += 1
            finally:
                failed = nth.disarm()
            after()
            check()
            if not failed:
                break
        # The lab's own file system pins some for a moment, now and then.
        wait_for(lambda: pinned() <= pins)
        left = pages()["SecPageTables"] - tables
        assert left <= 0, f"{left} bytes of page tables are left"
        before()
        run()
        after()
        check()
        note(f"{number - 1} allocations, {failures} of them vital, {broken} to block it; "
             f"{(time.monotonic() - start) / number * 1000:.0f} ms each")


# -- the sequences ----------------------------------------------------------------------------

def nothing():
    pass


def absent():
    assert not (VDPA / "v0").exists() and not bus_master("net0") and not interrupts("net0")


def add():
    vdpa.add("v0", FUNCTION.name)


def delete():
    if (VDPA / "v0").exists():
        vdpa.delete("v0")


def unbind():
    driver = VDPA / "v0/driver"
    if driver.exists():
        (driver / "unbind").write_text("v0")


def binds(consumer):
    """Bind and unbind."""
    files = Files()

    def before():
        unbind()
        (VDPA / "v0/driver_override").write_text(consumer)

    def run():
        files.write(BUS / "drivers_probe", "v0")
        assert (VDPA / "v0/driver").exists()

    return before, run, unbind


class User:
    """open, map, DRIVER_OK, reset, close."""

    def __init__(self):
        self.mem = Memory(1 << 18)
        self.dev = None

    def run(self):
        self.dev = dev = Device(NODE)
        dev.start()
        self.mem.used = 0
        self.mem.map(dev, 0x100000)
        dev.negotiate(USUAL)
        rx, tx = SplitQueue(dev, 0, 64, self.mem), SplitQueue(dev, 1, 64, self.mem)
        rx.enable()
        tx.enable()
        dev.run()
        tx.post([(self.mem.iova + self.mem.alloc(128), 72, READ)])
        tx.kick()
        tx.wait(poll=True)
        dev.reset()
        dev.unmap(0x100000, self.mem.size)
        dev.close()

    def after(self):
        if self.dev:
            self.dev.close()
        self.dev = None


def control_commands():
    """The kernel's driver sets the MAC address."""
    sh("vdpa_bind v0 virtio_vdpa")
    netdev = wait_for(lambda: list(FUNCTION.glob("virtio*/net/*")))[0]
    mac = bytes.fromhex((netdev / "address").read_text().replace(":", ""))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        def run():
            fcntl.ioctl(sock, SIOCSIFHWADDR, struct.pack("16sH14s8x", netdev.name.encode(),
                                                         ARPHRD_ETHER, mac))

        def check():
            assert vdpa_read("v0", "state") == "kernel", vdpa_read("v0", "state")

        sweep("control commands", nothing, run, nothing, check)
    unbind()


def probes():
    """The function itself is bound to baton_pci, and unbound."""
    files = Files()

    def off():
        if (FUNCTION / "driver").exists():
            (FUNCTION / "driver/unbind").write_text(FUNCTION.name)

    def run():
        files.write(DRIVERS.parent / "drivers_probe", FUNCTION.name)
        assert (FUNCTION / "driver").exists()

    def check():
        assert not bus_master("net0") and not interrupts("net0")

    # ACPICA uses what it has freed when it is short of memory.
    spare("acpi_pci_irq_enable")
    sweep("probe", off, run, off, check)


def main():
    global vdpa, nth, NODE
    ktap_start(8)
    # An interrupt's files in /proc that could not be made are missed when they are to go. Any other
    # splat has a head line of its own, which is not expected.
    expect_log(r"WARNING: .* remove_proc_entry|^name '[\w.:-]+'$|^RIP: 0010:remove_proc_entry|"
               r"^(Modules linked in|CPU: \d+ UID|Tainted:|Code:|RIP: 0033|RSP: |R[A-D]X: |R[BDS][PI]: |"
               r"R\d\d: |FS: |CS: |CR2: |PKRU: |Call Trace:| </?TASK>| (\? )?[\w.]+\+0x|---+\[ )")
    # What the kernel and baton may say: that memory is short, and what they could not do for want of it.
    expect_log("-ENOMEM|callbacks suppressed|with error -(12|16|22|105)$|[Cc]annot allocate|[Ff]ailed to|"
               "[Uu]nable to|out of memory|driver_sysfs_add failed|can not set name|"
               "kobject_add_internal failed|sysctl could not get directory|BAR 4: can't reserve|"
               "is not a modern virtio function: -(EINVAL|EBUSY)|DMAR: (Can't allocate|Domain init)|"
               "can't find and alloc asid|(FEATURES|DRIVER)_OK refused|has to be reset")
    sh("bind_baton net0; vdpa_add v0 net0")
    vdpa, nth = Vdpa(), Nth()
    inject()
    # The IOMMU core takes for granted that a function can go back to its default domain.
    spare("iommu_detach_group")
    NODE = user_node("v0")
    exercise(NODE)

    user = User()
    sweep("open, map, DRIVER_OK, reset, close", nothing, user.run, user.after)
    sweep("bind vhost_vdpa", *binds("vhost_vdpa"))
    sweep("bind virtio_vdpa", *binds("virtio_vdpa"))
    control_commands()
    delete()
    sweep("vdpa dev add", nothing, add, delete, absent)
    sweep("vdpa dev del", add, delete, delete, absent)
    probes()
    with case("then it works"):
        sh("bind_baton net0; vdpa_add v0 net0")
        exercise(user_node("v0"))
        sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings; vdpa_del v0")
    ktap_finish()


main()
