# Two commands are enough: `make up` runs an instance, `make test` passes the tests.
.DEFAULT_GOAL := help
.PHONY: help up test check bench clean
MAKEFLAGS += --no-print-directory
export PYTHON
# Most of all they wait, so there are more processes than cores; the longest come first.
TESTS ?= tests/system tests/peers tests

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

# With setpriv a killed make takes the instance along, as Ctrl-C does.
up: ## Install what is missing, run the whole instance, keep its data in ./data
	@.ci/install requirements.lock
	@exec setpriv --pdeathsig TERM .venv/bin/daybook up

test: ## Pass the tests, on a PostgreSQL and a Valkey of their own
	@.ci/install requirements-dev.lock
	@.venv/bin/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(TESTS)

check: ## Format, lint, import rules, types, and the rules that tests guard
	@.ci/install requirements-dev.lock
	.venv/bin/ruff format --check --quiet
	.venv/bin/ruff check --quiet
	.venv/bin/lint-imports --no-cache
	.venv/bin/pyright
	.venv/bin/pytest --quiet tests/test_tidy.py

bench: ## Measure what must be fast, write bench/RESULTS.md and draw docs/load.svg
	@.ci/install requirements-dev.lock
	.venv/bin/python -m bench all
	.venv/bin/python -m bench.pictures

clean: ## Remove the virtual environment, the peers' packages and caches; data stays
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis tests/peers/node_modules
