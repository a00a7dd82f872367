"""Successive halving without waiting: who goes on, who is stopped, and who is promoted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.model.trials.trial import Evaluation, TrialState
from hpsearch.pruners.asha import Asha
from hpsearch.pruners.base import Pruner
from hpsearch.pruners.hyperband import Hyperband
from hpsearch.pruners.rungs import Ladder
from tests.unit.pruners.curves import run_with, runs_with, searches

PLAIN: list[Callable[[], Pruner]] = [lambda: Asha(Ladder(), adapts=False), lambda: Asha(Ladder(2, 2, 30), adapts=False)]
ALL: list[Callable[[], Pruner]] = [*PLAIN, lambda: Asha(Ladder()), lambda: Hyperband(Ladder(1, 3, 27))]
SHARED = settings(max_examples=settings().max_examples // len(ALL))  # as many for all of them as usual for one


def plain(grace: float = 1, factor: float = 3) -> Asha:
    """One that does not adapt."""
    return Asha(Ladder(grace, factor), adapts=False)


def test_that_the_best_third_of_a_rung_goes_on() -> None:
    runs = runs_with(*([loss] for loss in range(9)))
    assert [not plain().why_stop(run, runs) for run in runs] == [True] * 3 + [False] * 6


def test_that_a_reason_says_how_many_were_better_and_where() -> None:
    runs = runs_with([1, 1, 1], [2, 2, 2], [3, 3, 3])
    assert plain().why_stop(runs[2], runs) == '2 of 3 runs were better by step 3, where the best one may go on'


def test_that_nobody_waits_for_a_rung_to_fill() -> None:
    runs = runs_with([5], [])
    assert not plain().why_stop(runs[0], runs)


def test_that_a_run_that_went_on_is_stopped_when_better_ones_come() -> None:
    first = run_with(1, [5, 5])
    assert not plain().why_stop(first, [first])
    assert plain().why_stop(first, [first, *(run_with(number, [number]) for number in (2, 3, 4))])


def test_that_a_run_is_compared_at_the_last_rung_that_it_has_reached() -> None:
    bad_start = run_with(1, [9, 9, 0])
    others = [run_with(number, [1, 1, 1]) for number in (2, 3, 4)]
    assert not plain().why_stop(bad_start, [bad_start, *others])


@pytest.mark.parametrize(('step', 'is_stopped'), [(9, False), (10, True), (12, True)])
def test_that_a_rung_between_two_reports_is_judged_when_the_later_one_arrives(step: int, is_stopped: bool) -> None:
    run = run_with(1, {8: 5.0, step: 0.0} if step > 10 else {step: 5.0})
    others = [run_with(2, {10: 1.0})]
    assert bool(plain(grace=10).why_stop(run, others)) is is_stopped


def test_that_a_rung_before_the_first_report_stops_nothing() -> None:
    run = run_with(1, {5: 9.0})
    assert not Asha(Ladder(4, 3), adapts=False).why_stop(run, [run_with(2, {4: 1.0})])


def test_that_the_best_until_a_rung_counts_and_not_what_is_reported_there() -> None:
    run = run_with(1, [1, 9, 9])
    assert not plain().why_stop(run, [run_with(2, [2, 2, 2])])


def test_that_complete_runs_count_at_rungs_that_they_never_reported() -> None:
    run = run_with(1, [5] * 9)
    assert plain().why_stop(run, [run_with(2, [1, 1], TrialState.COMPLETE)])


def test_that_ties_go_on_together() -> None:
    runs = runs_with(*([1] for _ in range(9)))
    assert not any(plain().why_stop(run, runs) for run in runs)


def test_that_a_run_without_a_number_is_stopped_once_another_has_one() -> None:
    diverged = run_with(1, [math.nan])
    nothing = [diverged, *(run_with(number, [math.nan]) for number in range(2, 9))]
    assert not plain().why_stop(diverged, nothing)
    assert plain().why_stop(diverged, [*nothing, run_with(9, [5])])


def test_that_nothing_is_stopped_at_the_maximum() -> None:
    runs = runs_with([1] * 9, [2] * 9, [3] * 9)
    pruner = Asha(Ladder(9, 3, 9), adapts=False)
    assert not any(pruner.why_stop(run, runs) for run in runs)


@pytest.mark.parametrize('make', ALL)
@SHARED
@given(runs=searches())
def test_that_a_single_run_is_never_stopped(make: Callable[[], Pruner], runs: list[Evaluation]) -> None:
    assert not make().why_stop(runs[0], [runs[0]])
    assert not make().why_stop(runs[0], [])


@pytest.mark.parametrize('make', ALL)
@SHARED
@given(runs=searches())
def test_that_whoever_is_best_at_every_step_is_never_stopped(
    make: Callable[[], Pruner], runs: list[Evaluation]
) -> None:
    best = replace(runs[0], curve=dict.fromkeys(runs[0].curve, -1.0))
    assert not make().why_stop(best, [best, *runs[1:]])


@pytest.mark.parametrize('make', ALL)
@SHARED
@given(runs=searches(), seed=st.integers(0, 9))
def test_that_the_order_of_the_other_runs_and_whether_the_run_is_among_them_do_not_matter(
    make: Callable[[], Pruner], runs: list[Evaluation], seed: int
) -> None:
    shuffled = runs[1:]
    Random(seed).shuffle(shuffled)
    assert make().why_stop(runs[0], shuffled) == make().why_stop(runs[0], runs)


@pytest.mark.parametrize('make', PLAIN)
@given(runs=searches(), data=st.data())
def test_that_a_run_with_smaller_losses_goes_on_where_another_does(
    make: Callable[[], Pruner], runs: list[Evaluation], data: st.DataObject
) -> None:
    worse = runs[0]
    less = {step: loss - data.draw(st.integers(0, 3)) for step, loss in worse.curve.items()}
    better = replace(worse, curve=less)
    if not make().why_stop(worse, runs):
        assert not make().why_stop(better, [better, *runs[1:]])


@pytest.mark.parametrize('make', ALL)
@SHARED
@given(runs=searches())
def test_that_what_was_asked_before_does_not_change_an_answer(
    make: Callable[[], Pruner], runs: list[Evaluation]
) -> None:
    used = make()
    for run in runs:
        used.why_stop(run, runs[: len(runs) // 2])
        used.promotable(runs, runs)
    assert [used.why_stop(run, runs) for run in runs] == [make().why_stop(run, runs) for run in runs]


def stopped(number: int, losses: list[float]) -> Evaluation:
    """A run that was stopped."""
    return run_with(number, losses, TrialState.STOPPED)


def test_that_a_stopped_run_is_promoted_once_it_is_clearly_among_the_best() -> None:
    run = stopped(1, [3])
    worse = [run_with(number, [9]) for number in range(4, 30)]
    better = [run_with(2, [1]), run_with(3, [2])]
    assert plain().promotable([run], [run, *better, *worse[:3]]) is None
    assert plain().promotable([run], [run, *better, *worse]) is run


def test_that_the_run_that_came_furthest_is_promoted_first_and_then_the_best() -> None:
    far, near, nearest = stopped(1, [5, 5, 5]), stopped(2, [1]), stopped(3, [2])
    others = [run_with(number, [9, 9, 9]) for number in range(4, 30)]
    every = [far, near, nearest, *others]
    assert plain().promotable([near, far, nearest], every) is far
    assert plain().promotable([nearest, near], every) is near
    assert plain().promotable([], every) is None


@pytest.mark.parametrize('make', ALL)
@SHARED
@given(runs=searches())
def test_that_a_promoted_run_is_not_stopped_at_once(make: Callable[[], Pruner], runs: list[Evaluation]) -> None:
    pruner = make()
    run = pruner.promotable([each for each in runs if each.state is TrialState.STOPPED], runs)
    if run is not None:
        assert not pruner.why_stop(run, runs)
