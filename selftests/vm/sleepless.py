#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C3.6, system sleep with kernel drivers that do not step aside. One cannot: its function is taken from it,
# it is bound anew once the system is awake, and works. One refuses: the system stays awake, and nobody has
# lost anything.
#
#   ninep0 --- baton_pci --- v0 --- virtio_vdpa --- 9p, which knows nothing of sleep
#   mem0 ----- baton_pci --- v1 --- virtio_vdpa --- virtio_mem, which refuses: its memory would be lost
#   net0 ----- baton_pci --- v2 --- virtio_vdpa --- ping
#
# topology: sleepless
# timeout: 120
# init: memory
from carries import ninep
from lib import *
from power import drivers, sleep

OWNED = ("kernel", "kernel", True)
ANEW = "its virtio driver was bound anew, and goes on"
# Of the memory device: without PERSISTENT_SUSPEND (bit 2) its driver refuses; on bit 1 the device insists.
FEATURES = 1 << 32 | 1 << 33 | 1 << 1
SIZE = 128 << 20


def cannot():
    before = kernel_log_count(ANEW)
    ninep("ninep0")
    sleep(drivers)
    wait_for(lambda: kernel_log_count(ANEW) == before + 1, 10)
    assert stands("ninep0", "v0") == OWNED, stands("ninep0", "v0")
    ninep("ninep0")
    sh("pings")


def refuses():
    vdpa_bind("v1", "virtio_vdpa")
    sh(f"qmp hmp 'qom-set mem0 requested-size {SIZE}'")
    wait_for(lambda: sh("qmp hmp 'qom-get mem0 size'") == str(SIZE), 20)
    with fails_with(errno.EPERM):
        sleep(drivers)
    assert kernel_log_count("the virtio driver does not let the system sleep: -EPERM")
    assert stands("mem0", "v1") == OWNED, stands("mem0", "v1")
    # Others had stepped aside, or not yet.
    sh("pings")


ktap_start(3)
expect_log("was reset under its consumer .kernel.|has failed under the kernel's driver, or asks|"
           f"{ANEW}|the virtio driver does not let the system sleep|virtio_mem virtio.: |PM: |done.$|"
           "virtio.*PM: ")
sh("bind_baton ninep0; bind_baton mem0; bind_baton net0; "
   f"vdpa_add v0 ninep0; vdpa_add v1 mem0 device_features {FEATURES:#x}; vdpa_add v2 net0; "
   "vdpa_bind v0 virtio_vdpa; vdpa_bind v2 virtio_vdpa; net_up v2; pings")
with case("a driver that knows nothing of sleep is bound anew when the system wakes"):
    cannot()
    # Twice in a minute is no circle, where it was the system that slept.
    cannot()
with case("one that refuses keeps the system awake, and its function"):
    refuses()
with case("without it the system sleeps again, and all go on"):
    sh("vdpa_unbind v1")
    sleep(drivers)
    sh("pings")
ktap_finish()
