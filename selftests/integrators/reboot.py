#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# README.md's installation, literally: the packages, one file for each device, reboot. After it a container
# has its disk and a guest its network, each started by a unit that knows a stable name and no more; and
# what is stopped and started again finds its device again.
#
#   blk0 --- baton_pci --- b0 (kernel) --- box.service, a container on /dev/disk/by-path/...
#   net0 --- baton_pci --- n0 (user) --- guest.service, QEMU on /dev/baton/n0, which boots by network
#
# What DKMS does is tried by make check-install; here, modprobe is told where the modules are.
#
# topology: net-blk
# init: systemd
# timeout: 400
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "vm"))
from lib import *
from qemu import MODERN, SCRIPT

MAC = "52:54:00:10:20:30"
UNITS = pathlib.Path("/etc/systemd/system")
LOGS = {unit: pathlib.Path(f"/run/{unit}.log") for unit in ("guest", "box")}
GUEST = f"""[Unit]
After=baton.service
[Service]
LimitMEMLOCK=infinity
ExecStart=qemu-system-x86_64 -accel tcg -M pc,graphics=off -m 64 -nodefaults -display none \\
	-serial file:{LOGS['guest']} -netdev vhost-vdpa,id=net,vhostdev=/dev/baton/n0 \\
	-device virtio-net-pci,netdev=net,mac={MAC},{MODERN}
"""
BOX = """[Unit]
# Its link is udev's, which can come after the disk.
Wants=DEVICE
After=baton.service DEVICE
[Service]
Type=oneshot
RemainAfterExit=yes
# In --bind a colon would have to be escaped, twice.
ExecStartPre=ln -sf /dev/disk/by-path/DISK /run/box-disk
ExecStart=systemd-nspawn --quiet --directory=/var/lib/box/root --register=no --keep-unit \\
	--as-pid2 --console=pipe --bind=/run/box-disk:/dev/disk0 sh -ec 'DO; echo box: done'
StandardOutput=append:LOG
StandardError=append:LOG
""".replace("LOG", str(LOGS["box"]))
FIRST = "mkfs.ext4 -q /dev/disk0; mount /dev/disk0 /mnt; echo kept >/mnt/file"
SECOND = "mount /dev/disk0 /mnt; cat /mnt/file"


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=True).stdout


def box(does):
    disk = f"pci-{function('blk0')}"
    device = run("systemd-escape", "--path", "--suffix=device", f"/dev/disk/by-path/{disk}").strip()
    (UNITS / "box.service").write_text(
        BOX.replace("DISK", disk).replace("DEVICE", device).replace("DO", does))


def before():
    """PID 1, before systemd: the administrator's installation, and what was on the machine before."""
    run("rmmod", "baton_pci", "baton")
    pathlib.Path("/sys/bus/vdpa/drivers_autoprobe").write_text("1")
    kernel = (BATON_RUN / "kernel").read_text().split()[0]
    modules = f"/baton/build/{kernel}/drivers/vdpa/baton"
    # An index of all modules would take minutes here. What they depend on was loaded by the lab.
    pathlib.Path("/etc/modprobe.d/baton.conf").write_text(
        f"install baton_pci insmod {modules}/baton.ko && insmod {modules}/baton_pci.ko\n")
    package, = pathlib.Path("/baton/build/deb").glob("baton-tools_*.deb")
    print(run("dpkg", "-i", "--force-depends", str(package)))
    pathlib.Path("/etc/baton/n0.conf").write_text(
        f"function = {function('net0')}\nmac = {MAC}\nowner = user\nnode-group = kvm\n")
    pathlib.Path("/etc/baton/b0.conf").write_text(f"function = {function('blk0')}\nowner = kernel\n")
    # The user's own.
    (BATON_RUN / "tftp" / "boot").write_text(SCRIPT)
    (UNITS / "guest.service").write_text(GUEST)
    box(FIRST)
    run("mkdir", "/var/lib/box")
    run("mount", "-t", "tmpfs", "box", "/var/lib/box")
    sh("make_box /var/lib/box")
    run("systemctl", "add-wants", "basic.target", "guest.service", "box.service")


if sys.argv[1:] == ["before"]:
    before()
    sys.exit()


def systemctl(*arguments):
    return subprocess.run(["systemctl", *arguments], stdout=subprocess.PIPE, text=True).stdout.strip()


def said(unit):
    return LOGS[unit].read_text(errors="replace") if LOGS[unit].exists() else ""


def guest_works():
    before = said("guest").count("baton: round")
    wait_for(lambda: said("guest").count("baton: round") >= before + 3, 120)
    assert sh("vdpa_owner n0") == "user"


ktap_start(6)
ok("the modules were loaded when they were needed", os.path.exists("/sys/module/baton_pci"))
equal("the unit is content", systemctl("is-active", "baton.service"), "active")
with case("the container has its disk"):
    wait_for(lambda: systemctl("is-active", "box.service") != "activating", 60)
    assert "box: done" in said("box"), said("box")
    assert sh("vdpa_owner b0") == "kernel"
with case("the guest has its network"):
    guest_works()
with case("the container's next start finds what it left"):
    run("systemctl", "stop", "box.service")
    box(SECOND)
    run("systemctl", "daemon-reload")
    run("systemctl", "start", "box.service")
    assert "kept\nbox: done" in said("box"), said("box")
with case("the guest's next start finds its network; stopped, it owns nothing"):
    run("systemctl", "restart", "guest.service")
    guest_works()
    run("systemctl", "stop", "guest.service")
    assert (sh("vdpa_owner n0"), vdpa_read("n0", "mapped_bytes")) == ("none", "0")
ktap_finish()
