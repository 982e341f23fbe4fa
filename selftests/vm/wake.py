#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C3.6, the system sleeps, and the kernel's drivers of every class go on when it is awake: those that can step aside
# have lost nothing, 9p's is bound anew.
#
#   net0 blk0 scsi0 rng0 crypto0 console0 ninep0 --- baton_pci --- virtio_vdpa --- their drivers
#
# topology: classes
# timeout: 240
# init: memory
import platform

from carries import KERNEL, left_out
from lib import *
from power import drivers, sleep

NAMES = [name for name in KERNEL if name in (BATON_RUN / "functions").read_text() and not left_out(name)]

ktap_start(2 * len(NAMES) + 1)
expect_log("was reset under its consumer .kernel.|has failed under the kernel's driver, or asks|"
           "its virtio driver was bound anew, and goes on|PM: |done.$|virtio.*PM: |virtio_crypto|virtcrypto")
for name in NAMES:
    with case(f"{name}: works"):
        sh(f"bind_baton {name}; vdpa_add {name} {name}; vdpa_bind {name} virtio_vdpa")
        KERNEL[name](name)
with case("the system sleeps, and wakes up"):
    sleep(drivers)
for name in NAMES:
    # By virtio-pci neither: its driver waits until the host has opened a port that it has open.
    if name == "console0" and platform.release().startswith("7."):
        skip(f"{name}: works again", "after a restore 7.3's virtio_console waits for ever to write")
        continue
    with case(f"{name}: works again"):
        wait_for(lambda: stands(name, name) == ("kernel", "kernel", True), 10)
        KERNEL[name](name)
        assert interrupt_count(name), "no interrupt of ours came"
ktap_finish()
