#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The parts of the lab that decide whether a test passed: a judge that never says no is worthless."""

import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import re
import sys
import tempfile
from unittest import mock

sys.dont_write_bytecode = True
TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "tools/lab"))
import ktap
import logpolicy
import topologies


def program(name):
    """A program of the lab's as a module."""
    loader = importlib.machinery.SourceFileLoader(name, str(TREE / "tools/lab" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


check = program("check")
ALLOWED = logpolicy.read_allowed(TREE / "selftests/vm/log-allow")
SMMU_FAULT = "arm-smmu-v3 9050000.smmuv3: event 0x10 received:"
FAULT = "DMAR: [DMA Write NO_PASID] Request device [00:10.0] fault addr 0x1000 [fault reason 0x05]"


def judge_reasons(records, expected=()):
    return logpolicy.judge(records, ALLOWED, expected)


def judge(records, expected=()):
    return len(judge_reasons(records, expected))


def kmsg(*lines):
    return list(logpolicy.read_kmsg("\n".join(lines)))


def topology_faults():
    """What is wrong with the data: names, slots, places that two functions share."""
    bad = []
    for name, topology in topologies.TOPOLOGIES.items():
        places = [path for _, _, path in topologies.placed(topologies.find(name))]
        if not topologies.find(name, "arm64"):
            bad.append(f"{name}: not on arm64")
        names = [function["name"] for function in topology["functions"]]
        if len(set(places)) != len(places) or len(set(names)) != len(names):
            bad.append(f"{name}: two functions share a place or a name")
        if not topology["doc"]:
            bad.append(f"{name}: no doc")
    return bad


def report(frame):
    """What is wrong with a log that holds one report of the kernel's."""
    return judge_reasons([(4, "-----[ cut here ]-----"), (4, "WARNING: CPU: 0 PID: 1 at a.c:1"),
                          (4, "Modules linked in: baton_pci(OE) baton(OE) vdpa"),
                          (4, f" {frame}+0x1/0x2 [{frame}]"), (4, "---[ end trace 0 ]---")])


PLAN = [("6.12", "*", "*"), ("7.3", "*", "first"), ("7.3", "!b.py", "*"), ("7.2", "a.py", "net@amd"),
        ("kasan", "a.py", "net@amd")]


def says(**headers):
    """The tests of these names, and what they say of themselves, in the place of those that there are."""
    said = {pathlib.Path(f"{name}.py"): {"kernels": [], "timeout": ["100"], "topology": ["net"],
                                         "cpus": ["1"], **lines} for name, lines in headers.items()}
    return mock.patch.object(check, "headers", said.get)


def planned(name, number, topology, **lines):
    """The kernels that a test runs on, as PLAN has it."""
    test = pathlib.Path(f"{name}.py")
    with says(**{name: lines}):
        return [kernel for kernel in [*check.KERNELS, *check.vm.DEBUG_KERNELS]
                if check.may_run(test, kernel)
                and check.planned(PLAN, test, kernel, number, topology)]


def asked(*kernels, tests=()):
    """Whether each of these kernels, asked for by name, runs more than PLAN has for it."""
    args = mock.Mock(kernel=kernels, tests=tests)
    return [check.whole(PLAN, args, kernel) for kernel in kernels]


def places(*names):
    """Those of the topologies that a test names that an x86 and an arm64 kernel has."""
    with says(a={"topology": list(names)}):
        return [check.places(pathlib.Path("a.py"), kernel) for kernel in ("6.12", "6.12-arm64")]


def of_a_command(*lines):
    """What is left of a VM that ran a command, with this in its log: as tools/lab/demo reads it."""
    with tempfile.TemporaryDirectory() as name:
        run = pathlib.Path(name)
        (run / "lab").mkdir()
        (run / "lab/exec.rc").write_text("0\n")
        (run / "lab/kmsg").write_text("".join(f"4,1,1,-;{line}\n" for line in lines)
                                      + "12,2,2,-;baton-lab: end of log\n")
        args = mock.Mock(shell=False, test=[], timeouts=[], exec="true", quiet=True)
        with contextlib.redirect_stdout(io.StringIO()):
            status = check.vm.verdict(run, args, 0, False, 1)
        return status, '"reasons": []' in (run / "lab/result").read_text()


def useless_lines():
    """Lines of selftests/vm/kernels without effect, or without a reason."""
    tests = [path for path in (TREE / "selftests/vm").iterdir() if check.is_test(path)]
    bad = []
    for line in (TREE / "selftests/vm/kernels").read_text().splitlines():
        if not line or line[0] == "#":
            continue
        kernel, name, where, *why = line.split(None, 3)
        named = [test for test in tests if name.lstrip("!") in ("*", test.name)]
        # A test is left out as a whole.
        places = {"*"} if name[0] == "!" else \
            {"*", "first", *(topology for test in named for topology in check.headers(test)["topology"])}
        if kernel not in [*check.KERNELS, *check.ARM64_KERNELS, *check.vm.DEBUG_KERNELS] \
                or not named or where not in places or not why:
            bad.append(line)
    return bad


def nowhere():
    """Tests that `make check` and `make check-debug` both leave out."""
    plan = check.read_plan()
    return [test.name for test in (TREE / "selftests/vm").iterdir() if check.is_test(test)
            and not set(check.headers(test)["kernels"]) & set(check.vm.DEBUG_KERNELS)
            and not any(check.planned(plan, test, kernel, 0, check.headers(test)["topology"][0])
                        for kernel in check.KERNELS)]


def shared(*lines):
    """How tests that say this are spread over VMs of one kind."""
    said = {f"t{number}": more for number, more in enumerate(lines)}
    with says(**said):
        return sorted("+".join(test.stem for test, _, _ in group) for group in check.share(
            [(pathlib.Path(f"{name}.py"), "6.12", "net") for name in said]))


SHARES = {"shares": ["its", "VM"]}
LONG = {**SHARES, "timeout": [str(check.SHARED_SECONDS - 50)]}


# (name, what is, what should be)
CASES = [
    ("ktap: passed, failed and skipped are told apart",
     ktap.parse("KTAP version 1\n1..3\nok 1 a\nnot ok 2 b\nok 3 c # SKIP no d\n"), (1, 1, ["b"])),
    ("ktap: comments and nested cases do not count",
     ktap.parse("1..1\n# ok 1 no\n  ok 1 nested\nok 1 - a\n"), (1, 0, [])),
    ("ktap: a known failure is none", ktap.parse("1..1\nnot ok 1 a # XFAIL b\n"), (1, 0, [])),
    ("ktap: an empty output is a failure", len(ktap.parse("")[2]), 1),
    ("ktap: ending early is a failure", ktap.parse("1..2\nok 1 a\n")[2], ["1 of 2 cases ran"]),
    ("ktap: a wrong number is a failure", len(ktap.parse("1..2\nok 1 a\nok 3 b\n")[2]), 1),
    ("ktap: a test may skip as a whole", ktap.parse("1..0 # SKIP no IOMMU\n"), (0, 1, [])),
    ("log: level and text", kmsg("4,1,2,-;a;b", " SUBSYSTEM=pci", "6,2,3,-;c"),
     [(4, "a;b"), (6, "c")]),
    ("log: what user space wrote is not the kernel's", kmsg("12,1,2,-;baton-lab: begin"), []),
    ("log: each test that shares a VM has its own, the first with the boot's",
     logpolicy.split("4,1,2,-;boot\n12,2,3,-;baton-lab: begin a\n4,3,4,-;a's\n"
                     "12,4,5,-;baton-lab: begin b\n4,5,6,-;b's\n", 3),
     [[(4, "boot"), (4, "a's")], [(4, "b's")], []]),
    ("log: nor is anything lost without a test", logpolicy.split("4,1,2,-;boot", 0), [[(4, "boot")]]),
    ("log: information passes", judge([(6, "hello")]), 0),
    ("log: a warning fails", judge([(4, "hello")]), 1),
    ("log: the allow-list excuses", judge([(4, "baton: loading out-of-tree module taints kernel.")]),
     0),
    ("log: a DMA fault fails at any level", judge([(6, FAULT)]), 1),
    ("log: of another machine's IOMMU, too", judge([(6, SMMU_FAULT)]), 1),
    ("log: an announced fault passes", judge([(3, FAULT)], [r"DMAR: .*fault addr 0x1000\b"]), 0),
    ("log: an announced line that never comes fails", judge([], ["DMAR"]), 1),
    ("log: shutdown's warnings are read from the console",
     list(logpolicy.read_console("[    5.100000] WARNING: late\r\nnoise\n")), [(4, "WARNING: late")]),
    ("log: nothing in the allow-list excuses everything",
     [pattern.pattern for pattern in ALLOWED if pattern.search("") or re.search(pattern, FAULT)],
     []),
    ("again: not when a line of the log is wrong",
     logpolicy.condemned(["a", "kernel log: b"]), True),
    ("again: when a line that was announced never came",
     logpolicy.condemned(judge_reasons([], ["DMAR"])), False),
    ("again: not after a report with a function of ours",
     logpolicy.condemned(report("baton")), True),
    ("again: not after a line beside a report",
     logpolicy.condemned(report("rng_core") + ["kernel log: b"] + report("rng_core")), True),
    ("again: after a report of somebody else's", logpolicy.condemned(report("rng_core")), False),
    ("vm: a command that went well, and a log that is clean", of_a_command(), (0, True)),
    ("vm: a log that is not", of_a_command("something new"), (1, False)),
    ("kernels: the oldest, and the newest for the first topology",
     [planned("a", 0, "net"), planned("a", 1, "net@virtio")], [["6.12", "7.3"], ["6.12"]]),
    ("kernels: one more for a topology", planned("a", 1, "net@amd"), ["6.12", "7.2", "kasan"]),
    ("kernels: one that is named runs all tests, whatever the plan says",
     asked("6.12", "lockdep"), [True, True]),
    ("kernels: but one that finds faults, and that the plan has for some, runs these", asked("kasan"), [False]),
    ("kernels: or any that is named", asked("kasan", tests=["b.py"]), [True]),
    ("kernels: left out", planned("b", 0, "net"), ["6.12"]),
    ("kernels: a test's own word comes first", planned("a", 0, "net", kernels=["kasan"]), ["kasan"]),
    ("kernels: each line of the table has an effect and says why", useless_lines(), []),
    ("kernels: no test runs nowhere", nowhere(), []),
    ("share: those that say so boot once", shared(SHARES, SHARES), ["t0+t1"]),
    ("share: no others", shared(SHARES, {}, SHARES), ["t0+t2", "t1"]),
    ("share: not with who wants more processors", shared(SHARES, {**SHARES, "cpus": ["2"]}), ["t0", "t1"]),
    ("share: not if it takes too long", shared(LONG, SHARES), ["t0", "t1"]),
    ("topologies: the data is sound", topology_faults(), []),
    ("topologies: any of them with another IOMMU", topologies.find("net@amd")["iommu"], "amd"),
    ("topologies: each machine has its own IOMMUs",
     [bool(topologies.find(name, machine)) for name in ("net", "net@intel", "net@smmuv3", "net@none")
      for machine in ("x86", "arm64")], [True, True, True, False, False, True, True, True]),
    ("topologies: the usual IOMMU and processor are the machine's",
     [(topologies.find(name, machine)["iommu"], topologies.find(name, machine)["cpu"])
      for name, machine in (("guest", "x86"), ("guest", "arm64"))],
     [("intel", "EPYC"), ("smmuv3", "neoverse-n1")]),
    ("kernels: of which machine they are",
     [topologies.machine(kernel) for kernel in ("6.12", "kasan", "6.12-arm64")], ["x86", "x86", "arm64"]),
    ("kernels: an arm64 one runs on topologies that there are",
     places("net", "net@amd", "net@smmuv3-noits"), [["net", "net@amd"], ["net", "net@smmuv3-noits"]]),
    ("topologies: unknown names", [topologies.find(n) for n in ("nets", "net@tv")], [None, None]),
]


def main():
    print(f"KTAP version 1\n1..{len(CASES)}")
    failed = 0
    for number, (name, result, wanted) in enumerate(CASES, 1):
        if result != wanted:
            failed = 1
            print(f"# got {result!r}\n# not {wanted!r}\nnot ok {number} {name}")
        else:
            print(f"ok {number} {name}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
