#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C2, C3: a user is killed (SIGKILL) while packets pour into his memory. When he is gone, the function
# is blocked and bus mastering is off (mainline's vp_vdpa leaves it on), nothing is mapped or pinned,
# no fault was recorded, and the next owner has the packets.
#
#   peer0 --- hub --- net0 --- baton_pci --- v0 --- vhost_vdpa --- the victims, this process
#     '--- a flood of broadcasts
#
# topology: peer
# cpus: 2
# timeout: 120
import signal
import socket

from lib import *
from vhost_vdpa import *

VICTIMS = 12


def flood(netdev):
    """Broadcasts without end."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind((netdev, 0))
        frame = b"\xff" * 6 + bytes(6) + b"\x88\xb5" + b"flood" * 200
        while True:
            with contextlib.suppress(OSError):      # ENOBUFS: as fast as it goes
                out.send(frame)


def victim(node, tell):
    """A user who receives until he is killed."""
    net = Net(Device(node), buffers=64, size=64)
    while True:
        net.receive()
        os.write(tell, b".")


def child(what, *args):
    pid = os.fork()
    if not pid:
        try:
            what(*args)
        finally:
            os._exit(1)
    return pid


peer = pathlib.Path("/sys/bus/pci/devices", function("peer0"))
netdev = next(peer.glob("virtio*/net/*")).name
sh(f"ip link set {netdev} up; bind_baton net0; vdpa_add v0 net0")
node = user_node("v0")
flooder = child(flood, netdev)

ktap_start(4)
before = pinned(), faults()
try:
    with case(f"{VICTIMS} users are killed under a flood; each time the function is quiet at once"):
        for number in range(VICTIMS):
            here, there = os.pipe()
            pid = child(victim, node, there)
            os.close(there)
            # Sooner or later in a round of the ring.
            assert len(os.read(here, 1)) == 1
            for _ in range(7 * number):
                os.read(here, 1)
            assert bus_master("net0") and vdpa_read("v0", "owner") == "user"
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(here)
            assert not bus_master("net0")
            left = [vdpa_read("v0", name) for name in ("owner", "state", "mapped_bytes")]
            assert left == ["none", "blocked", "0"], left
    equal("nothing stays pinned, no fault was recorded", (pinned(), faults()), before)
    equal("the flood goes on", os.waitpid(flooder, os.WNOHANG), (0, 0))
    with case("the next user has it"):
        with Device(node) as dev:
            net = Net(dev)
            for _ in range(50):
                assert net.receive()[12:14] == b"\x88\xb5"
finally:
    os.kill(flooder, signal.SIGKILL)
ktap_finish()
