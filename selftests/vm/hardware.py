#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C3, reset is a handshake; C8, nothing is inherited; C11.1, a doorbell outlives its user; C12, answers are
# constants: functions that are as virtio allows and as QEMU's are not. Registers in other BARs and another
# order, or in the page of a doorbell, doorbells that take data, queues of different sizes, many of them,
# fewer vectors than queues or none, answers out of order, packed rings, features that are demanded, small
# filter tables, resets that take their time, no FLR, a configuration that changes without a generation.
#
#   peer0 --- hub --- net0 --- baton_pci --- v0
#            blk0 ... blk3 --- baton_pci --- v1 ... v4       (all of selftests/model but peer0)
#
# topology: smartnic
# timeout: 300
import mmap

from lib import *
from model import *
from vhost_vdpa import *

DEVICES = {"net0": "v0", "blk0": "v1", "blk1": "v2", "blk2": "v3", "blk3": "v4"}
NET_SIZES = [1024, 256, 512, 128, 256, 256, 256, 256, 64]
IN_ORDER, ORDER_PLATFORM, NOTIFICATION_DATA = 1 << 35, 1 << 36, 1 << 38
ENOTSUPP = 524                  # the kernel's own
PHYSICAL = "/sys/module/baton_pci/parameters/physical_doorbells"
ELSEWHERE = bytes.fromhex("025400000042")
net0, blk0, blk1, blk2, blk3 = (Model(name) for name in DEVICES)


def disk(device):
    """Give it to the kernel; its disk, which has to hold what is written to it."""
    vdpa_bind(device, "virtio_vdpa")
    name = sh(f"vdpa_disk {device}")
    sh(f"disk_works /dev/{name}")
    return name


def mappable(device):
    """May a user map the doorbell of its first queue?"""
    with Device(user_node(device)) as dev:
        try:
            mmap.mmap(dev.fd, PAGE, prot=mmap.PROT_WRITE).close()
        except OSError as err:
            assert err.errno == ENOTSUPP, err
            return False
        return True


def taken(model):
    """The features that its driver took."""
    return int(model.state()["features"], 16)


def pings():
    vdpa_bind("v0", "virtio_vdpa")
    netdev = sh("vdpa_netdev v0")
    sh(f"ip address replace 10.0.3.2/24 dev {netdev}; ip link set {netdev} up")
    sh("ping -q -c 3 -i 0.1 -w 10 10.0.3.1")
    return netdev


def nets():
    with case("net with four pairs, each queue of a size of its own"):
        netdev = pings()
        sh(f"ethtool -L {netdev} combined 4; ping -q -c 3 -i 0.1 -w 10 10.0.3.1")
        assert net0.state()["pairs"] == "4", net0.state()
        # Which it takes depends on the kernel's driver; the model reads rings strictly then.
        note(f"taken: {net0.state()['features']}, IN_ORDER {bool(taken(net0) & IN_ORDER)}")
        sizes = [int(net0.queue(index)["size"]) for index in range(8)]
        assert sizes == NET_SIZES[:8], sizes
    with case("doorbells of a page each take no data, though it offers that: an old user may still ring"):
        assert not taken(net0) & NOTIFICATION_DATA, hex(taken(net0))
    with case("more addresses than it has room for"):
        for group in range(40):
            sh(f"ip maddress add 01:00:5e:01:02:{group:02x} dev {netdev}")
        wait_for(lambda: net0.state()["overflow"] == "1")
        sh("ping -q -c 3 -i 0.1 -w 10 10.0.3.1")
    with case("a user sees the sizes, and can use it"):
        node = user_node("v0")
        with Device(node) as dev:
            net = Net(dev, size=1024)
            sizes = [dev.get_vring_size(index) for index in range(8)]
            assert sizes == NET_SIZES[:8], sizes
            assert [net0.queue(index)["size"] for index in range(2)] == ["1024", "256"]
            # On behalf of who does not know it, besides what keeps to the policy.
            assert taken(net0) & ORDER_PLATFORM and not taken(net0) & IN_ORDER, hex(taken(net0))
            net.send(b"\xff" * 6 + net.mac + b"\x88\xb5")
    with case("its controller gives it another address: owners have that one, and nobody changes it back"):
        net0.set(mac=int.from_bytes(ELSEWHERE, "big"))
        with Device(node) as dev:
            Net(dev)        # from whose reset on it has that one
        with Device(node) as dev:
            net = Net(dev)
            state = net0.state()
            assert net.mac == ELSEWHERE and state["mac"] == ELSEWHERE.hex(":"), state
            assert ELSEWHERE.hex(":") in sh("vdpa dev config show v0")


def disks():
    with case("blk with 64 queues and 3 vectors, one of 32768 entries, out of order"):
        disk("v1")
        assert int(blk0.queue(0)["size"]) == 32768
    with case("its resets take half a second"):
        blk0.set(reset_ms=500)
        start = time.monotonic()
        sh("vdpa_unbind v1")
        assert time.monotonic() - start > 0.5
        assert stands("blk0", "v1") == ("none", "blocked", False)
        blk0.set(reset_ms=0)
    with case("it grows, and has no generation"):
        name = disk("v1")
        blk0.set(no_generation=1)
        blk0.do(f"config 0 {65536} 8")
        wait_for(lambda: pathlib.Path(f"/sys/block/{name}/size").read_text().strip() == "65536")
    with case("it does not listen to a reset and has no FLR: broken, and mended when it listens again"):
        blk0.set(no_reset=1)
        sh("vdpa_unbind v1")
        assert stands("blk0", "v1") == ("none", "broken", False), stands("blk0", "v1")
        blk0.set(no_reset=0)
        sh("vdpa_del v1; unbind blk0 || true; bind_baton blk0; vdpa_add v1 blk0")
        disk("v1")
    with case("packed rings"):
        disk("v2")
        assert int(blk1.state()["features"], 16) & RING_PACKED
    with case("it refuses packed rings after all: nobody is told of queues that may not show"):
        # virtio-pci, which has it in between.
        expect_log("virtio_blk .*: device refuses features")
        blk1.set(refuse=RING_PACKED)
        sh("vdpa_del v2; unbind blk1")
        blk1.mark()
        sh("bind_baton blk1")
        asked = [int(line.split()[-2], 16) for line in blk1.log("refused")]
        assert len(asked) == 1 and asked[0] & RING_PACKED, asked
        blk1.set(refuse=USUAL)
        expect_log("refuses its own features")
        sh("unbind blk1; bind_baton blk1")
        assert kernel_log_count("refuses its own features") == 1
        blk1.set(refuse=0)
    expect_log("says that it has 65535 queues: no more than 4096 are looked at")
    expect_log("vhost_vdpa v2: probe with driver vhost_vdpa failed with error -22")
    expect_log(r"consumer vhost_vdpa refused: it has room for \d+ queues, and there are 4096")
    with case("it claims more queues than anybody could have: none of us allocates for those"):
        blk1.set(claims=65535)
        sh("unbind blk1; bind_baton blk1; vdpa_add v2 blk1")
        disk("v2")
        sh("vdpa_unbind v2")
        sh_refused("vdpa_bind v2 vhost_vdpa")
        assert "it has room for" in vdpa_read("v2", "last_refusal"), vdpa_read("v2", "last_refusal")
        blk1.set(claims=0)
        sh("vdpa_del v2")
    with case("a page that holds a doorbell and an MSI-X table: no user can map it, as he can others"):
        sh(f"unbind blk1; bind_baton blk1; vdpa_del v0; echo Y >{PHYSICAL};"
           f"vdpa_add v0 net0; vdpa_add v2 blk1; echo N >{PHYSICAL}")
        assert mappable("v0") and not mappable("v2")
        sh("vdpa_del v2")
        pings()
        assert not taken(net0) & NOTIFICATION_DATA, hex(taken(net0))
    with case("no MSI-X: nobody can own it, and the log says why"):
        with Device(user_node("v3")) as dev:
            dev.start()
            mem = Memory(1 << 20).map(dev, 0x100000)
            dev.negotiate(USUAL)
            SplitQueue(dev, 0, 64, mem).enable()
            dev.set_status(DRIVER_OK)
            assert dev.get_status() & FAILED
        assert stands("blk2", "v3") == ("none", "blocked", False)
    with case("ORDER_PLATFORM is demanded, and the kernel takes it; so it does doorbells with data"):
        disk("v4")
        assert taken(blk3) & ORDER_PLATFORM and taken(blk3) & NOTIFICATION_DATA, hex(taken(blk3))
        assert not blk3.log("without data")
    with case("... and a user's driver, which does not know it, works as well"):
        with Device(user_node("v4")) as dev:
            blk = Blk(dev)
            assert taken(blk3) & ORDER_PLATFORM and not taken(blk3) & NOTIFICATION_DATA
            blk.exercise()


ktap_start(16)
expect_log(r"no answer to reset: status \S+ after \d+ ms")
expect_log("function-level reset failed: -ENOTTY")
expect_log("broken: flr failed")
expect_log("DRIVER_OK refused: no interrupt vectors")
# virtio-pci, at boot: it has no INTx either.
expect_log("virtio_blk .*: probe with driver virtio_blk failed with error -22")
peer = peer_goes()
sh(f"ip -n peer address add 10.0.3.1/24 dev {peer}")
sh("echo 800 >/sys/module/baton/parameters/reset_timeout_ms")
for name, device in DEVICES.items():
    sh(f"bind_baton {name}; vdpa_add {device} {name}")
nets()
disks()
ktap_finish()
