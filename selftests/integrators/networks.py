#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# A machine that boots: systemd-networkd, ifupdown and NetworkManager each bring a netdev up that is there
# because /etc/baton declares it, each by the name that one .link file gives it for its MAC address. None of
# them was told of baton.
#
#   net0, net1, net2 --- baton_pci --- n0, n1, n2 (kernel) --- lan0, lan1, lan2
#
# topology: integrators
# init: systemd
# timeout: 150
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "vm"))
from lib import *

MANAGERS = {"lan0": "systemd-networkd", "lan1": "networking", "lan2": "NetworkManager"}
PACKAGES = ("systemd", "ifupdown", "network-manager")


def address(number):
    return f"192.0.2.{16 * number + 2}/28"


def before():
    """PID 1, before systemd: what packages install, and the administrator's files."""
    subprocess.run(["cp", "-a", "/baton/build/tools/root/.", "/"], check=True)
    subprocess.run(["systemctl", "enable", "baton.service"], check=True)
    pathlib.Path("/sys/bus/vdpa/drivers_autoprobe").write_text("1")
    for number, netdev in enumerate(MANAGERS):
        mac = f"52:54:00:10:20:3{number}"
        pathlib.Path(f"/etc/baton/n{number}.conf").write_text(
            f"function = {function(f'net{number}')}\nmac = {mac}\nowner = kernel\n")
        pathlib.Path(f"/etc/systemd/network/10-{netdev}.link").write_text(
            f"[Match]\nMACAddress={mac}\nDriver=virtio_net\n[Link]\nName={netdev}\n")
    pathlib.Path("/etc/systemd/network/lan0.network").write_text(
        f"[Match]\nName=lan0\n[Network]\nAddress={address(0)}\nLinkLocalAddressing=no\n")
    pathlib.Path("/etc/network/interfaces").write_text(
        f"auto lo\niface lo inet loopback\nauto lan1\niface lan1 inet static\n\taddress {address(1)}\n")
    profile = pathlib.Path("/etc/NetworkManager/system-connections/lan2.nmconnection")
    profile.parent.mkdir(parents=True, exist_ok=True)
    profile.write_text("[connection]\nid=lan2\ntype=ethernet\ninterface-name=lan2\n"
                       f"[ipv4]\nmethod=manual\naddress1={address(2)}\n[ipv6]\nmethod=disabled\n")
    profile.chmod(0o600)
    pathlib.Path("/etc/NetworkManager/conf.d/baton.conf").write_text(
        "[keyfile]\nunmanaged-devices=*,except:interface-name:lan2\n")
    # NetworkManager asks for wireless networks, whose module complains of firmware that it has not got.
    pathlib.Path("/etc/modprobe.d/wireless.conf").write_text("install cfg80211 false\n")
    # The lab goes no further than this target.
    subprocess.run(["systemctl", "add-wants", "network.target",
                    *[f"{unit}.service" for unit in MANAGERS.values()]], check=True)


if sys.argv[1:] == ["before"]:
    before()
    sys.exit()


def show(unit, what):
    return subprocess.run(["systemctl", "show", "-P", what, f"{unit}.service"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def addresses(netdev):
    return subprocess.run(["ip", "-br", "-4", "address", "show", "dev", netdev],
                          stdout=subprocess.PIPE, text=True).stdout.split()[2:]


ktap_start(1 + 2 * len(MANAGERS))
note(subprocess.run(["dpkg-query", "-W", *PACKAGES], stdout=subprocess.PIPE, text=True).stdout)
equal("the devices are the kernel's", [sh(f"vdpa_owner n{n}") for n in range(3)], ["kernel"] * 3)
for number, (name, manager) in enumerate(MANAGERS.items()):
    with case(f"{manager} brought {name} up, which is n{number}'s"):
        wait_for(lambda wanted=name, n=number: addresses(wanted) == [address(n)], 30)
        assert sh(f"vdpa_netdev n{number}") == name
    ok("after the devices were there",
       0 < int(show("baton", "ActiveEnterTimestampMonotonic"))
       < int(show(manager, "ExecMainStartTimestampMonotonic")), show(manager, "ActiveState"))
ktap_finish()
