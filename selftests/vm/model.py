# SPDX-License-Identifier: GPL-2.0-only
"""What a test can tell the functions of our own making (selftests/model) to do, and read of them.

    net0 = Model("net0")
    net0.set(reset_ms=500)              # names: selftests/model/settings.c
    net0.do("write 0x100000 0x5a 16")   # commands: selftests/model/wrong.c
    net0.state()["promisc"]
    net0.log("status")                  # lines of its log since mark()
"""

import errno
import pathlib
import time

from lib import BATON_RUN, SLOWER, wait_for

SHARED = pathlib.Path(BATON_RUN) / "model"


class ModelError(OSError):
    """It refused, or the DMA that it was told to do failed."""


class Model:
    def __init__(self, name):
        self.name = name
        self.number = 0
        self.seen = 0

    def _path(self, suffix):
        return SHARED / f"{self.name}.{suffix}"

    def do(self, command):
        """Have it do something; its answer, or ModelError."""
        self.number = time.time_ns()
        # Never replaced under a reader: 6.12's netfs, which then has the size of the new file and the end of the
        # old one, reads on for ever, and cannot be killed.
        self._path("done").unlink(missing_ok=True)
        self._path("new").write_text(f"{self.number} {command}\n")
        self._path("new").rename(self._path("do"))
        answer = wait_for(self._answer, 10)
        if answer.startswith("error "):
            number = int(answer.split()[1])
            raise ModelError(number, f"{command}: {errno.errorcode.get(number, number)}")
        return answer

    def _answer(self):
        try:
            number, _, answer = self._path("done").read_text().rstrip("\n").partition(" ")
        except OSError:     # not there yet, or replaced meanwhile
            return None
        return (answer or " ") if number == str(self.number) else None

    def set(self, **settings):
        for name, value in settings.items():
            self.do(f"set {name} {value}")

    def state(self):
        """What it says of itself: {"status": "15", ...}"""
        words = self.do("state").split()
        return dict(zip(words[::2], words[1::2]))

    def queue(self, index):
        words = self.do(f"queue {index}").split()
        return dict(zip(words[::2], words[1::2]))

    def buffers(self, index):
        """Where it was last allowed to write, as (address, length)."""
        words = self.do(f"buffers {index}").split()
        return [(int(address, 16), int(length))
                for address, length in zip(words[::2], words[1::2])]

    def lines(self):
        return self._path("log").read_text().splitlines()

    def mark(self):
        self.seen = len(self.lines())

    def log(self, word, wait=0):
        """The lines since the last mark that have this word, without their time."""
        deadline = time.monotonic() + wait * SLOWER
        while True:
            found = [line.split(" ", 1)[1] for line in self.lines()[self.seen:] if word in line]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.02)
