"""Where values lie in their distributions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.configuration import Value
from hpsearch.model.trials.distributions import Choice, Distribution, Integer, Normal, Uniform, choice_of
from hpsearch.samplers.models.positions import position

DISTRIBUTIONS: list[Distribution] = [
    Uniform(-2.0, 3.0),
    Uniform(1e-5, 1.0, log=True, precision=3),
    Uniform(0.1, 0.9, step=0.2),
    Uniform(2.0, 2.0),
    Integer(3, 11),
    Integer(3, 11, step=4),
    Integer(1, 1000, log=True),
    Normal(1.0, 2.0),
    Normal(0.0, 1.0, step=0.5),
    choice_of([16, 32, 64]),
    choice_of(['a', 'b']),
    Choice((True, 1, 1.0, None, [1, 2])),
    Choice(('rare', 'usual'), weights=(0.1, 0.9)),
]


@pytest.mark.parametrize('distribution', DISTRIBUTIONS, ids=str)
@given(quantile=st.floats(0, 1, exclude_max=True))
def test_that_a_value_is_found_again_from_its_place(distribution: Distribution, quantile: float) -> None:
    value = distribution.at(quantile)  # type: ignore[union-attr]
    place = position(distribution, value)
    assert place is not None
    assert 0 <= place <= 1
    assert distribution.at(place) == (pytest.approx(value) if isinstance(value, float) else value)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ('distribution', 'value'),
    [
        (Uniform(0.0, 1.0), 1.5),
        (Uniform(0.0, 1.0), True),
        (Uniform(0.0, 1.0), 'auto'),
        (Integer(1, 2), None),
        (choice_of(['a', 'b']), 'c'),
        (choice_of([1, 2, 3]), 1.0),
    ],
)
def test_that_what_a_distribution_does_not_have_has_no_place(distribution: Distribution, value: Value) -> None:
    assert position(distribution, value) is None
