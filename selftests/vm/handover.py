#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C2, owner follows DRIVER_OK; C3, reset is a handshake; C9, interrupts end with ownership; C10,
# observable. A handover kernel -> none -> user -> none -> kernel, with traffic, on every kind of
# IOMMU. What is done to the function and to the IOMMU, and in which order, is told by our
# tracepoints, by the IOMMU core's, and by probes on the functions that write the PCI command
# register and the device status: the whole transcript has to be as written below.
#
#   net0 --- baton_pci --- v0 --- virtio_vdpa --- ping
#   blk0 --- baton_pci --- v1 --- virtio_vdpa --- fio      ... and vhost_vdpa --- this process
#
# shares: its VM
# topology: net-blk net-blk@intel-pt net-blk@amd net-blk@virtio net-blk@smmuv3-pt
# timeout: 150
from lib import *
from vhost_vdpa import *

IOMMU = (BATON_RUN / "topology").read_text().split()[1]

# "hw" is the device status as it is written to the hardware, "domain" an attach as the IOMMU core
# sees it: towards a domain of ours (user, empty) it always goes by way of the default one.
NEGOTIATION = """
none blocked -> negotiated
hw status 0x1
hw status 0x3
hw status 0xb
step negotiate
"""

GRANT = """
{owner} negotiated -> granting
domain attached
{more}
step attach
step vectors
step program
bus mastering on
step master
hw status 0xf
step driver_ok
step control
step queues
{owner} granting -> {owner}
"""

DRAIN = """
{owner} {owner} -> draining
hw status 0x0
reset
step quiesce
bus mastering off
step unmaster
step unvector
domain attached
{more}
step block
none draining -> blocked
"""

WITNESSES = """p:witness/master_on pci_set_master
p:witness/master_off pci_clear_master
p:witness/status vp_modern_set_status status=$arg2:u8
"""


def script(*parts, owner):
    """What should happen, line by line."""
    lines = []
    for part in parts:
        # The kernel's domain is the default one: one step to it, one step back.
        more = "domain attached" if owner == "user" else ""
        lines += part.format(owner=owner, more=more).split("\n")
    return [line for line in lines if line]


def transcript(trace):
    """What did happen to net0."""
    lines = []
    for event, text in trace.read():
        if event == "status":
            lines.append("hw status " + hex(int(text.rpartition("=")[2])))
        elif event in ("master_on", "master_off"):
            lines.append("bus mastering " + event.removeprefix("master_"))
        elif not re.search(rf"\b{function('net0')}\b", text):
            pass
        elif event == "attach_device_to_domain":
            lines.append("domain attached")
        elif event == "baton_reset":
            lines.append("reset" if text.endswith("err=0") else text)
        elif event == "baton_step":
            step, err = text.split()[1:]
            lines.append(f"step {step}" if err == "err=0" else text)
        elif event == "baton_owner":
            _, change, owner = re.split(r": | owner=", text)
            lines.append(f"{owner} {change}")
    return lines


def recorded():
    return Trace("baton", "iommu:attach_device_to_domain", "witness")


def kernel_owns(when):
    with recorded() as trace:
        sh("vdpa_bind v0 virtio_vdpa")
    equal(f"{when}: from bind to DRIVER_OK", transcript(trace),
          script(NEGOTIATION, GRANT, owner="kernel"))
    equal(f"{when}: the owner is named", (vdpa_read("v0", "owner"), vdpa_read("v0", "state")),
          ("kernel", "kernel"))
    ok(f"{when}: bus mastering is on", bus_master("net0"))
    equal(f"{when}: interrupts", interrupts("net0"), ["config", "vq0", "vq1"])
    with case(f"{when}: net works"):
        sh("net_up v0; pings")
    with case(f"{when}: blk works"):
        sh("vdpa_bind v1 virtio_vdpa; fio --name=rw --filename=/dev/$(vdpa_disk v1) --rw=randrw "
           "--size=2M --bs=4k --verify=crc32c --direct=1 --ioengine=psync")
    with recorded() as trace:
        sh("vdpa_unbind v0")
    equal(f"{when}: unbind", transcript(trace), script(DRAIN, owner="kernel"))
    nobody_owns(when)


def nobody_owns(when):
    equal(f"{when}: then nobody owns it", (vdpa_read("v0", "owner"), vdpa_read("v0", "state"),
          bus_master("net0"), interrupts("net0")), ("none", "blocked", False, []))


def user_owns(when):
    node = user_node("v0")
    with recorded() as trace, Device(node) as dev:
        dev.start()
        mem = Memory(1 << 20).map(dev, 0x100000)
        ok(f"{when}: nobody owns an open device", vdpa_read("v0", "owner") == "none")
        dev.negotiate(USUAL)
        for index in range(2):
            SplitQueue(dev, index, 64, mem).enable()
        equal(f"{when}: nor a negotiated one", (vdpa_read("v0", "owner"), bus_master("net0")),
              ("none", False))
        dev.run()
        equal(f"{when}: DRIVER_OK is what makes the owner",
              (vdpa_read("v0", "owner"), bus_master("net0"), interrupts("net0")),
              ("user", True, ["config", "vq0", "vq1"]))
        equal(f"{when}: from open to DRIVER_OK", transcript(trace),
              script(NEGOTIATION, GRANT, owner="user"))
    equal(f"{when}: from open to close", transcript(trace),
          script(NEGOTIATION, GRANT, DRAIN, owner="user"))
    nobody_owns(when)
    with case(f"{when}: net works"):
        exercise(node)
    with case(f"{when}: blk works"):
        exercise(user_node("v1"))


def main():
    ktap_start(24)
    if IOMMU == "virtio":
        # There is no interrupt remapping beside it.
        expect_log("Setting dangerous option allow_unsafe_interrupts - tainting kernel")
        sh("baton_reload allow_unsafe_interrupts=1")
    (TRACING / "kprobe_events").write_text(WITNESSES)
    sh("bind_baton net0; vdpa_add v0 net0; bind_baton blk0; vdpa_add v1 blk0")

    kernel_owns("kernel")
    user_owns("user")
    kernel_owns("kernel again")
    ktap_finish()


main()
