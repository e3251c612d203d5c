# Everything a newcomer needs: `make serve` and `make test`. Python 3.11+ is all that must be there.

HOST ?= 127.0.0.1
PORT ?= 8000
DATA ?= ./data
DNS_PORT ?= 0
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin

.PHONY: serve install clients test check lint format package rehearse clean

serve: install
	./moonbase --data "$(DATA)" serve --host "$(HOST)" --port "$(PORT)" --dns-port "$(DNS_PORT)"

install: $(VENV)/serve

clients: $(VENV)-clients/ready

test: $(VENV)/dev $(VENV)/ministack clients
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
	rm -rf $(VENV) $(VENV)-clients build

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

$(VENV)-clients/ready: $(BIN)/python requirements-clients.txt
	$(BIN)/python -m venv $(VENV)-clients
	$(VENV)-clients/bin/pip install --quiet --disable-pip-version-check -r requirements-clients.txt
	touch $@

# What plays AWS in a test and in the rehearsal lives in an environment of its own, below build.
$(VENV)/ministack: $(VENV)/dev infra/ministack.py
	$(BIN)/python -m infra.ministack
	touch $@
