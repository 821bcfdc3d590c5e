# What CI does is what these targets do: see .ci/run.
SHELL := /bin/bash
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo v0.0.0-dev)
LDFLAGS := -s -w -X github.com/realm-mesh/realm/internal/kit/buildinfo.Version=$(VERSION)
TOOLS := $(CURDIR)/dist/tools
GOTESTSUM := $(TOOLS)/gotestsum
IPFS := $(TOOLS)/ipfs
GOLANGCI := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# The race detector needs a C compiler; without one the tests run without it, and say so.
RACE ?= $(if $(shell command -v $${CC:-cc} || command -v gcc),-race)

MODULES  := api internal/kit engine casd meshd runnerd gatewayd upgraded realm e2e
COMMANDS := realm casd meshd runnerd gatewayd upgraded
SAMPLES  := counter-file hello-cgi secret-reader shout ticker wasm-job
FOLDERS  := counter website
CSAMPLES := hello-http proxy
PACKAGES := $(MODULES:%=./%/...)

.DEFAULT_GOAL := help
.PHONY: help build samples testclock demo test check soak conformance lint bench bench-engine bench-components bench-store bench-http bench-jobs image mesh mesh-down clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build all commands into bin/
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ $(foreach c,$(COMMANDS),./$(c)/cmd/$(c))

samples: ## build the sample programs into samples/build/
	cd samples && GOWORK=off GOOS=wasip1 GOARCH=wasm $(GO) build -trimpath -ldflags '-s -w' -buildmode=c-shared -o build/double.wasm ./double
	cd samples && $(foreach s,$(SAMPLES),GOWORK=off GOOS=wasip1 GOARCH=wasm $(GO) build -trimpath -ldflags '-s -w' -o build/$(s).wasm ./$(s) &&) true
	@$(foreach s,$(FOLDERS),samples/package.sh $(s) &&) true
	@$(foreach s,$(CSAMPLES),samples/component.sh $(s) &&) true
	cd samples && GOWORK=off CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build -trimpath -ldflags '-s -w' -o build/arm64-job ./arm64-job
	cd samples && GOWORK=off CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o build/web-service ./web-service
	GOWORK=off $(GO) run samples/pack.go samples/build-job samples/build/build-job.tar.gz

testclock: # binaries whose clock a test can shift, into dist/testclock/
	@mkdir -p dist/testclock
	CGO_ENABLED=0 $(GO) build -trimpath -tags testclock -ldflags '$(LDFLAGS)' -o dist/testclock/ $(foreach c,$(COMMANDS),./$(c)/cmd/$(c))

demo: build samples ## start three nodes here, push a program, call it on another node (ARGS=--once to end by itself)
	$(GO) run ./e2e/cmd/demo --bin bin --samples samples/build $(ARGS)

# Tests of e2e wait for nodes more than they compute: four at once, on any machine.
E2E := -count=1 -parallel=4

# The results of e2e are never taken from the cache: what it drives is built outside of its sight.
test: build samples testclock $(GOTESTSUM) ## run every test that this machine can; REALM_TEST_REQUIRE=docker,… turns skips into failures
	@rm -rf dist/test && mkdir -p dist/test
	@test -n "$(RACE)" || echo "No C compiler here: the tests run without the race detector."
	@for m in $(MODULES); do echo "--- $$m"; (cd $$m && GOWORK=off $(GOTESTSUM) --format pkgname-and-test-fails --format-hide-empty-pkg \
		--hide-summary all --jsonfile $(CURDIR)/dist/test/$${m//\//-}.json -- $(RACE) $$([ $$m != e2e ] || echo $(E2E)) -timeout 40m ./...) || failed=1; done; \
	echo "--- all modules: what was skipped, and why; what failed"; \
	$(GOTESTSUM) --format none --raw-command -- cat dist/test/*.json && test -z "$$failed"

$(GOTESTSUM):
	GOBIN=$(TOOLS) $(GO) install gotest.tools/gotestsum@v1.13.0

check: ## what a reviewer's machine would say: gofmt, vet, each module alone, other platforms
	@out=$$(gofmt -l $(MODULES) samples); test -z "$$out" || { echo "gofmt would change:"; echo "$$out"; exit 1; }
	@for m in $(MODULES) samples; do echo "GOWORK=off $$m"; (cd $$m && export GOWORK=off && $(GO) vet ./... && $(GO) mod verify >/dev/null) || exit 1; done
	@for os in darwin windows; do for c in $(COMMANDS); do echo "build $$os/$$c"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=arm64 $(GO) build -o /dev/null ./$$c/cmd/$$c || exit 1; done; done

SOAK ?= 10m
FUZZ ?= $(SOAK)
# Folders of each module whose fuzz targets soak runs: the engine's, and all that read what jobs say.
FUZZED := engine:component,internal,meter,wasi api:. internal/kit:intent,policy,schedule realm:internal/jobfile \
	runnerd:internal/jobs,internal/native meshd:internal/records
soak: ## look for what the engine, jobs and runnerd take wrong, or do not give back, ten minutes each way (FUZZ=30000x SOAK=15s)
	@for m in $(FUZZED); do (cd $${m%%:*} && dirs=$${m#*:} && \
		for f in $$(grep -roE '^func Fuzz[A-Za-z0-9]+' --include='*_test.go' $${dirs//,/ } | sed 's|^\./||; s|[^/]*:func |:|' | sort); do \
			pkg=./$${f%:*}; echo "$${m%%:*} $$pkg $${f#*:}"; \
			GOWORK=off $(GO) test -run '^$$' -fuzz "^$${f#*:}$$" -fuzztime $(FUZZ) -fuzzminimizetime 5s $$pkg || exit 1; done) || exit 1; done
	cd engine && GOWORK=off $(GO) test -count=1 -timeout 60m -run 'TestMemoryStaysFlat|TestCacheStaysSmall' -v . -soak $(SOAK)
	cd runnerd && GOWORK=off $(GO) test -count=1 -timeout 60m -run TestManyPushesLeaveNothing -v ./internal/runnerd -soak $(SOAK)
	cd runnerd && GOWORK=off $(GO) test -count=1 -timeout 60m -run TestRequestsLeaveNothing -v ./internal/wasihttp -soak $(SOAK)
	cd runnerd && GOWORK=off $(GO) test -count=1 -timeout 60m -run TestMutants -v ./internal/wasihttp -mutants 2000 -seed $$RANDOM

conformance: ## run the cases of docs/CONFORMANCE.md, and write it
	cd engine && GOWORK=off $(GO) run ./component/conformance ../docs/CONFORMANCE.md

lint: ## run the pinned linter over every module
	$(GOLANGCI) run $(PACKAGES)

bench: bench-node bench-engine bench-components ## measure, and print the tables of docs/PERFORMANCE.md (but for the store's)

bench-node: build samples ## measure a node and a mesh, through the built binaries
	$(GO) run ./e2e/cmd/bench --bin bin --samples samples/build $(NODE)

bench-http: build samples ## measure HTTP beside net/http, a reverse proxy, and jco where it is (JCO=PROGRAM; HTTP="--rounds 3")
	$(GO) build -o dist/benchhttp ./e2e/cmd/benchhttp
	dist/benchhttp --bin bin --samples samples/build --jco "$(JCO)" $(HTTP)

bench-jobs: build samples ## measure jobs on five nodes beside realm run
	$(GO) run ./e2e/cmd/bench --bin bin --samples samples/build --jobs 500

bench-engine: ## measure the engine: calls, pauses, what meters cost beside wasmtime (needs a C compiler; METERS="--rounds 3")
	cd engine && GOWORK=off $(GO) test -run '^$$' -bench 'Fresh|Stopwatch' -benchtime 3s -cpu 1 .
	cd runnerd && GOWORK=off $(GO) test -run '^$$' -bench 'Tiny|Double' -benchtime 3s -cpu 1 ./internal/function
	cd engine && GOWORK=off $(GO) test -run '^$$' -bench BesideBusy -benchtime 3s .
	cd engine && GOWORK=off $(GO) test -run '^$$' -bench Pauses -benchtime 300x .
	cd engine/bench && GOWORK=off $(GO) run . $(METERS)

bench-components: ## measure components beside net/http, and beside jco where it is (JCO=PROGRAM; COMPONENTS="--only small --rounds 3")
	cd runnerd && GOWORK=off $(GO) run ./internal/wasihttp/bench $(COMPONENTS)

bench-store: build $(IPFS) ## measure the store beside openssl, cat, plain HTTP and kubo (ARGS="--only swarm"; --help tells all)
	$(GO) run ./e2e/cmd/benchstore --bin bin --ipfs $(IPFS) $(ARGS)

# It takes minutes, once. One of kubo's dependencies does not compile with later versions of Go.
$(IPFS): e2e/cmd/benchstore/kubo/go.mod
	cd $(<D) && GOWORK=off GOTOOLCHAIN=go1.25.8 $(GO) build -o $@ github.com/ipfs/kubo/cmd/ipfs

image: ## build the container image realm:dev, FROM scratch
	e2e/image.sh

mesh: samples image ## start six containers on two networks and say how to use them
	e2e/mesh.sh up

mesh-down: ## stop and remove the containers of make mesh
	e2e/mesh.sh down

clean: ## remove what was built
	rm -rf bin dist samples/build
