"""How well needs are foretold, on tasks whose needs are known, and in how much time."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from benchmarks.prediction.__main__ import Foretold, foretold_of_task, left_out, observed
from benchmarks.prediction.tasks import TASKS
from hpsearch.packing.prediction.observation import Observation
from hpsearch.packing.prediction.predictor import Predictor
from tests.support.paths import REPOSITORY

RUNS = {'perceptron': 32, 'convolutions': 48, 'transformer': 64, 'layers': 48, 'distractors': 44, 'small grid': 16}
"""Runs after which memory is known."""


def known(task: str, runs: int, quantity: str = 'memory') -> list[Foretold]:
    """What is known of new runs after so many others, in several drawings."""
    found = [foretold_of_task(TASKS[task], runs, Random(f'{task} {seed}')) for seed in range(3)]
    return [each for one in found for each in one[quantity] if each.guess.is_known]


def share_too_low(found: list[Foretold], tolerance: float = 1.0) -> float:
    """The share of runs that needed more than was expected at most."""
    return sum(each.guess.high * tolerance < each.needed for each in found) / max(1, len(found))


@pytest.mark.parametrize('task', TASKS)
def test_that_memory_is_seldom_too_low_and_little_is_reserved_for_nothing(task: str) -> None:
    found = known(task, RUNS[task])
    assert len(found) > 150
    assert share_too_low(found) <= 0.05
    assert share_too_low(found, tolerance=1.05) <= 0.03
    slack = sorted(each.guess.high / each.needed for each in found)
    assert slack[len(slack) // 2] < 1.3


def test_that_memory_is_seldom_too_low_over_all_tasks() -> None:
    found = [each for task, runs in RUNS.items() for each in known(task, runs)]
    assert share_too_low(found) <= 0.025


@pytest.mark.parametrize('task', TASKS)
def test_that_what_is_guessed_after_a_few_runs_is_guessed_high(task: str) -> None:
    found = [foretold_of_task(TASKS[task], 8, Random(f'{task} {seed}'))['memory'] for seed in range(6)]
    guessed = [each for one in found for each in one if not each.guess.is_known]
    assert len(guessed) > 200
    assert share_too_low(guessed) <= 0.08


def test_that_only_what_matters_is_in_the_formula() -> None:
    draw = Random(0)
    drawn = [TASKS['distractors'](draw) for _ in range(60)]
    learned = {each.quantity: each for each in Predictor([observed(*each) for each in drawn]).explain()}
    assert set(learned['memory'].shares) == {'batch', 'width'}
    assert set(learned['seconds'].shares) == {'f0'}


TABLES = json.loads((REPOSITORY / 'benchmarks' / 'data' / 'memory_tables.json').read_text())['tables']


@pytest.mark.parametrize('table', TABLES, ids=lambda table: str(table['name']))
def test_that_published_tables_are_foretold_row_by_row(table: dict[str, Any]) -> None:
    names = table['columns'][:-1]
    runs = [observed(dict(zip(names, row[:-1], strict=True)), row[-1], 1.0) for row in table['rows']]
    bounds = [
        Observation('', dict(zip(names, row[:-1], strict=True)), ran_out_of=row[-1])
        for row in table.get('more_than', ())
    ]
    found = list(left_out(runs, bounds, 'memory'))
    assert sum(each.guess.high < each.needed for each in found) <= 1
    errors = sorted(abs(each.guess.expected / each.needed - 1) for each in found if each.guess.is_known)
    assert not errors or errors[len(errors) // 2] < 0.1


def test_that_the_time_of_the_digits_example_follows_from_weights_steps_and_optimizer() -> None:
    recorded = json.loads((REPOSITORY / 'benchmarks' / 'data' / 'digits_needs.json').read_text())
    runs = [observed(each['params'], 0, each['cpu_seconds']) for each in recorded['runs']]
    learned = next(each for each in Predictor(runs).explain() if each.quantity == 'seconds')
    assert set(learned.shares) == {'hidden', 'epochs', 'batch_size', 'optimizer'}
    assert 'products in hidden × epochs / batch_size' in learned.formula
    found = list(left_out(runs, (), 'seconds'))
    errors = sorted(abs(each.guess.expected / each.needed - 1) for each in found)
    assert errors[len(errors) // 2] < 0.15
