# Guanxi. `make` alone tells what there is to do.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
UV     := 0.13.9

# How many processes run the tests: one more than there are processors, since some tests wait for a clock.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Each server that a test starts would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

LOCKED    := $(VENV)/.locked
INSTALLED := $(VENV)/.installed
GRAPHIQL  := app/graphiql/dist/index.html

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run test test-full test-clients test-browser lint schema lock bench bench-peers clean

help: ## Show this text
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(INSTALLED) $(GRAPHIQL) ## Make .venv with everything in it, and build GraphiQL

run: install ## Serve the API with demo data, at http://127.0.0.1:8000/graphql
	$(BIN)/guanxi migrate
	$(BIN)/guanxi demo
	$(BIN)/guanxi serve

test: install lint ## Lint, then run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-full: install ## Run the tests at full size
	GUANXI_TEST_SIZE=full $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-clients: install ## Run the recipes of docs/clients.md and GraphQL over HTTP's own audits, from npm
	$(BIN)/python -m tests.clients.audit.run
	$(BIN)/python -m tests.clients.run

# Not called test_*.py, so that `make test` needs no Chromium. With GUANXI_PICTURES=docs it makes those of docs anew.
test-browser: install ## Try GraphiQL in a Chromium without a network, and that a wheel has it
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/browser/graphiql.py tests/browser/wheel.py

lint: $(INSTALLED) ## Check style, types and floors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

schema: $(INSTALLED) ## Write schema/schema.graphql, the contract, from the code
	$(BIN)/guanxi schema > $(VENV)/schema.graphql
	mv $(VENV)/schema.graphql schema/schema.graphql

lock: $(LOCKED) ## Renew requirements.lock after a change of dependencies in pyproject.toml
	$(BIN)/python -m venv $(VENV)/uv
	$(VENV)/uv/bin/python -m pip install --quiet uv==$(UV)
	$(VENV)/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		--group test --group bench --group build --extra otel pyproject.toml --output-file requirements.lock

# SIZES=10k,100k,1M; BENCH="--rounds 5 --questions Q1,Q2"; python -m bench --help tells more.
SIZES ?= 10k,100k
BENCH ?=

bench: install ## Measure how fast it answers, beside what else one would write
	$(BIN)/python -m bench --sizes $(SIZES) $(BENCH)

bench-peers: install ## The same beside PostGraphile and mercurius; needs Node and npm
	$(BIN)/python -m bench --sizes $(SIZES) --peers $(BENCH)

clean: ## Remove what make has made; the database stays
	rm -rf $(VENV) build *.egg-info app/graphiql/dist app/graphiql/node_modules tests/clients/node_modules tests/clients/*/__generated__
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find app schema migrations tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(LOCKED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Guanxi needs Python 3.11 or newer. Name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "$(PYTHON) comes without venv or ensurepip. On Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@touch $@

$(INSTALLED): $(LOCKED) pyproject.toml
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(GRAPHIQL): $(wildcard app/graphiql/*.* app/graphiql/examples/*) app/graphiql/.npmrc | $(LOCKED)
	$(BIN)/python app/graphiql/build.py
	@touch $@
