#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C2, C4, C6, whatever users and administrators ask for: ioctls, messages and mappings of
# /dev/vhost-vdpa-N and vdpa's netlink commands, as well-behaved programs use them, mutated
# (selftests/fuzz/user.c). What once broke something is tried first (selftests/fuzz/crashers). Nothing
# may hang or be left behind, and the functions work afterwards. `make fuzz` does it for longer, on a
# kernel that shows how far it got.
#
#   net0 --- baton_pci --- v0 --- vhost_vdpa, netlink --- fuzz-user
#   blk0 --- baton_pci --- v1 --- vhost_vdpa, netlink ---'
#
# shares: its VM
# topology: net-blk
# cpus: 2
# timeout: 150
from lib import *
from vhost_vdpa import *

SECONDS = int(os.environ.get("BATON_FUZZ_SECONDS", 20))
BUILD = HERE.parents[1] / "build" / (BATON_RUN / "kernel").read_text().split()[0]
CRASHERS = sorted((HERE.parent / "fuzz/crashers").glob("*.txt"))
if "BATON_REPLAY" in os.environ:
    CRASHERS = [HERE.parents[1] / os.environ["BATON_REPLAY"]]
CURRENT = BATON_RUN / "fuzz-current"
TARGETS = [f"v0={function('net0')}", f"v1={function('blk0')}"]


def user(*args):
    """The last program is in the run's logs (fuzz-current), whatever happens."""
    run = subprocess.run([BUILD / "fuzz-user", *map(str, args), *TARGETS], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True)
    note(run.stdout)
    assert run.returncode == 0, f"exit status {run.returncode}"
    return run.stdout


def provoke():
    """Programs unmap what the device uses, and some day it does: now, so that the line is there."""
    with Device(user_node("v0")) as dev:
        net = Net(dev)
        dev.unmap(net.mem.iova, net.mem.size)
        net.tx.kick()
        wait_for(faults)


def left(name):
    stands = [vdpa_read(name, attribute) for attribute in ("owner", "state", "mapped_bytes")]
    assert stands == ["none", "blocked", "0"], f"{name}: {stands}"


def works():
    for name in "v0", "v1":
        exercise(user_node(name))
    sh("vdpa_bind v0 virtio_vdpa; net_up v0; pings; vdpa_unbind v0")


def show_cover():
    """Addresses are for tools/lab/cover, outside."""
    cover = BATON_RUN / "fuzz-current.cover"
    if cover.exists():
        with open(cover, "a", encoding="utf-8") as stream:
            for module in "baton", "baton_pci":
                base = pathlib.Path(f"/sys/module/{module}/sections/.text").read_text().strip()
                stream.write(f"= {module} {base}\n")
        note(subprocess.run([HERE.parents[1] / "tools/lab/cover", "table",
                             BUILD / "cover-points", cover],
                            stdout=subprocess.PIPE, text=True, check=True).stdout)


ktap_start(len(CRASHERS) + 3)
expect_log(FAULT.pattern)
expect_log("DMAR: DRHD: handling fault status")
# Whatever baton refuses. What it must not come to: "broken", "no answer", "had to be reset".
expect_log(r"baton_pci \S+ .*(refused|exceed|lack|makes no sense|cannot (run|map|change|go on)|is the hardware's|is not mapped)|"
           r"baton_report_(refusal|notice): \d+ callbacks suppressed|"
           # and the kernel around it
           r"vhost-vdpa-\d+: (no iotlb for|can't find and alloc) asid|netlink: .*(invalid length|left after parsing)")
sh("bind_baton net0; bind_baton blk0; echo Y >/sys/module/baton_pci/parameters/physical_doorbells; vdpa_add v0 net0; vdpa_add v1 blk0")
works()
provoke()
pins = pinned()
for path in CRASHERS:
    with case(f"again: {path.name}"):
        user("replay", path)
if "BATON_REPLAY" in os.environ:
    skip("fuzz", "this is a replay")
else:
    with case(f"{SECONDS} seconds"):
        # The short run is the same each time: what comes of it is known.
        said = user(SECONDS, seed() if "BATON_FUZZ_SECONDS" in os.environ else 1, CURRENT)
        # It judges them one by one: see there.
        pins += int(re.search(r"(\d+) pages stay pinned", said)[1])
        assert int(re.search(r"(\d+) doorbells touched", said)[1]), "no doorbell was touched"
    show_cover()
with case("nothing is left behind"):
    left("v0")
    left("v1")
    wait_for(lambda: pinned() <= pins)
with case("both functions work"):
    works()
ktap_finish()
