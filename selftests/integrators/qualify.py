#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# The suite for real hardware, `make -C selftests run_tests FUNCTION=...`: it is content with functions that
# are well, gives them back as they were, and finds out those that are not.
#
#   net0, blk0 (selftests/model) --- baton_pci --- /dev/vhost-vdpa-N --- the suite
#
# topology: model
# timeout: 180
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "vm"))
from lib import *
from model import *

TOOL = "/baton/build/tools/baton"
FAULTS = (
    # What is wrong with blk0, its settings, the case that has to fail
    ("it hears no doorbell", {"deaf": 1}, "doorbells, requests, interrupts"),
    ("it sends no interrupts", {"mute": 1}, "doorbells, requests, interrupts"),
)


def suite(name):
    """Exit status, the cases that failed, all that it said."""
    done = subprocess.run(["make", "-s", "-C", "/baton/selftests", "run_tests",
                           f"FUNCTION={name and function(name)}", f"BATON={TOOL}"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, re.findall(r"^not ok \d+ (.*)$", done.stdout, re.M), done.stdout


ktap_start(4 + len(FAULTS))
blk0 = Model("blk0")
expect_log(r"features \S+ exceed what is offered")
for name in ("net0", "blk0"):
    with case(f"{name} is well"):
        status, failed, said = suite(name)
        note(said)
        assert (status, failed) == (0, []) and said.count("\nok ") == 9, said
        assert sh(f"fn_driver {name}") == "virtio-pci"
# It stays with baton from here on: a kernel that looks for partitions waits for ever for such a disk.
sh("bind_baton blk0")
for what, settings, wanted in FAULTS:
    with case(f"found out: {what}"):
        blk0.set(**settings)
        status, failed, said = suite("blk0")
        blk0.set(**dict.fromkeys(settings, 0))
        assert status and failed == [wanted], said
        assert sh("fn_driver blk0") == "baton_pci"
with case("a device that is the kernel's is not touched"):
    sh("vdpa_add b0 blk0; vdpa_bind b0 virtio_vdpa")
    done = subprocess.run([TOOL, "check", "b0", "--qualify"], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 4 and "baton give b0 user" in done.stderr, done
    sh("disk_works /dev/$(vdpa_disk b0); vdpa_del b0; unbind blk0")
with case("without a function it is skipped"):
    status, failed, said = suite("")
    assert status and "# SKIP" in said and not failed, said
ktap_finish()
