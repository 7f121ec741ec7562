# SPDX-License-Identifier: GPL-3.0-or-later
#
# make help lists the targets. demo and test install what they need (Debian, Ubuntu) and say so; the second run
# installs nothing and needs no network.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all
MAKEFLAGS   += --no-builtin-rules
.DELETE_ON_ERROR:
.NOTPARALLEL:

VERSION ?= $(shell git describe --tags --match 'v[0-9]*' --always --dirty 2>/dev/null || echo dev)
# Of whoever publishes: public root keys of updates and the address of the description; see installer/RELEASE.md.
UPDATE_ROOTS ?=
UPDATE_URL   ?=
LINKED  := -X main.version=$(VERSION) -X main.updateRoots=$(UPDATE_ROOTS) -X main.updateURL=$(UPDATE_URL)
GOBUILD := go build -trimpath -buildvcs=false -ldflags '-s -w $(LINKED)'
MINGW   := CGO_ENABLED=1 GOOS=windows GOARCH=amd64 CC=x86_64-w64-mingw32-gcc
DEPS    := installer/deps.sh
EXT     := browserext
STAMPS  := bin/.stamps

FUZZTIME  ?= 30s
SOAKCOUNT ?= 20
BENCH     ?= .
PACKAGES  ?= bin/package
# Packages are of a version, which pages and the extension know, too, and of the day of its last change.
PACKAGE_VERSION   ?= $(shell node -p "require('./$(EXT)/package.json').version" 2>/dev/null)
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
BENCHES   ?= all
DEMOFLAGS ?=

# What the binaries and the extension are made of: make rebuilds them only when one of these is newer.
GO_FILES  := $(shell find agent internal proto installer $(EXT) -name node_modules -prune -o \( -name '*.go' -o -name '*.json' -o -path 'internal/*' -type f \) -not -path '*/testdata/*' -not -path '$(EXT)/dist/*' -print 2>/dev/null)
EXT_FILES := $(shell find $(EXT) \( -name node_modules -o -name dist -o -name test \) -prune -o -type f -print 2>/dev/null)
SH_FILES  := $(shell find .ci installer testdata/scripts testdata/p11 testdata/xmlsec -type f \( -name '*.sh' -o -name run \) 2>/dev/null)

# A dist folder that somebody emptied is built again.
ifeq ($(wildcard $(EXT)/dist/demo/index.html),)
.PHONY: $(STAMPS)/ext
endif

.PHONY: all build package-again package-windows package-test-windows demo docs guide test test-go test-ext test-browser deps lint generate check check-format check-windows test-wine fuzz soak screenshots soak-algo bench bench-go package package-linux package-extension package-test release-check clean help

all: build ## the same as build

build: bin/persten bin/persten-desktop ## bin/persten and bin/persten-desktop, with the portal inside

demo: build ## build, then a demo token, the agent and a portal page in your browser (without a display: in the terminal)
	bin/persten demo $(DEMOFLAGS)

test: test-go test-ext test-browser ## everything: Go, the extension and SDK, then a real browser with a real token
	@mkdir -p $(STAMPS) && git rev-parse HEAD >$(STAMPS)/tested 2>/dev/null || true

test-go: deps-test $(STAMPS)/modules $(STAMPS)/ext xmlsec-gost pkijs ## Go tests
	go test -timeout 20m ./...

# A verifier of GOST XML signatures that is not ours. Without it (no network) the tests say how many cases they did not run.
.PHONY: xmlsec-gost
xmlsec-gost: | deps-test
	@testdata/xmlsec/xmlsec-gost.sh >/dev/null || echo 'xmlsec1 with GOST is not there; the tests go on without it' >&2

# A maker and verifier of CMS that is not ours, for RSA and ECDSA.
.PHONY: pkijs
pkijs: | deps-test
	@testdata/pkijs/install.sh || echo 'pkijs is not there; the tests go on without it' >&2

test-ext: deps-test $(STAMPS)/npm ## TypeScript types and unit tests of the extension and the SDK
	npm --prefix $(EXT) test

test-browser: deps-test build ## Chromium and Firefox ESR, the unpacked extension, SoftHSM, and the real window typed into
	CHROMIUM="$$($(DEPS) --browser)" PERSTEN_BIN="$(CURDIR)/bin/persten" PERSTEN_DESKTOP_BIN="$(CURDIR)/bin/persten-desktop" \
		npm --prefix $(EXT) run test:browser

deps: deps-test deps-windows $(STAMPS)/npm $(STAMPS)/modules ## install everything that build, test and check need

.PHONY: deps-build deps-test deps-windows deps-msi deps-wine deps-lint deps-soak deps-bench deps-package deps-package-test
deps-build:
	@$(DEPS) build
deps-test:
	@$(DEPS) build test
deps-msi:
	@$(DEPS) msi
deps-wine:
	@$(DEPS) wine
deps-windows:
	@$(DEPS) windows
deps-lint:
	@$(DEPS) lint
deps-soak:
	@$(DEPS) soak
deps-bench:
	@$(DEPS) bench
deps-package:
	@$(DEPS) build package
deps-package-test:
	@$(DEPS) build test package package-test

# go.sum and package-lock.json change rarely; a stamp newer than the file says that its downloads are done.
$(STAMPS)/modules: go.sum | deps-build
	@mkdir -p $(@D)
	@echo 'deps: Go modules of go.sum, if not here yet' >&2
	go mod download
	@touch $@

$(STAMPS)/npm: $(EXT)/package-lock.json | deps-build
	@mkdir -p $(@D)
	@echo 'deps: npm packages of $<: the TypeScript compiler, esbuild, the browser driver' >&2
	npm --prefix $(EXT) ci --no-audit --no-fund
	@touch $@

$(STAMPS)/tools: $(EXT)/tools/package-lock.json $(STAMPS)/npm
	@echo 'deps: npm packages of $<: what writes the reference and checks the extension' >&2
	npm --prefix $(EXT)/tools ci --no-audit --no-fund
	@touch $@

$(STAMPS)/ext: $(EXT_FILES) $(STAMPS)/npm
	npm --prefix $(EXT) run --silent build
	@mkdir -p $(@D)
	@touch $@

bin/persten: $(GO_FILES) go.mod $(STAMPS)/modules $(STAMPS)/ext | deps-build
	CGO_ENABLED=1 $(GOBUILD) -o $@ ./agent
	@touch $@

bin/persten-desktop: $(GO_FILES) go.mod $(STAMPS)/modules | deps-build
	CGO_ENABLED=1 $(GOBUILD) -o $@ ./agent/desktop
	@touch $@

generate: ## write again everything generated from proto/*.json, and the reference of all knobs in installer/ADMIN.md
	go run ./proto/gen
	go run ./internal/config/reference

docs: $(STAMPS)/tools ## the SDK's reference, in browserext/dist/docs
	$(EXT)/tools/node_modules/.bin/typedoc --options $(EXT)/sdk/typedoc.json

lint: deps-lint $(STAMPS)/tools $(STAMPS)/ext ## go vet, shellcheck, the TypeScript compiler, Mozilla's check of the extension
	go vet ./...
	shellcheck $(SH_FILES)
	npm --prefix $(EXT) run --silent check
	$(EXT)/tools/node_modules/.bin/web-ext lint --source-dir $(EXT)/dist/firefox

check: check-format lint check-windows ## what a reviewer need not look at: format, lint, layers, generated files, Windows
	go test -count=1 -run 'Layers|Owners|LinksNoGUI' .
	go run ./proto/gen -check
	go run ./internal/config/reference -check

check-format:
	@bad="$$(gofmt -l $$(find . -name '*.go' -not -path '*/node_modules/*'))"; \
		if [ -n "$$bad" ]; then echo "gofmt has changes for:"; echo "$$bad"; exit 1; fi

check-windows: deps-windows
	$(MINGW) go build -o /dev/null ./agent
	$(MINGW) go build -o /dev/null ./agent/desktop
	$(MINGW) go vet ./agent/... ./internal/...

test-wine: ## runs the Windows programs under wine: tests, planted libraries, a signature in the window, the service
	@$(DEPS) wine
	testdata/scripts/wine.sh

# UPDATE_ROOTS, UPDATE_URL, SIGN_CERT, SIGN_KEY and SIGN_TSA come from the environment, see installer/windows/main.go.
package-windows: deps-msi $(STAMPS)/modules $(STAMPS)/ext ## MSI packages for a machine and for one person, into PACKAGES (bin/package)
	SOURCE_DATE_EPOCH="$(SOURCE_DATE_EPOCH)" go run ./installer/windows -version '$(VERSION)' -out "$(PACKAGES)"

package-test-windows: package-windows deps-wine ## installs, uses, upgrades and removes the Windows packages under wine
	go run ./installer/windows -version v99.0.0 -out bin/windows/newer -work bin/windows/newer-work
	installer/windows/wine/test.sh "$(PACKAGES)" bin/windows/newer

fuzz: ## every fuzz target for FUZZTIME (30s)
	testdata/scripts/fuzz.sh $(FUZZTIME)

# The long forms (PERSTEN_LONG) of tests that make test runs shortened: every hostile string in every field, windows in both languages, 1,000
# accidents, 10,000 approvals, kills, gigabytes; and what holds only when nothing else runs, as the second in which a tray is back.
soak: deps-test deps-soak $(STAMPS)/ext ## the concurrent packages SOAKCOUNT (20) times under the race detector, then the long forms of all tests that have one
	testdata/p11/softhsm-gost.sh
	CGO_ENABLED=1 go test -race -count=$(SOAKCOUNT) -timeout 4h ./internal/ipc/... ./internal/rpc/... ./internal/token/... ./internal/signing/... ./internal/server/... ./internal/journal/... ./internal/fleet/... ./internal/ui ./internal/update
	PERSTEN_LONG=1 go test -count=1 -timeout 2h ./internal/fleet ./internal/ui/... ./internal/signing ./internal/server ./internal/cms
	PERSTEN_LONG=1 go test -count=1 -timeout 2h -p 1 -v ./agent ./agent/desktop

screenshots: deps-test $(STAMPS)/modules ## the windows, light and dark, at 100 and 200 %, in both languages, into agent/screenshots
	PERSTEN_SCREENSHOTS="$${PERSTEN_SCREENSHOTS:-.}" go test -count=1 -timeout 2h -run 'Screenshots$$' ./agent/desktop

guide: deps-test build ## follows the user guide (agent/guide) to the letter in a real desktop and takes its pictures
	PERSTEN_SCREENSHOTS="$(CURDIR)/agent/screenshots" PERSTEN_BIN="$(CURDIR)/bin/persten" PERSTEN_DESKTOP_BIN="$(CURDIR)/bin/persten-desktop" \
		npm --prefix $(EXT) run test:guide

soak-algo: deps-test ## GOST against gogost and OpenSSL, all cases, on both paths; timing; one key in 16 goroutines (an hour)
	PERSTEN_LONG=1 go test -count=1 -timeout 3h ./internal/algo/...
	PERSTEN_LONG=1 go test -count=1 -timeout 3h -tags purego ./internal/algo ./internal/algo/streebog
	CGO_ENABLED=1 PERSTEN_LONG=1 go test -race -count=1 -timeout 1h -run '^TestShared$$' ./internal/algo/gost3410

bench: deps-test deps-soak deps-bench $(STAMPS)/modules $(STAMPS)/ext ## Persten and others side by side, into BENCHMARKS.md (BENCHES='gost idle'); as root for all
	testdata/p11/softhsm-gost.sh
	go run ./internal/bench $(BENCHES)

bench-go: $(STAMPS)/modules ## Go benchmarks (BENCH=pattern)
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./internal/...

.PHONY: package-extension release-check
# EXTENSION_KEY is the RSA key that makes the extension's id, EXTENSION_URL the address of the folder its packages will lie in.
package-extension: $(STAMPS)/ext ## the extension for shops, with EXTENSION_URL and EXTENSION_KEY also for a server of one's own
	node $(EXT)/pack.mjs --out "$(PACKAGES)" $(if $(EXTENSION_URL),--url "$(EXTENSION_URL)") $(if $(EXTENSION_KEY),--key "$(EXTENSION_KEY)")

release-check: ## what must hold before VERSION is published; AGAIN is a folder with a second build of the packages
	go run ./installer/release check --version "$(VERSION)" --dir "$(PACKAGES)" $(if $(AGAIN),--again "$(AGAIN)")

package: package-linux package-windows package-extension ## everything people install, with checksums, into PACKAGES (bin/package)
	npm pack --silent --pack-destination "$(PACKAGES)" ./$(EXT)/dist/sdk >/dev/null
	cd "$(PACKAGES)" && find . -maxdepth 1 -type f -not -name SHA256SUMS -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum >SHA256SUMS

# The programs inside need glibc 2.28 at most, and the same sources give the same bytes.
package-linux: deps-package $(STAMPS)/modules $(STAMPS)/ext ## .deb and .rpm of persten and persten-desktop, with SBOM
	PACKAGE_VERSION="$(PACKAGE_VERSION)" SOURCE_DATE_EPOCH="$(SOURCE_DATE_EPOCH)" LINKED='$(LINKED)' installer/linux/package.sh "$(PACKAGES)"

package-test: deps-package-test $(STAMPS)/modules $(STAMPS)/ext ## as root: installs the packages in a Debian of its own (systemd-nspawn), signs, upgrades, removes; and the .rpm
	installer/test/packages.sh bin/package-test http://127.0.0.1:8081
	PERSTEN_PACKAGES="$(CURDIR)/bin/package-test/now" PERSTEN_PACKAGES_NEXT="$(CURDIR)/bin/package-test/next" go test -count=1 -v -timeout 1h ./installer/test

package-again: ## make package twice from copies of these sources in other folders, the second time without Go's cache: the same bytes
	installer/test/again.sh bin/again

clean: ## remove what was built (downloads stay)
	rm -rf bin
	find $(EXT)/dist -mindepth 1 -not -name .gitkeep -delete 2>/dev/null || true

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
