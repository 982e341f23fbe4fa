#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C3, reset is a handshake; C9, interrupts end with ownership; C10, observable: a function that
# misbehaves as bad hardware does. Resets that take seconds or never end, registers that read as all
# ones, a configuration that never settles, interrupts for no reason, no vectors, a control queue that
# is deaf or answers what it was not asked: each ends within its time and with a line in the log, no
# memory is touched after its owner got it back, the function beside it has lost nothing, and when it
# behaves again the function works again.
#
#   peer0 --- hub --- net0 --- baton_pci (built with BATON_FAULTS) --- v0 --- both consumers
#     '--- broadcasts                 '--- blk0 --- v1 --- virtio_vdpa --- a reader: the bystander
#
# The function behind the faults is real: one that "does not answer a reset" still receives.
#
# topology: reset-peer
# timeout: 240
import mmap
import signal
import socket
import threading

from faulty import FAULTS, fault
from lib import *
from vhost_vdpa import *

MODULES = pathlib.Path("/sys/module/baton/parameters")
PCI = pathlib.Path("/sys/bus/pci/devices")
RESET_MS, CTRL_MS = 800, 500
FOR_EVER = 0xffffffff
QUIET = ("none", "blocked", False)
HURT = ("none", "broken", False)
CONTROL = 2                     # the hardware's control queue, after one queue pair
TAINT_TEST = 1 << 18
LINES = (
    "built with BATON_FAULTS",
    r"no answer to reset: status \S+ after \d+ ms",
    "had to be reset by force",
    "function-level reset failed: -ENOTTY",
    "broken: flr failed", "broken: verify failed",
    "the function is gone",
    "configuration read may be torn",
    "DRIVER_OK refused: no interrupt vectors",
    "DRIVER_OK refused: cannot set up interrupt vector",
    r"the device did not enable queue 0( after DRIVER_OK)?: -EBUSY",
    r"the device refused features \S+ status",
    r"DRIVER_OK refused by the device",
    "DRIVER_OK refused: the hardware did not take what was provisioned",
    r"the hardware's control queue failed \(-ETIMEDOUT\)",
    r"the hardware's control queue failed \(-EPROTO\)",
    "probe with driver baton_pci failed with error -5",
    # The kernel's drivers, who cannot do without.
    "FEATURES_OK refused: the function is broken and has to be reset first",
    r"the device did not enable queue \d after DRIVER_OK: -EIO",
    "has failed under the kernel's driver|failed under the kernel's driver again|its virtio driver was bound anew",
    r"refused to map 0x|baton_report_refusal: \d+ callbacks suppressed",
    # What the kernel's driver says of it; which of it, is a matter of time.
    r"net eth\d+: Failed to (.*mode|set MAC filter table|kill VLAN ID 0)|"
    "Failed to add sgs for command vq|Unexpected TXQ .0. queue failure",
)


def well():
    """No faults; and no trace of the last ones."""
    fault(reset_ms=0, stubborn=0, flr_errno=0, ones=0, absent=0, status_clear=0, unsettled=0,
          vectors_errno=0, no_config_vector=0, no_queue_vector=0, no_late_queue=0, spurious=0,
          queue=FOR_EVER,
          deaf=0, jump=0)
    if (VDPA / "v0").exists() and vdpa_read("v0", "state") == "broken":
        flr("net0")
        assert stands() == QUIET, stands()


class Bystander(threading.Thread):
    """Reads the other function's disk all the time, past the page cache."""

    def __init__(self, disk):
        super().__init__(daemon=True)
        self.fd = os.open(f"/dev/{disk}", os.O_RDONLY | os.O_DIRECT)
        self.reads, self.longest, self.failure = 0, 0, None

    def run(self):
        buffer = mmap.mmap(-1, PAGE)
        try:
            while True:
                start = time.monotonic()
                os.preadv(self.fd, [buffer], self.reads % 1024 * PAGE)
                self.longest = max(self.longest, time.monotonic() - start)
                self.reads += 1
                time.sleep(0.02)
        except OSError as err:
            self.failure = err


def pace(last=[0, 0]):
    """Lines that users can provoke are limited, to ten in five seconds: do not come near that."""
    came = kernel_log_count("baton_pci ")
    if came - last[0] > 4:
        time.sleep(max(0, last[1] + 5.5 - time.monotonic()))
    last[:] = kernel_log_count("baton_pci "), time.monotonic()


@contextlib.contextmanager
def plays(name, seconds, *lines):
    """A case: it takes no longer than that, each line comes, the bystander reads on."""
    pace()
    with case(name):
        before = {line: kernel_log_count(line) for line in lines}
        reads, bystander.longest = bystander.reads, 0
        start = time.monotonic()
        try:
            yield
            took = time.monotonic() - start
            assert took < seconds * SLOWER, f"took {took:.1f} s"
            for line in lines:
                wait_for(lambda: kernel_log_count(line) > before[line])
            wait_for(lambda: bystander.failure or bystander.reads > reads)
            assert not bystander.failure, f"bystander: {bystander.failure}"
            assert bystander.longest < 1 * SLOWER, f"bystander: waited {bystander.longest:.1f} s"
        finally:
            well()


def session():
    """A user who receives, and has buffers enough for the next two seconds."""
    dev = Device(NODE)
    net = Net(dev, buffers=240, size=256)
    net.dev = dev
    for _ in range(3):
        net.receive()
    return net


def touched(mem):
    """Does somebody write to this memory?"""
    before = mem.bytes[:]
    time.sleep(0.3)
    return mem.bytes[:] != before


def user_leaves(state):
    """With the function in the middle of receiving. What was his stays untouched from then on."""
    net = session()
    net.dev.close()
    assert stands() == state, stands()
    assert not touched(net.mem), "memory was written to after its owner had it back"
    assert vdpa_read("v0", "mapped_bytes") == "0" and not interrupts("net0")
    net.mem.free()


def works():
    """For a user, and for the kernel."""
    with session().dev:
        assert stands() == ("user", "user", True), stands()
    assert stands() == QUIET, stands()


def kernel_works():
    vdpa_bind("v0", "virtio_vdpa")
    netdev = wait_for(lambda: list((PCI / function("net0")).glob("virtio*/net/*")))[0].name
    sh(f"ip link set {netdev} up")
    got = pathlib.Path(f"/sys/class/net/{netdev}/statistics/rx_packets")
    wait_for(lambda: int(got.read_text()) > 3)
    assert stands() == ("kernel", "kernel", True), stands()
    return netdev


def user_anew():
    global NODE
    NODE = user_node("v0")


def flood(netdev):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind((netdev, 0))
        frame = b"\xff" * 6 + bytes(6) + b"\x88\xb5" + b"flood" * 200
        while True:
            with contextlib.suppress(OSError):      # nobody takes them, at times
                out.send(frame)
            time.sleep(0.01)


# -- cases ------------------------------------------------------------------------------------

def resets():
    with plays("a reset takes half a second", 4):
        fault(reset_ms=500)
        start = time.monotonic()
        user_leaves(QUIET)
        assert time.monotonic() - start > 0.5, "it did not wait for that"
        fault(reset_ms=0)
        works()
    with plays("a reset never ends, and the function is reset by force", 8, LINES[1], LINES[2]):
        fault(reset_ms=FOR_EVER)
        user_leaves(QUIET)
    with plays("the next user has it all the same", 8):
        fault(reset_ms=FOR_EVER)
        works()
    with plays("it cannot be reset by force either, and is broken", 8, LINES[1], LINES[3], LINES[4]):
        fault(reset_ms=FOR_EVER, flr_errno=errno.ENOTTY)
        user_leaves(HURT)
        with fails_with(errno.EIO):
            Device(NODE)
        assert stands() == HURT, stands()
    with plays("a user who is refused in a loop hides none of that", 8, LINES[1], LINES[3], LINES[4]):
        fault(reset_ms=FOR_EVER, flr_errno=errno.ENOTTY)
        with Device(NODE) as dev:
            dev.start()
            dev.negotiate(USUAL)
            mem = Memory(PAGE)
            for _ in range(40):
                with fails_with(errno.EFAULT, errno.EINVAL):
                    dev.map(0xfee00000, PAGE, mem.address)
        assert stands() == HURT, stands()
        assert vdpa_read("v0", "last_fault").startswith("broken: flr failed"), \
            vdpa_read("v0", "last_fault")
        with fails_with(errno.EIO):
            Device(NODE)
        assert vdpa_read("v0", "last_fault").startswith("broken: flr failed")
    with plays("a reset from sysfs mends that", 8, "no longer broken"):
        fault(reset_ms=FOR_EVER, flr_errno=errno.ENOTTY)
        user_leaves(HURT)
        well()
        works()
    with plays("nor does force help, and it is broken", 12, LINES[1], LINES[2], LINES[5]):
        fault(reset_ms=FOR_EVER, stubborn=1)
        user_leaves(HURT)
        with fails_with(errno.EIO):
            Device(NODE)
        # Broken, it can still be taken from its consumer, and given to the next.
        sh("vdpa_unbind v0")
        assert stands() == HURT, stands()
        user_anew()


def all_ones():
    with plays("all ones while a user has it", 12, LINES[1], LINES[5]):
        net = session()
        before = net.dev.get_config(6, 2)
        fault(ones=1)
        # Read at DRIVER_OK, and no interrupt has said since that it changed.
        assert net.dev.get_config(6, 2) == before != b"\xff\xff"
        net.tx.kick()
        assert net.dev.get_status() == DRIVER_OK, hex(net.dev.get_status())
        net.dev.close()
        assert stands() == HURT, stands()
        assert not touched(net.mem)
    with plays("all ones, and gone", 4, LINES[6]):
        net = session()
        fault(ones=1, absent=1)
        net.dev.close()
        assert stands() == HURT, stands()
        assert not touched(net.mem)
    with plays("all ones before FEATURES_OK", 12, LINES[5]):
        with Device(NODE) as dev:
            dev.start()
            fault(ones=1)
            dev.set_status(ACKNOWLEDGE | DRIVER)
            dev.set_features(USUAL)
            dev.set_status(FEATURES_OK)
            assert not dev.get_status() & S_FEATURES_OK
            dev.set_status(DRIVER_OK)
            assert dev.get_status() & FAILED and not dev.get_status() & S_DRIVER_OK
        assert stands() == HURT, stands()
    with plays("then it works", 6):
        works()


def configuration():
    with plays("a configuration that never settles", 4, LINES[7]):
        with Device(NODE) as dev:
            mac = dev.get_config(0, 6)
            fault(unsettled=1)
            time.sleep(0.2)     # a copy is good for half of that
            assert dev.get_config(0, 6) == mac
            assert len(dev.get_config(0, 24)) == 24
    with plays("FEATURES_OK does not stick", 4, LINES[11]):
        with Device(NODE) as dev:
            dev.start()
            fault(status_clear=S_FEATURES_OK)
            with contextlib.suppress(ValueError):
                dev.negotiate(USUAL)
            assert dev.get_status() == ACKNOWLEDGE | DRIVER, hex(dev.get_status())
    refused("DRIVER_OK does not stick", LINES[12], status_clear=S_DRIVER_OK)


def refused(name, line, **values):
    """A user cannot have it; he is told."""
    with plays(name, 6, line):
        with Device(NODE) as dev:
            dev.start()
            mem = Memory(1 << 20).map(dev, 0x100000)
            dev.negotiate(USUAL)
            SplitQueue(dev, 0, 64, mem).enable()
            fault(**values)
            dev.set_status(DRIVER_OK)
            assert dev.get_status() == FEATURES_OK | FAILED, hex(dev.get_status())
            assert stands() == QUIET, stands()
            assert not interrupts("net0")
        assert not touched(mem)
        fault(**{key: 0 for key in values})
        works()


def vectors():
    refused("no vectors", LINES[8], vectors_errno=errno.ENOSPC)
    refused("the configuration takes no vector", LINES[9], no_config_vector=1)
    refused("a queue takes no vector", LINES[10], queue=0, no_queue_vector=1)
    with plays("interrupts for no reason, before DRIVER_OK and after reset", 8):
        before = int((FAULTS / "raised").read_text())
        fault(spurious=1)
        for _ in range(10):
            user_leaves(QUIET)
        raised = int((FAULTS / "raised").read_text()) - before
        assert raised >= 10 * 3 * 4, f"only {raised}"


def late_queues():
    """Queues that are made ready after DRIVER_OK, as QEMU does where there is a control queue."""
    with plays("a queue that is enabled late works, and the user is told that it may", 6):
        with Device(NODE) as dev:
            assert dev.get_backend_features() & ENABLE_AFTER_DRIVER_OK
            dev.set_owner()
            dev.set_backend_features(dev.get_backend_features() & (ENABLE_AFTER_DRIVER_OK | 0xe))
            mem = Memory(1 << 20).map(dev, 0x100000)
            dev.negotiate(USUAL)
            rx = SplitQueue(dev, 0, 64, mem)
            dev.run()
            rx.post([(mem.iova + mem.alloc(2048), 2048, WRITE)])
            rx.kick()
            rx.enable()
            rx.wait()
    for policy in "auto", "always":
        not_enabled_late(policy)
    refused("DRIVER_OK of a user whose queues had to wait (C13)", LINES[18], no_late_queue=1)


def not_enabled_late(policy):
    """Nor at the second time."""
    with plays(f"a queue that is not enabled late (relay: {policy}): the user is told to reset", 6, LINES[18]):
        set_relay("v0", policy)
        with Device(NODE) as dev:
            call = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            dev.start()
            dev.set_config_call(call)
            mem = Memory(1 << 20).map(dev, 0x100000)
            dev.negotiate(USUAL)
            rx = SplitQueue(dev, 0, 64, mem)
            dev.run()
            fault(no_late_queue=1)
            for _ in range(2):
                rx.enable()
                assert dev.get_status() == DRIVER_OK | NEEDS_RESET, hex(dev.get_status())
                os.eventfd_read(call)
            os.close(call)
            dev.reset()
            assert stands() == QUIET, stands()
        set_relay("v0", "auto")


def control():
    """The kernel's driver gives commands. When one fails it is bound anew, which may be in vain as long as
    the control queue is as it is."""
    for what, line, values in (("is deaf", LINES[14], {"deaf": 1}),
                               ("answers what it was not asked", LINES[15], {"jump": 7})):
        with plays(f"the control queue {what}, and the kernel is the owner", 10, line):
            sh("vdpa_del v0; vdpa_add v0 net0")
            netdev = kernel_works()
            before = kernel_log_count("its virtio driver was bound anew")
            fault(queue=CONTROL, **values)
            subprocess.run(["ip", "link", "set", netdev, "promisc", "on"],
                           timeout=60 * SLOWER)
            wait_for(lambda: kernel_log_count("its virtio driver was bound anew") > before, 10)
            sh("vdpa_unbind v0")
            assert stands() == QUIET, stands()
        with plays("then it works for the kernel", 10):
            kernel_works()
            sh("vdpa_unbind v0")
        user_anew()
        with plays(f"the control queue {what}, and a user is to become the owner", 10, LINES[13]):
            with Device(NODE) as dev:
                dev.start()
                mem = Memory(1 << 20).map(dev, 0x100000)
                dev.negotiate(USUAL)
                fault(queue=CONTROL, **values)
                dev.set_status(DRIVER_OK)
                assert dev.get_status() == FEATURES_OK | FAILED, hex(dev.get_status())
            assert stands() == QUIET and not touched(mem), stands()


def probe_and_remove():
    with plays("the kernel's driver goes, and no reset ends", 10, LINES[1], LINES[2]):
        kernel_works()
        fault(reset_ms=FOR_EVER)
        sh("vdpa_unbind v0")
        assert stands() == QUIET, stands()
    with plays("the device is deleted and the function removed, and no reset ends", 16):
        kernel_works()
        fault(reset_ms=FOR_EVER, flr_errno=errno.ENOTTY)
        sh("vdpa dev del v0; fn_bind net0 pci-stub" if (PCI.parent / "drivers/pci-stub").exists()
           else "vdpa dev del v0; echo $(fn_address net0) > $(fn_dir net0)/driver/unbind")
        assert not bus_master("net0")
    for name, values in (("no reset ends", {"reset_ms": FOR_EVER, "stubborn": 1}),
                         ("all ones", {"ones": 1})):
        with plays(f"a function is to be bound: {name}", 12, LINES[1], LINES[16]):
            fault(**values)
            sh_refused("bind_baton net0")
            assert not bus_master("net0")
    with plays("when it behaves, it can be bound", 10):
        sh("bind_baton net0; vdpa_add v0 net0")
        user_anew()
        works()


def main():
    global bystander
    ktap_start(38)
    ok("without BATON_FAULTS there are none", not FAULTS.exists() and
       not int(pathlib.Path("/proc/sys/kernel/tainted").read_text()) & TAINT_TEST and
       " baton_faults" not in pathlib.Path("/proc/kallsyms").read_text())
    for line in LINES:
        expect_log(line)
    sh(f"BATON_MODULES=faults baton_reload reset_timeout_ms={RESET_MS} ctrl_timeout_ms={CTRL_MS}")
    ok("with it, the kernel is tainted, and says so", kernel_log_count(LINES[0]) and
       int(pathlib.Path("/proc/sys/kernel/tainted").read_text()) & TAINT_TEST)
    peer = PCI / function("peer0")
    netdev = next(peer.glob("virtio*/net/*")).name
    sh(f"ip link set {netdev} up; bind_baton net0; bind_baton blk0; vdpa_add v0 net0; "
       "vdpa_add v1 blk0; vdpa_bind v1 virtio_vdpa")
    (FAULTS / "function").write_text(function("net0"))
    user_anew()
    flooder = os.fork()
    if not flooder:
        flood(netdev)
    bystander = Bystander(sh("vdpa_disk v1"))
    bystander.start()
    try:
        net = session()
        ok("memory of an owner is written to", touched(net.mem))
        net.dev.close()
        resets()
        all_ones()
        configuration()
        vectors()
        late_queues()
        control()
        probe_and_remove()
        equal("no faults on record", faults(), 0)
    finally:
        os.kill(flooder, signal.SIGKILL)
    note(f"the bystander has read {bystander.reads} times")
    sh("vdpa dev del v0; vdpa dev del v1; unbind net0; unbind blk0; baton_reload")
    ok("gone without a trace", not FAULTS.exists())
    ktap_finish()


main()
