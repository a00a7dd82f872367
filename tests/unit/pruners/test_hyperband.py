"""Brackets with different graces."""

from __future__ import annotations

from collections import Counter

from hpsearch.model.trials.trial import TrialState
from hpsearch.pruners.hyperband import Hyperband
from hpsearch.pruners.rungs import Ladder
from tests.unit.pruners.curves import run_with

HYPERBAND = Hyperband(Ladder(1, 3, 27))
NUMBERS = range(1, 2001)


def members(bracket: int) -> list[int]:
    """The numbers of the runs in a bracket."""
    return [number for number in NUMBERS if HYPERBAND.bracket(run_with(number, [1])) == bracket]


def test_that_there_are_more_runs_in_a_bracket_with_a_shorter_grace() -> None:
    counts = Counter(HYPERBAND.bracket(run_with(number, [1])) for number in NUMBERS)
    assert counts[0] > counts[1] > counts[2] > counts[3] > 0
    assert len(counts) == 4


def test_that_each_bracket_gets_about_the_same_number_of_steps() -> None:
    steps = [27, 9 + 18 / 3, 3 + 6 / 3 + 18 / 9, 1 + 2 / 3 + 6 / 9 + 18 / 27]
    used = [len(members(bracket)) * each for bracket, each in enumerate(reversed(steps))]
    assert max(used) < 1.4 * min(used)


def test_that_the_last_bracket_stops_nothing() -> None:
    runs = [run_with(number, [number] * 26) for number in members(3)]
    assert not any(HYPERBAND.why_stop(run, runs) for run in runs)


def test_that_runs_are_compared_with_those_of_their_bracket_alone() -> None:
    first, second = members(0), members(1)
    run = run_with(first[0], [9] * 3)
    assert not HYPERBAND.why_stop(run, [run_with(number, [1] * 3) for number in second])
    assert HYPERBAND.why_stop(run, [run_with(number, [1] * 3) for number in first[1:]])


def test_that_a_run_is_promoted_within_its_bracket() -> None:
    best, *others = (run_with(number, [9.0 - (number == members(0)[0])]) for number in members(0)[:9])
    stopped = run_with(best.number, [8.0], TrialState.STOPPED)
    assert HYPERBAND.promotable([stopped], [stopped, *others]) is stopped
