#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# VFs that are declared, at boot: they are made as soon as their PF can make them, which is when its virtio
# driver is there, long after /etc/baton was first looked at; and again when the PF is plugged in again.
# bootpf.py does the same with a PF that is declared, too.
#
#   net0 (PF) --- virtio-pci or, declared as z, baton_pci
#   vf0, vf1  --- baton_pci --- a (user), b (kernel), by declaration
#
# topology: sriov
# init: systemd
# timeout: 150

from lib import *

CONF = pathlib.Path("/etc/baton")
OWNERS = {"a": ("vhost_vdpa", 0), "b": ("virtio_vdpa", 1)}
PF = function("net0")


def before(pf_declared):
    """PID 1, before systemd."""
    subprocess.run(["cp", "-a", "/baton/build/tools/root/.", "/"], check=True)
    subprocess.run(["systemctl", "enable", "baton.service"], check=True)
    # Only one of them says how many there are to be.
    (CONF / "a.conf").write_text(f"pf = {PF}\nvf = 0\nowner = user\n")
    (CONF / "b.conf").write_text(f"pf = {PF}\nvf = 1\nvfs = 2\nowner = kernel\n")
    if pf_declared:
        (CONF / "z.conf").write_text(f"function = {PF}\nowner = none\n")
    sh("udev_comes_late")


def stand(driver):
    """All as declared."""
    for name, (consumer, vf) in OWNERS.items():
        wait_for(lambda: (VDPA / name / "driver").exists(), 40)
        wait_for(lambda: (VDPA / name / "driver").resolve().name == consumer, 20)
        assert (VDPA / name).resolve().parent.name == function(f"vf{vf}")
    wait_for(lambda: os.path.exists("/dev/baton/a"), 20)
    wait_for(lambda: vdpa_read("b", "owner") == "kernel", 20)
    assert sh("fn_driver net0") == driver
    wait_for(lambda: not re.search(r"activ", sh("systemctl is-active baton@a.service baton@b.service || true")
                                   .replace("inactive", "")), 20)
    said = subprocess.run(["/usr/sbin/baton", "apply", "--dry-run"], stdout=subprocess.PIPE, text=True, check=True)
    assert said.stdout == "", said.stdout


def main(pf_declared):
    if sys.argv[1:] == ["before"]:
        before(pf_declared)
        sys.exit()
    driver = "baton_pci" if pf_declared else "virtio-pci"
    ktap_start(3)
    with case(f"the VFs of a PF of {driver} are as declared"):
        stand(driver)
    note(sh("systemctl --failed --no-legend; journalctl -b --no-pager -o cat -u 'baton*' || true"))
    equal("the unit is content", sh("systemctl is-active baton.service || true"), "active")
    with case("and so they are when the PF is plugged in again"):
        sh(f"echo 1 >/sys/bus/pci/devices/{PF}/remove")
        wait_for(lambda: not os.path.islink("/dev/baton/a"), 20)
        sh("echo 1 >/sys/bus/pci/rescan")
        stand(driver)
    ktap_finish()


if __name__ == "__main__":
    main(False)
