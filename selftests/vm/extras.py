#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C8, nothing is inherited: control commands whose features few devices have. Distribution by hash (RSS),
# hash reports and announcements are carried out for the kernel's driver and for users, within what was
# provisioned, and an announcement is heard on the wire.
#
#   net0 (two queue pairs, RSS, hash reports) --- baton_pci --- v0 --- virtio_vdpa or vhost_vdpa
#   net1 --- baton_pci --- v1 --- virtio_vdpa --- netdev, 10.9.0.2; peer0 hears it on the same wire
#
# topology: extras
# cpus: 2
# timeout: 150
from lib import *
from netowner import *

RSS, HASH, GUEST_ANNOUNCE = 1 << 60, 1 << 57, 1 << 21
TCP4 = 1 << 1                   # hash types: TCP over IPv4
KEY = bytes(range(40))


def rss(queues, rest=0, pairs=2, types=TCP4, key=KEY):
    return struct.pack(f"<IHH{len(queues)}HHB", types, len(queues) - 1, rest, *queues, pairs,
                       len(key)) + key


def hashes(types=TCP4, key=KEY):
    return struct.pack("<I8xB", types, len(key)) + key


# Name, command (of the class of queue pairs), data, answer
COMMANDS = (
    ("distribution over both pairs", 1, rss([0, 1, 0, 1]), OK),
    ("over one of them", 1, rss([1]), OK),
    ("over a pair that is not there", 1, rss([0, 2]), ERR),
    ("the rest to a pair that is not there", 1, rss([0, 1], rest=2), ERR),
    ("three pairs for transmission", 1, rss([0, 1], pairs=3), ERR),
    ("a table with more entries than bytes", 1, rss([0, 1])[:10], ERR),
    ("a key with fewer bytes than it says", 1, rss([0, 1])[:-1], ERR),
    ("a table of three, which the hardware refuses", 1, rss([0, 1, 0]), ERR),
    ("hash reports", 2, hashes(), OK),
    ("hash reports with half a key", 2, hashes()[:-20], ERR),
)


def user():
    wrong = []
    with Device(user_node("v0")) as dev:
        assert dev.get_features() & (RSS | HASH) == RSS | HASH, hex(dev.get_features())
        owner = Owner(dev).run()
        for name, number, data, answer in COMMANDS:
            if (got := owner.command(PAIRS, number, data)) != answer:
                wrong.append(f"{name}: {got}")
    assert not wrong, wrong


def user_without():
    """Not negotiated, not carried out."""
    with Device(user_node("v0")) as dev:
        owner = Owner(dev, without=RSS | HASH).run()
        assert owner.command(PAIRS, 1, rss([0, 1])) == ERR
        assert owner.command(PAIRS, 2, hashes()) == ERR
        assert owner.command(PAIRS, 0, le16(2)) == OK


def user_announces():
    """The hardware takes it only if it has asked for an announcement."""
    sh("vdpa_del v0; vdpa_add v0 net0 device_features "
       f"{hex((1 << 33) | (1 << 32) | (1 << 5) | (1 << 16) | (1 << 17) | (1 << 22) | (1 << 21))}")
    with Device(user_node("v0")) as dev:
        owner = Owner(dev).run()
        assert owner.command(ANNOUNCE, 0) == ERR and owner.command(ANNOUNCE, 0, b"\0") == ERR
        sh("/baton/tools/lab/qmp hmp announce_self")
        wait_for(lambda: dev.get_config(6, 2)[0] & 2)
        assert not dev.get_status() & NEEDS_RESET and os.eventfd_read(owner.told)
        assert owner.command(ANNOUNCE, 0) == OK
        # Some time later it asks again.
        wait_for(lambda: not dev.get_config(6, 2)[0] & 2, 2)


def commands(trace):
    """(class, command, answer) of each command that the kernel gave."""
    return [tuple(int(n) for n in re.search(r"class=(\d+) command=(\d+).* ack=(\d+)", line).groups())
            for line in trace.lines("baton_command")]


def kernel_distributes():
    """The commands only: with RSS, QEMU's second tap queue swallows the answers to a ping in about
    every other boot, whether baton or mainline's virtio-pci drives the function."""
    with Trace("baton:baton_command") as trace:
        vdpa_bind("v0", "virtio_vdpa")
        sh("net_up v0")
        dev = sh("vdpa_netdev v0")
        sh(f"ethtool -X {dev} weight 1 0; ethtool -X {dev} equal 2; ethtool -X {dev} default")
        sh(f"ethtool -L {dev} combined 1; ethtool -L {dev} combined 2")
    given = commands(trace)
    note(given)
    assert given.count((PAIRS, 1, OK)) >= 2 and not [one for one in given if one[2] != OK], given
    sh("vdpa_unbind v0")


def kernel_announces():
    """QEMU says that the guest has moved: the driver tells the network, and that it has done so."""
    sh("vdpa_bind v1 virtio_vdpa")
    dev = sh("vdpa_netdev v1")
    sh(f"ip address add 10.9.0.2/24 dev {dev}; ip link set {dev} up")
    peer = peer_goes()
    # A gratuitous ARP: who has 10.9.0.2, from 10.9.0.2 itself.
    heard = subprocess.Popen(["ip", "netns", "exec", "peer", "timeout", "30", "tcpdump", "-nlc1", "-i",
                              peer, "arp src host 10.9.0.2 and arp dst host 10.9.0.2"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while "listening on" not in heard.stderr.readline():
        assert heard.poll() is None
    with Trace("baton:baton_command") as trace:
        sh("/baton/tools/lab/qmp hmp announce_self")
        said = heard.communicate()[0]
        assert "10.9.0.2" in said, said
        wait_for(lambda: (ANNOUNCE, 0, OK) in commands(trace))
    sh("vdpa_unbind v1")


ktap_start(6)
sh("bind_baton net0; bind_baton net1; vdpa_add v0 net0; vdpa_add v1 net1")
expect_log(r"control command \d/\d of \d+ bytes refused: ")
with case("the kernel distributes by hash"):
    kernel_distributes()
with case("the kernel announces itself, heard on the wire"):
    kernel_announces()
with case("a user distributes by hash, within the queue pairs that it has"):
    user()
with case("... and not without the features"):
    user_without()
with case("the next user can"):
    user()
with case("a user announces itself, when asked"):
    user_announces()
ktap_finish()
