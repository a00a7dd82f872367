"""The plan of a search: runs are found in it by name, also those that are appended later."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.model.errors import SearchFolderError
from hpsearch.model.run import Run, encode_run
from hpsearch.store.folder import SearchFolder


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


def test_that_a_run_whose_line_is_still_being_written_is_found_when_that_is_complete(folder: SearchFolder) -> None:
    line = encode_run(run_of(3))
    append(folder, line[:20])
    assert folder.find_run('sim_3') is None
    append(folder, line[20:])
    assert folder.find_run('sim_3') == run_of(3)


def test_that_a_damaged_line_is_an_error_that_names_the_plan(folder: SearchFolder) -> None:
    append(folder, '{"run"\n')
    with pytest.raises(SearchFolderError, match=r'runs\.jsonl is damaged'):
        folder.find_run('sim_3')
