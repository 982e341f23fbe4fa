#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C3, reset is a handshake; C8, nothing is inherited; C9, interrupts end with ownership: a function
# is handed back and forth between the kernel and users 250 times, always under traffic, ended in
# every way there is. Nothing is left behind: memory, pinned pages, mappings, interrupts; the IOMMU
# has recorded no fault, so at no time did the function reach for what was not its owner's any
# more. (Two kernels make 500 times. BATON_CYCLES asks for another number.)
#
#   net0 --- baton_pci --- v0 --- virtio_vdpa --- packets, then vhost_vdpa --- packets, and so on
#
# shares: its VM
# topology: net
# cpus: 2
# timeout: 400
# not on kasan: what is freed stays aside for a while there, to catch who still uses it
import fcntl
import itertools
import signal
import socket

from leftovers import judge, measure
from lib import *
from vhost_vdpa import *

CYCLES = int(os.environ.get("BATON_CYCLES", 250))
BUS = pathlib.Path("/sys/bus/vdpa")
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
BROADCAST = b"\xff" * 6


def arp_request(mac):
    """Who has 10.0.2.2?"""
    return (BROADCAST + mac + struct.pack(">HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1)
            + mac + bytes((10, 0, 2, 15)) + bytes(6) + bytes((10, 0, 2, 2)))


def bind(consumer):
    (VDPA / "v0/driver_override").write_text(consumer)
    (BUS / "drivers_probe").write_text("v0")
    assert (VDPA / "v0/driver").resolve().name == consumer


def unbind():
    (VDPA / "v0/driver/unbind").write_text("v0")


def answered(sock, request):
    sock.send(request)
    try:
        while sock.recv(128)[20:22] != b"\0\x02":
            pass
        return True
    except TimeoutError:
        return False


def kernel_turn():
    """The netdev gets an answer; then it goes while it sends, and more answers are due."""
    bind("virtio_vdpa")
    net = wait_for(lambda: list(FUNCTION.glob("virtio*/net/*")))[0]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", net.name.encode(), IFF_UP))
        sock.bind((net.name, 0x0806))
        sock.settimeout(0.2)
        request = arp_request(bytes.fromhex((net / "address").read_text().replace(":", "")))
        # The link comes up a moment after the netdev: what is sent before is lost.
        wait_for(lambda: answered(sock, request))
        for _ in range(16):
            sock.send(request)
        assert vdpa_read("v0", "owner") == "kernel"
        unbind()


def user_session():
    """As the kernel's turn. The session ends while packets are on their way, both ways."""
    dev = Device(NODE)
    net = Net(dev)
    net.arp()
    assert vdpa_read("v0", "owner") == "user"
    length = net.HEADER + 60
    for _ in range(16):
        net.tx.post([(net.mem.iova + net.out, length, READ)])
    net.tx.kick()
    return dev


def ends_by_close():
    user_session().close()


def ends_by_reset():
    with user_session() as dev:
        dev.reset()
        assert vdpa_read("v0", "owner") == "none"


def ends_by_kill():
    pid = os.fork()
    if not pid:
        user_session()
        os.kill(os.getpid(), signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status == -signal.SIGKILL, f"exit status {status}"


def blocked(when):
    stands = vdpa_read("v0", "owner"), vdpa_read("v0", "state"), bus_master("net0")
    assert stands == ("none", "blocked", False), f"{when}: {stands}"


def cycles(count):
    ends = itertools.cycle((ends_by_close, ends_by_reset, ends_by_kill))
    for number in range(count):
        kernel_turn()
        blocked(f"after the kernel, cycle {number}")
        bind("vhost_vdpa")
        next(ends)()
        blocked(f"after the user, cycle {number}")
        assert vdpa_read("v0", "mapped_bytes") == "0"
        unbind()


def main():
    global FUNCTION, NODE
    ktap_start(6)
    sh("bind_baton net0; vdpa_add v0 net0")
    FUNCTION = pathlib.Path("/sys/bus/pci/devices", function("net0"))
    NODE = user_node("v0")
    unbind()
    pathlib.Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")

    cycles(12)      # what is allocated once, is allocated now
    before = measure()
    start = time.monotonic()
    with case(f"{CYCLES} times from the kernel to a user and back"):
        cycles(CYCLES)
    note(f"{(time.monotonic() - start) / CYCLES * 1000:.0f} ms each")
    judge(before, measure(), CYCLES)
    with case("it still works for both"):
        cycles(1)
        sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings")
    ktap_finish()


main()
