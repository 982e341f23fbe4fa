# SPDX-License-Identifier: GPL-2.0-only
"""The system goes to sleep, in a VM that may (`# init: memory`)."""

import pathlib

from lib import sh

POWER = pathlib.Path("/sys/power")
DELAY = pathlib.Path("/sys/module/suspend/parameters/pm_test_delay")


def drivers():
    """Each device's callbacks, no sleep."""
    (POWER / "pm_test").write_text("devices")
    (POWER / "state").write_text("mem")


def sleep(how):
    """@how writes to /sys/power. What is shared with the host does not survive it."""
    # How long pm_test stays, in seconds: five unless it is told.
    DELAY.write_text("1")
    sh("/baton/tools/lab/shared away")
    try:
        how()
    finally:
        (POWER / "pm_test").write_text("none")
        sh("/baton/tools/lab/shared back")
