# `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help run test check simulate gen breaking up down clean bench faults

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# These start a dozen Envoys each: in one process, or the kernel's inotify instances run out.
ENVOYS := tests/local tests/mesh tests/authorizer tests/faults tests/journey
BASE ?= $(shell git rev-parse --verify --quiet main || echo HEAD)

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 12

.venv/ready: requirements/bootstrap.txt requirements/lock.txt pyproject.toml gen/pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/lock.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e gen -e .
	@touch $@

run: .venv/ready ## Bring the whole gateway up on this machine, make a card and a UPI payment, show them hop by hop
	@$(BIN)/florin run

up: .venv/ready ## Bring the gateway up and stay until Ctrl-C
	@$(BIN)/florin up

down: .venv/ready ## Stop the gateway
	@$(BIN)/florin down

test: check ## Check everything, then run the tests on real parts
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m real $(ENVOYS:%=--ignore=%)
	$(BIN)/python -m pytest -m "real or journey" $(ENVOYS)

check: .venv/ready ## Lint, types, contracts, structure, and the tests that need no parts; under a minute
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m mesh.contracts.generate --breaking $(BASE)
	$(BIN)/python -m pytest -q -n 2 -m "not real and not journey"

simulate: .venv/ready ## Live ten random seeds through in the deterministic simulation: time, network and crashes are simulated
	$(BIN)/python -m tests.simulation --seeds 10 --payments 300

gen: .venv/ready ## Write gen/ anew from proto/
	$(BIN)/python -m mesh.contracts.generate

breaking: .venv/ready ## Compare the contracts with those on main
	$(BIN)/python -m mesh.contracts.generate --breaking $(BASE)

bench: .venv/ready ## Measure one payment's way through the gateway that is up
	$(BIN)/florin bench latency

faults: .venv/ready ## Break one part after another under load, then prove the books: make faults SECONDS=600 SEED=1
	$(BIN)/python -m tests.faults $(SECONDS:%=--seconds %) $(SEED:%=--seed %)

clean: ## Stop the gateway and remove its state, the environment and every cache of this checkout, not the downloads
	@if [ -x $(BIN)/florin ]; then $(BIN)/florin down; fi
	rm -rf .florin .venv build gen/build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name '*.egg-info' -prune -exec rm -rf {} +
