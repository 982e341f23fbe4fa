#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# Rings of every kind and size work for both consumers: packed ones, 1024 entries (vp_vdpa stops at
# 256), more queues than one of each; and what a queue cannot do is refused.
#
#   net0 blk0 (packed), net1 blk1 (1024 entries), net2 blk2 (many queues) --- baton_pci
#
# The kernel's own DMA is not translated here (intel-pt): a used ring of this size spans pages, and
# QEMU (up to 11.1 at least) corrupts memory if these are not contiguous behind an IOMMU.
#
# topology: rings@intel-pt
# timeout: 200
from lib import *
from vhost_vdpa import *

F_PACKED = 34
# MAC, MRG_RXBUF, STATUS, and the transport's VERSION_1, ACCESS_PLATFORM, RING_PACKED
PACKED_NET = 0x700018020


def take(name, consumer):
    if not (VDPA / name).exists():
        # Packed rings and a control queue exclude each other.
        features = f"device_features {PACKED_NET:#x}" if name == "net0" else ""
        sh(f"bind_baton {name}; vdpa_add {name} {name} {features}")
    vdpa_bind(name, consumer)


def negotiated(name, feature):
    """Whether the kernel's driver has taken a feature."""
    device = next(pathlib.Path("/sys/bus/pci/devices", function(name)).glob("virtio*"))
    return (device / "features").read_text()[feature] == "1"


def user(name):
    take(name, "vhost_vdpa")
    return Device(user_node(name))


ktap_start(12)

with case("packed: net through virtio_vdpa"):
    take("net0", "virtio_vdpa")
    assert negotiated("net0", F_PACKED)
    sh("net_up net0; pings")
with case("packed: blk through virtio_vdpa"):
    take("blk0", "virtio_vdpa")
    assert negotiated("blk0", F_PACKED)
    sh("disk_works /dev/$(vdpa_disk blk0)")
for name in "net0", "blk0":
    with case(f"packed: {name} through vhost_vdpa, 16 and 256 entries"):
        for size in 16, 256:
            with user(name) as dev:
                CLASSES[dev.get_device_id()](dev, size=size, features=RING_PACKED).exercise()
with case("a queue starts at its beginning and nowhere else, split and packed"):
    with user("blk0") as dev:
        dev.start()
        for features, good, bad in (0, 0, 1), (RING_PACKED, 0x80008000, 0x80008001):
            dev.reset()
            dev.set_features(USUAL | features)
            dev.set_vring_base(0, good)
            assert dev.get_vring_base(0) == good
            with fails_with(errno.EOPNOTSUPP):
                dev.set_vring_base(0, bad)

with case("1024 entries: net through virtio_vdpa"):
    take("net1", "virtio_vdpa")
    sh("net_up net1; pings")
    shown = sh("ethtool -g $(vdpa_netdev net1)")
    assert re.findall(r"^RX:\s+(\d+)", shown, re.M) == ["1024", "1024"], shown
with case("1024 entries: blk through virtio_vdpa"):
    take("blk1", "virtio_vdpa")
    sh("disk_works /dev/$(vdpa_disk blk1)")
with case("1024 entries: all of a receive ring in use through vhost_vdpa"):
    with user("net1") as dev:
        assert dev.get_vring_num() == 1024
        net = Net(dev, buffers=1024, size=1024, memory=4 << 20)
        assert (dev.get_vring_size(0), dev.get_vring_size(1)) == (1024, 256)
        assert net.rx.size == 1024
        for _ in range(1100):
            net.arp()
with case("1024 entries: blk through vhost_vdpa; more are refused"):
    with user("blk1") as dev:
        Blk(dev, size=1024).exercise()
        with fails_with(errno.EINVAL):
            dev.set_vring_num(0, 2048)
expect_log(r"queue 1 cannot run, wrong size: 1024 entries of at most 256")
with case("a ring larger than its own queue allows: DRIVER_OK fails"):
    with user("net1") as dev:
        dev.start()
        mem = Memory(1 << 20).map(dev, 0x100000)
        dev.negotiate(USUAL)
        SplitQueue(dev, 1, 1024, mem).enable()
        dev.set_status(DRIVER_OK)
        assert dev.get_status() == FEATURES_OK | FAILED, hex(dev.get_status())

with case("many queues: net with two pairs through virtio_vdpa"):
    take("net2", "virtio_vdpa")
    sh("net_up net2; ethtool -L $(vdpa_netdev net2) combined 2; pings")
with case("many queues: blk with four through both"):
    take("blk2", "virtio_vdpa")
    sh("disk_works /dev/$(vdpa_disk blk2)")
    with user("blk2") as dev:
        Blk(dev, queues=4).exercise()
ktap_finish()
