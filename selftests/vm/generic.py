#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# QEMU's generic vDPA device, which knows no class and has one size for all queues, with guests: a net
# function whose queues have 1024 and 256 entries, and a disk. Both are stopped and go on (C14, C15).
#
#   net1 --- baton_pci --- net1 --- vhost_vdpa --- QEMU (TCG, in this VM) --- SeaBIOS, iPXE
#   blk1 --- baton_pci --- blk1 --- vhost_vdpa --- QEMU (TCG, in this VM) --- SeaBIOS, disk.S
#
# topology: rings@intel-pt
# timeout: 400
from lib import *
from qemu import QEMU, Guest


def stop_and_cont(guest):
    guest.stop_and_cont(5)
    assert "wrong" not in guest.console.read_text(errors="replace")


def boot_sector():
    """Onto the disk, by the kernel."""
    sh("vdpa_bind blk1 virtio_vdpa")
    sh(f"gcc -m32 -nostdlib -Wl,--oformat=binary,-Ttext=0x7c00 -o /tmp/sector {HERE}/disk.S")
    sh("dd if=/tmp/sector of=/dev/$(vdpa_disk blk1) conv=fsync status=none")
    sh("vdpa_bind blk1 vhost_vdpa")


ktap_start(2 * len(QEMU) + 2)
sh("for f in net1 blk1; do bind_baton $f; vdpa_add $f $f; done; vdpa_bind net1 vhost_vdpa")
boot_sector()
for qemu in QEMU:
    # iPXE takes 256 at most, whatever it is offered.
    for size in () if qemu else (256, 1024):
        with case(f"QEMU: boots by network with queue-size={size}, is stopped and continued"), \
                Guest("net1", qemu, generic=f"queue-size={size},romfile=efi-virtio.rom") as net:
            net.goes_on(120)
            stop_and_cont(net)
    with Guest("blk1", qemu, generic="romfile=") as disk:
        with case(f"{qemu}QEMU: boots from the disk"):
            disk.goes_on(120)
        with case(f"{qemu}QEMU: its disk is stopped and continued five times"):
            stop_and_cont(disk)
ktap_finish()
