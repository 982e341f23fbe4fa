# SPDX-License-Identifier: GPL-2.0-only
"""What `vdpa dev add` and `vdpa dev del` send (generic netlink), without a process for each."""

import os
import socket
import struct

CTRL_GETFAMILY, CTRL_FAMILY_ID, CTRL_FAMILY_NAME = 3, 1, 2
DEV_NEW, DEV_DEL = 3, 4
MGMTDEV_BUS, MGMTDEV_DEV, DEV_NAME = 1, 2, 4
REQUEST, ACK = 1, 4
ERROR, GENL_ID_CTRL = 2, 16


class Vdpa:
    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        answer = self.ask(GENL_ID_CTRL, CTRL_GETFAMILY, 0, (CTRL_FAMILY_NAME, "vdpa"))
        at = 20                 # netlink and generic netlink headers
        while at < len(answer):
            length, kind = struct.unpack_from("HH", answer, at)
            if kind == CTRL_FAMILY_ID:
                self.family = struct.unpack_from("H", answer, at + 4)[0]
            at += (length + 3) & -4

    def ask(self, family, command, flags, *attributes):
        """One request; return the answer (without ACK) or raise the error that it carries."""
        body = struct.pack("BBH", command, 1, 0)
        for kind, text in attributes:
            data = text.encode() + b"\0"
            body += struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)
        self.socket.send(struct.pack("IHHII", 16 + len(body), family, REQUEST | flags, 0, 0) + body)
        answer = self.socket.recv(65536)
        if struct.unpack_from("H", answer, 4)[0] == ERROR:
            number = -struct.unpack_from("i", answer, 16)[0]
            if number:
                raise OSError(number, os.strerror(number))
        return answer

    def add(self, name, address):
        self.ask(self.family, DEV_NEW, ACK, (DEV_NAME, name), (MGMTDEV_BUS, "pci"),
                 (MGMTDEV_DEV, address))

    def delete(self, name):
        self.ask(self.family, DEV_DEL, ACK, (DEV_NAME, name))
