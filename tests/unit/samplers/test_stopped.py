"""What a model learns from trials that were stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from hpsearch.model.trials.trial import Evaluation, Proposal, Trial, TrialState
from hpsearch.samplers.models.stopped import Continuation


def trial(number: int, curve: Mapping[float, float], state: TrialState = TrialState.STOPPED) -> Trial:
    """A trial of one run."""
    losses = (curve[max(curve)],) if state is TrialState.COMPLETE else ()
    return Trial(number, [Evaluation(f'r{number}', number, Proposal({}), state, losses, curve)])


def complete(number: int, curve: Mapping[float, float]) -> Trial:
    """A trial that has ended with its last loss."""
    return trial(number, curve, TrialState.COMPLETE)


def losses_of(trials: list[Trial], least: int = 1) -> dict[int, float]:
    """Number to the loss that a model sees, of those that it sees as complete."""
    return {each.number: each.losses[0] for each in Continuation(least).of(trials) if each.losses}


def test_that_nothing_changes_where_nothing_was_stopped() -> None:
    trials = [complete(1, {1: 3.0}), trial(2, {1: 2.0}, TrialState.WAITING), trial(3, {}, TrialState.FAILED)]
    assert Continuation(1).of(trials) == trials


def test_that_a_stopped_trial_is_taken_on_as_its_neighbours_went_on() -> None:
    ended = [complete(1, {3: 2.0, 9: 1.5}), *(complete(number, {3: 8.0, 9: 4.0}) for number in range(2, 7))]
    stopped = [trial(7, {1: 99.0}), trial(8, {3: 9.0})]
    assert losses_of([*ended, *stopped])[8] == pytest.approx(5.0)


def test_that_what_was_stopped_before_the_level_that_enough_have_reached_is_left_out() -> None:
    trials = [trial(number, {step: 1.0}) for number, step in enumerate([1, 1, 3, 3, 3, 9, 27], start=1)]
    assert set(losses_of(trials, least=2)) == {6, 7}
    assert set(losses_of(trials, least=5)) == {3, 4, 5, 6, 7}


def test_that_the_lowest_level_says_nothing_whatever_is_enough() -> None:
    assert not losses_of([trial(number, {1: 1.0}) for number in range(99)], least=2)


def test_that_trials_that_wait_are_kept() -> None:
    trials = [trial(1, {1: 1.0}), trial(2, {1: 1.0}, TrialState.WAITING)]
    assert [each.number for each in Continuation(1).of(trials)] == [2]


def test_that_steps_between_two_levels_count_as_the_lower_one() -> None:
    trials = [trial(1, {1: 9.0}), trial(2, {3: 5.0, 8: 1.0}), complete(3, {3: 6.0, 9: 4.0})]
    assert losses_of(trials)[2] == pytest.approx(3.0)


def test_that_what_is_no_number_stays_the_worst() -> None:
    trials = [trial(1, {1: 9.0}), trial(2, {3: math.nan}), complete(3, {3: 6.0, 9: 4.0})]
    assert losses_of(trials)[2] == math.inf


def test_that_losses_too_far_apart_for_a_difference_say_nothing() -> None:
    away = [complete(number, {3: -1.7e308 * sign, 9: 1.7e308 * sign}) for number, sign in enumerate([1, -1], start=1)]
    near = [trial(3, {3: 5.0}), complete(4, {3: 6.0, 9: 4.0}), trial(5, {1: 9.0})]
    assert losses_of([*away, *near])[3] == pytest.approx(3.0)
