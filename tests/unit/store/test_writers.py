"""Which writers are alive: stepped time, no sleeping."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpsearch.host.kernel import Host, this_host
from hpsearch.host.processes import start_ticks
from hpsearch.model.evidence import HostRelation, Liveness, ProcessState
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.history.submission import Submission
from hpsearch.store import writers as writers_module
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import open_journals, writer_name
from hpsearch.store.writers import (
    FRESH,
    LARGEST_GAP,
    POLLS,
    SPACING,
    Writers,
    forget_pilots_of_originals,
    is_astray,
    is_elsewhere,
    originals,
    poll_once,
    read_news,
    relation,
)
from tests.support.queued_search import QueuedSearch, elsewhere

OURS = Host('here', 'machine', 'boot-2', 'pid:[1]')


@pytest.mark.parametrize(
    ('theirs', 'expected'),
    [
        (OURS, HostRelation.SAME),
        (Host('here', 'machine', 'boot-1', 'pid:[1]'), HostRelation.REBOOTED),
        (Host('here', '', 'boot-1', 'pid:[1]'), HostRelation.OTHER),
        (Host('here', 'machine', 'boot-2', 'pid:[2]'), HostRelation.OTHER),
        (Host('there', 'machine', 'boot-1', 'pid:[1]'), HostRelation.OTHER),
        (Host('gone', 'm', 'b', 'n'), HostRelation.DECLARED_DEAD),
    ],
)
def test_that_only_a_host_whose_processes_can_be_asked_is_the_same(theirs: Host, expected: HostRelation) -> None:
    assert relation(theirs, OURS, ['gone']) is expected


def test_that_a_writer_in_a_job_is_dead_when_it_is_silent_and_the_queue_says_that_the_job_ended(
    folder: SearchFolder,
) -> None:
    asked: list[Mapping[str, str]] = []
    has_ended = [False, False, True]

    def job_has_ended(job: Mapping[str, str]) -> bool:
        asked.append(job)
        return has_ended[len(asked) - 1]

    header = {**ELSEWHERE, 'writer': 'w', 'job': {'queue': 'slurm', 'id': '7_1'}}
    writers = Writers(folder, OURS, job_has_ended=job_has_ended)
    lives = [look(writers, step * SPACING, header) for step in range(POLLS + 3)]
    assert lives == [Liveness.ALIVE] * POLLS + [Liveness.STALE, Liveness.STALE, Liveness.DEAD]
    assert asked[0] == {'queue': 'slurm', 'id': '7_1'}
    assert writers.relation(header) is HostRelation.JOB_ENDED


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    (tmp_path / 'journal').mkdir()
    return SearchFolder(tmp_path)


def beat(folder: SearchFolder, number: int) -> None:
    (folder.journal_dir / 'w.alive').write_text(json.dumps({'beat': number}))


ELSEWHERE: dict[str, Any] = {'host': 'there', 'machine': 'm', 'boot': 'b', 'namespace': 'n', 'pid': 1, 'ticks': '1'}


def look(writers: Writers, now: float, header: dict[str, Any] = ELSEWHERE, **options: Any) -> Liveness:
    return writers.life('w', header, is_closed=False, now=now, may_judge=True, **options)


def test_that_a_writer_elsewhere_is_stale_only_after_several_spaced_looks(folder: SearchFolder) -> None:
    writers = Writers(folder, OURS)
    beat(folder, 1)
    lives = [look(writers, step * SPACING) for step in range(POLLS + 1)]
    assert lives == [Liveness.ALIVE] * POLLS + [Liveness.STALE]


def test_that_no_writer_is_waited_for_where_its_counter_is_no_file(folder: SearchFolder) -> None:
    os.mkfifo(folder.journal_dir / 'w.alive')
    assert read_news(folder, 'w') == {}


def test_that_many_looks_at_once_count_as_one(folder: SearchFolder) -> None:
    writers = Writers(folder, OURS)
    beat(folder, 1)
    assert {look(writers, step * 0.1) for step in range(200)} == {Liveness.ALIVE}


def test_that_a_counter_that_moves_starts_the_count_again(folder: SearchFolder) -> None:
    writers = Writers(folder, OURS)
    for step in range(3 * POLLS):
        beat(folder, step // 3)
        assert look(writers, step * SPACING) is Liveness.ALIVE


def test_that_our_own_pause_starts_the_count_again(folder: SearchFolder) -> None:
    writers = Writers(folder, OURS)
    beat(folder, 1)
    for step in range(POLLS):
        look(writers, step * SPACING)
    late = POLLS * SPACING + LARGEST_GAP + 1
    assert look(writers, late) is Liveness.ALIVE
    assert look(writers, late + SPACING) is Liveness.ALIVE


def test_that_who_cannot_write_declares_nobody_stale(folder: SearchFolder) -> None:
    writers = Writers(folder, OURS)
    for step in range(3 * POLLS):
        life = writers.life('w', ELSEWHERE, is_closed=False, now=step * SPACING, may_judge=False)
        assert life is Liveness.ALIVE


def test_that_a_process_of_this_host_is_asked_itself(folder: SearchFolder) -> None:
    ours = this_host()
    writers = Writers(folder, ours)
    me = {**ours.as_header(), 'pid': os.getpid(), 'ticks': start_ticks(os.getpid())}
    assert look(writers, 0.0, me) is Liveness.ALIVE
    reused = {**me, 'ticks': '1'}
    assert look(writers, 0.0, reused) is Liveness.DEAD


# The same machine in another boot: rebooted, or a clone


REBOOTED: dict[str, Any] = {**ELSEWHERE, 'host': 'here', 'machine': 'machine', 'boot': 'boot-1', 'namespace': 'pid:[1]'}


def test_that_a_writer_of_an_earlier_boot_is_dead_only_after_the_stale_looks(folder: SearchFolder) -> None:
    writers = Writers(folder, OURS)
    beat(folder, 1)
    lives = [look(writers, step * SPACING, REBOOTED) for step in range(POLLS + 2)]
    assert lives == [Liveness.ALIVE] * POLLS + [Liveness.DEAD] * 2
    assert writers.relation(REBOOTED) is HostRelation.REBOOTED


def test_that_who_cannot_write_declares_no_earlier_boot_dead(folder: SearchFolder) -> None:
    writers = Writers(folder, OURS)
    for step in range(3 * POLLS):
        life = writers.life('w', REBOOTED, is_closed=False, now=step * SPACING, may_judge=False)
        assert life is Liveness.ALIVE


def test_that_a_writer_that_left_an_earlier_boot_does_not_show_that_this_was_not_a_clone(folder: SearchFolder) -> None:
    writers = Writers(folder, OURS)

    def left(step: int) -> Liveness:
        return writers.life('left', REBOOTED, is_closed=True, now=step * SPACING, may_judge=True)

    beat(folder, 1)
    lives = [(left(step), look(writers, step * SPACING, REBOOTED)) for step in range(POLLS)]
    assert lives == [(Liveness.ALIVE, Liveness.ALIVE)] * POLLS
    beat(folder, 2)
    look(writers, POLLS * SPACING, REBOOTED)
    assert left(POLLS) is Liveness.DEAD
    assert writers.relation(REBOOTED) is HostRelation.OTHER, 'its runs are unknown, not interrupted'


def test_that_a_boot_which_showed_life_is_a_clone_whose_runs_cannot_be_asked(folder: SearchFolder) -> None:
    writers = Writers(folder, OURS)
    beat(folder, 1)
    look(writers, 0.0, REBOOTED)
    beat(folder, 2)
    lives = [look(writers, step * SPACING, REBOOTED) for step in range(1, POLLS + 3)]
    assert lives[-1] is Liveness.STALE
    assert writers.relation(REBOOTED) is HostRelation.OTHER


def test_that_a_single_look_takes_a_clone_for_alive_while_it_shows_life(tmp_path: Path) -> None:
    clone = replace(this_host(), boot='another')
    search = QueuedSearch(tmp_path / 'search', host=clone)
    assert life_of(search) is Liveness.DEAD
    search.beat()
    assert life_of(search) is Liveness.ALIVE
    search.beat(age=FRESH + 1)
    assert life_of(search) is Liveness.DEAD


# A process that is hidden from us


def test_that_a_writer_whose_process_is_hidden_is_alive_until_its_counter_stops(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers_module, 'presence', lambda pid, ticks: ProcessState.UNKNOWN)
    writers, header = Writers(folder, OURS), {**OURS.as_header(), 'pid': 7, 'ticks': '7'}
    beat(folder, 1)
    lives = [look(writers, step * SPACING, header) for step in range(POLLS + 1)]
    assert lives == [Liveness.ALIVE] * POLLS + [Liveness.STALE]


def test_that_a_single_look_at_a_hidden_process_goes_by_its_signs_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers_module, 'presence', lambda pid, ticks: ProcessState.UNKNOWN)
    search = QueuedSearch(tmp_path / 'search')
    assert life_of(search) is Liveness.STALE
    search.beat()
    assert life_of(search) is Liveness.ALIVE


def life_of(search: QueuedSearch) -> Liveness:
    _, reader = open_journals(search.folder)
    return poll_once(search.folder, reader.headers, reader.closed, time.time())['w']


def test_that_a_writer_which_left_is_dead(folder: SearchFolder) -> None:
    assert Writers(folder, OURS).life('w', ELSEWHERE, is_closed=True, now=0, may_judge=True) is Liveness.DEAD


# A single look


def at_work(search: QueuedSearch) -> list[str]:
    _, reader = open_journals(search.folder)
    lives = poll_once(search.folder, reader.headers, reader.closed, time.time())
    return [writer for writer, life in lives.items() if life is Liveness.ALIVE]


def test_that_a_writer_here_is_at_work_while_its_process_runs(tmp_path: Path) -> None:
    me = {'pid': os.getpid(), 'ticks': start_ticks(os.getpid())}
    assert at_work(QueuedSearch(tmp_path / 'one', process=me)) == ['w']
    gone = QueuedSearch(tmp_path / 'other')
    gone.beat()
    assert at_work(gone) == []


def test_that_a_writer_elsewhere_is_at_work_while_it_shows_life(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 'search', host=elsewhere('login1'))
    assert at_work(search) == []
    search.beat()
    assert at_work(search) == ['w']
    search.beat(age=FRESH + 1)
    assert at_work(search) == []


def test_that_a_writer_that_left_is_not_at_work(tmp_path: Path) -> None:
    search = QueuedSearch(tmp_path / 'search', host=elsewhere('login1'))
    search.beat()
    search.leave()
    assert at_work(search) == []


# Copies


@pytest.mark.parametrize(
    ('host', 'place', 'device', 'is_same_inode', 'expected'),
    [
        ('', 'search', '1', False, False),
        ('', 'gone', '', True, False),
        ('', 'gone', '1', True, True),
        ('', 'gone', '', False, True),
        ('node7', 'gone', '1', True, False),
        ('node7', 'gone', '', False, True),
        ('node7', 'link', '1', False, False),
    ],
)
def test_that_device_and_inode_say_where_a_writer_works_and_the_inode_where_it_is_on_another_host(
    tmp_path: Path, host: str, place: str, device: str, is_same_inode: bool, expected: bool
) -> None:
    folder = SearchFolder(tmp_path / 'search')
    folder.path.mkdir()
    (tmp_path / 'link').symlink_to('search')
    own_device, _, inode = folder.identity.partition(':')
    ident = f'{device or own_device}:{inode if is_same_inode else "0"}'
    header = {**this_host().as_header(), 'place': str(tmp_path / place), 'folder': ident}
    assert is_elsewhere({**header, 'host': host or this_host().name}, folder) is expected


def test_that_a_writer_of_an_earlier_version_is_not_taken_for_one_elsewhere(tmp_path: Path) -> None:
    assert not is_elsewhere(this_host().as_header(), SearchFolder(tmp_path))


CREATED = {'created': '2026-11-20T23:19:00+0000', 'host': 'here', 'user': 'me', 'argv': ['hpsearch']}


def search_at(path: Path, *names: str, **more: Any) -> SearchFolder:
    """A search that these writers worked on."""
    folder = SearchFolder(path)
    folder.journal_dir.mkdir(parents=True)
    folder.write_info({**CREATED, **more})
    for name in names:
        (folder.journal_dir / f'{name}.jsonl').touch()
    return folder


@pytest.mark.parametrize(
    ('of_the_original', 'of_the_copy', 'is_copy'),
    [(['a'], ['a'], True), (['a', 'b'], ['a'], True), ([], [], True), (['a'], ['a', 'c'], False), ([], ['c'], False)],
)
def test_that_a_folder_is_a_copy_as_long_as_nobody_has_worked_on_it(
    tmp_path: Path, of_the_original: list[str], of_the_copy: list[str], is_copy: bool
) -> None:
    original = search_at(tmp_path / 'original', *of_the_original)
    copy = search_at(tmp_path / 'copy', *of_the_copy)
    found = originals(copy, {**CREATED, 'place': str(original.path)}, {name: {} for name in of_the_copy})
    assert [each.path for each in found] == [original.path] * is_copy


def test_that_an_original_that_was_moved_is_found_where_it_was_worked_on(tmp_path: Path) -> None:
    original = search_at(tmp_path / 'moved', 'a')
    copy = search_at(tmp_path / 'copy', 'a')
    (tmp_path / 'other').mkdir()
    search_at(tmp_path / 'new', 'a', created='later')
    places = ['first', 'other', 'new', 'moved', 'copy', 'moved']
    headers = {'a': {'place': ''}} | {str(n): {'place': str(tmp_path / name)} for n, name in enumerate(places)}
    for number in range(len(places)):
        (original.journal_dir / f'{number}.jsonl').touch()
        (tmp_path / 'new' / 'journal' / f'{number}.jsonl').touch()
    assert [each.path for each in originals(copy, CREATED, headers)] == [original.path]


# Jobs that look for the folder


def submission(place: str, host: str = '', pilots: int = 2) -> Submission:
    writer = writer_name(host or this_host().name, 7, 0.0, 'aa')
    return Submission(f'hps-{place}-{pilots}', 'slurm', writer, 0.0, 1, pilots, place=place)


def test_that_jobs_are_astray_where_the_folder_is_no_more_and_that_can_be_seen_from_here(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path / 'search')
    folder.path.mkdir()
    (tmp_path / 'link').symlink_to('search')
    astray = {name: is_astray(submission(str(tmp_path / name)), folder) for name in ('search', 'link', 'gone')}
    assert astray == {'search': False, 'link': False, 'gone': True}
    assert not is_astray(submission(str(tmp_path / 'gone'), host='node7'), folder)
    assert not is_astray(submission(''), folder), 'of an earlier version'


def test_that_jobs_that_work_on_the_original_are_left_to_it(tmp_path: Path) -> None:
    original, copy = search_at(tmp_path / 'original'), search_at(tmp_path / 'copy')
    search_at(tmp_path / 'new', created='later')
    known = [submission(str(place)) for place in (original.path, copy.path, tmp_path / 'gone', tmp_path / 'new', '')]
    known.append(submission(str(original.path), pilots=0))
    state = SearchState()
    state.submissions.update({each.name: each for each in known})
    forget_pilots_of_originals(state, copy, copy.read_info())
    assert list(state.submissions.values()) == known[1:]
