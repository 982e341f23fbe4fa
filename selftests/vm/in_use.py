#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# baton(8) tears nothing away from who uses it, whoever has the function: a SCSI adapter's disk, which is
# further down than others; a disk of virtio-pci's, that `baton bind`, `add`, `apply` and the suite for real
# hardware would take the function from. With --force it goes on, and is done in time.
#
#   blk0, scsi0 --- virtio-pci, or baton_pci --- b0, s0 --- virtio_vdpa --- ext4
#
# shares: its VM
# topology: classes
# not on kasan: its SCSI driver is left out there: see tools/lab/vm
# timeout: 120
import json

from administrator import *
from lib import *

blk, scsi = function("blk0"), function("scsi0")


def mount(disk):
    sh(f"mkfs.ext4 -q -O ^has_journal /dev/{disk}; mkdir -p /tmp/m; mount -o ro /dev/{disk} /tmp/m")


ktap_start(7)
# What a file system says whose disk goes.
expect_log("shut down requested")

with case("a disk of virtio-pci's that is mounted is not taken"):
    disk = sh("basename $(fn_dir blk0)/virtio*/block/*")
    mount(disk)
    for command in (f"bind {blk}", f"add b0 {blk}"):
        assert f"{disk} is mounted on /tmp/m" in baton(command, IN_USE)
    pathlib.Path("/tmp/b0.conf").write_text(f"function = {blk}\nowner = kernel\n")
    assert f"{disk} is mounted on /tmp/m" in baton("apply /tmp/b0.conf", IN_USE)
    assert sh("fn_driver blk0") == "virtio-pci"
with case("nor does the suite for real hardware try it"):
    suite = subprocess.run(["/baton/selftests/qualify", blk], env={**os.environ, "BATON": TOOL},
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert suite.returncode == 4 and "# SKIP" in suite.stdout and "is mounted" in suite.stdout, suite
    assert sh("fn_driver blk0") == "virtio-pci"
with case("with --force it is"):
    baton(f"bind {blk} --force")
    assert sh("fn_driver blk0") == "baton_pci"
    sh("umount /tmp/m")
with case("a mounted disk of the kernel's is taken by --force, in time"):
    baton(f"add b0 {blk} owner kernel")
    mount(shown("b0")["made"][0])
    baton("give b0 none", IN_USE)
    baton("give b0 none --force")
    assert (vdpa_read("b0", "owner"), sh("vdpa_driver b0")) == ("none", "")
    sh("umount /tmp/m")
with case("give waits for a SCSI adapter's disk, which is shown"):
    baton(f"add s0 {scsi} owner kernel")
    disk, = shown("s0")["made"]
    assert os.path.exists(f"/dev/{disk}")
    devices = {d["name"]: d["containerEdits"] for d in json.loads(baton("cdi"))["devices"]}
    assert devices["s0"]["deviceNodes"][0]["path"] == f"/dev/{disk}", devices
with case("a SCSI adapter's disk that is mounted is kept"):
    mount(disk)
    for command in ("give s0 user", "give s0 none", "del s0"):
        assert f"{disk} is mounted on /tmp/m" in baton(command, IN_USE)
    assert vdpa_read("s0", "owner") == "kernel"
    sh("umount /tmp/m")
    baton("give s0 none")
with case("all is given back"):
    for name, address in (("b0", blk), ("s0", scsi)):
        baton(f"del {name}")
        baton(f"unbind {address}")
    assert sh("fn_driver blk0; fn_driver scsi0").split() == ["virtio-pci"] * 2
ktap_finish()
