#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C11.2, nobody waits for a function that is gone from the bus: it is deleted, unbound and removed while the
# kernel's driver of a disk waits for requests that nobody will answer, while a netdev is up and has
# traffic, and while a user has it open. Each returns in time, and so does "vdpa dev show".
#
#   net0 --- baton_pci (built with BATON_FAULTS) --- v0 --- virtio_vdpa --- ping; vhost_vdpa
#   blk0 --- baton_pci (the same) ------------------ v1 --- virtio_vdpa --- a reader; partition scan
#
# topology: hotplug
# cpus: 2
# timeout: 120
from lib import *
from vhost_vdpa import *

FAULTS = pathlib.Path("/sys/kernel/debug/baton_faults")
PCI = pathlib.Path("/sys/bus/pci/devices")
WELL = {"ones": 0, "absent": 0, "deaf": 0, "queue": 0xffffffff}
GONE = {"ones": 1, "absent": 1}
STUCK = 3                       # seconds: what a driver that hangs is given


def fault(name=None, **values):
    if name:
        (FAULTS / "function").write_text(function(name))
    for key, value in values.items():
        (FAULTS / key).write_text(str(value))


def timed(what, command, bound):
    start = time.monotonic()
    subprocess.run(["bash", "-c", f". {HERE}/lib.sh; {command}"], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)
    took = time.monotonic() - start
    start = time.monotonic()
    subprocess.run(["vdpa", "dev", "show"], stdout=subprocess.DEVNULL, check=True, timeout=20)
    answered = time.monotonic() - start
    note(f"{what}: returned after {took * 1000:.0f} ms, vdpa dev show in {answered * 1000:.0f} ms")
    assert took < bound * SLOWER and answered < 3 * SLOWER, (took, answered)


def netdev(how):
    sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings")
    flood = subprocess.Popen(["ping", "-q", "-f", "10.0.2.2"], stdout=subprocess.DEVNULL)
    fault("net0", **GONE)
    try:
        timed(f"netdev, {how}", how, 4)
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
        timed(f"user, {how}", how, 4)
        assert dev.get_status() & NEEDS_RESET
    fault(**WELL)
    wait_for(lambda: not (VDPA / "v0").exists())
    sh("bind_baton net0; vdpa_add v0 net0")


def disk(how):
    """The reader never returns, nor does the driver; nothing else waits."""
    name = sh("vdpa_bind v1 virtio_vdpa; vdpa_disk v1")
    cpu = int(pathlib.Path(f"/sys/block/{name}/mq/0/cpu_list").read_text().split(",")[0])
    fault("blk0", queue=0, deaf=1)
    with open(f"/dev/{name}", "rb") as stream:
        pid = os.fork()
        if not pid:
            os.sched_setaffinity(0, {cpu})
            stream.seek(1 << 20)
            stream.read(4096)
            os._exit(0)
    time.sleep(0.5)
    fault(**GONE)
    timed(f"disk with a request under way, {how}", how, STUCK + 4)
    assert os.waitpid(pid, os.WNOHANG) == (0, 0), "was not under way"
    timed("disk, its function removed", f"echo 1 >{PCI}/{function('blk0')}/remove", 4)
    assert vdpa_read("v1", "state") == "dead"
    fault(**WELL)


def main():
    ktap_start(6)
    # virtio_net may or may not have something to send while its function is gone.
    for line in ("built with BATON_FAULTS", "broken: flr failed",
                 r"the function is gone|net eth\d+: Failed to|Failed to add sgs for command vq|"
                 r"Unexpected TXQ .0. queue failure|the hardware's control queue failed .-ENODEV.",
                 "no longer broken|has left vDPA device v1, whose driver waits"):
        expect_log(line)
    sh("BATON_MODULES=faults baton_reload; bind_baton net0; bind_baton blk0; vdpa_add v0 net0; vdpa_add v1 blk0")
    unbind = f"echo {function('net0')} >/sys/bus/pci/drivers/baton_pci/unbind"
    for how in "vdpa dev del v0", unbind:
        with case(f"a netdev under traffic, {how.split()[0]}"):
            netdev(how)
    with case("a user"):
        user(unbind)
    with case("a disk with a request under way"):
        disk("vdpa dev del v1")
    with case("everybody else goes on: kernel"):
        sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings")
    with case("everybody else goes on: user"):
        exercise(user_node("v0"))
    ktap_finish()


main()
