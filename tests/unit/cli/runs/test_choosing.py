"""Which search and which run a command line means."""

from __future__ import annotations

from pathlib import Path

import pytest

from hpsearch.cli.runs.choosing import MOST_NAMED, find_run, find_runs, search_and_runs
from hpsearch.model.errors import ConfigError, SearchFolderError
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


class CountedRun:
    """A run that counts how often it is looked at."""

    looks = 0

    def __init__(self, number: int) -> None:
        self._number = number

    @property
    def name(self) -> str:
        CountedRun.looks += 1
        return f'sim_1_{self._number:04}'

    @property
    def number(self) -> int:
        CountedRun.looks += 1
        return self._number


@pytest.mark.parametrize('form', ['{}', 'sim_1_{:04}', '1_{:04}'])
def test_that_many_words_look_at_each_run_no_more_often_than_one(form: str) -> None:
    runs = [CountedRun(number) for number in range(1, 201)]
    looks = []
    for words in ([form.format(1)], [form.format(number) for number in range(1, 201)]):
        CountedRun.looks = 0
        found = find_runs(runs, words, 's')
        looks.append(CountedRun.looks)
        assert found == runs[: len(words)]
    assert looks[0] == looks[1]


def test_that_hints_are_given_for_the_first_few_words_that_are_no_runs() -> None:
    with pytest.raises(ConfigError) as caught:
        find_runs(RUNS, ['sim_1_09'] * (MOST_NAMED + 1), 's')
    assert ['did you mean' in problem for problem in caught.value.problems] == [True] * MOST_NAMED + [False]


def test_that_a_part_of_a_name_does_not_reach_into_the_next() -> None:
    with pytest.raises(SearchFolderError, match='has no run 01sim'):
        find_run(RUNS, '01sim', 's')


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
