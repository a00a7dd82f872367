"""Events are checked, journaled, folded and counted, in that order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hpsearch.dispatch.context import EventRecorder
from hpsearch.model.errors import IllegalMove
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.states import Event, State
from tests.support.dispatching import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def counted(recorder: EventRecorder) -> dict[State, int]:
    return {state: count for state, count in recorder.counts.items() if count}


def test_that_an_event_is_in_the_state_the_journal_and_the_counts(desk: Desk) -> None:
    desk.recorder.record('claimed', 'sim_1', 1, gpus=['0'])
    assert desk.state.state_of('sim_1') is State.CLAIMED
    assert desk.events('claimed') == [{'event': 'claimed', 'run': 'sim_1', 'attempt': 1, 'gpus': ['0']}]
    assert counted(desk.recorder) == {State.CLAIMED: 1}
    desk.recorder.record('running', 'sim_1', 1)
    assert counted(desk.recorder) == {State.RUNNING: 1}


def test_that_what_is_illegal_never_gets_into_the_journal(desk: Desk) -> None:
    desk.recorder.record('claimed', 'sim_1', 1)
    desk.recorder.record('ended', 'sim_1', 1, state='finished')
    with pytest.raises(IllegalMove):
        desk.recorder.record('running', 'sim_1', 1)
    assert not desk.events('running')
    assert counted(desk.recorder) == {State.FINISHED: 1}


def test_that_an_event_is_in_the_journal_before_it_is_in_the_state(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[State] = []
    real = desk.journal.append

    def append(event: Event) -> bool:
        seen.append(desk.state.state_of('sim_1'))
        return real(event)

    monkeypatch.setattr(desk.journal, 'append', append)
    desk.recorder.record('claimed', 'sim_1', 1)
    desk.recorder.record('running', 'sim_1', 1)
    assert seen == [State.PLANNED, State.CLAIMED]


def test_that_what_could_not_be_journaled_now_has_not_happened(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(desk.journal, 'append_now', lambda event: False)
        assert not desk.recorder.record_now('claimed', 'sim_1', 1)
    assert 'sim_1' not in desk.state.runs and not counted(desk.recorder)
    assert desk.recorder.record_now('claimed', 'sim_1', 1)
    assert counted(desk.recorder) == {State.CLAIMED: 1}


def test_that_every_attempt_counts_once(desk: Desk) -> None:
    for number in (1, 2):
        desk.recorder.record('claimed', 'sim_1', number)
        desk.recorder.record('ended', 'sim_1', number, state='interrupted')
    desk.recorder.hear('other', {'event': 'claimed', 'run': 'sim_2', 'attempt': 1})
    assert desk.recorder.state.started == 3
    assert counted(desk.recorder) == {State.INTERRUPTED: 1, State.CLAIMED: 1}


def test_that_what_happened_before_is_counted_from_the_start(desk: Desk) -> None:
    state = SearchState()
    for number, run in ((1, 'sim_1'), (2, 'sim_1'), (1, 'sim_2')):
        state.fold('w', {'event': 'claimed', 'run': run, 'attempt': number})
    recorder = EventRecorder(state, desk.journal)
    assert recorder.state.started == 3
    assert recorder.counts == Counter({State.CLAIMED: 2})


def test_that_what_others_report_is_counted_but_not_journaled_again(desk: Desk) -> None:
    desk.recorder.hear('other', {'event': 'claimed', 'run': 'sim_1', 'attempt': 1})
    desk.recorder.hear('other', {'event': 'running', 'run': 'sim_1', 'attempt': 1})
    assert counted(desk.recorder) == {State.RUNNING: 1}
    assert not desk.events('claimed')


def test_that_what_another_writer_cannot_have_done_changes_nothing(desk: Desk) -> None:
    desk.recorder.hear('other', {'event': 'claimed', 'run': 'sim_1', 'attempt': 1})
    desk.recorder.hear('other', {'event': 'claimed', 'run': 'sim_1', 'attempt': 1})
    desk.recorder.hear('other', {'event': 'draining'})
    assert counted(desk.recorder) == {'claimed': 1}
    assert len(desk.state.odd) == 1


def test_that_an_event_of_no_attempt_has_a_time_and_is_taken_in(desk: Desk) -> None:
    assert desk.recorder.note('draining', reason='so')
    assert desk.events('draining') == [{'event': 'draining', 'at': desk.clock.wall(), 'reason': 'so'}]
    assert desk.recorder.note_event(
        {'event': 'submitting', 'queue': 'slurm', 'submission': 'hps-1', 'pilots': 2, 'throttle': 2}
    )
    assert desk.state.submissions['hps-1'].pilots == 2


def test_that_it_says_why_the_journal_cannot_be_written(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert desk.recorder.why_blocked() == ''
    with monkeypatch.context() as broken:
        broken.setattr('os.write', full)
        assert not desk.recorder.note('draining')
        assert desk.recorder.why_blocked() == 'the journal cannot be written: No space left on device'
    assert desk.recorder.why_blocked() == '', 'it was tried again'
    assert len(desk.events('draining')) == 1


def full(handle: int, data: bytes) -> int:
    raise OSError(28, 'No space left on device')
