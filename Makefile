# Everything runs in .venv, which the first target that needs it creates. PYTHON chooses the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check lint types docs bench clean

demo: $(READY)  ## send, fetch, list and ask raw, against the embedded emulator
	@$(BIN)/twilio-component demo

test: $(READY)  ## the test suite
	$(BIN)/python -m pytest -q

check: lint types $(READY)  ## what CI runs: lint, format, types, tests with coverage, the built wheel in a clean environment
	$(BIN)/python -m pytest -q --cov --cov-report=term

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

docs: $(READY)  ## rewrite the generated tables in docs/
	$(BIN)/python -m twilio_component.reference --write docs

bench: $(READY)
	$(BIN)/python benchmarks/run.py

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .coverage htmlcov
