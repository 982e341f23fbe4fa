#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C3, reset is a handshake, with whatever function there is: virtio capabilities that overlap, are missing or twice,
# lie outside their BAR or have absurd sizes, each set of them made of a seed (selftests/model/caps.c). Probe refuses
# the function with a reason, or takes it, the same each time, and lets go of it; a vDPA device of what was taken is
# refused or made, and deleted. The honest function works before and afterwards. `make fuzz` does it for longer.
#
#   blk0 (selftests/model) --- baton_pci --- v0 --- this process
#
# shares: its VM
# topology: model
# timeout: 120
from lib import *
from model import *
from vhost_vdpa import *

SECONDS = int(os.environ.get("BATON_CAPS_SECONDS", 8))
BATON_PCI = pathlib.Path("/sys/bus/pci/drivers/baton_pci")
LINES = r"baton_pci|virtio_le|BAR \d"

blk0, address = Model("blk0"), function("blk0")


def bind():
    """Whether it was taken."""
    try:
        (BATON_PCI / "bind").write_text(address)
    except OSError as err:
        assert err.errno in (errno.ENODEV, errno.EINVAL, errno.EIO, errno.ETIMEDOUT, errno.ENXIO, errno.ENOTSUP), err
        return False
    return True


def device():
    """Whether there could be one of it."""
    made = not subprocess.run(["vdpa", "dev", "add", "name", "v0", "mgmtdev", f"pci/{address}"],
                              stderr=subprocess.DEVNULL).returncode
    if made:
        sh("vdpa dev show v0; vdpa dev del v0")
    return made


def probe(number):
    """Twice: what the first time left behind would be in the way of the second."""
    blk0.set(caps_seed=number)
    came_to = []
    for _ in range(2):
        taken = bind()
        came_to.append((taken, taken and device()))
        if taken:
            (BATON_PCI / "unbind").write_text(address)
    assert came_to[0] == came_to[1], f"seed {number}: {came_to}"
    return came_to[0]


def works():
    blk0.set(caps_seed=0)
    sh("bind_baton blk0; vdpa_add v0 blk0")
    exercise(user_node("v0"))
    sh("vdpa dev del v0")
    (BATON_PCI / "unbind").write_text(address)


ktap_start(3)
first = seed()
expect_log(LINES)
with case("an honest one works"):
    works()
with case("made of seeds: refused or taken, the same each time"):
    results, end = [], time.monotonic() + SECONDS
    while time.monotonic() < end:
        results.append(probe(first + len(results)))
    note(f"{len(results)} functions, taken {sum(taken for taken, _ in results)}, "
         f"a device made of {sum(made for _, made in results)}")
    assert {taken for taken, _ in results} == {False, True}, "one kind of answer only: nothing was tried"
with case("the honest one works afterwards"):
    works()
ktap_finish()
