# make demo   trains two arms on DemonAttack and reports them: minutes on two cores
# make test   runs the tests of every promise
# make test-slow   runs the rest: kills, full disks, a cluster, a browser, every gin file
# make soak   kills runs 50 times over, watches memory over 200,000 steps, traces 2,000
#   random networks: minutes
# make check  lints, checks formatting and types
# make test-newest   runs on the newest Python, jax and others, in .venv-newest, the tests of
#   the core and of reports, and a short training and a look at its checkpoint per agent:
#   some 8 minutes on two cores
# make docs   builds the site of mkdocs.yml into build/site; a broken link fails it
# make dist   builds what is released into dist/, checks it, and trains and reports with it
#   in an empty environment
# make bench  measures against Dopamine, side by side, and writes the table of benchmarks/README.md
# The first of these that runs; a version manager's shim may be there and refuse.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
  $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
  2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO_DIR := runs/demo

NEWEST ?= $(shell for python in python3.13 python3.12 \
  "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13.*/bin/python \
  "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.12.*/bin/python; do \
  $$python -c '' 2>/dev/null && echo $$python && break; done)

.PHONY: demo test test-slow test-newest has-newest soak check format docs dist bench clean

demo: $(INSTALLED)
	$(BIN)/python -m redo_dopamine.demo --base_dir=$(DEMO_DIR)

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m 'slow and not soak' --numprocesses=auto --dist=loadfile \
	  --ignore=tests/cluster
	@# By themselves: there are jobs with time limits in it.
	$(BIN)/python -m pytest -m slow tests/cluster

test-newest: .venv-newest/.installed
	.venv-newest/bin/python -m pytest --numprocesses=auto --dist=loadfile \
	  tests/core tests/networks tests/plasticity tests/tracing tests/report \
	  tests/test_train.py tests/test_core_alone.py
	.venv-newest/bin/python -m pytest -m '' tests/config/test_configs.py \
	  -k 'is_inspected and (dqn_redo or drq_eps_redo or ppo_redo or sac_redo)'

# For the gate: fails where 'make test-newest' finds no Python.
has-newest:
	@[ -n "$(NEWEST)" ] || [ -e .venv-newest/.installed ]

soak: $(INSTALLED)
	$(BIN)/python -m pytest -m soak tests/faults tests/tracing

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

docs: .venv-docs/.installed
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --strict

dist: .venv-build/.installed
	rm -rf dist build/lib build/bdist*
	.venv-build/bin/python -m build
	.venv-build/bin/twine check --strict dist/*
	rm -rf .venv-dist
	$(PYTHON) -m venv .venv-dist
	.venv-dist/bin/pip install $(QUIETLY) -c constraints.txt dist/*.whl
	$(call headless,.venv-dist,constraints.txt)
	@# From elsewhere, so that it is the installed one that runs.
	cd dist && ../.venv-dist/bin/redo-dopamine train --base_dir=run --gin_files=demo.gin \
	  --gin_bindings='Runner.num_iterations = 1' --gin_bindings='Runner.training_steps = 300'
	cd dist && ../.venv-dist/bin/redo-dopamine report --base_dir=run
	rm -rf dist/run .venv-dist
	ls -l dist

QUIETLY := --quiet --disable-pip-version-check

define check_python
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "make: Python 3.11, 3.12 or 3.13 must be at hand, but '$(PYTHON)' is none." \
	  "Name one: make PYTHON=/path/to/python3.13 ..." >&2; exit 1; }
endef

# Without an OpenGL library, as on most servers, only the headless build loads.
headless = @$(1)/bin/python -c 'import cv2' 2>/dev/null || $(1)/bin/pip install $(QUIETLY) \
  -c $(2) --force-reinstall --no-deps opencv-python-headless

$(INSTALLED): setup.py constraints.txt pyproject.toml
	$(check_python)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install $(QUIETLY) -c constraints.txt -e '.[dev]'
	$(call headless,.venv,constraints.txt)
	@touch $@

.venv-newest/.installed: setup.py constraints-newest.txt pyproject.toml
	@$(or $(NEWEST),false) -c '' || { echo "make: Python 3.12 or 3.13 must be at hand." \
	  "Name one: make NEWEST=/path/to/python3.13 test-newest" >&2; exit 1; }
	$(NEWEST) -m venv .venv-newest
	.venv-newest/bin/pip install $(QUIETLY) -c constraints-newest.txt -e '.[dev]'
	$(call headless,.venv-newest,constraints-newest.txt)
	@touch $@

# What the extra 'docs' names, without the package: docstrings are read, not imported.
.venv-docs/.installed: constraints.txt pyproject.toml
	$(check_python)
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip install $(QUIETLY) -c constraints.txt $$(.venv-docs/bin/python -c \
	  'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"])')
	@touch $@

.venv-build/.installed:
	$(check_python)
	$(PYTHON) -m venv .venv-build
	.venv-build/bin/pip install $(QUIETLY) build twine
	@touch $@

clean:
	rm -rf .venv .venv-* build dist *.egg-info .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
