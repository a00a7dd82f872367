"""The trials of a search, brought up to date by what has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.dispatch.adaptive.history import History
from hpsearch.dispatch.context import EventRecorder
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.retries import RetryPolicy
from hpsearch.model.trials import evaluations
from hpsearch.model.trials.trial import Objective, TrialState, trials_of
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal
from tests.support.adaptive import adaptive_folder, finished, name, suggested

LOSS = Objective('loss')


@pytest.fixture
def recorder(tmp_path: Path) -> EventRecorder:
    folder: SearchFolder = adaptive_folder(tmp_path / 'search')
    return EventRecorder(SearchState(), Journal(folder, 'w', {}))


def test_that_the_trials_are_those_of_all_writers_in_their_order(recorder: EventRecorder) -> None:
    history = History(recorder, [LOSS], RetryPolicy())
    for event in (suggested(3, trial=1), suggested(2), suggested(1), *finished(3, loss='3'), *finished(1, loss='1')):
        recorder.hear('other', event)
    assert [trial.number for trial in history.trials] == [1, 2]
    assert [each.run for each in history.trials[0].evaluations] == [name(1), name(3)]
    assert [(trial.state, trial.losses) for trial in history.trials] == [
        (TrialState.COMPLETE, (2.0,)),
        (TrialState.WAITING, ()),
    ]


def test_that_what_is_kept_is_what_reading_everything_anew_would_give(recorder: EventRecorder) -> None:
    history = History(recorder, [LOSS], RetryPolicy())
    for number in range(1, 30):
        recorder.hear('other', suggested(number, trial=number // 2 or None))
        if number > 3:
            for event in finished(number - 3, loss=str(number)):
                recorder.hear('other', event)
        state = recorder.state
        every = [
            evaluations.evaluation_of(each, state.runs.get(each.run), {}, [LOSS], RetryPolicy())
            for each in state.suggestions.values()
        ]
        assert history.evaluations == every
        assert [(trial.number, trial.losses, trial.state) for trial in history.trials] == [
            (trial.number, trial.losses, trial.state) for trial in trials_of(every)
        ]


def test_that_only_what_has_changed_is_evaluated_again(
    recorder: EventRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(recorder, [LOSS], RetryPolicy())
    for number in range(1, 101):
        recorder.hear('other', suggested(number))
    assert len(history.trials) == 100
    seen: list[str] = []

    def counted(suggestion: object, *others: object) -> object:
        seen.append(suggestion.run)  # type: ignore[attr-defined]
        return evaluations.evaluation_of(suggestion, *others)  # type: ignore[arg-type]

    monkeypatch.setattr('hpsearch.dispatch.adaptive.history.evaluation_of', counted)
    before = history.version
    for event in finished(7, loss='1'):
        recorder.hear('other', event)
    assert history.trials[6].losses == (1.0,) and seen == [name(7)] and history.version > before
    assert history.version == history.version and seen == [name(7)]


def test_that_the_version_grows_only_where_something_is_new_to_a_sampler(recorder: EventRecorder) -> None:
    history = History(recorder, [LOSS], RetryPolicy())
    recorder.hear('other', suggested(1))
    before = history.version
    recorder.hear('other', finished(1, loss='1')[0])
    assert history.version == before, 'it waits, before and after it has begun'
    recorder.hear('other', finished(1, loss='1')[1])
    assert history.version > before
