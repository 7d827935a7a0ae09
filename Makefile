# make run: from a fresh clone to a served wallet. make test: everything. Done work is skipped.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq install --no-compile
ASSETS := web/static/vendor/.fetched

# A dozen processes import the same modules: compiled once, whatever the caller's habits.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test check bench clean

help:
	@echo "make run    serve the wallet with demo data on http://localhost:8000"
	@echo "make test   all checks and all tests, in a browser too"
	@echo "make check  the fast static part"
	@echo "make bench  the benchmarks, as ratios"
	@echo "make clean  remove what was made here, data included"

run: $(VENV)/.runtime $(ASSETS)
	@exec $(BIN)/yipay up --demo $(ARGS)

test: check $(ASSETS)
	@$(BIN)/python -m e2e.browser
	@$(BIN)/python -m tests.everything

check: $(VENV)/.development
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo > $(VENV)/imports.txt || { cat $(VENV)/imports.txt; false; }

bench: $(VENV)/.development $(ASSETS)
	@$(BIN)/python -m tests.bench $(ARGS)

clean:
	rm -rf $(VENV) var artefacts web/node_modules web/static/vendor web/fonts *.egg-info
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "yipay: Python 3.11 or newer is needed; set PYTHON=…" >&2; exit 1; }
	@echo "virtual environment …"
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "yipay: python3 -m venv does not work; install the package python3-venv" >&2; exit 1; }

$(VENV)/.runtime: requirements.txt pyproject.toml | $(BIN)/python
	@echo "locked packages …"
	@$(PIP) --require-hashes -r requirements.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.development: requirements-dev.txt $(VENV)/.runtime
	@echo "locked packages for development …"
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

$(ASSETS): web/package.json web/package-lock.json web/assets.py $(VENV)/.runtime
	@echo "browser assets …"
	@$(BIN)/python -m web.assets
	@touch $@
