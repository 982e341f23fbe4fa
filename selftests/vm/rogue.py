#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C3, reset is a handshake; C4, unmap before release; C6, reserved regions; C7, no kernel-private data;
# C8, nothing is inherited; C9, interrupts end with ownership; C12, answers are constants; C13, before
# provisioned, no traffic: a function that does wrong, at the wire. It
# writes on after a reset, to memory that was unmapped, into the control window, it does not listen to a
# reset, sends interrupts of its own making, answers commands as it likes, vanishes, dies. Witnesses are
# its own word (QEMU tells it whether a DMA got through), the memory, and the IOMMU's fault records.
#
#   peer0 --- hub --- net0 (selftests/model) --- baton_pci --- v0 --- both consumers
#                     blk0 (selftests/model) --- baton_pci --- v1
#
# topology: model
# timeout: 240
import ctypes
import mmap
import socket
import threading

from lib import *
from model import *
from netowner import Owner
from vhost_vdpa import *

QUIET = ("none", "blocked", False)
HURT = ("none", "broken", False)
RESET_MS, CTRL_MS = 800, 600
RX, TX, CONTROL = 0, 1, 2
PATTERN = b"\x5a" * 16
IOVA = 0x100000
STRANGER = bytes.fromhex("020000000077")
LINES = (
    # Before it is there, and while it does what it does.
    r"DMAR: (DRHD: handling fault status|\[DMA (Read|Write) )",
    r"DMAR: \[INTR-REMAP\]|DMAR-IR|INTR-REMAP",
    r"no answer to reset: status \S+ after \d+ ms",
    "had to be reset by force",
    r"broken: (verify failed|flr failed \(-ENODEV\))",
    "no longer broken",
    "DRIVER_OK refused: the hardware did not take what was provisioned",
    r"queue 1 cannot run, wrong place \(where no user can map anything\)",
    r"refused to map .*0xfee00000|the hardware's control queue failed .*, or its user wrote the answer",
    r"baton_report_\w+: \d+ callbacks suppressed",
)
ENOTSUPP = 524                  # the kernel's own; not in errno

net0, blk0 = Model("net0"), Model("blk0")


@contextlib.contextmanager
def wrong(name):
    """A case after which the function is well again, whatever happened."""
    with case(name):
        try:
            yield
        finally:
            well()


def well():
    net0.set(no_reset=0, stray_ms=0, command_ms=0, vanish=0, ones=0, wrong_queue=CONTROL, deaf=0, mute=0,
             ack=256, wrong_id=0, twice=0, jump=0, reset_ms=0)
    if vdpa_read("v0", "state") == "broken":
        flr("net0")
    net0.mark()


@contextlib.contextmanager
def session():
    """A user who receives; gone at the end of the block, if not before."""
    with Device(NODE) as dev:
        net = Net(dev, size=64)
        net.dev = dev
        yield net


def works():
    with session():
        assert stands() == ("user", "user", True), stands()
    assert stands() == QUIET, stands()


def peer_socket():
    """It stays in the network namespace that it was made in."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as ours, open("/run/netns/peer") as theirs:
        assert not libc.setns(theirs.fileno(), 0), os.strerror(ctypes.get_errno())
        out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        out.bind((PEER, 0))
        assert not libc.setns(ours.fileno(), 0), os.strerror(ctypes.get_errno())
    return out


def unsolicited(frame, count=20):
    """Frames from the peer."""
    for _ in range(count):
        with contextlib.suppress(OSError):      # nobody takes them, at times
            OUT.send(frame.ljust(60, b"."))
        time.sleep(0.01)


def refused(function, command):
    """QEMU does not let it."""
    try:
        function.do(command)
    except ModelError:
        return
    raise AssertionError(f"{command}: got through")


def strays(function=net0):
    state = function.state()
    return int(state["strays"]), int(state["refused"])


def force_master(name):
    """As if it did not obey the bit."""
    sh(f"setpci -s {function(name)} COMMAND=0x6")


# -- cases ------------------------------------------------------------------------------------

def late_writes():
    with wrong("C3: writes that go on after a user's reset reach nothing"):
        with session() as net:
            unsolicited(b"\xff" * 6 + net.mac + b"\x88\xb5")
            net.receive()
            assert net0.buffers(RX), "nothing to go on with"
            net0.set(stray_ms=2500)
            net.dev.close()
            assert stands() == QUIET, stands()
            net.mem.bytes[:] = bytes(net.mem.size)
            taken, no = strays()
            wait_for(lambda: strays()[1] > no + 20)
            assert strays()[0] == taken, "written after the reset had returned"
            assert PATTERN not in net.mem.bytes[:] and not any(net.mem.bytes[:])
            wait_for(lambda: net0.log("stray writes"))
            net.mem.free()
    with wrong("C3: nor after the kernel's"):
        vdpa_bind("v0", "virtio_vdpa")
        netdev = sh("vdpa_netdev v0")
        sh(f"ip link set {netdev} up")
        unsolicited(b"\xff" * 6 + bytes(6) + b"\x88\xb5")
        net0.set(stray_ms=2500)
        sh("vdpa_unbind v0")
        taken, no = strays()
        wait_for(lambda: strays()[1] > no + 20)
        assert strays()[0] == taken, "written after the reset had returned"
        wait_for(lambda: net0.log("stray writes"))
    anew()
    with wrong("C3: a function that does not listen to a reset, and receives on, is reset by force"):
        with session() as net:
            net0.set(no_reset=1)
            net.dev.close()
            assert stands() == QUIET, stands()
            assert net0.log("reset ignored") and net0.log("flr")
            net.mem.bytes[:] = bytes(net.mem.size)
            unsolicited(b"\xff" * 6 + net.mac + b"\x88\xb5")
            assert not any(net.mem.bytes[:])
    with wrong("C3: nor to an FLR: it is broken, and reaches nothing even with bus mastering forced"):
        with session() as net:
            net0.set(no_reset=2)
            net.dev.close()
            assert stands() == HURT, stands()
            net.mem.bytes[:] = bytes(net.mem.size)
            force_master("net0")
            before = faults()
            unsolicited(b"\xff" * 6 + net.mac + b"\x88\xb5")
            refused(net0, f"write {IOVA:#x} 0x5a 16")
            wait_for(lambda: faults() > before)
            assert not any(net.mem.bytes[:])
            sh(f"setpci -s {function('net0')} COMMAND=0x2")
    with wrong("C3: and its user is given no other address space: that is tried on in passing"):
        with session() as net:
            net0.set(no_reset=2)
            with fails_with(errno.EIO):
                net.dev.reset()
            assert stands() == HURT, stands()
            for group in 0, 1:
                with fails_with(errno.EIO):
                    net.dev.set_group_asid(group, 1)
    with wrong("C3: then it works"):
        works()


def unmapped():
    with wrong("C4: a write to a page that was just unmapped is a fault, and the page stays as it is"):
        with session() as net:
            mem = Memory(PAGE).map(net.dev, 0x4000000)
            net0.do("write 0x4000000 0x11 64")
            assert mem.bytes[:64] == b"\x11" * 64, "it does not write at all"
            net.dev.unmap(0x4000000, PAGE)
            before = faults()
            refused(net0, "write 0x4000000 0x5a 64")
            wait_for(lambda: faults() > before)
            assert mem.bytes[:64] == b"\x11" * 64
            net.dev.close()
    with wrong("C4: a page that was mapped to be read cannot be written"):
        with session() as net:
            mem = Memory(PAGE).map(net.dev, 0x4000000, RO)
            refused(net0, "write 0x4000000 0x5a 64")
            assert net0.do("read 0x4000000 4") == "00000000"
            assert not any(mem.bytes[:])
            net.dev.close()
    with wrong("C6: nothing is at the addresses that nobody mapped, the last one, and 0"):
        with session() as net:
            for address in (0, 0x4000000, 0xfffff000, (1 << 39) - PAGE):
                refused(net0, f"write {address:#x} 0x5a 4")
            net.dev.close()


def window():
    with wrong("C7: of the control window, what the hardware reads it cannot write"):
        with session() as net:
            queue = net0.queue(CONTROL)
            assert queue["enabled"] == "1"
            desc, driver, used = (int(queue[key], 16) for key in ("desc", "driver", "device"))
            command = int(re.search(r"from (0x\w+)", net0.log("command 0 0")[0])[1], 16)
            for address in (desc, driver, command):
                refused(net0, f"write {address:#x} 0x5a 2")
                net0.do(f"read {address:#x} 16")
            net0.do(f"write {used + 1024:#x} 0 4")
            net.dev.close()
            for address in (desc, used):
                refused(net0, f"read {address:#x} 4")
    with wrong("C7: what it writes over its own answers does no harm"):
        with session() as net:
            used = int(net0.queue(CONTROL)["device"], 16)
            net0.do(f"write {used & ~0xfff:#x} 0xff 4096")
            unsolicited(b"\xff" * 6 + net.mac + b"\x88\xb5")
            net.receive()
            net.dev.close()
            works()
    with wrong("C7: a user's own ring cannot be where the hardware's answers are"):
        with Device(NODE) as dev:
            dev.start()
            mem = Memory(1 << 20).map(dev, IOVA)
            dev.negotiate(USUAL)
            tx = SplitQueue(dev, TX, 64, mem)
            dev.set_vring_addr(TX, mem.iova + tx.desc, mem.iova + tx.driver, USED & ~0xfff)
            tx.enable()
            dev.set_status(DRIVER_OK)
            assert dev.get_status() & FAILED, hex(dev.get_status())
            assert "wrong place" in vdpa_read("v0", "last_refusal"), vdpa_read("v0", "last_refusal")
    with wrong("C7: a command is not overwritten while the hardware may read it"):
        held()
    with wrong("C10: nor can a user who writes there fill the log, or blame the hardware"):
        doubts()


def held():
    """Who answers for the hardware gives commands as fast as he likes. Memory that the hardware may still
    have to read is not written again before it has had 16 times what it took when it was sure to be the
    one that answered; or, that being longer, ctrl_timeout_ms."""
    net0.set(command_ms=60)
    with Device(NODE) as dev:
        owner = Owner(dev).run()
        net0.set(command_ms=0)
        for _ in range(100):
            assert owner.command(0, 0, b"\0") == 0
        lines = [line for line in net0.lines()[net0.seen:] if " command 0 0 of " in line]
    times = {}
    for line in lines:
        times.setdefault(line.split(" from ")[1], []).append(int(line.split()[0]))
    gaps = [later - sooner for at in times.values() for sooner, later in zip(at, at[1:])]
    note(f"{len(times)} places, written again after {min(gaps)} ms at least")
    assert len(gaps) > 50 and min(gaps) > 0.95 * CTRL_MS


def doubts():
    """A frame with the address of its user, where the hardware's used index is, by a buffer of his."""
    failed, told = "the hardware's control queue failed", []
    # What was said before does not count any more: the five seconds below begin with the first of these.
    time.sleep(5.5)
    with Device(NODE) as dev:
        dev.start()
        start = time.monotonic()
        # As often as the log is told anything of one function in five seconds.
        for _ in range(12):
            with fails_with(errno.EINVAL, errno.EFAULT):
                Memory(PAGE).map(dev, 0xfee00000)
    for _ in range(2):
        with Device(NODE) as dev:
            before = kernel_log_count(failed)
            owner = Owner(dev).run()
            rx = owner.rings[RX]
            own = owner.mem.iova + owner.mem.alloc(4096)
            # The hardware's own answer to the last command may be what comes last.
            for _ in range(5):
                rx.post([(own, 12, WRITE), (USED, 4, WRITE), (own + 64, 2000, WRITE)])
                rx.kick()
                time.sleep(0.05)
                unsolicited(dev.get_config(0, 6) + bytes(6) + b"\x88\xb5", 3)
                assert rx.wait()
                if owner.command(0, 0, b"\0") == 1:
                    break
            else:
                raise AssertionError("the hardware's answers came through")
            owner.loses()
            fault = vdpa_read("v0", "last_fault")
            told.append((time.monotonic() - start, kernel_log_count(failed) - before))
    note(f"after how many seconds, with how many lines: {told}")
    assert any(after < 4.5 for after, _ in told), "too slow to tell"
    assert not any(lines for after, lines in told if after < 4.5), "the log is told each time"
    assert "or its user wrote the answer" in fault, fault


def interrupts_of_its_own():
    with wrong("C9: interrupts for no reason, at any time"):
        for vector in range(4):
            net0.do(f"interrupt {vector}")
        with session() as net:
            for _ in range(50):
                for vector in range(4):
                    net0.do(f"interrupt {vector}")
            unsolicited(b"\xff" * 6 + net.mac + b"\x88\xb5")
            net.receive()
            net.dev.close()
            assert not interrupts("net0")
            for vector in range(4):
                net0.do(f"interrupt {vector}")
    with wrong("C9: an interrupt message that was kept is good for nothing after the reset"):
        with session() as net:
            address, data = message(1)
            before = interrupt_count("net0")
            net0.do(f"write32 {address:#x} {data:#x}")
            wait_for(lambda: interrupt_count("net0") > before)
            net.dev.close()
            refused(net0, f"write32 {address:#x} {data:#x}")
            force_master("net0")
            before = kernel_log_count("INTR-REMAP")
            with contextlib.suppress(ModelError):
                net0.do(f"write32 {address:#x} {data:#x}")
            wait_for(lambda: kernel_log_count("INTR-REMAP") > before)
            sh(f"setpci -s {function('net0')} COMMAND=0x2")


def message(vector):
    """What a vector's entry of the MSI-X table says: (address, data)."""
    path = pathlib.Path("/sys/bus/pci/devices", function("net0"), "resource1")
    with open(path, "r+b") as resource:
        table = mmap.mmap(resource.fileno(), PAGE)
        words = memoryview(table).cast("I")
        low, high, data = (words[4 * vector + i] for i in range(3))
        words.release()
        table.close()
    return high << 32 | low, data


def answers():
    def no(name, **settings):
        with wrong(name):
            net0.set(wrong_queue=CONTROL, **settings)
            with Device(NODE) as dev:
                dev.start()
                mem = Memory(1 << 20).map(dev, IOVA)
                dev.negotiate(USUAL)
                SplitQueue(dev, RX, 64, mem).enable()
                dev.set_status(DRIVER_OK)
                assert dev.get_status() == FEATURES_OK | FAILED, hex(dev.get_status())
            assert stands() == QUIET, stands()
            for name, value in settings.items():
                net0.set(**{name: 256 if name == "ack" else 0})
            works()

    no("C8: a command that is refused ends the grant", ack=1)
    no("C8: so does one that is not heard", deaf=1)
    no("C8: and one that is answered too late", command_ms=2 * CTRL_MS)
    no("C8: and an index that jumps", jump=7)
    with wrong("C8: slow commands are waited for"):
        net0.set(command_ms=150)
        start = time.monotonic()
        with session():
            took = time.monotonic() - start
            commands = len(net0.log("command "))
            assert commands > 1 and took > 0.15 * commands, f"{commands} commands in {took} s"
            assert net0.state()["promisc"] == "0"


def forged():
    """The user's first queue, with buffers at the hardware's used index; the peer says what goes there."""
    net0.set(command_ms=400)
    commands = int(net0.state()["commands"])
    with Device(NODE) as dev:
        dev.start()
        mem = Memory(1 << 20).map(dev, IOVA)
        dev.negotiate(USUAL)
        rx = SplitQueue(dev, RX, 64, mem)
        own = mem.iova + mem.alloc(4096)
        for _ in range(20):
            rx.post([(own, 12, WRITE), (USED, 4, WRITE), (own + 64, 2000, WRITE)])
        rx.enable()
        liar = threading.Thread(target=forge)
        liar.start()
        dev.set_status(DRIVER_OK)
        done = int(net0.state()["commands"]) - commands
        liar.join()
        assert dev.get_status() & FAILED or done >= 2, f"granted after {done} commands"


def forge():
    for index in (1, 2, 3, 4):
        unsolicited(bytes([0, 0, index, 0, 0, 9]) + b"\x02\0\0\0\0\x09\x88\xb5", 5)


def early_frames():
    """Slow commands, and frames to somebody else all the while."""
    # All of the header: six bytes may well be in a descriptor.
    frame = STRANGER + b"\x02\0\0\0\0\x09\x88\xb5"
    net0.set(command_ms=CTRL_MS // 6)
    stop = threading.Event()

    def flood():
        while not stop.is_set():
            unsolicited(frame, 5)
    thread = threading.Thread(target=flood)
    thread.start()
    try:
        with Device(NODE) as dev:
            dev.start()
            mem = Memory(1 << 20).map(dev, IOVA)
            dev.negotiate(USUAL)
            rx = SplitQueue(dev, RX, 64, mem)
            for _ in range(32):
                rx.post([(mem.iova + mem.alloc(2048), 2048, WRITE)])
            rx.enable()
            dev.run()
            time.sleep(0.3)
            assert frame not in mem.bytes[:], "received what is somebody else's"
    finally:
        stop.set()
        thread.join()


def unwritten():
    net0.set(wrong_queue=CONTROL, mute=1)
    with Device(NODE) as dev:
        dev.start()
        mem = Memory(1 << 20).map(dev, IOVA)
        dev.negotiate(USUAL)
        SplitQueue(dev, RX, 64, mem).enable()
        dev.set_status(DRIVER_OK)
        assert dev.get_status() & FAILED, hex(dev.get_status())


def moving_doorbell():
    with Device(NODE) as dev:
        dev.start()
        dev.set_status(ACKNOWLEDGE | DRIVER)
        dev.set_features(USUAL)
        page = mmap.mmap(dev.fd, PAGE, prot=mmap.PROT_WRITE, offset=TX * PAGE)
        # It will be relayed, and has no doorbell then.
        dev.set_vring_num(TX, 64)
        dev.set_vring_base(TX, 5)
        word = ctypes.c_uint16.from_buffer(page)
        pid = os.fork()
        if not pid:                     # SIGBUS is an answer too
            word.value = TX
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        del word
        page.close()
        assert os.WIFSIGNALED(status) or net0.log("doorbell of queue 1", wait=2), \
            "it is some other page"


def early_doorbell(device, model, queue, buffers):
    """A user rings between the enabling of a queue and DRIVER_OK, and never again; the device looks at
    a queue when it is told to, and not before."""
    model.set(waits=1)
    try:
        with Device(user_node(device)) as dev:
            dev.start()
            mem = Memory(1 << 20).map(dev, IOVA)
            dev.negotiate(USUAL)
            rings = [SplitQueue(dev, index, 64, mem) for index in range(queue + 1)]
            for ring in rings:
                ring.enable()
            head = rings[queue].post(buffers(mem.iova + mem.alloc(4096)))
            model.mark()
            rings[queue].kick()
            time.sleep(0.2 * SLOWER)
            assert not model.log("doorbell"), model.log("doorbell")
            dev.run()
            assert rings[queue].wait()[0] == head
    finally:
        model.set(waits=0)


def early_doorbells():
    with wrong("C13: a doorbell before DRIVER_OK reaches nobody until then, and is not lost (disk)"):
        early_doorbell("v1", blk0, 0, lambda at: [(at, 16, READ), (at + 512, 512, WRITE),
                                                  (at + 2048, 1, WRITE)])
    with wrong("C13: nor before what was provisioned is confirmed (net)"):
        early_doorbell("v0", net0, TX, lambda at: [(at, 72, READ)])
    anew()


def doorbells():
    with wrong("C5: a mapped doorbell is the queue's own page, and works"):
        with session() as net:
            page = mmap.mmap(net.dev.fd, PAGE, prot=mmap.PROT_WRITE, offset=TX * PAGE)
            word = ctypes.c_uint16.from_buffer(page)
            out = int(net0.state()["out"])
            net.mem.bytes[net.out:net.out + 72] = bytes(12) + b"\xff" * 6 + bytes(54)
            head = net.tx.post([(net.mem.iova + net.out, 72, READ)])
            word.value = TX
            assert net.tx.wait()[0] == head
            assert int(net0.state()["out"]) == out + 1
            # In a reset, by whomever, and after it, it rings for nobody.
            net.dev.reset()
            word.value = TX
            assert net0.log("doorbell of queue 1, which does not run", wait=2)
            flr("net0")
            net0.mark()
            word.value = TX
            assert net0.log("doorbell of queue 1, which does not run", wait=2)
            assert stands() == QUIET, stands()
            del word
            page.close()
            net.dev.close()
            works()


def vanishing():
    expect_log("the function is gone")
    with session() as net:
        net0.set(vanish=1)
        start = time.monotonic()
        net.dev.close()
        took = time.monotonic() - start
        net0.set(vanish=0)
        assert took < 2 * SLOWER, f"waited {took:.0f} s for what is not there"
        assert stands()[:2] == HURT[:2], stands()
        flr("net0")
        works()


def all_at_once():
    """Deleted, unbound from vhost_vdpa and reset, all at one time, after a user has closed who wanted to
    be told of changes. vhost_vdpa frees what would tell him as soon as it is unbound."""
    probes = TRACING / "kprobe_events"
    probes.write_text("p:told vhost_vdpa_config_cb\n")
    told = os.eventfd(0, os.EFD_CLOEXEC)
    try:
        with session() as net:
            net.dev.set_config_call(told)
        net0.set(flr_ms=500)
        with Trace("kprobes:told") as trace:
            resets = subprocess.Popen(["bash", "-c", f"echo 1 >/sys/bus/pci/devices/{function('net0')}/reset"])
            wait_for(lambda: net0.log("flr"))
            removal = subprocess.Popen(["vdpa", "dev", "del", "v0"])
            time.sleep(0.1)
            with contextlib.suppress(OSError):          # it may be unbound by the other one
                (VDPA.parent / "drivers/vhost_vdpa/unbind").write_text("v0")
            assert (removal.wait(20), resets.wait(20)) == (0, 0)
            assert not trace.lines("told"), trace.lines("told")
    finally:
        net0.set(flr_ms=0)
        probes.write_text("")
        os.close(told)
        if not (VDPA / "v0").exists():
            sh("vdpa_add v0 net0")
        anew()


def zones(sectors, model):
    """What the disk's configuration says of zones: their size, appends, granularity, the model."""
    for offset, value, length in ((72, sectors, 4), (84, 256, 4), (88, 4096 | model << 32, 8)):
        blk0.do(f"config {offset} {value} {length}")


def half_probed():
    """A disk whose zones cannot be listed: its driver finds out after DRIVER_OK, and frees its queues
    without a reset."""
    expect_log(r"vd\w+: failed to revalidate zones|virtio_blk virtio\d+: probe with driver virtio_blk failed")
    zones(65536, 1)
    blk0.mark()
    try:
        vdpa_bind("v1", "virtio_vdpa")
        assert blk0.log("status 0xf"), "never got so far"
        assert not list((VDPA / "v1").glob("virtio*/block")), "there is a disk"
        assert stands("blk0", "v1") == QUIET, stands("blk0", "v1")
        assert not interrupts("blk0") and blk0.queue(0)["enabled"] == "0", blk0.queue(0)
    finally:
        sh("vdpa_unbind v1")
        zones(0, 0)
    vdpa_bind("v1", "virtio_vdpa")
    sh("disk_works /dev/$(vdpa_disk v1)")


def reset_while_removed():
    """A disk whose driver is being removed, and writes back what is dirty, is reset by somebody else."""
    blk0.set(delay_ms=1000)
    disk = os.open(f"/dev/{sh('vdpa_disk v1')}", os.O_RDWR)
    os.write(disk, b"x" * (8 << 20))
    start = time.monotonic()
    removal = subprocess.Popen(["vdpa", "dev", "del", "v1"])
    try:
        time.sleep(0.5)
        assert removal.poll() is None, "there was nothing to write back"
        flr("blk0")
        took = time.monotonic() - start
        assert removal.wait(15 * SLOWER) == 0
        note(f"reset after {took:.1f} s, deleted after {time.monotonic() - start:.1f} s")
        assert not (VDPA / "v1").exists(), "left to a driver that waits for ever"
    finally:
        blk0.set(delay_ms=0)
    # Not before: it would wait for ever, and so would this test.
    os.close(disk)
    sh("vdpa_add v1 blk0; vdpa_bind v1 virtio_vdpa; disk_works /dev/$(vdpa_disk v1); vdpa_unbind v1")


def death():
    expect_log("the function is gone")
    dev = Device(user_node("v1"))
    disk = Blk(dev)
    disk.read(0, 4096)
    blk0.do("die")
    start = time.monotonic()
    dev.close()
    took = time.monotonic() - start
    assert took < 3 * SLOWER, f"waited {took:.0f} s for what is not there"
    assert stands("blk0", "v1")[1] == "broken", stands("blk0", "v1")
    sh("vdpa_del v1; echo 1 >$(fn_dir blk0)/remove")


def physical_doorbells():
    """Not by default: a physical function may be taken out, and its addresses given to another device."""
    with Device(user_node("v0")) as dev:
        try:
            mmap.mmap(dev.fd, PAGE, prot=mmap.PROT_WRITE, offset=TX * PAGE)
        except OSError as err:
            assert err.errno == ENOTSUPP, err
        else:
            raise AssertionError("mapped")
    sh("vdpa_del v0; echo Y >/sys/module/baton_pci/parameters/physical_doorbells; vdpa_add v0 net0")


ktap_start(34)
for line in LINES:
    expect_log(line)
PEER = peer_goes()
OUT = peer_socket()
sh(f"bind_baton net0; bind_baton blk0; vdpa_add v0 net0; vdpa_add v1 blk0;"
   f"echo {RESET_MS} >/sys/module/baton/parameters/reset_timeout_ms;"
   f"echo {CTRL_MS} >/sys/module/baton/parameters/ctrl_timeout_ms")


def anew():
    global NODE
    NODE = user_node("v0")


with case("C12: a physical function's doorbells cannot be mapped unless the administrator says so"):
    physical_doorbells()
anew()
net0.mark()
# Where the hardware's used ring is, in any user's domain.
with session():
    USED = int(net0.queue(CONTROL)["device"], 16)
late_writes()
unmapped()
window()
interrupts_of_its_own()
answers()
doorbells()
early_doorbells()
with wrong("C12: a doorbell's address does not change between mmap and the fault"):
    moving_doorbell()
with wrong("C13: a user cannot answer for the hardware"):
    forged()
with wrong("C13: nothing is received before the filters are set"):
    early_frames()
with wrong("C13: an answer that was not written is none"):
    unwritten()
with wrong("C3: it vanishes, and comes back"):
    vanishing()
with wrong("C9: deleted, unbound and reset at once: nobody is told who has closed"):
    all_at_once()
with wrong("C3: a driver that gives up after DRIVER_OK frees no ring that the function still uses"):
    half_probed()
with wrong("C3: a reset while a disk's driver is removed ends the removal as well"):
    reset_while_removed()
with wrong("C3: it dies under a user, and can be removed"):
    death()
ktap_finish()
