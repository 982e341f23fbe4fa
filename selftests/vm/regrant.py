#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C2, owner follows DRIVER_OK, and C5, ACCESS_PLATFORM negotiated: once the hardware has been reset
# under a consumer, DRIVER_OK needs a new negotiation. Otherwise the function would run without any
# features, ACCESS_PLATFORM among them. What was written to the hardware is told by a probe.
#
#   net0 --- baton_pci --- v0 --- vhost_vdpa --- this process
#
# shares: its VM
# topology: hotplug
# timeout: 120
from lib import *
from vhost_vdpa import *

STATUS = "p:witness/status vp_modern_set_status status=$arg2:u8\n"


def written(trace):
    """The device status as it was written to the hardware, since the trace began."""
    return [int(text.rpartition("=")[2]) for event, text in trace.read() if event == "status"]


def main():
    ktap_start(7)
    (TRACING / "kprobe_events").write_text(STATUS)
    expect_log("queue 0 cannot run, wrong alignment")
    expect_log("DRIVER_OK refused: the function was reset since FEATURES_OK")
    expect_log("was reset under its consumer .user.")
    sh("bind_baton net0; vdpa_add v0 net0")

    with Device(user_node("v0")) as dev:
        dev.start()
        mem = Memory(1 << 20).map(dev, 0x100000)
        dev.negotiate(USUAL)
        queue = SplitQueue(dev, 0, 64, mem)
        dev.set_vring_addr(0, 0x100001, 0x101000, 0x102000)
        dev.set_vring_enable(0)
        dev.set_status(DRIVER_OK)
        equal("a queue that cannot run: refused", dev.get_status(), FEATURES_OK | FAILED)

        with Trace("witness") as trace:
            dev.set_vring_addr(0, queue.desc, queue.driver, queue.device)
            dev.set_status(DRIVER_OK | FAILED)
            equal("the queue mended: still refused", dev.get_status(), FEATURES_OK | FAILED)
            equal("and nothing is written to the hardware", written(trace), [])
        equal("nobody owns it", stands(), ("none", "blocked", False))

        dev.reset()
        dev.negotiate(USUAL)
        flr("net0")
        ok("a reset by others after FEATURES_OK: told", dev.get_status() & NEEDS_RESET)
        dev.set_status(DRIVER_OK | NEEDS_RESET)
        ok("DRIVER_OK is refused", dev.get_status() & FAILED and vdpa_read("v0", "owner") == "none")

    with case("the next user finds it well"):
        exercise(user_node("v0"))
    ktap_finish()


main()
