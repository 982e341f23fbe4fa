#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C1, C2, C3, C8, C9, with everybody at once: consumers are bound and unbound, users open, map, run and
# close or are killed, the function is reset by others, vDPA devices and functions come and go, and
# attributes are read, each by a process of its own that makes random choices. Nobody hangs, nothing is
# left behind, the IOMMU has no fault on record, and the functions work afterwards. On three topologies,
# where functions go in other ways as well: slots are emptied; VFs come and go, with their PF and without;
# functions ask to be reset.
#
#   net0, vf0 --- root port --- baton_pci --- v0 ---.
#   blk0, vf1 --- root port --- baton_pci --- v1 ---+-- binder, users, killer, mapper, reader, resetter, ...
#         net0, the PF -------- baton_pci --- v2 ---'
#
# Half a minute, twice that on a debug kernel, and half a minute MORE while somebody has got nothing done, as happens
# on a slow machine; BATON_STORM_SECONDS (`make storm SECONDS=600`) asks for more.
# BATON_SEED=N has each process choose as it did before; which of them comes first is up to the scheduler.
#
# shares: its VM
# topology: hotplug sriov model
# cpus: 2
# timeout: 240
import fcntl
import mmap
import random
import signal
import socket

from leftovers import msi_interrupts
from lib import *
from model import Model
from netlink import Vdpa
from vhost_vdpa import *

PCI = pathlib.Path("/sys/bus/pci")
TOPOLOGY = (BATON_RUN / "topology").read_text().split()[0]
SLOWER_KERNEL = int((BATON_RUN / "kernel").read_text().split()[1])
SECONDS = int(os.environ.get("BATON_STORM_SECONDS", 30 * min(SLOWER_KERNEL, 2)))
MORE = 30
FUNCTIONS = {"v0": "vf0", "v1": "vf1", "v2": "net0"} if TOPOLOGY == "sriov" else {"v0": "net0", "v1": "blk0"}
NETS = [name for name, fn in FUNCTIONS.items() if not fn.startswith("blk")]
DISKS = [name for name in FUNCTIONS if name not in NETS]
# What may be reset. Without suspend in the kernel, a disk's driver cannot step aside, and waits for ever. So it
# does for one that has answered nothing for two seconds, which happens to a model's that gets no turn.
PAUSABLE = NETS + DISKS * (TOPOLOGY != "model" and pathlib.Path("/sys/power/pm_async").exists())
IFF_UP, IFF_PROMISC, SIOCGIFFLAGS, SIOCSIFFLAGS = 1, 0x100, 0x8913, 0x8914
# What goes wrong when somebody else was faster.
USUAL_TROUBLE = (OSError, RuntimeError, AssertionError, ValueError, TimeoutError, StopIteration)


def address(name):
    return pathlib.Path(PCI / "devices" / function(FUNCTIONS[name]))


def node(name):
    return f"/dev/{next((VDPA / name).glob('vhost-vdpa-*')).name}"


@contextlib.contextmanager
def turn(kind, what="open"):
    """What the kernel does not survive if it is done at once. vhost_vdpa offers a device to users before it
    has finished its probe, and oopses in complete() if one has closed it by then: nobody opens while the
    binder binds. And the PCI core takes the lock of a PF and that of its buses in one order when VFs go, and in
    the other when the PF does."""
    with open(f"/tmp/turn-{what}", "w", encoding="utf-8") as lock:
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
        rings = [SplitQueue(dev, i, 64, mem) for i in range(1 + (name in NETS))]
        for ring in rings:
            ring.enable()
        dev.run()
        for _ in range(rng.randrange(20)):
            if name in NETS:
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
    # Where functions come and go, they are hardly ever there all at once.
    there = [path for name in FUNCTIONS for path in sorted((VDPA / name / "baton").glob("*"))]
    for path in there:
        with contextlib.suppress(OSError):
            path.read_text()
    pathlib.Path("/proc/interrupts").read_text()
    with contextlib.suppress(OSError):
        (VDPA / NETS[0] / "baton/policy").write_text(rng.choice(("strict", "permissive", "default")))
    time.sleep(rng.random() * 0.05)


def resetter(rng):
    # What comes back is virtio-pci's for a moment, whose netdev waits for ever if it is reset.
    with turn(fcntl.LOCK_SH, "slots"):
        (address(rng.choice(PAUSABLE)) / "reset").write_text("1")
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


def rebind(name):
    """To baton, whoever has it: what lib.sh's bind_baton does, for those who do it very often."""
    fn = address(name)
    with contextlib.suppress(OSError):
        (fn / "driver/unbind").write_text(fn.name)
    (fn / "driver_override").write_text("baton_pci")
    (PCI / "drivers_probe").write_text(fn.name)


def prober(rng):
    """The function itself comes and goes."""
    rebind(rng.choice(list(FUNCTIONS)))
    time.sleep(1 + 2 * rng.random())


def remover(rng):
    """The bus forgets a function, with its VFs, and finds it again; or its slot is emptied, and filled."""
    name = rng.choice([name for name, fn in FUNCTIONS.items() if not fn.startswith("vf")])
    with turn(fcntl.LOCK_EX, "slots"):
        if TOPOLOGY == "hotplug" and rng.random() < 0.4:
            unplug(name)
        else:
            (address(name) / "remove").write_text("1")
        time.sleep(rng.random())
        come_back()
    time.sleep(2 + 2 * rng.random())


def unplug(name):
    sh(f"qmp device_del id={FUNCTIONS[name]}")
    wait_for(lambda: not address(name).exists(), 20)


def come_back():
    """Whatever is not there; a PF before its VFs, which go with its driver."""
    (PCI / "rescan").write_text("1")
    for name, fn in reversed(FUNCTIONS.items()):
        if not address(name).exists() and fn in PLUGS:
            sh(f"qmp hmp 'device_add {PLUGS[fn]},id={fn},addr=0x0,disable-legacy=on,iommu_platform=on,aer=on'")
            wait_for(address(name).exists, 20)
        elif not address(name).exists():
            (address("v2") / "sriov_drivers_autoprobe").write_text("0")
            (address("v2") / "sriov_numvfs").write_text("2")
        # Without one, this is the name of the link that is not there.
        if (address(name) / "driver").resolve().name != "baton_pci":
            rebind(name)


def vf_changer(rng):
    with turn(fcntl.LOCK_EX, "slots"):
        (address("v2") / "sriov_numvfs").write_text("0")
        time.sleep(rng.random())
        come_back()
    time.sleep(1 + 2 * rng.random())


def breaker(rng):
    """A function asks to be reset, and answers until then, or does not."""
    Model(FUNCTIONS[rng.choice(PAUSABLE)]).do(f"needs_reset {rng.randrange(2)}")
    time.sleep(1 + 2 * rng.random())


def netdev_user(rng):
    """What the kernel's driver is told to do: up, down, promiscuous; and packets."""
    netdev = next(address(rng.choice(NETS)).glob("virtio*/net/*")).name.encode()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        flags = rng.choice((IFF_UP, IFF_UP, IFF_UP | IFF_PROMISC, 0))
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", netdev, flags))
        sock.bind((netdev.decode(), 0))
        for _ in range(rng.randrange(20)):
            sock.send(b"\xff" * 12 + b"\x88\xb5" + bytes(64))


def disk_user(rng):
    """Reads; the disk may go away meanwhile."""
    disk = next(address(rng.choice(DISKS)).glob("virtio*/block/*")).name
    fd = os.open(f"/dev/{disk}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for _ in range(rng.randrange(10)):
            os.pread(fd, 65536, rng.randrange(1024) * 4096)
    finally:
        os.close(fd)


ACTORS = [binder, session, session, killer, mapper, reader, resetter, adder, prober, netdev_user]
ACTORS += {"hotplug": [disk_user, remover], "sriov": [remover, vf_changer], "model": [disk_user, breaker]}[TOPOLOGY]
# What is plugged into a slot again.
PLUGS = {"net0": "virtio-net-pci,bus=rp0,netdev=net0-be,mac=52:54:00:6e:00:00,page-per-vq=on",
         "blk0": "virtio-blk-pci,bus=rp1,drive=blk0-be,serial=blk0,num-queues=2"} if TOPOLOGY == "hotplug" else {}


# -- the storm --------------------------------------------------------------------------------

class Counts:
    """For each actor, how often it acted, and how often without trouble: shared by all processes."""

    def __init__(self):
        self.memory = mmap.mmap(-1, PAGE)
        self.words = memoryview(self.memory).cast("Q")

    def tried(self, actor): return self.words[2 * actor]
    def done(self, actor): return self.words[2 * actor + 1]
    def idle(self): return [number for number in range(len(ACTORS)) if not self.done(number)]


def act(number, first, end):
    rng = random.Random(first * 1000 + number)
    while (left := end - time.monotonic()) > 0 or left > -MORE and counts.idle():
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
    late = end + MORE + 30 * SLOWER
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
    come_back()
    vdpa = Vdpa()
    for name in FUNCTIONS:
        if not (VDPA / name).exists():
            vdpa.add(name, address(name).name)
        if (VDPA / name / "driver").exists():
            (VDPA / name / "driver/unbind").write_text(name)
        (VDPA / name / "baton/policy").write_text("default")
        stands = [vdpa_read(name, attribute) for attribute in ("owner", "state", "mapped_bytes")]
        assert stands == ["none", "blocked", "0"] and not bus_master(FUNCTIONS[name]), stands
    vdpa.socket.close()


def works():
    for name in FUNCTIONS:
        exercise(user_node(name))
    for name in NETS:
        sh(f"vdpa_bind {name} virtio_vdpa; net_up {name}; pings; vdpa_unbind {name}")
    for name in DISKS:
        sh(f"vdpa_bind {name} virtio_vdpa; disk_works /dev/$(vdpa_disk {name}); vdpa_unbind {name}")


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
    if TOPOLOGY == "model":
        sh(f"ip -n peer address add 10.0.2.2/24 dev {peer_goes()}")
    calm()
    works()
    before = pinned(), msi_interrupts()
    counts = Counts()
    with case(f"{SECONDS} seconds"):
        storm(seed())
    for number, actor in enumerate(ACTORS):
        note(f"{actor.__name__}: {counts.tried(number)} times, {counts.done(number)} to the end")
    equal("everybody got something done", [ACTORS[number].__name__ for number in counts.idle()], [])
    with case("calm again"):
        calm()
    with case("nothing stays pinned, interrupts as before"):
        wait_for(lambda: pinned() <= before[0])
        assert msi_interrupts() == before[1], msi_interrupts() ^ before[1]
    equal("no faults", faults(), 0)
    with case("all functions work"):
        works()
    ktap_finish()


main()
