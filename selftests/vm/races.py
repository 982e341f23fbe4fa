#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# What is read without a lock is meant to be: a function goes from the kernel to users and back, always
# under traffic, while everything that there is to look at is looked at, all the time. KCSAN holds one
# processor up to see whether another one changes what it is about to use; what it finds is in the
# kernel's log, and fails the run.
#
#   net0 --- baton_pci --- v0 --- virtio_vdpa --- packets, then vhost_vdpa --- packets, and so on
#            attributes, configuration and statistics, read by two processes
#
# topology: net
# cpus: 2
# kernels: kcsan
# timeout: 40
import signal

from lib import *
from vhost_vdpa import *

SECONDS = 60


def look_at_attributes():
    files = [os.open(path, os.O_RDONLY) for path in (VDPA / "v0/baton").iterdir()]
    while True:
        for file in files:
            os.pread(file, 256, 0)


def ask_vdpa():
    """Before features are negotiated, some of it is refused."""
    while True:
        for what in ("show v0", "config show v0", "vstats show v0 qidx 0", "vstats show v0 qidx 1"):
            subprocess.run(["vdpa", "dev", *what.split()], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)


def background(what):
    pid = os.fork()
    if not pid:
        what()
    return pid


def watchpoints():
    """How often KCSAN held somebody up. Nothing but baton is compiled for that."""
    text = pathlib.Path("/sys/kernel/debug/kcsan").read_text()
    return int(re.search(r"setup_watchpoints: (\d+)", text)[1])


def turn():
    vdpa_bind("v0", "virtio_vdpa")
    sh("net_up v0; pings")
    exercise(user_node("v0"))


ktap_start(3)
sh("bind_baton net0; vdpa_add v0 net0")
before, turns, end = watchpoints(), 0, time.monotonic() + SECONDS
readers = [background(what) for what in (look_at_attributes, ask_vdpa)]
with case("a function is handed over, and watched"):
    while time.monotonic() < end:
        turn()
        turns += 1
note(f"{turns} turns, {watchpoints() - before} accesses watched")
for pid in readers:
    os.kill(pid, signal.SIGKILL)
ended = [os.waitpid(pid, 0)[1] for pid in readers]
equal("they looked on all the while", ended, [signal.SIGKILL] * len(readers))
ok("there was something to watch", turns > 3 and watchpoints() - before > 1000)
ktap_finish()
