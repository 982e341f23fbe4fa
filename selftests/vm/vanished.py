#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C11.2, nobody waits for a function that is gone from the bus: it is deleted, unbound and removed while the
# kernel's driver of a disk waits for requests that nobody will answer (and so it is for a disk that is there), while a netdev is up and has
# traffic, and while a user has it open. Each returns in time, and so does "vdpa dev show".
#
#   net0 --- baton_pci (built with BATON_FAULTS) --- v0 --- virtio_vdpa --- ping; vhost_vdpa
#   blk0 --- baton_pci (the same) ------------------ v1 --- virtio_vdpa --- a reader; partition scan
#
# topology: hotplug
# not on kasan: a driver that hangs keeps its mappings when the function goes, and DMA_API_DEBUG says so
# cpus: 2
# timeout: 120
from faulty import fault
from lib import *
from vhost_vdpa import *

PCI = pathlib.Path("/sys/bus/pci/devices")
WELL = {"ones": 0, "absent": 0, "deaf": 0, "queue": 0xffffffff}
GONE = {"ones": 1, "absent": 1}
STUCK = 2                       # seconds: what a driver that hangs is given


def in_time(what, command, bound):
    took, answered, _ = timed(what, command)
    assert took < bound * SLOWER and answered < 3 * SLOWER, (took, answered)


def netdev(how):
    sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings")
    flood = subprocess.Popen(["ping", "-q", "-f", "10.0.2.2"], stdout=subprocess.DEVNULL)
    fault("net0", **GONE)
    try:
        in_time(f"netdev, {how}", how, 4)
        assert not (VDPA / "v0").exists()
    finally:
        flood.kill()
        flood.wait()
        fault(**WELL)
        if (PCI / function("net0") / "driver").exists():
            flr("net0")         # a broken function is whole again
            sh("vdpa_add v0 net0")
        else:
            sh("bind_baton net0; vdpa_add v0 net0")


def user(how):
    with Device(user_node("v0")) as dev:
        Net(dev).arp()
        fault("net0", **GONE)
        in_time(f"user, {how}", how, 4)
        assert dev.get_status() & NEEDS_RESET
    fault(**WELL)
    wait_for(lambda: not (VDPA / "v0").exists())
    sh("bind_baton net0; vdpa_add v0 net0")


@contextlib.contextmanager
def reads(dev):
    """One who waits for a disk that does not answer, and whose driver therefore never returns either."""
    name = sh(f"vdpa_bind {dev} virtio_vdpa; vdpa_disk {dev}")
    # At DRIVER_OK, QEMU's disk rings for itself, and hears it when its main loop gets round to it.
    time.sleep(SLOWER)
    fault("blk0", queue=0, deaf=1)
    pid = reads_in_vain(name)
    yield
    assert os.waitpid(pid, os.WNOHANG) == (0, 0), "was answered"


def disk():
    with reads("v1"):
        fault(**GONE)
        in_time("disk that is gone, deleted", "vdpa dev del v1", STUCK + 4)
    assert vdpa_read("v1", "state") == "dead"
    fault(**WELL)
    flr("blk0")


def deaf_disk():
    """It is there: nobody waits for its driver, and the next has it."""
    sh("vdpa_add v2 blk0")
    with reads("v2"):
        in_time("deaf disk, reset", f"echo 1 >{PCI}/{function('blk0')}/reset", STUCK + 4)
        in_time("deaf disk, deleted", "vdpa dev del v2", STUCK + 4)
    assert vdpa_read("v2", "state") == "dead"
    fault(**WELL)
    sh("vdpa_add v3 blk0")
    exercise(user_node("v3"))
    in_time("disk, its function removed", f"echo 1 >{PCI}/{function('blk0')}/remove", 4)


def main():
    ktap_start(7)
    # virtio_net may or may not have something to send while its function is gone.
    for line in ("built with BATON_FAULTS", "broken: flr failed",
                 r"the function is gone|net eth\d+: Failed to|Failed to add sgs for command vq|"
                 r"Unexpected TXQ .0. queue failure|the hardware's control queue failed .-ENODEV.",
                 "no longer broken", "was reset under its consumer", "the virtio driver waits for requests that are not answered",
                 "has left vDPA device v[12], whose driver waits"):
        expect_log(line)
    # Two drivers are to hang, and do so until the VM's end.
    pathlib.Path("/proc/sys/kernel/hung_task_timeout_secs").write_text("0")
    sh("BATON_MODULES=faults baton_reload; bind_baton net0; bind_baton blk0; vdpa_add v0 net0; vdpa_add v1 blk0")
    unbind = f"echo {function('net0')} >/sys/bus/pci/drivers/baton_pci/unbind"
    for how in "vdpa dev del v0", unbind:
        with case(f"a netdev under traffic, {how.split()[0]}"):
            netdev(how)
    with case("a user"):
        user(unbind)
    with case("a disk that is gone, with a request under way"):
        disk()
    with case("a disk that does not answer"):
        deaf_disk()
    with case("everybody else goes on: kernel"):
        sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings")
    with case("everybody else goes on: user"):
        exercise(user_node("v0"))
    ktap_finish()


main()
