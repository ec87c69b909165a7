# Everything one does with this repository. `make` alone lists the targets.
SWIFT ?= swift
# Arguments of `make demo` and `make bench`, such as ARGS="--mbox mail.mbox.gz".
ARGS ?=
# Tests to run, such as FILTER=MailStoreTests; all by default.
FILTER ?=

# Warnings are errors in our targets only: SwiftPM compiles dependencies with warnings suppressed and drops the flag there, so
# switching between strict and plain builds compiles our own code again and nothing else.
STRICT := -Xswiftc -warnings-as-errors --explicit-target-dependency-import-check error
# Tests run at the same time: more only makes those that talk to real servers wait for a core.
TEST := SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=6 $(SWIFT) test --disable-xctest $(if $(FILTER),--filter $(FILTER))
FORMATTED := Package.swift Sources Tests
# Tests that start no other program of ours and need no nats-server: what the sanitizer can watch in reasonable time.
SANITIZED := MailModelTests|MailHeadersTests|HTTPTransportTests|MailStoreTests|MailSyncTests|MailDispatchTests\.Outbox

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup build test check check-deep demo bench format lint clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## install the system packages and the nats-server that are needed and missing
	@.ci/setup

build: setup ## build everything, for debugging
	$(SWIFT) build

test: setup ## run the tests (FILTER=… for some of them)
	$(TEST)

check: setup lint ## what CI runs: format, lint, warnings as errors, import directions, tests
	$(SWIFT) build --build-tests $(STRICT)
	$(TEST) --skip-build

check-deep: setup ## what takes longer: tests under the thread sanitizer, and mutations that tests must notice
	TSAN_OPTIONS="suppressions=$(CURDIR)/.ci/tsan.supp" .ci/without-address-randomisation \
		$(SWIFT) test --disable-xctest --scratch-path .build-tsan --sanitize thread --filter '$(SANITIZED)'
	$(SWIFT) build --build-tests
	MAILSYNC_LONG_TESTS=1 $(SWIFT) test --disable-xctest --skip-build --filter pollingReturnsWhenPushesAreSilent
	Tests/Mutations/run.sh

demo: setup ## watch a mailbox become events (ARGS="--mbox FILE", "--messages N")
	$(SWIFT) build --product mailsync
	@exec "$$($(SWIFT) build --show-bin-path)/mailsync" demo $(ARGS)

bench: setup ## measure, each figure beside its limit (ARGS="--help" for what can be chosen)
	$(SWIFT) run -c release Benchmarks $(ARGS)

format: ## format the sources in place
	$(SWIFT) format format --in-place --recursive --parallel $(FORMATTED)

lint: ## fail on sources that are not formatted or break a rule of .swift-format
	$(SWIFT) format lint --strict --recursive --parallel $(FORMATTED)

clean: ## remove what was built
	rm -rf .build .build-tsan
