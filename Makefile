# Everything runs from .venv, which is made on first use from the locked versions.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check chaos crash soak bench serve lock pages format clean

demo: .venv/ready      ## a whole sync on local stand-ins of the vendors
	$(BIN)/python -m destination demo

test: .venv/ready      ## every test
	$(BIN)/python -m pytest -n auto

check: .venv/ready     ## what CI runs: format, lint, spelling, types, import contracts, tests, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(MAKE) test

chaos: .venv/ready     ## 200 seeds of faults at once, judged by the oracle; ARGS="--seed 7" is one again
	PYTHONPATH=tests $(BIN)/python -m chaos.composition $(ARGS)

crash: .venv/ready     ## kill -9 at 200 random moments; ARGS="--kills 20 --json FILE"
	PYTHONPATH=tests $(BIN)/python -m chaos.crash $(ARGS)

soak: .venv/ready      ## ten minutes beside a destination that hangs; ARGS="--seconds 60"
	PYTHONPATH=tests $(BIN)/python -m chaos.soak $(ARGS)

bench: .venv/ready     ## beside what people would run instead; ARGS="--only P1,P4 --repeats 3"
	$(BIN)/python -m bench $(ARGS)

serve: .venv/ready     ## the server, with the stand-ins when nothing is configured
	$(BIN)/python -m destination serve $(if $(wildcard destinations.toml),,--sandbox)

lock: .venv/ready      ## write the locked versions again, with hashes
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade -o requirements.txt
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade -c requirements.txt -o requirements-dev.txt

pages: .venv/ready     ## write into each kind's page what it declares
	for page in $$(grep -l '^<!-- described: begin' docs/*.md); do \
		kind=$$(basename $$page .md); \
		$(BIN)/python -m destination describe $${kind%-files} --into $$page || exit 1; \
	done

format: .venv/ready    ## mend format and what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv

.venv/ready: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.13"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
