# nodewatch. The two commands that matter: make run, make test.
SHELL    := /bin/sh
GO       ?= go
# Without the directory in compiled files, checkouts share the build cache, which saves most of the time of a first 'make test'.
export GOFLAGS := $(strip $(filter-out -trimpath,$(shell $(GO) env GOFLAGS)) -trimpath)
# The version as printed by git describe, v0.0.0-COMMITS-gREVISION before the first release. In a source archive, which
# has no git, the three are empty: the binaries read it from internal/buildinfo/archive.txt.
VERSION  ?= $(shell tools/version)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
DATE     ?= $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null)
INFO     := github.com/nodewatch/nodewatch/internal/buildinfo
# The target of runbook links: the documentation of this release, or of this commit.
REF      := $(or $(shell echo '$(VERSION)' | grep -E '^v[0-9]+\.[0-9]+\.[0-9]+$$'),$(REVISION),main)
RUNBOOKS := github.com/nodewatch/nodewatch/internal/rule.runbooks=https://github.com/nodewatch/nodewatch/blob/$(REF)/docs/rules.md
LDFLAGS  := -s -w -X $(INFO).describe=$(VERSION) -X $(INFO).revision=$(REVISION) -X $(INFO).date=$(DATE) -X $(RUNBOOKS)
CEPHTAGS := ceph,pacific
FUZZTIME ?= 10s

# Packages that the tests need in addition to Go. The daemon needs none of them.
TESTPACKAGES := lintian mandoc man-db rpm gcc libc6-dev libcap2-bin iproute2 librados-dev librbd-dev ceph-mon ceph-osd ceph-mgr ceph-common \
	openvswitch-common libvirt-daemon systemd

# Servers that the tests use, unpacked below bin/ and never installed: their packages would start them on this machine.
UNPACKED := prometheus prometheus-alertmanager
# Debian 12's Icinga and its libraries; on other releases its test is skipped.
ICINGA := icinga2-bin libedit2 $(addprefix libboost-,coroutine1.74.0 context1.74.0 filesystem1.74.0 iostreams1.74.0 \
	program-options1.74.0 regex1.74.0 thread1.74.0)

# Debian 12's PostgreSQL server and its libraries; on other releases one in the PATH or in /usr/lib/postgresql is used.
POSTGRESQL := postgresql-15 libpq5 libicu72 libxml2 libldap-2.5-0 libsasl2-2

# Packages that the lab needs in addition to Go; the kernel is downloaded and unpacked,
# never installed.
LABPACKAGES := qemu-system-x86 socat busybox-static dash iproute2 ethtool e2fsprogs kmod xz-utils libc-bin ceph-mon ceph-osd ceph-common libvirt-daemon util-linux

# Packages that make dist-test needs in addition to Go.
DISTPACKAGES := lintian rpm debootstrap gcc libc6-dev librados-dev librbd-dev

# Packages that the test of the units needs in addition to Go: those of the lab's kernel, and this
# machine's systemd for the guest.
SYSTEMDPACKAGES := qemu-system-x86 busybox-static dash iproute2 mount util-linux kmod e2fsprogs xz-utils libc-bin systemd \
	gcc libc6-dev librados-dev librbd-dev ceph-mon ceph-osd ceph-mgr ceph-common

.PHONY: dist-test vuln release-notes run build build-nodewatch build-nodewatch-ceph build-nodewatch-status install install-nodewatch install-nodewatch-ceph install-nodewatch-status dist deps test package-test browser-test lab lab-build lab-matrix lab-samples systemd-test check lint bench fuzz docs golden fmt clean help

help: ## what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

run: ## build, run the daemon on this machine and a status page that it reports to, print their addresses; Ctrl-C ends both
	@./tools/progress "building" $(MAKE) -s build
	@./tools/run $(BIN)

build: build-nodewatch build-nodewatch-ceph build-nodewatch-status ## the programs below bin/ (static, no cgo), and bin/nodewatch-ceph where Ceph's headers are

# Go's own stamps would make builds of a checkout and of an archive differ: LDFLAGS
# contains the version.
GOBUILD := $(GO) build -trimpath -buildvcs=false

build-nodewatch:
	CGO_ENABLED=0 $(GOBUILD) -ldflags '$(LDFLAGS)' -o $(BIN)/nodewatch ./cmd/nodewatch

build-nodewatch-ceph:
	@case "$${GOARCH:-$$($(GO) env GOHOSTARCH)}" in "$$($(GO) env GOHOSTARCH)") ;; \
		*) echo "nodewatch-ceph is not built for $$GOARCH, as its libraries are here for this machine only"; exit 0 ;; esac; \
	if [ -e /usr/include/rados/librados.h ] && [ -e /usr/include/rbd/librbd.h ] && command -v gcc >/dev/null; then \
		echo "$(GO) build -tags $(CEPHTAGS) -o $(BIN)/nodewatch-ceph ./cmd/nodewatch-ceph"; \
		CGO_ENABLED=1 $(GOBUILD) -buildmode=pie -tags $(CEPHTAGS) -ldflags '$(LDFLAGS) -extldflags "-Wl,-z,relro,-z,now"' -o $(BIN)/nodewatch-ceph ./cmd/nodewatch-ceph; \
	else \
		echo "nodewatch-ceph is not built, as librados-dev, librbd-dev or gcc is not installed: the cluster view will be unknown, all else works"; \
	fi

build-nodewatch-status:
	CGO_ENABLED=0 $(GOBUILD) -ldflags '$(LDFLAGS)' -o $(BIN)/nodewatch-status ./cmd/nodewatch-status

# The directories in which make install puts the built files. DESTDIR is prefixed to
# all of them.
BIN        ?= bin
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
to          = $(DESTDIR)$(PREFIX)

install: install-nodewatch ## what 'make build' has built, with units, users, man pages and rules: DESTDIR=, PREFIX=/usr/local, SYSCONFDIR=/etc
	@[ ! -e $(BIN)/nodewatch-ceph ] || $(MAKE) -s install-nodewatch-ceph
	@[ ! -e $(BIN)/nodewatch-status ] || $(MAKE) -s install-nodewatch-status

# The files of a program with a service: $(call install_service,NAME). All programs
# use nodewatch's shell completions under their own names, as each program itself
# prints the words that may follow.
define install_service
@[ -x $(BIN)/$(1) ] || { echo "install: $(BIN)/$(1) is missing; run make build first"; exit 1; }
install -D -m 755 $(BIN)/$(1) $(to)/bin/$(1)
install -d $(to)/lib/systemd/system $(to)/share/bash-completion/completions $(to)/share/fish/vendor_completions.d $(DESTDIR)$(ZSHDIR)
sed 's,/usr/local/bin,$(PREFIX)/bin,' systemd/$(1).service >$(to)/lib/systemd/system/$(1).service
install -D -m 644 systemd/$(1).sysusers $(to)/lib/sysusers.d/$(1).conf
@[ -e $(DESTDIR)$(SYSCONFDIR)/default/$(1) ] || install -D -m 644 systemd/$(1).default $(DESTDIR)$(SYSCONFDIR)/default/$(1)
install -D -m 644 docs/man/$(1).1 $(to)/share/man/man1/$(1).1
install -D -m 644 docs/man/$(1).yml.5 $(to)/share/man/man5/$(1).yml.5
sed 's/nodewatch/$(1)/g' cmd/nodewatch/completion/nodewatch.bash >$(to)/share/bash-completion/completions/$(1)
sed 's/nodewatch/$(1)/g' cmd/nodewatch/completion/nodewatch.fish >$(to)/share/fish/vendor_completions.d/$(1).fish
sed 's/nodewatch/$(1)/g' cmd/nodewatch/completion/nodewatch.zsh >$(DESTDIR)$(ZSHDIR)/_$(1)
chmod 644 $(to)/lib/systemd/system/$(1).service $(to)/share/bash-completion/completions/$(1) $(to)/share/fish/vendor_completions.d/$(1).fish $(DESTDIR)$(ZSHDIR)/_$(1)
install -D -m 644 LICENSE $(to)/share/doc/$(1)/LICENSE
endef

# $(call install_rules,TO,FILE...): rules for Prometheus, with links to this release's documentation.
define install_rules
install -d $(1)
for file in $(2); do \
	sed 's,/blob/main/,/blob/$(REF)/,' "$$file" >$(1)/"$${file##*/}" && chmod 644 $(1)/"$${file##*/}" || exit 1; \
done
endef

install-nodewatch:
	$(call install_service,nodewatch)
	install -m 644 systemd/nodewatch.socket $(to)/lib/systemd/system/
	$(call install_rules,$(to)/share/nodewatch/prometheus,$(filter-out %/status.yml,$(wildcard deploy/prometheus/*.yml)))
	install -d $(to)/share/nodewatch/grafana $(to)/share/doc/nodewatch/examples
	install -m 644 deploy/grafana/*.json $(to)/share/nodewatch/grafana/
	install -m 644 systemd/credentials.conf systemd/no-open-files.conf packaging/nodewatch.yml $(to)/share/doc/nodewatch/examples/

install-nodewatch-ceph:
	install -D -m 755 $(BIN)/nodewatch-ceph $(to)/bin/nodewatch-ceph
	install -D -m 644 docs/man/nodewatch-ceph.1 $(to)/share/man/man1/nodewatch-ceph.1

# The configuration is installed too, because it does not start without one; an existing
# file stays.
install-nodewatch-status:
	$(call install_service,nodewatch-status)
	install -D -m 644 systemd/nodewatch-status.sysctl $(to)/lib/sysctl.d/60-nodewatch-status.conf
	$(call install_rules,$(to)/share/nodewatch-status/prometheus,deploy/prometheus/status.yml)
	@[ -e $(DESTDIR)$(SYSCONFDIR)/nodewatch-status/nodewatch-status.yml ] || \
		install -D -m 644 packaging/nodewatch-status.yml $(DESTDIR)$(SYSCONFDIR)/nodewatch-status/nodewatch-status.yml
	install -d $(to)/share/doc/nodewatch-status/examples
	install -m 644 packaging/nodewatch-status.yml $(wildcard deploy/status/*.yml) $(to)/share/doc/nodewatch-status/examples/

# The packages of make dist. Each has targets build-NAME and install-NAME, and packaging/NAME.yaml.
PACKAGES          ?= nodewatch nodewatch-ceph nodewatch-status
ARCHES            ?= amd64 arm64 riscv64
DIST              ?= build/dist
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || date +%s)
TOOL               = CGO_ENABLED=0 $(GO) tool -modfile=tools/go.mod

RELEASE = export MAKE='$(MAKE)' GO='$(GO)' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' VERSION='$(VERSION)' REVISION='$(REVISION)' DATE='$(DATE)'

dist: ## packages (.deb, .rpm), archives, SBOMs and sha256sums.txt of a release, in build/dist; ARCHES=, PACKAGES=, SBOM=no
	@$(RELEASE) LDFLAGS='$(LDFLAGS)' SBOM='$(SBOM)'; ./packaging/dist '$(DIST)' '$(PACKAGES)' '$(ARCHES)'

dist-test: dist ## make a release twice and compare; lintian, rpm, and install to purge in chroots of Debian 12 and 13 (root); SUITES=
	@./tools/need $(DISTPACKAGES)
	@$(RELEASE) ARCHES='$(ARCHES)' SBOM='$(SBOM)'; ./packaging/dist-test '$(DIST)'

vuln: ## known vulnerabilities in the programs; STDLIB=fail counts those of Go's standard library
	@export GO='$(GO)' STDLIB='$(or $(STDLIB),report)'; ./tools/vuln $$([ ! -e /usr/include/rbd/librbd.h ] || echo '$(CEPHTAGS)')

release-notes: ## what CHANGELOG.md says of a release: TAG=v0.1.0
	@./tools/release-notes '$(TAG)'

deps: ## install the Debian packages that the tests use (apt-get; no service is started), unpack servers below bin/
	@./tools/need $(TESTPACKAGES)
	@./tools/unpack bin/debian $(UNPACKED)
	@./tools/unpack bin/debian $(ICINGA)
	@./tools/unpack bin/debian $(POSTGRESQL)

# Packages with goroutines run with the race detector. The following run without it: all other packages; the tests of
# generated documents and the stories, which make check runs with the same command, so that Go caches their result; and
# tests of a daemon in another process, or that are impossible in a build with cgo. Tests create much garbage: less
# frequent collection saves a third of the stories' time. Tests of daemons mostly wait, so many run at a time, in parallel with the raced ones, and
# the packages that wait longest come first. The timeouts are for a machine that is busy with other work.
RACED   := ./cmd/nodewatch ./cmd/nodewatch-ceph ./internal/watch/... ./internal/launcher/... ./pkg/bond/... ./pkg/ceph/... ./pkg/rbd/... ./pkg/report/...
UNRACED  = $$($(GO) list ./test/prometheus ./test/packaging ./... | grep -vE '/(cmd/nodewatch|cmd/nodewatch-ceph|internal/watch|internal/launcher|pkg/bond|pkg/ceph|pkg/rbd|pkg/report)(/|$$)')
UNRACEDTESTS := ^TestDaemonWithCluster|^TestTheIncident|^TestReplay|^TestIncidentReplayed|^TestAHeldExec|^TestFlood|^TestOnlyTheProbe|^TestWhatTheLauncherKeeps|^TestOutputsThat|^TestChildrenAreBounded|^TestAForkBomb
# The tests of the packages build a whole release twice, which takes a minute: only a change to packaging needs them
# (make package-test).
PACKAGETESTS := ^TestPackages$$
# Without DWARF a test is linked in two thirds of the time; stack traces do not need it.
GOTEST       := $(GO) test -timeout 40m -ldflags=-w
.PHONY: test-raced test-daemons test-unraced

test: ## run every test that needs no virtual machine, no browser and no release (package-test); what is not installed is named ('make deps' installs it) and skipped
	@./tools/need --ask $(TESTPACKAGES)
	@[ -e bin/debian/.unpacked/icinga2-bin ] || echo "test: 'make deps' unpacks Prometheus, Alertmanager and Icinga below bin/; until then their tests are skipped"
	@$(MAKE) --no-print-directory --output-sync=line -j3 test-raced test-daemons test-unraced

test-raced:
	@if command -v gcc >/dev/null; then \
		tags=; [ ! -e /usr/include/rbd/librbd.h ] || tags='-tags $(CEPHTAGS)'; \
		set -x; CGO_ENABLED=1 $(GOTEST) -race -parallel 8 -skip '^TestDocs|^TestIncidents|$(UNRACEDTESTS)' $$tags $(RACED); \
	else \
		echo "test: without gcc there is no race detector"; set -x; CGO_ENABLED=0 $(GOTEST) -parallel 8 -skip '^TestDocs|^TestIncidents|$(UNRACEDTESTS)' $(RACED); \
	fi

test-daemons:
	GOGC=400 CGO_ENABLED=0 $(GOTEST) -parallel 8 -run '$(UNRACEDTESTS)' ./cmd/nodewatch ./internal/launcher

test-unraced:
	$(TESTGENERATED)
	GOGC=400 CGO_ENABLED=0 $(GOTEST) -parallel 8 -skip '$(PACKAGETESTS)' $(UNRACED)

package-test: ## the packages of this machine's architecture: built in two directories and compared, their contents, lintian
	@./tools/need --ask $(TESTPACKAGES)
	CGO_ENABLED=0 $(GOTEST) -count=1 -run '$(PACKAGETESTS)' ./test/packaging

browser-test: ## the pages of a node and of nodewatch-status in Debian's Chromium, with axe-core from npm; STATES, WIDTHS, OPERATOR_WIDTHS, SCHEMES and RUN choose, SHOTS=directory keeps pictures
	@./tools/need chromium || true
	@command -v chromium >/dev/null || echo "browser-test: chromium is not installed: the tests are skipped"
	@cd test/browser && npm ci --ignore-scripts --no-audit --no-fund >/dev/null 2>&1 || echo "browser-test: npm cannot fetch axe-core: the page is tried without it"
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/browser/ ./cmd/nodewatch ./cmd/nodewatch-status
	@$(if $(SHOTS),mkdir -p '$(SHOTS)')
	cd test/browser && CGO_ENABLED=0 $(GO) test -count=1 -timeout 90m -run '$(RUN)' . \
		$(if $(STATES),-states '$(STATES)') $(if $(WIDTHS),-widths '$(WIDTHS)') $(if $(OPERATOR_WIDTHS),-operator-widths '$(OPERATOR_WIDTHS)') $(if $(SCHEMES),-schemes '$(SCHEMES)') $(if $(SHOTS),-shots '$(abspath $(SHOTS))')

lab: lab-build ## real kernel, bonding, krbd and Ceph in QEMU (root); RUN=name runs one scenario, KEEP=1 leaves the guest up, KERNEL=package or release
	@$(LAB) -test.run '$(RUN)'

lab-matrix: ## the core scenarios on the kernels of several Debian releases, as a table; KERNELS=list, RUN=name
	@MAKE='$(MAKE)' ./test/lab/matrix '$(or $(RUN),core)' $(KERNELS)

lab-samples: lab-build ## what the kernel says in each scenario, as fixtures in SAMPLES (build/samples)
	@export LAB_SAMPLES='$(abspath $(SAMPLES))' && $(LAB) -test.run '$(RUN)'

SAMPLES ?= build/samples
LAB = cd test/lab && LAB_BIN=../../bin/lab KEEP=$(KEEP) KERNEL=$(KERNEL) exec ../../bin/lab/lab.test -test.timeout 40m

lab-build:
	@./tools/need $(LABPACKAGES) || true # the lab itself reports what is missing
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/lab/nodewatch ./cmd/nodewatch
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/lab/nodewatch-status ./cmd/nodewatch-status
	@CGO_ENABLED=0 $(GO) build -trimpath -o bin/lab/agent ./test/lab/agent
	@CGO_ENABLED=0 $(GO) test -tags lab -c -o bin/lab/lab.test ./test/lab

systemd-test: ## the units on a real systemd in QEMU, with krbd and Ceph (root); KERNEL=package, RUN=TestUnits/name
	@./tools/need $(SYSTEMDPACKAGES)
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/systemd-test/nodewatch ./cmd/nodewatch
	@CGO_ENABLED=0 $(GO) build -trimpath -o bin/systemd-test/agent ./test/lab/agent
	@CGO_ENABLED=1 $(GO) build -trimpath -tags $(CEPHTAGS) -ldflags '$(LDFLAGS)' -o bin/systemd-test/nodewatch-ceph ./cmd/nodewatch-ceph || true
	@$(MAKE) -s dist DIST=bin/systemd-test/dist PACKAGES='nodewatch nodewatch-status' ARCHES=amd64 SBOM=no
	@CGO_ENABLED=0 $(GO) test -tags lab -c -o bin/systemd-test/systemd.test ./test/systemd
	@cd test/systemd && LAB_BIN=../../bin/systemd-test KERNEL=$(KERNEL) exec ../../bin/systemd-test/systemd.test -test.timeout 60m -test.run '$(RUN)'

check: ## format, vet, staticcheck, go.mod, import rules, changelog, generated documents, golden files
	@test -z "$$(gofmt -l .)" || { echo "not gofmt-ed:"; gofmt -l .; exit 1; }
	CGO_ENABLED=0 $(GO) vet ./...
	CGO_ENABLED=0 $(GO) vet -tags lab ./test/...
	@[ ! -e /usr/include/rbd/librbd.h ] || CGO_ENABLED=1 $(GO) vet -tags $(CEPHTAGS) ./cmd/...
	$(TOOL) staticcheck ./...
	$(GO) mod tidy -diff
	CGO_ENABLED=0 $(GO) test -count=1 .
	$(TESTGENERATED)

lint: ## what make check does not ask (.golangci.yml); building golangci-lint takes minutes the first time
	CGO_ENABLED=0 $(GO) tool -modfile=tools/golangci/go.mod golangci-lint run ./...

# The tests that compare generated documents and golden files; arch_test.go checks that each of these names matches one.
GENERATED   := ^TestDocs|^TestGolden|^TestIncidents
TESTGENERATED = GOGC=1000 CGO_ENABLED=0 $(GOTEST) -run '$(GENERATED)' $(DOCPACKAGES) ./internal/page
DOCPACKAGES := ./pkg/rbd ./internal/config ./internal/rule/all ./internal/metrics ./pkg/report/native/receiver ./cmd/nodewatch ./cmd/nodewatch-ceph ./cmd/nodewatch-status ./test/prometheus ./internal/status/api

docs: ## rewrite the generated documents; golden files are left alone
	CGO_ENABLED=0 $(GO) test -count=1 $(DOCPACKAGES) -run '^TestDocs' -update

golden: ## rewrite the golden files and print what changed; PKG="./internal/page ..." for some packages only
	@git rev-parse --verify -q HEAD >/dev/null || { echo "make golden needs a git checkout, to print what changed"; exit 1; }
	CGO_ENABLED=0 $(GO) test -count=1 $(PKG) -skip '^TestDocs' -update || true
	@git --no-pager diff -- '*testdata*'

PKG ?= $(patsubst %/,./%,$(sort $(dir $(shell grep -rl 'flag.Bool("update"' --include='*_test.go' cmd internal pkg))))

bench: ## the numbers of docs/performance.md
	CGO_ENABLED=0 $(GO) test -run '^$$' -bench . -benchmem -benchtime 0.5s ./internal/... ./pkg/...
	CGO_ENABLED=0 $(GO) test -run '^$$' -bench . ./cmd/nodewatch -footprint 30s
	CGO_ENABLED=0 $(GO) test -run '^$$' -bench . -benchtime 3s ./cmd/nodewatch-status -figures 30s

fuzz: ## fuzz every parser, $(FUZZTIME) each
	@for package in $$($(GO) list ./...); do \
		for target in $$(CGO_ENABLED=0 $(GO) test -list '^Fuzz' $$package 2>/dev/null | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			CGO_ENABLED=0 $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $$package || exit 1; \
		done; \
	done

fmt:
	gofmt -w .

clean:
	rm -rf bin build
