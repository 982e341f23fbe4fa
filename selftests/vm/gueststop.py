#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C14, the relay: a guest that is stopped goes on, with QEMU as it is and no option: `stop` and `cont`
# ten times, the link taken away and given back. The guest is iPXE: it fetches a script by TFTP that
# fetches itself again, and says so each time.
#
#   net0 --- baton_pci --- v0 --- vhost_vdpa --- QEMU (TCG, in this VM) --- SeaBIOS, iPXE
#
# shares: its VM
# topology: net
# timeout: 400
from lib import *
from qemu import QEMU, Guest


def relayed():
    return ["relayed 1" in sh(f"vdpa dev vstats show v0 qidx {queue}") for queue in (0, 1)]


ktap_start(6)
sh("bind_baton net0; vdpa_add v0 net0; vdpa_bind v0 vhost_vdpa")
for name in QEMU:
    with Guest("v0", name) as guest:
        with case(f"{name}QEMU: boots; nothing is relayed that begins at 0"):
            guest.goes_on(120)
            assert relayed() == [False, False]
        with case(f"{name}QEMU: stopped and continued ten times"):
            guest.stop_and_cont(10)
            assert relayed() == [True, True]
        with case(f"{name}QEMU: its link is taken away and given back"):
            for _ in range(3):
                guest.qmp("set_link", name="nic", up=False)
                time.sleep(0.2)
                guest.qmp("set_link", name="nic", up=True)
                guest.goes_on(30)
            assert not re.search("userspace|restore failed|[Cc]annot suspend", guest.said()), guest.said()
ktap_finish()
