# Every command of this repository. `make help` lists the targets.
# GNU make 3.81 or newer; needs Go and git, nothing else: other tools are built on
# demand from their pins under tools/ into .tools/bin.

GO    ?= go
ARGS  ?=

TOP   := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
TOOLS := .tools/bin
LINT  := $(TOP)$(TOOLS)/golangci-lint

# The modules with code of ours. The ones under tools/ only pin versions.
MODULES := . test test/bench test/helm packaging/man

# go -race needs a C compiler on most systems. Where there is none, Go says so by
# CGO_ENABLED=0, and the tests run without it rather than not at all.
CGO  := $(shell $(GO) env CGO_ENABLED)
RACE := $(if $(filter 1,$(CGO)),-race)

# A tool built by another Go may refuse code that this Go accepts.
GOSTAMP := .tools/$(shell $(GO) env GOVERSION)

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# In order, even under -j: several test runs at once would compete for the cores.
.NOTPARALLEL:

##@ Every day

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "%s%s\n", (n++ ? "\n" : ""), substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: quick
quick: ## the inner loop: vet and unit tests of the main module (under two minutes)
	$(GO) vet ./...
	$(GO) test -short ./...

.PHONY: test
test: check race e2e ## everything that CI runs

.PHONY: demo
demo: ## a simulated ABS and the exporter on it; flags by ARGS='...'
	$(GO) run ./cmd/abs-exporter demo $(ARGS)

.PHONY: stack
stack: build $(TOOLS)/prometheus $(TOOLS)/alertmanager ## demo, Prometheus with the rules, Alertmanager; pages on the terminal
	cd test && $(GO) build -o $(TOP)$(TOOLS)/stack ./stack
	@exec $(TOOLS)/stack $(ARGS)

.PHONY: build
build: ## the binary, static, into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/abs-exporter ./cmd/abs-exporter

.PHONY: fmt
fmt: $(TOOLS)/golangci-lint ## format the code
	@for m in $(MODULES); do (cd $$m && $(LINT) fmt --config $(TOP).golangci.yml ./...) || exit 1; done

.PHONY: docs
docs: ## regenerate the sections of docs/ that are made from the code
	$(GO) test ./metrics ./cmd/abs-exporter/config ./collector/findings/catalogue ./alerts ./dashboards ./cmd/abs-exporter/assets ./cmd/abs-exporter/statusv1 -run Reference -count 1 -update
	$(GO) test ./collector/findings/planner -run Simulation -count 1 -update

.PHONY: chart
chart: $(TOOLS)/promtool ## the chart's copies of rules and dashboards, its README and the expected manifests
	cd test/helm && $(GO) test . -run 'Reference|Golden' -count 1 -update

.PHONY: deps
deps: ## bring go.mod and go.sum up to date after imports or versions changed
	$(GO) mod tidy
	cd test/bench && $(GO) mod tidy
	cd test/helm && $(GO) mod tidy
	cd test && $(GO) get -t ./...

##@ The steps of make test

.PHONY: check
check: tidy vet cross lint workflows ## every check that does not run the code

# Not in test/: tidying it requires modules that only Prometheus's own tests need and
# that not every proxy serves. A missing line fails its build all the same.
.PHONY: tidy
tidy: ## go.mod and go.sum say what the code needs, and what was downloaded is what go.sum says
	$(GO) mod verify
	$(GO) mod tidy -diff
	cd test/bench && $(GO) mod tidy -diff

.PHONY: vet
vet: ## go vet in every module
	@rc=0; for m in $(MODULES); do echo "go vet ($$m)"; (cd $$m && $(GO) vet ./...) || rc=1; done; exit $$rc

# What .goreleaser.yaml releases; a test compares. With its flags, so that both share Go's build cache.
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.PHONY: cross
cross: ## the main module compiles on every system that is released
	@rc=0; for p in $(PLATFORMS); do echo "go build ($$p)"; \
	  GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 $(GO) build -trimpath ./... || rc=1; done; exit $$rc

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## golangci-lint in every module, formatting too
	@rc=0; for m in $(MODULES); do echo "golangci-lint ($$m)"; (cd $$m && $(LINT) run --config $(TOP).golangci.yml ./...) || rc=1; done; exit $$rc

.PHONY: workflows
workflows: $(TOOLS)/actionlint ## actionlint on .github/workflows
	$(TOOLS)/actionlint

# make vet has what go test would vet once more, with and without the race detector.
TEST = $(GO) test -count 1 -vet=off

# The race detector takes ten times as long, so each test runs where it finds something. Packages
# that start no goroutine, in their tests neither, run without it. Of the others the tests run with
# it and -short, and those that -short leaves out or cuts short once more without both: they are the
# ones that mention testing.Short or the function long of their package.
PACKAGES   = $(patsubst github.com/abs-exporter/abs-exporter/%,./%,$(shell $(GO) list ./...))
GOROUTINES = '^[^/]*[[:space:]]go (func|[a-zA-Z.]+\()|"(sync|sync/atomic|testing/synctest|net/http|net/http/httptest|golang.org/x/sync/errgroup)"'
LONG       = 'testing\.Short\(\)|[^a-zA-Z]long\(t\)'
folders    = $(patsubst %/,%,$(sort $(dir $(shell grep -lE $(1) $(addsuffix /$(2),$(PACKAGES)) 2>/dev/null))))
CONCURRENT = $(call folders,$(GOROUTINES),*.go)
CUTSHORT   = $(filter $(CONCURRENT),$(call folders,$(LONG),*_test.go))
LONGTESTS  = $$(awk '/^func / { name = "" } /^func Test/ { name = $$2; sub(/\(.*/, "", name) } \
  name != "" && /testing\.Short\(\)|[^a-zA-Z]long\(t\)/ { printf "%s%s", bar, name; bar = "|" }' $(addsuffix /*_test.go,$(CUTSHORT)))

# The collector's tests take longest, so they are the first to start.
.PHONY: race
race: ## unit tests of the main module, those with goroutines under the race detector; docs are current
	$(if $(RACE),,@echo 'no C compiler: the race detector is off')
	$(TEST) $(RACE) -short -shuffle on -timeout 20m ./collector $(CONCURRENT)
	$(TEST) -timeout 20m -run "^($(LONGTESTS))$$" ./collector $(CUTSHORT)
	$(TEST) -shuffle on -timeout 20m $(filter-out $(CONCURRENT),$(PACKAGES))

# crash runs alone: its time runs 1,200 times as fast, so that a busy machine is late by hours. alerts,
# otlp and dashboards wait for real time, most of the time. What computes, or has no time to keep, runs
# meanwhile at the lowest priority.
WAITING   = ./alerts ./otlp ./dashboards
COMPUTING = ^(TestRules|TestTwoCopiesOfTheRules|TestAlertsOfAnOutage)$$
E2E       = $(TEST) -timeout 25m

.PHONY: e2e
e2e: $(TOOLS)/promtool $(TOOLS)/prometheus $(TOOLS)/alertmanager $(TOOLS)/amtool $(TOOLS)/otelcol ## end-to-end tests with real Prometheus, Alertmanager and Collector (module test/)
	cd test && $(E2E) ./crash
	cd test; \
	(nice -n 19 $(E2E) ./churn && nice -n 19 $(E2E) -run '$(COMPUTING)' ./alerts) & one=$$!; \
	(nice -n 19 $(E2E) $$($(GO) list ./... | grep -vE '/(alerts|otlp|dashboards|crash|churn)$$') && \
	  cd bench && nice -n 19 $(E2E) ./... && cd ../helm && nice -n 19 $(E2E) ./...) & two=$$!; \
	$(E2E) -p 3 -skip '$(COMPUTING)' $(WAITING); failed=$$?; \
	wait $$one || failed=1; wait $$two || failed=1; exit $$failed

##@ Releases

RELEASE := .tools/release

# What a release has beside the binary. GoReleaser calls it.
.PHONY: release-files
release-files: ## the manual page and the completions of shells, into .tools/release
	@rm -rf $(RELEASE) && mkdir -p $(RELEASE)
	cd packaging/man && $(GO) run . ../../docs/configuration.md >$(TOP)$(RELEASE)/abs-exporter.1
	gzip -9n $(RELEASE)/abs-exporter.1
	@for s in bash zsh fish; do $(GO) run ./cmd/abs-exporter completion $$s >$(RELEASE)/abs-exporter.$$s || exit 1; done

.PHONY: release-notes
release-notes: ## the section of CHANGELOG.md for the version TAG=v1.2.3
	@awk -v v="$(TAG:v%=%)" '/^## /{on = $$2 == v; next} on{print; if (/^- /) n++} \
	  END{if (!n) {print "CHANGELOG.md has no lines for version " v >"/dev/stderr"; exit 1}}' CHANGELOG.md

.PHONY: release-dry-run
release-dry-run: $(TOOLS)/goreleaser $(TOOLS)/cyclonedx-gomod ## all that a release has, into dist/; nothing is published
	$(TOOLS)/goreleaser check
	PATH="$(TOP)$(TOOLS):$$PATH" $(TOOLS)/goreleaser release --snapshot --clean

.PHONY: release
release: $(TOOLS)/goreleaser $(TOOLS)/cyclonedx-gomod ## publish the tag TAG=v1.2.3 as a draft; needs GITHUB_TOKEN
	@$(MAKE) --no-print-directory release-notes TAG=$(TAG) >.tools/release-notes.md
	PATH="$(TOP)$(TOOLS):$$PATH" $(TOOLS)/goreleaser release --clean --release-notes .tools/release-notes.md

.PHONY: test-packages
test-packages: release-dry-run ## the packages are installed in a scratch root, and run by the command of their unit; needs dpkg, and rpm for the rpm
	cd test && DIST=$(TOP)dist $(GO) test -count 1 -v ./packages

##@ With more than Go, git and make

.PHONY: test-kubernetes
test-kubernetes: $(TOOLS)/kube-apiserver $(TOOLS)/kubectl-validate $(TOOLS)/helm3 $(TOOLS)/helm4 ## the chart against a real API server, with Helm 3 and 4; needs etcd
	cd test/helm && TEST_KUBERNETES=1 $(GO) test . -run TestKubernetes -count 1 -timeout 30m -v

.PHONY: test-image
test-image: ## the container image, built and run; needs root, buildah, podman and runc
	GO='$(GO)' sh tools/image/test-image.sh

##@ Now and then

.PHONY: vulncheck
vulncheck: $(TOOLS)/govulncheck ## known vulnerabilities in what the binary calls; asks vuln.go.dev
	$(TOOLS)/govulncheck ./...

FUZZTIME ?= 10m
FUZZPKGS ?= abs/reports cmd/abs-exporter/config collector collector/findings/catalogue collector/fold collector/tokenid metrics test/bench/readers

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (10m), in FUZZPKGS (all packages that have some)
	@for p in $(FUZZPKGS); do \
	  targets=$$(cd $$p && $(GO) test -list '^Fuzz' . | grep '^Fuzz') || { echo "no fuzz target in $$p" >&2; exit 1; }; \
	  for f in $$targets; do \
	    echo "$$p $$f"; (cd $$p && $(GO) test . -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s) || exit 1; \
	  done; \
	done

SOAK ?= 1h

.PHONY: soak
soak: ## the binary for SOAK (1h) against an ABS of 20,000 tokens that fails in every way: what it holds stays the same
	cd test && $(GO) test . -run TestSoak -count 1 -timeout 0 -v -args -soak=$(SOAK)

RUNS ?= 500

.PHONY: properties
properties: ## the property tests of counting with RUNS (500) runs each, the model with ten times as many
	$(GO) test ./collector/ledger -run TestModel -count 1 -timeout 0 -args -model.runs=$(RUNS)0
	$(GO) test ./collector -run TestEachRequestOnce -count 1 -timeout 0 -args -property.runs=$(RUNS)

DAYS ?= 365

.PHONY: year
year: ## the collector for DAYS (365) of virtual time, with outages, reloads and changes of the clock
	$(GO) test ./collector -run TestYear -count 1 -timeout 0 -v -args -year.days=$(DAYS)

.PHONY: bench
bench: ## the exporter and other programs for the same work: a table of medians; flags by ARGS='...'
	cd test/bench && $(GO) build -o $(TOP)$(TOOLS)/bench .
	@$(TOOLS)/bench $(ARGS)

# The commit that benchstat compares this checkout with, which benchmarks, and how often each runs.
BASE  ?= HEAD
BENCH ?= .
COUNT ?= 6

.PHONY: benchstat
benchstat: $(TOOLS)/benchstat ## the Go benchmarks here and at the commit BASE (HEAD), side by side; some by BENCH
	@git worktree remove --force .tools/base 2>/dev/null; git worktree prune
	git worktree add --detach .tools/base $(BASE)
	cd .tools/base && $(GO) test ./... -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) >$(TOP).tools/base.txt
	$(GO) test ./... -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) >.tools/here.txt
	@git worktree remove --force .tools/base
	@$(TOOLS)/benchstat .tools/base.txt .tools/here.txt

# These need npm, Node 20 and Chromium, so make test does not run them. What they share is a month of
# history, made in virtual time by the exporter's own code, and Grafana's packages from npm.
GRAFANA  := .tools/grafana
HISTORY  := .tools/history
BOARDS   ?= $(TOP)dashboards
CHROMIUM ?= /usr/bin/chromium
export CHROMIUM

.PHONY: test-grafana
test-grafana: $(TOOLS)/prometheus $(GRAFANA)/dist/index.html $(HISTORY)/history.json ## the dashboards (or BOARDS=dir) with Grafana's own code: cells, variables, sums; UPDATE=1 writes the cells
	cd $(GRAFANA) && node schema.mjs $(BOARDS) dashboards.check.ts && npx tsc -p .
	cd $(GRAFANA) && PROMETHEUS=$(TOP)$(TOOLS)/prometheus HISTORY=$(TOP)$(HISTORY) BOARDS=$(BOARDS) GOLDEN=$(TOP)tools/grafana/golden node --test check.mjs

.PHONY: pictures
pictures: $(TOOLS)/prometheus $(GRAFANA)/dist/index.html $(HISTORY)/history.json ## the dashboards, drawn in Chromium from the same history, into docs/pictures
	cd $(GRAFANA) && node shoot.mjs $(TOP)$(TOOLS)/prometheus $(TOP)$(HISTORY) $(BOARDS) $(TOP)docs/pictures

# Not npm ci: it refuses a lock without the native packages of all systems, which npm leaves out.
# Grafana's packages name older versions of React and of Node than work.
$(GRAFANA)/dist/index.html: $(wildcard tools/grafana/*.*)
	@mkdir -p $(GRAFANA)
	cp $(wildcard tools/grafana/*.*) $(GRAFANA)/
	cd $(GRAFANA) && npm install --no-audit --no-fund --legacy-peer-deps && node build.mjs

$(HISTORY)/history.json: $(wildcard test/history/*.go) $(wildcard collector/*.go) $(wildcard metrics/*.go)
	rm -rf $(HISTORY) && mkdir -p $(HISTORY)
	cd test && $(GO) test ./history -run TestHistory -count 1 -timeout 60m -args -history.dir=$(TOP)$(HISTORY)

.PHONY: tools
tools: $(TOOLS)/golangci-lint $(TOOLS)/actionlint $(TOOLS)/promtool $(TOOLS)/prometheus $(TOOLS)/alertmanager $(TOOLS)/amtool $(TOOLS)/otelcol ## build the pinned tools into .tools/bin

.PHONY: clean
clean: ## remove what make made: bin/, dist/ and .tools/
	rm -rf bin dist .tools

# --- the pinned tools -------------------------------------------------------------
# Built again when their pin or the Go version changes. Without cgo and with -trimpath
# Go's build cache serves every checkout.

$(GOSTAMP):
	@mkdir -p .tools && rm -f .tools/go* && touch $@

$(TOOLS)/golangci-lint: tools/golangci-lint/go.mod tools/golangci-lint/go.sum $(GOSTAMP)
	cd tools/golangci-lint && CGO_ENABLED=0 $(GO) build -trimpath -o $(TOP)$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# Without service discoveries: nothing here needs them, and they are most of it.
$(TOOLS)/promtool $(TOOLS)/prometheus: tools/prometheus/go.mod tools/prometheus/go.sum $(GOSTAMP)
	cd tools/prometheus && CGO_ENABLED=0 $(GO) build -trimpath -tags remove_all_sd -o $(TOP)$@ github.com/prometheus/prometheus/cmd/$(notdir $@)

# Two modules, as no single version builds both.
$(TOOLS)/alertmanager: tools/alertmanager/go.mod tools/alertmanager/go.sum $(GOSTAMP)
	cd tools/alertmanager && CGO_ENABLED=0 $(GO) build -trimpath -o $(TOP)$@ github.com/prometheus/alertmanager/cmd/alertmanager

$(TOOLS)/amtool: tools/alertmanager/amtool/go.mod tools/alertmanager/amtool/go.sum $(GOSTAMP)
	cd tools/alertmanager/amtool && CGO_ENABLED=0 $(GO) build -trimpath -o $(TOP)$@ github.com/prometheus/alertmanager/cmd/amtool

# Its version is that of a release; without it, charts that require one refuse it.
$(TOOLS)/kube-apiserver: tools/kubernetes/go.mod tools/kubernetes/go.sum $(GOSTAMP)
	cd tools/kubernetes && CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$$($(GO) list -m -f '{{.Version}}' k8s.io/kubernetes)" -o $(TOP)$@ k8s.io/kubernetes/cmd/kube-apiserver

$(TOOLS)/kubectl-validate: tools/kubernetes/validate/go.mod tools/kubernetes/validate/go.sum $(GOSTAMP)
	cd tools/kubernetes/validate && CGO_ENABLED=0 $(GO) build -trimpath -o $(TOP)$@ sigs.k8s.io/kubectl-validate

$(TOOLS)/helm3: tools/kubernetes/helm3/go.mod tools/kubernetes/helm3/go.sum $(GOSTAMP)
	cd tools/kubernetes/helm3 && CGO_ENABLED=0 $(GO) build -trimpath -o $(TOP)$@ helm.sh/helm/v3/cmd/helm

$(TOOLS)/helm4: tools/kubernetes/helm4/go.mod tools/kubernetes/helm4/go.sum $(GOSTAMP)
	cd tools/kubernetes/helm4 && CGO_ENABLED=0 $(GO) build -trimpath -o $(TOP)$@ helm.sh/helm/v4/cmd/helm

$(TOOLS)/benchstat: tools/benchstat/go.mod tools/benchstat/go.sum $(GOSTAMP)
	cd tools/benchstat && CGO_ENABLED=0 $(GO) build -trimpath -o $(TOP)$@ golang.org/x/perf/cmd/benchstat

$(TOOLS)/goreleaser: tools/goreleaser/go.mod tools/goreleaser/go.sum $(GOSTAMP)
	cd tools/goreleaser && CGO_ENABLED=0 $(GO) build -trimpath -o $(TOP)$@ github.com/goreleaser/goreleaser/v2

$(TOOLS)/actionlint: tools/actionlint/go.mod tools/actionlint/go.sum $(GOSTAMP)
	cd tools/actionlint && CGO_ENABLED=0 $(GO) build -trimpath -o $(TOP)$@ github.com/rhysd/actionlint/cmd/actionlint

$(TOOLS)/govulncheck: tools/govulncheck/go.mod tools/govulncheck/go.sum $(GOSTAMP)
	cd tools/govulncheck && CGO_ENABLED=0 $(GO) build -trimpath -o $(TOP)$@ golang.org/x/vuln/cmd/govulncheck

$(TOOLS)/cyclonedx-gomod: tools/cyclonedx-gomod/go.mod tools/cyclonedx-gomod/go.sum $(GOSTAMP)
	cd tools/cyclonedx-gomod && CGO_ENABLED=0 $(GO) build -trimpath -o $(TOP)$@ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

# The output of the Collector's own builder for builder.yaml is in git, so that this needs no builder.
$(TOOLS)/otelcol: $(wildcard tools/otelcol/*.go) tools/otelcol/go.mod tools/otelcol/go.sum $(GOSTAMP)
	cd tools/otelcol && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $(TOP)$@ .
