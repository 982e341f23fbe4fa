#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# What a declaration (baton.conf(5)) says, all of it, is so once it was applied, seen by other eyes than the
# tool's; and it is applied once: the second time nothing changes, whatever the driver leaves out of the
# features, whoever owns the device.
#
#   net0 (two queue pairs, packed rings, MTU 4000) --- baton_pci --- n0 --- vhost_vdpa, virtio_vdpa, nobody
#
# shares: its VM
# topology: control
# timeout: 90
from administrator import TOOL, shown
from lib import *

MAC = "52:54:00:10:20:30"
CTRL_VQ, RING_PACKED = 1 << 17, 1 << 34
# Of what needs CTRL_VQ: receive modes, MAC address, queue pairs
COMMANDS = 1 << 18 | 1 << 22 | 1 << 23
CONF = pathlib.Path("/etc/baton/n0.conf")
net = function("net0")


def apply(text):
    """Carry this out; what was said. The second time there is nothing to do."""
    CONF.parent.mkdir(exist_ok=True)
    CONF.write_text(f"function = {net}\n{text}")
    said = [subprocess.run([TOOL, "apply", *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, check=True).stdout for more in ([], [], ["--dry-run"])]
    assert said[1:] == ["", ""], said
    return said[0]


def features():
    return int(shown("n0")["features"], 0)


def fixed(wanted, more):
    return f"features = {wanted:#x}\nmac = {MAC}\nmtu = 2000\n{more}"


ktap_start(5)
sh("bind_baton net0; vdpa_add n0 net0")
offered = features()
note(f"{offered:#x}")
assert offered & CTRL_VQ and offered & COMMANDS == COMMANDS
sh("vdpa_del n0")
with case("all that can be declared is so: a user's device"):
    said = apply(fixed(offered, "queue-pairs = 2\nrelay = always\npolicy = mac vlan\nowner = user\n"
                                "node-owner = 1000\nnode-group = 107\nnode-mode = 0640\n"))
    assert "n0: make the device of" in said and "n0: set relay to always" in said, said
    one = shown("n0")
    assert (one["mac"], one["mtu"], one["queue_pairs"]) == (MAC, 2000, 2), one
    # A user has neither IN_ORDER nor NOTIFICATION_DATA.
    assert features() == offered & ~(1 << 35 | 1 << 38), one
    assert vdpa_read("n0", "relay") == "always" and vdpa_read("n0", "policy") == "mac vlan"
    status = os.stat("/dev/baton/n0")
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (1000, 107, 0o640), status
    assert os.readlink("/dev/baton/n0") == f"../{next((VDPA / 'n0').glob('vhost-vdpa-*')).name}"
with case("the kernel's, of the same features"):
    said = apply(fixed(offered, "queue-pairs = 2\nowner = kernel\n"))
    assert "anew" not in said and "n0: give it to kernel" in said, said
    netdev, = shown("n0")["made"]
    kernel = pathlib.Path("/sys/class/net", netdev)
    assert [(kernel / file).read_text().strip() for file in ("mtu", "address")] == ["2000", MAC]
    assert "max_vq_pairs 2" in sh("vdpa dev config show n0")
with case("without CTRL_VQ, for packed rings: what the driver leaves out is no difference"):
    less = offered & ~CTRL_VQ | RING_PACKED
    said = apply(f"features = {less:#x}\nmtu = 2000\nowner = user\n")
    assert "n0: make the device anew: features" in said, said
    one = features()
    assert one & RING_PACKED and not one & (CTRL_VQ | COMMANDS), hex(one)
    for owner in ("none", "kernel"):
        assert "anew" not in apply(f"features = {less:#x}\nmtu = 2000\nowner = {owner}\n")
with case("one feature less is a difference"):
    apply(fixed(offered, "owner = none\n"))
    assert "n0: make the device anew: features" in apply(fixed(offered & ~1, "owner = none\n"))
    assert features() == offered & ~1
with case("all is given back"):
    sh("vdpa_del n0; unbind net0")
    CONF.unlink()
ktap_finish()
