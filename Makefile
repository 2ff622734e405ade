# make help says what there is. Every target that needs .venv builds it first.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
  $$p -c '$(PYTHON_FITS)' 2>/dev/null && { echo $$p; break; }; done)
PYTHON_FITS := import ensurepip, sys, venv; \
  sys.exit(not (3, 11) <= sys.version_info < (3, 14))

BIN := .venv/bin
INSTALLED := .venv/installed
# Beside them lie files of users, which are none of our business.
CODE := launcher.py benchmarks experiments tests
# How many trials run at a time.
JOBS ?= 2
# How many processes test: one more than there are cores, since tests wait for
# what they start. Each imports TensorFlow and JAX, so the tests of a file stay
# together.
WORKERS ?= 3
# How often `make torture` kills.
KILLS ?= 300
PYTEST := $(BIN)/pytest -q -n $(WORKERS) --dist loadfile

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run test test-slow coverage check format bench data torture \
  lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' \
	  $(MAKEFILE_LIST)

install: $(INSTALLED)  ## build .venv from requirements.lock, if need be

# The stamp comes last: an install that was cut short is done again. A .venv
# whose Python has gone is built again, too.
$(INSTALLED): requirements.lock $(BIN)/python
	@$(if $(strip $(PYTHON)),,$(error This needs Python 3.11 with venv, and \
	  found none on the PATH. Install it (Debian: python3.11 and \
	  python3.11-venv), or say make PYTHON=/path/to/python3.11))
	@'$(PYTHON)' -c '$(PYTHON_FITS)' || { echo >&2 '$(PYTHON) does not do:' \
	  'it must be Python 3.11 to 3.13, with the venv module.'; exit 1; }
	@echo 'Installing $(shell grep -c == $<) packages into .venv (2 minutes)'
	@'$(PYTHON)' -m venv --clear .venv
	@$(BIN)/python -m pip install -qq \
	  $(shell grep -E '^(pip|setuptools|wheel)==' $<)
	@$(BIN)/python -m pip install -qq --no-build-isolation -r $<
	@touch $@

$(BIN)/python: ;

run: install  ## train on the embedded BBC News, evaluate, show predictions
	@$(BIN)/python launcher.py --gin_file=gin/bbc_news.gin

test: install  ## the tests, but for those marked slow
	@$(PYTEST) -m 'not slow'

test-slow: install  ## the tests marked slow
	@$(PYTEST) -m slow || test $$? -eq 5

coverage: install  ## the tests, and which lines they never reach
	@$(PYTEST) -m 'not slow' --cov --cov-report=term-missing:skip-covered

check: install  ## format, lint and types, as in CI
	@status=0; \
	$(BIN)/ruff format --check --output-format concise $(CODE) || status=1; \
	$(BIN)/ruff check --output-format concise $(CODE) || status=1; \
	$(BIN)/mypy $(CODE) || status=1; exit $$status

format: install  ## rewrite the code as `make check` wants it
	@$(BIN)/ruff check --quiet --fix $(CODE)
	@$(BIN)/ruff format --quiet $(CODE)

bench: install  ## measure speed, 135 minutes; see benchmarks/README.md
	@status=0; for f in benchmarks/bench_*.py; do \
	  $(BIN)/python -m benchmarks.$$(basename $$f .py) || status=1; done; \
	$(BIN)/python -m benchmarks.summary || status=1; exit $$status

data: install  ## real data sets and models, 280 MB, for benchmarks and slow tests
	@$(BIN)/python -m benchmarks.real_data

torture: install  ## kill runs KILLS=300 times; each must end as if it had not
	@$(BIN)/python -m tests.fixtures.torture --kills=$(KILLS) \
	  --jobs=$(JOBS) --json=benchmarks/results/torture.json

lock: install  ## choose versions again, by setup.cfg; UPGRADE=1 takes newest
	@CUSTOM_COMPILE_COMMAND='make lock' PYTHONWARNINGS=ignore \
	  $(BIN)/pip-compile --quiet \
	  --extra dev --allow-unsafe --strip-extras --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links --no-emit-options \
	  $(if $(UPGRADE),--upgrade) --output-file requirements.lock setup.cfg

clean:  ## remove .venv, caches and builds; runs stay
	@rm -rf .venv build dist *.egg-info .coverage .coverage.* \
	  .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
