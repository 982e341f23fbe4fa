#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C8, nothing is inherited: what the administrator fixes with `vdpa dev add` and `vdpa dev set` is what
# every owner sees and can have; what cannot be is refused, with the error that tools look for, and
# one line in the log.
#
#   net0 (two queue pairs, MTU 4000), net1 (one, no MTU) --- baton_pci --- virtio_vdpa or vhost_vdpa
#
# shares: its VM
# topology: control
# timeout: 150
import json

from lib import *
from vhost_vdpa import *

CTRL_VQ, MQ, MTU, MAC = 1 << 17, 1 << 22, 1 << 3, 1 << 5
FACTORY = "52:54:00:6e:00:00"
OURS = "52:54:00:10:20:30"
OTHER = "52:54:00:10:20:31"


def shown(name="v0"):
    config = json.loads(sh(f"vdpa -j dev config show {name}"))["config"][name]
    config = {key.strip(): value for key, value in config.items()}
    return config["mac"], config.get("max_vq_pairs"), config.get("mtu")


def netdev(name="v0"):
    """What the kernel's driver made of it: MAC address, MTU and its limit, most queue pairs."""
    device = sh(f"vdpa_netdev {name}")
    link, = json.loads(sh(f"ip -d -j link show {device}"))
    channels = re.search(r"Combined:\s+(\d+)", sh(f"ethtool -l {device}")).group(1)
    return link["address"], link["mtu"], link["max_mtu"], int(channels)


def raw(node):
    """What a user finds in configuration space: the same things."""
    with Device(node) as dev:
        dev.start()
        mac, _, pairs, mtu = struct.unpack("<6sHHH", dev.get_config(0, 12))
        return mac.hex(":"), pairs, mtu, dev.get_vqs_count()


def refused(command, error, reason):
    """It fails with this error, and the log says why, once."""
    expect_log(reason)
    before = kernel_log_count(reason)
    said = sh_refused(command)
    assert error in said, said
    wait_for(lambda: kernel_log_count(reason) > before)
    assert kernel_log_count(reason) == before + 1


ktap_start(24)
sh("bind_baton net0; bind_baton net1")

# As the hardware has it
sh("vdpa_add v0 net0")
equal("nothing given: shown is what the hardware has", shown(), (FACTORY, 2, 4000))
vdpa_bind("v0", "virtio_vdpa")
equal("... and the kernel finds that", netdev(), (FACTORY, 4000, 4000, 2))
sh("vdpa_del v0")

# Everything given
sh(f"vdpa_add v0 net0 mac {OURS} mtu 2000 max_vqp 1")
equal("mac, mtu and max_vqp are shown", shown(), (OURS, 1, 2000))
vdpa_bind("v0", "virtio_vdpa")
equal("the kernel finds them", netdev(), (OURS, 2000, 2000, 1))
with case("it has traffic with that address, and with three queues"):
    sh("net_up v0; pings")
    assert json.loads(sh("vdpa -j dev show v0"))["dev"]["v0"]["max_vqs"] == 3
with case("it cannot exceed the MTU"):
    sh_refused("ip link set $(vdpa_netdev v0) mtu 2001")
with case("nor have more queue pairs"):
    sh_refused("ethtool -L $(vdpa_netdev v0) combined 2")
with case("dev set is refused while a consumer is bound"):
    refused(f"vdpa dev set name v0 mac {OTHER}", "Device or resource busy",
            f"mac {OTHER} refused: unbind the kernel consumer first")
node = user_node("v0")
equal("a user finds them as well", raw(node), (OURS, 1, 2000, 3))
with case("... and has traffic with that address"):
    with Device(node) as dev:
        net = Net(dev)
        assert net.mac.hex(":") == OURS
        net.arp()
with case("a user cannot write another into configuration space"):
    with Device(node) as dev:
        dev.start()
        dev.negotiate(USUAL | MAC)
        with contextlib.suppress(OSError):
            dev.set_config(0, bytes(6))
        assert dev.get_config(0, 6).hex(":") == OURS
with case("dev set is refused while a user's consumer is bound"):
    refused(f"vdpa dev set name v0 mac {OTHER}", "Device or resource busy",
            f"mac {OTHER} refused: unbind the user consumer first")
sh("vdpa_unbind v0")
with case("dev set changes the address of an idle device"):
    sh(f"vdpa dev set name v0 mac {OTHER}")
    assert shown() == (OTHER, 1, 2000), shown()
with case("... for its next owner"):
    vdpa_bind("v0", "virtio_vdpa")
    assert netdev()[0] == OTHER, netdev()
    sh("net_up v0; pings; vdpa_unbind v0")
sh("vdpa_del v0; vdpa_add v0 net0")
equal("a new device begins with the hardware's values again", shown(), (FACTORY, 2, 4000))
sh("vdpa_del v0")

# What cannot be
with case("max_vqp beyond what there is: EOPNOTSUPP"):
    refused("vdpa_add v1 net0 max_vqp 32", "Operation not supported",
            "max_vqp 32 refused: the limit of this function is 2")
with case("mtu of a function that has none: EOPNOTSUPP"):
    refused("vdpa_add v1 net1 mtu 1500", "Operation not supported",
            "mtu 1500 refused: this function does not offer MTU")
with case("mtu beyond the hardware's: EOPNOTSUPP, since another function could have it"):
    refused("vdpa_add v1 net0 mtu 4001", "Operation not supported",
            "mtu 4001 refused: this function does 68 to 4000")
with case("a group address: EINVAL"):
    refused("vdpa_add v1 net1 mac 01:00:5e:00:00:01", "Invalid argument",
            "mac 01:00:5e:00:00:01 refused: not the address of one device")
with case("CTRL_VQ with RING_PACKED: EINVAL"):
    refused(f"vdpa_add v1 net0 device_features {USUAL | CTRL_VQ | RING_PACKED:#x}",
            "Invalid argument", r"device_features 0x\w+ hold CTRL_VQ \(17\) and RING_PACKED")
with case("another address with packed rings, which leave no control queue: EOPNOTSUPP"):
    refused(f"vdpa_add v1 net0 device_features {USUAL | MAC | RING_PACKED:#x} mac {OURS}",
            "Operation not supported", f"mac {OURS} refused: this function cannot change its own")
with case("more queue pairs than the one that a function has: EOPNOTSUPP"):
    refused("vdpa_add v1 net1 max_vqp 2", "Operation not supported",
            "max_vqp 2 refused: the limit of this function is 1")
with case("none of these left a device"):
    assert not (VDPA / "v1").exists()
with case("what was refused can be had with less"):
    sh(f"vdpa_add v1 net0 device_features {USUAL | CTRL_VQ | MQ | MAC:#x} max_vqp 2")
    assert shown("v1") == (FACTORY, 2, None), shown("v1")
ktap_finish()
