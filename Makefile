# `make help` lists what there is. Everything runs in .venv, which the first target makes.
SCENARIO ?= scenarios/validation/first_spike.yaml
OUT ?= out/first_spike
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
WORKERS ?= 2
PARALLEL = -n $(WORKERS) --dist worksteal
# PYTEST_OPTIONS: yours, such as "-k cache". RESULTS: a folder for JUnit files.
PYTEST = $(BIN)/python -m pytest $(if $(RESULTS),--junitxml=$(RESULTS)/$@.xml) $(PYTEST_OPTIONS)
# Options of yours may well leave one half of the tests empty (pytest then says 5); without any, that is an error.
MAY_BE_EMPTY = $(if $(PYTEST_OPTIONS),|| [ $$? -eq 5 ])

.NOTPARALLEL: # nothing may run beside a measurement, whatever -j says

.PHONY: help install run test simulated measured validate matrix random check lint lab notebooks outputs benchmark lock schema record readme clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.venv/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or name it by PYTHON=..."; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

install: .venv/installed ## make the environment in .venv

run: .venv/installed ## predict, measure and compare the first spike, and write the report
	$(BIN)/lab run $(SCENARIO) --out $(OUT)

test: .venv/installed ## the whole test-suite, real servers included
	@$(MAKE) --no-print-directory --keep-going simulated measured

simulated: .venv/installed ## the tests without real servers, several at a time
	$(PYTEST) $(PARALLEL) -m "not measured" $(MAY_BE_EMPTY)

measured: .venv/installed ## the tests with real servers, one after another: measurements pin cores
	$(PYTEST) -m measured $(MAY_BE_EMPTY)

validate: .venv/installed ## a few rows of the validation matrix on real servers, in five minutes or so
	$(BIN)/lab validate --quick

matrix: .venv/installed ## the whole validation matrix on real servers, an hour and a half: records, ledger, pages
	$(BIN)/lab validate --full
	$(BIN)/python -m tools.write_readme_table

random: .venv/installed ## many more random scenarios than make test tries: 4,000, about 25 minutes on two cores
	RANDOM_EXAMPLES=4000 $(PYTEST) $(PARALLEL) tests/laws/test_random_scenarios.py

check: lint ## the fast checks: style, types, layers, unit tests
	$(BIN)/python -m pytest -q $(PARALLEL) -m "not measured and not slow" tests/unit lab

lint: .venv/installed ## style, types and layers alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lab: .venv/installed ## JupyterLab, open at notebooks/00_start_here.ipynb
	$(BIN)/jupyter lab --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb $(if $(filter 0,$(shell id -u)),--allow-root)

notebooks: .venv/installed ## execute every notebook
	$(BIN)/python -m pytest -q tests/notebooks

outputs: .venv/installed ## execute the notebooks and keep their outputs in them
	$(BIN)/python tools/execute_notebooks.py

benchmark: .venv/installed ## speed of the simulator
	$(BIN)/python -m pytest -q -s benchmarks --benchmark-columns=min,median,max,rounds --benchmark-sort=name

lock: ## renew requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml -o requirements.lock

schema: .venv/installed ## renew the committed JSON Schemas and the reference page of the language
	$(BIN)/lab schema > scenarios/schema.json
	$(BIN)/lab schema --reference > docs/reference.md
	$(BIN)/python -m reference_backend schema > reference_backend/deployment.schema.json

record: .venv/installed ## record the measurements that README, notebooks and tests compare with
	$(BIN)/python -m tools.record_measurement

readme: .venv/installed ## renew the generated tables of the README
	$(BIN)/python -m tools.write_readme_table

clean: ## remove what the other targets made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache out
