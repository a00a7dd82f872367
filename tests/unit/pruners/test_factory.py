"""Pruners by their names, and what is wrong with their options."""

from __future__ import annotations

from typing import Any

import pytest

from hpsearch.model.errors import ConfigError
from hpsearch.pruners.factory import make_pruner, rungs_of
from tests.unit.pruners.curves import run_with, runs_with


@pytest.mark.parametrize('name', ['asha', 'median', 'percentile'])
def test_that_a_pruner_needs_no_options(name: str) -> None:
    pruner = make_pruner(name, {})
    assert pruner is not None
    assert pruner.why_stop(run_with(99, [99]), runs_with(*([loss] for loss in range(9))))


def test_that_none_is_no_pruner() -> None:
    assert make_pruner('none', {}) is None


def test_that_options_may_be_values_or_text() -> None:
    for settings in ({'grace_period': 3}, {'grace_period': '3', 'adapt': 'no', 'reduction_factor': '2.5'}):
        pruner = make_pruner('asha', settings)
        assert pruner is not None
        others = runs_with(*([1, 1, 1] for _ in range(9)))
        assert not pruner.why_stop(run_with(99, [9, 9]), others)
        assert pruner.why_stop(run_with(99, [9, 9, 9]), others)


@pytest.mark.parametrize(
    ('name', 'settings', 'problem'),
    [
        ('asha', {'graceperiod': 3}, '--prune=asha has no option graceperiod; did you mean grace_period?'),
        ('median', {'percentile': 3}, '--prune=median has no option percentile; it has '),
        ('asha', {'grace_period': '0'}, 'grace_period=0: a number above 0 is expected.'),
        ('asha', {'reduction_factor': 'x'}, 'reduction_factor=x: a number above 1 is expected.'),
        ('asha', {'adapt': 'maybe'}, 'adapt=maybe: yes or no is expected.'),
        ('percentile', {'percentile': '100'}, 'percentile=100: a number above 0 and below 100 is expected.'),
        ('hyperband', {}, '--prune=hyperband: give --max_resource'),
        ('asha', {'grace_period': 9, 'max_resource': 5}, '--grace_period=9 is after --max_resource=5'),
    ],
)
def test_that_a_wrong_option_is_named(name: str, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        make_pruner(name, settings)
    assert str(error.value).startswith(problem)


def test_that_all_problems_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        make_pruner('asha', {'grace_period': -1, 'reduction_factor': 1, 'foo': 1})
    assert len(error.value.problems) == 3


def test_that_the_steps_at_which_runs_are_compared_are_told() -> None:
    assert rungs_of('asha', {'grace_period': '2', 'max_resource': 60.0}) == (2, 6, 18, 54)
    assert rungs_of('hyperband', {'reduction_factor': 2.0, 'max_resource': 10}) == (1, 2, 4, 8)
    assert rungs_of('median', {}) == ()
    assert rungs_of('asha', {})[-1] < 1e9
    assert len(rungs_of('asha', {'reduction_factor': 1.000001})) == 1000
