#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# Rings of every kind and size work for both consumers: packed ones, 1024 entries (vp_vdpa stops at
# 256), more queues than one of each; and what a queue cannot do is refused.
#
#   net0 blk0 (packed), net1 blk1 (1024 entries), net2 blk2 (many queues) --- baton_pci
#
# The kernel's own DMA is not translated here (intel-pt): a used ring of this size spans pages, and
# QEMU (up to 11.1 at least) corrupts memory if these are not contiguous behind an IOMMU.
#
# topology: rings@intel-pt
# cpus: 2
# timeout: 240
from lib import *
from vhost_vdpa import *

F_PACKED = 34
# MAC, MRG_RXBUF, STATUS, and the transport's VERSION_1, ACCESS_PLATFORM, RING_PACKED
PACKED_NET = 0x700018020


def take(name, consumer):
    if not (VDPA / name).exists():
        # Packed rings and a control queue exclude each other.
        features = f"device_features {PACKED_NET:#x}" if name == "net0" else ""
        sh(f"bind_baton {name}; vdpa_add {name} {name} {features}")
    vdpa_bind(name, consumer)


def negotiated(name, feature):
    """Whether the kernel's driver has taken a feature."""
    device = next(pathlib.Path("/sys/bus/pci/devices", function(name)).glob("virtio*"))
    return (device / "features").read_text()[feature] == "1"


def user(name):
    take(name, "vhost_vdpa")
    return Device(user_node(name))


ktap_start(16)

with case("packed: net through virtio_vdpa"):
    take("net0", "virtio_vdpa")
    assert negotiated("net0", F_PACKED)
    sh("net_up net0; pings")
with case("packed: blk through virtio_vdpa"):
    take("blk0", "virtio_vdpa")
    assert negotiated("blk0", F_PACKED)
    sh("disk_works /dev/$(vdpa_disk blk0)")
for name in "net0", "blk0":
    with case(f"packed: {name} through vhost_vdpa, 16 and 256 entries"):
        for size in 16, 256:
            with user(name) as dev:
                CLASSES[dev.get_device_id()](dev, size=size, features=RING_PACKED).exercise()
expect_log(r"queue 0 refused to start at \d+: packed rings start at their beginning")
with case("a packed queue starts at its beginning and nowhere else"):
    with user("blk0") as dev:
        dev.start()
        dev.set_features(USUAL | RING_PACKED)
        dev.set_vring_base(0, 0x80008000)
        assert dev.get_vring_base(0) == 0x80008000
        with fails_with(errno.EOPNOTSUPP):
            dev.set_vring_base(0, 0x80008001)

with case("1024 entries: net through virtio_vdpa"):
    take("net1", "virtio_vdpa")
    sh("net_up net1; pings")
    shown = sh("ethtool -g $(vdpa_netdev net1)")
    assert re.findall(r"^RX:\s+(\d+)", shown, re.M) == ["1024", "1024"], shown
with case("1024 entries: blk through virtio_vdpa"):
    take("blk1", "virtio_vdpa")
    sh("disk_works /dev/$(vdpa_disk blk1)")
with case("1024 entries: all of a receive ring in use through vhost_vdpa"):
    with user("net1") as dev:
        assert dev.get_vring_num() == 1024
        net = Net(dev, buffers=1024, size=1024, memory=4 << 20)
        assert (dev.get_vring_size(0), dev.get_vring_size(1)) == (1024, 256)
        assert net.rx.size == 1024
        for _ in range(1100):
            net.arp()
with case("1024 entries: blk through vhost_vdpa; more are refused"):
    with user("blk1") as dev:
        Blk(dev, size=1024).exercise()
        with fails_with(errno.EINVAL):
            dev.set_vring_num(0, 2048)
expect_log("queue 1 cannot run, wrong size: 1024 entries of at most 256; "
           "one size for all queues is at most 256")
with case("a ring larger than its own queue allows: DRIVER_OK fails"):
    with user("net1") as dev:
        dev.start()
        mem = Memory(1 << 20).map(dev, 0x100000)
        dev.negotiate(USUAL)
        SplitQueue(dev, 1, 1024, mem).enable()
        dev.set_status(DRIVER_OK)
        assert dev.get_status() == FEATURES_OK | FAILED, hex(dev.get_status())


REMEDY = "one size for all queues is at most 256 (QEMU: queue-size=, testpmd: queue_size=)"


def testpmd(size):
    """DPDK's, with one size for all queues, the control queue's included; what it sent and said."""
    sh("echo 48 >/proc/sys/vm/nr_hugepages")
    terminal, end = os.openpty()
    vdpa_bind("net1", "vhost_vdpa")
    run = subprocess.Popen(
        ["prlimit", "--memlock=unlimited", "dpdk-testpmd", "--in-memory", "--lcores=0,1", "-m", "64",
         "--iova-mode=va", "--no-telemetry", "--no-pci",
         f"--vdev=net_virtio_user0,path={user_node('net1')},queue_size={size}", "--",
         "--no-lsc-interrupt", "--disable-link-check", "--total-num-mbufs=2048", f"--txd={size}",
         f"--rxd={size}", "--forward-mode=txonly", "--stats-period=1"],
        stdin=end, stdout=end, stderr=end)
    os.close(end)
    said, sent = "", 0
    deadline = time.monotonic() + 60 * SLOWER
    while not sent and time.monotonic() < deadline and \
            not (size > 256 and REMEDY in vdpa_read("net1", "last_refusal")):
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            said += os.read(terminal, 65536).decode(errors="replace")
        except OSError:     # nobody has the other end any more
            break
        sent = max((int(count) for count in re.findall(r"TX-packets: (\d+)", said)), default=0)
    run.kill()
    run.wait()
    os.close(terminal)
    return sent, said


# testpmd asks for promiscuous mode.
expect_log("control command 0/0 of 3 bytes refused: not allowed by the policy")
with case("testpmd: 256 entries for all work, control queue included; 1024 are refused with the remedy"):
    sent, said = testpmd(256)
    assert sent, said
    sent, said = testpmd(1024)
    assert not sent, said
    assert REMEDY in vdpa_read("net1", "last_refusal"), said

NOT_MAPPED = r"queue 0: its (\w+) area, \d+ bytes at 0x[0-9a-f]+, is not mapped for (reading|writing)"
expect_log(NOT_MAPPED)
expect_log(FAULT.pattern)
expect_log("DMAR: DRHD: handling fault status")
with case("rings that are not where the user says: the log names them, mapped ones are no news"):
    for wrong in "descriptor", "driver", "device", None:
        with user("blk1") as dev:
            dev.start()
            mem = Memory(1 << 20).map(dev, 0x100000)
            read_only = Memory(1 << 16).map(dev, 0x400000, RO)
            dev.negotiate(USUAL)
            ring = SplitQueue(dev, 0, 64, mem)
            # What clients do, two of them: addresses of the process, or its memory for reading.
            areas = {name: mem.iova + offset for name, offset in
                     (("descriptor", ring.desc), ("driver", ring.driver), ("device", ring.device))}
            if wrong:
                areas[wrong] = read_only.iova if wrong == "device" else \
                    mem.address + areas[wrong] - mem.iova
            dev.set_vring_addr(0, *areas.values())
            ring.enable()
            before = kernel_log_count(NOT_MAPPED)
            dev.run()
            said = kernel_log_count(NOT_MAPPED) - before
            assert said == bool(wrong), f"{wrong}: {said} lines"
            if wrong:
                line = [found for line in kernel_log() if (found := re.search(NOT_MAPPED, line))][-1]
                assert line[1] == wrong, line[0]

with case("many queues: net with two pairs through virtio_vdpa"):
    take("net2", "virtio_vdpa")
    sh("net_up net2; ethtool -L $(vdpa_netdev net2) combined 2; pings")
with case("many queues: blk with four through virtio_vdpa"):
    take("blk2", "virtio_vdpa")
    sh("disk_works /dev/$(vdpa_disk blk2)")
with case("many queues: each is served by the processors that interrupts of it go to"):
    queues = list(pathlib.Path(f"/sys/block/{sh('vdpa_disk blk2')}/mq").iterdir())
    asked_for = {queue.name: (queue / "cpu_list").read_text().strip() for queue in queues}
    lines = pathlib.Path("/proc/interrupts").read_text()
    set_to = {}
    for name in asked_for:
        irq = re.search(rf"^ *(\d+):.* baton-{function('blk2')}-vq{name}$", lines, re.M)[1]
        set_to[name] = pathlib.Path(f"/proc/irq/{irq}/smp_affinity_list").read_text().strip()
    assert len(set(set_to.values())) == os.cpu_count() == 2 and set_to == asked_for, (asked_for, set_to)
with case("many queues: and a user has them"):
    with user("blk2") as dev:
        Blk(dev, queues=4).exercise()
ktap_finish()
