# Lookalike. `make help` lists what can be done.
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench env-example clean

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DATA   ?= data
PORT   ?= 8000
IMAGES ?=
WORKERS ?= 2

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## Make .venv with Lookalike and all its tools

# torch is pinned: later builds bring gigabytes of CUDA libraries that a laptop has no use for.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,models]"
	@touch $@

demo: setup ## Start with sample pictures. IMAGES=folder PORT=8000 DATA=folder
	@exec $(BIN)/lookalike demo --port $(PORT) --data $(DATA) $(if $(IMAGES),--images "$(IMAGES)")

test: setup ## Run every test that this machine can run
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

lint: setup ## ruff, mypy --strict, and the import rule
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Speed and recall, side by side in one run. IMAGES=folder
	$(BIN)/python -m bench $(if $(IMAGES),--images "$(IMAGES)")

env-example: setup ## Write .env.example from the settings
	$(BIN)/python -c "from lookalike.services.settings import env_example; print(env_example(), end='')" > .env.example

clean: ## Remove .venv and caches; keeps the data folder
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info build dist
