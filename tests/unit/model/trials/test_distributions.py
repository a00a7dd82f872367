"""Distributions: values at quantiles, lists as distributions, and their form in JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.trials.distributions import (
    Choice,
    Distribution,
    Fidelity,
    Integer,
    Normal,
    Uniform,
    as_plain,
    choice_of,
    from_plain,
)

DISTRIBUTIONS: list[Uniform | Integer | Normal | Choice] = [
    Uniform(0.0, 1.0),
    Uniform(1e-5, 1.0, log=True),
    Uniform(0.0, 1.0, step=0.25),
    Uniform(0.1, 0.9, precision=2),
    Integer(1, 8),
    Integer(1, 1024, log=True),
    Integer(0, 10, step=5),
    Normal(0.0, 1.0),
    Normal(5.0, 2.0, step=0.5),
    Choice(('relu', 'tanh', None)),
    Choice((1, 2), weights=(0.9, 0.1)),
]


@pytest.mark.parametrize('distribution', [*DISTRIBUTIONS, Fidelity(1, 100)])
def test_that_a_distribution_is_read_again_from_json(distribution: Distribution) -> None:
    assert from_plain(json.loads(json.dumps(as_plain(distribution)))) == distribution


@given(st.sampled_from(DISTRIBUTIONS), st.floats(0, 1, exclude_max=True))
def test_that_a_value_is_within_its_bounds(distribution: Uniform | Integer | Normal | Choice, quantile: float) -> None:
    value = distribution.at(quantile)
    if isinstance(distribution, Uniform | Integer):
        assert distribution.low <= value <= distribution.high
    if isinstance(distribution, Choice):
        assert value in distribution.values


def test_that_a_step_reaches_both_bounds() -> None:
    values = {Uniform(0.0, 0.3, step=0.1).at(quantile / 100) for quantile in range(100)}
    assert values == {0.0, 0.1, 0.2, 0.3}


def test_that_whole_numbers_are_drawn_equally_often() -> None:
    values = [Integer(3, 6).at((place + 0.5) / 400) for place in range(400)]
    assert {value: values.count(value) for value in (3, 4, 5, 6)} == {3: 100, 4: 100, 5: 100, 6: 100}


def test_that_logarithms_are_drawn_uniformly() -> None:
    assert Uniform(1e-4, 1.0, log=True).at(0.5) == pytest.approx(1e-2)


def test_that_weights_say_how_often_a_value_is_drawn() -> None:
    values = [Choice(('a', 'b'), weights=(0.75, 0.25)).at(place / 100) for place in range(100)]
    assert values.count('a') == 75


@pytest.mark.parametrize(
    ('values', 'ordered'), [([1, 2, 3], True), ([3, 2.5, 1], True), ([1, 3, 2], False), (['a', 'b', 'c'], False)]
)
def test_that_numbers_in_order_are_alike_where_they_are_neighbours(values: list[object], ordered: bool) -> None:
    assert choice_of(values).ordered is ordered


def test_that_the_rungs_of_a_fidelity_end_with_the_whole_budget() -> None:
    assert Fidelity(1, 100, base=3).rungs == (1, 3, 9, 27, 81, 100)
