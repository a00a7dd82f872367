# `make check` is what a change has to pass before a commit, in three minutes; `make test-all` takes ten.
# PYTHON is an interpreter with the extra "dev" installed, JOBS how many tests are executed at a time.
PYTHON ?= python3
JOBS ?= 4

.PHONY: check format lint type test test-all docs bench clean

check: lint type test docs

format:
	$(PYTHON) -m ruff check --select I --fix .
	$(PYTHON) -m ruff format .

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

type:
	$(PYTHON) -m mypy --strict

test:
	$(PYTHON) -m pytest -n $(JOBS) -m 'not slurm' --hypothesis-profile=quick tests/unit tests/contract

test-all:
	$(PYTHON) -m pytest -n $(JOBS)

docs:
	$(PYTHON) -m sphinx -W --keep-going -q -b html docs docs/_build/html

bench:
	$(PYTHON) -m benchmarks

clean:
	rm -rf build dist docs/_build *.egg-info .mypy_cache .pytest_cache .ruff_cache
