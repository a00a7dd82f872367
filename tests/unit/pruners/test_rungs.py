"""The steps of rungs, and what runs had reached there."""

from __future__ import annotations

import math

import pytest

from hpsearch.model.trials.standings import Standings, best_until
from hpsearch.model.trials.trial import TrialState
from hpsearch.pruners.rungs import Ladder
from tests.unit.pruners.curves import run_with


def test_that_rungs_grow_geometrically_up_to_a_step() -> None:
    assert list(Ladder(2, 3).up_to(53)) == [2, 6, 18]
    assert list(Ladder(2, 3).up_to(54)) == [2, 6, 18, 54]
    assert list(Ladder(1, 2.5).up_to(7)) == [1, 2.5, 6.25]
    assert not list(Ladder(2, 3).up_to(1))
    assert not list(Ladder().up_to(-math.inf))


def test_that_no_rung_is_at_the_maximum_where_a_run_has_ended() -> None:
    assert list(Ladder(1, 3, 27).up_to(1000)) == [1, 3, 9]


@pytest.mark.parametrize(('step', 'best'), [(8, None), (9, 5.0), (10, 5.0), (12, 2.0), (99, 2.0)])
def test_that_the_best_until_a_step_counts(step: float, best: float | None) -> None:
    assert best_until({9: 5.0, 12: 2.0, 13: 7.0}, step) == best


def test_that_what_is_no_number_is_the_worst() -> None:
    assert best_until({1: math.nan}, 1) == math.inf
    assert best_until({1: math.nan, 2: 3.0}, 2) == 3


def test_that_a_step_is_reached_by_a_report_of_it_or_a_later_one() -> None:
    standings = Standings()
    assert standings.at(run_with(1, {9: 5.0}), 10) is None
    assert standings.at(run_with(1, {9: 5.0, 12: 2.0}), 10) == 5
    assert standings.at(run_with(2, {12: 2.0}), 10) is None
    assert standings.at(run_with(3, {9: 5.0}, TrialState.COMPLETE), 10) == 5


def test_that_a_run_is_read_again_once_it_has_reported_more_or_has_begun_anew() -> None:
    standings = Standings()
    assert standings.at(run_with(1, {1: 5.0}), 1) == 5
    assert standings.at(run_with(1, {1: 4.0}), 1) == 4
    assert standings.last_step(run_with(1, {1: 4.0, 2: 3.0})) == 2
