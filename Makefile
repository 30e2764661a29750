# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: serve test check bench bench-large soak format

$(INSTALLED): pyproject.toml sdk/python/pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Meterhouse needs Python 3.11 or later")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --editable . --editable sdk/python --group dev
	touch $(INSTALLED)

serve: $(INSTALLED)  ## set up and serve on 127.0.0.1:8080
	$(BIN)/meterhouse serve --data data --host 127.0.0.1 --port 8080

test: $(INSTALLED)  ## all tests but the long runs
	$(BIN)/pytest -m "not soak" -n 2 --ignore=tests/e2e
	$(BIN)/pytest -m "not soak" tests/e2e  # one after the other: they measure, load and kill servers

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

bench: $(INSTALLED)  ## speed, as ratios against peers in the same run
	$(BIN)/python -m bench

bench-large: $(INSTALLED)  ## the questions at 100 M events
	$(BIN)/python -m bench --large
