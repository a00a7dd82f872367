"""Searches beside each other: what came of each, in what they differ, and what keeps them from being compared."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.cli.comparing.facts import facts_of
from hpsearch.cli.comparing.verb import compare_searches
from hpsearch.cli.runs.output import Form
from hpsearch.model.configuration import Grid
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.model.trials.distributions import Uniform, as_plain
from hpsearch.records.naming import distinct_names
from hpsearch.records.reading import read_search
from hpsearch.store.folder import SearchFolder
from tests.support.queued_search import BEGIN
from tests.support.search_records import results_of
from tests.support.shown_search import shown_search


@pytest.fixture
def searches(tmp_path: Path) -> list[str]:
    """Two searches of the same parameters, with other values of one, and other options."""
    grid: Grid = {'lr': [0.1, 0.01, 0.001], 'width': [64, 32], 'optimizer': ['adam', 'sgd'], 'random_seed': [1, 2]}
    same: Grid = {**grid, 'lr': [0.1, 0.2, 0.3, 0.4, 0.5], 'width': [32, 64]}
    one = shown_search(tmp_path / 'a' / 'out', runs=40, grid=same, options={'retries': 0, 'out_dir': 'a'})
    other = shown_search(tmp_path / 'b' / 'out', runs=20, grid=grid, waiting=5, options={'retries': 2})
    return [str(one.path), str(other.path)]


def as_json(*paths: str) -> Any:
    return json.loads('\n'.join(compare_searches(paths, Form.JSON, '')))


def objective(path: str, **changed: object) -> None:
    """Change the attributes of a search."""
    folder = SearchFolder(path)
    info = folder.read_info()
    attributes = {**info['configuration']['attributes'], **changed}
    folder.write_info({**info, 'configuration': {**info['configuration'], 'attributes': attributes}})


def test_that_each_search_has_its_counts_its_best_run_and_what_it_took(searches: list[str]) -> None:
    told = as_json(*searches)
    first, second = told['searches']
    record = read_search(SearchFolder(searches[1]), BEGIN + 1e6)
    (best,) = record.best(1)
    assert (first['search'], second['search']) == ('a/out', 'b/out')
    assert (second['best']['run'], second['best']['value']) == (best.name, best.value('acc'))
    assert second['best']['params'] == best.params
    assert (first['sampler'], second['counts']['planned']) == ('grid', 5)
    assert sum(first['counts'].values()) == first['total'] == 40
    values = sorted(run.value('acc') or 0.0 for run in record.best())
    assert values[0] < second['median'] < values[-1]
    assert second['gpu_hours'] == pytest.approx(sum(run.gpu_seconds for run in record.runs) / 3600)


def test_that_what_differs_is_named_and_nothing_else(searches: list[str]) -> None:
    told = as_json(*searches)
    assert {(each['kind'], each['name']) for each in told['differences']} == {('values', 'lr'), ('option', '--retries')}
    (warning,) = told['warnings']
    assert warning.startswith('the spaces differ (lr)')
    assert as_json(searches[0], searches[0])['differences'] == []


def test_that_other_objectives_and_directions_are_warned_of(searches: list[str]) -> None:
    objective(searches[1], performance_ascending=True)
    assert 'the directions differ: acc (largest), acc (smallest).' in as_json(*searches)['warnings']
    objective(searches[1], performance_key='loss')
    assert any('the objectives differ' in each for each in as_json(*searches)['warnings'])
    objective(searches[1], performance_key=None)
    assert any('b/out: nothing says by what' in each for each in as_json(*searches)['warnings'])


def test_that_people_and_spreadsheets_get_the_same(searches: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    lines = list(compare_searches(searches, Form.PEOPLE, ''))
    assert any(line.startswith('best of b/out: ') and 'lr=' in line for line in lines)
    assert any(line.split() == ['--retries', '0', '2'] for line in lines)
    assert 'warning: the spaces differ' in capsys.readouterr().err
    rows = list(csv.DictReader(''.join(compare_searches(searches, Form.CSV, '')).splitlines()))
    told = as_json(*searches)['searches']
    assert [float(row['best']) for row in rows] == [each['best']['value'] for each in told]
    assert rows[1]['best.lr'] == str(told[1]['best']['params']['lr'])


def test_that_scripts_get_the_same_columns_whatever_came_of_the_searches(tmp_path: Path) -> None:
    paths = [str(shown_search(tmp_path / name, runs=2, waiting=2).path) for name in ('one', 'two')]
    heading, *_ = compare_searches(paths, Form.CSV, '')
    assert {'best', 'median', 'finished', 'GPU hours', 'best_run'} <= set(heading.strip().split(','))


def test_that_results_whose_sum_is_too_large_for_a_number_have_a_mean() -> None:
    assert facts_of(results_of([({'a': a}, 1.5e308) for a in (1, 2)]), 's').mean == 1.5e308


def test_that_a_distribution_is_written_as_in_a_configuration(searches: list[str]) -> None:
    info = SearchFolder(searches[1]).read_info()
    grid = info['configuration']['attributes']['grid']
    objective(searches[1], grid={**grid, 'lr': as_plain(Uniform(0.1, 1.0))})
    (values,) = (each for each in as_json(*searches)['differences'] if each['name'] == 'lr')
    assert values['in'] == {'a/out': '0.1, 0.2, 0.3, 0.4, 0.5', 'b/out': 'uniform(0.1, 1.0)'}


def test_that_two_searches_that_exist_are_needed(searches: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='two searches'):
        list(compare_searches(searches[:1], Form.PEOPLE, ''))
    with pytest.raises(SearchFolderError):
        list(compare_searches([*searches, str(tmp_path / 'none')], Form.PEOPLE, ''))


def test_that_a_file_of_somebody_is_not_overwritten_by_the_page(searches: list[str], tmp_path: Path) -> None:
    notes = tmp_path / 'notes.html'
    notes.write_text('mine')
    with pytest.raises(ConfigError, match='--html'):
        list(compare_searches(searches, Form.PEOPLE, str(notes)))
    assert notes.read_text() == 'mine'


FOLDERS = st.lists(st.lists(st.sampled_from('abc'), min_size=1, max_size=4).map('/'.join), min_size=1, unique=True)


@given(FOLDERS)
def test_that_names_tell_folders_apart_and_are_ends_of_their_paths(folders: list[str]) -> None:
    paths = [f'/{folder}' for folder in folders]
    names = distinct_names(paths)
    assert len(set(names)) == len(names)
    assert all(path.endswith(name) for path, name in zip(paths, names, strict=True))
