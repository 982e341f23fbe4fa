#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# The administrator's tool, baton(8): functions are taken, made devices, given to the kernel, to a user
# and to nobody, with a reason where that is refused; nothing is taken from who uses it; declarations are
# carried out once and no more; what changes can be watched.
#
#   net0, blk0 --- baton_pci --- n0, b0 --- virtio_vdpa or vhost_vdpa; this test is the user
#
# shares: its VM
# topology: net-blk
# timeout: 120
import json

import socket

from lib import *
from vhost_vdpa import *
# After that, which has a FAILED of its own.
from administrator import *

MAC = "52:54:00:10:20:30"


def has(name, **wanted):
    """It is shown so, and sysfs agrees about the owner."""
    one = shown(name)
    got = {key: one[key] for key in wanted}
    assert got == wanted, f"{got}, not {wanted}"
    assert one["owner"] == vdpa_read(name, "owner")


def declare(name, text):
    pathlib.Path("/etc/baton").mkdir(exist_ok=True)
    pathlib.Path(f"/etc/baton/{name}.conf").write_text(text)


ktap_start(27)
net, blk = function("net0"), function("blk0")

# Help and mistakes
with case("help goes to standard output, mistakes to standard error"):
    code, out, err = run("--help")
    assert (code, err) == (DONE, "") and "give NAME kernel|user|none" in out, out
    for wrong in ("nothing", "give n0", "list --force", "give n0 me", "--nothing"):
        code, out, err = run(wrong)
        assert (code, out) == (USAGE, "") and err, f"{wrong}: {code} {out} {err}"
with case("what is not there has a status of its own"):
    for command in ("show n0", "del n0", "give n0 user", "bind 0000:7f:00.0", "add n0 0000:7f:00.0"):
        baton(command, NOT_THERE)

# Functions and devices
with case("bind takes a function, and unbind gives it back"):
    baton(f"bind {net[5:]}")
    assert sh("fn_driver net0") == "baton_pci"
    baton(f"bind {net}")
    baton(f"unbind {net}")
    assert sh("fn_driver net0") == "virtio-pci"
with case("add takes the function, provisions it and keeps consumers away"):
    pathlib.Path("/sys/bus/vdpa/drivers_autoprobe").write_text("1")
    baton(f"add n0 {net} mac {MAC} policy mac")
    has("n0", function=net, consumer="", owner="none", state="blocked", mac=MAC, policy="mac",
        isolated=True)
    assert pathlib.Path("/sys/bus/vdpa/drivers_autoprobe").read_text() == "1\n"
    pathlib.Path("/sys/bus/vdpa/drivers_autoprobe").write_text("0")
with case("a second device of a function is refused, with what to do"):
    expect_log("dev add n1 refused")
    assert "baton del n0" in baton(f"add n1 {net}", FAILED)

# Giving
with case("give kernel waits for the netdev"):
    baton("give n0 kernel")
    one = shown("n0")
    assert (one["owner"], one["state"]) == ("kernel", "kernel") and len(one["made"]) == 1, one
    assert os.path.exists(f"/sys/class/net/{one['made'][0]}")
with case("a netdev in another network namespace is there, too"):
    netdev, = shown("n0")["made"]
    sh(f"ip netns add x; ip link set {netdev} netns x")
    has("n0", owner="kernel", made=[])
    baton("give n0 kernel")
    assert "another network namespace" in run("give n0 none")[2]
    sh("ip netns del x")
    baton("give n0 kernel")
with case("a netdev that is up is told of"):
    sh(f"ip link set {shown('n0')['made'][0]} up")
    assert "is up" in run("give n0 none")[2]
    has("n0", consumer="", owner="none", made=[])
with case("nobody takes what was given to nobody"):
    sh("echo n0 >/sys/bus/vdpa/drivers_probe || true")
    has("n0", consumer="")
with case("give user waits for the node"):
    baton("give n0 user")
    assert os.path.exists(shown("n0")["node"])
with case("who has it open is shown, and keeps it"):
    with Device(shown("n0")["node"]) as dev:
        dev.start()
        dev.negotiate(dev.get_features())
        dev.run()
        has("n0", owner="user", state="user")
        who, = shown("n0")["open_by"]
        assert (who["pid"], who["command"]) == (os.getpid(), "tool.py"), who
        assert f"process {os.getpid()}" in baton("give n0 kernel", IN_USE)
        baton("del n0", IN_USE)
        baton(f"unbind {net}", IN_USE)
        has("n0", owner="user", state="user")
    has("n0", owner="none", open_by=[])
with case("--force takes it from who has it open, who keeps a dead device and the name"):
    with Device(shown("n0")["node"]) as dev:
        dev.start()
        dev.negotiate(dev.get_features())
        dev.run()
        # The vDPA bus takes no device from who has it open, but by deleting it.
        for owner in ("kernel", "none"):
            assert "`baton del n0 --force`" in baton(f"give n0 {owner} --force", IN_USE)
        has("n0", owner="user", state="user", consumer="vhost_vdpa")
        assert (VDPA / "n0/driver_override").read_text() == "vhost_vdpa\n"
        assert f"process {os.getpid()}" in run("del n0 --force")[2]
        expect_log("cannot register vDPA device n0: -EEXIST")
        assert "was deleted" in baton(f"add n0 {net}", FAILED)
        assert "was deleted" in baton("del n0 --force", NOT_THERE)
        baton(f"add n1 {net} owner kernel")
        has("n1", owner="kernel")
        baton("del n1")
    wait_for(lambda: not (VDPA / "n0").exists())
    baton(f"add n0 {net} mac {MAC} policy mac owner user")
with case("it goes on when that does: a user whom nobody sees closes late"):
    here, there = socket.socketpair()
    with Device(shown("n0")["node"]) as dev:
        socket.send_fds(here, [b"x"], [dev.fd])
    assert "not done" in baton("give n0 kernel -t 2", TIMEOUT)
    assert vdpa_read("n0", "owner") == "none"
    here.close()
    there.close()
    wait_for(lambda: vdpa_read("n0", "owner") == "kernel", 10)
with case("a mounted disk is kept, wherever it is mounted"):
    baton(f"add b0 {blk} owner kernel")
    disk = shown("b0")["made"][0]
    sh(f"mkfs.ext4 -q /dev/{disk}; mkdir -p /tmp/m; mount /dev/{disk} /tmp/m")
    assert f"{disk} is mounted on /tmp/m" in baton("give b0 user", IN_USE)
    holder = subprocess.Popen(["unshare", "-m", "sleep", "60"])
    time.sleep(0.5)
    sh("umount /tmp/m")
    assert "in use" in baton("del b0", IN_USE)
    holder.terminate()
    holder.wait()
    wait_for(lambda: run("give b0 none")[0] == DONE)
with case("a consumer that is refused has the driver's reason, and what to do"):
    sh(f"echo 1 >/sys/bus/pci/devices/{blk}/remove; echo 1 >/sys/bus/pci/rescan")
    wait_for(lambda: os.path.exists(f"/sys/bus/pci/devices/{blk}"))
    baton(f"add b0 {blk}")
    # A driver of the bus that is none of the two.
    sh("rmmod vhost_vdpa; mkdir -p /tmp/none; mount --bind /tmp/none /lib/modules")
    said = baton("give b0 user", FAILED)
    sh("umount /lib/modules; modprobe vhost_vdpa")
    assert "modprobe vhost_vdpa" in said, said
    baton("give b0 user")
    baton("del b0")

# Declarations
with case("a dry run says what it would do, and does nothing"):
    declare("n0", f"function-mac = {MAC}\nmac = {MAC}\npolicy = strict\nowner = user\n"
                  "node-group = 107\nnode-mode = 0660\n")
    declare("b0", f"function = {blk}\nowner = kernel\n")
    before = shown("n0")
    said = baton("apply --dry-run")
    assert "b0: would make the device" in said and "n0: would set policy to strict" in said, said
    assert shown("n0") == before and not os.path.exists(VDPA / "b0")
with case("apply makes it so, and the second time changes nothing"):
    said = baton("apply")
    assert f"b0: make the device of {blk}" in said, said
    has("b0", owner="kernel")
    has("n0", policy="strict", consumer="vhost_vdpa")
    node = os.stat("/dev/baton/n0")
    assert (node.st_gid, node.st_mode & 0o777) == (107, 0o660), node
    assert baton("apply") == "" and baton("apply --dry-run") == ""
with case("what was fixed otherwise is made anew, unless somebody uses it"):
    declare("n0", f"function = {net}\nmac = 52:54:00:10:20:31\nowner = user\n")
    with open(shown("n0")["node"], "rb"):
        baton("apply", IN_USE)
        baton("apply --force", IN_USE)
        has("n0", mac=MAC)
    assert "n0: make the device anew: MAC address" in baton("apply")
    has("n0", mac="52:54:00:10:20:31", consumer="vhost_vdpa")
with case("one declaration that is wrong does not stop the others"):
    declare("a0", "owner = me\n")
    declare("b0", f"function = {blk}\nowner = none\n")
    assert "a0.conf: line 1: owner: 'me'" in baton("apply", USAGE)
    has("b0", consumer="")
    os.unlink("/etc/baton/a0.conf")
with case("match says whose a function is, node removes what is over"):
    assert baton(f"match {net}") == "SYSTEMD_WANTS=baton@n0.service\n"
    assert os.path.islink("/dev/baton/n0")
    baton("give n0 none")
    baton("node n0")
    assert not os.path.islink("/dev/baton/n0")

# Watching
with case("watch tells of owners, refusals and consumers, in order, as JSON"):
    watch = subprocess.Popen([TOOL, "watch", "--json"], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: list((TRACING / "instances").glob("baton-*/trace_pipe")))
    time.sleep(0.5)
    baton("give n0 kernel")
    expect_log("policy refused")
    sh_refused(f"echo no >{VDPA}/n0/baton/policy")
    time.sleep(0.5)
    watch.terminate()
    events = [json.loads(line) for line in watch.stdout]
    assert watch.wait() == 0
    told = [(e["event"], e["name"], e["what"]) for e in events]
    owners = [what for event, name, what in told if (event, name) == ("owner", net)]
    assert owners[-1] == "granting -> kernel owner=kernel", told
    assert ("device", "n0", "bind virtio_vdpa") in told, told
    assert any(event == "refusal" and "policy" in what for event, _, what in told), told
with case("watch leaves nothing behind"):
    assert not list((TRACING / "instances").glob("baton-*"))

# Checking and counting
with case("check finds this machine ready"):
    findings = {f["what"]: f for f in json.loads(baton("check n0 --json"))}
    for what in ("IOMMU", "interrupt remapping", "isolation", "interrupt vectors", "vhost_vdpa"):
        assert findings[what]["verdict"] == "ok", findings[what]
with case("check compares with another host"):
    baton("give n0 user")
    pathlib.Path("/tmp/same").write_text(baton("show n0 --json"))
    pathlib.Path("/tmp/other").write_text(baton("show n0 --json").replace("10:20:31", "10:20:32"))
    baton("check n0 --against /tmp/same")
    code, out, _ = run("check n0 --json --against /tmp/other")
    wrong = [f["what"] for f in json.loads(out) if f["verdict"] == "fail"]
    assert (code, wrong) == (FAILED, ["mac, there"]), wrong
with case("too little memory to lock is found out"):
    code, out, _ = run("check --memory 4G --devices 2 --json")
    assert code == DONE, out
    limited = subprocess.run(["prlimit", "--memlock=1048576", TOOL, "check", "--memory", "4G"],
                             stdout=subprocess.PIPE, text=True)
    assert limited.returncode == FAILED and "LimitMEMLOCK" in limited.stdout, limited.stdout
with case("metrics are whole, and say who owns"):
    baton("metrics -o /tmp/baton.prom")
    text = pathlib.Path("/tmp/baton.prom").read_text()
    assert text.endswith("# EOF\n") and os.stat("/tmp/baton.prom").st_mode & 0o777 == 0o644
    baton("give n0 kernel")
    text = baton("metrics")
    assert f'baton_owner{{device="n0",function="{net}",baton_owner="kernel"}} 1\n' in text, text
    assert len(re.findall(r"^# TYPE (\S+)", text, re.M)) == \
        len(set(re.findall(r"^# TYPE (\S+)", text, re.M)))
with case("all is given back"):
    for name in ("n0", "b0"):
        baton(f"del {name}")
    for address in (net, blk):
        baton(f"unbind {address}")
    assert sh("fn_driver net0; fn_driver blk0").split() == ["virtio-pci"] * 2
ktap_finish()
