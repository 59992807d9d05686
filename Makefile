# `make` lists what there is. Every target makes the environment (.venv, from uv.lock) when it is missing.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .uv/bin/uv
BIN := .venv/bin
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never

.PHONY: help setup demo test test-long test-fast check sample sample-report deploy bench real bench-report docs chaos containers-check clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready  ## the environment in .venv, from the lock, bytecode compiled

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# Compiling about halves the import times of every process that a run starts. PYTHONDONTWRITEBYTECODE, which some
# machines set, would have Python never do it later.
.venv/.ready: $(UV) pyproject.toml uv.lock
	env -u PYTHONDONTWRITEBYTECODE $(UV) sync --quiet --frozen --all-extras --compile-bytecode --python $(PYTHON)
	@touch $@

demo: setup  ## the main job on the bundled sample channel, offline
	$(BIN)/channelscribe demo

# Three processes: one for each of two shared stacks (tests/scheduling.py), one for the rest.
test: setup  ## all tests but the longest, about six minutes on two cores
	$(BIN)/pytest -n 3 --no-loadscope-reorder -m "not long"

test-long: setup  ## the longest: kills and faults on whole stacks, the system's ffmpeg, docker/ as containers and processes
	$(BIN)/pytest -n 3 --no-loadscope-reorder -m long

test-fast: setup  ## the library's tests: no engine, no models, under a minute
	$(BIN)/pytest -m "not speech and not stack and not slow and not long" -n auto tests

check: setup  ## what CI checks beside the tests: lint, types, floors, the lock
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(UV) lock --check --quiet

sample: setup  ## make the sample channel and its models again (needs espeak-ng; about an hour and a half)
	$(BIN)/python -m sample_making

sample-report: setup  ## how good the sample models are, on what they were not trained on
	$(BIN)/python -m sample_making.report

deploy: setup  ## bring a Prefect server (prefect.api_url) to what is declared in git
	$(BIN)/channelscribe deploy

bench: setup  ## make bench NAME=name: one benchmark of benchmarks/; its figures are kept in benchmarks/results/
	@test -f "benchmarks/$(NAME).py" || { echo "make bench NAME=laptop (one of benchmarks/)"; exit 2; }
	set -o pipefail; $(BIN)/python -m benchmarks.$(NAME) | $(BIN)/python -m benchmarks.keep

real: setup  ## real people through real weights, beside whisperX and faster-whisper, where both are there
	set -o pipefail; $(BIN)/python -m benchmarks.real | $(BIN)/python -m benchmarks.keep

bench-report: setup  ## write docs/reference/benchmarks.md and the README's figures from benchmarks/results/
	$(BIN)/python -m benchmarks.readme

docs: setup  ## write docs/reference/{commands,settings,api}.md from the code
	PYTHONPATH=. $(BIN)/python docs/generate.py

containers-check: setup  ## what can be told of docker/ without building it: linters, compose, Prometheus, nginx
	docker/check $(BIN)
	$(BIN)/pytest -m "not long" tests/containers

chaos: setup  ## kill any process at any step, then the same again: a table; half an hour
	$(BIN)/python -m tests.chaos $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) $(if $(VICTIM),--victim $(VICTIM)) $(if $(STEP),--step $(STEP))

clean:  ## remove the environment; data/ stays
	rm -rf .venv .uv
