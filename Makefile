# Everything runs in .venv, made on first use from the hashed locks. `make demo` and `make test` need git, make
# and Python 3.11+ with venv, nothing else.

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
DIST ?= dist
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# In the virtual environment, with uv where it is on the PATH: it is quicker. On a terminal one sees it go on: uv shows it
# by itself, what pip says is put on one line. pip would compile on one core: `compiled` does it on all, afterwards.
install = if command -v uv >/dev/null; then uv pip install $(QUIET) --compile-bytecode --python $(BIN)/python $(1); \
  elif [ -t 2 ]; then set -o pipefail; $(BIN)/python -m pip install --no-compile --progress-bar off $(1) | $(ONE_LINE); \
  else $(BIN)/python -m pip install --no-compile --quiet $(1); fi
compiled = $(BIN)/python -m compileall -q -j 0 $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
QUIET = $$([ -t 2 ] || echo --quiet)
ONE_LINE = awk '{ printf "\r\033[K%.76s", $$0; fflush() } END { printf "\r\033[K" }' >&2
packages = $$(grep -c '^[a-z].*==' $(1)) packages
pin = uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
  --custom-compile-command 'make lock'

.PHONY: help demo test serve check check-long check-mining bench revision lock wheel screenshots notice clean
.DEFAULT_GOAL := help

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

# Stamps are written last: an interrupted installation starts again. The first is for what runs the service, its lock
# alone; what builds the package stands beside it for as long as that takes.
.venv/.run: requirements.txt requirements-build.txt pyproject.toml
	@echo "installing into .venv what runs the service: $(call packages,requirements.txt); half a minute, once" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@rm -rf .venv/.build
	@$(call install,--require-hashes -r requirements.txt)
	@$(call install,--require-hashes --target .venv/.build -r requirements-build.txt)
	@export PYTHONPATH="$(CURDIR)/.venv/.build"; $(call install,--no-deps --no-build-isolation -e .)
	@rm -rf .venv/.build
	@echo "compiling" >&2
	@$(compiled) src  # every command is a process: it need not be compiled each time
	@touch $@

.venv/.stamp: .venv/.run requirements-dev.txt
	@echo "installing into .venv what tests and checks need: $(call packages,requirements-dev.txt) in all" >&2
	@$(call install,--require-hashes -r requirements-dev.txt)
	@$(compiled)
	@touch $@

demo: .venv/.run  ## a generated branch of 2,000 loans, a month of feeds up to yesterday (TODAY=2024-07-01: another day), verified
	@echo "making the branch in demo/" >&2
	@$(BIN)/casework demo $(if $(TODAY),--today $(TODAY))

# Bytecode is kept wherever Python was told not to: pytest rewrites every file of tests otherwise, in each process anew.
test: .venv/.stamp  ## the suite on SQLite and on a real PostgreSQL
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 2 --dist worksteal

serve: .venv/.run  ## the demo, pages and API, on port 8000
	@$(BIN)/casework serve --demo

check: .venv/.stamp  ## what CI runs
	@bash .ci/run

check-long: .venv/.stamp  ## the suite with many more generated examples, types for TypeScript, and the month of real promises and contacts where it is here
	CASEWORK_LONG=1 $(BIN)/python -m pytest -n 2 --dist worksteal
	@feeds="$${CASEWORK_REAL_FEEDS:-../shared/data}"; if [ -d "$$feeds" ]; then CASEWORK_LONG=1 $(BIN)/python -m tests.real_promises "$$feeds" && CASEWORK_LONG=1 $(BIN)/python -m tests.real_calls "$$feeds"; \
	  else echo "real promises and contacts: skipped, CASEWORK_REAL_FEEDS names no folder here"; fi
	$(BIN)/python -m tests.mining_check
	$(BIN)/python -m tests.typescript

check-mining: .venv/.stamp  ## pm4py, in an environment of its own, reads the exports for process mining
	$(BIN)/python -m tests.mining_check

bench: .venv/.stamp  ## benchmarks/RESULTS.md anew
	$(BIN)/python -m benchmarks

revision: .venv/.stamp  ## draft the next migration: make revision M="what it does"
	$(BIN)/python -m migrations.revise "$(M)"

lock:  ## pin the newest fitting versions with hashes (needs uv)
	$(pin) pyproject.toml -o requirements.txt
	$(pin) requirements-build.in -o requirements-build.txt
	$(pin) -c requirements.txt pyproject.toml requirements-dev.in -o requirements-dev.txt

wheel: .venv/.run  ## dist/: the package, the lock that it runs with, and what installs them (deploy/README.md)
	@rm -rf $(DIST) && mkdir -p $(DIST)/.build/source
	@git ls-files -z src statecharts migrations pyproject.toml | xargs -0 cp --parents -t $(DIST)/.build/source
	@$(call install,--require-hashes --target $(DIST)/.build/with -r requirements-build.txt)
	@PYTHONPATH="$$(realpath $(DIST)/.build/with)" $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation \
	  -w $(DIST) $(DIST)/.build/source
	@rm -rf $(DIST)/.build && cp -r requirements.txt deploy docs/operations.md $(DIST)/
	@printf '[Service]\nEnvironment=CASEWORK_COMMIT=%s\n' "$$(git rev-parse --short=12 HEAD)" \
	  >$(DIST)/deploy/systemd/casework-.service.d/commit.conf
	@cd $(DIST) && find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs sha256sum >SHA256SUMS && grep whl SHA256SUMS

screenshots: .venv/.stamp  ## docs/screenshots anew: the main pages on the demo (needs Chromium and a Chinese font)
	$(BIN)/python -m tests.console.screenshots docs/screenshots

notice: .venv/.stamp  ## NOTICE.md anew: the licences of what the run-time lock pins
	$(BIN)/python -m supply.notice

clean:  ## take away what was made here
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
