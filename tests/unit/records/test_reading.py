"""A search folder becomes a record, and is not changed by that."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hpsearch.host.kernel import this_host
from hpsearch.model.run import Run, decode_run
from hpsearch.model.states import State
from hpsearch.records.reading import read_search
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import own_journal
from hpsearch.store.plan import planned_runs
from tests.support.queued_search import BEGIN, QueuedSearch
from tests.support.shown_search import shown_search

NOW = BEGIN + 2e6


def test_that_a_record_has_what_became_of_every_run(tmp_path: Path) -> None:
    search = read_search(shown_search(tmp_path / 's', 50, waiting=3), NOW)
    states = [run.state for run in search.runs]
    assert len(states) == search.total == 50
    assert states.count(State.PLANNED) == 3
    assert states.count(State.FAILED) == 2
    assert states.count(State.STOPPED) == 1
    assert search.name == 's'
    assert search.is_open
    assert search.alive == frozenset()


def test_that_an_attempt_knows_when_and_where_it_ran(tmp_path: Path) -> None:
    search = read_search(shown_search(tmp_path / 's', 40), NOW)
    first, again = search.runs[39].attempts
    assert (first.cause, again.state) == ('oom', State.FINISHED)
    assert first.started_at is not None
    assert first.seconds is not None
    assert first.ended_at == first.started_at + first.seconds
    assert first.gpus == again.gpus or first.host != again.host or first.gpus != again.gpus
    assert search.runs[39].gpu_seconds == sum(each.seconds or 0.0 for each in (first, again))
    assert {attempt.host for run in search.runs for attempt in run.attempts} == {'other', os.uname().nodename}


def test_that_a_job_that_was_kept_from_starting_has_ended_and_not_started(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 's')
    begun, waited = search.submit(2)
    search.start(begun)
    search.write(waited, 'started', 'w:closed\n')
    for name in (begun, waited):
        search.event('ended', run=name, attempt=1, state='interrupted', cause='cancelled', reason='', seconds=0.0)
    found = {run.name: run.attempts[0] for run in read_search(search.folder, NOW).runs}
    assert found[begun].was_started
    assert (found[waited].started_at, found[waited].was_started) == (None, False)
    assert None not in (found[begun].ended_at, found[waited].ended_at)


def test_that_the_best_run_comes_first(tmp_path: Path) -> None:
    search = read_search(shown_search(tmp_path / 's', 30), NOW)
    values = [run.value('acc') for run in search.best()]
    assert values == sorted(values, reverse=True)  # type: ignore[type-var]
    assert search.best(1)[0].metrics.keys() == {'val_acc'}


def test_that_a_run_that_was_not_started_says_why_it_waits(tmp_path: Path) -> None:
    waiting = read_search(shown_search(tmp_path / 's', 5, waiting=1), NOW).runs[-1]
    assert waiting.reason == 'no hpsearch works on the search'
    assert waiting.attempts == ()
    assert not waiting.has_ended


def files_of(path: Path) -> dict[str, tuple[int, int]]:
    return {str(each): (each.stat().st_mtime_ns, each.stat().st_size) for each in sorted(path.rglob('*'))}


def test_that_reading_writes_nothing(tmp_path: Path) -> None:
    path = shown_search(tmp_path / 's', 10).path
    before = files_of(path)
    read_search(SearchFolder(path), NOW)
    assert files_of(path) == before


def test_that_the_plan_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = SearchFolder(shown_search(tmp_path / 's', 10, waiting=2).path)
    parsed: list[str] = []

    def counted(line: str) -> Run:
        parsed.append(line)
        return decode_run(line)

    monkeypatch.setattr(planned_runs, 'decode_run', counted)
    assert len(read_search(folder, NOW).runs) == len(parsed) == 10


def test_that_the_time_of_a_run_so_far_has_milliseconds_as_that_of_others(tmp_path: Path) -> None:
    folder = shown_search(tmp_path / 's', 1, waiting=1)
    key = {'run': next(iter(folder.read_runs())).name, 'attempt': 1}
    with own_journal(folder, this_host()) as journal:
        journal.append({'event': 'claimed', **key, 'gpus': [], 'at': 1.0})
        journal.append({'event': 'running', **key, 'handle': {}})
        journal.sync()
        attempt = read_search(folder, 3.123456789).runs[0].last
    assert attempt is not None
    assert attempt.seconds == 2.123
