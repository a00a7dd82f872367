"""The median stopping rule, and shares other than a half."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.trials.trial import Evaluation
from hpsearch.pruners.percentile import Percentile, mean_until
from tests.unit.pruners.curves import run_with, runs_with, searches

OTHERS = runs_with([1, 1], [2, 2], [3, 3], [4, 4], [5, 5])


def run(*losses: float) -> Evaluation:
    """The run that is judged."""
    return run_with(99, losses)


@pytest.mark.parametrize(('loss', 'is_stopped'), [(2, False), (3, False), (3.1, True)])
def test_that_a_run_that_is_worse_than_the_median_is_stopped(loss: float, is_stopped: bool) -> None:
    assert bool(Percentile().why_stop(run(loss, loss), OTHERS)) is is_stopped


@pytest.mark.parametrize(('share', 'limit'), [(25, 2), (50, 3), (75, 4), (10, 1.4)])
def test_that_the_share_says_how_many_go_on(share: float, limit: float) -> None:
    assert not Percentile(share).why_stop(run(limit, limit), OTHERS)
    assert Percentile(share).why_stop(run(limit + 0.01, limit + 0.01), OTHERS)


def test_that_a_reason_has_both_losses() -> None:
    assert Percentile().why_stop(run(9, 4), OTHERS) == '4 by step 2 is worse than 3, which 50 % of the runs had reached'


def test_that_the_best_of_a_run_is_compared_with_the_mean_of_the_others() -> None:
    others = runs_with(*([5, 1] for _ in range(5)))
    assert not Percentile().why_stop(run(3, 9), others)
    assert Percentile().why_stop(run(3.1, 9), others)


def test_that_only_others_count_that_came_as_far() -> None:
    assert not Percentile().why_stop(run(9, 9, 9), OTHERS)
    assert Percentile().why_stop(run(9, 9), OTHERS)


def test_that_nothing_is_stopped_before_the_grace_has_ended_or_with_too_few_others() -> None:
    assert not Percentile(grace=3).why_stop(run(9, 9), OTHERS)
    assert not Percentile().why_stop(run(9, 9), OTHERS[:4])
    assert Percentile(least=4).why_stop(run(9, 9), OTHERS[:4])


def test_that_what_is_no_number_is_stopped_and_does_not_count_for_others() -> None:
    assert Percentile().why_stop(run(math.nan), OTHERS)
    broken = [run_with(number, [math.nan]) for number in range(5)]
    assert not Percentile().why_stop(run(9), broken)


def test_that_what_was_stopped_is_not_promoted() -> None:
    assert Percentile().promotable(OTHERS, OTHERS) is None


def test_that_the_mean_until_a_step_is_that_of_its_reports() -> None:
    assert mean_until({1: 1.0, 5: 3.0, 9: 100.0}, 6) == 2
    assert mean_until({1: 1.0, 5: math.nan}, 6) == math.inf
    assert mean_until({5: 1.0}, 4) is None
    assert mean_until({1: 1.5e308, 2: 1.5e308}, 2) == pytest.approx(1.5e308), 'their sum is too large for a number'


MAKERS: list[Callable[[], Percentile]] = [Percentile, lambda: Percentile(25, 3, 2)]


@pytest.mark.parametrize('make', MAKERS)
@given(runs=searches(), data=st.data())
def test_that_a_run_with_smaller_losses_goes_on_where_another_does(
    make: Callable[[], Percentile], runs: list[Evaluation], data: st.DataObject
) -> None:
    less = {step: loss - data.draw(st.integers(0, 3)) for step, loss in runs[0].curve.items()}
    if not make().why_stop(runs[0], runs):
        assert not make().why_stop(replace(runs[0], curve=less), runs[1:])


@pytest.mark.parametrize('make', MAKERS)
@given(runs=searches())
def test_that_the_best_and_the_only_run_go_on(make: Callable[[], Percentile], runs: list[Evaluation]) -> None:
    best = replace(runs[0], curve=dict.fromkeys(runs[0].curve, -1.0))
    assert not make().why_stop(best, runs[1:])
    assert not make().why_stop(runs[0], runs[:1])
