# `make help` lists the targets. All a machine needs is Python 3.11 or newer, make and a package index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
COMPILE := pip-compile --quiet --strip-extras --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench reference wheel lock vendor clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(INSTALLED) ## make .venv with everything pinned, and lading in it

$(INSTALLED): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## the whole job against stand-ins of both APIs: no key, no network
	$(BIN)/lading demo

test: setup ## the tests
	$(BIN)/python -m pytest -n 4 --dist worksteal

lint: setup ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: setup ## how fast it is, as ratios (tests/bench/README.md)
	$(BIN)/python tests/bench/run.py

reference: setup ## make docs/reference/ of what the code says
	$(BIN)/python tools/reference.py

wheel: setup ## build dist/*.whl
	$(BIN)/python -m build --wheel --no-isolation

lock: ## pin the dependencies of pyproject.toml anew, at their newest
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet pip-tools==7.6.2
	build/lock/bin/$(COMPILE) --upgrade -o requirements/runtime.txt pyproject.toml
	build/lock/bin/$(COMPILE) --upgrade --extra dev -c requirements/runtime.txt -o requirements/dev.txt pyproject.toml

vendor: ## fetch the libraries of the site again, by version, and check their digests
	$(PYTHON) requirements/vendor.py

clean: ## remove what was built, and .venv
	rm -rf $(VENV) build dist target .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find cli tests -name __pycache__ -type d -prune -exec rm -rf {} +
