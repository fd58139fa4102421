# `make sweep` shows what the monitor does, on the example organisation. `make test` checks everything.
# A Python of 3.11 or newer is found by itself; name another with PYTHON=…

PYTHON ?= $(firstword $(foreach p,python3 python3.11 python3.12 python3.13 python3.14,\
	$(if $(shell $(p) -c 'import sys, venv; print(sys.version_info >= (3, 11) or "")' 2>/dev/null | grep True),$(p))))
VENV ?= .venv
BIN := $(VENV)/bin
CONFIG ?= config

.PHONY: help sweep test lint unit bench example fake-github lock clean soak

help:
	@echo 'make sweep    sweep the example organisation: findings are expected in it'
	@echo 'make test     lint, types, import contracts and all tests'
	@echo 'make bench    speed against the floor of the machine and against other tools (installs them)'
	@echo 'make fake-github   a GitHub on this machine, to try the monitor against'
	@echo 'make soak     every byte of the evidence flipped, properties with many more examples, 200 days of schedules: about half an hour'
	@echo 'make lock     resolve requirements.lock anew'
	@echo 'make clean    remove the environment and what sweeps have left in var/'

$(VENV)/made:
	@test -n '$(PYTHON)' || { echo 'no Python 3.11 or newer with venv was found; install one, or name it: make PYTHON=/path/to/python3.12'; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo '$(PYTHON) is older than 3.11; name a newer one: make PYTHON=…'; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/run: $(VENV)/made requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/dev: $(VENV)/run requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

sweep: $(VENV)/run
	@$(BIN)/monitor db upgrade --config $(CONFIG)
	@$(BIN)/monitor sweep --config $(CONFIG); code=$$?; \
		test $$code -eq 0 -o $$code -eq 1 -o $$code -eq 3 || exit $$code; \
		test $(CONFIG) != config || test $$code -eq 0 || echo "The example's violations and damaged objects are planted: exit code $$code is as it should be."

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: $(VENV)/dev
	$(BIN)/pytest

test: lint unit

soak: $(VENV)/dev
	EVIDENCE_EVERY_BYTE=1 $(BIN)/pytest tests/unit/evidence/test_verify_tamper.py
	HYPOTHESIS_EXAMPLES=2000 $(BIN)/pytest tests/property
	SOAK=1 $(BIN)/pytest tests/integration/schedule

build/peers/made: $(VENV)/made
	$(BIN)/python -m venv build/peers
	build/peers/bin/python -m pip install --quiet --disable-pip-version-check 'duckdb>=2.0' 'chdb>=4.4' 'cloudsplaining>=0.9'
	@touch $@

bench: $(VENV)/dev build/peers/made
	$(BIN)/python benchmarks/scan.py
	$(BIN)/python -m benchmarks.gcp
	$(BIN)/python -m benchmarks.github
	$(BIN)/python -m benchmarks.identities

fake-github: $(VENV)/dev
	$(BIN)/python -m tests.fakes.github

example: $(VENV)/dev
	rm -rf config/captured/aws
	$(BIN)/python -m monitor.example organisation --out config/captured/aws --seed 19
	$(BIN)/python -m tests.fakes.github.example --out config/captured/github
	$(BIN)/python -m tests.fakes.gcp.example --out config/captured/gcp
	rm -rf config/captured/gcp-logs
	$(BIN)/python -m monitor.example project --out config/captured/gcp-logs --seed 19

lock: $(VENV)/made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 \
		--custom-compile-command 'make lock' pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 \
		--custom-compile-command 'make lock' --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	echo 'hatchling>=1.27' | $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 \
		--custom-compile-command 'make lock' - -o requirements-build.lock

clean:
	rm -rf $(VENV) var
