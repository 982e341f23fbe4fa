# SPDX-License-Identifier: GPL-2.0-only
"""Reading KTAP (Documentation/dev-tools/ktap.rst in the kernel tree)."""

import re

RESULT = re.compile(r"(not )?ok\b *(\d+)?(?: -)? *(.*?)(?: *# *(SKIP|TODO|XFAIL)\b *(.*))?$", re.I)


def parse(text):
    """Return (passed, skipped, failures) of the top-level cases; failures is a list of reasons."""
    passed = skipped = number = 0
    failures = []
    planned = None
    for line in text.split("\n"):
        plan = re.match(r"1\.\.(\d+)(?: *# *SKIP\b *(.*))?", line)
        if plan:
            planned = int(plan[1])
            if planned == 0:
                return 0, 1, []
            continue
        result = RESULT.match(line)
        if not result:
            continue
        number += 1
        directive = (result[4] or "").upper()
        if result[2] and int(result[2]) != number:
            failures.append(f"case {number} calls itself {result[2]}")
        if directive == "SKIP":
            skipped += 1
        elif result[1] and directive not in ("TODO", "XFAIL"):
            failures.append(result[3] or f"case {number}")
        else:
            passed += 1
    if planned is None:
        failures.append("no plan (1..N): the test never got that far")
    elif planned != number:
        failures.append(f"{number} of {planned} cases ran")
    return passed, skipped, failures
