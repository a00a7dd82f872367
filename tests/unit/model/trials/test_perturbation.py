"""Exploring: values near those of a good run."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.trials.distributions import (
    Choice,
    Distribution,
    Fidelity,
    Integer,
    Normal,
    Space,
    Uniform,
    choice_of,
)
from hpsearch.model.trials.perturbation import Exploration, explored, nearest

ONLY_PERTURBED = Exploration(resample=0.0)
ONLY_DRAWN = Exploration(resample=1.0)


def outcomes(value: Any, distribution: Distribution, exploration: Exploration = ONLY_PERTURBED) -> set[Any]:
    """What becomes of a value, with many states of the random generator."""
    found = [explored({'x': value}, {'x': distribution}, exploration, Random(seed))['x'] for seed in range(60)]
    return {round(each, 12) if isinstance(each, float) else each for each in found}


def test_that_a_number_is_multiplied_with_one_of_the_factors() -> None:
    assert outcomes(0.1, Uniform(1e-4, 1.0, log=True)) == {0.08, 0.12}
    assert outcomes(-2.0, Normal(0.0, 1.0)) == {-1.6, -2.4}


def test_that_a_number_stays_within_its_bounds() -> None:
    assert outcomes(0.95, Uniform(0.9, 1.0)) == {0.9, 1.0}
    assert outcomes(64, Integer(1, 64)) == {51, 64}


def test_that_an_integer_changes_even_where_the_factor_is_too_small() -> None:
    assert outcomes(2, Integer(1, 8)) == {1, 3}
    assert outcomes(32, Integer(32, 128, step=32)) == {32, 64}
    assert outcomes(2, Normal(0.0, 5.0, step=1)) == {1, 3}
    assert {type(each) for each in outcomes(20, Normal(0.0, 5.0, step=1))} == {int}


def test_that_a_number_with_steps_stays_on_them() -> None:
    assert outcomes(0.3, Uniform(0.0, 0.5, step=0.1)) == {0.2, 0.4}


def test_that_an_ordered_choice_moves_to_a_neighbour() -> None:
    assert outcomes(32, choice_of([16, 32, 64, 128])) == {16, 64}
    assert outcomes(16, choice_of([16, 32, 64])) == {16, 32}
    assert outcomes(64, choice_of([64, 32, 16])) == {64, 32}


def test_that_a_choice_without_an_order_stays_unless_it_is_drawn_again() -> None:
    names = Choice(('sgd', 'adam', 'lion'))
    assert outcomes('adam', names) == {'adam'}
    assert outcomes('adam', names, ONLY_DRAWN) == {'sgd', 'adam', 'lion'}


def test_that_zero_is_left() -> None:
    assert 0.0 not in outcomes(0.0, Uniform(0.0, 0.5))


def test_that_budgets_and_options_that_are_not_named_stay() -> None:
    space: Space = {'lr': Uniform(0.0, 1.0), 'width': Integer(1, 1000), 'epochs': Fidelity(1, 9)}
    values = {'lr': 0.5, 'width': 100, 'epochs': 3, 'fixed': 'a'}
    changed = explored(values, space, ONLY_PERTURBED, Random(1), only=('lr',))
    assert changed.pop('lr') != 0.5
    assert changed == {'width': 100, 'epochs': 3, 'fixed': 'a'}


def test_that_an_option_that_a_run_does_not_have_is_not_added() -> None:
    assert explored({'lr': 0.5}, {'momentum': Uniform(0.0, 1.0)}, ONLY_PERTURBED, Random(1)) == {'lr': 0.5}


@pytest.mark.parametrize(
    'distribution',
    [
        Uniform(-3.0, 7.0),
        Uniform(1e-5, 1.0, log=True, precision=3),
        Uniform(0.1, 0.95, step=0.2),
        Integer(-5, 9),
        Integer(1, 1000, log=True),
        Integer(3, 20, step=4),
    ],
)
@given(quantile=st.floats(0, 1, exclude_max=True), seed=st.integers(0, 1000))
def test_that_what_comes_out_is_a_value_of_the_distribution(
    distribution: Uniform | Integer, quantile: float, seed: int
) -> None:
    value = distribution.at(quantile)
    changed = explored({'x': value}, {'x': distribution}, Exploration(), Random(seed))['x']
    assert type(changed) is type(value)
    assert distribution.low <= changed <= distribution.high
    assert nearest(changed, distribution) == pytest.approx(changed)
