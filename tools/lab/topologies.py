# SPDX-License-Identifier: GPL-2.0-only
"""What the lab's VMs look like: the one place where topologies are data.

A topology is a dict:
  doc        one line for people
  functions  list of what net(), blk() and the others below return
  iommu      a key of IOMMUS (default: the machine's)
  memory     MiB (default 1024)
  cpus       (default: what the test says, one if it says nothing)
  cpu        QEMU CPU model (default: the machine's; x86's only)
  cmdline    more kernel arguments
  qemu       more QEMU arguments
Each can also be had with another IOMMU by name: "net-blk@amd" is "net-blk" with IOMMUS["amd"].

Functions sit on the root bus from slot 0x10 on, in the order listed, unless they name a place of
their own; the VM finds them by name in /run/baton/functions. Bridges and root ports are 0x08 to
0x0f; the lab's own devices are below 0x08.

In QEMU arguments {run} stands for the directory with this run's sockets and disks.
"""

# What the VMs of an architecture are made of. The names of kernels that are not x86's end in it.
#   iommu, cpu     the usual ones
#   serial         what the kernel calls the first serial port
#   cmdline        more kernel arguments than every VM has
#   tsc            whether the kernel is told how fast the host's time stamp counter runs
MACHINES = {
    "x86": {
        "qemu": ["qemu-system-x86_64", "-machine", "q35,accel=tcg,hpet=off", "-boot", "strict=on"],
        "iommu": "intel", "cpu": "max", "serial": "ttyS0", "tsc": True,
        "cmdline": "mitigations=off no_timer_check tsc=reliable",
    },
    # No firmware: the kernel is started directly, and told by a device tree what there is.
    "arm64": {
        "qemu": ["qemu-system-aarch64", "-machine", "virt,accel=tcg,gic-version=3"],
        # "max" has pointer authentication, which costs time and is nothing of ours.
        "iommu": "smmuv3", "cpu": "neoverse-n1", "serial": "ttyAMA0", "tsc": False,
        # Tests look at registers that a driver has: selftests/vm/registers.py. Root ports keep what is
        # behind them apart (ACS); told of it by ACPI, a kernel does that by itself, by a device tree 6.12
        # does not.
        "cmdline": "mitigations=off iomem=relaxed pci=config_acs=0011101@pci:1b36:c",
    },
}

# Kernel arguments and devices per IOMMU kind, and where tests cannot use it: machine names are those of
# MACHINES (default: x86 only).
IOMMUS = {
    "intel": {
        "qemu": ["-device", "intel-iommu,intremap=on,caching-mode=on,device-iotlb=on"],
        "cmdline": "intel_iommu=on",
    },
    # identity mapping for the kernel's own DMA (a passthrough default domain)
    "intel-pt": {
        "qemu": ["-device", "intel-iommu,intremap=on,caching-mode=on,device-iotlb=on"],
        "cmdline": "intel_iommu=on iommu=pt",
    },
    # no interrupt remapping: a user may not own a function here
    "intel-nointremap": {
        "qemu": ["-device", "intel-iommu,intremap=off,caching-mode=on,device-iotlb=on"],
        "cmdline": "intel_iommu=on",
    },
    "amd": {
        "qemu": ["-device", "amd-iommu,intremap=on,dma-remap=on"],
        "cmdline": "",
        "not on 7.3": "that kernel finds no southbridge IOAPIC in QEMU 11.1's tables, and then does "
                      "without interrupt remapping",
    },
    "virtio": {
        "machines": ["x86", "arm64"],
        "qemu": ["-device", "virtio-iommu-pci,addr=0x5"],
        "cmdline": "",
    },
    # Arm's, which translates what the functions write to the ITS as well
    "smmuv3": {
        "machines": ["arm64"],
        "qemu": ["-machine", "iommu=smmuv3"],
        "cmdline": "",
    },
    "smmuv3-pt": {
        "machines": ["arm64"],
        "qemu": ["-machine", "iommu=smmuv3"],
        "cmdline": "iommu.passthrough=1",
    },
    # an older interrupt controller (GICv2): interrupts come by a frame of it (v2m), which knows no devices
    "smmuv3-noits": {
        "machines": ["arm64"],
        "qemu": ["-machine", "iommu=smmuv3,gic-version=2"],
        "cmdline": "",
    },
    "none": {"machines": ["x86", "arm64"], "qemu": [], "cmdline": ""},
}


# -- functions --------------------------------------------------------------------------------

def function(name, device, props, qemu=(), disks=None, parts=(), at=None, under=None, model=None):
    """One PCI function.

    name, device  QEMU id and device type
    props         more properties of the device, over the usual ones (None: not this one)
    qemu          arguments that come before the device (backends)
    parts         devices plugged into it (disks of a SCSI adapter, ports of a console)
    disks         scratch files {name: MiB}
    at            place on its bus, e.g. "0x0.0x1" (default: next free slot)
    under         id of the bridge or root port that it sits behind
    model         settings of a function of our own making: see model_net()
    """
    usual = {"disable-legacy": "on", "iommu_platform": "on"}
    return {
        "name": name, "device": device, "props": {**usual, **props}, "qemu": list(qemu),
        "disks": disks or {}, "parts": list(parts), "at": at, "under": under, "model": model,
    }


def model(name, settings, place, **how):
    """A function that is a process of ours (selftests/model), which QEMU takes for hardware. What it
    is and does is said by settings, {name: number}, with the names of selftests/model/settings.c."""
    fn = function(name, "vfio-user-pci", {}, model={"name": name, "socket": f"{{run}}/{name}.sock",
                                                    "dir": "{run}/lab/model", **settings},
                  **how, **(place or {}))
    fn["props"] = {"socket": {"type": "unix", "path": f"{{run}}/{name}.sock"}}
    return fn


def model_net(name, settings=None, netdev="user", place=None):
    """Net, wired to QEMU's user network or to a hub: see net()."""
    kind, _, arg = netdev.partition(":")
    hub = arg if kind == "hub" else 1000 + int(name[-1], 16)
    backend = ["-netdev", f"dgram,id={name}-wire,local.type=unix,local.path={{run}}/{name}.qemu,"
                          f"remote.type=unix,remote.path={{run}}/{name}.wire",
               "-netdev", f"hubport,id={name}-be,hubid={hub},netdev={name}-wire"]
    if kind == "user":
        backend += ["-netdev", f"user,id={name}-user,restrict=on",
                    "-netdev", f"hubport,id={name}-net,hubid={hub},netdev={name}-user"]
    return model(name, {"class": 1, "mac": f"0x{mac(name).replace(':', '')}",
                        "peer_local": f"{{run}}/{name}.wire", "peer_remote": f"{{run}}/{name}.qemu",
                        **(settings or {})}, place, qemu=backend)


def model_blk(name, settings=None, place=None):
    return model(name, {"class": 2, "file": f"{{run}}/disk/{name}", **(settings or {})}, place,
                 disks={name: 64})


# Of a net function: no control queue, and nothing that needs one.
NO_CONTROL = {feature: "off" for feature in ("ctrl_vq", "ctrl_rx", "ctrl_rx_extra", "ctrl_vlan",
                                             "ctrl_mac_addr", "ctrl_guest_offloads", "guest_announce")}


def net(name, props=None, netdev="user", place=None):
    """Net, on QEMU's user network (10.0.2.2 answers ping and DHCP, and serves the run directory's
    tftp/ to iPXE), unless netdev says: "tap:N" is a multi-queue tap with 10.0.2.2 at its other
    end, "hub:N" is port of a virtual hub, to connect functions of one VM with each other."""
    kind, _, arg = netdev.partition(":")
    backend = {
        "user": f"user,id={name}-be,restrict=on,tftp={{run}}/lab/tftp,bootfile=boot",
        "tap": f"tap,id={name}-be,ifname={name},queues={arg},script=/baton/tools/lab/tap-up,"
               "downscript=no",
        "hub": f"hubport,id={name}-be,hubid={arg}",
    }[kind]
    return function(name, "virtio-net-pci",
                    {"netdev": f"{name}-be", "mac": mac(name), **(props or {})},
                    ["-netdev", backend], **(place or {}))


def mac(name):
    """Stable address from the name: net0 52:54:00:6e:00:00, peer1 52:54:00:70:00:01."""
    return f"52:54:00:{ord(name[0]):02x}:00:{int(name[-1], 16):02x}"


def blk(name, props=None, place=None):
    # Its number of queues would be that of the VM's processors.
    return function(name, "virtio-blk-pci",
                    {"drive": f"{name}-be", "serial": name, "num-queues": "2", **(props or {})},
                    ["-blockdev", drive(name)], disks={name: 64}, **(place or {}))


def scsi(name, props=None):
    return function(name, "virtio-scsi-pci", props or {}, ["-blockdev", drive(name)],
                    disks={name: 64},
                    parts=[f"scsi-hd,bus={name}.0,drive={name}-be,serial={name}"])


def drive(name):
    return f"raw,node-name={name}-be,file.driver=file,file.filename={{run}}/disk/{name},discard=unmap"


def rng(name, props=None):
    return function(name, "virtio-rng-pci", {"rng": f"{name}-be", **(props or {})},
                    ["-object", f"rng-random,id={name}-be,filename=/dev/urandom"])


def crypto(name, props=None):
    return function(name, "virtio-crypto-pci", {"cryptodev": f"{name}-be", **(props or {})},
                    ["-object", f"cryptodev-backend-builtin,id={name}-be"])


def console(name, props=None):
    """A console and a port; what is written to them arrives in the run directory."""
    backends = []
    for port in ("con", "port"):
        backends += ["-chardev", f"file,id={name}-{port},path={{run}}/lab/{name}-{port}"]
    return function(name, "virtio-serial-pci", {"max_ports": "4", **(props or {})}, backends,
                    parts=[f"virtconsole,bus={name}.0,chardev={name}-con",
                           f"virtserialport,bus={name}.0,chardev={name}-port,name={name}"])


def ninep(name, props=None):
    """9p: serves the project tree's selftests directory, read-only, with the name as mount tag."""
    return function(name, "virtio-9p-pci",
                    {"fsdev": f"{name}-be", "mount_tag": name, **(props or {})},
                    ["-fsdev", f"local,id={name}-be,path=/baton/selftests,security_model=none,"
                               "readonly=on"])


def sound(name, props=None):
    return function(name, "virtio-sound-pci", {"audiodev": f"{name}-be", **(props or {})},
                    ["-audiodev", f"none,id={name}-be"])


def keyboard(name, props=None):
    return function(name, "virtio-keyboard-pci", {"disable-legacy": None, **(props or {})})


def gpu(name, props=None):
    return function(name, "virtio-gpu-pci", {"disable-legacy": None, **(props or {})})


def mem(name, props=None):
    """A memory device. It refuses drivers that would read what is unplugged."""
    return function(name, "virtio-mem-pci",
                    {"memdev": f"{name}-be", "unplugged-inaccessible": "on", **(props or {})},
                    ["-object", f"memory-backend-ram,id={name}-be,size=128M"])


def peer(name, netdev):
    """The other side of a hub: a net function that stays with virtio-pci, outside any IOMMU."""
    return net(name, {"iommu_platform": "off"}, netdev)


def hub_sink(number):
    """A port of a hub that takes everything and has nobody behind it: what one function sends while
    the other rests is lost, as on a real wire, instead of waiting for it."""
    path = f"{{run}}/sink{number}"
    return ["-netdev", f"dgram,id=sink{number},local.type=unix,local.path={path},"
                       f"remote.type=unix,remote.path={path}.nobody",
            "-netdev", f"hubport,id=sink{number}-be,hubid={number},netdev=sink{number}"]


def plain(fn):
    """The same function as a device that does not know about IOMMUs."""
    fn["props"]["iommu_platform"] = "off"
    return fn


def root_port(number, more=""):
    return ["-device", f"pcie-root-port,id=rp{number},bus=pcie.0,addr={0x08 + number:#x},"
                       f"chassis={number + 1},slot={number + 1}{more}"]


def root_ports(count):
    """Eight to a slot, from slot 0x8 on; each is a group of its own to the IOMMU."""
    args = []
    for n in range(count):
        args += ["-device", f"pcie-root-port,id=rp{n},bus=pcie.0,addr={0x08 + n // 8:#x}.{n % 8:#x},"
                            f"chassis={n + 1},slot={n + 1},multifunction=on,io-reserve=0"]
    return args


# -- topologies -------------------------------------------------------------------------------

TOPOLOGIES = {
    "net": {
        "doc": "one net function",
        "functions": [net("net0")],
    },
    "blk": {
        "doc": "one blk function",
        "functions": [blk("blk0")],
    },
    "net-blk": {
        "doc": "a net function with a page for each doorbell, and a blk function",
        "functions": [net("net0", {"page-per-vq": "on"}), blk("blk0")],
    },
    "two-net": {
        "doc": "two net functions",
        "functions": [net("net0"), net("net1")],
    },
    "classes": {
        "doc": "one function of each class that carries data: net0, blk0, scsi0, rng0, ...",
        "functions": [net("net0"), blk("blk0"), scsi("scsi0"), rng("rng0"), crypto("crypto0"),
                      console("console0"), ninep("ninep0")],
    },
    "more-classes": {
        "doc": "classes that only the kernel drives: input, sound, gpu",
        "functions": [keyboard("input0"), sound("sound0"), gpu("gpu0")],
    },
    "peer": {
        "doc": "a net function wired to a plain one (peer0) in the same VM, and a blk function",
        "functions": [net("net0", netdev="hub:0"), blk("blk0"), peer("peer0", "hub:0")],
        "qemu": hub_sink(0),
    },
    "reset-peer": {
        "doc": "as peer, with the net function behind a root port: it can be reset by itself",
        "functions": [net("net0", netdev="hub:0", place={"under": "rp0", "at": "0x0"}), blk("blk0"),
                      peer("peer0", "hub:0")],
        "qemu": hub_sink(0) + root_port(0),
    },
    "rings": {
        "doc": "packed rings (net0, blk0), 1024 entries (net1, blk1; QEMU limits net's transmit ring "
               "to 256), many queues (net2 two pairs on a tap, blk2 four)",
        "functions": [net("net0", {"packed": "on"}), blk("blk0", {"packed": "on"}),
                      net("net1", {"rx_queue_size": "1024"}), blk("blk1", {"queue-size": "1024"}),
                      net("net2", {"mq": "on", "vectors": "8"}, netdev="tap:2"),
                      blk("blk2", {"num-queues": "4"})],
    },
    "control": {
        "doc": "net with two queue pairs, packed rings and an MTU on a tap (net0); one that is wired to "
               "a plain one (net1, peer0)",
        "functions": [net("net0", {"mq": "on", "vectors": "8", "packed": "on", "host_mtu": "4000"},
                          netdev="tap:2"),
                      net("net1", netdev="hub:0"), peer("peer0", "hub:0")],
        "qemu": hub_sink(0),
    },
    "extras": {
        "doc": "net with two queue pairs that distributes by hash (RSS) and tells the hash (net0); one "
               "that is wired to a plain one (net1, peer0)",
        "functions": [net("net0", {"mq": "on", "vectors": "8", "rss": "on", "hash": "on"},
                          netdev="tap:2"),
                      net("net1", netdev="hub:0"), peer("peer0", "hub:0")],
        "qemu": hub_sink(0),
    },
    "vectors": {
        "doc": "net and blk without MSI-X (net0, blk0), with one vector (net1, blk1), with two; blk with "
               "four queues and one vector less than it wants (blk3)",
        "functions": [fn(f"{fn.__name__}{n}", {"vectors": str(n)})
                      for n in range(3) for fn in (net, blk)]
        + [blk("blk3", {"num-queues": "4", "vectors": "4"})],
    },
    "features": {
        "doc": "net and blk, and a memory device (mem0) that insists on a feature (bit 1)",
        "functions": [net("net0"), blk("blk0"), mem("mem0")],
        "qemu": ["-m", "maxmem=2048M"],
    },
    "sleepless": {
        "doc": "net; a memory device and 9p, whose drivers do not step aside for a sleeping system",
        "functions": [net("net0"), mem("mem0"), ninep("ninep0")],
        "qemu": ["-m", "maxmem=2048M"],
    },
    "odd": {
        "doc": "functions to refuse: no ACCESS_PLATFORM (plain0), legacy only (legacy0)",
        "functions": [plain(blk("plain0")),
                      plain(blk("legacy0", {"disable-legacy": "off", "disable-modern": "on"}))],
    },
    "plain": {
        "doc": "net as QEMU has it by default, without ACCESS_PLATFORM (net0), and net without a control "
               "queue (net1)",
        "functions": [plain(net("net0")), net("net1", NO_CONTROL)],
    },
    "shared-group": {
        "doc": "net and blk behind a conventional PCI bridge: one IOMMU group",
        "qemu": ["-device", "pci-bridge,id=br0,bus=pcie.0,addr=0x8,chassis_nr=9,shpc=off"],
        "functions": [net("net0", place={"under": "br0", "at": "0x1"}),
                      blk("blk0", place={"under": "br0", "at": "0x2"})],
    },
    "twins": {
        "doc": "net and blk are two functions of one slot: an IOMMU group that one can leave and join",
        "qemu": root_port(0),
        "functions": [blk("blk0", {"multifunction": "on"}, place={"under": "rp0", "at": "0x0.0x1"}),
                      net("net0", {"multifunction": "on"}, place={"under": "rp0", "at": "0x0.0x0"})],
    },
    "hotplug": {
        "doc": "net (with a page for each doorbell) and blk behind root ports, for hot-unplug",
        "qemu": root_port(0) + root_port(1),
        "functions": [net("net0", {"aer": "on", "page-per-vq": "on"},
                          place={"under": "rp0", "at": "0x0"}),
                      blk("blk0", {"aer": "on"}, place={"under": "rp1", "at": "0x0"})],
    },
    "aer": {
        # A port that is quicker tells the kernel that its link is back, and QEMU's does not.
        "doc": "net and blk behind root ports that recover from errors (AER)",
        "qemu": [arg for n in (0, 1) for arg in root_port(n, ",x-speed=5")],
        "functions": [net("net0", {"aer": "on"}, place={"under": "rp0", "at": "0x0"}),
                      blk("blk0", {"aer": "on"}, place={"under": "rp1", "at": "0x0"})],
    },
    "ats": {
        "doc": "blk behind a root port, with a translation cache of its own (ATS)",
        "qemu": root_port(0),
        "functions": [blk("blk0", {"ats": "on"}, place={"under": "rp0", "at": "0x0"})],
    },
    "sriov": {
        "doc": "a net PF (net0) with two VFs (vf0, vf1), behind a root port that recovers from errors (AER)",
        "qemu": root_port(0, ",x-speed=5"),
        "functions": [net("vf0", {"sriov-pf": "net0"}, place={"under": "rp0", "at": "0x0.0x1"}),
                      net("vf1", {"sriov-pf": "net0"}, place={"under": "rp0", "at": "0x0.0x2"}),
                      net("net0", {"aer": "on"}, place={"under": "rp0", "at": "0x0.0x0"})],
    },
    "bench": {
        "doc": "what tools/bench measures: net, blk with two, eight and 64 queues; huge pages",
        "functions": [net("net0"), blk("blk0", {"num-queues": "2"}),
                      blk("blk1", {"num-queues": "8"}), blk("blk2", {"num-queues": "64"})],
        "memory": 3584,
        "cpu": "max,erms=off,fsrm=off",
        "cmdline": "hugepagesz=1G hugepages=1 hugepagesz=2M hugepages=0",
    },
    "bench-data": {
        "doc": "what tools/bench compares: three net functions, each wired to a plain one, and three blk",
        "functions": [net(f"net{n}", netdev=f"hub:{n}") for n in range(3)]
        + [blk(f"blk{n}") for n in range(3)] + [peer(f"peer{n}", f"hub:{n}") for n in range(3)],
        "qemu": [arg for n in range(3) for arg in hub_sink(n)],
        # With two, it is of more weight where interrupts arrive than who drives the device.
        "cpus": 1,
    },
    "bench-guest": {
        "doc": "what testpmd runs on: three net functions without a control queue, each wired to a plain "
               "one; huge pages",
        # With one, testpmd never gets ready on vp_vdpa's.
        "functions": [net(f"net{n}", NO_CONTROL, netdev=f"hub:{n}") for n in range(3)]
        + [peer(f"peer{n}", f"hub:{n}") for n in range(3)],
        "qemu": [arg for n in range(3) for arg in hub_sink(n)],
        "memory": 1536,
        "cmdline": "hugepagesz=2M hugepages=192",
    },
    "bench-scale": {
        "doc": "64 blk functions, each behind a root port of its own",
        "functions": [blk(f"blk{n}", place={"under": f"rp{n}", "at": "0x0"}) for n in range(64)],
        "qemu": root_ports(64),
        "memory": 2048,
        # One processor has some 200 interrupt vectors: none of them for the ports.
        "cmdline": "pcie_ports=compat",
    },
    "model": {
        "doc": "a net function (wired to peer0) and a blk function of our own making, behind root ports; RING_RESET",
        "functions": [model_net("net0", {"more": 1 << 40}, netdev="hub:0", place={"under": "rp0", "at": "0x0"}),
                      # It has no zones (ZONED is bit 17), unless its configuration is made to say so.
                      model_blk("blk0", {"queues": 2, "more": 1 << 17 | 1 << 40},
                                place={"under": "rp1", "at": "0x0"}),
                      peer("peer0", "hub:0")],
        "qemu": hub_sink(0) + root_port(0) + root_port(1),
    },
    "smartnic": {
        "doc": "functions of our own making that look like a SmartNIC's: net0 (wired to peer0) with four "
               "pairs and registers in odd places, which demands ORDER_PLATFORM; blk0 with 64 queues, 3 vectors, answers out of order, "
               "no FLR; blk1 packed, its MSI-X table in the page of a doorbell; blk2 without MSI-X; blk3 demands ORDER_PLATFORM, "
               "and its doorbells take data",
        "functions": [
            model_net("net0", {"pairs": 4, "size_0": 1024, "size_2": 512, "size_3": 128, "size_8": 64,
                               "filters": 16, "bar64": 1 << 4, "doorbells": "4:0x10000",
                               "common": "4:0x400", "config": "0:0x1800", "isr": "3:0x10",
                               "msix": "2:0x2000", "more": 1 << 35 | 1 << 36 | 1 << 38 | 1 << 40,
                               "demand": 1 << 36}, "hub:0"),
            model_blk("blk0", {"queues": 64, "size_0": 32768, "vectors": 3, "reorder": 1, "flr": 0,
                               "multiplier": 2}),
            model_blk("blk1", {"more": 1 << 34, "msix": "2:0x800"}),
            model_blk("blk2", {"vectors": 0}),
            model_blk("blk3", {"more": 1 << 36 | 1 << 38, "demand": 1 << 36, "same_doorbell": 1,
                               "multiplier": 4}),
            peer("peer0", "hub:0")],
        "qemu": hub_sink(0),
    },
    "guest": {
        "doc": "net (wired to peer0) and blk, with room and an emulated SVM for a guest in the VM",
        "functions": [net("net0", netdev="hub:0"), blk("blk0"), peer("peer0", "hub:0")],
        "qemu": hub_sink(0),
        "memory": 2048,
        "cpu": "EPYC",
    },
    "integrators": {
        "doc": "three net functions, the first with two queue pairs on a tap, one on QEMU's network, one "
               "wired to a plain one (peer0); blk, and one of our own making (blk1); rng",
        "functions": [net("net0", {"mq": "on", "vectors": "8"}, netdev="tap:2"), net("net1"),
                      net("net2", netdev="hub:0"), blk("blk0"), rng("rng0"), peer("peer0", "hub:0"),
                      model_blk("blk1")],
        "qemu": hub_sink(0),
        "memory": 2048,
    },
    "guest-control": {
        "doc": "net with two queue pairs on a tap (net0), one that is wired to peer0 (net1), with room "
               "for a guest",
        "functions": [net("net0", {"mq": "on", "vectors": "8", "host_mtu": "4000"}, netdev="tap:2"),
                      net("net1", netdev="hub:0"), peer("peer0", "hub:0")],
        "qemu": hub_sink(0),
        "memory": 2048,
        "cpu": "EPYC",
    },
}


# -- looking up -------------------------------------------------------------------------------

def machine(kernel):
    """The architecture that a kernel of this name is for."""
    suffix = kernel.rpartition("-")[2]
    return suffix if suffix in MACHINES else "x86"


def find(name, machine="x86"):
    """The topology called NAME or NAME@IOMMU, with defaults filled in; None if there is none, or not on
    such a machine."""
    base, _, iommu = name.partition("@")
    topology = TOPOLOGIES.get(base)
    usual = MACHINES[machine]
    if topology is None or (iommu and iommu not in IOMMUS):
        return None
    found = {"iommu": usual["iommu"], "memory": 1024, "cpus": None, "cpu": usual["cpu"], "cmdline": "",
             "qemu": [], "functions": [], **topology, **({"iommu": iommu} if iommu else {})}
    if machine not in IOMMUS[found["iommu"]].get("machines", ["x86"]):
        return None
    if machine != "x86":
        found["cpu"] = usual["cpu"]
    return found


def place_name(address):
    """How sysfs writes what QEMU calls 0x8 or 0x8.0x1."""
    slot, _, number = address.partition(".")
    return f"{int(slot, 16):02x}.{int(number or '0', 16)}"


def placed(topology):
    """Yield (function, QEMU address, path): the path is how the VM finds it in sysfs, slot by slot
    from the root bus, since bus numbers are the firmware's choice."""
    bridges = {}
    for arg in topology["qemu"]:
        fields = dict(f.split("=", 1) for f in arg.split(",") if "=" in f)
        if fields.get("bus") == "pcie.0" and "addr" in fields:
            bridges[fields["id"]] = place_name(fields["addr"])
    slot = 0x10
    for fn in topology["functions"]:
        if fn["under"]:
            path = f"{bridges[fn['under']]}/{place_name(fn['at'])}"
            yield fn, f"bus={fn['under']},addr={fn['at']}", path
        else:
            yield fn, f"bus=pcie.0,addr={slot:#x}", f"{slot:02x}.0"
            slot += 1
