# Two commands: `make study` runs the main job on the embedded model, `make test` passes the tests. Both set up what they
# need in .venv first; neither touches anything outside this folder.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= runs/pico-llama
# Tests of one file stay together, so that what they share is made once.
ON_TWO_CORES := -n 2 --dist loadfile

.PHONY: study test test-all bench lint format clean

study: $(VENV)/.ready
	$(BIN)/heedful study pico-llama --quick --out $(OUT)

test: $(VENV)/.ready lint
	$(BIN)/pytest -m "not slow" -q $(ON_TWO_CORES)

test-all: $(VENV)/.ready lint
	$(BIN)/pytest -q --hypothesis-profile=drawn $(ON_TWO_CORES)

# Peers are installed in environments of their own under .bench; two hours on two cores.
bench: $(VENV)/.ready
	$(BIN)/python -m benchmarks all

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Exact versions, so that a fresh machine gets what the tests passed with. torch goes first and by its exact version: an
# index that has a CPU build of it then serves that one.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet "$$(grep '^torch==' constraints.txt)"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[probe,control,decode,ifeval,dev]"
	touch $@

clean:
	rm -rf $(VENV) .bench build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
