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
ORACLES := $(BIN)/uv pip compile --generate-hashes --no-header -q
COMPILE := $(BIN)/uv pip compile --universal --generate-hashes --no-header -q --python-version 3.11 pyproject.toml

.PHONY: help demo test check bench bench-check drill faults fuzz docs oracles lock clean run-env dev-env oracles-env

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)$$/make \1|\2/p' Makefile | while IFS='|' read -r name text; do printf '%-12s %s\n' "$$name" "$$text"; done

demo: run-env ## Both simulated venues, the bot, a live view and a report (ARGS="--trades 5 --headless --json")
	@$(BIN)/deltawire demo $(ARGS)

test: dev-env oracles-env ## All tests (ARGS="tests/unit -k money")
	@$(BIN)/python -m pytest $(ARGS)

check: dev-env ## Lint, format, strict types, import direction
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# A record is drawn, by matplotlib; and it wants the clients we did not write, for comparison.
RECORDS := $(filter --record,$(ARGS))

bench: $(if $(RECORDS),dev-env oracles-env,run-env) ## Latency and throughput figures (ARGS="--json"; ARGS="--record" writes docs/benchmarks.md)
	@$(BIN)/deltawire bench $(ARGS)
	@$(if $(RECORDS),$(BIN)/python scripts/make_benchmarks_page.py)

bench-check: run-env ## Compare with the last record of make bench; exit 1 when a ratio got slower (ARGS="reaction")
	@$(BIN)/deltawire bench --check $(ARGS)

faults: run-env ## 10,000 seeds of the deterministic fault world (ARGS="--seeds 0..99 --jobs 2")
	@$(BIN)/deltawire faults --seeds 0..9999 $(ARGS)

fuzz: dev-env ## A million damaged frames for each codec (ARGS="--codec vest-ws --frames 50000 --seed 2")
	@$(BIN)/python -m tests.fuzz.run $(ARGS)

docs: dev-env ## The docs site, strictly, into site/ (.venv/bin/mkdocs serve shows it)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet $(ARGS)
	@echo "built site/index.html; to read with search: $(BIN)/mkdocs serve"

oracles: dev-env ## The clients we did not write, for their tests, after a try that failed
	@scripts/oracles.sh again

drill: run-env ## Kill the bot in mid-trade 200 times, then judge by the venues (ARGS="--kills 20 --seed 3")
	@$(BIN)/deltawire drill $(ARGS)

lock: dev-env ## Renew requirements/*.lock from pyproject.toml and requirements/*.in
	@$(COMPILE) --group install -o requirements/run.lock
	@$(COMPILE) --group dev -c requirements/run.lock -o requirements/dev.lock
	@$(ORACLES) --python-version 3.10 requirements/oracles.in -o requirements/oracles.lock
	@$(ORACLES) --python-version 3.11 --universal requirements/oracles-ccxt.in -o requirements/oracles-ccxt.lock

clean: ## Remove the environment and every cache
	@rm -rf .venv .venv-oracles .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

run-env:
	@scripts/bootstrap.sh run

dev-env:
	@scripts/bootstrap.sh dev

oracles-env: # Tests that need it skip without it, and say why
	@scripts/oracles.sh || true
