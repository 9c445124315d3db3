# Two commands do everything from a fresh clone: `make demo` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV  := .venv
BIN   := $(VENV)/bin
# Files of tests that run at the same time: most of them wait most of the time.
TESTS_AT_ONCE ?= $(shell expr $$(nproc) + 2)

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo:  ## the simulated line: page, API and reject pulses (first time about 1 min and 0.5 GB, then seconds)
	@scripts/set-up runtime "the simulated line (Ctrl-C ends it)"
	@$(BIN)/lineward demo

test:  ## everything that CI checks (about 20 min on 2 cores; the first time 3 min and 6 GB more, for PyTorch)
	@scripts/set-up dev "all checks and tests (about 20 min on 2 cores)"
	@scripts/system-packages
	@scripts/test-producers
	@scripts/test-kserve
	@scripts/test-node
	@scripts/test-s3
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest -m "not soak" --numprocesses $(TESTS_AT_ONCE) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

check:  ## style, types, import rules and protos (about 1 min)
	@scripts/set-up dev "ruff, mypy, the import rules and buf"
	@scripts/test-buf || echo "make check: buf could not be had; the other checks go on" >&2
	@scripts/check-proto
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

soak:  ## the long tests (about an hour)
	@scripts/set-up dev "the long tests (about an hour)"
	@scripts/system-packages soak
	@scripts/test-producers
	@scripts/test-kserve
	@scripts/test-s3
	@$(BIN)/python -m pytest -m soak --timeout 7200

zoo:  ## train the demo's model on rendered parts (about 8 min on 2 cores)
	@scripts/set-up dev "training of the demo model (about 8 min on 2 cores)"
	@$(BIN)/python -m training.zoo --out models/zoo/parts

proto:  ## generate the API's stubs and docs/api.md from proto/
	@scripts/set-up dev "generation of the API stubs"
	@$(BIN)/python -m inspection.api.generate
	@$(BIN)/python -m inspection.api.document docs/api.md

proto-released:  ## for a release: hold later protos to today's
	@scripts/set-up dev "the baseline of the protos"
	@scripts/test-buf
	@scripts/check-proto --renew

bench:  ## the benchmarks whose figures docs/benchmarks.md keeps (about 15 min)
	@scripts/set-up dev "the benchmarks (about 15 min)"
	@$(BIN)/lineward bench pipeline
	@$(BIN)/lineward bench ejector
	@$(BIN)/lineward bench cameras
	@$(BIN)/lineward bench api

clean:  ## remove the virtual environment and every cache
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.PHONY: help demo test check soak zoo proto proto-released bench clean
