# Ludus: `make demo` to see it learn, `make test` to check everything, `make help` for the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEST_VENV := .venv-test
TEST_BIN := $(TEST_VENV)/bin

.PHONY: help demo install docs test check gpu lint types unit format clean

help:
	@echo "make demo     install, train PQN on Breakout for two minutes, evaluate it, write a GIF"
	@echo "make install  an editable install with all development tools in $(VENV)"
	@echo "make test     ruff, pyright and all tests, against a regular install in $(TEST_VENV)"
	@echo "make check    the tests that make test leaves out: every game, long, in plain Python"
	@echo "make docs     the documentation as a site in build/docs/site, every game to be played in it"
	@echo "make gpu      on a machine with an NVIDIA GPU: all that only one can tell, in eight minutes, into RESULTS.md"
	@echo "make format   let ruff format the code"
	@echo "make clean    remove both environments and build folders"

# Setuptools warns of folders beside an editable install, which src/ keeps out of the way.
$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --editable ".[video]"
	@touch $@

demo: $(VENV)/ready
	@$(BIN)/python -m ludus.demo

install: $(VENV)/ready
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --editable ".[dev]"

$(TEST_VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(TEST_VENV)
	$(TEST_BIN)/pip install --quiet --upgrade pip
	$(TEST_BIN)/pip install --quiet ".[dev]"
	@touch $@

# The package is installed anew for each run, not editable, so that a file missing from the wheel fails here.
test: $(TEST_VENV)/ready
	rm -rf build
	$(TEST_BIN)/pip install --quiet --no-deps --force-reinstall .
	$(MAKE) lint types unit

lint:
	$(TEST_BIN)/ruff check .
	$(TEST_BIN)/ruff format --check .

types:
	$(TEST_BIN)/pyright --pythonpath $(TEST_BIN)/python

unit:
	SDL_VIDEODRIVER=dummy SDL_AUDIODRIVER=dummy $(TEST_BIN)/python -m pytest -q -n 2 --dist worksteal

check: $(TEST_VENV)/ready
	$(TEST_BIN)/pip install --quiet --no-deps --force-reinstall .
	$(TEST_BIN)/python -m pytest -q -n 2 --dist worksteal -m long

# Docstrings are read, and games exported, from what is installed.
docs: $(TEST_VENV)/ready
	PYTHONWARNINGS=ignore $(TEST_BIN)/pip install --quiet --no-deps --force-reinstall .
	$(TEST_BIN)/python docs/build.py

# `make gpu ARGS=--dry-run` shows on a CPU what it would do.
gpu: $(VENV)/ready
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --editable ".[gpu]"
	$(BIN)/python benchmarks/gpu $(ARGS)

format:
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(TEST_VENV) build dist *.egg-info
