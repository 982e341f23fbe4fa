# SPDX-License-Identifier: GPL-2.0-only
"""How fast this machine's time stamp counter runs.

TCG hands the counter through to the VM. A VM that has to find out its rate for itself, against an
emulated timer on a busy machine, can be wrong by any factor, and then so is every clock in it.
"""

import ctypes
import mmap
import platform
import time

# rdtsc; shl $32,%rdx; or %rdx,%rax; ret
CODE = bytes.fromhex("0f31 48c1e220 4809d0 c3")


def khz():
    """The rate in kHz, or None where there is no such counter (or it cannot be read)."""
    if platform.machine() != "x86_64":
        return None
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return None
    page.write(CODE)
    rdtsc = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    begin, begin_tsc = sample(rdtsc)
    time.sleep(0.05)
    end, end_tsc = sample(rdtsc)
    return round((end_tsc - begin_tsc) * 1_000_000 / (end - begin))


def sample(rdtsc):
    """Nanoseconds and counter at the same moment: of some tries the one least disturbed."""
    tries = []
    for _ in range(50):
        before = time.monotonic_ns()
        counter = rdtsc()
        after = time.monotonic_ns()
        tries.append((after - before, (before + after) // 2, counter))
    return min(tries)[1:]
