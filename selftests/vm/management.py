#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# What the administrator sees and does with iproute2's vdpa: one management device and at most one
# vDPA device for each function, and no command disturbs another device. With mainline's vp_vdpa a
# second add is accepted, and deleting goes wrong until every vdpa command hangs.
#
#   net0 --- baton_pci --- v0 --- virtio_vdpa --- ping, all the while;  blk0 --- baton_pci --- v1
#
# shares: its VM
# topology: net-blk
# timeout: 120
import json

from lib import *
from registers import Registers
from vhost_vdpa import *


def vdpa(command):
    return json.loads(sh(f"vdpa -j {command}"))


def bits(names, known):
    """Feature bits as vdpa shows them: by name, or by number where it has none."""
    return sum(1 << (known[name] if name in known else int(str(name).removeprefix("bit_")))
               for name in names)


NAMES = {"CTRL_GUEST_OFFLOADS": 2, "MTU": 3, "MAC": 5, "GUEST_TSO4": 7, "MRG_RXBUF": 15, "STATUS": 16,
         "CTRL_VQ": 17, "CTRL_RX": 18, "CTRL_VLAN": 19, "CTRL_RX_EXTRA": 20, "GUEST_ANNOUNCE": 21,
         "MQ": 22, "CTRL_MAC_ADDR": 23, "RING_INDIRECT_DESC": 28, "RING_EVENT_IDX": 29,
         "VERSION_1": 32, "ACCESS_PLATFORM": 33, "RING_PACKED": 34}
MAC = "52:54:00:6e:00:00"

ktap_start(13)
hardware = {name: Registers(name).features() for name in ("net0", "blk0")}
net, blk = (f"pci/{function(name)}" for name in hardware)

# What is shown
sh("bind_baton net0; bind_baton blk0")
shown = vdpa("mgmtdev show")["mgmtdev"]
equal("a management device for each function", sorted(shown), sorted([net, blk]))
equal("net: class and queues", (shown[net]["supported_classes"], shown[net]["max_supported_vqs"]),
      (["net"], 3))
equal("blk: class and queues", (shown[blk]["supported_classes"], shown[blk]["max_supported_vqs"]),
      (["block"], 2))
equal("features are those that the devices offer and vDPA carries",
      [bits(shown[key]["dev_features"], NAMES) for key in (net, blk)],
      [hardware[name] & ~(1 << 40) for name in ("net0", "blk0")])
sh("vdpa_add v0 net0; vdpa_add v1 blk0")
vdpa_bind("v0", "virtio_vdpa")
sh("net_up v0")
entry = {"vendor_id": 0x1af4, "max_vq_size": 256}
equal("devices", vdpa("dev show")["dev"],
      {"v0": {"type": "network", "mgmtdev": net, "max_vqs": 3, **entry},
       "v1": {"type": "block", "mgmtdev": blk, "max_vqs": 2, **entry}})
# Some of vdpa's keys end in a space.
config = {key.strip(): value for key, value in vdpa("dev config show v0")["config"]["v0"].items()}
equal("configuration of the net device", (config["mac"], config["link"]), (MAC, "up"))
with case("the negotiated features that it shows are those that the device was told"):
    assert bits(config["negotiated_features"], NAMES) == Registers("net0").accepted(), config

# What is refused: nothing of it disturbs anybody
vdpa_bind("v1", "virtio_vdpa")
expect_log("dev add v2 refused: the function already is vDPA device v0; delete that first")
ping = subprocess.Popen(["ping", "-q", "-i", "0.02", "10.0.2.2"], stdout=subprocess.PIPE, text=True)
with case("a second device of the same function is refused"):
    said = sh_refused("vdpa_add v2 net0")
    assert "Device or resource busy" in said, said
expect_log("cannot register vDPA device v0: -EEXIST")
with case("so are an unknown device, a name that is taken, an attribute that there is not"):
    said = sh_refused("vdpa_del v2")
    assert "No such device" in said, said
    sh("vdpa_del v1")
    said = sh_refused("vdpa_add v0 blk0")
    assert "File exists" in said, said
    said = sh_refused("vdpa_add v1 blk0 mtu 1500")
    assert "Operation not supported" in said, said
with case("the right device is deleted and added again"):
    assert sorted(vdpa("dev show")["dev"]) == ["v0"]
    sh("vdpa_add v1 blk0")
    vdpa_bind("v1", "virtio_vdpa")
    sh("disk_works /dev/$(vdpa_disk v1); vdpa_del v1")
    assert sorted(vdpa("dev show")["dev"]) == ["v0"]
with case("all the while, the other device lost nothing"):
    ping.send_signal(2)
    said = ping.communicate(timeout=5 * SLOWER)[0]
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", said).groups())
    assert sent - received <= 1 and received > 10, said
    assert vdpa_read("v0", "owner") == "kernel"
with case("deleted with its consumer bound, and nothing is left"):
    sh("vdpa_del v0")
    assert vdpa("dev show")["dev"] == {}
    assert not bus_master("net0")
    assert not re.search("baton-", pathlib.Path("/proc/interrupts").read_text())
with case("a user is told of changes while he is there; not one who has closed, whom vhost_vdpa may have freed"):
    probes = TRACING / "kprobe_events"
    sh("vdpa_add v0 net0")
    node = user_node("v0")
    probes.write_text("p:told vhost_vdpa_config_cb\n")
    try:
        with Trace("kprobes:told") as trace:
            with Device(node) as dev:
                dev.set_config_call(os.eventfd(0, os.EFD_CLOEXEC))
                Net(dev, features=1 << 16)      # STATUS
                sh("qmp hmp 'set_link net0 off'")
                wait_for(lambda: trace.lines("told"))
            before = len(trace.lines("told"))
            sh("vdpa_del v0")
            assert len(trace.lines("told")) == before, trace.lines("told")
    finally:
        probes.write_text("")
        # For whoever has this VM next.
        sh("qmp hmp 'set_link net0 on'")
ktap_finish()
