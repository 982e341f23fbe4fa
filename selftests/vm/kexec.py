#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C1.1, shutdown ends every ownership: the system is restarted by kexec, without a reset of the machine,
# while a user owns a function that writes on whenever it is reset. The function has been reset, and has
# lost bus mastering, before the second kernel begins; and that kernel finds it ready for a new owner.
#
#   net0 (selftests/model) --- baton_pci --- v0 --- this process, in both kernels
#
# topology: model
# timeout: 240
# init: kexec
import ctypes

from lib import *
from model import *
from vhost_vdpa import *

FIRST = BATON_RUN / "first"     # what the first kernel leaves for the second
KEXEC_FILE_LOAD, REBOOT, BY_KEXEC = 320, 169, 0x45584543
STRAY_MS = 6000
net0 = Model("net0")


def syscall(*args):
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(*(ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args))
    assert not result, os.strerror(ctypes.get_errno())


def user():
    sh("bind_baton net0; vdpa_add v0 net0")
    dev = Device(user_node("v0"))
    net = Net(dev)
    net.dev = dev
    assert stands() == ("user", "user", True), stands()
    return net


def before():
    net = user()
    kernel = os.open(f"/boot/vmlinuz-{os.uname().release}", os.O_RDONLY)
    initramfs = os.open(BATON_RUN / "initramfs", os.O_RDONLY)
    words = pathlib.Path("/proc/cmdline").read_bytes().strip() + b"\0"
    syscall(KEXEC_FILE_LOAD, kernel, initramfs, len(words), ctypes.c_char_p(words), 0)
    net0.set(stray_ms=STRAY_MS)
    FIRST.write_text(str(len(net0.lines())))
    syscall(REBOOT, 0xfee1dead, 672274793, BY_KEXEC, 0)
    net.dev.close()


def after():
    """What the function has seen since, from outside both kernels."""
    lines = [line.split(" ", 1) for line in net0.lines()[int(FIRST.read_text()):]]
    events = [(int(ms), text) for ms, text in lines if text.split()[0] in ("status", "master", "reset")]
    assert [text for _, text in events[:3]] == ["status 0", "reset", "master 0"], events[:3]
    strays = re.match(r"stray writes: (\d+) taken, (\d+) refused", next(
        text for _, text in lines if text.startswith("stray writes")))
    assert int(strays[1]) * 20 < int(strays[2]), strays[0]
    # The second kernel takes a while to come as far as its PCI drivers.
    assert events[3][0] - events[2][0] > 500, events[:4]


if not FIRST.exists():
    before()
    sys.exit("kexec: nothing happened")
ktap_start(2)
expect_log("DMAR: |dmar_fault: |Spurious LAPIC timer interrupt")
with case("kexec: reset, and without bus mastering, before the second kernel"):
    after()
with case("the second kernel has it work for users"):
    net0.set(stray_ms=0)
    time.sleep(STRAY_MS / 1000 + 0.5)
    user()
ktap_finish()
