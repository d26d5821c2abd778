# The words of this repository. On a fresh Debian 12 with Node 20 and npm, as root: make demo, make test.

.DEFAULT_GOAL := build
SHELL := /bin/bash
.DELETE_ON_ERROR:
BIN := node_modules/.bin

.PHONY: help
help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  \1\t/' | expand -t 16

.PHONY: setup
setup: ## Debian packages and npm packages that are missing
	@scripts/setup.sh

# ---- build ----------------------------------------------------------------------------------------------------------

BPF_SOURCES := $(wildcard bpf/*.bpf.c)
BPF_OBJECTS := $(BPF_SOURCES:bpf/%.bpf.c=build/%.bpf.o) build/bench.bpf.o
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Werror -I/usr/include/$(shell uname -m)-linux-gnu
TS_SOURCES := $(shell find src lab bench conformance cases kernels scripts -name '*.ts' ! -name '*.test.ts' 2>/dev/null)
MODULES := node_modules/.lvsd-installed

.PHONY: build
build: $(BPF_OBJECTS) build/.bundles ## the data path to build/, the commands to bin/

build/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	@mkdir -p build
	@command -v clang >/dev/null || { echo "clang is missing: run make setup as root" >&2; exit 1; }
	clang $(BPF_CFLAGS) -c $< -o $@

build/bench.bpf.o: bench/bench.bpf.c
	@mkdir -p build
	clang $(BPF_CFLAGS) -c $< -o $@

build/.bundles: $(MODULES) $(TS_SOURCES)
	@mkdir -p build
	@$(BIN)/esbuild scripts/build.ts --bundle --platform=node --format=esm --packages=external --log-level=warning --outfile=build/build.mjs
	node build/build.mjs
	@touch $@

$(MODULES): package-lock.json
	@scripts/setup.sh modules
	@touch $@

# ---- install --------------------------------------------------------------------------------------------------------

PREFIX := /usr/local
DESTDIR :=
LIBDIR = $(PREFIX)/lib/lvsd
DOCDIR = $(PREFIX)/share/doc/lvsd
UNITDIR = $(PREFIX)/lib/systemd/system
# The commands that get a name in PREFIX/sbin; keepalived, ipvsadm and ldirectord have their originals' names.
COMMANDS = $(filter-out lvsd-%,$(notdir $(wildcard bin/*)))

.PHONY: install
install: build ## to PREFIX (/usr/local) below DESTDIR: commands, data path, systemd unit, documentation
	install -d $(addprefix $(DESTDIR),$(LIBDIR)/bin $(LIBDIR)/build $(LIBDIR)/node_modules $(PREFIX)/sbin $(DOCDIR) $(UNITDIR))
	install -m 755 bin/* $(DESTDIR)$(LIBDIR)/bin
	install -m 644 $(filter-out build/bench.bpf.o,$(BPF_OBJECTS)) $(DESTDIR)$(LIBDIR)/build
	echo '{ "type": "module" }' >$(DESTDIR)$(LIBDIR)/package.json
	cp -R node_modules/koffi $(wildcard node_modules/@koromix) $(DESTDIR)$(LIBDIR)/node_modules
	for name in $(COMMANDS); do ln -sfn ../lib/lvsd/bin/$$name $(DESTDIR)$(PREFIX)/sbin/$$name; done
	install -m 644 README.md CHANGELOG.md LICENSE docs/*.md $(DESTDIR)$(DOCDIR)
	sed 's#@LIBDIR@#$(LIBDIR)#; s#@DOCDIR@#$(DOCDIR)#' packaging/lvsd.service >$(DESTDIR)$(UNITDIR)/lvsd.service

.PHONY: uninstall
uninstall: ## what install has put there
	rm -rf $(DESTDIR)$(LIBDIR) $(DESTDIR)$(DOCDIR)
	rm -f $(DESTDIR)$(UNITDIR)/lvsd.service $(addprefix $(DESTDIR)$(PREFIX)/sbin/,$(COMMANDS))

# ---- proof ----------------------------------------------------------------------------------------------------------

.PHONY: check
check: $(MODULES) ## types, lint, unit tests; needs no root
	$(BIN)/tsc
	$(BIN)/biome check
	$(BIN)/vitest run --project unit

.PHONY: test
test: setup ## everything: setup, build, check and the tests that need root; ends with a summary
	@$(MAKE) --no-print-directory build
	@node build/test.mjs

TOPOLOGY := demo
.PHONY: lab
lab: build ## a lab that stays until Ctrl-C, and how to enter its hosts; TOPOLOGY=nat|dr|tun|fullnat|pair|demo (root)
	@node build/hold.mjs $(TOPOLOGY)

.PHONY: labtest
labtest: build ## the tests that run in the lab (root)
	$(BIN)/vitest run --project lab

.PHONY: demo
demo: setup ## directors, web servers and a client on this machine, one director that dies, and a report (root)
	@$(MAKE) --no-print-directory build
	@node build/demo.mjs

.PHONY: bench
bench: build ## nanoseconds a packet, throughput in the lab (root)
	@node build/bench.mjs
	@node build/bench.mjs --lab

.PHONY: failover
failover: build ## how long nobody leads when a VRRP master is killed, beside keepalived (root)
	LVSD_FULL=1 $(BIN)/vitest run --project alone bench/failover

.PHONY: conformance
conformance: build ## the same script against the kernel's IPVS, in user-mode Linux
	@node build/conformance.mjs

.PHONY: kernels
kernels: build ## packet cases on the running kernel and on Debian's, which QEMU runs (root)
	@node build/kernels.mjs

.PHONY: fuzz
fuzz: build ## model and data path under random traffic (root)
	@node build/fuzz.mjs

.PHONY: clean
clean: ## all that build made
	rm -rf bin build
