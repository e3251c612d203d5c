# Everything a newcomer needs: `make serve` and `make test`. Python 3.11+ is all that must be there.

HOST ?= 127.0.0.1
PORT ?= 8000
DATA ?= ./data
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin

.PHONY: serve install test check lint format package rehearse clean

serve: install
	./moonbase --data "$(DATA)" serve --host "$(HOST)" --port "$(PORT)"

install: $(VENV)/serve

test: $(VENV)/dev $(VENV)/ministack
	$(BIN)/pytest -n auto

check: lint test

lint: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build

package: $(VENV)/dev
	$(BIN)/python -m infra.package

rehearse: package
	$(BIN)/python -m infra.rehearse

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Moonbase needs Python 3.11 or newer; name one with PYTHON=")'
	$(PYTHON) -m venv $(VENV)

# What is installed is remembered by an empty file that is newer than the lists it was installed from.
$(VENV)/serve: $(BIN)/python requirements.txt requirements-serve.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-serve.txt
	touch $@

$(VENV)/dev: $(VENV)/serve requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

# What plays AWS in a test and in the rehearsal lives in an environment of its own, below build.
$(VENV)/ministack: $(VENV)/dev infra/ministack.py
	$(BIN)/python -m infra.ministack
	touch $@
