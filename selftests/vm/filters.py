#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C8, nothing is inherited: what the policy keeps an owner from seeing, at the wire. What it may see
# arrives, whatever it asked for besides; what it may not see does not, however it asks.
#
#   peer0 --- hub --- net1 --- baton_pci --- v0 --- vhost_vdpa --- this process
#              tap --- net0 (packed) --- baton_pci --- v1 --- both consumers
#
# shares: its VM
# topology: control
# timeout: 120
import json
import socket

from lib import *
from netowner import *

OTHER, STRANGER = bytes.fromhex("020000000077"), bytes.fromhex("020000000009")
GROUPS = [bytes.fromhex(f"01005e0102{n:02x}") for n in range(70)]
CTRL_VQ, CTRL_VLAN, MQ = 1 << 17, 1 << 19, 1 << 22
COUNT = 5
MORE = 0x1c0000330dfffaf
ETHERTYPE = b"\x88\xb5"


class Listener(Owner):
    """A user who counts what arrives."""

    def __init__(self, dev, without=0):
        super().__init__(dev, without=without)
        self.buffers = {}
        for _ in range(64):
            offset = self.mem.alloc(2048)
            self.buffers[self.rings[0].post([(self.mem.iova + offset, 2048, WRITE)])] = offset

    def run(self):
        super().run()
        self.rings[0].kick()
        return self

    def hears(self, destination, tag=b""):
        """How many of COUNT frames arrive. Afterwards comes one for itself, which ends the wait."""
        for to, tags, times in (destination, tag, COUNT), (OWN, b"", 1):
            for _ in range(times):
                OUT.send(to + STRANGER + tags + ETHERTYPE + bytes([times]) * 46)
        seen = 0
        while True:
            used, length = self.rings[0].wait()
            offset = self.buffers.pop(used)
            frame = self.mem.bytes[offset + 12:offset + length]
            self.buffers[self.rings[0].post([(self.mem.iova + offset, 2048, WRITE)])] = offset
            self.rings[0].kick()
            if frame[6:12] != STRANGER:
                continue
            if frame[-1] == 1:
                return seen
            seen += frame[:6] == destination


def listens(name, test, policy="default", without=0):
    """A case with a user of its own."""
    with case(name):
        set_policy(policy)
        with Device(NODE) as dev:
            test(Listener(dev, without).run())


def own_address_often(user):
    assert user.command(MAC, 0, table([OWN] * 65, [])) == ERR
    assert user.hears(OTHER) == 0 and user.hears(OWN) == COUNT


def groups_often(user):
    """More than QEMU has room for: it would let all groups pass, others what they like."""
    assert user.command(MAC, 0, table([], GROUPS)) == ERR
    assert user.hears(OTHER) == 0 and user.hears(GROUPS[0]) == COUNT
    assert user.hears(GROUPS[69]) == 0


def address_and_group(user):
    """A macvlan of a guest: its address is not to be had, its groups are."""
    assert user.command(RX, 1, b"\0") == OK
    assert user.command(MAC, 0, table([OTHER], GROUPS[:1])) == ERR
    assert user.hears(OTHER) == 0 and user.hears(GROUPS[0]) == COUNT


def address_allowed(user):
    assert user.command(MAC, 0, table([OTHER], GROUPS[:1])) == OK
    assert user.hears(OTHER) == COUNT and user.hears(GROUPS[0]) == COUNT


def tags(vlans):
    """Priority and no VLAN arrives; VLAN 5 only for who may have VLANs."""
    def test(user):
        assert user.hears(OWN, b"\x81\0\x60\0") == COUNT
        assert user.hears(OWN, b"\x81\0\0\5") == (COUNT if vlans else 0)
    return test


def macvlan():
    """The kernel's own driver, which may not have further addresses: a group that is joined while there is
    a macvlan arrives, and what is for the macvlan does not."""
    set_policy("strict")
    vdpa_bind("v0", "virtio_vdpa")
    netdev = sh("vdpa_netdev v0")
    expect_log(r"net \w+: Failed to set MAC filter table")
    sh(f"ip link set {netdev} up; ip link add mv0 link {netdev} address {OTHER.hex(':')} type macvlan;"
       f"ip link set mv0 up; ip maddress add {GROUPS[3].hex(':')} dev {netdev}")
    heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(0x88b5))
    heard.bind((netdev, 0x88b5))
    heard.settimeout(5 * SLOWER)
    for to, times in (OTHER, COUNT), (GROUPS[3], COUNT), (OWN, 1):
        for _ in range(times):
            OUT.send(to + STRANGER + ETHERTYPE + bytes([times]) * 46)
    seen = []
    while not seen or seen[-1] != OWN:
        seen.append(heard.recv(2048)[:6])
    heard.close()
    sh("ip link del mv0; vdpa_unbind v0")
    assert seen == [GROUPS[3]] * COUNT + [OWN], [to.hex(":") for to in seen]


def documented():
    """The mask of Documentation/provisioning.rst with what QEMU's shadow virtqueues do not know: indirect
    descriptors and UDP segmentation. A user has them, and the device reads a packet by them."""
    sh(f"vdpa_add v1 net0 device_features {MORE:#x}")
    with Device(user_node("v1")) as dev:
        assert dev.get_features() == MORE, hex(dev.get_features())
        user = Owner(dev).run()
        tx, mem = user.rings[1], user.mem
        table, packet = mem.alloc(16), mem.alloc(128)
        mem.bytes[table:table + 16] = struct.pack("<QIHH", mem.iova + packet, 72, 0, 0)
        head = tx.post([(mem.iova + table, 16, READ)])
        mem.u16[(tx.desc + 16 * head + 12) // 2] = INDIRECT
        tx.kick()
        assert tx.wait()[0] == head
    sh("vdpa_del v1")


def packed():
    """The mask of Documentation/provisioning.rst: everything without the control queue. What needs it
    goes as well, and the log says so."""
    address = function("net0")
    offered = json.loads(sh(f"vdpa -j mgmtdev show pci/{address}"))
    names = offered["mgmtdev"][f"pci/{address}"]["dev_features"]
    assert "CTRL_VQ" in names and "MQ" in names, names
    expect_log(r"left out, which nobody can use without CTRL_VQ")
    sh("vdpa_add v1 net0 device_features 0x730fdffaf")
    vdpa_bind("v1", "virtio_vdpa")
    sh("net_up v1; pings")
    expect_log("a user of v1 can see all that reaches the function: packed rings")
    with Device(user_node("v1")) as dev:
        dev.start()
        assert dev.get_features() & RING_PACKED and not dev.get_features() & (CTRL_VQ | MQ)


ktap_start(10)
peer = sh("basename $(fn_dir peer0)/virtio*/net/*")
sh(f"ip link set {peer} up; bind_baton net0; bind_baton net1; vdpa_add v0 net1")
OWN = bytes.fromhex(sh("vdpa_mac v0").replace(":", ""))
NODE = user_node("v0")
OUT = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
OUT.bind((peer, 0))
expect_log("control command 1/0 of .* refused: not allowed by the policy")

listens("one's own address 65 times does not open the filter", own_address_often)
listens("nor do 70 groups; those that there is room for arrive", groups_often)
listens("a foreign address is left out of a table, its groups are not", address_and_group)
listens("it is not left out where the policy allows it", address_allowed, "mac")
listens("priority tags arrive, VLANs do not: who takes no VLANs", tags(False), without=CTRL_VLAN)
listens("the same: who takes nothing but the control queue", tags(False), without=0x7c << 17)
listens("who may have VLANs, and takes none, gets all", tags(True), "vlan", without=CTRL_VLAN)
with case("a macvlan of the kernel's does not cost it its groups"):
    macvlan()
with case("indirect descriptors and UDP segmentation, by the mask of the document"):
    documented()
with case("packed rings, by the mask of the document"):
    packed()
ktap_finish()
