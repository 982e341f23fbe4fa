#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# Nobody gets features that were not offered, or not provisioned; what a refused FEATURES_OK or
# DRIVER_OK leaves behind does not hurt the next owner. Mainline's vp_vdpa writes whatever it is given
# to the hardware, and a user who leaves out ACCESS_PLATFORM breaks the function for good.
#
#   net0 blk0 mem0 --- baton_pci --- vhost_vdpa --- this process
#
# topology: features
# timeout: 150
from lib import *
from registers import Registers
from vhost_vdpa import *

RING_RESET = 1 << 40            # offered by QEMU's devices; nobody could use it through vDPA
NET_F_MAC = 1 << 5
NET_F_GUEST_ANNOUNCE = 1 << 21  # not offered to users unless provisioned
# What baton takes for itself, to set and keep what was provisioned: CTRL_VQ, CTRL_RX, CTRL_VLAN,
# CTRL_MAC_ADDR
OWN = 1 << 17 | 1 << 18 | 1 << 19 | 1 << 23
MEM_F_UNPLUGGED_INACCESSIBLE = 1 << 1
PROVISIONED = USUAL | NET_F_MAC


def refused_add(name, features):
    """dev add with these features has to fail, and to leave no device."""
    said = sh_refused(f"vdpa_add v1 {name} device_features {features:#x}")
    assert "Invalid argument" in said, said
    assert not (VDPA / "v1").exists()


def works(node):
    """The next owner, with everything in order."""
    exercise(node)
    with Device(node) as dev:
        assert dev.get_status() == 0


ktap_start(17)
hardware = Registers("blk0").features()
assert hardware & RING_RESET
sh("bind_baton net0; bind_baton blk0; bind_baton mem0")

# The administrator's side, on a function of its own: log lines are limited for each function.
expect_log(r"dev add refused: device_features 0x\w+ exceed what is offered")
expect_log(r"dev add refused: device_features 0x\w+ lack VERSION_1")
expect_log(r"dev add refused: device_features 0x\w+ lack ACCESS_PLATFORM")
with case("provisioning what the function does not have is refused"):
    refused_add("blk0", USUAL | 1 << 62)
with case("provisioning what vDPA cannot carry is refused"):
    refused_add("blk0", USUAL | RING_RESET)
with case("provisioning without VERSION_1 is refused"):
    refused_add("blk0", ACCESS_PLATFORM)
with case("provisioning without ACCESS_PLATFORM is refused"):
    refused_add("blk0", VERSION_1)

# The consumers' side: all of it, then a part (of net, where users are not offered all by default)
sh("vdpa_add v3 blk0")
with case("a user is offered what the function has and vDPA can carry"):
    with Device(user_node("v3")) as dev:
        assert dev.get_features() == hardware & ~(RING_RESET | NET_F_GUEST_ANNOUNCE), \
            hex(dev.get_features())
sh(f"vdpa_add v0 net0 device_features {PROVISIONED:#x}")
node = user_node("v0")
with case("a user is offered what was provisioned, and the device is told what he takes"):
    with Device(node) as dev:
        assert dev.get_features() == PROVISIONED, hex(dev.get_features())
        dev.start()
        dev.negotiate(USUAL)
        # RING_RESET is taken for him, though he knows nothing of it: heal.c.
        assert Registers("net0").accepted() & ~OWN == USUAL | RING_RESET
        with fails_with(errno.EBUSY):
            dev.set_features(USUAL)
expect_log(r"features 0x\w+ exceed what is offered")
expect_log(r"FEATURES_OK refused: features 0x0 lack VERSION_1")
with case("a user cannot take more than was provisioned, though the function has it"):
    with Device(node) as dev:
        dev.start()
        dev.set_status(ACKNOWLEDGE | DRIVER)
        with fails_with(errno.EINVAL):
            dev.set_features(PROVISIONED | 1 << 16)
        dev.set_status(FEATURES_OK)
        assert dev.get_status() == ACKNOWLEDGE | DRIVER, hex(dev.get_status())
        assert not Registers("net0").accepted() & 1 << 16
with case("the kernel takes no more either, and has traffic"):
    vdpa_bind("v0", "virtio_vdpa")
    sh("net_up v0; pings")
    assert Registers("net0").accepted() & ~(PROVISIONED | OWN) == 0
    sh("vdpa_unbind v0")
node = user_node("v0")

# Refused, and what follows
expect_log(r"features 0x100000000 lack ACCESS_PLATFORM")
expect_log(r"features 0x200000000 lack VERSION_1")
for word, features in ("ACCESS_PLATFORM", VERSION_1), ("VERSION_1", ACCESS_PLATFORM):
    with case(f"features without {word} lead nowhere"):
        with Device(node) as dev:
            dev.start()
            dev.set_status(ACKNOWLEDGE | DRIVER)
            with fails_with(errno.EINVAL):
                dev.set_features(features)
            dev.set_status(FEATURES_OK)
            assert dev.get_status() == ACKNOWLEDGE | DRIVER, hex(dev.get_status())
            dev.set_status(DRIVER_OK)
            assert dev.get_status() & (S_DRIVER_OK | FAILED) == FAILED, hex(dev.get_status())
            assert not bus_master("net0") and vdpa_read("v0", "owner") == "none"
    with case(f"the next owner after features without {word} is unharmed"):
        works(node)
with case("DRIVER_OK without FEATURES_OK fails"):
    with Device(node) as dev:
        dev.start()
        dev.set_status(S_DRIVER_OK)
        assert dev.get_status() == FAILED, hex(dev.get_status())
        assert Registers("net0").status() == 0
with case("the next owner after DRIVER_OK without FEATURES_OK is unharmed"):
    works(node)

expect_log(r"the device refused features 0x10300000000: status 0x3")
sh("vdpa_add v2 mem0")
node = user_node("v2")
with case("the device itself refuses FEATURES_OK: nothing is left of it"):
    with Device(node) as dev:
        dev.start()
        dev.set_status(ACKNOWLEDGE | DRIVER)
        dev.set_features(USUAL)
        dev.set_status(FEATURES_OK)
        assert dev.get_status() == ACKNOWLEDGE | DRIVER, hex(dev.get_status())
        assert Registers("mem0").status() == 0
        dev.set_status(ACKNOWLEDGE | DRIVER | S_DRIVER_OK)
        assert dev.get_status() & (S_DRIVER_OK | FAILED) == FAILED, hex(dev.get_status())
        assert not bus_master("mem0")
with case("it may be asked again, for features that it likes"):
    with Device(node) as dev:
        dev.start()
        dev.set_status(ACKNOWLEDGE | DRIVER)
        dev.set_features(USUAL)
        dev.set_status(FEATURES_OK)
        dev.set_features(USUAL | MEM_F_UNPLUGGED_INACCESSIBLE)
        dev.set_status(FEATURES_OK)
        assert dev.get_status() == FEATURES_OK, hex(dev.get_status())
with case("so may the next owner"):
    with Device(node) as dev:
        setup(dev, 1, features=MEM_F_UNPLUGGED_INACCESSIBLE)
        assert vdpa_read("v2", "owner") == "user"
ktap_finish()
