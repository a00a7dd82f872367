"""The Pareto front."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.trials.pareto import dominates, front

RESULTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), max_size=30)


@given(RESULTS)
def test_that_the_front_is_what_nothing_dominates(results: list[tuple[int, int, int]]) -> None:
    expected = [i for i, one in enumerate(results) if not any(dominates(other, one) for other in results)]
    assert front(results) == expected


def test_that_with_one_objective_the_front_is_the_best() -> None:
    assert front([(2.0,), (1.0,), (3.0,), (1.0,)]) == [1, 3]


def test_that_what_has_no_result_is_not_among_them() -> None:
    assert front([(), (1.0, math.nan), (math.inf, 1.0)]) == [2]
    assert front([]) == []


def test_that_the_front_of_many_results_is_found_quickly_enough_to_be_asked_for_often() -> None:
    results = [((index * 7919) % 5003, (index * 104729) % 5003) for index in range(5000)]
    assert len(front(results)) < 100
