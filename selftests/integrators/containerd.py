#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# containerd: by its own ctr, and by CRI, the way in which Kubernetes drives it, where it knows the Container
# Device Interface. Nobody but curl is needed to speak that: a request is one message of protocol buffers.
#
#   net1 --- baton_pci --- n1, on QEMU's network; what CNI's host-device makes the pod's eth0
#   net2 --- baton_pci --- n2, on the same wire as peer0 (netns "peer", 192.0.2.1)
#   blk0 --- baton_pci --- b0
#
# topology: integrators
# root: integrators
# timeout: 300
import hashlib
import json
import pathlib
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "vm"))
from lib import *
from programs import kept, run, use_disk

SOCKET = "/run/containerd/containerd.sock"
IMAGE = "localhost/box:1"
TMP = pathlib.Path("/tmp")
MEMLOCK = 8 << 20               # what systemd gives a daemon
CONFIG = f"""version = 2
[plugins."io.containerd.grpc.v1.cri"]
enable_cdi = true
sandbox_image = "{IMAGE}"
cni = {{ bin_dir = "/usr/lib/cni", conf_dir = "/etc/cni/net.d" }}
"""
POD = {1: {1: "pod", 2: "1", 3: "default"}}     # PodSandboxConfig: name, uid, namespace
NET_ADMIN = {2: {1: {1: ["NET_ADMIN"]}}}        # LinuxContainerConfig: security context, capabilities to add


# -- CRI ----------------------------------------------------------------------------------------

def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def encode(number, value):
    """A field of a message. A message is a dict of them, by number."""
    if isinstance(value, list):
        return b"".join(encode(number, one) for one in value)
    if isinstance(value, dict):
        value = b"".join(encode(*field) for field in value.items())
    elif isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def decode(data):
    """Of a message, the last field of each number."""
    def take():
        number, shift, more = 0, 0, 128
        while more >= 128:
            more = data.pop(0)
            number |= (more & 127) << shift
            shift += 7
        return number

    data, fields = bytearray(data), {}
    while data:
        number, kind = divmod(take(), 8)
        fields[number] = take()
        if kind == 2:
            length = fields[number]
            fields[number], data[:length] = bytes(data[:length]).decode(), b""
    return fields


def cri(method, request):
    """The fields of the answer."""
    message = b"".join(encode(*field) for field in request.items())
    done = subprocess.run(
        ["curl", "-sS", "--http2-prior-knowledge", "--unix-socket", SOCKET, "-H", "te: trailers", "-H",
         "content-type: application/grpc", "--dump-header", "/proc/self/fd/2", "--data-binary", "@-",
         f"http://localhost/runtime.v1.RuntimeService/{method}"], input=b"\0" + len(message).to_bytes(4) + message,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60 * SLOWER)
    assert b"grpc-status: 0" in done.stderr, f"{method}: {done.stderr.decode()}"
    return decode(done.stdout[5:])


@contextlib.contextmanager
def container(*devices):
    """One that waits, in a pod of its own, with these devices of the specification's."""
    pod = cri("RunPodSandbox", {1: POD})[1]
    try:
        box = cri("CreateContainer", {1: pod, 3: POD, 2: {
            1: {1: "box"}, 2: {1: IMAGE}, 3: ["sleep", "1000"], 15: NET_ADMIN,
            17: [{1: f"baton.dev/device={name}"} for name in devices]}})[1]
        cri("StartContainer", {1: box})
        yield box
    finally:
        cri("StopPodSandbox", {1: pod})
        cri("RemovePodSandbox", {1: pod})


def said(box, script):
    """What a script in it says."""
    answer = cri("ExecSync", {1: box, 2: ["sh", "-ec", script]})
    assert not answer.get(3), answer
    return answer.get(1, "")


# -- the test -----------------------------------------------------------------------------------

def make_image():
    """A tar file as `docker save` writes it."""
    sh(f"make_small_box {TMP}/box; tar -C {TMP}/box -cf {TMP}/layer.tar .")
    digest = hashlib.sha256((TMP / "layer.tar").read_bytes()).hexdigest()
    (TMP / "config.json").write_text(json.dumps({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["sleep", "1000"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]}}))
    (TMP / "manifest.json").write_text(json.dumps([
        {"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]))
    with tarfile.open(TMP / "image.tar", "w") as image:
        for name in ("manifest.json", "config.json", "layer.tar"):
            image.add(TMP / name, name)


def prepare():
    """The devices are the kernel's, one of them is what CNI gives, and containerd runs."""
    run("cp", "-a", "/baton/build/tools/root/.", "/")
    run("ip", "-n", "peer", "address", "add", "192.0.2.1/24", "dev", peer_goes())
    for name, what in (("n1", "net1"), ("n2", "net2"), ("b0", "blk0")):
        sh(f"bind_baton {what}; vdpa_add {name} {what}; vdpa_bind {name} virtio_vdpa")
    for directory in ("/etc/cdi", "/etc/cni/net.d", "/var/lib/containerd", "/opt/cni"):
        os.makedirs(directory, exist_ok=True)
    run("mount", "-t", "tmpfs", "images", "/var/lib/containerd")
    pathlib.Path("/etc/cni/net.d/10-pod.conflist").write_text(json.dumps({
        "cniVersion": "1.0.0", "name": "pod", "plugins": [
            {"type": "host-device", "device": sh("vdpa_netdev n1"),
             "ipam": {"type": "static", "addresses": [{"address": "10.0.2.15/24"}]}}]}))
    # Of ctr's only; containerd itself is told where Debian has them.
    os.symlink("/usr/lib/cni", "/opt/cni/bin")
    make_image()
    (TMP / "config.toml").write_text(CONFIG)
    with open(BATON_RUN / "containerd.log", "w", encoding="utf-8") as log:
        subprocess.Popen(["prlimit", f"--memlock={MEMLOCK}", "containerd", "--config", TMP / "config.toml"],
                         stdout=log, stderr=log)
    wait_for(lambda: os.path.exists(SOCKET), 60)
    note(run("containerd", "--version") + run("runc", "--version"))
    for namespace in ("default", "k8s.io"):
        note(run("ctr", "--namespace", namespace, "images", "import", "--no-unpack", TMP / "image.tar"))


def given_back(netdevs):
    wait_for(lambda: all(os.path.exists(f"/sys/class/net/{name}") for name in netdevs))
    assert [sh(f"vdpa_netdev {name}") for name in ("n1", "n2")] == netdevs


def by_ctr():
    """It takes a device's name for a file's: the disk is given by its node, the netdev by CNI."""
    answer = run("ctr", "run", "--rm", "--device", "baton.dev/device=b0", IMAGE, "none", "true", status=1)
    assert "no such file or directory" in answer, answer
    answer = run("ctr", "run", "--rm", "--cni", "--device", disk, IMAGE, "box", "sh", "-ec",
                 f"ping -q -c 3 -w 20 10.0.2.2\n{use_disk(disk)}")
    assert kept(disk) in answer, answer
    # By the time that it tells CNI, the container's network has gone, and the kernel has chosen a name.
    note(f"{netdevs[0]} is back as {sh('vdpa_netdev n1')}")
    sh(f"ip link set $(vdpa_netdev n1) name {netdevs[0]}")
    given_back(netdevs)


def by_cri():
    """A pod whose network is CNI's; its container has a netdev and a disk besides, by their devices' names."""
    run("/usr/sbin/baton", "cdi", "-o", "/etc/cdi/baton.json")
    with container("n2", "b0") as box:
        said(box, "ping -q -c 3 -w 20 10.0.2.2")
        said(box, f"ip link set {netdevs[1]} up; ip address add 192.0.2.2/24 dev {netdevs[1]}; "
                  "ping -q -c 3 -w 20 192.0.2.1")
        wrote = said(box, use_disk(disk)).strip()
        assert kept(disk) == wrote, wrote
        assert not [name for name in netdevs if os.path.exists(f"/sys/class/net/{name}")]
    given_back(netdevs)


def node_by_cri():
    """A user's node likewise, and no other. How much memory may be locked is containerd's own limit."""
    sh("vdpa_bind b0 vhost_vdpa; vdpa_bind n2 vhost_vdpa")
    run("/usr/sbin/baton", "cdi", "-o", "/etc/cdi/baton.json")
    with container("b0") as box:
        said(box, f"exec 3<>{sh('vhost_node b0')}; ! cat {sh('vhost_node n2')}")
        assert said(box, "ulimit -l").strip() == str(MEMLOCK >> 10)


def unknown_by_cri():
    """A device that is not in the specification is an error, and nothing is left of it."""
    try:
        with container("b1"):
            raise AssertionError("there is no such device")
    except AssertionError as err:
        assert "unresolvable CDI devices baton.dev/device=b1" in str(err), err
    sh("vdpa_bind n2 virtio_vdpa")
    given_back([netdevs[0], sh("vdpa_netdev n2")])


ktap_start(4)
prepare()
disk, netdevs = "/dev/" + sh("vdpa_disk b0"), [sh(f"vdpa_netdev {name}") for name in ("n1", "n2")]
for name, what in (("ctr: a netdev by CNI, a disk by its node", by_ctr),
                   ("CRI: a netdev and a disk, by the specification of baton cdi", by_cri),
                   ("CRI: a user's node", node_by_cri),
                   ("CRI: what is not in the specification is refused", unknown_by_cri)):
    with case(name):
        what()
ktap_finish()
