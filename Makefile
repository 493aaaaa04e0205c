# Everything runs in .venv, which the first target that needs it creates. PYTHON chooses the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check tests-and-campaigns coverage pythons wheels conformance lint types docs site pictures bench campaign campaign-random simulate mutants clean

demo: $(READY)  ## send, fetch, list and ask raw, against the embedded emulator
	@$(BIN)/twilio-component demo

# Tests wait more than they work, so there are more at a time than cores. Neighbours share what they have started, and stay
# together until a worker has nothing left. A test that hangs fails by its name.
SIDE_BY_SIDE := -n 3 --dist worksteal --timeout 300
# Tests start hundreds of processes, and each would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

test: $(READY)  ## the test suite
	$(BIN)/python -m pytest -q $(SIDE_BY_SIDE)

check: lint types site tests-and-campaigns  ## what CI runs, `make -j2 check` in less time: lint, format, types, the site, every test, the built wheel

wheels: $(READY)  ## the wheel's own tests on every other Python that is found: install it, run the demo, serve, die and go on
	$(BIN)/nox --session wheel --pythons $$($(BIN)/python -c \
		'import sys; print(*(f"3.{minor}" for minor in range(11, 15) if minor != sys.version_info.minor))')

tests-and-campaigns: $(READY)
	$(BIN)/python tools/run_tests.py $(SIDE_BY_SIDE) -m "campaign or not campaign"

# Tracing doubles the processor time of the tests, and judges nothing by itself.
coverage: $(READY)  ## the lines and branches that the tests leave out
	$(BIN)/python -m pytest -q $(SIDE_BY_SIDE) --cov --cov-report=term

# Twilio's OpenAPI description is Twilio's: it is used where it is there, and is no part of this project.
TWILIO_OPENAPI ?= $(wildcard ../shared/reference/twilio-messaging.openapi.json)
NODE_SUITE := build/conformance-node
# The whole of libphonenumber's port: beside the slim one in the environment it would own the same files.
PHONENUMBERS := build/conformance-phonenumbers

conformance: $(READY)  ## the emulator against the official SDKs and Twilio's description, flows against Spectral, zones against libphonenumber
	@test -n "$(TWILIO_OPENAPI)" || echo "no description: set TWILIO_OPENAPI to hold the answers against it"
	@if command -v npm >/dev/null; then \
		mkdir -p $(NODE_SUITE) && cp tests/conformance/node/package.json $(NODE_SUITE)/ && \
		npm install --prefix $(NODE_SUITE) --no-audit --no-fund --no-package-lock --silent; \
	else echo "no npm: the Node SDK's suite and Spectral are left out"; fi
	@release=$$(sed -n 's/^# release: phonenumbers //p' twilio_component/flows/number_zones.txt); \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target $(PHONENUMBERS) phonenumbers==$$release
	PHONENUMBERS="$(CURDIR)/$(PHONENUMBERS)" TWILIO_OPENAPI="$(TWILIO_OPENAPI)" TWILIO_NODE_MODULES="$(CURDIR)/$(NODE_SUITE)/node_modules" \
		$(BIN)/python -m pytest -q -rs tests/conformance tests/docs/test_emulator_page.py

pythons: $(READY)  ## the suite and the wheel's own tests on every Python that is found, and on the oldest dependencies
	$(BIN)/nox

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

docs: $(READY)  ## rewrite the generated pages in docs/
	$(BIN)/python docs/generate.py --write docs

site: $(READY)  ## the documentation as a web site in build/site; a broken link fails
	$(BIN)/sphinx-build -W --keep-going -q -E -a -b html -d build/doctrees docs build/site

campaign: $(READY)  ## kill processes and let Twilio fail, for minutes; what was found goes into docs/explanation/reliability.md
	PYTHONPATH=tests $(BIN)/python tests/campaigns/run.py docs/explanation/reliability.md

# Resumes where you say: make simulate FIRST=500000
FIRST ?= 0
SEEDS ?= 1000000

simulate: $(READY)  ## run the protocol of sends under virtual time, a million seeds; prints each seed that breaks a promise
	PYTHONPATH=tests $(BIN)/python tests/simulation/run.py $(FIRST) $(SEEDS)

mutants: $(READY)  ## search the seeds of the simulation that find each mutant of the protocol, after the protocol or the simulation has changed
	$(BIN)/python tests/simulation/search_mutants.py

pictures: $(READY)  ## take the pictures of the inbox and of the page of operations anew; needs Chromium
	INBOX_PICTURES=docs/images $(BIN)/python -m pytest -q tests/emulator/inbox/test_pictures.py tests/emulator/inbox/test_integration_pictures.py
	OPERATIONS_PICTURES=docs/images $(BIN)/python -m pytest -q tests/serving/operations/test_pictures.py

FAULTS ?= 1000

campaign-random: $(READY)  ## kill, freeze and restart at random moments, for an hour, on SQLite and on Postgres; prints what was found
	PYTHONPATH=tests $(BIN)/python tests/campaigns/random_times.py sqlite --faults $(FAULTS)
	PYTHONPATH=tests $(BIN)/python tests/campaigns/random_times.py postgres --faults $(FAULTS)

bench: $(READY)  ## measure against the official SDK; the results go into docs/explanation/performance.md
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group bench
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/durable.py
	$(BIN)/python benchmarks/questions.py

# An environment of another Python is of no use to the one that is asked for.
ifeq ($(origin PYTHON),command line)
ifneq ($(shell ($(PYTHON) -V) 2>/dev/null),$(shell ($(BIN)/python -V) 2>/dev/null))
$(READY): another-python
endif
endif
.PHONY: another-python
another-python: ;

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed, as in: make PYTHON=python3.12 (found: $$($(PYTHON) -V 2>&1 | tail -n 1))" >&2; exit 2; }
	@[ "$$( ($(BIN)/python -V) 2>/dev/null)" = "$$($(PYTHON) -V)" ] || rm -rf $(VENV)
	@echo "setting up $(VENV): this takes some minutes"
	$(PYTHON) -m venv --upgrade-deps $(VENV)  # dependency groups need pip 25.1
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .coverage htmlcov
