"""The plan of a search: runs are found in it by name, also those that are appended later."""

from __future__ import annotations

import errno
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.model.errors import DamageError, SearchFolderError
from hpsearch.model.run import Run, encode_run
from hpsearch.store.folder import SearchFolder
from hpsearch.store.plan.planned_runs import MOST_WARNINGS, PlannedRuns


def run_of(number: int) -> Run:
    return Run(f'sim_{number}', number, {'lr': 0.1 * number}, ('python3', 'train.py', f'--lr={0.1 * number}'))


def append(folder: SearchFolder, text: str) -> None:
    with open(folder.runs_jsonl, 'a') as plan:
        plan.write(text)


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    """A search with a plan of two runs."""
    folder = SearchFolder(tmp_path)
    append(folder, encode_run(run_of(1)) + encode_run(run_of(2)))
    return folder


def test_that_a_run_is_found_by_its_name(folder: SearchFolder) -> None:
    assert [folder.find_run(f'sim_{number}') for number in (2, 1, 3)] == [run_of(2), run_of(1), None]


def test_that_a_run_is_found_that_was_appended_after_others_were_looked_up(folder: SearchFolder) -> None:
    assert folder.find_run('sim_3') is None
    append(folder, encode_run(run_of(3)) + encode_run(run_of(4)))
    assert [folder.find_run(f'sim_{number}') for number in (4, 1, 3)] == [run_of(4), run_of(1), run_of(3)]


def test_that_the_plan_is_not_read_again_from_its_beginning(folder: SearchFolder) -> None:
    folder.find_run('sim_1')
    with open(folder.runs_jsonl, 'r+') as plan:
        plan.write('damaged')
    append(folder, encode_run(run_of(3)))
    assert folder.find_run('sim_3') == run_of(3)


def test_that_runs_that_were_read_are_found_without_reading_them_again(folder: SearchFolder) -> None:
    append(folder, encode_run(run_of(3))[:20])
    assert list(folder.read_runs()) == [run_of(1), run_of(2)]
    size = folder.runs_jsonl.stat().st_size
    folder.runs_jsonl.write_text(' ' * size)
    assert folder.has_run('sim_2') and not folder.has_run('sim_3')


def test_that_a_run_whose_line_is_still_being_written_is_found_when_that_is_complete(folder: SearchFolder) -> None:
    line = encode_run(run_of(3))
    append(folder, line[:20])
    assert folder.find_run('sim_3') is None
    append(folder, line[20:])
    assert folder.find_run('sim_3') == run_of(3)


DAMAGE = (
    '{"run"\n',
    '\n',
    '\0\0\0\n',
    '[1]\n',
    encode_run(run_of(1)),
    encode_run(run_of(3)).replace('3"', '3/../x"', 1),
)
"""Lines that are none of a plan; the last two are a run that is there already, and a path."""


@pytest.mark.parametrize('line', DAMAGE)
def test_that_a_damaged_line_costs_no_other_run_and_is_named_once(
    folder: SearchFolder, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    append(folder, line + encode_run(run_of(4)))
    for _ in range(2):
        assert list(folder.read_runs()) == [run_of(1), run_of(2), run_of(4)]
        assert folder.find_run('sim_4') == run_of(4) and folder.find_run('sim_3') is None
    (warning,) = caplog.messages
    assert warning.startswith(f'{folder.runs_jsonl}, line 3 is left out')
    assert folder.count_runs() == 4


def test_that_a_run_of_which_only_the_name_can_be_read_is_not_in_the_plan(folder: SearchFolder) -> None:
    append(folder, encode_run(run_of(3)).replace('"argv"', '"argw"'))
    assert not folder.has_run('sim_3') and folder.find_run('sim_3') is None


def test_that_of_many_damaged_lines_the_first_are_named(folder: SearchFolder, caplog: pytest.LogCaptureFixture) -> None:
    append(folder, 'damage\n' * 100)
    assert len(list(folder.read_runs())) == 2
    assert len(caplog.messages) == MOST_WARNINGS


def test_that_a_plan_that_was_cut_off_lacks_the_run_that_was_cut(folder: SearchFolder) -> None:
    os.truncate(folder.runs_jsonl, folder.runs_jsonl.stat().st_size - 10)
    assert [run.name for run in folder.read_runs()] == ['sim_1']
    assert (folder.has_run('sim_1'), folder.has_run('sim_2'), folder.count_runs()) == (True, False, 2)


def test_that_a_plan_of_which_only_the_last_line_break_is_missing_is_whole(folder: SearchFolder) -> None:
    os.truncate(folder.runs_jsonl, folder.runs_jsonl.stat().st_size - 1)
    assert [run.name for run in folder.read_runs()] == ['sim_1', 'sim_2']
    assert folder.has_run('sim_2') and folder.find_run('sim_2') == run_of(2) and folder.count_runs() == 2


class Failing(io.BytesIO):
    """A file of which only the beginning can be read."""

    def __next__(self) -> bytes:
        if self.tell():
            raise OSError(errno.EIO, 'Input/output error')
        return self.readline()


def test_that_a_plan_that_cannot_be_read_on_is_named(folder: SearchFolder) -> None:
    runs = PlannedRuns(folder.runs_jsonl, lambda path: Failing(path.read_bytes())).read()
    assert next(runs) == run_of(1)
    with pytest.raises(OSError, match=r"Input/output error: '.*/runs\.jsonl'"):
        next(runs)


def test_that_a_plan_that_cannot_be_opened_rules_no_run_out(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: object, flags: int) -> int:
        raise OSError(errno.EMFILE, 'Too many open files')

    monkeypatch.setattr(os, 'open', fails)
    with pytest.raises(OSError, match=r"Too many open files: '.*/(search\.json|runs\.jsonl)'"):
        list(folder.read_runs())
    assert folder.has_run('sim_7')


@given(st.binary(max_size=80), st.integers(0, 250), st.booleans())
@settings(max_examples=100)
def test_that_no_damage_to_a_plan_raises_or_yields_a_run_that_was_not_planned(
    damage: bytes, place: int, is_inserted: bool
) -> None:
    runs = [run_of(number) for number in range(1, 5)]
    whole = ''.join(map(encode_run, runs)).encode()
    with tempfile.TemporaryDirectory() as path:
        folder = SearchFolder(path)
        end = place if is_inserted else place + len(damage)
        folder.runs_jsonl.write_bytes(whole[:place] + damage + whole[end:])
        untouched = [run for run in runs[-1:] if whole.index(encode_run(run).encode()) > place + len(damage)]
        read = list(folder.read_runs())
        assert [run for run in untouched if run not in read] == []
        assert all(folder.has_run(run.name) for run in read)
        assert len(read) <= folder.count_runs()


PLAIN = {'source': '/c.py', 'sha256': '', 'grid': {}}


def with_each(values: list[Any], *names: str) -> list[dict[str, Any]]:
    """What describes a search, with each value in the place that these names lead to."""
    *above, last = names
    made = [{**(PLAIN if above else {}), last: value} for value in values]
    for name in reversed(above):
        made = [{name: each} for each in made]
    return made


ATTRIBUTES = ('configuration', 'attributes')
WRONG = [
    *with_each([None, 5, 'x', []], 'options'),
    *with_each([None, 'x', {}, [[]]], 'withdrawn'),
    *with_each([None, 5], 'run_cwd'),
    *with_each([None, 5, {}, [], {'attributes': 3}, {'attributes': {}}], 'configuration'),
    *with_each([None, 5, []], *ATTRIBUTES, 'grid'),
    *with_each([None, 5, [5]], *ATTRIBUTES, 'handles'),
    *with_each([5, ['x'], [{}]], *ATTRIBUTES, 'conditions'),
    *with_each([5, []], *ATTRIBUTES, 'summary_filename'),
]
TEXTS = ['', '[]', '{', 'null', '{"format": "1"}', '[' * 100_000, '{"format": NaN}', *map(json.dumps, WRONG)]


@pytest.mark.parametrize('text', TEXTS, ids=lambda text: text[:60])
def test_that_a_damaged_description_of_a_search_is_named(folder: SearchFolder, text: str) -> None:
    folder.search_json.write_text(text)
    with pytest.raises(DamageError, match=r'search\.json is damaged'):
        folder.read_info()


def test_that_a_search_has_one_identity_by_whatever_name(tmp_path: Path) -> None:
    (tmp_path / 'search').mkdir()
    (tmp_path / 'link').symlink_to(tmp_path / 'search')
    assert SearchFolder(tmp_path / 'link').identity == SearchFolder(tmp_path / 'search').identity
    before = SearchFolder(tmp_path / 'search').identity
    (tmp_path / 'search').rename(tmp_path / 'moved')
    (tmp_path / 'search').mkdir()
    assert SearchFolder(tmp_path / 'moved').identity == before != SearchFolder(tmp_path / 'search').identity


def test_that_a_folder_that_is_gone_was_deleted_only_if_its_file_system_is_there(folder: SearchFolder) -> None:
    folder.journal_dir.mkdir()
    device = folder.device()
    assert not folder.is_deleted(device)
    folder.path.rename(folder.path.with_name('moved'))
    assert folder.is_deleted(device)
    assert not folder.is_deleted(device + 1), 'it is not mounted'


def test_that_a_folder_that_is_not_there_is_told_from_one_that_is_no_search(tmp_path: Path) -> None:
    with pytest.raises(SearchFolderError, match=r'a is not a search folder: there is no such folder\.$'):
        SearchFolder(tmp_path / 'a').read_info()
    with pytest.raises(SearchFolderError, match=r'is not a search folder: it has no search\.json\.$'):
        SearchFolder(tmp_path).read_info()
