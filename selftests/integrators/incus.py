#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# incus: containers of its usual kind, without privileges, to which a netdev, a disk and a user's node are given
# as devices (nic, unix-block, unix-char). In the last one QEMU boots a guest by network: incus's own
# virtual machines want KVM, which the lab has not.
#
#   net1 --- baton_pci --- n1 (user), on QEMU's network
#   net2 --- baton_pci --- n2 (kernel), on the same wire as peer0 (netns "peer", 192.0.2.1)
#   blk0 --- baton_pci --- b0 (kernel)
#
# topology: integrators
# root: integrators
# timeout: 400
import functools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "vm"))
from lib import *
import programs
from programs import kept, use_disk
from qemu import MODERN, SCRIPT

TMP = pathlib.Path("/tmp")
# A container's PID 1, which is told to end by SIGPWR.
INIT = '#!/bin/sh\ntrap "exit 0" PWR\nwhile :; do sleep 1000 & wait $!; done\n'
METADATA = "architecture: x86_64\ncreation_date: 1\nproperties: {description: busybox}\n"
PRESEED = """storage_pools: [{name: default, driver: dir}]
profiles: [{name: default, devices: {root: {type: disk, path: /, pool: default}}}]
"""
MAC = "52:54:00:10:20:30"
# What systemd gives a daemon, and what a guest of 64 MiB has to have.
FEW, ENOUGH = 8 << 20, 256 << 20


run = functools.partial(programs.run, seconds=120)


def incus(*arguments, **more):
    return run("incus", "--quiet", *arguments, **more)


def box(name, script):
    """What a script in a container says."""
    return incus("exec", name, "--", "sh", "-ec", script)


def prepare():
    """Declared devices, and incus as its package starts it."""
    run("cp", "-a", "/baton/build/tools/root/.", "/")
    run("systemd-machine-id-setup")
    run("/usr/lib/systemd/systemd-udevd", "--daemon")
    run("ip", "-n", "peer", "address", "add", "192.0.2.1/24", "dev", peer_goes())
    for name, what, consumer in (("n1", "net1", "vhost_vdpa"), ("n2", "net2", "virtio_vdpa"),
                                 ("b0", "blk0", "virtio_vdpa")):
        sh(f"bind_baton {what}; vdpa_add {name} {what}{f' mac {MAC}' if name == 'n1' else ''}; "
           f"vdpa_bind {name} {consumer}")
    for what in ("lib", "log", "cache"):
        os.makedirs(f"/var/{what}/incus", exist_ok=True)
        run("mount", "-t", "tmpfs", "incus", f"/var/{what}/incus")
    with open(BATON_RUN / "incus.log", "w", encoding="utf-8") as log:
        # There is no securityfs, and no systemd to limit it.
        subprocess.Popen(["prlimit", f"--memlock={FEW}", "/usr/libexec/incus/incusd", "--group", "incus-admin"],
                         stdout=log, stderr=log, env={**os.environ, "INCUS_SECURITY_APPARMOR": "false"})
    run("/usr/libexec/incus/incusd", "waitready", f"--timeout={60 * SLOWER}")
    incus("admin", "init", "--preseed", input=PRESEED)
    note(incus("version"))
    (BATON_RUN / "tftp/boot").write_text(SCRIPT)
    make_image()


def make_image():
    """A container has the host's programs in /usr if it is given that."""
    root = TMP / "image/rootfs"
    sh(f"make_small_box {root}")
    for name in ("lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "sbin/init").write_text(INIT)
    (root / "sbin/init").chmod(0o755)
    (TMP / "image/metadata.yaml").write_text(METADATA)
    run("tar", "-C", TMP / "image", "-cf", TMP / "image.tar", "metadata.yaml", "rootfs")
    incus("image", "import", TMP / "image.tar", "--alias", "box")


def use_netdev():
    box("c1", "ip link set eth0 up; ip address add 192.0.2.2/24 dev eth0; ping -q -c 3 -w 20 192.0.2.1")
    assert not os.path.exists(f"/sys/class/net/{netdev}")


def given_back():
    """By the name that it had."""
    wait_for(lambda: os.path.exists(f"/sys/class/net/{netdev}"))
    assert sh("vdpa_netdev n2") == netdev


def start():
    """A netdev, and a disk by the name that it has on any day."""
    incus("create", "box", "c1")
    incus("config", "device", "add", "c1", "eth0", "nic", "nictype=physical", f"parent={netdev}")
    incus("config", "device", "add", "c1", "disk", "unix-block", "path=/dev/disk0",
          f"source=/dev/disk/by-path/pci-{function('blk0')}")
    incus("start", "c1")
    use_netdev()
    said = box("c1", use_disk("/dev/disk0"))
    assert said.strip() == kept(disk), said


def stop():
    incus("stop", "c1", "--timeout", str(30 * SLOWER))
    given_back()


def start_again():
    """It finds them; it is killed, and both are as if it had ended."""
    incus("start", "c1")
    use_netdev()
    assert box("c1", "dd if=/dev/disk0 bs=64k count=16 2>/dev/null | sha256sum").strip() == kept(disk)
    incus("stop", "c1", "--force")
    given_back()


def guest():
    """QEMU begins in a container that has a user's node by its stable name."""
    incus("start", "c2")
    box("c2", f"""/usr/bin/qemu-system-x86_64 -accel tcg -M pc,graphics=off -m 64 -nodefaults -display none \\
        -serial file:/tmp/console -netdev vhost-vdpa,id=net,vhostdev=/dev/vhost-vdpa \\
        -device virtio-net-pci,netdev=net,mac={MAC},{MODERN} </dev/null >/tmp/log 2>&1 &""")


def says(what, count):
    """QEMU or its guest, so many times."""
    try:
        wait_for(lambda: box("c2", "cat /tmp/log /tmp/console || :").count(what) >= count, 60)
    except TimeoutError as err:
        raise AssertionError(box("c2", "cat /tmp/log /tmp/console || :")) from err


def node():
    """A guest's memory is more than the children of a daemon may lock."""
    incus("create", "box", "c2")
    incus("config", "device", "add", "c2", "usr", "disk", "source=/usr", "path=/usr", "readonly=true")
    incus("config", "device", "add", "c2", "node", "unix-char", "path=/dev/vhost-vdpa", "source=/dev/baton/n1")
    guest()
    says("vhost vdpa map fail!", 1)
    assert "baton: round" not in box("c2", "cat /tmp/console")
    incus("stop", "c2", "--force")


def node_with_memory():
    incus("config", "set", "c2", f"limits.kernel.memlock={ENOUGH}")
    guest()
    says("baton: round", 3)
    assert sh("vdpa_owner n1") == "user"
    incus("stop", "c2", "--force")
    wait_for(lambda: (sh("vdpa_owner n1"), vdpa_read("n1", "mapped_bytes")) == ("none", "0"))


ktap_start(5)
prepare()
netdev, disk = sh("vdpa_netdev n2"), "/dev/" + sh("vdpa_disk b0")
for name, what in (("a container has a netdev and a disk", start),
                   ("the netdev is back when it has stopped", stop),
                   ("the next start finds both; a kill gives both back", start_again),
                   ("a user's node: the guest has more memory than may be locked", node),
                   ("a user's node: with limits.kernel.memlock the guest has its network", node_with_memory)):
    with case(name):
        what()
ktap_finish()
