#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C8, nothing is inherited: what a guest's driver orders by the control queue happens on the wire if the
# policy allows it, and not otherwise, with QEMU's shadow virtqueues (x-svq=on) between them too. The
# next guest finds what was provisioned. C14 and C15: a Linux that sleeps on its interrupts goes on, with all
# that it has ordered, after it was stopped and continued five times.
#
#   net0 (two queue pairs) --- v0 --.                            .-- eth0 --- tap, 10.0.2.2
#   net1 ------------------- v1 ----+--- vhost_vdpa --- QEMU ----+-- eth1 --- hub --- peer0
#
# topology: guest-control
# cpus: 2
# timeout: 500
# not on kasan: no KVM there, and a guest emulated in an emulated machine takes too long
# not on lockdep: no KVM there, and a guest emulated in an emulated machine takes too long
# not on kcsan: no KVM there, and a guest emulated in an emulated machine takes too long
# not on 7.2: its KVM stops guests of the emulated SVM (suberror 3), most of the time with x-svq=on
from lib import *
from qemu import Monitor

OWN, OTHER, FOREIGN = "52:54:00:6e:00:01", "02:00:00:00:00:05", "02:00:00:00:00:77"
GROUP = "01:00:5e:01:02:03"
REFUSED = r"control command \d/\d of \d+ bytes refused: not allowed by the policy"
# Frames that the peer sends all the time, and that nobody asked for: by their length the guest's
# counters tell which of them it hears.
NOISE = ((FOREIGN, 1000), (GROUP, 100))
EVERY = 0.02
MONITOR, STOP = "/tmp/monitor", "baton: stop me"

# In the guest, once for each policy: `yes` does what is allowed, `no` what is not.
JOB = """
yes() { name=$1; shift; if "$@" >/out 2>&1; then echo "ok $name"; else echo "not ok $name"; cat /out; fi; }
no() { name=$1; shift; if "$@" >/out 2>&1; then echo "not ok $name"; else echo "ok $name"; fi; }
answers() { ping -q -A -c 3 -w 20 $1; }
# What is heard in two seconds: packets, and how long they are on average.
hears() {
	set -- $(cat /sys/class/net/eth1/statistics/rx_packets /sys/class/net/eth1/statistics/rx_bytes)
	sleep 2
	packets=$(($(cat /sys/class/net/eth1/statistics/rx_packets) - $1))
	length=$((($(cat /sys/class/net/eth1/statistics/rx_bytes) - $2) / (packets + 1)))
	echo "$packets packets of $length bytes"
}
all() { hears; [ $packets -gt 20 ] && [ $length -gt 300 ]; }
groups() { hears; [ $packets -gt 20 ] && [ $length -lt 200 ]; }
nothing() { hears; [ $packets -lt 15 ]; }
pairs() { ethtool -L eth0 combined $1 && ethtool -l eth0 | grep "Combined:.*$1" && answers 10.0.2.2; }
vlan() {
	ip link add link eth1 name vlan5 type vlan id 5 && ip link set vlan5 up &&
	ip address add 10.8.0.2/24 dev vlan5 && answers 10.8.0.1
}
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0
ip link set eth1 up
ip address add 10.9.0.2/24 dev eth1
yes "has the provisioned address" grep -q OWN /sys/class/net/eth1/address
yes "pings on both" eval "answers 10.0.2.2 && answers 10.9.0.1"
yes "hears nothing of what is not for it" nothing
yes "one queue pair" pairs 1
yes "two queue pairs" pairs 2
no "three queue pairs" ethtool -L eth0 combined 3
yes "an MTU within the limit" ifconfig eth0 mtu 3000
no "an MTU beyond the limit" ifconfig eth0 mtu 4001
yes "interrupt coalescing" ethtool -C eth1 tx-frames 1
# The netdev says yes to these, whatever the device said.
ifconfig eth1 promisc
ALLOWED "promiscuous mode" all
ifconfig eth1 -promisc
yes "no longer promiscuous" nothing
ifconfig eth1 allmulti
ALLOWED "all multicast" groups
ifconfig eth1 -allmulti
ALLOWED "a VLAN" vlan
ALLOWED "another address" ip link set eth1 address OTHER
yes "pings after all that" answers 10.9.0.1
echo "STOP"
sleep 8
yes "pings on both after it was stopped" eval "answers 10.0.2.2 && answers 10.9.0.1"
yes "two queue pairs are still there, and one can be had" eval "ethtool -l eth0 | grep Combined:.*2 && pairs 1 && pairs 2"
yes "still not promiscuous" nothing
ALLOWED "the VLAN is still there" answers 10.8.0.1
"""


def stop_and_cont():
    monitor = Monitor(MONITOR)
    for _ in range(5):
        monitor.qmp("stop")
        assert [sh(f"vdpa_owner v{n}") for n in (0, 1)] == ["none", "none"]
        time.sleep(0.3)
        monitor.qmp("cont")
        time.sleep(0.3)


def run_guest(options, allowed):
    job = JOB.replace("OWN", OWN).replace("OTHER", OTHER).replace("STOP", STOP)
    job = re.sub(r"\bALLOWED\b", "yes" if allowed else "no", job)
    pathlib.Path("/tmp/job").write_text(job)
    nets = []
    for n in 0, 1:
        nets += ["-netdev", f"vhost-vdpa,id=n{n},vhostdev={sh(f'vhost_node v{n}')}{options}"
                            f"{',queues=2' if n == 0 else ''}",
                 "-device", f"virtio-net-pci,netdev=n{n},mac={sh(f'vdpa_mac v{n}')}"
                            f"{',mq=on,vectors=8,host_mtu=4000' if n == 0 else ''}"]
    said = ""
    with subprocess.Popen(["/baton/tools/lab/inner-guest", "/tmp/job", "-qmp", f"unix:{MONITOR},server=on,wait=off", *nets],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as run:
        for line in run.stdout:
            note(line)
            said += line
            if line.strip() == STOP:
                stop_and_cont()
    # What counts is the last attempt.
    return said.rpartition("stopped by the emulated SVM")[2]


def cases(name, options, policy):
    """What the guest said, each of its cases as one of ours."""
    for n in 0, 1:
        vdpa_bind(f"v{n}", "vhost_vdpa")
        (VDPA / f"v{n}" / "baton" / "policy").write_text(policy)
    before = kernel_log_count(REFUSED)
    said = run_guest(options, policy == "permissive")
    wanted = re.findall(r'^(?:yes|no|ALLOWED) "(.*?)"', JOB, re.M)
    for case_name in wanted:
        ok(f"{name}: {case_name}", f"\nok {case_name}\n" in said.replace("\r", ""))
    equal(f"{name}: the peer sees the address", neighbour(),
          OTHER if policy == "permissive" else OWN)
    ok(f"{name}: the log says what was refused", (kernel_log_count(REFUSED) > before) ==
       (policy == "strict"))


def neighbour():
    """From whose address the peer was last pinged."""
    known = re.search(r"lladdr (\S+)", sh("ip -n peer neigh show 10.9.0.2"))
    return known and known[1]


NOISY = """
import socket, sys, time
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind((sys.argv[1], 0))
frames = [bytes.fromhex(mac.replace(":", "")) + bytes(6) + b"\\x88\\xb5" + bytes(size - 14)
          for mac, size in zip(sys.argv[2::2], map(int, sys.argv[3::2]))]
while True:
    for frame in frames:
        sock.send(frame)
    time.sleep(%f)
""" % EVERY


def main():
    guests = (("permissive", "", "permissive"), ("strict, x-svq=on", ",x-svq=on", "strict"))
    ktap_start(len(guests) * (len(re.findall(r'^(?:yes|no|ALLOWED) "', JOB, re.M)) + 2))
    expect_log(REFUSED)
    peer = peer_goes()
    sh(f"ip -n peer address add 10.9.0.1/24 dev {peer}")
    sh(f"ip -n peer link add link {peer} name vlan5 type vlan id 5")
    sh("ip -n peer address add 10.8.0.1/24 dev vlan5; ip -n peer link set vlan5 up")
    sh("bind_baton net0; bind_baton net1; vdpa_add v0 net0; vdpa_add v1 net1")
    noise = subprocess.Popen(["ip", "netns", "exec", "peer", "python3", "-c", NOISY, peer,
                              *[str(word) for pair in NOISE for word in pair]])
    try:
        for guest in guests:
            cases(*guest)
            sh("ip -n peer neigh flush all")
    finally:
        noise.kill()
        noise.wait()
    sh("vdpa_del v0; vdpa_del v1")
    ktap_finish()


main()
