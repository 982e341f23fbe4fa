# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel tells udev of baton's vDPA devices."""

import contextlib
import socket

NETLINK_KOBJECT_UEVENT = 15


class Uevents:
    """Those of baton's that have come, as dictionaries."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT)
        self.socket.bind((0, 1))
        self.socket.setblocking(False)
        self.seen = []

    def came(self, **wanted):
        """Whether there has been one like that; any."""
        with contextlib.suppress(BlockingIOError):
            while True:
                words = self.socket.recv(8192).decode().split("\0")
                self.seen.append(dict(word.split("=", 1) for word in words if "=" in word))
        return any(wanted.items() <= event.items() for event in self.seen)
