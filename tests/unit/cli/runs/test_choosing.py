"""Which search and which run a command line means."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.cli.runs.choosing import find_run, search_and_runs
from hpsearch.model.errors import SearchFolderError
from hpsearch.model.run import Run
from hpsearch.store.folder import SearchFolder

RUNS = [Run(name, number, {}, ('x',)) for number, name in enumerate(('sim_1_01', 'sim_1_02', 'sim_1_03', '2'), 1)]


@pytest.mark.parametrize(
    ('word', 'number'), [('sim_1_01', 1), ('3', 3), ('003', 3), ('_03', 3), ('2', 4), ('1_02', 2), ('4', 4)]
)
def test_that_a_run_is_found_by_name_number_or_part(word: str, number: int) -> None:
    assert find_run(RUNS, word, 's').number == number


@pytest.mark.parametrize(
    ('word', 'says'),
    [
        ('sim', 'sim may be sim_1_01, sim_1_02, sim_1_03: give the number'),
        ('sim_1_09', 's has no run sim_1_09; did you mean sim_1_0'),
        ('99', 's has no run 99: hpsearch list s'),
        ('', 's has no run '),
    ],
)
def test_that_no_run_or_several_are_an_error(word: str, says: str) -> None:
    with pytest.raises(SearchFolderError, match=says):
        find_run(RUNS, word, 's')


def test_that_an_output_folder_says_which_search_is_meant(tmp_path: Path) -> None:
    (tmp_path / 's' / 'sim_1').mkdir(parents=True)
    (tmp_path / 's' / 'search.json').touch()
    output = str(tmp_path / 's' / 'sim_1')
    folder, runs = search_and_runs('', [f'{output}/'], SearchFolder)
    assert (folder.path, runs) == (tmp_path / 's', ['sim_1'])
    folder, runs = search_and_runs('', ['7'], lambda _: SearchFolder(tmp_path))
    assert (folder.path, runs) == (tmp_path, ['7'])


def test_that_a_search_folder_in_place_of_a_run_is_an_error(tmp_path: Path) -> None:
    (tmp_path / 'search.json').touch()
    with pytest.raises(SearchFolderError, match='name a run of it'):
        search_and_runs('', [str(tmp_path)], SearchFolder)
