# `make help` lists the targets. Each works from a fresh clone: it makes the virtual environment, installs what it
# needs and builds the extension, and none of that twice.

PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
RUST := $(shell find src -name '*.rs') Cargo.toml Cargo.lock pyproject.toml
CARGO_MODEL_CHECK := cargo test --locked --features model-check --lib model_check
CARGO_LINT := cargo clippy --locked --all-targets
# As many tests at a time as there are cores, four at the most; whoever has nothing left takes over from the other. A test
# that hangs ends its process with the traceback of every thread, and the others go on.
PYTEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist worksteal --timeout 900 --timeout-method thread
SPHINX := $(BIN)/python -m sphinx --quiet --fail-on-warning -d docs/_build/doctrees
CARGO_SANITIZE := test --locked --target x86_64-unknown-linux-gnu --target-dir target/sanitize

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-quick compile lint check docs wheels wheel-arm64 smoke-arm64 test-arm64 licenses citation bench study study-smoke sanitize sanitize-threads clean

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

# Side by side: neither keeps all cores busy to its end.
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
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet .github/workflows

check: lint test ## lint and test

# From nothing each time: what examples print and draw is what the package does now.
docs: $(VENV)/.docs $(VENV)/.built ## build the documentation into docs/_build/html, run its examples and snippets
	rm -rf docs/_build docs/gallery docs/reference/generated
	$(SPHINX) -b html docs docs/_build/html
	$(SPHINX) -b doctest docs docs/_build/doctest
	@echo "docs/_build/html/index.html"

# As old a glibc as the wheels name (2.17), for which zig links. rustup has no target for ARM here, Debian's compiler has.
MATURIN_WHEEL = PATH="$(abspath $(VENV)/wheels/bin):$(1)$$PATH" maturin build --locked --release --zig \
	--compatibility manylinux2014 --out dist
WHEELS_BIN := $(VENV)/wheels/bin

wheels: $(VENV)/wheels/.installed ## build wheels for Linux on x86_64 and ARM and the source distribution into dist/, and inspect them
	rm -rf dist
	$(call MATURIN_WHEEL,) --sdist
	$(MAKE) --no-print-directory wheel-arm64
	$(WHEELS_BIN)/twine check --strict dist/*
	$(WHEELS_BIN)/check-wheel-contents --toplevel warplens,warplens_command dist/*.whl
	$(WHEELS_BIN)/abi3audit --strict dist/*.whl
	$(WHEELS_BIN)/auditwheel show dist/*x86_64.whl
	$(WHEELS_BIN)/auditwheel show dist/*aarch64.whl
	$(PYTHON) -m venv --clear target/wheel-venv
	target/wheel-venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements/demo.txt \
		dist/*x86_64.whl
	target/wheel-venv/bin/python tests/wheel/smoke.py
	$(ARM64_PYTHON) tests/wheel/smoke.py

wheel-arm64: $(VENV)/wheels/.installed
	tests/arm64/packages.sh
	$(call MATURIN_WHEEL,/usr/bin:) --target aarch64-unknown-linux-gnu
	tests/arm64/python.sh target/arm64 $(WHEELS_BIN)/pip --constraint requirements/test.txt dist/*aarch64.whl pytest hypothesis

# Whether the lanes of ARM work shows in a wheel that is built in a hurry too, by Debian's compiler and linker alone.
ARM64_PYTHON := target/arm64/python
ARM64_IN_A_HURRY := CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=64 \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=qemu-aarch64

smoke-arm64: $(VENV)/.demo ## use a wheel for 64-bit ARM under qemu, one built in a hurry (Debian's packages)
	tests/arm64/packages.sh
	rm -rf target/arm64/dist
	PATH="$(abspath $(BIN)):/usr/bin:$$PATH" $(ARM64_IN_A_HURRY) CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
		maturin build --locked --release --target aarch64-unknown-linux-gnu --target-dir target/arm64/smoke \
		--compatibility linux --out target/arm64/dist
	tests/arm64/python.sh target/arm64 $(BIN)/pip --constraint requirements/demo.txt target/arm64/dist/*.whl
	$(ARM64_PYTHON) tests/wheel/smoke.py

# The tests of the kernels, then an installed wheel. ARM64_TESTS=tests/python/core runs the tests of a folder too (minutes):
# those of fork and of memory limits are beyond qemu.
test-arm64: wheel-arm64 ## run the kernel tests and a wheel for 64-bit ARM under qemu (Debian's packages)
	PATH="/usr/bin:$$PATH" $(ARM64_IN_A_HURRY) \
		cargo test --locked --release --target aarch64-unknown-linux-gnu --target-dir target/arm64/cargo --lib -- \
		kernel simd scaled plan family
	$(ARM64_PYTHON) tests/wheel/smoke.py
	$(if $(ARM64_TESTS),$(ARM64_PYTHON) -m pytest -p no:cacheprovider -m "not slow" \
		-k "not fork and not memory and not exactness" $(ARM64_TESTS))

licenses: ## write the licences of third parties anew (cargo install cargo-about)
	cargo about generate --locked --features python --config licenses/about.toml licenses/template.hbs \
		> licenses/THIRD_PARTY_LICENSES.md

citation: $(VENV)/citation/.installed ## check CITATION.cff
	$(VENV)/citation/bin/cffconvert --validate

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

# Environments of their own: $(VENV)/<name> by requirements/<file>.
define OWN_ENVIRONMENT
$(VENV)/$(1)/.installed: requirements/$(2).txt | $(BIN)/python
	$(PYTHON) -m venv $$(@D)
	$$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $$<
	touch $$@
endef
$(eval $(call OWN_ENVIRONMENT,aeon,bench-aeon))
$(eval $(call OWN_ENVIRONMENT,wheels,wheels))
$(eval $(call OWN_ENVIRONMENT,citation,citation))

$(VENV)/.built: $(RUST) $(VENV)/.demo
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --locked --release
	touch $@
