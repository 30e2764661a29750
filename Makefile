# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
BIN := .venv/bin
# The server and the SDK, in the versions of requirements.lock; INSTALLED has the development tools too.
SERVER := .venv/.server
INSTALLED := .venv/.installed
PROJECTS := pyproject.toml sdk/python/pyproject.toml

.PHONY: serve test test-fast test-install check lock bench bench-large soak format

$(SERVER): $(PROJECTS) requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Meterhouse needs Python 3.11 or later")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --editable . --editable sdk/python
	touch $(SERVER)

$(INSTALLED): $(SERVER)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'  # the first with --group
	$(BIN)/pip install --quiet --group dev
	touch $(INSTALLED)

serve: $(SERVER)  ## set up and serve on 127.0.0.1:8080
	$(BIN)/meterhouse serve --data data --host 127.0.0.1 --port 8080

test: $(INSTALLED)  ## all tests but the long runs
	$(BIN)/pytest -m "not soak and not install" -n 2 --ignore=tests/e2e
	$(BIN)/pytest -m "not soak and not install" tests/e2e  # one after the other: they measure, load and kill servers

test-install: $(INSTALLED)  ## each documented way to install, in an environment of its own
	$(BIN)/pytest -m install tests/install

soak: $(INSTALLED)  ## the long runs of the fault tests
	$(BIN)/pytest -m soak

format: $(INSTALLED)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

check: $(INSTALLED)  ## format, lint, types, imports, docs
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/docs

lock: $(INSTALLED)  ## write uv.lock and requirements.lock after a change; UPGRADE=--upgrade takes new releases
	$(BIN)/uv --no-config lock --quiet --default-index https://pypi.org/simple $(UPGRADE)
	$(BIN)/uv --no-config export --quiet --frozen --no-dev --no-emit-workspace --no-header \
	  --output-file requirements.lock

bench: $(INSTALLED)  ## speed, as ratios against peers in the same run
	$(BIN)/python -m bench

bench-large: $(INSTALLED)  ## the questions at 100 M events
	$(BIN)/python -m bench --large
