# SPDX-License-Identifier: GPL-2.0-only
"""Helpers for VM tests in Python: what lib.sh is to those in bash. A test reads like this:

    #!/usr/bin/python3
    # SPDX-License-Identifier: GPL-2.0-only
    # what it proves
    # topology: net-blk
    # timeout: 60
    from lib import *

    ktap_start(2)
    sh("bind_baton net0; vdpa_add v0 net0")
    ok("one device", os.path.exists("/sys/bus/vdpa/devices/v0"))
    with case("second add is refused"):
        sh_refused("vdpa_add v1 net0")
    ktap_finish()

An exception outside a case ends the test: what was planned and did not run counts as failed.
"""

import atexit
import contextlib
import ctypes
import errno
import faulthandler
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import traceback

BATON_RUN = pathlib.Path(os.environ.get("BATON_RUN", "/run/baton"))
SLOWER = int(os.environ.get("BATON_SLOWER", "1"))       # by how much this kernel is
HERE = pathlib.Path(__file__).resolve().parent
VDPA = pathlib.Path("/sys/bus/vdpa/devices")
TRACING = pathlib.Path("/sys/kernel/tracing")

# Whoever runs out of time says where.
faulthandler.register(signal.SIGTERM, chain=True)

# -- KTAP -------------------------------------------------------------------------------------

_ktap = {"planned": 0, "number": 0, "failed": 0}


def ktap_start(planned):
    _ktap["planned"] = planned
    print(f"KTAP version 1\n1..{planned}", flush=True)


def note(text):
    """A comment in the output."""
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def ok(name, condition, why=""):
    """One test case; why is shown if it failed."""
    _ktap["number"] += 1
    if not condition:
        _ktap["failed"] += 1
        note(why)
    print(f"{'' if condition else 'not '}ok {_ktap['number']} {name}", flush=True)


def equal(name, got, wanted):
    """One test case: two values are the same."""
    ok(name, got == wanted, f"got    {got!r}\nwanted {wanted!r}")


@contextlib.contextmanager
def case(name):
    """One test case: passes unless the block raises (assert, OSError, TimeoutError...)."""
    try:
        yield
    except Exception as err:    # whatever it is, the other cases should still run
        trace = traceback.extract_tb(err.__traceback__)[1:]
        where = " > ".join(f"{frame.name}:{frame.lineno}" for frame in trace)
        ok(name, False, f"{where}: {type(err).__name__}: {err}")
    else:
        ok(name, True)


@contextlib.contextmanager
def fails_with(*numbers):
    """Passes if the block raises OSError with one of these errno values, and only then."""
    try:
        yield
    except OSError as err:
        wanted = [errno.errorcode[number] for number in numbers]
        if err.errno not in numbers:
            raise AssertionError(f"failed with {err}, not {' or '.join(wanted)}") from err
    else:
        raise AssertionError("did not fail")


def skip(name, why):
    _ktap["number"] += 1
    print(f"ok {_ktap['number']} {name} # SKIP {why}", flush=True)


def ktap_skip_all(why):
    """Instead of ktap_start(), where nothing of the test can run."""
    print(f"KTAP version 1\n1..0 # SKIP {why}", flush=True)
    sys.exit(4)


def ktap_finish():
    sys.exit(bool(_ktap["failed"] or _ktap["number"] < _ktap["planned"]))


# -- the shell's helpers ----------------------------------------------------------------------

class Shell:
    """bash that has read lib.sh, of each command a subshell: to start one for each takes several times as long."""
    SERVE = """. "$1"
        shift
        exec 8<&0 9>&1 </dev/null
        while IFS= read -ru 8 -d '' out && IFS= read -ru 8 -d '' err && IFS= read -ru 8 -d '' command; do
            (set -euo pipefail; eval "$command") >>"$out" 2>>"$err" 8<&- 9>&-
            echo $? >&9
        done"""
    # A thread has its own, and so has a process that was forked.
    own = threading.local()

    def __init__(self):
        self.pid = os.getpid()
        self.bash = subprocess.Popen(["bash", "-c", self.SERVE, "bash", HERE / "lib.sh"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        atexit.register(self.end)

    def end(self):
        # Its end of file may be kept from it by who was forked.
        if self.pid == os.getpid():
            self.bash.kill()
            self.bash.wait()

    def run(self, command, out, err):
        words = [f"/proc/{self.pid}/fd/{stream.fileno()}" for stream in (out, err)] + [command]
        self.bash.stdin.write(b"".join(word.encode() + b"\0" for word in words))
        self.bash.stdin.flush()
        status = int(self.bash.stdout.readline() or self.bash.wait())
        return status, *(os.pread(stream.fileno(), 1 << 24, 0).decode().strip() for stream in (out, err))


def memory_file():
    return open(os.memfd_create("sh"), "rb")


def run_sh(command, out, err):
    """Its exit status, and what it wrote to either."""
    if getattr(Shell.own, "pid", None) != os.getpid():
        Shell.own.pid, Shell.own.shell = os.getpid(), Shell()
    return Shell.own.shell.run(command, out, err)


def sh(command):
    """Run a command with lib.sh at hand (sh("bind_baton net0")); return its output."""
    with memory_file() as out, memory_file() as err:
        status, said, wrong = run_sh(command, out, err)
    if status:
        raise RuntimeError(f"{command}: exit status {status}: {wrong}")
    return said


def sh_refused(command):
    """Run a command that has to fail; return what it said."""
    with memory_file() as out:
        status, said, _ = run_sh(command, out, out)
    assert 0 < status < 128, f"{command}: succeeded, or was killed ({status})"
    return said


def wait_for(what, seconds=5):
    """Until what() is true, and return that; TimeoutError if that takes longer. Debug kernels get
    more time."""
    seconds *= SLOWER
    deadline = time.monotonic() + seconds
    while not (value := what()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(0.02)
    return value


# -- the kernel log ---------------------------------------------------------------------------

# What an IOMMU's complaints look like, of any kind of IOMMU.
FAULT = re.compile(r"DMAR: \[DMA|AMD-Vi: Event logged|IO_PAGE_FAULT|virtio_iommu.*page fault|"
                   r"arm-smmu-v3 \S+ event(:| 0x\w+ received:)")


def expect_log(regex):
    """Kernel log lines that match this are wanted: see lib.sh."""
    with open(BATON_RUN / "expect", "a", encoding="utf-8") as stream:
        stream.write(regex + "\n")


def kernel_log():
    """Its lines. Asked for by the system call: tests look every 20 ms, and to start dmesg takes longer."""
    read_all, size_buffer = 3, 10
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(libc.klogctl(size_buffer, None, 0))
    length = libc.klogctl(read_all, buffer, len(buffer))
    assert length >= 0, os.strerror(ctypes.get_errno())
    lines = buffer.raw[:length].decode(errors="replace").splitlines()
    return [re.sub(r"<\d+>\[ *[\d.]+\](\[ *[CT]\d+\])? ", "", line, count=1) for line in lines]


def kernel_log_count(regex):
    """How many lines of the kernel log match; take the difference around what is tested."""
    pattern = re.compile(regex)
    return sum(bool(pattern.search(line)) for line in kernel_log())


def faults():
    """How many faults the IOMMU has complained about (the kernel limits the rate of these lines)."""
    return kernel_log_count(FAULT.pattern)


# -- functions and vDPA devices ---------------------------------------------------------------

def function(name):
    """PCI address of a function of the topology."""
    for line in (BATON_RUN / "functions").read_text().splitlines():
        if line.split()[0] == name:
            return line.split()[1]
    raise KeyError(f"no function {name} in this topology")


def bus_master(name):
    """Whether the function's PCI command register lets it direct DMA, read past its driver."""
    config = pathlib.Path("/sys/bus/pci/devices", function(name), "config").read_bytes()
    return bool(config[4] & 4)


def interrupts(name):
    """For what a function has interrupts: ["config", "vq0", ...]; none unless somebody owns it."""
    return re.findall(rf"baton-{function(name)}-(\S+)", pathlib.Path("/proc/interrupts").read_text())


def interrupt_count(name):
    """How many interrupts of a function have come, all taken together."""
    lines = pathlib.Path("/proc/interrupts").read_text().splitlines()
    return sum(int(count) for line in lines if f"baton-{function(name)}" in line
               for count in line.split()[1:1 + os.cpu_count()])


def disk_load(device, *options):
    """fio on the disk of a vDPA device, with many requests at once; the process."""
    return subprocess.Popen(
        ["fio", "--name=load", f"--filename=/dev/{sh(f'vdpa_disk {device}')}", "--bs=4k",
         "--iodepth=16", "--direct=1", "--ioengine=libaio", "--output=/dev/null", *options],
        stderr=subprocess.STDOUT)


def busy(name, unless=lambda: False):
    """More interrupts of a function than a moment ago: requests are answered."""
    before = interrupt_count(name)
    wait_for(lambda: unless() or interrupt_count(name) > before + 50, 20)


def timed(what, command, seconds=60, until=None):
    """A command, and "vdpa dev show" after it: how long each takes, which is printed, and what the second says."""
    start = time.monotonic()
    subprocess.run(["bash", "-c", f". {HERE}/lib.sh; {command}"], check=True, timeout=seconds,
                   stdout=subprocess.DEVNULL)
    if until:
        wait_for(until, 20)
    took = time.monotonic() - start
    start = time.monotonic()
    shown = subprocess.run(["vdpa", "dev", "show"], stdout=subprocess.PIPE, text=True, check=True, timeout=20).stdout
    answered = time.monotonic() - start
    note(f"{what}: returned after {took * 1000:.0f} ms, vdpa dev show in {answered * 1000:.0f} ms")
    return took, answered, shown


def reads_in_vain(disk):
    """A process that waits for a block of a disk of which the first queue does not answer; its ID."""
    cpu = int(pathlib.Path(f"/sys/block/{disk}/mq/0/cpu_list").read_text().split(",")[0])
    pid = os.fork()
    if not pid:
        # Whoever else has it open then waits to close it.
        os.sched_setaffinity(0, {cpu})
        try:
            os.pread(os.open(f"/dev/{disk}", os.O_RDONLY), 4096, 1 << 20)
        finally:
            os._exit(1)
    inflight = pathlib.Path(f"/sys/block/{disk}/inflight")
    wait_for(lambda: inflight.read_text().split()[0] != "0")
    return pid


def flr(name):
    """Somebody resets the function, through sysfs."""
    pathlib.Path("/sys/bus/pci/devices", function(name), "reset").write_text("1")


def peer_goes():
    """The plain netdev at the other end of the wire moves to the netns "peer", and comes up."""
    netdev = sh('basename "$(fn_dir peer0)"/virtio*/net/*')
    sh(f"ip netns add peer; ip link set {netdev} netns peer; ip -n peer link set {netdev} up")
    return netdev


def physical(address, process="self"):
    """Where in memory a page of a process is (its page table says so to root)."""
    page = os.sysconf("SC_PAGE_SIZE")
    with open(f"/proc/{process}/pagemap", "rb") as pagemap:
        pagemap.seek(address // page * 8)
        entry = int.from_bytes(pagemap.read(8), "little")
    assert entry >> 63, "the page is not in memory"
    return (entry & (1 << 55) - 1) * page


def vdpa_read(name, attribute):
    """owner, state, last_refusal, last_fault or mapped_bytes of a vDPA device."""
    return (VDPA / name / "baton" / attribute).read_text().strip()


def set_relay(name, policy):
    """Which queues of a vDPA device's next users are relayed: auto, always, never."""
    (VDPA / name / "baton" / "relay").write_text(policy)


def stands(name="net0", device="v0"):
    """Who owns a function of which this vDPA device was made, its state, and its bus mastering."""
    return vdpa_read(device, "owner"), vdpa_read(device, "state"), bus_master(name)


def vdpa_bind(name, consumer):
    """Hand a vDPA device to virtio_vdpa or vhost_vdpa; AssertionError if the bind was refused. What
    lib.sh's function of this name does, for tests that do it very often."""
    driver = VDPA / name / "driver"
    if driver.exists():
        (driver / "unbind").write_text(name)
    (VDPA / name / "driver_override").write_text(consumer)
    (VDPA.parent / "drivers_probe").write_text(name)
    assert driver.exists() and driver.resolve().name == consumer, f"{consumer} refused"


def user_node(name):
    """Bind a vDPA device to vhost_vdpa; return its /dev node."""
    vdpa_bind(name, "vhost_vdpa")
    return f"/dev/{next((VDPA / name).glob('vhost-vdpa-*')).name}"


def pinned():
    """How many pages are pinned for DMA."""
    # Each CPU keeps some of the count to itself, for a while.
    pathlib.Path("/proc/sys/vm/stat_refresh").write_text("1")
    stat = dict(line.split() for line in pathlib.Path("/proc/vmstat").read_text().splitlines())
    return int(stat["nr_foll_pin_acquired"]) - int(stat["nr_foll_pin_released"])


# -- chance -----------------------------------------------------------------------------------

def seed():
    """What chance begins with: BATON_SEED, or a new one. It is printed, to be tried again."""
    number = int(os.environ.get("BATON_SEED", 0)) or int.from_bytes(os.urandom(4)) | 1
    note(f"BATON_SEED={number} does the same again, as far as time allows")
    return number


# -- tracing ----------------------------------------------------------------------------------

class Trace:
    """Tracepoints while the block runs.

        with Trace("baton", "iommu:map") as trace:
            ...
        assert trace.lines("baton_owner") == ["0000:00:10.0: negotiated -> granting owner=user", ...]
    """

    def __init__(self, *events):
        self.events = events
        self.text = ""

    def __enter__(self):
        (TRACING / "set_event").write_text("")
        # The usual clock does not compare between processors.
        (TRACING / "trace_clock").write_text("mono")
        (TRACING / "trace").write_text("")
        (TRACING / "set_event").write_text("\n".join(self.events))
        return self

    def __exit__(self, *_):
        self.text = (TRACING / "trace").read_text()
        (TRACING / "set_event").write_text("")

    def read(self):
        """What has come so far, in order: list of (event, text)."""
        text = self.text or (TRACING / "trace").read_text()
        return re.findall(r"^ *\S.*?: (\w+): (.*)$", re.sub(r"^#.*\n", "", text, flags=re.M), re.M)

    def lines(self, event):
        """The texts of one event."""
        return [text for name, text in self.read() if name == event]
