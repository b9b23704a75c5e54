# Two commands on a fresh machine:
#
#   make demo    the core install and the main job on phantoms and on real images
#   make test    all that is tested, and all tests
#
# Both make .venv from constraints.txt first; a second call sets nothing up again.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
OUT ?= demo-output
WORKERS ?= 2
export ISOCENTER_SHARED ?= $(abspath ../shared)

# The first Python that fits and can make a virtual environment; PYTHON=... chooses another.
PYTHON ?= $(shell for p in python3 python3.12 python3.13 python3.11 python; do \
	if "$$p" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; \
	then command -v "$$p"; break; fi; done)

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
INPUTS := pyproject.toml constraints.txt

.PHONY: help demo test check lint types imports format docs gallery bench figures fuzz faults train-lungfields train-nuclei train-cord train-landmarks train-lesions train-sarcoma train-peers clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "isocenter needs Python 3.11, 3.12 or 3.13 with its venv module, and none was found on PATH:" >&2; \
		echo "install one (Debian and Ubuntu: apt install python3 python3-venv) or name it: make demo PYTHON=/path/to/python3.12" >&2; \
		exit 1; fi
	@echo "Setting up $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

# Each stamp is rewritten when pyproject.toml or constraints.txt is newer than it.
$(VENV)/.core: $(INPUTS) | $(BIN)/python
	@echo "Installing isocenter from constraints.txt (one to three minutes)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.test: $(INPUTS) | $(BIN)/python
	@echo "Installing isocenter and all that its tests use from constraints.txt (one to three minutes)"
	@$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.core

$(VENV)/.docs: $(INPUTS) | $(BIN)/python
	@$(PIP) --editable '.[docs]'
	@touch $@ $(VENV)/.core

demo: $(VENV)/.core ## set up the core and run the main job on phantoms and on real images
	@$(BIN)/isocenter demo -o $(OUT)

test: $(VENV)/.test ## set up all that is tested and run all tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: lint types imports ## everything that .ci/run asks besides the tests

lint: $(VENV)/.test ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.test ## mypy, strict
	@$(BIN)/mypy

imports: $(VENV)/.test ## who may import whom
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.test ## put every file into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(VENV)/.docs ## build the site into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html"

gallery: $(VENV)/.core ## make the filter gallery: docs/concepts/filter-gallery.md and its pictures
	@$(BIN)/python docs/gallery.py

bench: .venvs/bench/.ready ## compare with other packages, in an environment of its own (.venvs/bench)
	@for file in benchmarks/[a-z]*.py; do name=$$(basename "$$file" .py); \
		case "$$name" in common|worker) ;; *) echo; .venvs/bench/bin/python -m "benchmarks.$$name";; esac; done

figures: $(VENV)/.test ## score the ready-made segmenters over whole sets of shared data (five minutes)
	@$(BIN)/python -m benchmarks.segmenters $(ISOCENTER_SHARED)

.venvs/bench/.ready: $(INPUTS) benchmarks/peers.txt | $(BIN)/python
	@$(BIN)/python -m venv .venvs/bench
	@.venvs/bench/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --editable .
	@grep -v '^#' benchmarks/peers.txt | while read -r peer; do \
		.venvs/bench/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt "$$peer" \
		|| echo "$$peer could not be installed: its rows will say so"; done
	@touch $@

train-lungfields train-nuclei train-cord train-landmarks train-lesions train-sarcoma: train-%: $(VENV)/.test ## train and score on shared data, kept in .train (hours); SEEDS="0 1 2"
	@$(BIN)/python -m benchmarks.train.$* --seeds $(or $(SEEDS),0)

train-peers: .venvs/bench/.ready ## train beside nnU-Net and MONAI with equal CPU seconds, kept in .train/peers; BUDGET=120 SETS="lungfields nuclei"
	@.venvs/bench/bin/python -m benchmarks.train.peers --budget $(or $(BUDGET),300) --set $(or $(SETS),lungfields)

fuzz: $(VENV)/.test ## look at 100,000 mutated inputs and 20,000 of each container (an hour); COUNT=... and SEED=... change them
	@$(BIN)/python -m tests.fuzz --count $(or $(COUNT),100000) --seed $(or $(SEED),20261121) --keep fuzz-findings
	@for kind in video ismrmrd minc; do $(BIN)/python -m tests.fuzz --kind $$kind --count $(or $(COUNT),20000) --seed $(or $(SEED),20261121) --keep fuzz-findings || exit 1; done

faults: $(VENV)/.test ## fail every single write step of a run in turn (about ten minutes)
	@$(BIN)/python -m tests.jobs.faults

clean: ## remove everything that was built
	@rm -rf $(VENV) .venvs build dist site demo-output fuzz-findings .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
