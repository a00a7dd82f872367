"""A search that is read on and on, and what keys ask for, as far as no terminal is needed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpsearch.cli.runs.control import request_cancel
from hpsearch.cli.viewing.top.actions import perform
from hpsearch.cli.viewing.top.following import SECONDS_BETWEEN_CHECKS, FollowedSearch, clock_text
from hpsearch.cli.viewing.top.listing import Listing
from hpsearch.cli.viewing.top.screens import ListScreen, SearchScreen
from hpsearch.host.kernel import this_host
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.snapshot import seconds_left
from hpsearch.model.states import State
from hpsearch.records.reading import read_search
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import Journal, own_journal
from hpsearch.ui.top.paint import Look
from hpsearch.ui.top.panes import rows_of
from hpsearch.ui.top.screen import as_text
from hpsearch.ui.top.tables import Sort
from hpsearch.ui.top.view import Action
from tests.support.queued_search import BEGIN, GONE, elsewhere
from tests.support.shown_search import shown_search

NOW = BEGIN + 10_000
LOOK = Look(120, 30)


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    """20 runs, of which the 16th has failed and the last four wait."""
    return shown_search(tmp_path / 's', 20, waiting=4)


@pytest.fixture
def journal(folder: SearchFolder) -> Iterator[Journal]:
    """Of this process, which works on the search."""
    with own_journal(folder, this_host()) as opened:
        yield opened


def name(folder: SearchFolder, number: int) -> str:
    return next(run.name for run in folder.read_runs() if run.number == number)


def begin(journal: Journal, run: str, number: int = 1) -> dict[str, Any]:
    key = {'run': run, 'attempt': number}
    journal.append({'event': 'claimed', **key, 'gpus': ['0'], 'at': NOW - 60})
    journal.append({'event': 'running', **key, 'handle': {}})
    return key


def states(search: FollowedSearch) -> dict[int, str]:
    return {row.number: row.state for row in search.shown().runs.rows}


def text_of(screen: SearchScreen | ListScreen, look: Look = LOOK) -> str:
    return '\n'.join(as_text(line, colour=False, styles=False) for line in screen.lines(look))


def test_that_a_run_is_followed_from_its_start_to_its_end(folder: SearchFolder, journal: Journal) -> None:
    search = FollowedSearch(folder, NOW)
    assert states(search)[17] == 'planned'
    key = begin(journal, name(folder, 17))
    search.read_on(NOW + 1)
    assert (states(search)[17], search.shown().snapshot.counts['running']) == ('running', 1)
    journal.append({'event': 'reported', **key, 'points': [[1, {'acc': 0.5}], [2, {'acc': 0.7}]]})
    search.read_on(NOW + 2)
    row = search.shown().runs.rows[16]
    assert (row.metric, list(row.curve), row.step, row.where) == ('acc', [0.5, 0.7], 2.0, 'GPU 0')
    summary = {'acc': '0.9999', 'finished': '1'}
    journal.append({'event': 'ended', **key, 'state': 'finished', 'seconds': 62.0, 'code': 0, 'summary': summary})
    search.read_on(NOW + 3)
    shown = search.shown()
    assert shown.runs.best is not None
    assert (shown.runs.best.number, shown.runs.best.text, shown.snapshot.counts['finished']) == (17, '0.9999', 16)


def test_that_what_was_followed_is_what_is_read_anew(folder: SearchFolder, journal: Journal) -> None:
    search = FollowedSearch(folder, NOW)
    for number in (17, 18):
        key = begin(journal, name(folder, number))
        search.read_on(NOW + number)
        journal.append({'event': 'ended', **key, 'state': 'failed', 'seconds': 5.0, 'code': 256, 'reason': 'x'})
    search.read_on(NOW + 30)
    search.read_on(NOW + 31)
    assert list(search.records.values()) == list(read_search(folder, NOW + 31).runs)


def test_that_nothing_is_made_anew_while_nothing_happens(folder: SearchFolder, journal: Journal) -> None:
    search = FollowedSearch(folder, NOW)
    before = search.shown().runs
    search.read_on(NOW + 1)
    assert search.shown().runs is before


def test_that_the_end_is_expected_by_the_runs_that_have_ended(folder: SearchFolder, journal: Journal) -> None:
    begin(journal, name(folder, 17))
    shown = FollowedSearch(folder, NOW).shown()
    took = [row.seconds for row in shown.runs.rows if row.seconds is not None]
    assert len(took) == 16
    assert shown.snapshot.eta == pytest.approx(seconds_left(3, [60.0], 16, sum(took), 1))
    assert shown.ends


def test_that_no_end_is_expected_where_nobody_works(folder: SearchFolder) -> None:
    shown = FollowedSearch(folder, NOW).shown()
    assert shown.snapshot.eta is None
    assert 'no hpsearch works on it' in shown.snapshot.waiting


def test_that_the_best_of_several_objectives_are_the_pareto_front(tmp_path: Path) -> None:
    options = {'objective': ['acc', 'loss'], 'direction': ['maximize', 'maximize']}
    folder = shown_search(tmp_path / 'two', 20, waiting=4, options=options)
    search = FollowedSearch(folder, NOW)
    record = read_search(folder, NOW)
    assert [row.name for row in rows_of('best', search.shown(), Sort())] == [each.run for each in record.leaders()]
    text = text_of(SearchScreen(folder, lambda action, search: '', NOW))
    assert f'run {record.best(1)[0].number}, by acc alone' in text
    assert 'Pareto front' in text
    with own_journal(folder, this_host()) as journal:
        key = begin(journal, name(folder, 17))
        summary = {'acc': '1', 'loss': '1', 'finished': '1'}
        journal.append({'event': 'ended', **key, 'state': 'finished', 'seconds': 5.0, 'code': 0, 'summary': summary})
        search.read_on(NOW + 1)
        assert [row.number for row in rows_of('best', search.shown(), Sort())] == [17]


def test_that_every_objective_has_its_column(tmp_path: Path) -> None:
    options = {'objective': ['acc', 'loss'], 'direction': ['maximize', 'minimize']}
    shown = FollowedSearch(shown_search(tmp_path / 'two', 20, options=options), NOW).shown()
    best = shown.runs.best
    assert best is not None
    assert float(best.others[0]) == pytest.approx(1 - float(best.text))
    by_loss = rows_of('runs', shown, Sort('loss'))
    assert by_loss[0] is best


def test_that_runs_that_were_interrupted_wait_for_somebody_to_go_on(tmp_path: Path) -> None:
    whole = shown_search(tmp_path / 'whole', 20)
    assert not FollowedSearch(whole, NOW).shown().snapshot.waiting
    with own_journal(whole, this_host()) as journal:
        key = begin(journal, name(whole, 16), 2)
        journal.append({'event': 'ended', **key, 'state': 'interrupted', 'cause': 'stop', 'seconds': 1.0})
    assert 'hpsearch resume continues it' in FollowedSearch(whole, NOW).shown().snapshot.waiting


def test_that_a_search_with_nothing_left_but_cancelled_runs_waits_for_nobody(folder: SearchFolder) -> None:
    request_cancel(folder, [name(folder, number) for number in range(17, 21)])
    shown = FollowedSearch(folder, NOW).shown()
    assert (shown.snapshot.counts['interrupted'], shown.snapshot.waiting) == (4, '')


def test_that_gpus_and_the_queue_are_as_their_writers_tell(folder: SearchFolder, journal: Journal) -> None:
    holder = {'kind': 'process', 'pid': 7, 'name': 'python', 'user': 'eve', 'memory': 900}
    gpu = {
        'name': '0', 'model': 'A100', 'load': 0.5, 'memory_used': 1, 'memory_total': 2, 'own_runs': 1,
        'others_memory': None, 'closed': '', 'holders': [holder],
    }  # fmt: skip
    queue = [{'state': 'pending', 'reason': 'Priority', 'count': 3, 'example': 'x', 'later': 1}]
    journal.beat({'gpus': [gpu, {'nonsense': 1}, 'x'], 'queue': [*queue, None], 'runs': {'a': {'memory': 5}}})
    shown = FollowedSearch(folder, NOW).shown()
    assert [line.holders[0].user for line in shown.snapshot.gpus] == ['eve']
    assert [line.count for line in shown.snapshot.queue] == [3]
    assert shown.uses['a'].memory == 5


def test_that_metrics_are_read_where_the_run_writes_them(folder: SearchFolder, journal: Journal) -> None:
    run = name(folder, 17)
    begin(journal, run)
    paths = folder.attempt(run, 1)
    os.makedirs(paths.folder)
    Path(paths.metrics).write_text('{"step": 1, "loss": 2.0, "val_acc": 0.1}\n')
    search = FollowedSearch(folder, NOW)
    search.read_on(NOW + 1)
    assert (search.shown().runs.rows[16].metric, search.shown().runs.rows[16].curve) == ('val_acc', [0.1])
    with open(paths.metrics, 'a') as file:
        file.write('{"step": 2, "val_acc": 0.2}\n')
    search.read_on(NOW + 2)
    assert search.shown().runs.rows[16].curve == [0.1, 0.2]
    request_cancel(folder, [run])
    search.read_on(NOW + 3)
    row = search.shown().runs.rows[16]
    assert (row.curve, row.reason) == ([0.1, 0.2], 'asked to end')


def test_that_a_filter_follows_what_happens(folder: SearchFolder, journal: Journal) -> None:
    search = FollowedSearch(folder, NOW)
    search.filter('state=failed')
    assert search.shown().runs.matching == frozenset((name(folder, 16),))
    key = begin(journal, name(folder, 17))
    journal.append({'event': 'ended', **key, 'state': 'failed', 'seconds': 5.0, 'code': 256, 'reason': 'x'})
    search.read_on(NOW + 1)
    assert search.shown().runs.matching == frozenset((name(folder, 16), name(folder, 17)))


def test_that_a_wrong_filter_leaves_the_last_one(folder: SearchFolder) -> None:
    screen = SearchScreen(folder, lambda action, search: perform(action, search, trust=False), NOW)
    for text in ('state=failed', 'no_such>1'):
        for key in ['/', 'clear', *text, 'enter']:
            screen.press(key, LOOK)
    assert 'where state=failed' in text_of(screen)
    assert 'no run has a value of this name' in text_of(screen)
    with pytest.raises(ConfigError):
        FollowedSearch(folder, NOW).filter('lr ~ 1')


def test_that_an_extended_search_is_read_anew(folder: SearchFolder) -> None:
    search = FollowedSearch(folder, NOW)
    info = folder.read_info()
    folder.write_info({**info, 'withdrawn': [name(folder, 20)]})
    search.read_on(NOW + 1)
    assert (len(search.shown().runs.rows), search.shown().snapshot.total) == (19, 19)


def test_that_an_attempt_whose_writer_is_gone_is_looked_after(folder: SearchFolder) -> None:
    run = name(folder, 17)
    journal = Journal(folder, 'gone', {**elsewhere('far').as_header(), **GONE, 'at': BEGIN})
    begin(journal, run)
    journal.close()
    paths = folder.attempt(run, 1)
    os.makedirs(paths.folder)
    Path(paths.started).write_text(f'gone:{run}:1\n')
    search = FollowedSearch(folder, NOW)
    assert states(search)[17] == 'unknown'
    Path(paths.exit).write_text('256\n')
    search.read_on(NOW + SECONDS_BETWEEN_CHECKS)
    assert states(search)[17] == 'failed'


def test_that_an_attempt_of_which_nothing_was_known_can_be_adopted() -> None:
    state = SearchState()
    key = {'run': 'r', 'attempt': 1}
    state.replay([('a', {'event': 'claimed', **key}), ('a', {'event': 'running', **key, 'handle': {}})])
    state.runs['r'].by_number[1].state = State.UNKNOWN
    state.replay([('b', {'event': 'adopted', **key, 'generation': 1})])
    assert state.runs['r'].state is State.RUNNING


def test_that_a_search_that_is_deleted_stays_in_sight(folder: SearchFolder) -> None:
    screen = SearchScreen(folder, lambda action, search: '', NOW)
    shutil.rmtree(folder.path)
    screen.read(NOW + 1)
    assert 'is not a search folder' in text_of(screen)
    assert '15 finished' in text_of(screen)
    screen.read(NOW + 2)
    assert 'is not a search folder' in text_of(screen), 'as long as it is not there'


def test_that_what_is_no_folder_is_no_search(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    with pytest.raises(SearchFolderError, match='cannot be read: Not a directory'):
        FollowedSearch(SearchFolder(tmp_path / 'file'), NOW)


# What keys ask for


def asking(folder: SearchFolder, *, trust: bool = False) -> SearchScreen:
    return SearchScreen(folder, lambda action, search: perform(action, search, trust=trust), NOW)


def test_that_a_run_is_stopped_and_run_again_on_request(folder: SearchFolder) -> None:
    screen = asking(folder)
    for key in ('3', 'end', 'k', 'y'):
        screen.lines(LOOK)
        screen.press(key, LOOK)
    assert 'is cancelled before it was started' in text_of(screen)
    screen.read(NOW + 1)
    assert read_search(folder, NOW).runs[19].state is State.INTERRUPTED
    for key in ('R', 'y'):
        screen.lines(LOOK)
        screen.press(key, LOOK)
    assert 'is run again' in text_of(screen)
    assert read_search(folder, NOW).runs[19].state is State.PLANNED


def test_that_a_search_is_paused_and_goes_on(folder: SearchFolder) -> None:
    screen = asking(folder)
    screen.press('p', LOOK)
    screen.read(NOW + 1)
    assert 'paused: no more runs are started; p goes on' in text_of(screen)
    screen.press('p', LOOK)
    screen.read(NOW + 2)
    assert 'waiting  no hpsearch works on it' in text_of(screen)


def test_that_a_key_acts_on_what_was_read_already(folder: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = asking(folder)
    monkeypatch.setattr('hpsearch.cli.runs.control.open_search', None)
    for key in ('p', '3', 'end', 'k', 'y'):
        screen.lines(LOOK)
        screen.press(key, LOOK)
    assert 'waiting  paused' in text_of(screen), 'what was asked for is seen at once'
    runs = read_search(folder, NOW).runs
    assert (runs[18].request, runs[19].request) == ('', 'cancel')


def test_that_a_key_knows_what_has_happened_since_it_was_read(folder: SearchFolder, journal: Journal) -> None:
    screen = asking(folder)
    for key in ('3', 'end', 'k'):
        screen.lines(LOOK)
        screen.press(key, LOOK)
    attempt = begin(journal, name(folder, 20))
    journal.append({'event': 'ended', **attempt, 'state': 'finished', 'seconds': 1.0, 'summary': {'acc': '1'}})
    screen.press('y', LOOK)
    assert 'has finished, and is left as it is' in text_of(screen)


def test_that_a_search_is_drained_only_after_a_yes(folder: SearchFolder, journal: Journal) -> None:
    screen = asking(folder)
    screen.press('d', LOOK)
    assert 'y/n' in text_of(screen)
    screen.press('y', LOOK)
    assert 'it starts no more runs' in text_of(screen)


def test_that_a_search_that_others_can_write_is_not_acted_upon(folder: SearchFolder) -> None:
    folder.runs_jsonl.chmod(0o666)
    screen = asking(folder)
    screen.press('p', LOOK)
    assert 'can be written by every user' in text_of(screen)
    assert not FollowedSearch(folder, NOW).is_paused
    asking(folder, trust=True).press('p', LOOK)
    assert FollowedSearch(folder, NOW).is_paused


# Logs and details


def test_that_the_log_of_the_selected_run_is_followed(folder: SearchFolder, journal: Journal) -> None:
    run = name(folder, 17)
    begin(journal, run)
    paths = folder.attempt(run, 1)
    os.makedirs(paths.folder)
    Path(paths.stdout).write_bytes(b'epoch 1\r\x1b[31mepoch 2\x1b[0m\n\x1b]0;title\x07done\xff\n')
    screen = asking(folder)
    screen.press('5', LOOK)
    screen.lines(LOOK)
    assert 'epoch 2\ndone' in text_of(screen)
    Path(paths.stderr).write_text('warning\n')
    assert '==> stderr.log <==\nwarning' in text_of(screen)
    assert 'title' not in text_of(screen)


def test_that_a_log_that_is_no_file_is_not_read(folder: SearchFolder, journal: Journal) -> None:
    run = name(folder, 17)
    begin(journal, run)
    os.makedirs(folder.attempt(run, 1).folder)
    os.mkfifo(folder.attempt(run, 1).stdout)
    screen = asking(folder)
    screen.press('5', LOOK)
    assert 'is not a regular file' in text_of(screen, Look(400, 30))


def test_that_details_say_what_is_known_of_a_run(folder: SearchFolder) -> None:
    screen = asking(folder)
    for key in ('3', 'home', 'enter'):
        screen.lines(LOOK)
        screen.press(key, LOOK)
    text = text_of(screen, Look(120, 60))
    for part in (
        'RuntimeError: the loss is nan',
        'lr = ',
        '1: failed',
        'command   cd / && env CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=',
    ):
        assert part in text


# Several searches


def test_that_the_searches_below_a_folder_are_listed_and_followed(tmp_path: Path) -> None:
    shown_search(tmp_path / 'a' / 'first', 20)
    (tmp_path / 'b').mkdir()
    (tmp_path / 'b' / 'search.json').write_text('{')
    (tmp_path / 'unplanned').mkdir()
    shutil.copy(tmp_path / 'a' / 'first' / 'search.json', tmp_path / 'unplanned')
    clock = [0.0]
    listing = Listing(tmp_path, lambda: clock[0])
    listing.read_on(NOW)
    rows = {row.name: row for row in listing.shown(NOW).rows}
    assert (rows['a/first'].counts['failed'], rows['a/first'].total, rows['a/first'].is_alive) == (1, 20, False)
    assert rows['a/first'].best.startswith('acc 0.')
    assert 'is damaged' in rows['b'].problem
    assert (rows['unplanned'].total, rows['unplanned'].at, rows['unplanned'].problem) == (0, None, '')
    shown_search(tmp_path / 'c', 20)
    clock[0] += 60
    listing.read_on(NOW)
    assert 'c' in {row.name for row in listing.shown(NOW).rows}
    shutil.rmtree(tmp_path / 'a')
    clock[0] += 60
    listing.read_on(NOW)
    assert {row.name for row in listing.shown(NOW).rows} == {'b', 'c', 'unplanned'}


def test_that_a_search_that_nobody_has_worked_on_is_listed_with_its_plan(tmp_path: Path) -> None:
    shutil.rmtree(shown_search(tmp_path / 's', 3).journal_dir)
    listing = Listing(tmp_path)
    listing.read_on(NOW)
    row = listing.shown(NOW).rows[0]
    assert (row.counts, row.total, row.at, row.problem) == ({'planned': 3}, 3, None, '')


def test_that_the_list_tells_what_became_of_runs_whose_hpsearch_was_killed(folder: SearchFolder) -> None:
    run = name(folder, 17)
    journal = Journal(folder, 'gone', {**elsewhere('far').as_header(), **GONE, 'at': BEGIN})
    begin(journal, run)
    journal.close()
    paths = folder.attempt(run, 1)
    os.makedirs(paths.folder)
    Path(paths.started).write_text(f'gone:{run}:1\n')
    listing = Listing(folder.path.parent)
    listing.read_on(NOW)
    assert listing.shown(NOW).rows[0].counts['unknown'] == 1
    Path(paths.exit).write_text('256\n')
    listing.read_on(NOW + SECONDS_BETWEEN_CHECKS)
    counts = listing.shown(NOW).rows[0].counts
    assert (counts['failed'], 'unknown' in counts) == (2, False)


def test_that_the_list_believes_a_writer_that_came_later(folder: SearchFolder) -> None:
    run = name(folder, 17)
    journal = Journal(folder, 'gone', {**elsewhere('far').as_header(), **GONE, 'at': BEGIN})
    key = begin(journal, run)
    journal.close()
    paths = folder.attempt(run, 1)
    os.makedirs(paths.folder)
    Path(paths.started).write_text(f'gone:{run}:1\n')
    Path(paths.exit).write_text('256\n')
    listing = Listing(folder.path.parent)
    listing.read_on(NOW)
    assert listing.shown(NOW).rows[0].counts['failed'] == 2
    with own_journal(folder, this_host()) as later:
        later.append({'event': 'adopted', **key, 'generation': 1})
        later.append({'event': 'ended', **key, 'state': 'interrupted', 'cause': 'cancelled', 'seconds': 5.0})
        listing.read_on(NOW + 1)
    assert listing.shown(NOW).rows[0].counts['interrupted'] == 1


def test_that_a_long_list_is_read_bit_by_bit(tmp_path: Path) -> None:
    for each in 'abc':
        shown_search(tmp_path / each, 20)
    ticks = iter(range(1000))
    listing = Listing(tmp_path, lambda: float(next(ticks)))
    listing.read_on(NOW, seconds=0.0)
    assert sum(bool(row.counts) for row in listing.shown(NOW).rows) == 1
    for moment in (1, 2):
        listing.read_on(NOW + moment, seconds=0.0)
    assert sum(bool(row.counts) for row in listing.shown(NOW).rows) == 3


def test_that_a_search_is_opened_from_the_list(tmp_path: Path) -> None:
    shown_search(tmp_path / 'a', 20)
    listing = Listing(tmp_path)
    listing.read_on(NOW)
    screen = ListScreen(listing, NOW)
    assert '20/20' in text_of(screen)
    assert screen.press('enter', LOOK) == Action('open', 'a')
    assert screen.folder('a').path == tmp_path / 'a'


@pytest.mark.parametrize(
    ('later', 'expected'), [(3600, r'\d\d:\d\d'), (3 * 86400, r'\w+ \d\d:\d\d'), (30 * 86400, r'\d\d \w+')]
)
def test_that_an_end_is_told_with_its_day_unless_that_is_today(later: float, expected: str) -> None:
    noon = 1_700_000_000.0 // 86400 * 86400 + 43200
    import re

    assert re.fullmatch(expected, clock_text(noon + later, noon))
