#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C7, no kernel-private data in a user's domain: a user's control queue is read by baton through the
# user's own mappings, and all that the hardware gets to see besides is the control window. C8, nothing
# is inherited: each command that a user may give is carried out, each other is refused, and the next
# owner begins with what was provisioned. C4: so it is with the control queue in an address space of
# its own. Rings that make no sense hurt nobody but the user who made them.
#
#   net0 (two queue pairs, on a tap) --- baton_pci --- v0 --- vhost_vdpa --- this process
#
# shares: its VM
# topology: control control@amd
# timeout: 150
import platform
import random

from lib import *
from netowner import *

OWN, OTHER, GROUP = (bytes.fromhex(mac) for mac in ("5254006e0000", "020000000005", "01005e010203"))
SECONDS = int(os.environ.get("BATON_FUZZ_SECONDS", 15))

# Name, class, command, data, answers with the policy strict and permissive


COMMANDS = (
    ("promiscuous on", RX, 0, b"\1", ERR, OK),
    ("promiscuous off", RX, 0, b"\0", OK, OK),
    ("all multicast on", RX, 1, b"\1", ERR, OK),
    ("all multicast off", RX, 1, b"\0", OK, OK),
    ("all unicast on", RX, 2, b"\1", ERR, OK),
    ("no multicast", RX, 3, b"\1", OK, OK),
    ("no unicast", RX, 4, b"\1", OK, OK),
    ("no broadcast", RX, 5, b"\1", OK, OK),
    ("receive command of two bytes", RX, 0, b"\0\0", ERR, ERR),
    ("unknown receive command", RX, 6, b"\0", ERR, ERR),
    ("own address and a group in the table", MAC, 0, table([OWN], [GROUP]), OK, OK),
    ("another address in the table", MAC, 0, table([OTHER], []), ERR, OK),
    ("another address among the groups", MAC, 0, table([], [OTHER]), ERR, OK),
    ("own address sixty-five times in the table", MAC, 0, table([OWN] * 65, []), ERR, OK),
    ("more groups than there is room for", MAC, 0, table([], [GROUP] * 65), ERR, OK),
    ("a table with more entries than bytes", MAC, 0, b"\xff" * 4 + table([]), ERR, ERR),
    ("a table cut short", MAC, 0, table([OWN]), ERR, ERR),
    ("own address", MAC, 1, OWN, OK, OK),
    ("another address", MAC, 1, OTHER, ERR, OK),
    ("a group as address", MAC, 1, GROUP, ERR, ERR),
    ("an address of five bytes", MAC, 1, OWN[:5], ERR, ERR),
    ("a VLAN", VLAN, 0, le16(5), ERR, OK),
    ("a VLAN less", VLAN, 1, le16(5), ERR, OK),
    ("a VLAN that there cannot be", VLAN, 0, le16(4096), ERR, ERR),
    ("announcement without its feature", ANNOUNCE, 0, b"", ERR, ERR),
    ("one queue pair", PAIRS, 0, le16(1), OK, OK),
    ("two queue pairs", PAIRS, 0, le16(2), OK, OK),
    ("three queue pairs", PAIRS, 0, le16(3), ERR, ERR),
    ("no queue pairs", PAIRS, 0, le16(0), ERR, ERR),
    ("RSS without its feature", PAIRS, 1, bytes(12), ERR, ERR),
    ("offloads", OFFLOADS, 0, bytes(8), OK, OK),
    ("offloads that were not negotiated", OFFLOADS, 0, bytes(7) + b"\x20", ERR, ERR),
    ("offloads of nine bytes", OFFLOADS, 0, bytes(9), ERR, ERR),
    ("coalescing without its feature", COAL, 0, bytes(8), ERR, ERR),
    ("a class that there is not", 99, 0, b"\0", ERR, ERR),
    ("as long a command as can be", 99, 0, bytes(8190), ERR, ERR),
    ("a longer one", 99, 0, bytes(8191), ERR, ERR),
)


def works(asid=0):
    with Device(NODE) as dev:
        assert dev.get_status() == 0 and dev.get_config(0, 6) == OWN
        owner = Owner(dev, asid).run()
        assert owner.command(MAC, 1, OWN) == OK


def commands(word, asid, parts, column):
    """The table, one case; return (received, refused) as vstats count them."""
    set_policy(word)
    wrong = []
    with Device(NODE) as dev:
        owner = Owner(dev, asid).run()
        for name, kind, number, data, *answers in COMMANDS:
            if (got := owner.command(kind, number, data, parts)) != answers[column]:
                wrong.append(f"{name}: {got}")
        mac = dev.get_config(0, 6)
    assert not wrong, wrong
    assert mac == (OTHER if word == "permissive" else OWN)


def refusals():
    said = sh(f"vdpa dev vstats show v0 qidx {QUEUE}")
    return int(re.search(r"refused_commands (\d+)", said).group(1))


# -- rings that make no sense: what the user does, and what comes of it -----------------------

def chain(owner, *buffers):
    """Descriptors 0, 1, ...: (address, length, flags), chained."""
    for number, (addr, length, flags) in enumerate(buffers):
        last = number == len(buffers) - 1
        owner.desc(number, addr, length, flags | (0 if last else NEXT), number + 1)


def here(owner, offset=None):
    return owner.control.iova + (owner.out if offset is None else offset)


def ack(owner):
    return here(owner, owner.ack), 1, 2


def huge(owner):
    chain(owner, (here(owner), 0xffffffff, 0), ack(owner))
    owner.answered(0)


def huge_twice(owner):
    chain(owner, (here(owner), 0x80000001, 0), (here(owner), 0x80000001, 0), ack(owner))
    owner.answered(0)


def beyond(owner):
    """Begins in the mapping and ends outside."""
    chain(owner, (here(owner, owner.control.size - 4), 4096, 0), ack(owner))
    owner.answered(0)


def elsewhere(owner):
    chain(owner, (0xdead0000, 8, 0), ack(owner))
    owner.answered(0)


def top(owner):
    chain(owner, (2 ** 64 - 4, 8, 0), ack(owner))
    owner.answered(0)


def window(owner):
    """The control window: what the driver itself put there is not the user's."""
    chain(owner, (owner.dev.get_iova_range()[1] + 1, 8, 0), ack(owner))
    owner.answered(0)


def loop(owner):
    chain(owner, (here(owner), 1, 0), (here(owner), 1, 0))
    owner.desc(1, here(owner), 1, NEXT, 0)
    owner.answered(0, None)


def own_tail(owner):
    owner.desc(0, here(owner), 0, NEXT, 0)
    owner.answered(0, None)


def out_of_table(owner):
    owner.desc(0, here(owner), 2, NEXT, SIZE)
    owner.answered(0, None)


def no_answer(owner):
    """No room for an answer."""
    chain(owner, (here(owner), 8, 0))
    owner.answered(0, None)


def backwards(owner):
    """The answer first."""
    chain(owner, ack(owner), (here(owner), 8, 0))
    owner.answered(0)


def indirect(owner, *descs, length=None):
    at = owner.out + 4096
    for number, one in enumerate(descs):
        owner.desc(number, *one, table=at)
    owner.desc(0, here(owner, at), 16 * len(descs) if length is None else length, INDIRECT)


def indirect_good(owner):
    owner.control.bytes[owner.out:owner.out + 8] = bytes([MAC, 1]) + OWN
    indirect(owner, (here(owner), 8, NEXT, 1), (*ack(owner), 0))
    owner.answered(0, OK)


def indirect_twice(owner):
    indirect(owner, (here(owner, owner.out + 4096), 16, INDIRECT, 0))
    owner.answered(0, None)


def indirect_loop(owner):
    indirect(owner, (here(owner), 1, NEXT, 1), (here(owner), 1, NEXT, 0))
    owner.answered(0, None)


def indirect_odd(owner):
    indirect(owner, (here(owner), 8, 0, 0), length=17)
    owner.answered(0, None)


def indirect_endless(owner):
    indirect(owner, (here(owner), 8, 0, 0), length=0xfffffff0)
    owner.answered(0, None)


def indirect_elsewhere(owner):
    owner.desc(0, 0xdead0000, 32, INDIRECT)
    owner.answered(0, None)


def jump(owner):
    owner.offer(0, SIZE + 1)
    owner.loses()


def back(owner):
    owner.offer(0, -1)
    owner.loses()


def head(owner):
    owner.offer(SIZE)
    owner.loses()


def far_head(owner):
    owner.offer(0xffff)
    owner.loses()


def answer_elsewhere(owner):
    chain(owner, (here(owner), 8, 0), (0xdead0000, 1, 2))
    owner.offer(0)
    owner.loses()


def unmapped(owner):
    owner.dev.unmap(owner.control.iova, owner.control.size, owner.asid)
    owner.queue.kick()
    owner.loses()


def not_writable(owner):
    owner.dev.unmap(owner.control.iova, owner.control.size, owner.asid)
    owner.dev.map(owner.control.iova, owner.control.size, owner.control.address, RO, owner.asid)
    chain(owner, (here(owner), 8, 0))
    owner.offer(0)
    owner.loses()


ANSWERED = (huge, huge_twice, beyond, elsewhere, top, window, loop, own_tail, out_of_table,
            no_answer, backwards, indirect_good, indirect_twice, indirect_loop, indirect_odd,
            indirect_endless, indirect_elsewhere)
FATAL = jump, back, head, far_head, answer_elsewhere, unmapped, not_writable


def fatal(what, asid):
    with Device(NODE) as dev:
        owner = Owner(dev, asid).run()
        assert owner.command(RX, 0, b"\0") == OK
        what(owner)
    works(asid)


def nowhere():
    """The ring at address 0, where nothing is mapped."""
    with Device(NODE) as dev:
        owner = Owner(dev)
        dev.set_vring_addr(QUEUE, 0, 0, 0)
        owner.run().queue.kick()
        owner.loses()
    works()


def random_rings():
    """Rings of random bytes, most of them with addresses and lengths that could be right."""
    seed = random.randrange(1 << 32)
    note(f"seed {seed}")
    rand = random.Random(seed)
    end, owners, lost = time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < end:
        with Device(NODE) as dev:
            owner = Owner(dev, rand.randrange(2)).run()
            owners += 1
            for _ in range(200):
                for number in range(SIZE):
                    owner.desc(number, here(owner, rand.randrange(owner.control.size + 4096)),
                               rand.choice((1, 2, 8, 9, 16, 4096, 0xffffffff)), rand.randrange(8),
                               rand.randrange(SIZE + 1))
                at = owner.out
                owner.control.bytes[at:at + 512] = rand.randbytes(512)
                owner.offer(rand.randrange(SIZE), rand.choice((1, 1, 1, 1, 2, SIZE)))
                time.sleep(0.001)
                wait_for(owner.served)
                if dev.get_status() & NEEDS_RESET or time.monotonic() > end:
                    break
            lost += bool(dev.get_status() & NEEDS_RESET)
    note(f"{owners} owners, of whom {lost} lost their queue")
    works()


def window_mappings():
    """What baton maps at DRIVER_OK: three pieces above all that a user can map; their permissions."""
    probe = TRACING / "kprobe_events"
    probe.write_text("p:share iommu_map iova=$arg2:x64 size=$arg4:u64 prot=$arg5:x32\n")
    try:
        with Device(NODE) as dev, Trace("kprobes:share") as trace:
            owner = Owner(dev)
            before = len(trace.lines("share"))
            owner.run()
            text = trace.lines("share")[before:]
            last = dev.get_iova_range()[1]
    finally:
        probe.write_text("")
    found = [tuple(int(value, 0) for value in re.findall(r"=(\w+)", line)) for line in text]
    note([f"{iova:#x} {size} {prot:#x}" for iova, size, prot in found])
    # IOMMU_READ 1, IOMMU_WRITE 2
    if platform.machine() == "aarch64":
        # The function's own doorbell, which can only be written, in the window that users do not get.
        bells = [entry for entry in found if 0x8000000 <= entry[0] < 0x8100000]
        assert [(size, prot & 3) for _, size, prot in bells] == [(4096, 2)]
        found.remove(bells[0])
    assert sorted((size, prot & 3) for _, size, prot in found) == [(4096, 1), (4096, 3), (20480, 1)]
    assert min(iova for iova, *_ in found) > last
    # Where addresses go on (AMD's), higher ones would cost each access more levels of page table.
    assert max(iova + size for iova, size, _ in found) <= 1 << 48, found


def data_elsewhere():
    """The function sees the address space that the data queues were put in, and not the other one,
    which has other memory at the same addresses."""
    with Device(NODE) as dev:
        dev.start()
        seen, other = Memory(1 << 20), Memory(1 << 20).map(dev, DATA_IOVA)
        dev.map(DATA_IOVA, seen.size, seen.address, RW, 1)
        seen.iova = DATA_IOVA
        dev.set_group_asid(0, 1)
        dev.negotiate(USUAL)
        rx, tx = (SplitQueue(dev, n, 64, seen) for n in range(2))
        rx.enable()
        tx.enable()
        dev.run()
        dev.unmap(DATA_IOVA, other.size)
        frame = seen.alloc(128)
        for _ in range(5):
            tx.request((DATA_IOVA + frame, 12 + 60, READ))
        assert other.bytes[:] == bytes(other.size)
    works()


def no_answer_from_hardware():
    """Without bus mastering, taken from it by hand, the function cannot read the command."""
    timeout = pathlib.Path("/sys/module/baton/parameters/ctrl_timeout_ms")
    usual = timeout.read_text()
    timeout.write_text("300")
    try:
        with Device(NODE) as dev, Trace("baton:baton_fault") as trace:
            owner = Owner(dev).run()
            path = pathlib.Path("/sys/bus/pci/devices", function("net0"), "config")
            with open(path, "r+b", buffering=0) as config:
                config.seek(4)
                word = config.read(2)
                config.seek(4)
                config.write(bytes([word[0] & ~4, word[1]]))
            assert owner.command(RX, 0, b"\0") == ERR
            owner.loses()
            assert vdpa_read("v0", "state") == "lost"
            assert "control queue failed (-ETIMEDOUT)" in trace.lines("baton_fault")[0], trace.text
    finally:
        timeout.write_text(usual)
    works()


def endless():
    """More commands than anybody gives: the kernel's thread that refuses them pauses in between, or
    one processor would be a user's for ever, and charged to nobody."""
    commands = 128              # as many as fit
    with Device(NODE) as dev:
        owner = Owner(dev)
        owner.queue = SplitQueue(dev, QUEUE, 2 * commands, owner.control)
        owner.run()
        owner.control.bytes[owner.out:owner.out + 2] = bytes([99, 0])
        for _ in range(commands):
            owner.queue.post([(here(owner), 2, READ), (here(owner, owner.ack), 1, WRITE)])
        with Trace("workqueue:workqueue_execute_start", "workqueue:workqueue_execute_end") as trace:
            owner.queue.kick()
            wait_for(owner.served)
    times = {kind: [float(at) for at in re.findall(
        rf"([\d.]+): workqueue_execute_{kind}: .*function ctrl_serve", trace.text)]
        for kind in ("start", "end")}
    pauses = [start - end for end, start in zip(times["end"], times["start"][1:])]
    assert len(pauses) >= commands / 64 - 1, times
    assert min(pauses) > 0.0008, pauses     # a tick, at least
    works()


ktap_start(17 + len(ANSWERED) + len(FATAL))
sh("bind_baton net0; vdpa_add v0 net0")
NODE = user_node("v0")
# The kernel limits the rate of these.
expect_log(r"control command .* refused: |the owner's control queue makes no sense|"
           r"the hardware's control queue failed|baton_report_refusal: \d+ callbacks suppressed")

with Device(NODE) as dev:
    equal("two groups, two address spaces", (dev.get_group_num(), dev.get_as_num()), (2, 2))
    dev.start()
    dev.negotiate(dev.get_features())
    equal("the control queue is alone in its group",
          [dev.get_vring_group(n) for n in range(QUEUE + 1)], [0, 0, 0, 0, 1])
with case("what the function gets to see of ours, and with which permissions"):
    window_mappings()
for word, column in ("default", 0), ("strict", 0), ("permissive", 1):
    with case(f"policy {word}: each command is allowed, or refused, as it has to be"):
        commands(word, 0, 1, column)
with case("the next owner begins with the provisioned address"):
    works()
with case("the same with the control queue in an address space of its own"):
    commands("strict", 1, 1, 0)
with case("the same with commands in pieces"):
    commands("permissive", 1, 3, 1)
set_policy("default")
with case("refused commands are counted"):
    with Device(NODE) as dev:
        owner = Owner(dev).run()
        before = refusals()
        assert owner.command(RX, 0, b"\1") == ERR and owner.command(99, 0) == ERR
        assert owner.command(RX, 0, b"\0") == OK
        assert refusals() == before + 2
with case("an address space cannot be exchanged under a running function"):
    with Device(NODE) as dev:
        owner = Owner(dev).run()
        for group in 0, 1:
            with fails_with(errno.EBUSY):
                dev.set_group_asid(group, 1)
        with fails_with(errno.EINVAL):
            dev.set_group_asid(1, 2)
with case("the function sees the address space of its data queues"):
    data_elsewhere()

# One user may do all of these: only their commands are refused.
with Device(NODE) as dev:
    owner = Owner(dev, 1).run()
    for what in ANSWERED:
        with case(f"a chain that makes no sense: {what.__name__}"):
            what(owner)
    with case("after all these the queue still works"):
        owner.queue.free = list(range(SIZE))
        assert owner.command(MAC, 1, OWN) == OK
for number, what in enumerate(FATAL):
    with case(f"a ring that makes no sense, and the next owner: {what.__name__}"):
        fatal(what, number % 2)
with case("a ring that makes no sense, and the next owner: nowhere"):
    nowhere()
with case("random rings, and the next owner"):
    random_rings()
with case("commands without end leave the processor to others"):
    endless()
with case("a hardware that does not answer, and the next owner"):
    no_answer_from_hardware()
ktap_finish()
