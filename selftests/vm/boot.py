#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# A machine that boots, with systemd and udev: devices are there as /etc/baton declares them before the
# network is set up, with stable names and permissions; a function that is known by its MAC address, at
# boot and when it is plugged in again, gets its device as soon as its netdev is there, and is left alone
# when it was given back; nodes come and go with their consumer; metrics are written.
#
#   net0, blk0 --- baton_pci --- n0 (user, group 107), b0 (kernel), by declaration
#
# topology: net-blk
# init: systemd
# timeout: 120

from lib import *

MAC = "52:54:00:10:20:30"
HARDWARE_MAC = "52:54:00:6e:00:00"
METRICS = pathlib.Path("/var/lib/prometheus/node-exporter")
TOOL = "/usr/sbin/baton"


def before():
    """PID 1, before systemd: what the packages install, and two files of the administrator's."""
    subprocess.run(["cp", "-a", "/baton/build/tools/root/.", "/"], check=True)
    # What the packages' maintainer scripts do.
    subprocess.run(["systemctl", "enable", "baton.service"], check=True)
    # As on a machine: new devices go to whoever is loaded, if they are not kept from it.
    pathlib.Path("/sys/bus/vdpa/drivers_autoprobe").write_text("1")
    pathlib.Path("/etc/baton/n0.conf").write_text(
        f"function-mac = {HARDWARE_MAC}\nmac = {MAC}\nowner = user\nnode-group = 107\n"
        "node-mode = 0660\n")
    pathlib.Path("/etc/baton/b0.conf").write_text(f"function = {function('blk0')}\nowner = kernel\n")
    # There is no netdev until udev has loaded its driver.
    sh("udev_comes_late")
    METRICS.mkdir(parents=True)


if sys.argv[1:] == ["before"]:
    before()
    sys.exit()


def systemctl(*arguments):
    return subprocess.run(["systemctl", *arguments], stdout=subprocess.PIPE, text=True).stdout.strip()


def started(unit):
    """When it was done, in microseconds of the boot."""
    return int(systemctl("show", "-P", "ActiveEnterTimestampMonotonic", unit))


def stands_for(node, mode, gid):
    """The stable name is a link to the node of today's number, with these permissions."""
    link = pathlib.Path("/dev/baton", node)
    status = link.stat()
    assert link.resolve().name == sh(f"basename $(vhost_node {node})"), os.readlink(link)
    assert (status.st_mode & 0o777, status.st_gid) == (mode, gid), status


ktap_start(11)
with case("a function that is known by its MAC address is found when its driver is there"):
    wait_for(lambda: os.path.exists("/dev/baton/n0"), 20)
    wait_for(lambda: os.stat("/dev/baton/n0").st_gid == 107, 20)
    assert started("baton.service") < started("systemd-udev-trigger.service")
note(systemctl("--failed", "--no-legend"))
equal("the devices are as declared", [(n, vdpa_read(n, "owner"), sh(f"vdpa_driver {n}"))
                                      for n in ("n0", "b0")],
      [("n0", "none", "vhost_vdpa"), ("b0", "kernel", "virtio_vdpa")])
ok("before the network is set up", 0 < started("baton.service") < started("network-pre.target"),
   f"{started('baton.service')} {started('network-pre.target')}")
equal("the unit is content", systemctl("is-active", "baton.service"), "active")
with case("the user's node has its stable name, and who was declared may open it"):
    stands_for("n0", 0o660, 107)
    subprocess.run(["setpriv", "--reuid=1000", "--regid=107", "--clear-groups",
                    "sh", "-c", "exec 3<>/dev/baton/n0"], check=True)
    assert subprocess.run(["setpriv", "--reuid=1000", "--regid=108", "--clear-groups", "sh", "-c",
                           "exec 3<>/dev/baton/n0"], stderr=subprocess.DEVNULL).returncode
with case("the name goes with the consumer, and comes back with it, by whomever"):
    sh("vdpa_unbind n0")
    wait_for(lambda: not os.path.islink("/dev/baton/n0"), 20)
    sh("vdpa_bind n0 vhost_vdpa")
    wait_for(lambda: os.path.exists("/dev/baton/n0"), 20)
    wait_for(lambda: os.stat("/dev/baton/n0").st_gid == 107, 20)
    stands_for("n0", 0o660, 107)
with case("a function that is plugged in again gets its device again"):
    sh(f"echo 1 >/sys/bus/pci/devices/{function('net0')}/remove")
    wait_for(lambda: not os.path.islink("/dev/baton/n0"), 20)
    sh("echo 1 >/sys/bus/pci/rescan")
    wait_for(lambda: os.path.exists("/dev/baton/n0"), 30)
    wait_for(lambda: os.stat("/dev/baton/n0").st_gid == 107, 20)
    stands_for("n0", 0o660, 107)
    assert sh("vdpa_mac n0") == MAC
with case("what was given back is left alone"):
    # The last event of its coming may have the unit look once more.
    sh("udevadm settle; sleep 2")
    wait_for(lambda: systemctl("is-active", "baton@n0.service") == "inactive", 20)
    sh(f"{TOOL} unbind {function('net0')}; udevadm settle; sleep 2")
    assert systemctl("is-active", "baton@n0.service") == "inactive"
    assert sh("fn_driver net0") == "virtio-pci" and not (VDPA / "n0").exists()
    sh(f"{TOOL} apply")
    stands_for("n0", 0o660, 107)
with case("metrics are written where node_exporter finds them, and nowhere else could they be"):
    subprocess.run(["systemctl", "start", "baton-metrics.service"], check=True)
    file = METRICS / "baton.prom"
    text = file.read_text()
    assert text.endswith("# EOF\n") and 'device="n0"' in text, text
    assert file.stat().st_mode & 0o777 == 0o644 and os.listdir(METRICS) == ["baton.prom"]
with case("nothing is left to do"):
    wait_for(lambda: systemctl("is-active", "baton@n0.service") == "inactive", 20)
    said = subprocess.run([TOOL, "apply", "--dry-run"], stdout=subprocess.PIPE, text=True, check=True)
    assert said.stdout == "", said.stdout
with case("the disk is the kernel's, and works"):
    sh("disk_works /dev/$(vdpa_disk b0)")
ktap_finish()
