# Everything runs in .venv, made on first use from the hashed locks. `make demo` and `make test` need git, make
# and Python 3.11+ with venv, nothing else.

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test serve check check-long check-mining bench revision lock clean
.DEFAULT_GOAL := help

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

# The stamp is written last: an interrupted installation starts again. With uv on the PATH it is quicker.
.venv/.stamp: requirements-dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@if command -v uv >/dev/null; then \
	  uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt \
	  && uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  $(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt \
	  && $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .; \
	fi
	@$(BIN)/python -m compileall -q src  # every command is a process: it need not be compiled each time
	@touch $@

demo: .venv/.stamp  ## a generated branch of 2,000 loans, a month of feeds, every state, the log verified
	@$(BIN)/casework demo

test: .venv/.stamp  ## the suite on SQLite and on a real PostgreSQL
	$(BIN)/python -m pytest -n 2 --dist worksteal

serve: .venv/.stamp  ## the API on the demo data
	@$(BIN)/casework serve --demo

check: .venv/.stamp  ## what CI runs
	@bash .ci/run

check-long: .venv/.stamp  ## the suite with many more generated examples
	CASEWORK_LONG=1 $(BIN)/python -m pytest -n 2 --dist worksteal
	$(BIN)/python -m tests.mining_check

check-mining: .venv/.stamp  ## pm4py, in an environment of its own, reads the exports for process mining
	$(BIN)/python -m tests.mining_check

bench: .venv/.stamp  ## benchmarks/RESULTS.md anew
	$(BIN)/python -m benchmarks

revision: .venv/.stamp  ## draft the next migration: make revision M="what it does"
	$(BIN)/python -m migrations.revise "$(M)"

lock:  ## pin the newest fitting versions with hashes (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --custom-compile-command 'make lock' pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --custom-compile-command 'make lock' -c requirements.txt pyproject.toml requirements-dev.in -o requirements-dev.txt

clean:  ## take away what was made here
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
