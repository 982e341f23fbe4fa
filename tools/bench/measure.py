# SPDX-License-Identifier: GPL-2.0-only
"""What things cost, measured in a VM that counts instructions (tools/lab/vm --icount).

Each function returns {figure: instructions}. The driver under test is baton_pci, or the one that
BATON_DRIVER names. tools/bench/client.c does what is done by system calls on a vhost-vdpa node.
"""

import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, "/baton/selftests/vm")
from lib import TRACING, VDPA, function, note, sh, user_node, vdpa_bind, wait_for     # noqa: E402
from netlink import Vdpa        # noqa: E402

BATON = os.environ.get("BATON_DRIVER", "baton_pci") == "baton_pci"
CLIENT = f"/baton/build/{pathlib.Path('/run/baton/kernel').read_text().split()[0]}/bench-client"
PEERS = pathlib.Path("/baton/build/bench/peers")
# Queues of the functions of topology `bench` that are brought up and reset.
QUEUES = {"net0": 2, "blk0": 2, "blk1": 8, "blk2": 64}


def take():
    """All functions of the topology."""
    if not BATON:
        sh(f"modprobe virtio_pci_modern_dev; insmod {PEERS}/vp_vdpa.ko")
    for name in QUEUES:
        sh(f"bind_baton {name}")
    return list(QUEUES)


def simulate():
    """The simulator, which has no hardware at all: what is left is vhost_vdpa's. It is to take
    maps one by one, and any number of them, as the others do: else it copies all at each new one."""
    sh(f"insmod {PEERS}/vringh.ko; insmod {PEERS}/vdpa_sim.ko use_va=0 batch_mapping=0 "
       f"max_iotlb_entries=2000000; insmod {PEERS}/vdpa_sim_net.ko")
    sh("vdpa dev add name sim0 mgmtdev vdpasim_net")
    return ["sim0"]


def now():
    """The count of instructions: CLOCK_MONOTONIC_RAW is the time stamp counter's."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


def client(*args):
    """Run it; {figure: smallest sample}: what disturbs, such as a timer tick, only adds."""
    out = subprocess.run([CLIENT, *map(str, args)], text=True, stdout=subprocess.PIPE,
                         check=True).stdout
    note(f"client {' '.join(map(str, args))}: {' | '.join(out.splitlines())}")
    return {words[0]: int(words[min(2, len(words) - 1)])
            for words in map(str.split, out.splitlines())}


def unlimited_maps():
    """vhost_vdpa takes 2048 chunks in an address space unless told otherwise."""
    sh("modprobe -r vhost_vdpa && modprobe vhost_vdpa max_iotlb_entries=2147483647")


def calls(device):
    return client(user_node(device), "calls")


def opens(device):
    return client(user_node(device), "open")


def cycle(device):
    queues = QUEUES[device]
    return {f"{device} {queues} queues, {what}": value
            for what, value in client(user_node(device), "cycle", queues).items()}


def maps(device, how, kind, mebibytes):
    """Per map and unmap: in all, and for each chunk that vhost_vdpa hands on."""
    if kind == "2m":
        pathlib.Path("/proc/sys/vm/nr_hugepages").write_text(str(min(mebibytes, 1024) // 2))
    got = client(user_node(device), how, kind, mebibytes)
    if kind == "2m":
        pathlib.Path("/proc/sys/vm/nr_hugepages").write_text("0")
    return {f"{how} {kind} {mebibytes} MiB, {what}": got[what] for what in ("map", "unmap")} | \
        {f"{how} {kind} {mebibytes} MiB, chunks": got["chunks"]}


def add_del(name):
    """A vDPA device is made and goes, by netlink; the quickest of five times."""
    vdpa, address, found = Vdpa(), function(name), {"dev add": [], "dev del": []}
    for _ in range(5):
        for what, command, args in (("dev add", vdpa.add, ("x0", address)),
                                    ("dev del", vdpa.delete, ("x0",))):
            begin = now()
            command(*args)
            found[what].append(now() - begin)
    return {what: min(times) for what, times in found.items()}


class Clock:
    """baton's tracepoints with the count of instructions at each."""

    def __enter__(self):
        (TRACING / "set_event").write_text("")
        (TRACING / "trace_clock").write_text("x86-tsc")
        (TRACING / "trace").write_text("")
        (TRACING / "set_event").write_text("baton:baton_owner baton:baton_step")
        return self

    def __exit__(self, *_):
        (TRACING / "set_event").write_text("")
        text = (TRACING / "trace").read_text()
        self.events = [(int(at), event, what) for at, event, what in re.findall(
            r"^ *\S.*? (\d+): (\w+): \S+ (.*)$", text, re.M)]


def handover(device):
    """Kernel, user, kernel: what each command takes, and each step of baton's from the one before."""
    vdpa_bind(device, "virtio_vdpa")
    override, probe = VDPA / device / "driver_override", VDPA.parent / "drivers_probe"
    found = {}

    def timed(what, path, value):
        begin = now()
        path.write_text(value)
        found[f"handover, {what}"] = now() - begin

    if BATON:
        clock = Clock()
        clock.__enter__()
    timed("unbind virtio_vdpa", VDPA / device / "driver/unbind", device)
    override.write_text("vhost_vdpa")
    timed("bind vhost_vdpa", probe, device)
    node = f"/dev/{next((VDPA / device).glob('vhost-vdpa-*')).name}"
    wait_for(lambda: os.path.exists(node))
    client(node, "cycle", QUEUES[device])
    timed("unbind vhost_vdpa", VDPA / device / "driver/unbind", device)
    override.write_text("virtio_vdpa")
    timed("bind virtio_vdpa", probe, device)
    if BATON:
        clock.__exit__()
        found |= steps(clock.events)
    (VDPA / device / "driver/unbind").write_text(device)
    return found


def steps(events):
    """The last of each grant's and each drain's steps, by owner; the kernel is the first to go."""
    found, before, owner = {}, 0, "kernel"
    for at, event, what in events:
        if event == "baton_owner":
            owner = what.rpartition("owner=")[2] if "granting" in what else owner
        else:
            found[f"handover, {owner}, {what.split()[0]}"] = at - before
        before = at
    return found
