# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel may say during a test.

Every line of level warning or worse must match the allow-list (selftests/vm/log-allow) or have been
announced by the test; some lines are wrong at any level. A line that was announced must come.
"""

import re

WARNING = 4

# Wrong at any level, unless announced; the allow-list cannot excuse them.
ALWAYS_WRONG = re.compile("|".join([
    r"WARNING: ", r"BUG: ", r"^Oops", r"Call Trace", r"general protection fault",
    r"DMAR: .*fault", r"AMD-Vi: Event logged", r"IO_PAGE_FAULT", r"viommu.* fault",
    r"arm-smmu-v3 \S+ (event(:| 0x\w+ received)|unexpected)", r"ITS queue timeout",
    r"INFO: task .* blocked for more than", r"blocked for more than \d+ seconds",
    r"rcu.*(detected stalls|self-detected stall)", r"soft lockup", r"hard LOCKUP",
    r"possible (recursive locking|circular locking|irq lock inversion)", r"inconsistent lock state",
    r"suspicious RCU usage", r"sleeping function called from invalid",
    r"KASAN", r"KFENCE", r"UBSAN", r"refcount_t: ",
    r"removing non-empty directory", r"unregister_netdevice: waiting",
]))

# 7.x breaks its virtio devices when the VM powers off, and may have a packet to send.
POWERING_OFF = re.compile(r"^net eth\d+: Unexpected TXQ \(0\) queue failure: -5$")

# A report of the kernel's, among the reasons, and what makes it a matter of ours.
REPORT = re.compile(r"^kernel log: [^\n]*\[ cut here \](.*?)\[ end trace [^\n]*", re.M | re.S)
OURS = re.compile(r"baton|vhost|vdpa:|iommu|DMA-API|refcount_t|list_(add|del) |BUG: ")
MODULES = re.compile(r"Modules linked in: [^\n]*")     # says nothing: ours always are


def read_kmsg(text):
    """Yield (level, line) for each record of /dev/kmsg that the kernel itself wrote."""
    for record in text.split("\n"):
        head, _, line = record.partition(";")
        fields = head.split(",")
        # A line that starts with a space continues the record with device properties.
        if record.startswith(" ") or len(fields) < 3 or not fields[0].isdigit():
            continue
        priority = int(fields[0])
        if priority >> 3 == 0:
            yield priority & 7, line


def split(text, tests):
    """The records of /dev/kmsg, for each of the tests that shared a VM its own."""
    parts = re.split(r"^\d+,[^;]*;baton-lab: begin .*$", text, flags=re.M)
    logs = [list(read_kmsg(part)) for part in parts]
    if len(logs) > 1:
        logs[0:2] = [logs[0] + logs[1]]
    return logs + [[] for _ in range(tests - len(logs))]


def read_console(text):
    """Like read_kmsg, for what the console got after the log's end (it shows warnings only)."""
    for line in text.replace("\r", "").split("\n"):
        match = re.match(r"\[ *\d+\.\d+\] (.*)", line)
        if match and not POWERING_OFF.search(match[1]):
            yield WARNING, match[1]


def read_allowed(path):
    """The allow-list: one extended regex a line; # starts a comment line."""
    with open(path, encoding="utf-8") as lines:
        return [re.compile(line.strip()) for line in lines
                if line.strip() and not line.startswith("#")]


def judge(records, allowed, expected):
    """Return the reasons why this log is not acceptable."""
    reasons = []
    seen = set()
    expected = [re.compile(pattern) for pattern in expected]
    for level, line in records:
        announced = [pattern for pattern in expected if pattern.search(line)]
        seen.update(announced)
        if announced:
            continue
        if ALWAYS_WRONG.search(line):
            reasons.append(f"kernel log: {line}")
        elif level <= WARNING and not any(pattern.search(line) for pattern in allowed):
            reasons.append(f"kernel log: <{level}> {line}")
    reasons += [f"kernel log: expected line never came: {pattern.pattern}"
                for pattern in expected if pattern not in seen]
    return reasons


def condemned(reasons):
    """Whether the log forbids to try once more. A warning in which nothing of ours takes part does
    not: a kernel as slow as an emulated one meets races of its own."""
    text = REPORT.sub(lambda report: report[0] if OURS.search(report[0]) else "",
                      MODULES.sub("", "\n".join(reasons)))
    return bool(re.search(r"^(kernel log: (?!expected)|kmemleak)", text, re.M))


def leaks(report):
    """Reasons from what kmemleak reports: only what is lost by us, or on our behalf."""
    return [f"kmemleak: unreferenced object{leak}" for leak in report.split("unreferenced object")
            if "[baton" in leak]
