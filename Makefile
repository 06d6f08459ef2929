# Every target sets up what it needs from nothing but Python, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
# What starts whole services has the machine to itself; of the other tests two run at a time, a file each.
ALONE := tests/fundamentals tests/e2e tests/integration/test_schemathesis.py

.DEFAULT_GOAL := help
.PHONY: help demo serve test check format openapi bench chaos phantoms clean

help:  ## Say what each target does
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

demo: $(RUN_STAMP)  ## Explain phantom radiographs over HTTP and draw demo/contact-sheet.png
	@$(BIN)/python -m examples.demo

serve: $(RUN_STAMP)  ## Run API, worker and Redis on 127.0.0.1:8000 until Ctrl-C
	@$(BIN)/rationale serve --port 8000

test: $(DEV_STAMP)  ## Run every test, with real Redis and real processes
	@echo "== tests that run two at a time"
	@$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report= --cov-fail-under=0 $(ALONE:%=--ignore=%)
	@echo "== tests that run alone"
	@$(BIN)/python -m pytest --cov --cov-append --cov-report=term:skip-covered $(ALONE)

check: $(DEV_STAMP)  ## Format, lint, import contracts, types, printed files
	@echo "== format and lint"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@echo "== import contracts"
	@$(BIN)/lint-imports --no-cache
	@echo "== types"
	@$(BIN)/mypy
	@echo "== printed files"
	@$(BIN)/python -m workers.catalogue --check
	@$(BIN)/python -m app.main --check

format: $(DEV_STAMP)  ## Rewrite the code in the house format
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

openapi: $(DEV_STAMP)  ## Print openapi/catalogue.json and openapi/openapi.json anew
	@$(BIN)/python -m workers.catalogue
	@$(BIN)/python -m app.main

bench: $(DEV_STAMP)  ## Measure every speed that is claimed, beside its peer, in one run
	@$(BIN)/python -m benchmarks

chaos: $(DEV_STAMP)  ## Kill and freeze busy workers, Redis and the API for three minutes: nothing may be lost
	@$(BIN)/python -m chaos

phantoms: $(RUN_STAMP)  ## Train the four phantom nets anew (deterministic, at most 30 minutes)
	@$(BIN)/python -m workers.phantom

clean:  ## Remove the virtual environment, caches and the demo's pictures
	rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(RUN_STAMP): pyproject.toml constraints.txt
	@echo "== installing what the service needs into $(VENV) (torch is large; the first time takes minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --editable '.[api,worker,embedded]'
	@touch $@

$(DEV_STAMP): $(RUN_STAMP)
	@echo "== installing the tools of development into $(VENV)"
	@$(PIP) --editable '.[api,worker,embedded,dev,bench]'
	@# With what it asks for Quantus would bring a second OpenCV, which overwrites the one without windows.
	@$(PIP) --no-deps quantus
	@touch $@
