# make demo   trains two arms on DemonAttack and reports them: minutes on two cores
# make test   runs every test
# make soak   kills runs 50 times over, watches memory over 200,000 steps: about 8 minutes
# make check  lints, checks formatting and types
# make bench  measures against Dopamine, side by side, and writes the table of benchmarks/README.md
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO_DIR := runs/demo

.PHONY: demo test soak check format bench clean

demo: $(INSTALLED)
	$(BIN)/python -m redo_dopamine.demo --base_dir=$(DEMO_DIR)

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile --ignore=tests/cluster
	@# By themselves: there are jobs with time limits in it.
	$(BIN)/python -m pytest tests/cluster

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
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v == (3, 11) or sys.exit("make: Python 3.11 is needed, but $(PYTHON) is Python %d.%d. Name one: make PYTHON=/path/to/python3.11 ..." % v)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@# Without an OpenGL library, as on most servers, only the headless build loads.
	@$(BIN)/python -c 'import cv2' 2>/dev/null || \
	  $(BIN)/pip install --quiet -c constraints.txt --force-reinstall --no-deps opencv-python-headless
	@touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
