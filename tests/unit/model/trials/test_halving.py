"""Successive halving: which trials go on."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from hpsearch.model.trials.halving import bracket_of, bracket_sizes, worth_promoting


def test_that_nothing_goes_on_before_there_are_as_many_as_the_factor() -> None:
    assert worth_promoting({1: 0.5, 2: 0.4}, (), 3) == []


def test_that_the_best_fraction_goes_on_at_once_and_best_first() -> None:
    losses = {1: 0.5, 2: 0.4, 3: 0.1, 4: 0.9, 5: 0.3, 6: 0.8}
    assert worth_promoting(losses, (), 3) == [3, 5]
    assert worth_promoting(losses, (3,), 3) == [5]


def test_that_what_has_no_number_does_not_go_on() -> None:
    assert worth_promoting({1: math.inf, 2: math.inf, 3: math.inf}, (), 3) == []


def test_that_brackets_have_the_sizes_of_hyperband() -> None:
    # Those of Hyperband for R = 81 and a factor of 3 before they are rounded: n = 5 * 3^s / (s + 1).
    sizes = bracket_sizes(5, 5, 3)
    relative = [size / sizes[-1] for size in sizes]
    assert relative == pytest.approx([81 / 5, 27 / 4, 9 / 3, 3 / 2, 1])


def test_that_the_bracket_of_a_trial_follows_from_its_number_alone() -> None:
    sizes = bracket_sizes(3, 3, 3)
    assert [bracket_of(number, sizes, 1) for number in range(50)] == [
        bracket_of(number, sizes, 1) for number in range(50)
    ]
    drawn = Counter(bracket_of(number, sizes, 1) for number in range(2000))
    assert drawn[0] > drawn[1] > drawn[2] > 0
