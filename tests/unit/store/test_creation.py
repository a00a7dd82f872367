"""The folder of a new search: where it is made, and what happens to what is there already."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hpsearch.model.configuration import Configuration, plain_attributes
from hpsearch.model.errors import SearchFolderError
from hpsearch.model.run import Run, encode_run
from hpsearch.store.folder import SearchFolder
from hpsearch.store.opening.creation import NewFolder, make_folder
from hpsearch.store.opening.open_search import OpenSearch

NOON = time.mktime((2026, 3, 4, 12, 0, 0, 0, 0, -1))
EARLIER = 'earlier_20260304120000'


class Clock:
    """Seconds since 1970 that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = NOON
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def make(path: Path, *, exactly: bool = False, may_exist: bool = False, clock: Clock | None = None) -> NewFolder:
    clock = clock or Clock()
    return make_folder(path, exactly=exactly, may_exist=may_exist, wall=clock, sleep=clock.sleep)


def contents(path: Path) -> list[str]:
    """Everything below a folder."""
    return sorted(str(each.relative_to(path)) for each in path.rglob('*'))


def test_that_a_search_gets_a_subfolder_named_by_its_date(tmp_path: Path) -> None:
    made = make(tmp_path / 'a' / 'b')
    assert made.folder.path == tmp_path / 'a' / 'b' / 'search_2026-03-04_12-00-00'
    assert made.folder.path.is_dir()
    assert made.ident == '20260304120000'


def test_that_a_second_search_goes_beside_the_first(tmp_path: Path) -> None:
    clock = Clock()
    names = [make(tmp_path, clock=clock).folder.path.name for _ in range(2)]
    assert names == ['search_2026-03-04_12-00-00', 'search_2026-03-04_12-00-01']
    assert clock.slept == [1.0]


def test_that_a_search_waits_while_the_names_of_this_second_and_the_next_are_taken(tmp_path: Path) -> None:
    for second in (0, 1):
        (tmp_path / f'search_2026-03-04_12-00-0{second}').mkdir()
    made = make(tmp_path)
    assert (made.folder.path.name, made.ident) == ('search_2026-03-04_12-00-02', '20260304120002')


def test_that_exactly_the_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    made = make(tmp_path / 'a' / 'b', exactly=True)
    assert made.folder.path == tmp_path / 'a' / 'b'
    assert contents(tmp_path) == ['a', 'a/b']


def test_that_a_folder_that_exists_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / 'search.json').write_text('earlier')
    with pytest.raises(SearchFolderError, match=r'exists already.*--dont_force_new_dir'):
        make(tmp_path, exactly=True)
    assert contents(tmp_path) == ['search.json']


def test_that_a_folder_that_exists_is_used_where_that_is_allowed(tmp_path: Path) -> None:
    (tmp_path / 'notes.txt').write_text('of the user')
    assert make(tmp_path, exactly=True, may_exist=True).folder.path == tmp_path
    assert contents(tmp_path) == ['notes.txt']


def test_that_an_earlier_search_is_moved_aside_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / 'search.json').write_text('earlier')
    (tmp_path / 'jobs' / 'run' / '1').mkdir(parents=True)
    (tmp_path / 'notes.txt').write_text('of the user')
    (tmp_path / 'sim_1').mkdir()
    make(tmp_path, exactly=True, may_exist=True)
    aside = [f'{EARLIER}/{name}' for name in ('jobs', 'jobs/run', 'jobs/run/1', 'search.json')]
    assert contents(tmp_path) == [EARLIER, *aside, 'notes.txt', 'sim_1']
    assert (tmp_path / EARLIER / 'search.json').read_text() == 'earlier'


def test_that_all_that_an_earlier_search_made_is_moved_aside(tmp_path: Path) -> None:
    attributes = plain_attributes(Configuration('/project/grid.py', '', {}, command=('true',)))
    configuration = {'source': '/project/grid.py', 'attributes': attributes}
    described = {'configuration': configuration, 'options': {'grid_config': str(tmp_path / 'own.yaml')}}
    SearchFolder(tmp_path).write_info(described)
    (tmp_path / 'runs.jsonl').write_text(encode_run(Run('sim_1', 1, {}, ('true',))))
    folders = ['jobs', 'journal', 'provenance', 'submissions', 'sim_1', 'sim_1.attempt1', 'TO_BE_DELETED']
    files = [
        'grid.py',
        'commands.sh',
        'commands_wo_dirs.sh',
        'search_results.csv',
        'finished_runs.jsonl',
        'postprocessing_seeds.csv',
    ]
    for name in [*folders, 'sim_10', 'sim_2']:
        (tmp_path / name).mkdir()
    for name in [*files, 'notes.txt', 'own.yaml']:
        (tmp_path / name).touch()
    made = make(tmp_path, exactly=True, may_exist=True)
    assert made.earlier == tmp_path / EARLIER
    assert contents(tmp_path / EARLIER) == sorted([*folders, *files, 'search.json', 'runs.jsonl'])
    assert sorted(path.name for path in tmp_path.iterdir()) == [EARLIER, 'notes.txt', 'own.yaml', 'sim_10', 'sim_2']


def test_that_a_third_search_keeps_both_earlier_ones(tmp_path: Path) -> None:
    clock = Clock()
    for number in range(3):
        make(tmp_path, exactly=True, may_exist=True, clock=clock)
        (tmp_path / 'search.json').write_text(str(number))
        clock.now += 60
    kept = {path.parent.name: path.read_text() for path in tmp_path.rglob('search.json')}
    assert kept == {tmp_path.name: '2', 'earlier_20260304120100': '0', 'earlier_20260304120200': '1'}


@pytest.mark.parametrize('exactly', [False, True])
def test_that_a_folder_that_cannot_be_made_is_named_with_the_reason(tmp_path: Path, exactly: bool) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(SearchFolderError) as caught:
        make(tmp_path / 'file' / 'out', exactly=exactly)
    assert str(caught.value) == (
        f'{tmp_path}/file/out cannot be created: Not a directory. Choose another folder with --out_dir.'
    )


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_that_a_parent_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SearchFolderError, match='Permission denied'):
        make(tmp_path / 'out')


def test_that_withdrawn_runs_do_not_count(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path)
    folder.runs_jsonl.write_text('{}\n{}\n{}\n')
    configuration = Configuration(source='', sha256='', grid={})
    assert OpenSearch(folder, configuration, '/', 'python3').total == 3
    assert OpenSearch(folder, configuration, '/', 'python3', frozenset({'sim_2'})).total == 2
