from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.space.order import SHUFFLED_WHOLE, permutation

SEEDS = st.integers(0, 10**6)


@given(st.integers(1, 30), SEEDS)
def test_that_a_small_permutation_has_everything_once(size: int, seed: int) -> None:
    assert sorted(map(permutation(size, seed), range(size))) == list(range(size))


@given(st.integers(1, 3000), SEEDS)
@settings(max_examples=30)
def test_that_a_large_permutation_has_everything_once(above: int, seed: int) -> None:
    size = SHUFFLED_WHOLE + above
    assert sorted(map(permutation(size, seed), range(size))) == list(range(size))


@pytest.mark.parametrize('size', [2, 3, 6, 30, 5000])
def test_that_every_element_comes_first_for_some_seed_and_none_too_often(size: int) -> None:
    seeds = 400
    first = [permutation(size, seed)(0) for seed in range(seeds)]
    assert len(set(first)) >= min(size, 200)
    assert max(map(first.count, set(first))) <= 2.5 * max(seeds / size, 4)


@pytest.mark.parametrize('size', [1000, 5000, 10**6, 10**12])
def test_that_neighbours_of_the_grid_are_not_neighbours_in_the_order(size: int) -> None:
    order = list(map(permutation(size, 42), range(500)))
    assert sum(abs(a - b) < size / 100 for a, b in itertools.pairwise(order)) < 30


def test_that_the_order_does_not_change_between_versions() -> None:
    assert list(map(permutation(8, 42), range(8))) == [2, 1, 7, 4, 0, 5, 3, 6]
    assert list(map(permutation(10**6, 42), range(4))) == [492376, 433295, 665806, 221744]
