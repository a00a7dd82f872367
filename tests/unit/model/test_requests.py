"""Requests about single runs, as the fold has them: what holds, whatever order they are heard in."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.retries import RetryPolicy, why_again
from hpsearch.model.states import State
from hpsearch.store.events import problem_of


def cancel(after: int, revision: int) -> dict[str, Any]:
    return {'event': 'cancel', 'run': 'sim_1', 'after': after, 'revision': revision}


def rerun(after: int, revision: int) -> dict[str, Any]:
    return {**cancel(after, revision), 'event': 'rerun'}


def attempt(number: int, state: str = '', cause: str = 'exit') -> list[dict[str, Any]]:
    """An attempt that was started, and has ended so if that is given."""
    begun = [{'event': kind, 'run': 'sim_1', 'attempt': number} for kind in ('claimed', 'running')]
    ended = {'event': 'ended', 'run': 'sim_1', 'attempt': number, 'state': state, 'cause': cause}
    return [*begun, ended] if state else begun


def history_of(*events: dict[str, Any]) -> RunHistory:
    state = SearchState()
    state.replay(('w', event) for event in events)
    assert not state.odd
    return state.runs['sim_1']


def is_started(history: RunHistory, *, is_taken_up: bool = False) -> bool:
    return bool(why_again(history, RetryPolicy(), is_taken_up=is_taken_up))


def test_that_a_run_that_was_cancelled_before_its_start_is_interrupted_and_not_started() -> None:
    history = history_of(cancel(0, 1))
    assert (history.state, history.attempts) == (State.INTERRUPTED, [])
    assert not is_started(history) and not is_started(history, is_taken_up=True)


def test_that_an_attempt_that_was_begun_unseen_by_who_cancelled_is_cancelled_as_well() -> None:
    assert [each.is_cancelled for each in history_of(cancel(0, 1), *attempt(1)).attempts] == [True]
    assert [each.is_cancelled for each in history_of(*attempt(1, 'lost'), *attempt(2), cancel(1, 1)).attempts] == [
        False,
        True,
    ]


def test_that_what_had_ended_before_keeps_its_end_and_is_not_started_again() -> None:
    history = history_of(*attempt(1, 'lost', 'lost'), cancel(1, 1))
    assert (history.state, history.attempts[0].is_cancelled) == (State.LOST, False)
    assert not is_started(history)


@pytest.mark.parametrize('state', ['failed', 'lost', 'interrupted', 'stopped'])
def test_that_a_run_that_ended_gets_one_more_attempt_on_request(state: str) -> None:
    ended = attempt(1, state, 'cancelled' if state == 'interrupted' else 'exit')
    assert is_started(history_of(*ended, rerun(1, 1)))
    again = history_of(*ended, rerun(1, 1), *attempt(2, 'failed'))
    assert not is_started(again), 'once'


def test_that_a_run_that_has_finished_is_not_run_again() -> None:
    assert not is_started(history_of(*attempt(1, 'finished'), rerun(1, 1)))


def test_that_of_two_requests_the_one_that_knew_of_the_other_holds() -> None:
    assert is_started(history_of(cancel(0, 1), rerun(0, 2)))
    assert not is_started(history_of(cancel(0, 1), rerun(0, 2), cancel(0, 3)))
    assert not is_started(history_of(rerun(0, 1), cancel(0, 1))), 'neither knew of the other'


def test_that_a_run_that_is_being_cancelled_may_be_asked_for_again() -> None:
    history = history_of(*attempt(1), cancel(0, 1), rerun(1, 2))
    assert history.attempts[0].is_cancelled, 'it ends'
    ended = history_of(*attempt(1, 'interrupted', 'cancelled'), cancel(0, 1), rerun(1, 2))
    assert is_started(ended)


def test_that_a_job_that_was_cancelled_outside_counts_as_that_until_somebody_asks_for_something() -> None:
    ended = attempt(1, 'interrupted', 'cancelled')
    assert history_of(*ended).was_cancelled_outside
    assert history_of(*ended).is_unwanted
    again = history_of(*ended, rerun(1, 1))
    assert not again.was_cancelled_outside and not again.is_unwanted
    cancelled = history_of(*ended, cancel(1, 1))
    assert cancelled.is_kept_back and not cancelled.was_cancelled_outside, 'counted once'


@pytest.mark.parametrize(
    ('events', 'is_open'),
    [
        (attempt(1), True),
        (attempt(1, 'failed'), False),
        ([*attempt(1, 'failed'), rerun(1, 1)], True),
        (attempt(1, 'interrupted', 'stop'), True),
        (attempt(1, 'interrupted', 'cancelled'), False),
        ([*attempt(1, 'interrupted', 'cancelled'), rerun(1, 1)], True),
        ([*attempt(1, 'interrupted', 'stop'), cancel(1, 1)], False),
        ([cancel(0, 1)], False),
        ([cancel(0, 1), rerun(0, 2)], True),
        ([*attempt(1, 'finished'), rerun(0, 1)], False),
    ],
)
def test_that_a_run_is_open_if_there_is_something_to_do_without_being_asked_again(
    events: list[dict[str, Any]], is_open: bool
) -> None:
    assert history_of(*events).is_open == is_open


def test_that_what_is_under_way_and_cancelled_is_to_end() -> None:
    assert history_of(*attempt(1), cancel(0, 1)).is_to_end
    assert not history_of(*attempt(1)).is_to_end
    assert not history_of(*attempt(1, 'interrupted', 'cancelled'), cancel(0, 1)).is_to_end


def test_that_the_order_in_which_requests_are_heard_does_not_matter() -> None:
    requests = [cancel(0, 1), rerun(0, 2), cancel(1, 3), rerun(1, 3), rerun(2, 4)]
    found = [history_of(*attempt(1, 'failed'), *order) for order in itertools.permutations(requests)]
    assert all(each == found[0] for each in found)


def test_that_the_last_request_about_admission_holds_in_any_order() -> None:
    pauses = [{'event': 'pause', 'on': on, 'revision': number} for number, on in ((1, True), (2, False), (2, True))]
    for order in itertools.permutations(pauses):
        state = SearchState()
        state.replay(('w', event) for event in order)
        assert state.admission.is_paused
    state.fold('w', {'event': 'pause', 'on': False, 'revision': 3})
    assert not state.admission.is_paused


@pytest.mark.parametrize(
    'event',
    [
        {**cancel(0, 1), 'after': -1},
        {**cancel(0, 1), 'revision': 0},
        {**rerun(0, 1), 'run': 3},
        {'event': 'rerun', 'run': 'sim_1', 'after': 1},
        {'event': 'pause', 'on': 1, 'revision': 1},
    ],
)
def test_that_damaged_requests_are_left_out(event: dict[str, Any]) -> None:
    assert problem_of(event)


def test_that_requests_are_events() -> None:
    assert not any(map(problem_of, [cancel(0, 1), rerun(2, 7), {'event': 'pause', 'on': True, 'revision': 1}]))
