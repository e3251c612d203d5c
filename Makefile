# For newcomers: `make serve` and `make test`; `make help` lists the rest. The only requirement is Python 3.11 or newer.

HOST ?= 127.0.0.1
PORT ?= 8000
DATA ?= ./data
DNS_PORT ?= 0
PYTHON ?= python3

# For `make test`: `all` runs every test in both worlds, see CONTRIBUTING.md.
WORLDS ?= default
# Two workers for each core, as many tests wait for processes that they start.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')

# On AWS: the stack; for `make deploy` its parameters (SET="HostName=... Certificate=..."), an earlier version
# (ARTEFACT=previous), and whether to replace resources with data (FORCE=yes). `make remove DATA=yes` deletes those.
STAGE ?= prod
STACK ?=
SET ?=
ARTEFACT ?=
FORCE ?=
YES ?=

VENV := .venv
BIN := $(VENV)/bin

.PHONY: serve local help install clients test check lint format package rehearse deploy remove clean

serve: install
	./moonbase --data "$(DATA)" serve --host "$(HOST)" --port "$(PORT)" --dns-port "$(DNS_PORT)"

local: install
	@$(BIN)/python -m infra.local --data "$(DATA)" --host "$(HOST)" --port "$(PORT)"

help:
	@echo 'make serve      one machine: HOST= PORT= DATA= DNS_PORT='
	@echo 'make local      the same under chalice local, for development: HOST= PORT= DATA='
	@echo 'make test       the tests: WORLDS=all; make check: format, lint, types, tests; make format'
	@echo 'make package    write the package for AWS to build/: STAGE='
	@echo 'make rehearse   deploy the package to an emulator of AWS, and use it with real clients'
	@echo 'make deploy     create or update a stack on AWS: STAGE= STACK= SET="NAME=VALUE ..." ARTEFACT= FORCE=yes YES=yes'
	@echo 'make remove     delete the stack, keep its data: STAGE= STACK= DATA=yes YES=yes'
	@echo 'make clean      delete the virtual environments and build/'

install: $(VENV)/serve

clients: $(VENV)-clients/ready

# The tests start hundreds of processes, which would compile the sources again without Python's cache.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/dev $(VENV)/ministack clients
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --worlds $(WORLDS)

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

package: $(VENV)/serve
	$(BIN)/python -m infra.package --stage "$(STAGE)"

rehearse: $(VENV)/ministack clients
	$(BIN)/python -m infra.package
	$(BIN)/python -m infra.rehearse

AT = --stage "$(STAGE)" $(if $(STACK),--stack "$(STACK)") $(if $(YES),--yes)

deploy: $(VENV)/serve
	@$(BIN)/python -m infra.deploy $(AT) $(foreach pair,$(SET),--set '$(pair)') \
	    $(if $(ARTEFACT),--artefact "$(ARTEFACT)") $(if $(FORCE),--force)

# DATA is a directory for `make serve`; here only the value `yes` has a meaning.
remove: $(VENV)/serve
	@$(BIN)/python -m infra.remove $(AT) $(if $(filter yes,$(DATA)),--data)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Moonbase needs Python 3.11 or newer; name one with PYTHON=")'
	$(PYTHON) -m venv $(VENV)

# An empty file marks each installation; it is newer than the requirements files that were installed.
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

# The emulator of AWS for tests and the rehearsal has a virtual environment of its own, below build/.
$(VENV)/ministack: $(VENV)/dev infra/ministack.py
	$(BIN)/python -m infra.ministack
	touch $@
