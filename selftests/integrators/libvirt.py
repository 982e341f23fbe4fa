#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# C14: libvirt as Debian 13 has it, its daemon and its QEMU, with a guest whose network and disk are vDPA
# devices: what an administrator does with a domain, and after each operation the guest's traffic goes on.
# What libvirt refuses, it refuses with these words.
#
#   net1 --- baton_pci --- n1 --- <interface type='vdpa'> --- libvirt, QEMU (TCG, in this VM) --- iPXE
#   blk1 --- baton_pci --- b1 --- <disk type='vhostvdpa'> --'    (selftests/model)
#   blk0 --- baton_pci --- b0 --- vhost-vdpa-device-pci by <qemu:commandline>, another guest: disk.S
#
# The guest is iPXE. In each round it fetches disk.S by TFTP, which writes to the disk, reads back, and
# says so. Without a network it boots disk.S from the disk.
#
# topology: integrators
# timeout: 700
import functools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "vm"))
from lib import *
import programs

STATE = pathlib.Path("/var/lib/libvirt/qemu")
TFTP = BATON_RUN / "tftp"
PAGES = 36                      # huge ones: the guest's, and a few
MEMORY = 64 << 20
GIB = 1 << 30                   # what libvirt adds for QEMU itself
SCRIPT = """#!ipxe
:again
chain --autofree tftp://10.0.2.2/sector
chain --replace --autofree tftp://10.0.2.2/next || goto again
"""
INTERFACE = """<interface type='vdpa'>
  <mac address='{mac}'/>
  <source dev='{net}'/>
  <boot order='1'/>
</interface>
"""
DISK = """<disk type='vhostvdpa' device='disk'>
  <driver name='qemu' type='raw' cache='none'/>
  <source dev='{disk}'/>
  <target dev='vda' bus='virtio'/>
  <boot order='2'/>
</disk>
"""
DOMAIN = """<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
<name>{name}</name>
<memory unit='b'>{memory}</memory>
{backing}
<vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><bios useserial='yes'/></os>
<features><acpi/></features>
<devices>
{devices}
<serial type='file'><source path='{console}' append='on'/></serial>
<video><model type='none'/></video>
</devices>
{more}
</domain>
"""
# libblkio wants memory that is shared, and vhost_vdpa takes 2048 runs of memory for each device.
BACKING = "<memoryBacking><hugepages/><access mode='shared'/></memoryBacking>"
GENERIC = """<qemu:commandline>
<qemu:arg value='-device'/>
<qemu:arg value='vhost-vdpa-device-pci,vhostdev={node},bootindex=0,romfile=,addr=0x8'/>
</qemu:commandline>"""


run = functools.partial(programs.run, seconds=100)


def virsh(*command):
    return run("virsh", "--quiet", *command)


def virsh_refused(words, *command):
    said = run("virsh", "--quiet", *command, status=1)
    assert words in said, f"{' '.join(command)}: {said}"


def owners():
    """Of the guest's network and disk."""
    return sh("vdpa_owner n1"), sh("vdpa_owner b1")


class Domain:
    def __init__(self, name, devices, backing="", more=""):
        self.name = name
        self.console = STATE / f"{name}.console"
        self.xml = DOMAIN.format(name=name, memory=MEMORY, backing=backing, devices=devices, more=more,
                                 console=self.console)

    def define(self):
        path = pathlib.Path(f"/tmp/{self.name}.xml")
        path.write_text(self.xml)
        virsh("define", "--validate", str(path))

    def said(self):
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def rounds(self):
        return self.said().count("baton: round")

    def goes_on(self, seconds=40):
        before = self.rounds()
        wait_for(lambda: self.rounds() >= before + 3, seconds)
        assert "baton: wrong" not in self.said()

    def boots(self):
        self.goes_on(150)

    def state(self):
        return virsh("domstate", self.name).strip()

    def process(self):
        return int(pathlib.Path(f"/run/libvirt/qemu/{self.name}.pid").read_text())

    def limit(self):
        """How much memory its QEMU may lock."""
        limits = pathlib.Path(f"/proc/{self.process()}/limits").read_text()
        return re.search(r"^Max locked memory +(\S+)", limits, re.M)[1]

    def log(self):
        """What its QEMU said."""
        return pathlib.Path(f"/var/log/libvirt/qemu/{self.name}.log").read_text()


def use_stable_qemu():
    """As if it were the one that is installed: libvirt knows no other places for its parts."""
    for path in ("bin/qemu-system-x86_64", "lib/x86_64-linux-gnu/qemu"):
        run("mount", "--bind", f"/opt/qemu-stable/usr/{path}", f"/usr/{path}")
    # Firmware of other packages is there, too.
    run("cp", "-a", "/opt/qemu-stable/usr/share/qemu/.", "/usr/share/qemu")


def prepare():
    TFTP.joinpath("boot").write_text(SCRIPT)
    for path, option in ((TFTP / "sector", "-DONCE"), ("/tmp/disk", "-UONCE")):
        sh(f"gcc -m32 -nostdlib -Wl,--oformat=binary,-Ttext=0x7c00 {option} -o {path} {HERE}/disk.S")
    for name, device in (("net1", "n1"), ("blk1", "b1"), ("blk0", "b0")):
        sh(f"bind_baton {name}; vdpa_add {device} {name}")
    for device in ("b0", "b1"):
        sh(f"vdpa_bind {device} virtio_vdpa")
        sh(f"dd if=/tmp/disk of=/dev/$(vdpa_disk {device}) conv=fsync status=none")
    sh("for d in n1 b0 b1; do vdpa_bind $d vhost_vdpa; done")
    pathlib.Path("/proc/sys/vm/nr_hugepages").write_text(str(PAGES))
    os.makedirs("/dev/hugepages", exist_ok=True)
    run("mount", "-t", "hugetlbfs", "hugetlbfs", "/dev/hugepages")
    use_stable_qemu()


def start_libvirt(node):
    """Its daemon, and what it wants to find. What QEMU may lock has to be libvirt's doing, not ours."""
    run("/usr/lib/systemd/systemd-udevd", "--daemon")
    run("udevadm", "trigger", "--action=add", "--subsystem-match=vdpa", "--subsystem-match=pci")
    run("udevadm", "settle")
    os.makedirs("/run/dbus", exist_ok=True)
    run("dbus-daemon", "--system", "--fork")
    devices = ["null", "full", "zero", "random", "urandom", "ptmx", "userfaultfd"]
    listed = ", ".join(f'"{path}"' for path in [f"/dev/{name}" for name in devices] + [node])
    with open("/etc/libvirt/qemu.conf", "a", encoding="utf-8") as conf:
        # Consoles without virtlogd; the node for the generic device, of which libvirt knows nothing.
        conf.write(f'stdio_handler = "file"\ncgroup_device_acl = [ {listed} ]\n')
    run("prlimit", "--memlock=65536:65536", "libvirtd", "--daemon")
    wait_for(lambda: os.path.exists("/run/libvirt/libvirt-sock"), 30)
    note(virsh("version"))


def nodedevs():
    listed = virsh("nodedev-list", "--cap", "vdpa").split()
    assert {"vdpa_n1", "vdpa_b1"} <= set(listed), listed
    for device, name in (("n1", "net1"), ("b1", "blk1")):
        xml = virsh("nodedev-dumpxml", f"vdpa_{device}")
        parent = "pci_" + re.sub("[:.]", "_", function(name))
        for part in (f"<parent>{parent}</parent>", "<name>vhost_vdpa</name>",
                     f"<chardev>{sh(f'vhost_node {device}')}</chardev>"):
            assert part in xml, xml


def starts():
    guest.define()
    virsh("start", guest.name)
    guest.boots()
    assert owners() == ("user", "user")


def locks():
    assert guest.limit() == str(2 * MEMORY + GIB), guest.limit()
    status = pathlib.Path(f"/proc/{guest.process()}/status").read_text()
    assert re.search(r"^Uid:\t(\d+)", status, re.M)[1] == run("id", "-u", "libvirt-qemu").strip(), status


def is_suspended():
    for _ in range(3):
        virsh("suspend", guest.name)
        # libblkio does not give its device back: it has nothing to do.
        assert (guest.state(), owners()) == ("paused", ("none", "user"))
        virsh("resume", guest.name)
        guest.goes_on()


def loses_its_link():
    virsh_refused("cannot change config of 'vdpa' network interface type",
                  "domif-setlink", guest.name, mac, "down")
    for up in ("false", "true") * 2:
        virsh("qemu-monitor-command", guest.name,
              f'{{"execute":"set_link","arguments":{{"name":"net0","up":{up}}}}}')
        time.sleep(0.5)
    guest.goes_on(80)


def is_saved():
    path = str(STATE / "guest.save")
    virsh("save", guest.name, path)
    assert (guest.state(), owners()) == ("shut off", ("none", "none"))
    virsh("restore", path)
    guest.goes_on(150)


def is_saved_by_libvirt():
    virsh("managedsave", guest.name)
    assert (guest.state(), owners()) == ("shut off", ("none", "none"))
    virsh("start", guest.name)
    guest.goes_on(150)


def has_a_snapshot():
    virsh_refused("internal snapshot for disk vda unsupported for storage type raw",
                  "snapshot-create-as", guest.name, "no")
    virsh_refused("cannot generate external snapshot name for disk 'vda' without source",
                  "snapshot-create-as", guest.name, "no", "--disk-only")
    virsh("snapshot-create-as", guest.name, "memory", "--memspec",
          f"file={STATE}/memory,snapshot=external", "--diskspec", "vda,snapshot=no")
    guest.goes_on(80)
    virsh_refused("source disk for 'vda' is not a regular file, reverting to snapshot is not supported",
                  "snapshot-revert", guest.name, "memory")
    guest.goes_on(80)


def boots_again(what, script=None):
    """Whatever makes it do so; no sooner than its firmware says hello is this over."""
    before = guest.said().count("SeaBIOS")
    what()
    if script:
        TFTP.joinpath("next").write_text(f"#!ipxe\n{script}\n")
    wait_for(lambda: guest.said().count("SeaBIOS") > before, 60)
    TFTP.joinpath("next").unlink(missing_ok=True)
    guest.boots()


def reboots():
    boots_again(lambda: virsh("reset", guest.name))
    boots_again(lambda: None, "reboot")
    # What an operating system does when it is asked to: libvirt makes a reset of it.
    boots_again(lambda: virsh("reboot", guest.name, "--mode", "acpi"), "poweroff")
    assert owners() == ("user", "user")


def loses_its_interface():
    """iPXE knows nothing of hot-unplug; a reset completes it."""
    virsh("detach-interface", guest.name, "vdpa", "--live")
    boots_again(lambda: virsh("reset", guest.name))
    assert virsh("domiflist", guest.name).count("vdpa") == 0
    assert owners() == ("none", "user")


def is_given_an_interface():
    virsh_refused("No support for vdpa in command 'attach-interface'", "attach-interface", guest.name,
                  "vdpa", sh("vhost_node n1"), "--live")
    pathlib.Path("/tmp/interface.xml").write_text(interface)
    virsh("attach-device", guest.name, "/tmp/interface.xml", "--live")
    assert guest.limit() == str(2 * MEMORY + GIB)
    boots_again(lambda: virsh("reset", guest.name))
    assert owners() == ("user", "user")


def is_destroyed():
    assert not re.search("userspace|map fail", guest.log()), guest.log()
    virsh("destroy", guest.name)
    assert owners() == ("none", "none")
    for device in ("n1", "b1"):
        assert vdpa_read(device, "mapped_bytes") == "0"
    virsh("undefine", guest.name, "--snapshots-metadata")
    sh("vdpa_bind b1 virtio_vdpa; disk_works /dev/$(vdpa_disk b1)")


def generic_device(node):
    """libvirt knows nothing of it: no permission and no memory to lock, unless somebody sees to that."""
    os.chown(node, int(run("id", "-u", "libvirt-qemu")), -1)
    daemon = pathlib.Path("/run/libvirtd.pid").read_text().strip()
    run("prlimit", f"--pid={daemon}", "--memlock=unlimited:unlimited")
    other = Domain("generic", "", more=GENERIC.format(node=node))
    other.define()
    virsh("start", other.name)
    other.boots()
    virsh("suspend", other.name)
    assert sh("vdpa_owner b0") == "none"
    virsh("resume", other.name)
    other.goes_on()
    virsh_refused("non-migratable device", "save", other.name, str(STATE / "generic.save"))
    other.goes_on()
    virsh("destroy", other.name)
    assert sh("vdpa_owner b0") == "none"


ktap_start(13)
prepare()
mac, generic = sh("vdpa_mac n1"), sh("vhost_node b0")
interface = INTERFACE.format(mac=mac, net=sh("vhost_node n1"))
guest = Domain("guest", DISK.format(disk=sh("vhost_node b1")) + interface, BACKING)
start_libvirt(generic)
for name, what in (("nodedev-list finds the devices, their function and node", nodedevs),
                   ("define, start: it boots by network and uses its disk", starts),
                   ("its QEMU, not root, may lock memory for two devices", locks),
                   ("suspend, resume: three times", is_suspended),
                   ("set_link twice; domif-setlink is refused", loses_its_link),
                   ("save, restore", is_saved),
                   ("managedsave, start", is_saved_by_libvirt),
                   ("snapshot of memory; of the disk, and back to one: refused", has_a_snapshot),
                   ("reset, the guest's own reboot, reboot", reboots),
                   ("detach-interface: it boots from its disk", loses_its_interface),
                   ("attach-device: it boots by network; attach-interface is refused",
                    is_given_an_interface),
                   ("destroy: all is given back, the kernel has the disk", is_destroyed),
                   ("the generic device is suspended and resumed, and cannot be saved",
                    lambda: generic_device(generic))):
    start = time.monotonic()
    with case(name):
        what()
    note(f"{time.monotonic() - start:.0f} s")
ktap_finish()
