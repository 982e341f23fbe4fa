#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# As bootvfs.py, with a PF that is declared, too, in a file that sorts after its VFs': it is taken first.
#
# topology: sriov
# init: systemd
# timeout: 150

from bootvfs import main

main(True)
