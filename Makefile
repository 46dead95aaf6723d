# Python 3.11+ and make are all that is needed. `make run` and `make test` set up by themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP     = $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes

.PHONY: run demo doctor test lint audit check bench lock clean

run: $(VENV)/run.stamp ## the service; with no key it runs on the built-in market, in this terminal
	@$(BIN)/python -m bot run

demo: $(VENV)/run.stamp ## one digest of the built-in market, then exit
	@$(BIN)/python -m bot once

doctor: $(VENV)/run.stamp ## what each data source answers, and the next step
	@$(BIN)/python -m bot doctor

test: $(VENV)/dev.stamp ## the test suite
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -q -n 3 --dist worksteal

lint: $(VENV)/dev.stamp ## everything in check but the tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

audit: $(VENV)/dev.stamp ## known holes of the dependencies; needs a network, and says so
	@$(BIN)/python -m tests.audit

check: test lint audit ## what CI runs

bench: $(VENV)/dev.stamp ## every measurement, as ratios
	@$(BIN)/python -m bench

lock: $(VENV)/dev.stamp ## pin the dependencies anew (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet -o requirements.txt
	uv pip compile pyproject.toml --extra dev --extra cluster --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet -o requirements-dev.txt

clean: ## forget the virtual environment; data/ stays
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tapewatch needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 run"; exit 1; }
	@echo "Setting up $(VENV) (once): a minute or two, of which most is downloading ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "This Python cannot make a virtual environment; on Debian or Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/run.stamp: requirements.txt | $(VENV)/bin/python
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt | $(VENV)/bin/python
	@$(PIP) -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp
