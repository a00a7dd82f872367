"""The plan of an adaptive search: the suggestions in its journals, and events that are read before them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.model.errors import SearchFolderError
from hpsearch.model.history.search_state import SearchState
from hpsearch.store.events import problem_of
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import EARLY_PATIENCE, JournalReader, read_state
from tests.support.adaptive import adaptive_folder, finished, name, suggested, write_journal


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return adaptive_folder(tmp_path / 'search')


def test_that_runs_are_found_in_whatever_journal_they_were_suggested(folder: SearchFolder) -> None:
    write_journal(folder, 'b', [suggested(1)])
    write_journal(folder, 'a', [suggested(2)])
    assert [run.name for run in folder.read_runs()] == [name(1), name(2)]
    write_journal(folder, 'a', [suggested(3, lr=0.5)])
    assert folder.has_run(name(3)) and not folder.has_run(name(4))
    found = folder.find_run(name(3))
    assert found is not None and (found.number, found.params, found.argv) == (3, {'lr': 0.5}, ('true', '--lr=0.5'))
    assert (folder.count_runs(), folder.find_run(name(4))) == (3, None)


def test_that_the_output_folder_of_a_run_is_where_the_search_folder_is_now(
    folder: SearchFolder, tmp_path: Path
) -> None:
    event = {**suggested(1), 'argv': ['true', f'--out_dir={name(1)}']}
    write_journal(folder, 'a', [event])
    folder.path.rename(tmp_path / 'moved')
    (run,) = SearchFolder(tmp_path / 'moved').read_runs()
    assert run.argv == ('true', f'--out_dir={tmp_path}/moved/{name(1)}')


def test_that_a_suggestion_that_is_being_written_is_read_when_it_is_whole(folder: SearchFolder) -> None:
    path = write_journal(folder, 'a', [suggested(1)])
    line = json.dumps(suggested(2), separators=(',', ':')).encode()
    with path.open('ab') as journal:
        journal.write(line[:40])
    assert not folder.has_run(name(2))
    with path.open('ab') as journal:
        journal.write(line[40:] + b'\n')
    assert folder.has_run(name(2))


def test_that_a_suggestion_for_the_same_run_is_that_of_the_same_writer_for_every_reader(folder: SearchFolder) -> None:
    for writer in ('b', 'a', 'c'):
        write_journal(folder, writer, [suggested(1, lr=writer)])
        folder.has_run(name(2))
    state = read_state(folder)
    run = folder.find_run(name(1))
    assert run is not None and run.params == state.suggestions[name(1)].params == {'lr': 'a'}


def test_that_journals_of_other_searches_add_no_runs(tmp_path: Path) -> None:
    folder = adaptive_folder(tmp_path / 'search')
    folder.write_info({**folder.read_info(), 'options': {'search': 'grid'}})
    write_journal(folder, 'a', [suggested(1)])
    assert list(folder.read_runs()) == []
    assert read_state(folder).odd[0].endswith(f'there is no run {name(1)!r} in the plan')


def test_that_older_versions_refuse_a_search_whose_plan_they_do_not_see(tmp_path: Path) -> None:
    folder = adaptive_folder(tmp_path / 'search')
    assert json.loads(folder.search_json.read_text())['format'] == 3
    folder.write_info({'options': {'search': 'grid'}})
    assert json.loads(folder.search_json.read_text())['format'] == 2


def test_that_journals_that_others_can_write_are_not_read_where_that_matters(folder: SearchFolder) -> None:
    write_journal(folder, 'a', [suggested(1)]).chmod(0o666)
    with pytest.raises(SearchFolderError, match='can be written by'):
        list(SearchFolder(folder.path, only_ours=True).read_runs())


# Events before their suggestion


def test_that_events_of_an_unknown_run_are_taken_as_soon_as_it_is_suggested(folder: SearchFolder) -> None:
    reader = JournalReader(folder)
    write_journal(folder, 'a', [*finished(1, loss='1'), *finished(2, loss='2')])
    assert list(reader.news()) == []
    write_journal(folder, 'b', [suggested(1)])
    kinds = [(writer, event['event'], event['run']) for writer, event in reader.news()]
    assert kinds == [('b', 'suggested', name(1)), ('a', 'claimed', name(1)), ('a', 'ended', name(1))]
    assert not reader.odd


def test_that_events_of_a_run_keep_their_order_when_it_becomes_known_between_two(folder: SearchFolder) -> None:
    reader = JournalReader(folder)
    claimed, end = finished(1, loss='1')
    write_journal(folder, 'a', [claimed])
    assert list(reader.news()) == []
    write_journal(folder, 'a', [end])
    write_journal(folder, 'b', [suggested(1)])
    assert [event['event'] for _, event in reader.news()] == ['suggested', 'claimed', 'ended']


def test_that_events_of_a_run_that_is_never_suggested_are_left_out_after_a_while(folder: SearchFolder) -> None:
    now = [0.0]
    reader = JournalReader(folder, lambda: now[0])
    path = write_journal(folder, 'a', finished(1, loss='1'))
    assert list(reader.news()) == [] and not reader.odd
    now[0] = EARLY_PATIENCE + 1
    assert list(reader.news()) == []
    assert reader.odd == [f'{path}, line {line}: there is no run {name(1)!r} in the plan' for line in (2, 3)]


def test_that_who_reads_once_is_told_of_runs_that_nobody_has_suggested(folder: SearchFolder) -> None:
    write_journal(folder, 'a', [suggested(1), *finished(2, loss='1')])
    state = read_state(folder)
    assert list(state.runs) == [] and len(state.odd) == 2


EVENTS: dict[str, list[dict[str, Any]]] = {
    'a': [suggested(1), *finished(1, loss='1'), suggested(4), *finished(2, loss='2')],
    'b': [suggested(2), suggested(3, trial=1), *finished(4, loss='nan')],
    'c': [*finished(3, loss='3'), suggested(1, lr=7)],
}


def facts_of(state: SearchState) -> object:
    runs = {each.name: [(attempt.state, attempt.summary) for attempt in each.attempts] for each in state.runs.values()}
    return runs, {each.run: each for each in state.suggestions.values()}


@settings(max_examples=60)
@given(st.randoms(use_true_random=False))
def test_that_the_order_in_which_journals_are_read_changes_nothing(order: random.Random) -> None:
    left = {writer: list(events) for writer, events in EVENTS.items()}
    state = SearchState()
    while any(left.values()):
        writer = order.choice([each for each, events in left.items() if events])
        state.replay([(writer, left[writer].pop(0))])
    expected = SearchState()
    expected.replay((writer, event) for writer, events in EVENTS.items() for event in events)
    assert facts_of(state) == facts_of(expected) and not state.odd


WRONG: list[dict[str, Any]] = [
    *[{'run': value} for value in ('', '../x', 'a/b', 'journal', 7)],
    *[{'number': value} for value in (0, -1, '1', 1.5, None)],
    {'params': None},
    {'params': []},
    {'argv': []},
    {'argv': 'true'},
    {'argv': [1]},
    {'argv': ['a\0b']},
    {'trial': None},
    {'trial': {}},
    {'trial': {'trial': 1}},
    {'trial': {'values': {}}},
    {'trial': {'trial': 0, 'values': {}}},
    {'trial': {'trial': 1, 'values': {}, 'parent': '../x'}},
    {'trial': {'trial': 1, 'values': {}, 'fidelity': 'much'}},
    {'trial': {'trial': 1, 'values': {}, 'facts': []}},
]


@pytest.mark.parametrize('change', WRONG, ids=str)
def test_that_a_damaged_suggestion_is_no_run(folder: SearchFolder, change: dict[str, Any]) -> None:
    event = {**suggested(1), **change}
    assert problem_of(suggested(1)) == '' != problem_of(event)
    write_journal(folder, 'a', [event, suggested(2)])
    assert [run.number for run in folder.read_runs()] == [2]
    assert len(read_state(folder).odd) == 1
