# SPDX-License-Identifier: GPL-2.0-only
"""What the measurements have in common that put the same load through several drivers in one VM."""

import json
import pathlib
import sys
import time

sys.path.insert(0, "/baton/selftests/vm")
from lib import note, wait_for        # noqa: E402

PKTGEN = pathlib.Path("/proc/net/pktgen")


def pktgen(link, count, address):
    """The kernel's packet generator sends so many packets of 64 bytes there; packets a second."""
    (PKTGEN / "kpktgend_0").write_text(f"add_device {link}\n")
    for setting in (f"count {count}", "clone_skb 0", "pkt_size 60", "delay 0", "burst 1",
                    "dst 10.9.9.9", f"dst_mac {address}"):
        (PKTGEN / link).write_text(setting + "\n")
    # Its thread has 125 ms for a command, no more, then it counts as done: on a busy machine one
    # has to look.
    (PKTGEN / "pgctrl").write_text("start\n")
    words = wait_for(lambda: "pps" in (said := (PKTGEN / link).read_text()) and said, 30).split()
    (PKTGEN / "kpktgend_0").write_text("rem_device_all\n")
    wait_for(lambda: not (PKTGEN / link).exists(), 30)
    return int(next(word for word in words if word.endswith("pps"))[:-3])


def in_turns(drivers, loads, rounds):
    """Measure each of `loads` with each driver, by its number, in each round; all values go to
    /run/baton/bench.json."""
    found = {load: {driver: [] for driver in drivers} for load in loads}
    for turn in range(rounds):
        for load, measure in loads.items():
            # Nobody is always first.
            for number in ((turn + i) % len(drivers) for i in range(len(drivers))):
                found[load][drivers[number]].append(measure(number))
                time.sleep(0.1)
        last = {load: [values[-1] for values in of.values()] for load, of in found.items()}
        note(f"round {turn + 1}: {last}")
    pathlib.Path("/run/baton/bench.json").write_text(json.dumps(found, indent=1))
