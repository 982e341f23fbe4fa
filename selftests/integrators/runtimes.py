#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# Programs that know nothing of baton, in the versions that Debian has: each gets a netdev, a disk or a
# node in the way that its own manual tells, uses it, and gives it back. Documentation/integrators.rst has
# a line for each case.
#
#   net0 (two queue pairs, a control queue), net1 --- baton_pci --- n0, n1
#   net2 --- baton_pci --- n2, on the same wire as peer0 (netns "peer", 192.0.2.1)
#   blk0, blk1 (selftests/model) --- baton_pci --- b0, b1; rng0, for autopkgtest
#
# topology: integrators
# cpus: 2
# timeout: 300
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "vm"))
from lib import *
from programs import run

BOX = pathlib.Path("/run/box")
MAC = "52:54:00:10:20:30"
NSPAWN = ["systemd-nspawn", "--quiet", f"--directory={BOX}/root", "--register=no", "--keep-unit",
          "--as-pid2", "--console=pipe", "--bind-ro=/baton"]


def version(package):
    note(run("dpkg-query", "-W", package).strip())


def in_box(netdev, disk):
    """What a container does with a netdev and a disk."""
    return f"""set -e
        ip link set {netdev} up
        ip address add 192.0.2.2/24 dev {netdev}
        ping -q -c 3 -i 0.2 -w 20 192.0.2.1
        fio --name=rw --filename={disk} --rw=randrw --size=4M --bs=16k --verify=crc32c --direct=1 \\
            --ioengine=psync --output=/dev/null
        echo done-in-box"""


def netdev_of(device):
    sh("udevadm settle")
    return sh(f"vdpa_netdev {device}")


def prepare():
    run("cp", "-a", "/baton/build/tools/root/.", "/")
    # The modules are the lab's, not a package's.
    pathlib.Path("/etc/modprobe.d/baton.conf").write_text("install baton_pci true\n")
    # What systemd-nspawn wants of its host.
    run("systemd-machine-id-setup")
    run("/usr/lib/systemd/systemd-udevd", "--daemon")
    peer = peer_goes()
    run("ip", "-n", "peer", "address", "add", "192.0.2.1/24", "dev", peer)
    sh(f"make_box {BOX}")


def by_driverctl():
    """A function and a device are moved by name, and driverctl says so."""
    version("driverctl")
    for name in ("net2", "blk0"):
        run("driverctl", "--nosave", "set-override", function(name), "baton_pci")
    listed = run("driverctl", "list-overrides")
    assert f"{function('net2')} baton_pci" in listed, listed
    sh(f"vdpa_add n2 net2 mac {MAC}; vdpa_add b0 blk0")
    for consumer in ("vhost_vdpa", "virtio_vdpa"):
        run("driverctl", "-b", "vdpa", "--nosave", "set-override", "n2", consumer)
        assert sh("vdpa_driver n2") == consumer
    run("driverctl", "-b", "vdpa", "--nosave", "set-override", "b0", "virtio_vdpa")
    assert [sh(f"vdpa_owner {name}") for name in ("n2", "b0")] == ["kernel", "kernel"]


def by_nspawn():
    version("systemd-container")
    netdev, disk = netdev_of("n2"), "/dev/" + sh("vdpa_disk b0")
    said = run(*NSPAWN, f"--network-interface={netdev}", f"--bind={disk}", "sh", "-c",
               in_box(netdev, disk))
    assert "done-in-box" in said, said
    wait_for(lambda: os.path.exists(f"/sys/class/net/{netdev}"))


def podman(*arguments):
    return run("podman", "--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=none", "run", "--rm",
               "--network=none", "--cgroups=disabled", "--security-opt=seccomp=unconfined", *arguments)


def by_podman():
    """The specification that `baton cdi` writes: a netdev and a disk by their devices' names."""
    version("podman")
    netdev, disk = netdev_of("n2"), "/dev/" + sh("vdpa_disk b0")
    os.makedirs("/etc/cdi", exist_ok=True)
    run("/usr/sbin/baton", "cdi", "-o", "/etc/cdi/baton.json")
    said = podman("--device=baton.dev/device=n2", "--device=baton.dev/device=b0",
                  "--cap-add=NET_ADMIN,NET_RAW,SYS_ADMIN", "--rootfs", str(BOX / "root"), "sh", "-c",
                  in_box(netdev, disk))
    assert "done-in-box" in said, said
    wait_for(lambda: os.path.exists(f"/sys/class/net/{netdev}"))


def by_podman_node():
    """A user's node likewise: for a container in which QEMU runs."""
    run("driverctl", "-b", "vdpa", "--nosave", "set-override", "b0", "vhost_vdpa")
    run("/usr/sbin/baton", "cdi", "-o", "/etc/cdi/baton.json")
    node = sh("vhost_node b0")
    said = podman("--device=baton.dev/device=b0", "--rootfs", str(BOX / "root"), "python3", "-c",
                  f"import os; os.open('{node}', os.O_RDWR); print('opened')")
    assert "opened" in said, said


def by_cni():
    """The plugin host-device, called as a runtime calls it: by netdev and by PCI address."""
    version("containernetworking-plugins")
    netdev = netdev_of("n2")
    run("ip", "netns", "add", "pod")
    for key, value in (("device", netdev), ("pciBusID", function("net2"))):
        config = json.dumps({"cniVersion": "1.0.0", "name": "baton", "type": "host-device", key: value,
                             "ipam": {"type": "static", "addresses": [{"address": "192.0.2.2/24"}]}})
        for command in ("ADD", "DEL"):
            run("/usr/lib/cni/host-device", input=config,
                env={"CNI_COMMAND": command, "CNI_CONTAINERID": "box", "CNI_NETNS": "/run/netns/pod",
                     "CNI_IFNAME": "eth0", "CNI_PATH": "/usr/lib/cni", "PATH": os.environ["PATH"]})
            if command == "ADD":
                run("ip", "netns", "exec", "pod", "ping", "-q", "-c", "3", "-i", "0.2", "-w", "20",
                    "192.0.2.1")
        wait_for(lambda: os.path.exists(f"/sys/class/net/{netdev}"))
    run("ip", "netns", "del", "pod")


def by_libblkio():
    """Its ring lies at IOVA 0. For a function of QEMU's that is none, so it is not one of these."""
    version("libblkio1")
    sh("bind_baton blk1; vdpa_add b1 blk1; vdpa_bind b1 vhost_vdpa")
    image = f"driver=virtio-blk-vhost-vdpa,path={sh('vhost_node b1')},cache.direct=on"
    said = run("qemu-io", "--image-opts", image, "-c", "write -P 0xa5 1M 256k", "-c",
               "read -P 0xa5 1M 256k", "-c", "flush")
    assert "wrote 262144/262144" in said and "read 262144/262144" in said and \
        "verification failed" not in said, said
    assert sh("vdpa_owner b1") == "none"
    # What it wrote is on the disk.
    sh("vdpa_bind b1 virtio_vdpa")
    with open("/dev/" + sh("vdpa_disk b1"), "rb") as disk:
        disk.seek(1 << 20)
        assert disk.read(256 << 10) == b"\xa5" * (256 << 10)


class Testpmd:
    """dpdk-testpmd at its prompt, on a user's node."""

    def __init__(self, node, pairs):
        # It keeps its answers to itself unless they go to a terminal.
        self.terminal, end = os.openpty()
        self.process = subprocess.Popen(
            ["dpdk-testpmd", "--in-memory", "--lcores=0,1", "--iova-mode=va", "--no-telemetry",
             "--no-pci", f"--vdev=net_virtio_user0,path={node},queues={pairs},queue_size=64", "--",
             "--interactive", "--no-lsc-interrupt", "--disable-link-check", f"--rxq={pairs}",
             f"--txq={pairs}", "--total-num-mbufs=2048"], stdin=end, stdout=end, stderr=end)
        os.close(end)
        self.said = self.answer()

    def answer(self):
        """What it says until it asks again."""
        said = b""
        while not said.endswith(b"testpmd> "):
            try:
                said += os.read(self.terminal, 65536)
            except OSError:     # nobody has the other end any more
                break
        return said.decode()

    def tell(self, command):
        os.write(self.terminal, command.encode() + b"\n")
        return self.answer()


def by_testpmd():
    """Two queue pairs, which it asks for through the control queue."""
    version("dpdk-dev")
    pathlib.Path("/proc/sys/vm/nr_hugepages").write_text("160")
    sh("bind_baton net0; vdpa_add n0 net0 max_vqp 2; vdpa_bind n0 vhost_vdpa")
    with Trace("baton:baton_command") as trace:
        pmd = Testpmd(sh("vhost_node n0"), 2)
        assert pmd.process.poll() is None, pmd.said
        assert sh("vdpa_owner n0") == "user", pmd.said
    # Class 4, command 0: how many pairs; answer 0: done.
    assert [line for line in trace.lines("baton_command") if "class=4 command=0" in line
            and "ack=0" in line], trace.lines("baton_command")
    info = pmd.tell("show port info 0")
    assert "Current number of RX queues: 2" in info, info
    pmd.tell("set fwd txonly")
    pmd.tell("start")
    time.sleep(2)
    pmd.tell("stop")
    sent = pmd.tell("show port stats 0")
    assert int(re.search(r"TX-packets: *(\d+)", sent)[1]) > 100, sent
    note(f"mapped {vdpa_read('n0', 'mapped_bytes')} bytes; "
         f"{re.search(r'TX-packets: *[0-9]+', sent)[0]}")
    pmd.tell("quit")
    assert pmd.process.wait(30 * SLOWER) == 0
    assert (sh("vdpa_owner n0"), vdpa_read("n0", "mapped_bytes")) == ("none", "0")


def by_autopkgtest():
    """What debian/tests runs in a machine on which the packages were installed."""
    said = run("sh", "/baton/debian/tests/bind")
    assert f"+ baton unbind {function('rng0')}" in said, said
    assert sh("fn_driver rng0") == "virtio-pci"


ktap_start(9)
# testpmd asks for promiscuous mode.
expect_log("control command 0/0 of 3 bytes refused: not allowed by the policy")
prepare()
for name, what in (("driverctl moves functions and devices", by_driverctl),
                   ("systemd-nspawn: a netdev and a disk", by_nspawn),
                   ("podman: a netdev and a disk, by the specification of baton cdi", by_podman),
                   ("podman: a user's node", by_podman_node),
                   ("CNI host-device: by netdev, by PCI address", by_cni),
                   ("libblkio: qemu-io writes and reads", by_libblkio),
                   ("DPDK: testpmd with two queue pairs and a control queue", by_testpmd),
                   ("autopkgtest: a function is bound, and both consumers have it",
                    by_autopkgtest)):
    with case(name):
        what()
with case("all is given back"):
    for name in os.listdir(VDPA):
        sh(f"vdpa_del {name}")
    assert not os.listdir(VDPA)
ktap_finish()
