#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C16, a PF and its VFs: VFs come, go and change drivers in any order, their PF on baton; each has an owner
# of its own, and vDPA devices are made and deleted of one without the others noticing. Whatever resets
# the PF tells the owners of its VFs as well, if the PF is another driver's within a second or two. VFs
# are not taken from their owners by taking the PF: it is refused. With the PF they go, and their users
# are waited for no longer than if there were one (C11). And what the SR-IOV network operator and govdpa
# do, step by step; and "baton apply".
#
#   net0 (PF) --- root port --- baton_pci --- p0 --- a user, or nobody
#    +- vf0 ------------------- baton_pci --- v0 --- virtio_vdpa --- ping, or vhost_vdpa --- this process
#    +- vf1 ------------------- baton_pci --- v1 --- vhost_vdpa --- this process
#
# topology: sriov
# timeout: 400
import json
import select
import struct

from faulty import fault
from lib import *
from vhost_vdpa import *

PCI = pathlib.Path("/sys/bus/pci")
PF = PCI / "devices" / function("net0")
PORT = PF.resolve().parent
SR_IOV = 37
# What the PCI core takes to end VFs (a second, asleep); grace, and what a machine without KVM adds.
BOUND = 1.0 + 3.0 * SLOWER
RESET = "was reset under its consumer"
ANEW = f"{function('vf0')}: its virtio driver was bound anew"
FOR_EVER = 0xffffffff


def vf_dir(name):
    return PCI / "devices" / function(name)


def numvfs(number):
    """How long it takes."""
    start = time.monotonic()
    (PF / "sriov_numvfs").write_text(str(number))
    return time.monotonic() - start


def begin():
    """The PF on baton, two VFs on baton, a vDPA device of each."""
    sh("bind_baton net0")
    (PF / "sriov_drivers_autoprobe").write_text("0")
    if (PF / "sriov_numvfs").read_text().strip() != "2":
        numvfs(0)
        numvfs(2)
    sh("bind_baton vf0; bind_baton vf1")
    for name, fn in ("p0", "net0"), ("v0", "vf0"), ("v1", "vf1"):
        if not (VDPA / name).exists():
            sh(f"vdpa_add {name} {fn}")


def kernel_works(name):
    sh(f"vdpa_bind {name} virtio_vdpa; net_up {name}; pings")


def user_works(name):
    with Device(user_node(name)) as dev:
        Net(dev).arp()


def eventfd(dev):
    fd = os.eventfd(0, os.EFD_CLOEXEC)
    dev.set_config_call(fd)
    return fd


def told(fd, seconds=5):
    return bool(select.select([fd], [], [], seconds * SLOWER)[0])


@contextlib.contextmanager
def flood():
    ping = subprocess.Popen(["ping", "-q", "-f", "10.0.2.2"], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        ping.kill()
        ping.wait()


# -- VFs come and go --------------------------------------------------------------------------

def register(offset, value=None):
    """A register of the PF, past its driver: through configuration space (virtio 1.2, 4.1.4.9)."""
    fd = os.open(PF / "config", os.O_RDWR)
    config = os.pread(fd, 256, 0)
    cap = config[0x34]
    while config[cap] != 9 or config[cap + 3] != 5:
        cap = config[cap + 1]
        assert cap, "the PF has no such window"
    # QEMU has the common registers at the beginning of BAR 4.
    os.pwrite(fd, b"\4", cap + 4)
    os.pwrite(fd, struct.pack("<I", offset), cap + 8)
    os.pwrite(fd, struct.pack("<I", 4), cap + 12)
    if value is not None:
        os.pwrite(fd, struct.pack("<I", value), cap + 16)
    got, = struct.unpack("<I", os.pread(fd, 4, cap + 16))
    os.close(fd)
    return got


def negotiated():
    """The upper 32 feature bits that the PF was told."""
    register(8, 1)
    return register(12)


def private():
    """SR_IOV is negotiated, whoever owns the PF, and nobody is offered it."""
    sh("bind_baton net0; vdpa_add p0 net0")
    with Device(user_node("p0")) as dev:
        assert not dev.get_features() >> SR_IOV & 1, f"{dev.get_features():#x}"
        Net(dev).arp()
        assert negotiated() & 1 << SR_IOV - 32 and negotiated() & 1, f"{negotiated():#x}"
    assert numvfs(2) < BOUND
    sh("bind_baton vf0; vdpa_add v0 vf0")
    kernel_works("v0")
    with Device(user_node("v0")) as dev:
        assert not dev.get_features() >> SR_IOV & 1


def come_and_go():
    """In any order, to any driver."""
    begin()
    with fails_with(errno.EBUSY):       # the PCI core: not without going by 0
        numvfs(1)
    for number in 0, 1, 0, 2, 0, 1:
        numvfs(number)
        assert [vf_dir(name).exists() for name in ("vf0", "vf1")] == [number > 0, number > 1]
    numvfs(0)
    numvfs(2)
    for order in (("virtio-pci", "vfio-pci"), ("vfio-pci", "baton_pci"), ("baton_pci", "virtio-pci"),
                  ("vfio-pci", "virtio-pci"), ("baton_pci", "baton_pci")):
        for name, driver in zip(("vf0", "vf1"), order):
            sh(f"fn_bind {name} {driver}")
        for name, driver in zip(("v0", "v1"), order):
            if driver == "baton_pci":
                sh(f"vdpa_add {name} {'vf' + name[1]}")
                user_works(name)
    # Each driver's at once.
    sh("fn_bind vf0 virtio-pci")
    numvfs(0)
    numvfs(1)
    sh("fn_bind vf0 vfio-pci")
    numvfs(0)


def independent():
    """Three owners at once; dev del and add of each leaves the others alone."""
    begin()
    kernel_works("v0")
    with Device(user_node("v1")) as one, Device(user_node("p0")) as pf, flood():
        one_net, pf_net = Net(one), Net(pf)
        sh("vdpa_del v0")
        one_net.arp()
        pf_net.arp()
        sh("vdpa_add v0 vf0")
        kernel_works("v0")
        pf.close()
        sh("vdpa_del p0")
        one_net.arp()
        sh("pings; vdpa_add p0 net0")
        user_works("p0")
        one.close()
        sh("vdpa_del v1; pings")
        user_works("p0")
        sh("vdpa_add v1 vf1")
    user_works("v1")
    assert stands("vf0", "v0") == ("kernel", "kernel", True), stands("vf0", "v0")


# -- the PF is reset --------------------------------------------------------------------------

def reset_under(reset, seconds=5, lost=RESET):
    """vf0 is the kernel's, vf1 a user's, both with traffic; they are told, and can go on."""
    # A new device: its driver may be bound anew.
    sh("vdpa_del v0; vdpa_add v0 vf0")
    kernel_works("v0")
    before = kernel_log_count(rf"{function('vf0')}: ({lost})")
    anew = kernel_log_count(ANEW)
    with Device(user_node("v1")) as dev:
        fd = eventfd(dev)
        Net(dev).arp()
        with flood():
            reset()
            assert told(fd, seconds), "the user was not told"
            wait_for(lambda: kernel_log_count(ANEW) > anew, seconds)
        wait_for(lambda: stands("vf1", "v1") == ("user", "lost", False), seconds)
        assert dev.get_status() == DRIVER_OK | NEEDS_RESET, f"{dev.get_status():#x}"
        assert kernel_log_count(rf"{function('vf0')}: ({lost})") > before
        dev.reset()
        # A port that recovers tells each function below it in turn.
        time.sleep(0.5 * SLOWER)
        dev.reset()
        assert stands("vf1", "v1") == ("none", "blocked", False), stands("vf1", "v1")
    kernel_works("v0")
    user_works("v1")


def reset_idle():
    begin()
    flr("net0")
    for name, fn in ("p0", "net0"), ("v0", "vf0"), ("v1", "vf1"):
        assert stands(fn, name) == ("none", "blocked", False), (name, stands(fn, name))
        user_works(name)


def reset_pf():
    begin()
    reset_under(lambda: flr("net0"))
    user_works("p0")


def reset_vf():
    """A VF's own reset is nobody else's concern."""
    begin()
    kernel_works("v0")
    with Device(user_node("v1")) as dev, Device(user_node("p0")) as pf:
        Net(dev).arp()
        Net(pf).arp()
        flr("vf1")
        assert dev.get_status() & NEEDS_RESET and not pf.get_status() & NEEDS_RESET
        assert stands("net0", "p0") == ("user", "user", True)
        sh("pings")


def reset_subordinate():
    """All below the port, the PF and its VFs, in one go: nobody waits for himself."""
    begin()
    reset_under(lambda: (PORT / "reset_subordinate").write_text("1"))


def reset_stranger():
    """The PF is virtio-pci's, which tells nobody."""
    sh("fn_bind net0 ''; modprobe virtio_net")
    wait_for(lambda: list(PF.glob("virtio*/net/*")))
    numvfs(2)
    sh("bind_baton vf0; bind_baton vf1; vdpa_add v0 vf0; vdpa_add v1 vf1")
    flr("net0")
    user_works("v0")
    user_works("v1")
    start = time.monotonic()
    # virtio_net may find out first, if it has something to say.
    reset_under(lambda: flr("net0"), 8, f"{RESET}|the hardware's control queue failed")
    note(f"told, and all well again, {time.monotonic() - start:.1f} s after")
    # Its own driver does not take sriov_numvfs any more: the reset has made it forget DRIVER_OK.
    sh("fn_bind net0 baton_pci")
    assert not vf_dir("vf0").exists() and not (VDPA / "v0").exists()


def aer(kind):
    def inject():
        seen = kernel_log_count("pcieport .*AER: device recovery successful")
        sh(f"qmp hmp 'pcie_aer_inject_error net0 {kind}'")
        wait_for(lambda: kernel_log_count("pcieport .*AER: device recovery successful") > seen, 20)

    begin()
    reset_under(inject)
    user_works("p0")


def reset_by_force():
    """The PF does not answer a reset, and gets an FLR."""
    sh("BATON_MODULES=faults baton_reload")
    begin()
    fault("net0")

    def force():
        with Device(user_node("p0")) as dev:
            Net(dev).arp()
            fault(reset_ms=FOR_EVER)
        fault(reset_ms=0)

    reset_under(force)
    user_works("p0")


# -- the PF goes ------------------------------------------------------------------------------

ZERO = f"echo 0 >{PF}/sriov_numvfs"
UNBIND = f"echo {function('net0')} >{PCI}/drivers/baton_pci/unbind"
GOES = {"numvfs=0": ZERO, "unbind": UNBIND, "rmmod": "rmmod baton_pci", "remove": f"echo 1 >{PF}/remove"}


def goes_with_users(way):
    """Users of both VFs, and of the PF, who stay."""
    begin()
    names = "v0", "v1", "p0"
    devs = [Device(user_node(name)) for name in names]
    fds = [eventfd(dev) for dev in devs]
    nets = [Net(dev) for dev in devs]
    for net in nets:
        net.arp()
    took, _, shown = timed(GOES[way], GOES[way])
    assert took < BOUND, took
    assert not any(fn.exists() for fn in (vf_dir("vf0"), vf_dir("vf1")))
    gone = names[:2] if way == "numvfs=0" else names
    assert not any(name in shown for name in gone), shown
    for name, dev, fd in zip(gone, devs, fds):
        assert told(fd, 0), f"{name} was not asked"
        assert dev.get_status() & NEEDS_RESET and vdpa_read(name, "state") == "dead", name
        assert vdpa_read(name, "mapped_bytes") == "0"
        assert kernel_log_count(rf"{name} is to go: asked .*, process {os.getpid()}, to close it$")
    if way == "numvfs=0":
        nets[2].arp()
        # The number is free at once, the name when it is closed.
        numvfs(2)
        sh("bind_baton vf0; vdpa_add w0 vf0")
        user_works("w0")
        sh("vdpa_del w0")
    for dev in devs:
        dev.close()
    wait_for(lambda: not any((VDPA / name).exists() for name in gone))
    come_back(way)


def goes_with_kernel(way):
    begin()
    kernel_works("v0")
    with flood():
        took, _, shown = timed(GOES[way], GOES[way])
    assert took < BOUND and "v0" not in shown, (took, shown)
    come_back(way)


def come_back(way):
    if way == "rmmod":
        sh("insmod /baton/build/$(cut -d' ' -f1 \"$BATON_RUN/kernel\")/drivers/vdpa/baton/baton_pci.ko")
    if way == "remove":
        (PCI / "rescan").write_text("1")
    begin()
    kernel_works("v0")
    user_works("v1")


def not_taken():
    """VFs that another driver made, and left: a stub of the kernel's does that."""
    sh("modprobe pci_pf_stub; fn_bind net0 pci-pf-stub")
    numvfs(2)
    sh("bind_baton vf1; vdpa_add v1 vf1")
    with Device(user_node("v1")) as dev:
        net = Net(dev)
        sh_refused("bind_baton net0")
        net.arp()
        assert vf_dir("vf0").exists()
    sh("fn_bind net0 pci-pf-stub")
    numvfs(0)
    begin()
    user_works("v0")


# -- what others do ---------------------------------------------------------------------------

def operator():
    """The SR-IOV network operator makes VFs and vDPA devices, govdpa looks for them."""
    sh("fn_bind net0 baton_pci")
    numvfs(0)
    (PF / "sriov_drivers_autoprobe").write_text("0")
    numvfs(2)
    (PF / "sriov_drivers_autoprobe").write_text("1")
    address = vf_dir("vf1").name
    (vf_dir("vf1") / "driver_override").write_text("baton_pci")
    (PCI / "drivers/baton_pci/bind").write_text(address)
    name = f"vdpa:{address}"
    shown = json.loads(sh(f"vdpa -j mgmtdev show pci/{address}"))["mgmtdev"][f"pci/{address}"]
    assert "net" in shown["supported_classes"], shown
    # More pairs than there are: they do without, if that is what they are told.
    assert "not supported" in sh_refused(f"vdpa dev add name {name} mgmtdev pci/{address} max_vqp 32")
    sh(f"vdpa dev add name {name} mgmtdev pci/{address} mac 02:00:00:00:00:16")
    driver = VDPA / name / "driver"
    if driver.exists():
        (driver / "unbind").write_text(name)
    # As govdpa finds them: the device below its function, its driver, its node or its netdev.
    assert (VDPA / name).resolve().parent == vf_dir("vf1").resolve()
    for consumer in "vhost_vdpa", "virtio_vdpa", "vhost_vdpa":
        (VDPA.parent / "drivers" / consumer / "bind").write_text(name)
        assert driver.resolve().name == consumer
        if consumer == "vhost_vdpa":
            node, = (path.name for path in (VDPA / name).iterdir() if "vhost-vdpa" in path.name)
            with Device(f"/dev/{node}") as dev:
                assert dev.get_config(0, 6) == bytes.fromhex("020000000016")
                Net(dev).arp()
        else:
            virtio, = (path for path in vf_dir("vf1").iterdir() if "virtio" in path.name)
            netdev, = (virtio / "net").iterdir()
            assert (netdev / "address").read_text().strip() == "02:00:00:00:00:16"
        (driver / "unbind").write_text(name)
    sh(f"vdpa dev del {name}")
    (PCI / "drivers/baton_pci/unbind").write_text(address)
    (vf_dir("vf1") / "driver_override").write_text("\n")
    numvfs(0)
    (PF / "sriov_drivers_autoprobe").write_text("0")


def apply():
    """"baton apply" makes the VFs of a PF that is baton's, and tells who would lose them."""
    directory = pathlib.Path("/etc/baton")
    directory.mkdir(exist_ok=True)
    for number in 0, 1:
        (directory / f"a{number}.conf").write_text(
            f"pf = {function('net0')}\nvf = {number}\nvfs = 2\nmac = 02:00:00:00:01:0{number}\n"
            f"owner = {'user' if number else 'kernel'}\n")
    sh("/baton/build/tools/baton apply")
    sh("net_up a0; pings")
    with Device(f"/dev/{next((VDPA / 'a1').glob('vhost-vdpa-*')).name}") as dev:
        assert dev.get_config(0, 6) == bytes.fromhex("020000000101")
        Net(dev).arp()
    assert sh("/baton/build/tools/baton apply") == ""
    sh("vdpa_del a0; vdpa_del a1; rm /etc/baton/a?.conf")
    # Another driver's VFs would go with it.
    sh("modprobe virtio_net; fn_bind net0 ''")
    wait_for(lambda: list(PF.glob("virtio*/net/*")))
    numvfs(2)
    said = sh_refused(f"/baton/build/tools/baton bind {function('net0')}")
    assert "2 VFs" in said and "sriov_numvfs" in said, said
    assert vf_dir("vf0").exists() and (PF / "driver").resolve().name == "virtio-pci"
    numvfs(0)
    sh(f"/baton/build/tools/baton bind {function('net0')}")


def main():
    ktap_start(24)
    # virtio_net may or may not have something to send while its function is lost.
    expect_log(f"{ANEW}|has failed under the kernel's driver|failed under the kernel's driver again")
    expect_log(rf"{RESET} .(kernel|user).|Unexpected TXQ .0. queue failure|Failed to|the hardware's control queue failed|queue 0 timed out|"
               "TX timeout on queue|net_ratelimit")
    expect_log("AER: |PCIe Bus Error|virtio.*error|device .*error status|   \\[ *[0-9]+\\]|broadcast .* message")
    expect_log("has 2 VFs, which another driver made|driver left SR-IOV enabled|"
               "probe with driver baton_pci failed with error -16")
    expect_log("2 VFs already enabled. Disable before enabling 1")
    expect_log("max_vqp 32 refused: the limit of this function is 1")
    sh("modprobe vfio-pci")
    before = pinned(), faults()
    with case("SR_IOV is negotiated privately, and VFs work"):
        private()
    with case("VFs come, go and change drivers in any order"):
        come_and_go()
    with case("three owners, and vDPA devices that are deleted and added, each on its own"):
        independent()
    with case("the PF is reset, and nobody owns a VF"):
        reset_idle()
    with case("the PF is reset under the owners of its VFs"):
        reset_pf()
    with case("a VF is reset, and no other owner hears of it"):
        reset_vf()
    name = "all below the port is reset"
    if (PORT / "reset_subordinate").exists():
        with case(name):
            reset_subordinate()
    else:
        skip(name, "this kernel has no reset_subordinate")
    with case("an error of the PF that is not fatal"):
        aer("COMP_ABORT")
    with case("a fatal error of the PF"):
        aer("DLP")
    for way in GOES:
        with case(f"{way}: users who stay"):
            goes_with_users(way)
        with case(f"{way}: a netdev under traffic"):
            goes_with_kernel(way)
    with case("a PF with VFs of another driver's is not taken"):
        not_taken()
    with case("what the SR-IOV network operator and govdpa do"):
        operator()
    with case("baton apply makes VFs, and baton bind leaves those of others"):
        apply()
    with case("the PF is virtio-pci's, and is reset under the owners of its VFs"):
        reset_stranger()
    with case("it all works"):
        begin()
        kernel_works("v0")
        exercise(user_node("v1"))
    numvfs(0)
    sh("unbind net0")
    equal("nothing stays pinned, no fault was recorded", (pinned(), faults()), before)
    expect_log("built with BATON_FAULTS")
    expect_log("no answer to reset|had to be reset by force|reset with transactions pending")
    with case("the PF is reset by force under the owners of its VFs"):
        reset_by_force()
    ktap_finish()


main()
