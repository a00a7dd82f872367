"""What users ask of single runs, and of admission: what is journaled, and what is said."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from hpsearch.backends.queue import poller
from hpsearch.cli.backends import queue_system
from hpsearch.cli.main import main
from hpsearch.cli.runs.control import (
    ask_to_cancel,
    chosen_names,
    end_cancelled,
    request_cancel,
    request_drain,
    request_pause,
    request_rerun,
)
from hpsearch.cli.status import status_lines
from hpsearch.cli.stop import stop_search
from hpsearch.host.kernel import this_host
from hpsearch.model.errors import BackendError, ConfigError, SearchFolderError
from hpsearch.model.states import State
from hpsearch.records.opening import open_search
from hpsearch.records.reading import read_search
from hpsearch.records.run import RunRecord
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import open_journals, own_journal
from tests.support.queued_search import BEGIN, QueuedSearch, elsewhere
from tests.support.shown_search import shown_search

NOW = BEGIN + 2e6


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    """20 runs: the 16th has failed, the last two wait, the others have finished."""
    return shown_search(tmp_path / 's', 20, waiting=2)


def runs(folder: SearchFolder) -> dict[int, RunRecord]:
    return {run.number: run for run in read_search(folder, NOW).runs}


def names(folder: SearchFolder, *numbers: int) -> list[str]:
    return [run.name for run in folder.read_runs() if run.number in numbers]


def test_that_what_waits_is_cancelled_at_once_although_nobody_works_on_the_search(folder: SearchFolder) -> None:
    said = request_cancel(folder, names(folder, 20))
    assert said == [f'{names(folder, 20)[0]} is cancelled before it was started']
    found = runs(folder)
    assert (found[20].state, found[20].reason) == (State.INTERRUPTED, 'cancelled by hpsearch cancel')
    assert (found[19].state, found[20].request, found[19].request) == (State.PLANNED, 'cancel', '')


def test_that_of_what_runs_while_nobody_works_on_the_search_it_is_said_how_to_end_it(folder: SearchFolder) -> None:
    name = names(folder, 20)[0]
    with own_journal(folder, this_host()) as journal:
        journal.append({'event': 'claimed', 'run': name, 'attempt': 1})
        journal.append({'event': 'running', 'run': name, 'attempt': 1, 'handle': {}})
    said = request_cancel(folder, [name], read=open_search(folder, NOW))
    assert said == [
        f'{name} is ended',
        f'no hpsearch works on it: hpsearch cancel {folder.path} {name} ends what is under way',
    ]


def test_that_who_cannot_reach_the_queue_is_told_how_to_end_the_same_runs_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = QueuedSearch(tmp_path / 's')
    name, _ = search.submit(2)
    search.leave()
    search.folder.write_info({**search.folder.read_info(), 'options': {'run_cluster': True, 'scheduler': 'lsf'}})
    monkeypatch.setattr(queue_system, 'installed_system', lambda options: SimpleNamespace(name='lsf'))
    monkeypatch.setattr(poller, 'list_jobs', lambda system: SimpleNamespace(problem='time out'))
    with pytest.raises(BackendError) as raised:
        list(end_cancelled(ask_to_cancel(search.folder, [name], trust=False)))
    again = f'hpsearch cancel {search.folder.path} {name}'
    assert str(raised.value) == f'lsf does not answer: time out. Try again later: {again}'
    assert runs(search.folder)[1].request == 'cancel'


def test_that_it_is_said_what_to_do_if_a_silent_hpsearch_on_another_host_is_dead(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 's', host=elsewhere('other'))
    (name,) = search.submit(1)
    assert request_cancel(search.folder, [name]) == [
        f'{name} is ended',
        f'hpsearch on another host takes this up if it is alive: w; if it is not: hpsearch resume {search.folder.path}',
    ]


def test_that_what_is_in_a_queue_that_nobody_watches_is_not_said_to_be_under_way(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 's')
    (name,) = search.submit(1)
    search.beat()
    with own_journal(search.folder, this_host()):
        assert request_rerun(search.folder, [name]) == [f'{name} is under way already']
    looked = 'was in the queue when hpsearch looked last: hpsearch resume finds out what became of it'
    assert request_rerun(search.folder, [name]) == [f'{name} {looked}']


def test_that_who_starts_no_more_runs_does_not_take_up_what_is_to_start(folder: SearchFolder) -> None:
    with own_journal(folder, this_host()) as journal:
        journal.beat({})
        assert request_rerun(folder, names(folder, 16))[1:] == [f'hpsearch on {this_host().name} takes this up']
        journal.append({'event': 'draining', 'reason': 'stopped by hpsearch stop'})
        leaves = f'hpsearch works on it, but starts no more runs: hpsearch resume {folder.path} takes this up'
        request_cancel(folder, names(folder, 16))
        assert request_rerun(folder, names(folder, 16))[1:] == [leaves]
        request_pause(folder, on=True)
        assert request_pause(folder, on=False)[1:] == [leaves]


def test_that_a_drain_where_nobody_works_says_what_goes_on_and_counts_nothing_that_has_ended(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 's')
    ended, begun, *_ = search.submit(4)
    search.leave()
    search.end(ended, 0, 0.5)
    search.start(begun)
    said = list(stop_search(search.folder, drain=True, trust=False))
    goes_on = '1 run that has started ends by itself, 2 runs wait in the queue, and may still start'
    assert said == [f'no hpsearch works on it: {goes_on}']


def test_that_of_what_is_in_a_queue_only_what_waits_there_may_still_start(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 's')
    begun, *_ = search.submit(3)
    search.event('running', run=begun, attempt=1, where='node7')
    assert request_pause(search.folder, on=True)[1] == '2 runs wait in the queue already, and may still start'


def test_that_each_run_is_answered_and_what_has_finished_stays(folder: SearchFolder) -> None:
    said = request_cancel(folder, [run.name for run in folder.read_runs()])
    assert [line.partition(':')[0] for line in said] == [
        '17 runs have finished, and are left as they are',
        f'{names(folder, 16)[0]} had ended, and is not started again',
        '2 runs are cancelled before they were started',
    ]
    assert [run.state for run in runs(folder).values()].count(State.FINISHED) == 17


def test_that_programs_get_an_answer_for_each_run_and_the_rest_on_stderr(
    folder: SearchFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    finished, failed = names(folder, 15, 16)
    assert main(['rerun', str(folder.path), '15', '16', '--json']) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == [
        {'hpsearch_run': finished, 'asked': False, 'answer': 'has finished: it is not run again'},
        {'hpsearch_run': failed, 'asked': True, 'answer': 'is run again'},
    ]
    assert err == f'hpsearch: no hpsearch works on it: hpsearch resume {folder.path} takes this up\n'
    assert main(['cancel', str(folder.path), '--where', 'state=failed', '--csv']) == 0
    rows = list(csv.reader(capsys.readouterr().out.splitlines()))
    assert rows == [['hpsearch_run', 'asked', 'answer'], [failed, 'True', 'had ended, and is not started again']]


def test_that_programs_get_no_answers_where_no_run_was_meant(
    folder: SearchFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['cancel', str(folder.path), '--where', 'acc>1e9', '--json']) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == ([], 'hpsearch: there are no such runs\n')


def test_that_asking_twice_changes_nothing(folder: SearchFolder) -> None:
    request_cancel(folder, names(folder, 19))
    before = open_journals(folder)[0].runs
    assert request_cancel(folder, names(folder, 19)) == [f'{names(folder, 19)[0]} was cancelled already']
    assert open_journals(folder)[0].runs == before


def test_that_what_was_cancelled_waits_again_on_request(folder: SearchFolder) -> None:
    request_cancel(folder, names(folder, 19, 20))
    said = request_rerun(folder, names(folder, 20))
    assert said[0] == f'{names(folder, 20)[0]} is run again'
    assert said[1:] == [f'no hpsearch works on it: hpsearch resume {folder.path} takes this up']
    assert [run.state for run in runs(folder).values()][-2:] == [State.INTERRUPTED, State.PLANNED]


def test_that_what_failed_is_run_again_and_what_finished_or_waits_is_not(folder: SearchFolder) -> None:
    said = request_rerun(folder, names(folder, 1, 16, 19))
    assert [line.split(' ', 1)[1] for line in said[:3]] == [
        'has finished: it is not run again',
        'is run again',
        'waits to be started already',
    ]
    assert runs(folder)[16].request == 'rerun'
    assert 'waits' in request_rerun(folder, names(folder, 16))[0]


def test_that_a_paused_search_says_so_until_it_goes_on(folder: SearchFolder) -> None:
    assert request_pause(folder, on=True) == [
        f'paused: no more runs are started, those that run go on; to go on: hpsearch pause --off {folder.path}'
    ]
    assert request_pause(folder, on=True) == ['it is paused already']
    assert 'paused' in runs(folder)[20].waiting
    assert request_pause(folder, on=False)[0] == 'runs are started again'
    assert 'paused' not in runs(folder)[20].waiting
    assert request_pause(folder, on=False) == ['it is not paused']


def test_that_there_is_nothing_to_drain_where_nobody_works(folder: SearchFolder) -> None:
    assert request_drain(folder) == [
        'no hpsearch works on it: nothing is started, and what has been started ends by itself'
    ]
    assert not open_journals(folder)[0].stops


def test_that_all_runs_that_are_not_there_are_named_and_nothing_is_asked_for(folder: SearchFolder) -> None:
    with pytest.raises(ConfigError) as caught:
        request_cancel(folder, ['sim_x', *names(folder, 20), 'sim_y'])
    assert len(caught.value.problems) == 2
    assert runs(folder)[20].state is State.PLANNED


def test_that_a_search_that_others_may_write_is_left_alone_unless_it_is_trusted(folder: SearchFolder) -> None:
    folder.search_json.chmod(0o666)
    for ask in (request_cancel, request_rerun):
        with pytest.raises(SearchFolderError, match='--trust'):
            ask(folder, names(folder, 20))
    with pytest.raises(SearchFolderError, match='--trust'):
        request_pause(folder, on=True)
    assert runs(folder)[20].state is State.PLANNED
    assert request_cancel(folder, names(folder, 20), trust=True)


def test_that_who_only_asks_has_not_worked_on_the_search(folder: SearchFolder) -> None:
    before = read_search(folder, NOW).writers
    request_cancel(folder, names(folder, 20))
    assert read_search(folder, NOW).writers == before
    assert len(open_journals(folder)[1].headers) == len(before) + 1


def test_that_a_search_with_nothing_left_but_what_was_cancelled_waits_for_nothing(folder: SearchFolder) -> None:
    assert 'waiting: no hpsearch works on it' in shown(folder)
    request_cancel(folder, names(folder, 19, 20))
    assert '2 runs were cancelled by hpsearch cancel' in shown(folder)
    assert 'waiting' not in shown(folder)


def shown(folder: SearchFolder) -> str:
    return '\n'.join(status_lines(folder, as_json=False))


def test_that_all_words_that_mean_no_run_are_named(folder: SearchFolder) -> None:
    with pytest.raises(ConfigError) as raised:
        chosen_names(folder, ['1', '999', 'no_such'], '')
    assert [problem.partition(' has no run ')[2].partition(':')[0] for problem in raised.value.problems] == [
        '999', 'no_such'
    ]  # fmt: skip
