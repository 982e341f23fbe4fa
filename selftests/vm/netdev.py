#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C8, nothing is inherited: what the kernel's driver orders by the control queue (address, promiscuous
# mode, multicast, VLANs, queue pairs, coalescing) happens on the wire, and is gone with it. With the
# policy "strict" the kernel, too, keeps to what was provisioned. All of that from within a container.
#
#   net1 --- baton_pci --- v1 --- virtio_vdpa --- netdev in a container, 10.9.0.2 --.
#   peer0 --- virtio-pci --- netdev in the netns "peer", 10.9.0.1 ------------------' one wire (a hub)
#   net0 (two queue pairs, MTU 4000) --- baton_pci --- v0 --- virtio_vdpa --- netdev in the container
#
# shares: its VM
# topology: control
# timeout: 300
import json
import socket

from lib import *

ETHERTYPE = 0x88b5              # for local experiments
FACTORY, PEER = "52:54:00:6e:00:01", "52:54:00:70:00:00"
OTHER, FOREIGN = "02:00:00:00:00:05", "02:00:00:00:00:77"
GROUP = "01:00:5e:01:02:03"


class Container:
    """One of systemd-nspawn's, with a network of its own, that waits for commands."""

    def __init__(self):
        sh("systemd-machine-id-setup 2>&1; make_box /run/box")
        # There is no systemd around it, as there would be on a real machine.
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--directory=/run/box/root", "--private-network",
             "--register=no", "--keep-unit", "--as-pid2", "--console=pipe", "--bind-ro=/baton",
             "sh", "-c", "echo up; exec sleep infinity"], stdout=subprocess.PIPE, text=True)
        assert self.nspawn.stdout.readline() == "up\n"
        self.pid = int(sh(f"pgrep -P {self.nspawn.pid}").split()[0])
        self.enter = f"nsenter --target {self.pid} --all --"

    def take(self, netdev):
        """A netdev moves into it, as container engines do it."""
        sh(f"ip link set {netdev} netns {self.pid}")

    def network(self):
        return f"/proc/{self.pid}/ns/net"


def raw_socket(network, netdev):
    """For all that comes and goes there. A socket stays in the network that it was made in."""
    with open("/proc/self/ns/net", "rb") as own, open(network, "rb") as other:
        os.setns(other.fileno(), os.CLONE_NEWNET)
        try:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            sock.bind((netdev, 3))
        finally:
            os.setns(own.fileno(), os.CLONE_NEWNET)
    return sock


def box(command):
    """Run it in the container."""
    return sh(f"{container.enter} bash -euc '. {HERE}/lib.sh; {command}'")


def box_refused(command):
    return sh_refused(f"{container.enter} bash -euc '. {HERE}/lib.sh; {command}'")


def neighbour():
    """Whom the peer hears at the other end, from its neighbour table."""
    sh("ip netns exec peer ip neigh flush all")
    sh("ip netns exec peer ping -q -c 2 -i 0.2 -w 10 10.9.0.2")
    return json.loads(sh("ip netns exec peer ip -j neigh show 10.9.0.2"))[0]["lladdr"]


def hears(destination, vlan=None):
    """Whether a frame from the peer to this address comes out of the netdev. A broadcast frame goes
    after it: when that is there, the first one is, or will never be."""
    with raw_socket(container.network(), dev) as sock:
        sock.settimeout(5 * SLOWER)
        tag = "" if vlan is None else f"8100{vlan:04x}"
        for address, number in (destination, 1), ("ff:ff:ff:ff:ff:ff", 2):
            header = f"{address}{PEER}{tag if number == 1 else ''}{ETHERTYPE:04x}"
            wire.send(bytes.fromhex(header.replace(":", "")) + bytes([number]) * 46)
        heard = False
        while True:
            frame = sock.recv(2048)
            if frame[12:14] == b"\x81\x00":
                frame = frame[:12] + frame[16:]
            if frame[12:14] == ETHERTYPE.to_bytes(2, "big"):
                if frame[14] == 2:
                    return heard
                heard = True


def stats(name, queue):
    said, = json.loads(sh(f"vdpa -j dev vstats show {name} qidx {queue}")).values()
    return {key.strip(): value for key, value in said[name].items()}


def up(name="v1", address="10.9.0.2/24"):
    vdpa_bind(name, "virtio_vdpa")
    device = sh(f"vdpa_netdev {name}")
    container.take(device)
    box(f"ip address replace {address} dev {device}; ip link set {device} up")
    return device


def address():
    return json.loads(box(f"ip -j link show {dev}"))[0]["address"]


def policy(word, name="v1"):
    sh(f"vdpa_unbind {name}")
    (VDPA / name / "baton" / "policy").write_text(word)


ktap_start(23)
peer = peer_goes()
sh(f"ip -n peer address add 10.9.0.1/24 dev {peer}")
wire = raw_socket("/run/netns/peer", peer)
container = Container()
sh("bind_baton net0; bind_baton net1; vdpa_add v0 net0; vdpa_add v1 net1")

# The kernel, which may do everything
dev = up()
equal("on the wire it has its own address", neighbour(), FACTORY)
with case("it hears what is for it and for all, and nothing else"):
    assert hears(FACTORY) and not hears(FOREIGN) and not hears(GROUP)
with case("another address: the peer sees it, and reaches it"):
    box(f"ip link set {dev} address {OTHER}")
    assert neighbour() == OTHER
with case("... and what is for the old one is not heard"):
    assert hears(OTHER) and not hears(FACTORY)
with case("the device shows it as well"):
    assert OTHER in sh("vdpa dev config show v1")
with case("promiscuous mode, on and off"):
    box(f"ip link set {dev} promisc on")
    wait_for(lambda: hears(FOREIGN))
    box(f"ip link set {dev} promisc off")
    wait_for(lambda: not hears(FOREIGN))
with case("a multicast group, joined and left"):
    box(f"ip maddress add {GROUP} dev {dev}")
    wait_for(lambda: hears(GROUP))
    box(f"ip maddress del {GROUP} dev {dev}")
    wait_for(lambda: not hears(GROUP))
with case("all multicast, on and off"):
    box(f"ip link set {dev} allmulticast on")
    wait_for(lambda: hears(GROUP))
    box(f"ip link set {dev} allmulticast off")
    wait_for(lambda: not hears(GROUP))
with case("a VLAN, added and removed"):
    assert not hears(OTHER, vlan=5)
    box(f"ip link add link {dev} name vlan5 type vlan id 5; ip link set vlan5 up")
    wait_for(lambda: hears(OTHER, vlan=5))
    assert not hears(OTHER, vlan=6)
    box("ip link del vlan5")
    wait_for(lambda: not hears(OTHER, vlan=5))
with case("vstats count the commands, and refused none"):
    numbers = stats("v1", 2)
    note(numbers)
    assert numbers["received_commands"] >= 10, numbers
    assert numbers["completed_commands"] == numbers["received_commands"], numbers
    assert numbers["refused_commands"] == 0 and numbers["kicks"] > 0, numbers
with case("left as it is, with another address, promiscuous, with a VLAN"):
    box(f"ip link set {dev} promisc on; ip link add link {dev} name vlan5 type vlan id 5")
    wait_for(lambda: hears(FOREIGN))
    sh("vdpa_unbind v1")
    assert FACTORY in sh("vdpa dev config show v1")
dev = up()
with case("the next owner has the provisioned address, and hears what is for it"):
    assert address() == FACTORY and neighbour() == FACTORY
    assert hears(FACTORY) and not hears(OTHER) and not hears(FOREIGN)
    assert not hears(FACTORY, vlan=5)

# The kernel, kept to what was provisioned
policy("strict")
expect_log(r"control command 1/1 of 8 bytes refused: not allowed by the policy")
expect_log(r"control command 0/0 of 3 bytes refused: not allowed by the policy")
expect_log(r"Failed to (set mac address by vq command|enable promisc mode)")
# (Not for VLAN 0, for which the VLAN driver asks each netdev: that is none.)
dev = up()
with case("strict: it works"):
    assert neighbour() == FACTORY
    assert hears(FACTORY) and not hears(FOREIGN) and not hears(GROUP)
with case("strict: no other address"):
    box_refused(f"ip link set {dev} address {OTHER}")
    assert address() == FACTORY and neighbour() == FACTORY
with case("strict: not promiscuous, whatever the netdev says"):
    before = stats("v1", 2)
    box(f"ip link set {dev} promisc on")
    wait_for(lambda: stats("v1", 2) != before)
    assert not hears(FOREIGN)
    box(f"ip link set {dev} promisc off")
with case("strict: multicast groups, which everybody may join"):
    box(f"ip maddress add {GROUP} dev {dev}")
    wait_for(lambda: hears(GROUP))
with case("strict: refusals are counted"):
    numbers = stats("v1", 2)
    assert numbers["refused_commands"] >= 2, numbers

# A policy in words
policy("promisc")
dev = up()
with case("only promisc: that, and no other address"):
    box(f"ip link set {dev} promisc on")
    wait_for(lambda: hears(FOREIGN))
    box_refused(f"ip link set {dev} address {OTHER}")
with case("a policy that makes no sense is refused"):
    expect_log("policy refused: it is default, strict, permissive, or some of")
    with fails_with(errno.EINVAL):
        (VDPA / "v1" / "baton" / "policy").write_text("promisc fly")
    assert (VDPA / "v1" / "baton" / "policy").read_text() == "promisc\n"
sh("vdpa_unbind v1")

# Queue pairs and MTU
dev = up("v0", "10.0.2.15/24")
with case("two queue pairs, one, and two again, with traffic"):
    for number in 2, 1, 2:
        box(f"ethtool -L {dev} combined {number}; pings")
        assert re.search(rf"Combined:\s+{number}\s*$", box(f"ethtool -l {dev}")), number
with case("the MTU, up to the hardware's"):
    box(f"ip link set {dev} mtu 1400; pings; ip link set {dev} mtu 4000; pings")
    box_refused(f"ip link set {dev} mtu 4001")
with case("transmit interrupts, none or each, with traffic"):
    # Left at none, 6.12's virtio_net frees a packet twice when it goes, with virtio-pci as well.
    for frames in 0, 1:
        box(f"ip link set {dev} down; ethtool -C {dev} tx-frames {frames}; ip link set {dev} up")
        box("pings")
        assert re.search(rf"tx-frames:\s+{frames}\s*$", box(f"ethtool -c {dev}"), re.M)
with case("the data queues' statistics count as well"):
    numbers = stats("v0", 0)
    assert numbers["kicks"] > 0 and numbers["interrupts"] > 0, numbers
sh("vdpa_del v0; vdpa_del v1")
container.nspawn.terminate()
container.nspawn.wait()
ktap_finish()
