"""Longer grace where early ranks turn out to predict nothing."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.trials.standings import Standings
from hpsearch.model.trials.trial import Evaluation
from hpsearch.pruners.asha import Asha
from hpsearch.pruners.foresight import ENOUGH, Foresight, kendall
from hpsearch.pruners.rungs import Ladder
from tests.unit.pruners.curves import run_with, searches

LADDER = Ladder(1, 3, 27)


def foresight(ladder: Ladder = LADDER) -> Foresight:
    """One that has seen nothing yet."""
    return Foresight(ladder, Standings())


def going_down(number: int, *, reversal: int) -> Evaluation:
    """A run that has reached step 27; up to a step a large number is bad, and from there on it is good."""
    return run_with(number, {step: 50 + number if step < reversal else 40 - number for step in (1, 3, 9, 27)})


@pytest.mark.parametrize(('reversal', 'first'), [(0, 1), (3, 3), (9, 9), (27, 27)])
def test_that_the_grace_lasts_until_the_ranks_are_those_of_the_end(reversal: int, first: float) -> None:
    runs = [going_down(number, reversal=reversal) for number in range(1, ENOUGH + 2)]
    assert foresight().first_rung(runs) == first


def test_that_too_few_runs_change_nothing() -> None:
    runs = [going_down(number, reversal=27) for number in range(1, ENOUGH)]
    assert foresight().first_rung(runs) == 1
    assert foresight().first_rung([]) == 1


def test_that_evidence_comes_from_the_furthest_rung_that_enough_runs_have_reached() -> None:
    early = [run_with(number, {1: 99 + number, 3: 99 - number}) for number in range(1, 20)]
    assert foresight().first_rung(early) == 3
    assert foresight().first_rung([*early, *(going_down(number, reversal=0) for number in range(20, 40))]) == 1


def test_that_a_run_is_not_stopped_before_the_grace_has_ended() -> None:
    runs = [going_down(number, reversal=9) for number in range(1, 20)]
    late = run_with(100, {1: 99.0, 3: 99.0})
    assert not Asha(LADDER).why_stop(late, [*runs, late])
    assert Asha(LADDER, adapts=False).why_stop(late, [*runs, late])


def test_that_a_longer_grace_makes_more_explorers_and_no_others() -> None:
    runs = [run_with(number, [1]) for number in range(1, 2049)]
    explorers = [{run.number for run in runs if foresight().is_explorer(run, first, runs)} for first in (1, 3, 9, 27)]
    assert explorers[0] < explorers[1] < explorers[2] < explorers[3]
    assert 0 < len(explorers[0]) < 0.02 * len(runs)


def test_that_explorers_are_never_stopped() -> None:
    others = [run_with(number, [number]) for number in range(1, 10)]
    stopped = [not Asha(LADDER).why_stop(run_with(number, [99]), others) for number in range(10, 1000)]
    assert 0 < sum(stopped) < 20


def test_that_a_whole_run_is_as_long_as_the_longest_so_far_where_its_length_is_unknown() -> None:
    runs = [going_down(number, reversal=27) for number in range(1, ENOUGH + 2)]
    assert foresight(Ladder(1, 3)).first_rung(runs) == 27


@pytest.mark.parametrize(
    ('pairs', 'tau'),
    [
        ((), 0),
        (((1.0, 1.0),), 0),
        (((1.0, 1.0), (2.0, 2.0), (3.0, 3.0)), 1),
        (((1.0, 3.0), (2.0, 2.0), (3.0, 1.0)), -1),
        (((1.0, 1.0), (2.0, 3.0), (3.0, 2.0)), 1 / 3),
        (((1.0, 1.0), (1.0, 2.0)), 0),
        (((float('inf'), 1.0), (float('inf'), 2.0)), 0),
    ],
)
def test_the_rank_correlation(pairs: tuple[tuple[float, float], ...], tau: float) -> None:
    assert kendall(pairs) == pytest.approx(tau)


@given(runs=searches(), seed=st.integers(0, 9))
def test_that_the_order_of_runs_does_not_matter(runs: list[Evaluation], seed: int) -> None:
    shuffled = list(runs)
    Random(seed).shuffle(shuffled)
    assert foresight().first_rung(shuffled) == foresight().first_rung(runs)
