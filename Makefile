# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: demo demo-aws test lint fuzz crash bench docs e2e-aws clean

demo: $(VENV)/.server  ## a server on loopback, one real update, and lines to paste
	@$(BIN)/homing demo $(ARGS)

demo-aws: $(VENV)/.dev  ## the serverless system on loopback: Lambda's runtime client, DynamoDB, Route 53; lines to paste
	@$(BIN)/python -m local_aws $(ARGS)

test: $(VENV)/.dev  ## every test; end-to-end ones skip where their program is missing
	@$(BIN)/python -m pytest -n auto $(ARGS)

lint: $(VENV)/.dev  ## ruff, mypy strict, and the house rules that are tests
	@$(BIN)/ruff check src tests bench local_aws real_aws
	@$(BIN)/ruff format --check src tests bench local_aws real_aws
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_architecture.py tests/test_docs.py

fuzz: $(VENV)/.dev  ## a million mutations for each parser
	@HOMING_FUZZ=1000000 $(BIN)/python -m pytest -n auto --timeout=3600 tests/test_fuzz.py $(ARGS)

crash: $(VENV)/.dev  ## a thousand kill -9 cycles
	@HOMING_CRASH_CYCLES=1000 $(BIN)/python -m pytest -s --timeout=7200 tests/e2e/test_crash.py $(ARGS)

bench: $(VENV)/.dev  ## ratios measured in one run, with their commands
	@$(BIN)/python -m bench $(ARGS)

docs: $(VENV)/.dev  ## the reference pages, generated from the code
	@$(BIN)/python -m homing.cli.reference docs

e2e-aws: $(VENV)/.dev  ## the whole stack in a REAL AWS account: asks, says the cost, cleans up (ARGS=--list shows the steps)
	@$(BIN)/python -m real_aws $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

# One stamp an environment. The demo needs no test tools, so a newcomer waits for the server's packages only.
$(VENV)/bin/pip:
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'

$(VENV)/.server: pyproject.toml | $(VENV)/bin/pip
	@echo 'setting up $(VENV) ...' >&2
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[server,demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/pip
	@echo 'setting up $(VENV) with the test tools ...' >&2
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[server,demo,fast,aws]' --group test --group lint
	@touch $@ $(VENV)/.server
