"""When somebody is told of the end of a search, and by whom."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hpsearch.backends.base import JobCounts
from hpsearch.cli.notifying.notices import NOTICES, Notices, event_at_end, key_of
from hpsearch.cli.notifying.options import NotifyOptions
from hpsearch.dispatch.dispatcher import Outcome
from hpsearch.model.errors import JournalError
from hpsearch.model.history.search_state import SearchState
from tests.support.harness import new_folder


def state_of(**runs: str) -> SearchState:
    """A state with an attempt of each run, which runs or has ended in this state."""
    state = SearchState()
    for run, end in runs.items():
        state.fold('w', {'event': 'claimed', 'run': run, 'attempt': 1})
        if end != 'claimed':
            state.fold('w', {'event': 'ended', 'run': run, 'attempt': 1, 'state': end})
    return state


def result(outcome: Outcome, *, all_finished: bool = False, **runs: str) -> Any:
    """What the work on a search has come to, as far as the event at its end depends on it."""
    return SimpleNamespace(outcome=outcome, all_finished=all_finished, has_reached_target=False, state=state_of(**runs))


@pytest.mark.parametrize(
    ('found', 'code', 'event'),
    [
        (result(Outcome(), all_finished=True, a='finished'), 0, 'finished'),
        (result(Outcome(), a='finished', b='failed'), 1, 'finished'),
        (result(Outcome(), a='finished', b='claimed'), 1, ''),
        (result(Outcome(interrupted=True), a='interrupted'), 130, 'interrupted'),
        (result(Outcome(interrupted=True, drained=True), a='finished'), 130, 'drained'),
        (result(Outcome(failed_fast='the same'), a='failed'), 1, 'failed'),
        (result(Outcome(refused='no such account'), a='failed'), 2, 'failed'),
        (result(Outcome(unknown=frozenset('a')), a='claimed'), 1, 'failed'),
        (result(Outcome(left=JobCounts()), a='claimed'), 0, ''),
        (result(Outcome(left=JobCounts(), interrupted=True), a='claimed'), 130, 'interrupted'),
    ],
)
def test_that_the_end_of_the_work_is_told_from_the_end_of_the_search(found: Any, code: int, event: str) -> None:
    assert event_at_end(found, code) == event


def test_that_an_end_has_the_same_name_for_all_who_see_it_and_another_one_the_next_time() -> None:
    assert key_of(state_of(a='finished', b='failed')) == key_of(state_of(b='failed', a='finished'))
    again = state_of(a='finished', b='failed')
    again.fold('w', {'event': 'claimed', 'run': 'b', 'attempt': 2})
    again.fold('w', {'event': 'ended', 'run': 'b', 'attempt': 2, 'state': 'failed'})
    names = {key_of(each) for each in (state_of(a='finished', b='failed'), state_of(a='finished'), again)}
    assert len(names) == 3


def test_that_a_crash_is_told_and_goes_on(tmp_path: Path) -> None:
    folder = new_folder(tmp_path / 'search')
    echo = (sys.executable, '-c', 'import sys; print(sys.stdin.read())')
    notices = Notices(folder, NotifyOptions(on_failure=echo))
    with pytest.raises(JournalError), notices.of_a_crash():
        raise JournalError('the disk is gone')
    (log,) = (folder.path / NOTICES).iterdir()
    facts = json.loads(log.read_text())
    assert (facts['event'], facts['error'], facts['folder']) == ('crashed', 'the disk is gone', str(folder.path))


def test_that_a_failure_of_which_nothing_can_be_read_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = new_folder(tmp_path / 'search')
    notices = Notices(folder, NotifyOptions(on_failure=('true',)))
    search: Any = SimpleNamespace(pending=SimpleNamespace(given_up=set(), total=1), state=state_of(a='failed'))
    notices.watch(search)
    search.pending.given_up.add('a')

    def unreadable(run: str) -> None:
        raise PermissionError(13, 'Permission denied', f'plan of {run}')

    monkeypatch.setattr(folder, 'find_run', unreadable)
    notices.watch(search)
    assert 'nobody was told that a failed' in caplog.text
