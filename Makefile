# CNN Lab. `make run` and `make test` are all that most people need; `make help` lists the rest.
#
#   make run PORT=8600                          another port
#   make run ARGS="--address 0.0.0.0"           anything that `cnnlib app` takes
#   make test-quick ARGS="-k plan"              anything that pytest takes
#   make bench BENCH=build_page                 one of bench/, not all

PORT ?=
ARGS ?=
FAST := $(addprefix tests/, design records vocabulary figures diagnosis house/test_floors.py house/test_units.py)
BENCH ?= $(filter-out __init__,$(basename $(notdir $(wildcard bench/*.py))))

# Which Python to make .venv with: the first of these that runs and is new enough. (A version manager
# leaves names on the PATH that do not run.) `make run PYTHON=/path/to/python` asks for one.
PYTHON ?= python3.14 python3.13 python3.12 python3.11 python3 python
IN_VENV := .venv/bin/python
LOWEST := .venv-lowest/bin/python
UV = $(or $(shell command -v uv),$(IN_VENV) -m uv)

# An empty environment has no PATH; the system's own folders will do.
export PATH := $(or $(PATH),/usr/local/bin:/usr/bin:/bin)

# Neighbouring tests stay on one process: they share fixtures, and what they import.
PARALLEL := -n auto --maxprocesses 4 --dist worksteal

# Without kept bytecode each of the many processes of the tests compiles all of torch again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test test-quick test-browser test-lowest lint types check bench demo-shots clean install install-dev install-bench

help:  ## list what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' Makefile

run: install  ## install what is missing, then start the app and open it in the browser
	$(IN_VENV) -m cnnlib app $(if $(PORT),--port $(PORT)) $(ARGS)

test: test-quick test-browser  ## install what tests need and run them all

test-quick: install-dev  ## the tests that need no browser
	$(IN_VENV) -m pytest -m "not browser" $(PARALLEL) $(ARGS)

test-browser: install-dev  ## the tests that drive the app in Chromium
	$(IN_VENV) -m pytest -m browser -n 2 --dist worksteal $(ARGS)

test-lowest: install-dev  ## the quick tests with the oldest versions that pyproject.toml allows
	$(UV) venv --quiet --clear --python $(IN_VENV) .venv-lowest
	$(UV) pip install --python $(LOWEST) --resolution lowest-direct -e . -r requirements-dev.txt
	$(LOWEST) -m pytest -m "not browser" $(PARALLEL) $(ARGS)

lint: install-dev  ## check style and format
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .

types: install-dev  ## check types
	$(IN_VENV) -m mypy

check: lint types  ## lint, types, and the fast tests of what everything else reads
	$(IN_VENV) -m pytest $(FAST) $(ARGS)

bench: install-bench  ## measure, and compare with other tools; keep the machine quiet meanwhile
	for name in $(BENCH); do $(IN_VENV) -m bench.$$name $(ARGS) || exit; done

demo-shots: install-dev  ## drive the app in Chromium and write the README's screenshots
	$(IN_VENV) docs/make_shots.py $(ARGS)

clean:  ## remove the environment and all caches; datasets and runs stay
	rm -rf .venv .venv-lowest dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install install-dev install-bench:
	@for python in $(PYTHON); do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec $$python scripts/install.py $(patsubst install-%,--%,$(filter-out install,$@)); \
		fi; \
	done; \
	echo "CNN Lab needs Python 3.11 or newer; none of these is: $(PYTHON)" >&2; \
	exit 1
