# SPDX-License-Identifier: GPL-2.0-only
"""What an administrator types: baton(8), as it was built."""

import json
import subprocess

TOOL = "/baton/build/tools/baton"
DONE, FAILED, USAGE, NOT_THERE, IN_USE, TIMEOUT = range(6)


def run(command):
    """Exit status, standard output, standard error."""
    done = subprocess.run([TOOL, *command.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)
    return done.returncode, done.stdout, done.stderr


def baton(command, status=DONE):
    """Its output; it has to end in this way, and to say why if that is not the usual one."""
    code, out, err = run(command)
    assert code == status, f"baton {command}: {code}, {out}{err}"
    assert err.startswith("baton: ") if status not in (DONE, USAGE) else True, err
    return out if status == DONE else err


def shown(name):
    one, = json.loads(baton(f"show {name} --json"))
    return one
