# SPDX-License-Identifier: GPL-2.0-only
"""Functions that misbehave on command (BATON_FAULTS): see drivers/vdpa/baton/faults.c."""

import pathlib

from lib import function

FAULTS = pathlib.Path("/sys/kernel/debug/baton_faults")


def fault(name=None, **values):
    """Of this function, or of the last one that was named."""
    if name:
        (FAULTS / "function").write_text(function(name))
    for key, value in values.items():
        (FAULTS / key).write_text(str(value))
