# Needs Python 3.11 or newer with venv, make and git; everything else is installed below .venv, .venv-tools and .tox.

ifndef PYTHON
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$python"; break; }; \
	done)
endif

# What is installed is compiled when it is imported, not before: most of it never is, and compiling MLflow takes a minute.
export PIP_COMPILE := 0

TOX := .venv-tools/bin/tox
CHECKS := lint types layers bare sdk-0.40 tests package

.DEFAULT_GOAL := help
.PHONY: help demo test deep bench load clean python $(CHECKS)

help: ## show this list
	@echo "Targets:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@echo "One check by itself: make lint | types | layers | bare | sdk-0.40 | tests | package"

demo: .venv/.installed ## install into .venv and watch an endpoint live through a working day
	.venv/bin/servesim demo

test: $(TOX) ## run every check: tests, lint, types, layers, package
	$(TOX) run-parallel --parallel 2 --parallel-no-spinner

deep: $(TOX) ## run the tests that take minutes (at most 40 minutes)
	$(TOX) run -e tests --notest
	$(TOX) exec -e tests -- pytest -n 2 --timeout=2400 -m deep --ignore=tests/house --ignore=tests/package

bench: $(TOX) ## measure throughput, latency and start-up
	$(TOX) run -e tests --notest
	$(TOX) exec -e tests -- python benchmarks/run.py

load: $(TOX) ## put a traffic split under load and judge it; the report is kept in build/load-report
	$(TOX) exec -e tests -- servesim load traffic_split --detect 5 --users 4 --max-error-rate 0 --out build/load-report

clean: ## remove everything that was installed or built here
	rm -rf .venv .venv-tools .tox dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(CHECKS): $(TOX)
	$(TOX) run -e $@

python:
	@test -n "$(PYTHON)" || { echo "servesim needs Python 3.11 or newer; found:" \
		"$$(python3 --version 2>&1 || echo none). Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "servesim needs Python 3.11" \
		"or newer, and $(PYTHON) is $$("$(PYTHON)" --version 2>&1)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' || { echo "$(PYTHON) has no venv (Debian: python3-venv)" >&2; exit 1; }

# The stamp is written last, so an install that was interrupted is taken up again.
.venv/.installed: pyproject.toml | python
	@echo "Installing MLflow and what else the demo needs into .venv: a minute or two, once."
	"$(PYTHON)" -m venv .venv
	.venv/bin/pip install --quiet --editable '.[mlflow,clients,fast]'
	touch $@

$(TOX): | python
	"$(PYTHON)" -m venv .venv-tools
	.venv-tools/bin/pip install --quiet 'tox>=4.25'
