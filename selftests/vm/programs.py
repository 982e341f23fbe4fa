# SPDX-License-Identifier: GPL-2.0-only
"""Programs that others wrote, which tests run in the VM, and containers of theirs."""

import subprocess

from lib import SLOWER, sh


def run(*command, status=0, seconds=60, **more):
    """Its output; what it says when it ends in another way than wanted becomes the test's."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=seconds * SLOWER, **more)
    assert done.returncode == status, f"{' '.join(map(str, command))}: {done.returncode}: {done.stdout}"
    return done.stdout


def use_disk(disk):
    """For a container: what it writes, it reads, and it says what that was."""
    return f"""dd if=/dev/urandom of=/tmp/wrote bs=64k count=16 2>/dev/null
        dd if=/tmp/wrote of={disk} bs=64k conv=fsync 2>/dev/null
        dd if={disk} bs=64k count=16 iflag=direct 2>/dev/null | cmp - /tmp/wrote
        sha256sum </tmp/wrote"""


def kept(disk):
    """The same, of what is on the disk."""
    return sh(f"dd if={disk} bs=64k count=16 iflag=direct status=none | sha256sum")
