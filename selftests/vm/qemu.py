# SPDX-License-Identifier: GPL-2.0-only
"""QEMU in the VM, with a guest that boots from a vDPA device and says so each time it has used it once
more. From a net device: iPXE, which fetches a script by TFTP that fetches itself again. From a disk:
disk.S, which writes and reads back.

    with Guest("v0") as guest:
        guest.goes_on(120)
        guest.qmp("stop")
"""
import itertools
import json
import socket

from lib import *

SCRIPT = """#!ipxe
:again
echo baton: round
chain --replace --autofree tftp://10.0.2.2/boot || goto again
"""
STABLE = "/opt/qemu-stable/usr"
# Its name for tests, and the program.
QEMU = {
    "": ["qemu-system-x86_64"],
    "older ": [f"{STABLE}/bin/qemu-system-x86_64", "-L", f"{STABLE}/share/qemu",
               "-L", "/usr/share/seabios", "-L", "/usr/lib/ipxe/qemu"],
}
MODERN = "disable-legacy=on,iommu_platform=on,bootindex=0"
PC = "pc-i440fx-10.0,graphics=off"
numbers = itertools.count()


class QmpError(ValueError):
    """QEMU says no."""


def connected(path):
    """None, if nobody listens there yet."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(path)
    except OSError:
        return sock.close()
    return sock


class Monitor:
    """That of a QEMU which listens at @path, or soon does."""

    def __init__(self, path):
        self.socket = wait_for(lambda: connected(path), 20)
        self.lines = self.socket.makefile("rw")
        self.lines.readline()
        self.qmp("qmp_capabilities")

    def qmp(self, command, **arguments):
        self.lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.lines.flush()
        while True:
            answer = json.loads(self.lines.readline())
            if "error" in answer:
                raise QmpError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]


class Guest:
    """@options: more of QEMU's, before its device. @netdev: more for its net back end. @generic: its device
    that knows no class instead, with this. @machine: what the guest's is, @memory: how much it has."""

    def __init__(self, name, qemu="", options=(), netdev="", generic=None, machine=PC, memory="64"):
        number = next(numbers)
        self.name = name
        self.console = pathlib.Path(f"/tmp/console.{number}")
        monitor = f"/tmp/monitor.{number}"
        (BATON_RUN / "tftp" / "boot").write_text(SCRIPT)
        env = {**os.environ, "QEMU_MODULE_DIR": f"{STABLE}/lib/x86_64-linux-gnu/qemu"}
        node = sh(f"vhost_node {name}")
        if generic is None:
            device = ["-netdev", f"vhost-vdpa,id=net,vhostdev={node}{netdev}", "-device",
                      f"virtio-net-pci,id=nic,netdev=net,mac={sh(f'vdpa_mac {name}')},{MODERN}"]
        else:
            device = ["-device", f"vhost-vdpa-device-pci,vhostdev={node},{MODERN},{generic}"]
        self.log = open(f"/tmp/qemu.{number}.log", "w+")
        self.process = subprocess.Popen(
            [*QEMU[qemu], "-accel", "tcg", "-M", machine, "-m", memory, "-nodefaults",
             "-display", "none", "-serial", f"file:{self.console}", "-qmp",
             f"unix:{monitor},server=on,wait=off", *options, *device],
            env=env if qemu else None, stderr=self.log, stdout=self.log)
        try:
            self.qmp = Monitor(monitor).qmp
        except (OSError, ValueError) as error:
            raise QmpError(f"QEMU did not start: {self.said()}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def rounds(self):
        said = self.console.read_text(errors="replace") if self.console.exists() else ""
        return said.count("baton: round")

    def goes_on(self, seconds=20):
        before = self.rounds()
        try:
            wait_for(lambda: self.rounds() >= before + 3, seconds)
        except TimeoutError:
            self.tell()
            raise

    def tell(self):
        """What there is to know of a guest that does not go on."""
        note(f"QEMU: {self.said()[-1000:]}")
        note(f"{self.rounds()} rounds, {self.qmp('query-status')['status']}; it said last:")
        note(self.console.read_text(errors="replace")[-1000:] if self.console.exists() else "nothing")
        note(sh(f"for q in 0 1; do vdpa dev vstats show {self.name} qidx $q || :; done; "
                f"cd /sys/bus/vdpa/devices/{self.name}/baton; grep . owner state last_refusal || :"))

    def stop_and_cont(self, times):
        for _ in range(times):
            self.qmp("stop")
            assert sh(f"vdpa_owner {self.name}") == "none"
            self.qmp("cont")
            self.goes_on()

    def said(self):
        self.log.seek(0)
        return self.log.read()
