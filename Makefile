# `make help` lists the targets. Each works from a fresh clone: it makes the virtual environment, installs what it
# needs and builds the extension, and none of that twice.

PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
RUST := $(shell find src -name '*.rs') Cargo.toml Cargo.lock pyproject.toml
CARGO_LINT := cargo clippy --locked --all-targets

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint check wheel clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.built ## make a piece of music, show what the loss teaches, write warplens-demo/report.html
	$(BIN)/warplens demo

test: $(VENV)/.test $(VENV)/.built ## run the tests of the core and of the package; the last lines name what was skipped
	cargo test --locked
	$(BIN)/python -m pytest

lint: $(VENV)/.test $(VENV)/.built ## check style, types, stubs and the Rust code, warnings as errors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest warplens._core
	cargo fmt --check
	$(CARGO_LINT) -- -D warnings
	$(CARGO_LINT) --features python -- -D warnings

check: lint test ## lint and test

wheel: $(VENV)/.demo ## build the wheel (Python >= 3.11, any minor version) and the source distribution into dist/
	$(BIN)/maturin build --locked --release --sdist --out dist

clean: ## remove what was built, the virtual environment included
	rm -rf $(VENV) target dist warplens-demo python/warplens/_core*.so

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "warplens needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: requirements/demo.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/demo.txt
	touch $@

$(VENV)/.test: requirements/test.txt requirements/demo.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/test.txt
	touch $@

$(VENV)/.built: $(RUST) $(VENV)/.demo
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --locked --release
	touch $@
