#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# Functions of every class carry data: through virtio_vdpa to the kernel's driver of their class, and
# net, blk, crypto and rng through vhost_vdpa to this process as well.
#
#   net0 blk0 scsi0 rng0 crypto0 console0 ninep0 --- baton_pci --- virtio_vdpa --- their drivers
#   input0 sound0 gpu0 (topology more-classes) ----- the same
#
# shares: its VM
# topology: classes more-classes
# cpus: 2
# timeout: 200
from carries import KERNEL, left_out
from lib import *
from vhost_vdpa import *

NAMES = [line.split()[0] for line in (BATON_RUN / "functions").read_text().splitlines()]
HERE_ARE = {name: works for name, works in KERNEL.items() if name in NAMES}
USER = [name for name in ("net0", "blk0", "crypto0", "rng0") if name in NAMES]

ktap_start(len(HERE_ARE) + len(USER))
for name in HERE_ARE:
    sh(f"bind_baton {name}; vdpa_add {name} {name}")
for name, works in HERE_ARE.items():
    if why := left_out(name):
        skip(f"{name}: data through virtio_vdpa", why)
        continue
    with case(f"{name}: data through virtio_vdpa"):
        vdpa_bind(name, "virtio_vdpa")
        assert vdpa_read(name, "owner") == "kernel"
        works(name)
        assert interrupt_count(name), "no interrupt of ours came"
        sh(f"vdpa_unbind {name}")
        assert vdpa_read(name, "state") == "blocked" and not bus_master(name)
for name in USER:
    with case(f"{name}: data through vhost_vdpa"):
        exercise(user_node(name))
        assert vdpa_read(name, "state") == "blocked" and not bus_master(name)
ktap_finish()
