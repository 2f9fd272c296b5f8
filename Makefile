# Needs Python >= 3.11, git and make. Everything it creates is inside this clone; `make clean` removes it.

PYTHON ?= python3
UV ?= uv
UPGRADE ?=
ENGINE ?=
ARGS ?=
FORGES := --extra=github --extra=gitlab

.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-dagger test-tools lint format bench lock clean gone

BIN := .venv/bin
SOURCES := $(wildcard selfheal_ci pipelines benchmarks tests)
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-cache-dir

# Beside a python3 that is too old there may be a newer one; a PYTHON that was named is taken or refused.
PYTHONS := $(if $(filter python3,$(PYTHON)),python3 python3.11 python3.12 python3.13 python3.14,$(PYTHON))

# The stamp's name holds where the clone is: an environment that was copied or moved does not work, and is made anew.
READY := .venv/ready-$(shell pwd | cksum | cut -d' ' -f1)
GONE := $(shell $(BIN)/python -c '' 2>/dev/null || echo gone)

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 14

demo: $(READY) ## heal a small broken project, offline, without a key (ENGINE=dagger: in containers)
	@$(BIN)/selfheal demo $(if $(ENGINE),--engine $(ENGINE))

test: lint ## lint, then run the tests
	$(BIN)/pytest -q --numprocesses auto --maxprocesses 4 --ignore=tests/e2e/long $(ARGS)

test-long: $(READY) ## the end-to-end tests that take longer: odd trees, limits, every remedy
	$(BIN)/pytest -q --numprocesses auto --maxprocesses 4 tests/e2e/long $(ARGS)

test-dagger: $(READY) ## on a real Dagger engine: its contract, and the same verdicts as on this machine
	$(BIN)/pytest -q tests/contract/test_engine.py tests/e2e/long/test_same_verdict.py --dagger $(ARGS)

test-tools: $(READY) .venv-tools/ready ## the real tox, nox, hatch, uv and coverage start tests; the ledger in a real PostgreSQL
	PATH="$(CURDIR)/.venv-tools/bin:$$PATH" $(BIN)/pytest -q tests/tools/real_tools.py $(ARGS)
	SELFHEAL_TEST_POSTGRES=1 PATH="$(CURDIR)/.venv-tools/bin:$$PATH" $(BIN)/pytest -q tests/contract/test_ledger.py $(ARGS)

lint: $(READY) ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports --no-logo

format: $(READY) ## fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## what we claim about speed and healing
	$(BIN)/python -m benchmarks $(ARGS)

lock: ## write the files in locks/ anew; needs uv (UPGRADE=1: newest versions)
	@command -v $(UV) >/dev/null || { echo "make lock: needs uv; install it, or pass UV=/path/to/uv" >&2; exit 2; }
	set -e; for lock in "dev dev --extra=ledger $(FORGES)" "run run $(FORGES)" "run run-ledger --extra=ledger $(FORGES)"; do \
	  set -- $$lock; group=$$1; file=$$2; shift 2; \
	  $(UV) pip compile pyproject.toml --group $$group "$$@" --output-file locks/$$file.txt --quiet $(if $(UPGRADE),--upgrade) \
	      --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-config --no-cache --custom-compile-command "make lock"; \
	done

clean: ## remove everything that these commands made
	rm -rf .venv .venv-tools .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist build selfheal-out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml locks/dev.txt $(GONE)
	@set -e; \
	if [ -n "$(GONE)" ] || [ ! -e $(READY) ]; then \
	  for python in $(PYTHONS) none; do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
	  done; \
	  if [ "$$python" = none ]; then \
	    echo "selfheal-ci needs Python 3.11 or newer, and none of these is: $(PYTHONS)." >&2; \
	    echo "Install one, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; \
	    exit 2; \
	  fi; \
	  echo "Setting up .venv with $$("$$python" --version) (once, about half a minute)"; \
	  rm -rf .venv; \
	  "$$python" -m venv .venv || { \
	    rm -rf .venv; \
	    echo "'$$python -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; \
	    exit 2; \
	  }; \
	fi; \
	$(PIP) install --require-hashes -r locks/dev.txt; \
	$(PIP) install --no-deps --no-build-isolation --editable .; \
	touch $(READY)

.venv-tools/ready: tests/tools/requirements.txt $(READY)
	$(BIN)/python -m venv --clear .venv-tools
	.venv-tools/bin/python -m pip --quiet --disable-pip-version-check install -r tests/tools/requirements.txt
	touch $@
