"""Trials: losses, and what several runs of one trial say together."""

from __future__ import annotations

import math

from hpsearch.model.trials.trial import Evaluation, Objective, Proposal, Trial, TrialState, trials_of


def evaluation(number: int, *losses: float, trial: int | None = None, fidelity: float | None = None) -> Evaluation:
    state = TrialState.COMPLETE if losses else TrialState.WAITING
    return Evaluation(f'sim_{number}', number, Proposal({'lr': 0.1}, trial, fidelity), state, losses)


def test_that_less_loss_is_better_whatever_the_direction() -> None:
    assert Objective('acc', maximize=True).loss(0.9) < Objective('acc', maximize=True).loss(0.8)
    assert Objective('loss').loss(0.1) < Objective('loss').loss(0.2)


def test_that_what_is_no_number_or_infinite_is_the_worst_of_all() -> None:
    for value in (math.nan, math.inf, -math.inf):
        assert Objective('acc', maximize=True).loss(value) == Objective('loss').loss(value) == math.inf


def test_that_runs_of_one_trial_are_found_together() -> None:
    trials = trials_of([evaluation(1, 0.5), evaluation(2), evaluation(3, 0.7, trial=1)])
    assert [(trial.number, len(trial.evaluations)) for trial in trials] == [(1, 2), (2, 1)]


def test_that_the_loss_of_a_trial_is_the_mean_over_its_seeds() -> None:
    assert Trial(1, [evaluation(1, 1.0, 4.0), evaluation(2, 3.0, 0.0, trial=1)]).losses == (2.0, 2.0)


def test_that_only_runs_with_the_largest_budget_count() -> None:
    assert Trial(1, [evaluation(1, 9.0, fidelity=1), evaluation(2, 2.0, trial=1, fidelity=3)]).losses == (2.0,)


def test_that_a_trial_without_a_result_has_no_loss() -> None:
    assert Trial(1, [evaluation(1)]).losses == ()
