# SPDX-License-Identifier: GPL-2.0-only
# `make help` lists every verb. What kbuild reads is the file Kbuild beside this one; V=1, W=1 and
# C=1 reach it by themselves.

KVER	?= $(shell uname -r)
KDIR	?= /lib/modules/$(KVER)/build
KERNEL	?=
TOPOLOGY ?=
TESTS	?=
SECONDS	?= 20

export INSTALL_MOD_PATH ?= $(DESTDIR)

version	:= $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
dkms	= /usr/src/baton-$(version)
kbuild	= $(if $(wildcard $(KDIR)/Makefile),,$(error No kernel headers in $(KDIR): \
	`apt install linux-headers-$(KVER)`, or set KDIR to a kernel build directory))$(MAKE) \
	-C $(KDIR) M=$(CURDIR) CONFIG_BATON=m CONFIG_BATON_PCI=m
# What KDIR builds for, which need not be the kernel that runs.
krel	= $(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null || echo $(KVER))
modules	= $(INSTALL_MOD_PATH)/lib/modules/$(krel)

.PHONY: all install uninstall dkms-install dkms-source dkms-uninstall need-dkms clean help \
	tools install-tools uninstall-tools deb docs \
	demo lab bench fuzz storm check style check-unit check-cbmc check-fuzz check-vm check-debug check-arm64 check-install \
	check-integrators

all: ## build baton.ko and baton_pci.ko for KDIR=/lib/modules/KVER/build
	+$(kbuild) modules

install: all ## install the modules under DESTDIR (or INSTALL_MOD_PATH)
	+$(kbuild) modules_install
	$(depmod)

uninstall: ## remove what `make install` installed
	rm -f $(foreach m,baton baton_pci,$(modules)/updates/drivers/vdpa/baton/$(m).ko*)
	cd $(modules) 2>/dev/null && rmdir -p updates/drivers/vdpa/baton 2>/dev/null || true
	$(depmod)

# A staging directory (packaging) holds no kernel, so there is nothing to index.
depmod	= if [ -e $(modules)/modules.order ]; then \
		depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(krel); fi

dkms-install: dkms-uninstall dkms-source ## build and install through DKMS, again at every kernel update
	dkms install baton/$(version) -k $(krel)

# What DKMS builds from; packages have it as well.
dkms-source:
	mkdir -p $(DESTDIR)$(dkms)
	find Kbuild Kconfig Makefile dkms.conf COPYING drivers include -type f \
		\( -name '*.[ch]' ! -name '*.mod.c' -o ! -name '*.*' -o -name dkms.conf \) \
		-exec cp -t $(DESTDIR)$(dkms) --parents {} +

dkms-uninstall: need-dkms ## remove what `make dkms-install` installed, for all kernels
	if dkms status baton/$(version) | grep -q .; then dkms remove baton/$(version) --all; fi
	rm -rf $(dkms)

need-dkms:
	@command -v dkms >/dev/null || { echo 'DKMS is missing: `apt install dkms`.' >&2; exit 1; }

tools: ## build the administrator's tool, baton(8)
	+$(MAKE) -C tools/baton

install-tools: ## install it, its man pages, udev rule and units under DESTDIR
	+$(MAKE) -C tools/baton install

uninstall-tools: ## remove what `make install-tools` installed
	+$(MAKE) -C tools/baton uninstall

docs: ## the documents as HTML, in build/docs; seconds, once the lab is there
	tools/docs/build

deb: ## Debian packages, baton-dkms and baton-tools, in build/deb
	tools/deb/build

clean: ## remove everything that was built
	+$(if $(wildcard $(KDIR)/Makefile),$(kbuild) clean)
	rm -rf build

demo: ## one function, a container, a guest: the story, in a VM (KERNEL=6.12|7.2|7.3)
	tools/lab/demo $(if $(KERNEL),--kernel $(KERNEL))

lab: ## a shell in such a VM (KERNEL=6.12|7.2|7.3, TOPOLOGY=name)
	tools/lab/build $(or $(KERNEL),6.12)
	tools/lab/vm --kernel $(or $(KERNEL),6.12) $(if $(TOPOLOGY),--topology $(TOPOLOGY)) --shell

bench: ## what it costs beside its peers: tables, JSON and plots in build/bench (QUICK=1)
	@tools/bench/run $(if $(QUICK),quick)

check: ## everything below; ends with `N passed, N failed, N skipped`
	@DURATION=$(SECONDS) tools/check style unit cbmc fuzz vm

style: ## checkpatch, sparse, coccicheck, clang, cppcheck, shellcheck, the project's own rules
	@tools/check style

check-unit: ## unit tests of the pure C, in user space, with ASan and UBSan
	@tools/check unit

check-cbmc: ## proofs on the pure C
	@tools/check cbmc

check-fuzz: ## hostile owners' control queues, fuzzed in user space (SECONDS=20)
	@DURATION=$(SECONDS) tools/check fuzz

check-vm: ## tests in VMs, on Debian's kernels (KERNEL=6.12|7.2|7.3, TESTS="FILE...")
	@KERNEL="$(KERNEL)" TESTS="$(TESTS)" tools/check vm

fuzz: ## ioctls, mappings, netlink; then capabilities, on the kasan kernel; how far it got (SECONDS=300 each)
	@tools/lab/long fuzz $(seconds-or-300)
	@tools/lab/long caps $(seconds-or-300)

storm: ## everybody at once, on one kernel (SECONDS=600, KERNEL=kasan, TOPOLOGY=hotplug|sriov|model)
	@KERNEL=$(KERNEL) TOPOLOGY=$(TOPOLOGY) tools/lab/long storm $(seconds-or-600)

# SECONDS has a default that is another verb's.
seconds-or-300 = $(if $(filter file,$(origin SECONDS)),300,$(SECONDS))
seconds-or-600 = $(if $(filter file,$(origin SECONDS)),600,$(SECONDS))

check-debug: ## the tests in VMs on kernels built to find faults (TESTS="FILE...")
	@TESTS="$(TESTS)" tools/check debug

check-arm64: ## tests in VMs with arm64 kernels, behind an SMMU (TESTS="FILE..."); about 10 minutes
	@TESTS="$(TESTS)" tools/check arm64

check-install: ## every way to install, and its opposite; packages; 10 minutes
	@tools/check install

check-integrators: ## programs that people use baton with, in VMs; 20 minutes
	@tools/check integrators

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16
