# Everything a person types. The environment is .venv beside this file; scripts/bootstrap.sh keeps it equal to the locks.
# Recipes are silent and installing talks on stderr, so `make demo ARGS="--headless --json"` prints JSON alone on stdout.

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
# Another environment that happens to be active has no say here.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV
export PYTHON

ARGS ?=
BIN := .venv/bin
COMPILE := $(BIN)/uv pip compile --universal --generate-hashes --no-header -q --python-version 3.11 pyproject.toml

.PHONY: help demo test check bench fuzz lock clean run-env dev-env

help: ## Show this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)$$/make \1|\2/p' Makefile | while IFS='|' read -r name text; do printf '%-12s %s\n' "$$name" "$$text"; done

demo: run-env ## Both simulated venues, the bot, a live view and a report (ARGS="--trades 5 --headless --json")
	@$(BIN)/deltawire demo $(ARGS)

test: dev-env ## All tests (ARGS="tests/unit -k money")
	@$(BIN)/python -m pytest $(ARGS)

check: dev-env ## Lint, format, strict types, import direction
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: run-env ## Latency and throughput figures (ARGS="--json")
	@$(BIN)/deltawire bench $(ARGS)

fuzz: dev-env ## A million damaged frames for each codec (ARGS="--codec vest-ws --frames 50000 --seed 2")
	@$(BIN)/python -m tests.fuzz.run $(ARGS)

lock: dev-env ## Renew requirements/*.lock from pyproject.toml
	@$(COMPILE) --group install -o requirements/run.lock
	@$(COMPILE) --group dev -c requirements/run.lock -o requirements/dev.lock

clean: ## Remove the environment and every cache
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

run-env:
	@scripts/bootstrap.sh run

dev-env:
	@scripts/bootstrap.sh dev
