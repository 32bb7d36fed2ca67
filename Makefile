# make demo   trains two arms on DemonAttack and reports them: minutes on two cores
# make test   runs the tests of every promise
# make test-slow   runs the rest: kills, full disks, a cluster, a browser, every gin file
# make soak   kills runs 50 times over, watches memory over 200,000 steps: about 8 minutes
# make check  lints, checks formatting and types
# make bench  measures against Dopamine, side by side, and writes the table of benchmarks/README.md
# The first of these that runs; a version manager's shim may be there and refuse.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
  $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
  2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO_DIR := runs/demo

.PHONY: demo test test-slow soak check format bench clean

demo: $(INSTALLED)
	$(BIN)/python -m redo_dopamine.demo --base_dir=$(DEMO_DIR)

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m 'slow and not soak' --numprocesses=auto --dist=loadfile \
	  --ignore=tests/cluster
	@# By themselves: there are jobs with time limits in it.
	$(BIN)/python -m pytest -m slow tests/cluster

soak: $(INSTALLED)
	$(BIN)/python -m pytest -m soak tests/faults

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

$(INSTALLED): setup.py constraints.txt pyproject.toml
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "make: Python 3.11, 3.12 or 3.13 must be at hand, but '$(PYTHON)' is none." \
	  "Name one: make PYTHON=/path/to/python3.13 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@# Without an OpenGL library, as on most servers, only the headless build loads.
	@$(BIN)/python -c 'import cv2' 2>/dev/null || \
	  $(BIN)/pip install --quiet -c constraints.txt --force-reinstall --no-deps opencv-python-headless
	@touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
