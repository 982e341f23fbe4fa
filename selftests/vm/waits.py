#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C11.2, nobody waits for a driver of the kernel's that waits itself: a SCSI disk's for a request that its function
# does not answer, 9p's until its file system is unmounted. "vdpa dev del" returns in time, and so does the next "vdpa";
# what is left of the device goes when its driver lets go, and the function has another one meanwhile. (Disks of
# virtio_blk: vanished.py.)
#
#   scsi0 --- baton_pci (built with BATON_FAULTS) --- v0, v1 --- virtio_vdpa --- a reader
#   ninep0 -- baton_pci (the same) ------------------ v2, v3 --- virtio_vdpa --- a mount
#
# topology: classes
# timeout: 120
from carries import MNT, child, left_out
from faulty import fault
from lib import *

DISK = "host*/target*/*/block/*"
STUCK = 2                       # seconds: what a driver that waits is given


def in_time(command):
    took, answered, _ = timed(command, command)
    assert took < (STUCK + 4) * SLOWER and answered < 3 * SLOWER, (took, answered)


def scsi_waits():
    """Its request queue is not looked at: 0 and 1 are for control and events."""
    disk = child("scsi0", DISK).name
    fault("scsi0", queue=2, deaf=1)
    reader = reads_in_vain(disk)
    in_time("vdpa dev del v0")
    assert not os.waitpid(reader, os.WNOHANG)[0], "was answered"
    assert vdpa_read("v0", "state") == "dead"
    fault(deaf=0)
    return disk


def reads():
    return (MNT / "vm/lib.sh").read_bytes() == (HERE / "lib.sh").read_bytes()


def mount():
    sh(f"mount -t 9p -o trans=virtio,version=9p2000.L,ro ninep0 {MNT}")
    assert reads()


def ninep_waits():
    mount()
    in_time("vdpa dev del v2")
    assert vdpa_read("v2", "state") == "dead"
    with fails_with(errno.EIO):
        reads()
    # The driver lets go, and with it the device goes.
    sh(f"umount {MNT}")
    wait_for(lambda: not (VDPA / "v2").exists(), 10)


ktap_start(4)
expect_log("built with BATON_FAULTS|has left vDPA device v[02], whose driver waits|no longer broken|"
           "was reset under its consumer|9p_virtio_remove: waiting|p9_virtio_remove: waiting|closed at last")
# One driver is to hang, and does so until the VM's end.
pathlib.Path("/proc/sys/kernel/hung_task_timeout_secs").write_text("0")
MNT.mkdir(exist_ok=True)
sh("BATON_MODULES=faults baton_reload")
if why := left_out("scsi0"):
    skip("scsi", why)
    skip("scsi", why)
else:
    sh("bind_baton scsi0; vdpa_add v0 scsi0; vdpa_bind v0 virtio_vdpa")
    with case("scsi: a request is not answered, and nobody waits for its driver"):
        left = scsi_waits()
    with case("scsi: the function has another device"):
        sh("vdpa_add v1 scsi0; vdpa_bind v1 virtio_vdpa")
        sh(f"disk_works /dev/{child('scsi0', DISK, left).name}")
with case("9p: mounted, and nobody waits until it is not"):
    sh("bind_baton ninep0; vdpa_add v2 ninep0; vdpa_bind v2 virtio_vdpa")
    ninep_waits()
with case("9p: the function has another device"):
    sh("vdpa_add v3 ninep0; vdpa_bind v3 virtio_vdpa")
    mount()
    sh(f"umount {MNT}")
ktap_finish()
