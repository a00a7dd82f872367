"""What became of runs, as samplers and pruners see it."""

from __future__ import annotations

from typing import Any

import pytest

from hpsearch.model.history.search_state import SearchState
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.trials.evaluations import evaluation_of, losses_of
from hpsearch.model.trials.trial import Evaluation, Objective, TrialState
from tests.support.adaptive import ended, finished, name, suggested

LOSS, ACC = Objective('loss'), Objective('acc', maximize=True)


def evaluated(*events: dict[str, Any], policy: RetryPolicy | None = None) -> Evaluation:
    """What became of the first run."""
    state = SearchState()
    state.replay(('w', event) for event in [suggested(1), *events])
    assert not state.odd
    suggestion, history = state.suggestions[name(1)], state.runs.get(name(1))
    return evaluation_of(suggestion, history, state.curves.of(name(1)), [LOSS], policy or RetryPolicy())


def test_that_a_run_that_has_finished_has_its_losses() -> None:
    found = evaluated(*finished(1, loss='0.5'))
    assert (found.state, found.losses, found.seconds) == (TrialState.COMPLETE, (0.5,), 2.0)


@pytest.mark.parametrize('text', ['nan', 'inf', '', 'much'])
def test_that_a_run_without_a_number_for_the_objective_has_failed(text: str) -> None:
    assert evaluated(*finished(1, loss=text)).state is TrialState.FAILED


def test_that_a_run_without_the_key_of_the_objective_has_failed() -> None:
    assert evaluated(*finished(1, acc='0.5')).state is TrialState.FAILED


def test_that_a_result_of_another_search_counts_as_one_of_this() -> None:
    found = evaluated(*ended(1, 1, 'finished', cause='reused', summary={'loss': '2'}))
    assert (found.state, found.losses) == (TrialState.COMPLETE, (2.0,))


@pytest.mark.parametrize('events', [[], ended(1, 1, 'failed')[:1], ended(1, 1, 'interrupted', cause='stop')], ids=len)
def test_that_a_run_waits_until_it_has_ended_for_good(events: list[dict[str, Any]]) -> None:
    assert evaluated(*events).state is TrialState.WAITING


def test_that_a_run_that_fails_waits_as_long_as_it_is_run_again() -> None:
    policy = RetryPolicy(retries=1)
    first, second = ended(1, 1, 'failed', cause='exit'), ended(1, 2, 'failed', cause='exit')
    assert evaluated(*first).state is TrialState.FAILED
    assert evaluated(*first, policy=policy).state is TrialState.WAITING
    assert evaluated(*first, *second, policy=policy).state is TrialState.FAILED
    assert evaluated(*first, *finished(1, 2, loss='3'), policy=policy).losses == (3.0,)


def test_that_a_run_that_was_stopped_is_so_until_it_goes_on() -> None:
    stopped = ended(1, 1, 'stopped', cause='pruned')
    reported = {'event': 'reported', 'run': name(1), 'attempt': 1, 'points': [[1, {'loss': 5.0}], [2, {'loss': 4.0}]]}
    found = evaluated(*stopped, reported)
    assert (found.state, found.losses, found.curve) == (TrialState.STOPPED, (), {1: 5.0, 2: 4.0})
    assert evaluated(*stopped, ended(1, 2, 'failed')[0]).state is TrialState.WAITING
    assert evaluated(*stopped, *finished(1, 2, loss='1')).losses == (1.0,)


def test_that_the_losses_of_several_objectives_are_those_of_which_less_is_better() -> None:
    assert losses_of({'loss': '0.5', 'acc': '0.9'}, [LOSS, ACC]) == (0.5, -0.9)
    assert losses_of({'loss': '0.5', 'acc': 'nan'}, [LOSS, ACC]) is None
    assert losses_of({}, []) == ()
