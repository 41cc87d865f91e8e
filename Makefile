# `make help` lists the targets. Each works from a fresh clone: it makes the virtual environment, installs what it
# needs and builds the extension, and none of that twice.

PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
RUST := $(shell find src -name '*.rs') Cargo.toml Cargo.lock pyproject.toml
CARGO_MODEL_CHECK := cargo test --locked --features model-check --lib model_check
CARGO_LINT := cargo clippy --locked --all-targets
# As many tests at a time as there are cores, four at the most; whoever has nothing left takes over from the other.
PYTEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal
SPHINX := $(BIN)/python -m sphinx --quiet --fail-on-warning -d docs/_build/doctrees
CARGO_SANITIZE := test --locked --target x86_64-unknown-linux-gnu --target-dir target/sanitize

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-quick compile lint check docs wheel bench study study-smoke sanitize sanitize-threads clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.built ## make a piece of music, show what the loss teaches, write warplens-demo/report.html
	$(BIN)/warplens demo

# TESTS holds options of pytest: TESTS="-n 0 -k bands" runs some tests in one process.
test: $(VENV)/.study compile ## run all tests; the last lines name what was skipped
	cargo test --locked
	$(CARGO_MODEL_CHECK)
	$(PYTEST) $(TESTS)

test-quick: $(VENV)/.study compile ## run all tests but those of the package that are marked slow
	cargo test --locked
	$(PYTEST) -m "not slow" $(TESTS)

# Side by side: the last part of the extension is optimized as one piece, on one core, and the tests need not wait.
compile: $(VENV)/.demo
	cargo test --locked --no-run & tests=$$!; \
	$(MAKE) --no-print-directory $(VENV)/.built; built=$$?; \
	wait $$tests && exit $$built

lint: $(VENV)/.test $(VENV)/.built ## check style, types, stubs and the Rust code, warnings as errors
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest warplens._core
	cargo fmt --check
	$(CARGO_LINT) -- -D warnings
	$(CARGO_LINT) --features python -- -D warnings

check: lint test ## lint and test

# From nothing each time: what examples print and draw is what the package does now.
docs: $(VENV)/.docs $(VENV)/.built ## build the documentation into docs/_build/html, run its examples and snippets
	rm -rf docs/_build docs/gallery docs/reference/generated
	$(SPHINX) -b html docs docs/_build/html
	$(SPHINX) -b doctest docs docs/_build/doctest
	@echo "docs/_build/html/index.html"

wheel: $(VENV)/.demo ## build the wheel (Python >= 3.11, any minor version) and the source distribution into dist/
	$(BIN)/maturin build --locked --release --sdist --out dist

# BENCH holds options of `python -m benches.python`; AEON=1 adds aeon, in an environment of its own.
bench: $(VENV)/.bench $(VENV)/.built $(AEON:%=$(VENV)/aeon/.installed) ## time kernels and whole calls (BENCH=--quick)
	cargo bench --locked $(if $(findstring --quick,$(BENCH)),-- --quick)
	$(BIN)/python -m benches.python $(AEON:%=--aeon $(VENV)/aeon/bin/python) $(BENCH)

# STUDY holds options of `python -m studies.mpe all`: --minutes 40 ends early; what is done is not done again.
study: $(VENV)/.study $(VENV)/.built ## train the networks of the study's table (fluidsynth and two soundfonts, Debian)
	$(BIN)/python -m studies.mpe all $(STUDY)

study-smoke: $(VENV)/.study $(VENV)/.built ## run every stage of the study on tones
	$(PYTEST) tests/python/studies

# Valgrind needs AVX2 of the machine and runs some thirty times slower: it sees the kernels, which hold the unsafe code.
# ThreadSanitizer needs a standard library that is built with it, so Debian's compiler, which comes with the sources, and
# the runtime of nightly. That asks for functions which glibc has only for old programs, and never calls them here.
DEBIAN_RUST := /usr/bin/rustc
DEBIAN_LIBRARY := /usr/lib/rustlib/src/rust/library/std
TSAN_RUNTIME = $(wildcard $(shell rustc +nightly --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/lib/librustc-nightly_rt.tsan.a)
TSAN_LINK = -Wl,--whole-archive $(TSAN_RUNTIME) -Wl,--no-whole-archive -lm -lc -lgcc_s -l:libc_nonshared.a \
	-Wl,--unresolved-symbols=ignore-all

sanitize: ## run the tests of the core under AddressSanitizer (cargo +nightly), valgrind (kernels, AVX2) and ThreadSanitizer
	RUSTFLAGS=-Zsanitizer=address cargo +nightly $(CARGO_SANITIZE)/address --lib --tests
	CARGO_PROFILE_DEV_OPT_LEVEL=1 \
	CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER='valgrind --quiet --error-exitcode=1' \
		cargo $(CARGO_SANITIZE)/valgrind --lib --test laws -- --test-threads 1 wavefront simd float32 threads
	$(MAKE) sanitize-threads

sanitize-threads: ## run the threads that share a pair under ThreadSanitizer
	@test -x $(DEBIAN_RUST) && test -d $(DEBIAN_LIBRARY) && test -n "$(TSAN_RUNTIME)" \
		|| { echo "needs Debian's packages rustc-web and rust-web-src (1.96), and rustup's nightly"; exit 1; }
	RUSTC=$(DEBIAN_RUST) RUSTC_BOOTSTRAP=1 \
	RUSTFLAGS='-Zsanitizer=thread -Zexternal-clangrt $(addprefix -Clink-arg=,$(TSAN_LINK))' \
		cargo $(CARGO_SANITIZE)/thread -Zbuild-std --lib -- --exact \
		kernel::wavefront::groups::tests::several_threads_give_the_bits_of_one

clean: ## remove what was built, the virtual environment included
	rm -rf $(VENV) target dist warplens-demo python/warplens/_core*.so docs/_build docs/gallery docs/reference/generated

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

$(VENV)/.study: requirements/study.txt requirements/test.txt requirements/demo.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/study.txt
	touch $@

$(VENV)/.docs: requirements/docs.txt requirements/test.txt requirements/demo.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/docs.txt
	touch $@

$(VENV)/.bench: requirements/bench.txt requirements/test.txt requirements/demo.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/bench.txt
	touch $@

$(VENV)/aeon/.installed: requirements/bench-aeon.txt | $(BIN)/python
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/bench-aeon.txt
	touch $@

$(VENV)/.built: $(RUST) $(VENV)/.demo
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --locked --release
	touch $@
