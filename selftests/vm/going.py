#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C11, nobody waits for a user: a function goes in each of the ways in which one can, while a user has
# it open and runs. Whoever takes it away returns within a second, and so does "vdpa dev show". The
# user keeps a device that has died: its configuration can be read, its status says NEEDS_RESET,
# nothing can be mapped, no doorbell reaches anybody. When he closes, everything is freed, and the name
# with it. A user who closes when he is asked to has had his grace; who has closed before is not waited for.
#
#   net0 --- root port --- baton_pci --- v0 --- vhost_vdpa --- this process, or nobody; virtio_vdpa
#
# Times are printed: from the trigger to its return, and of "vdpa dev show" after it, with what it takes
# to start a program here.
#
# shares: its VM
# topology: hotplug
# timeout: 240
import select
import signal
import socket
import threading

from lib import *
from uevents import Uevents
from vhost_vdpa import *

PCI = pathlib.Path("/sys/bus/pci")
ADDRESS = function("net0")
DIR = PCI / "devices" / ADDRESS
# A second, and what a machine without KVM that is busy with other tests adds to it.
BOUND = 3.0 * SLOWER
MAC = bytes.fromhex("5254006e0000")


def plug():
    """What "unplug" took."""
    sh("qmp hmp 'device_add virtio-net-pci,id=net0,bus=rp0,addr=0x0,netdev=net0-be,"
       "mac=52:54:00:6e:00:00,disable-legacy=on,iommu_platform=on,aer=on'")
    wait_for(DIR.exists, 20)


# How it goes, whether the call itself is what must return, and how it comes back.
WAYS = {
    "vdpa dev del": ("vdpa dev del v0", True, ""),
    "unbind": (f"echo {ADDRESS} >/sys/bus/pci/drivers/baton_pci/unbind", True, "bind_baton net0"),
    "rmmod": ("rmmod baton_pci", True, None),
    "remove": (f"echo 1 >{DIR}/remove", True, "echo 1 >/sys/bus/pci/rescan; bind_baton net0"),
    "unplug": ("qmp device_del id=net0", False, "bind_baton net0"),
}


def take(way, owner):
    """Take the function away, in time."""
    command, returns, _ = WAYS[way]
    # The slot's button is pressed, and may be pressed again for five seconds.
    gone = None if returns else lambda: not DIR.exists()
    took, answered, shown = timed(f"{way}, {owner}", command, 30, gone)
    assert took < BOUND + (0 if returns else 6 * SLOWER) and answered < BOUND, (took, answered)
    assert "v0" not in shown, shown


def begin():
    """Each case begins with a function of which v0 is made, whatever became of the last."""
    if not (VDPA / "v0").exists():
        if not DIR.exists():
            (PCI / "rescan").write_text("1")
        if not DIR.exists():
            plug()
        if not (PCI / "drivers/baton_pci").exists():
            come_back("rmmod")
        else:
            sh("bind_baton net0; vdpa_add v0 net0")
    return user_node("v0")


def come_back(way):
    """The function again, and its vDPA device; it works."""
    back = WAYS[way][2]
    if back is None:
        sh("insmod /baton/build/$(cut -d' ' -f1 \"$BATON_RUN/kernel\")/drivers/vdpa/baton/baton_pci.ko")
        back = "bind_baton net0"
    if way == "unplug":
        plug()
    sh(back or "true")
    assert not bus_master("net0")
    sh("vdpa_add v0 net0")


def dead(dev, net):
    """What is left to a user whose function has gone."""
    assert dev.get_status() & NEEDS_RESET, f"status {dev.get_status():#x}"
    assert dev.get_config(0, 6) == MAC
    assert dev.get_device_id() == NET
    for queue in net.rx, net.tx:
        queue.kick()
    more = Memory(1 << 16)
    with fails_with(errno.EFAULT, errno.EPERM):
        more.map(dev, 0x40000000)
    with fails_with(errno.ENODEV):
        dev.reset()
    assert dev.get_status() & NEEDS_RESET, f"status {dev.get_status():#x}"
    with fails_with(errno.EINVAL):      # vhost_vdpa: no bit may go but by reset
        dev.set_status(ACKNOWLEDGE | DRIVER)
    dev.set_features(USUAL)
    dev.set_status(NEEDS_RESET | FEATURES_OK)
    dev.set_status(NEEDS_RESET | DRIVER_OK)
    assert not dev.get_status() & S_DRIVER_OK and dev.get_status() & FAILED, f"{dev.get_status():#x}"
    assert dev.get_config(0, 6) == MAC
    net.tx.kick()
    assert net.tx.used() is None


def stays(way):
    """The user does not go when asked to."""
    with Device(begin()) as dev:
        net = Net(dev)
        net.arp()
        told = os.eventfd(0, os.EFD_CLOEXEC)
        dev.set_config_call(told)
        asked = kernel_log_count(rf"v0 is to go: asked .*, process {os.getpid()}, to close it$")
        uevents = Uevents()
        take(way, "user who stays")
        for event in "leave", "gone":
            assert uevents.came(BATON_EVENT=event), (event, uevents.seen)
        assert select.select([told], [], [], 0)[0], "was not asked"
        assert vdpa_read("v0", "state") == "dead" and vdpa_read("v0", "owner") == "none"
        assert vdpa_read("v0", "mapped_bytes") == "0"
        assert kernel_log_count(rf"v0 is to go: asked .*, process {os.getpid()}, to close it$") > asked
        assert not list(pathlib.Path("/dev").glob("vhost-vdpa-*")), "can still be opened"
        assert (VDPA / "v0").resolve() == pathlib.Path("/sys/devices/baton/v0")
        if DIR.exists():
            assert not bus_master("net0")
        dead(dev, net)
        if way == "vdpa dev del":
            # The function is free, but the name is not.
            assert "File exists" in sh_refused("vdpa_add v0 net0")
            sh("vdpa_add v1 net0; vdpa_bind v1 virtio_vdpa; net_up v1; pings; vdpa_del v1")
            dead(dev, net)
        if way == "rmmod":
            assert "in use" in sh_refused("rmmod baton")
    wait_for(lambda: not (VDPA / "v0").exists())
    come_back(way)


def closes(way):
    """The user closes when asked to."""
    dev = Device(begin())
    Net(dev).arp()
    told = os.eventfd(0, os.EFD_CLOEXEC)
    dev.set_config_call(told)

    def obey():
        select.select([told], [], [], 20)
        dev.close()

    user = threading.Thread(target=obey)
    user.start()
    take(way, "user who closes when asked")
    user.join()
    assert not (VDPA / "v0").exists()
    come_back(way)


def nobody(way, consumer):
    node = begin()
    if consumer == "vhost_vdpa":
        exercise(node)
    else:
        sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings")
    take(way, consumer)
    assert not (VDPA / "v0").exists()
    come_back(way)


def passed_on(way):
    """Who opened it has given it to another process, as libvirt does, and closed it: that one is named."""
    node = begin()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if not pid:
        fds = socket.recv_fds(theirs, 1, 1)[1]
        os.write(theirs.fileno(), b"." * len(fds))
        signal.pause()
    dev = Device(node)
    socket.send_fds(ours, [b"."], [dev.fd])
    dev.close()
    assert ours.recv(1)
    took = time.monotonic()
    take(way, "user who was given it")
    note(f"{time.monotonic() - took:.1f} s")
    asked = kernel_log_count(rf"v0 is to go: asked .*, process {pid}, to close it$")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert asked, "somebody else was named"
    wait_for(lambda: not (VDPA / "v0").exists())
    come_back(way)


def killed(way):
    """The user is killed while he has a dead device."""
    node = begin()
    here, there = os.pipe()
    pid = os.fork()
    if not pid:
        Net(Device(node)).arp()
        os.write(there, b".")
        signal.pause()
    assert os.read(here, 1)
    take(way, "user who is killed later")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    wait_for(lambda: not (VDPA / "v0").exists())
    come_back(way)


def main():
    ktap_start(4 * len(WAYS) + 4)
    expect_log("refused: the function is dead and has to be reset first|"
               "DRIVER_OK refused: function dead|cannot register vDPA device v0: -EEXIST, perhaps")
    sh("bind_baton net0; vdpa_add v0 net0")
    exercise(user_node("v0"))
    before = pinned(), faults()
    for way in WAYS:
        with case(f"{way}: a user who stays"):
            stays(way)
        with case(f"{way}: a user who closes when asked to"):
            closes(way)
        for consumer in "vhost_vdpa", "virtio_vdpa":
            with case(f"{way}: {consumer}, and no user"):
                nobody(way, consumer)
    with case("a user who is killed later"):
        killed("vdpa dev del")
    with case("a user who was given it by the one who opened it is named"):
        passed_on("vdpa dev del")
    with case("then it works for users"):
        exercise(begin())
    equal("nothing stays pinned, no fault was recorded", (pinned(), faults()), before)
    ktap_finish()


main()
