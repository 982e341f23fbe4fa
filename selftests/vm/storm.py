#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C1, C2, C3, C8, C9, with everybody at once: consumers are bound and unbound, users open, map, run and
# close or are killed, the function is reset by others, vDPA devices and functions come and go, and
# attributes are read, each by a process of its own that makes random choices. Nobody hangs, nothing is
# left behind, the IOMMU has no fault on record, and both functions work afterwards.
#
#   net0 --- root port --- baton_pci --- v0 ---.
#   blk0 --- root port --- baton_pci --- v1 ---'-- binder, users, killer, mapper, reader, resetter, ...
#
# One minute, two on debug kernels; BATON_STORM_SECONDS (`make storm SECONDS=600`) asks for more.
# BATON_SEED=N has each process choose as it did before; which of them comes first is up to the scheduler.
#
# shares: its VM
# topology: hotplug
# cpus: 2
# timeout: 220
import fcntl
import mmap
import random
import signal
import socket

from leftovers import msi_interrupts
from lib import *
from netlink import Vdpa
from vhost_vdpa import *

SECONDS = int(os.environ.get("BATON_STORM_SECONDS", 60 * min(SLOWER, 2)))
PCI = pathlib.Path("/sys/bus/pci")
FUNCTIONS = {"v0": "net0", "v1": "blk0"}
IFF_UP, IFF_PROMISC, SIOCGIFFLAGS, SIOCSIFFLAGS = 1, 0x100, 0x8913, 0x8914
# What goes wrong when somebody else was faster.
USUAL_TROUBLE = (OSError, RuntimeError, AssertionError, ValueError, TimeoutError, StopIteration)


def address(name):
    return pathlib.Path(PCI / "devices" / function(FUNCTIONS[name]))


def node(name):
    return f"/dev/{next((VDPA / name).glob('vhost-vdpa-*')).name}"


@contextlib.contextmanager
def turn(kind):
    """vhost_vdpa offers a device to users before it has finished its probe, and oopses in complete() if one
    has closed it by then: nobody opens while the binder binds."""
    with open("/tmp/turn", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, kind)
        yield


def opened(name):
    with turn(fcntl.LOCK_SH):
        return Device(node(name))


# -- what each does, again and again ----------------------------------------------------------

def binder(rng):
    name = rng.choice(list(FUNCTIONS))
    # Users and the kernel in turn, and nobody at times.
    if rng.random() < 0.2:
        (VDPA / name / "driver/unbind").write_text(name)
    else:
        with turn(fcntl.LOCK_EX):
            vdpa_bind(name, rng.choice(("virtio_vdpa", "vhost_vdpa", "vhost_vdpa")))
    time.sleep(rng.random() * 0.3)


def session(rng):
    """A user who gets as far as chance has it."""
    name = rng.choice(list(FUNCTIONS))
    far = rng.randrange(5)
    with opened(name) as dev:
        if far == 0:
            return
        dev.start()
        if far == 1:
            dev.set_status(rng.randrange(256))
            return
        mem = Memory(1 << 18).map(dev, 0x100000)
        dev.negotiate(USUAL)
        if far == 2:
            return
        rings = [SplitQueue(dev, i, 64, mem) for i in range(1 + (name == "v0"))]
        for ring in rings:
            ring.enable()
        dev.run()
        for _ in range(rng.randrange(20)):
            if name == "v0":
                rings[1].post([(mem.iova + 0x20000, 72, READ)])
            rings[-1].kick()
            time.sleep(0.005)
        if far == 3:
            dev.reset()


def killer(rng):
    pid = os.fork()
    if not pid:
        try:
            while True:
                with contextlib.suppress(*USUAL_TROUBLE):
                    session(rng)
                time.sleep(0.01)
        finally:
            os._exit(0)
    time.sleep(rng.random() * 0.5)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def mapper(rng):
    """Maps and unmaps while it does not own the function, and while it does."""
    with opened(rng.choice(list(FUNCTIONS))) as dev:
        dev.start()
        mem = Memory(1 << 18)
        dev.negotiate(USUAL)
        if rng.random() < 0.5:
            dev.run()
        for _ in range(rng.randrange(40)):
            page = rng.randrange(64)
            with contextlib.suppress(OSError):
                if rng.random() < 0.6:
                    dev.map(0x100000 + page * PAGE, rng.randint(1, 64 - page) * PAGE,
                            mem.address + page * PAGE, rng.choice((RO, WO, RW)), rng.randrange(2))
                else:
                    dev.unmap(0x100000 + page * PAGE, rng.randint(1, 64) * PAGE, rng.randrange(2))
        if rng.random() < 0.3:
            dev.set_group_asid(rng.randrange(2), rng.randrange(2))


def reader(rng):
    for name in FUNCTIONS:
        for path in sorted((VDPA / name / "baton").iterdir()):
            with contextlib.suppress(OSError):
                path.read_text()
    pathlib.Path("/proc/interrupts").read_text()
    with contextlib.suppress(OSError):
        (VDPA / "v0/baton/policy").write_text(rng.choice(("strict", "permissive", "default")))
    time.sleep(rng.random() * 0.05)


def resetter(rng):
    # Without suspend in the kernel, a disk's driver cannot step aside, and waits for ever.
    names = ("v0", "v0", "v1") if pathlib.Path("/sys/power/pm_async").exists() else ("v0",)
    (address(rng.choice(names)) / "reset").write_text("1")
    time.sleep(rng.random() * 0.5)


def adder(rng):
    name = rng.choice(list(FUNCTIONS))
    vdpa = Vdpa()
    try:
        if (VDPA / name).exists():
            vdpa.delete(name)
        time.sleep(rng.random() * 0.2)
        vdpa.add(name, address(name).name)
    finally:
        vdpa.socket.close()
    time.sleep(rng.random())


def prober(rng):
    """The function itself comes and goes."""
    name = rng.choice(list(FUNCTIONS))
    with contextlib.suppress(OSError):
        (address(name) / "driver/unbind").write_text(address(name).name)
    (PCI / "drivers_probe").write_text(address(name).name)
    time.sleep(1 + 2 * rng.random())


def netdev_user(rng):
    """What the kernel's driver is told to do: up, down, promiscuous; and packets."""
    netdev = next(address("v0").glob("virtio*/net/*")).name.encode()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        flags = rng.choice((IFF_UP, IFF_UP, IFF_UP | IFF_PROMISC, 0))
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", netdev, flags))
        sock.bind((netdev.decode(), 0))
        for _ in range(rng.randrange(20)):
            sock.send(b"\xff" * 12 + b"\x88\xb5" + bytes(64))


def disk_user(rng):
    """Reads; the disk may go away meanwhile."""
    disk = next(address("v1").glob("virtio*/block/*")).name
    fd = os.open(f"/dev/{disk}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for _ in range(rng.randrange(10)):
            os.pread(fd, 65536, rng.randrange(1024) * 4096)
    finally:
        os.close(fd)


ACTORS = (binder, session, session, killer, mapper, reader, resetter, adder, prober, netdev_user,
          disk_user)


# -- the storm --------------------------------------------------------------------------------

class Counts:
    """For each actor, how often it acted, and how often without trouble: shared by all processes."""

    def __init__(self):
        self.memory = mmap.mmap(-1, PAGE)
        self.words = memoryview(self.memory).cast("Q")

    def tried(self, actor): return self.words[2 * actor]
    def done(self, actor): return self.words[2 * actor + 1]


def act(number, first, end):
    rng = random.Random(first * 1000 + number)
    while time.monotonic() < end:
        counts.words[2 * number] += 1
        try:
            ACTORS[number](rng)
            counts.words[2 * number + 1] += 1
        except USUAL_TROUBLE:
            time.sleep(0.02)


def storm(first):
    end = time.monotonic() + SECONDS
    pids = {}
    for number in range(len(ACTORS)):
        pid = os.fork()
        if not pid:
            try:
                act(number, first, end)
                os._exit(0)
            except BaseException:       # what nobody expected
                traceback.print_exc(file=sys.stdout)
                sys.stdout.flush()
                os._exit(1)
        pids[pid] = number
    strange = []
    # Who waits for somebody that hangs, hangs as well.
    late = end + 30 * SLOWER
    while pids and time.monotonic() < late:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            time.sleep(0.1)
        elif (number := pids.pop(pid, None)) is not None and status:
            strange.append(f"{ACTORS[number].__name__}: status {status:#x}")
    for pid, number in pids.items():
        stack = pathlib.Path(f"/proc/{pid}/stack").read_text()
        strange.append(f"{ACTORS[number].__name__} hangs:\n{stack}")
    assert not strange, "\n".join(strange)


def calm():
    """As it was before."""
    vdpa = Vdpa()
    for name, fn in FUNCTIONS.items():
        if not (address(name) / "driver").exists():
            sh(f"bind_baton {fn}")
        if not (VDPA / name).exists():
            vdpa.add(name, address(name).name)
        if (VDPA / name / "driver").exists():
            (VDPA / name / "driver/unbind").write_text(name)
        (VDPA / name / "baton/policy").write_text("default")
        stands = [vdpa_read(name, attribute) for attribute in ("owner", "state", "mapped_bytes")]
        assert stands == ["none", "blocked", "0"] and not bus_master(fn), stands
    vdpa.socket.close()


def works():
    for name in FUNCTIONS:
        exercise(user_node(name))
    sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings; vdpa_unbind v0")
    sh("vdpa_bind v1 virtio_vdpa; disk_works /dev/$(vdpa_disk v1); vdpa_unbind v1")


def main():
    global counts
    ktap_start(6)
    # What baton and the kernel's drivers say when somebody else was faster.
    expect_log(r"was reset under its|failed under the kernel's driver|its virtio driver was bound anew|baton_pci .*(refused|exceed|to be reset|makes no sense|is not mapped)|"
               r"callbacks suppressed|virtio_(net|blk) virtio\d+:|virtio\d+: |Unexpected TXQ|"
               r"net eth\d+: |no iotlb for asid|I/O error|Buffer I/O|unable to read (partition|RDB block)|"
               r"virtio_vdpa|control queue failed|block device autoloading is deprecated|"
               # Bound in the very moment in which it is deleted.
               r"vhost_vdpa v\d: probe with driver vhost_vdpa failed with error -22")
    for fn in FUNCTIONS.values():
        sh(f"bind_baton {fn}")
    calm()
    works()
    before = pinned(), msi_interrupts()
    counts = Counts()
    with case(f"{SECONDS} seconds"):
        storm(seed())
    for number, actor in enumerate(ACTORS):
        note(f"{actor.__name__}: {counts.tried(number)} times, {counts.done(number)} to the end")
    idle = [actor.__name__ for number, actor in enumerate(ACTORS) if not counts.done(number)]
    equal("everybody got something done", idle, [])
    with case("calm again"):
        calm()
    with case("nothing stays pinned, interrupts as before"):
        wait_for(lambda: pinned() <= before[0])
        assert msi_interrupts() == before[1], msi_interrupts() ^ before[1]
    equal("no faults", faults(), 0)
    with case("both functions work"):
        works()
    ktap_finish()


main()
