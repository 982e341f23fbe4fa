#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C2, owner follows DRIVER_OK; C3, reset; C5, ACCESS_PLATFORM negotiated; C8, nothing is inherited:
# users who do things in the wrong order, or twice, or just stop. Whatever they do, one user at a
# time has the device, none becomes the owner without proper negotiation, and once he is gone, the
# function is blocked, nothing is mapped, and the next one finds it working.
#
#   net0 --- baton_pci --- v0 --- vhost_vdpa --- this process, others
#
# shares: its VM
# topology: net
# timeout: 150
import select
import signal
import stat

from lib import *
from vhost_vdpa import *

IDLE = ("none", "blocked", False, "0", [])


def condition():
    """Owner, state, bus mastering, mapped bytes and interrupts."""
    return *stands(), vdpa_read("v0", "mapped_bytes"), interrupts("net0")


def idle_and_well():
    assert condition() == IDLE, condition()
    exercise(NODE)
    assert condition() == IDLE, condition()


def in_child(what):
    """Do it in another process; return that process's verdict."""
    pid = os.fork()
    if not pid:
        try:
            what()
            os._exit(0)
        except Exception as err:    # it is the parent that reports
            note(repr(err))
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# -- one at a time ----------------------------------------------------------------------------

def two_opens():
    with Device(NODE) as dev:
        net = Net(dev)
        for _ in range(3):
            with fails_with(errno.EBUSY):
                Device(NODE)
            net.arp()
    idle_and_well()


def foreign_owner():
    """Another process that has got hold of the file descriptor."""
    mem = Memory(PAGE)

    def intrude():
        with fails_with(errno.EBUSY):
            dev.set_owner()
        with fails_with(errno.EFAULT, errno.EPERM):
            dev.map(0x40000000, PAGE, mem.address)

    with Device(NODE) as dev:
        net = Net(dev)
        before = condition()
        assert in_child(intrude) == 0
        assert condition() == before and before[0] == "user", before
        net.arp()
    idle_and_well()


def no_owner():
    mem = Memory(PAGE)
    with Device(NODE) as dev:
        with fails_with(errno.EFAULT, errno.EPERM, errno.EINVAL):
            dev.map(0x40000000, PAGE, mem.address)
        assert condition() == IDLE, condition()
    idle_and_well()


def bound_elsewhere():
    """A device number from better times, while the kernel has the function."""
    stale = "/dev/stale"
    os.mknod(stale, stat.S_IFCHR | 0o600, os.stat(NODE).st_rdev)
    sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings")
    before = condition()
    with fails_with(errno.ENXIO, errno.ENODEV):
        Device(stale)
    assert condition() == before and before[0] == "kernel", before
    sh("pings")
    assert user_node("v0") == NODE
    idle_and_well()


# -- just gone --------------------------------------------------------------------------------

def close_running():
    """Close without reset, packets in flight."""
    for _ in range(5):
        dev = Device(NODE)
        net = Net(dev)
        net.arp()
        for _ in range(16):
            net.tx.post([(net.mem.iova + net.out, 72, READ)])
        net.tx.kick()
        dev.close()
        assert condition() == IDLE, condition()
    idle_and_well()


def killed(how_far):
    """Killed after so many steps towards DRIVER_OK."""
    def victim():
        dev = Device(NODE)
        mem = Memory(1 << 20)

        def run():
            SplitQueue(dev, 0, 64, mem).enable()
            dev.run()

        steps = [dev.start, lambda: mem.map(dev, 0x100000), lambda: dev.negotiate(USUAL), run]
        for step in steps[:how_far]:
            step()
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(victim) == -signal.SIGKILL
    assert condition() == IDLE, condition()


# -- wrong order ------------------------------------------------------------------------------

def refused(status, prepare):
    """Set this status after that preparation: the user does not become the owner, the hardware does
    not hear of DRIVER_OK, no domain is attached."""
    with Trace("witness", "iommu:attach_device_to_domain") as trace, Device(NODE) as dev:
        dev.start()
        mem = Memory(1 << 20).map(dev, 0x100000)
        prepare(dev)
        SplitQueue(dev, 0, 64, mem).enable()
        dev.set_status(status)
        got = dev.get_status()
        assert got & FAILED and not got & S_DRIVER_OK, f"status {got:#x}"
        assert vdpa_read("v0", "owner") == "none" and not bus_master("net0")
    assert not [event for event in trace.read() if event[0] != "status"], trace.text
    written = [int(line.rpartition("=")[2]) for line in trace.lines("status")]
    assert not [value for value in written if value & S_DRIVER_OK], written
    idle_and_well()


def without_platform(dev):
    with fails_with(errno.EINVAL):
        dev.set_features(VERSION_1)


def nothing_done(dev):
    pass


def mended():
    """After a refusal, reset and do it right: in the same session."""
    with Device(NODE) as dev:
        dev.set_status(DRIVER_OK)
        assert dev.get_status() & FAILED
        dev.reset()
        assert dev.get_status() == 0
        Net(dev).exercise()
    assert condition() == IDLE, condition()


def deleted_while_open():
    """The user is asked to go, the administrator is told of whom, and all is well once he has."""
    with Device(NODE) as dev:
        Net(dev).arp()
        config = os.eventfd(0, os.EFD_CLOEXEC)
        dev.set_config_call(config)
        deletion = subprocess.Popen(["vdpa", "dev", "del", "v0"])
        assert select.select([config], [], [], 5)[0], "no configuration interrupt"
        assert dev.get_status() & NEEDS_RESET, f"status {dev.get_status():#x}"
        assert kernel_log_count(rf"v0 is to go: asked .*, process {os.getpid()}, to close it$")
        assert deletion.wait(5) == 0 and not bus_master("net0")
        assert kernel_log_count("has left vDPA device v0, which is still open")
        assert dev.get_status() & NEEDS_RESET, f"status {dev.get_status():#x}"
    wait_for(lambda: not (VDPA / "v0").exists())
    sh("vdpa_add v0 net0")
    assert user_node("v0")
    idle_and_well()


def main():
    global NODE
    ktap_start(15)
    (TRACING / "kprobe_events").write_text("p:witness/status vp_modern_set_status status=$arg2:u8\n"
                                           "p:witness/master_on pci_set_master\n")
    sh("bind_baton net0; vdpa_add v0 net0")
    NODE = user_node("v0")
    exercise(NODE)

    with case("two opens"):
        two_opens()
    with case("another process cannot become owner, nor map"):
        foreign_owner()
    with case("nobody maps who has not become owner"):
        no_owner()
    with case("open while the kernel has it"):
        bound_elsewhere()

    with case("closed without reset"):
        close_running()
    for how_far, when in enumerate(("opened", "started", "mapped", "negotiated", "running")):
        with case(f"killed when {when}"):
            killed(how_far)
    expect_log("features 0x100000000 lack ACCESS_PLATFORM")
    expect_log("FEATURES_OK refused: features 0x0 lack VERSION_1")
    with case("features without ACCESS_PLATFORM, DRIVER_OK, close, reopen"):
        refused(DRIVER_OK, without_platform)
    with case("DRIVER_OK at once"):
        refused(DRIVER_OK, nothing_done)
    with case("DRIVER_OK without features"):
        refused(ACKNOWLEDGE | DRIVER | S_DRIVER_OK, nothing_done)
    with case("a reset mends it"):
        mended()
    with case("deleted while open"):
        deleted_while_open()
    ktap_finish()


main()
