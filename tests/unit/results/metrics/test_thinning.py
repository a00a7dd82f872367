"""Which points of a run are journaled."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.results.metrics.thinning import MOST_METRICS, MOST_VALUES, Thinning


def kept(thinning: Thinning, steps: list[float], name: str = 'acc') -> list[float]:
    """The steps of the values that are journaled while they come, each of which is its step."""
    found = [point for step in steps for point in thinning.kept(name, step, step)]
    assert all(step == value for step, value in found)
    return [step for step, _ in found]


def test_that_every_point_of_a_short_training_is_kept() -> None:
    steps = [float(step) for step in range(257)]
    assert kept(Thinning(), steps) == steps


@pytest.mark.parametrize(('count', 'most'), [(10_000, 1000), (100_000, 1400)])
def test_that_of_a_long_one_so_many_are_kept_that_none_is_far_from_the_next(count: int, most: int) -> None:
    thinning = Thinning()
    steps = [
        step for start in range(1, count, 1000) for step in kept(thinning, [*map(float, range(start, start + 1000))])
    ]
    assert 800 < len(steps) <= most
    assert steps[0] == 1
    assert all(after - before <= max(1, before / 64) for before, after in itertools.pairwise(steps))
    assert thinning.rest() == [('acc', count, count)]


def test_that_parts_of_epochs_are_thinned_likewise() -> None:
    steps = kept(Thinning(), [step / 10_000 for step in range(1, 30_001)])
    assert len(steps) < 1600


def test_that_the_first_value_at_a_rung_or_beyond_is_kept() -> None:
    steps = kept(Thinning(rungs=(1001, 3000.5)), [float(step) for step in range(1, 5000)])
    assert {1001, 3001} <= set(steps)


def test_that_a_value_that_replaces_another_is_kept_when_its_step_is_over() -> None:
    thinning = Thinning()
    found = [thinning.kept('acc', step, value) for step, value in [(1, 0.1), (1, 0.2), (1, 0.3), (2, 0.4), (2, 0.5)]]
    assert found == [[(1, 0.1)], [], [], [(1, 0.3), (2, 0.4)], []]
    assert thinning.rest() == [('acc', 2, 0.5)]


def test_that_metrics_beside_those_wanted_are_few() -> None:
    thinning = Thinning(wanted=('acc', 'loss'))
    names = [*(f'metric {number}' for number in range(20)), 'acc', 'loss']
    found = [name for name in names if kept(thinning, [1.0], name)]
    assert found == [*names[:MOST_METRICS], 'acc', 'loss']


@given(st.lists(st.floats(-(2.0**62), 2.0**62) | st.integers(0, 5), max_size=50))
def test_that_any_steps_are_taken(steps: list[float]) -> None:
    thinning = Thinning()
    found = kept(thinning, steps)
    assert set(found) <= set(steps)
    assert found[:1] == steps[:1]
    if steps:
        last = steps[-1]
        assert found[-1] == last or thinning.rest() == [('acc', last, last)]


def test_that_steps_that_go_to_and_fro_are_bounded() -> None:
    steps = kept(Thinning(), [1.0, 2.0] * MOST_VALUES)
    assert len(steps) == MOST_VALUES
