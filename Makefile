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

# Two workers; a file's tests share its servers. Their data lies in memory where that has room: whether
# something reaches the disk is the business of the tests that run alone, and those use the disk.
MEMORY := $(shell df -Pm /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000 { print "/dev/shm" }')
TOGETHER := TMPDIR=$(MEMORY) $(BIN)/pytest -n 2 --dist loadfile -m "not soak and not install and not alone"

test: $(INSTALLED)  ## all tests but the long runs
	$(TOGETHER)
	$(BIN)/pytest -m "alone and not soak"

test-fast: $(INSTALLED)  ## without browsers, and without servers in processes of their own but the SDK's
	$(TOGETHER) tests/unit tests/contract tests/flow sdk/python/tests

test-install: $(INSTALLED)  ## each documented way to install, in an environment of its own
	$(BIN)/pytest -m install tests/install

soak: $(INSTALLED)  ## the long runs of the fault tests
	$(BIN)/pytest -m soak -rP  # with their figures; SOAK_SECONDS=60 shortens the growth run

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
