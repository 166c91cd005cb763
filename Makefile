# Two commands do everything: `make build` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ANALYSER := converter/engines/kusto_analyser
BROWSER := tests/report/browser
ARGS ?=

.PHONY: build test lint proof verify setup clean

build: $(VENV)/.base
	$(BIN)/sigconv build $(ARGS)

test: setup lint
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

verify: setup
	$(BIN)/sigconv verify $(ARGS)

# Whole-corpus, thousand-stream and mutation runs; `make test` runs a fixed sample of each. What the first command
# has proven, the second does not run again. PROOF_RULES names further folders of rules.
proof: setup
	$(BIN)/python -m tests.proof.everything
	$(BIN)/pytest -n 2 --dist loadfile -m 'proof or not proof' $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: $(VENV)/.dev

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sigconv needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.base: pyproject.toml setup.py | $(VENV)/bin/python
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.dev: pyproject.toml setup.py $(ANALYSER)/package-lock.json $(BROWSER)/package-lock.json | $(VENV)/bin/python
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --editable '.[dev]'
	$(BIN)/python -m converter.engines.kusto_analyser.install
	$(BIN)/python $(BROWSER)/install.py
	touch $(VENV)/.base $@

clean:
	rm -rf $(VENV) build dist *.egg-info $(ANALYSER)/node_modules $(BROWSER)/node_modules
