"""Reads configurations of other programs as a search does."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from hpsearch.config.loading import load_configuration
from hpsearch.model.configuration import Configuration
from hpsearch.model.errors import ConfigError
from hpsearch.space.order import Order
from hpsearch.space.plan import Plan


def read(folder: Path, text: str, name: str = 'theirs.yaml') -> Configuration:
    """Write a file and load it."""
    (folder / name).write_text(textwrap.dedent(text), encoding='utf-8')
    return load_configuration(name, cwd=folder)


def problems(folder: Path, text: str) -> list[str]:
    """Return what is said about a file, from the number of the line on."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    assert all(problem.startswith(f'{folder}/theirs.yaml') for problem in caught.value.problems)
    return [problem.removeprefix(f'{folder}/theirs.yaml').removeprefix(', ') for problem in caught.value.problems]


def commands(configuration: Configuration) -> list[str]:
    """Return the commands in the order of the grid, with /s/x for the output folder."""
    order = Order(deterministic=True)
    plan = Plan(configuration, order, interpreter='python3', search_path=Path('/s'), ident='x')
    return list(plan.commands())


def argvs(configuration: Configuration) -> list[tuple[str, ...]]:
    """Return the words of the commands in the order of the grid."""
    order = Order(deterministic=True)
    plan = Plan(configuration, order, interpreter='python3', search_path=Path('/s'), ident='x')
    return [run.argv for run in plan.runs()]
