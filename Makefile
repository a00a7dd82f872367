# `make check` is what a change has to pass. PYTHON is an interpreter with the extra "dev" installed.
PYTHON ?= python3

.PHONY: check format lint type test docs bench clean

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
	$(PYTHON) -m pytest

docs:
	$(PYTHON) -m sphinx -W --keep-going -q -b html docs docs/_build/html

bench:
	$(PYTHON) -m benchmarks

clean:
	rm -rf build dist docs/_build *.egg-info .mypy_cache .pytest_cache .ruff_cache
