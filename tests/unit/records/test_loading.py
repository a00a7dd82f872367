"""A search in Python."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

import hpsearch
from hpsearch.model.configuration import Grid
from hpsearch.model.errors import ConfigError, SearchFolderError
from hpsearch.records.fields import OF_RUNS
from hpsearch.records.loading import OWN_TYPES, dtype_of
from hpsearch.store.folder import SearchFolder
from tests.support.paths import REPOSITORY
from tests.support.shown_search import shown_search


@pytest.fixture(scope='module')
def search(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shown_search(tmp_path_factory.mktemp('loading') / 's', 50, waiting=2).path


def test_that_columns_have_proper_types(search: Path) -> None:
    frame = hpsearch.load(search)
    types = {str(name): str(dtype) for name, dtype in frame.dtypes.items()}
    assert types['lr'] == types['acc'] == types['metrics.val_acc'] == 'float64'
    assert types['width'] == types['hpsearch_number'] == types['hpsearch_gpu_memory'] == 'Int64'
    assert types['optimizer'] == 'string'
    assert types['hpsearch_state'] == 'category'
    assert frame['hpsearch_started'].iloc[0] == pandas.Timestamp('2023-11-14T22:13:20', tz='UTC')
    assert frame['hpsearch_started'].isna().sum() == frame['hpsearch_gpu_memory'].isna().sum() == 2
    assert len(frame) == 50


def test_that_a_table_tells_what_it_is_of(search: Path) -> None:
    facts = hpsearch.load(search, where='state=failed').attrs
    assert facts['search'] == 's'
    assert facts['objectives'] == {'acc': 'maximize'}
    assert facts['params'] == ['lr', 'width', 'optimizer', 'random_seed']
    assert facts['metrics'] == ['metrics.val_acc']


def test_that_runs_are_chosen_by_a_condition(search: Path) -> None:
    assert set(hpsearch.load(search, where='state=failed')['hpsearch_state']) == {'failed'}
    assert [run.number for run in hpsearch.runs(search, where='number in (3, 4)')] == [3, 4]
    assert len(hpsearch.load(search, where='number=0')) == 0
    with pytest.raises(ConfigError, match='widht'):
        hpsearch.load(search, where='widht>3')


def test_that_values_are_what_they_were_however_large_or_mixed(tmp_path: Path) -> None:
    grid: Grid = {
        'seed': [2**70, -(2**63) - 1],
        'whole': [2**63 - 1, None],
        'mixed': [2**53 + 1, 0.5],
        'flag': [True, None],
        'rate': [float('inf'), 1],
    }
    folder = SearchFolder(shown_search(tmp_path / 's', 32, grid=grid).path.rename(tmp_path / 's\udcff'))
    frame = hpsearch.load(folder.path)
    planned = [run.params for run in folder.read_runs()]
    for name in grid:
        found = [None if value is pandas.NA else value for value in frame[name]]
        assert found == [params[name] for params in planned]
    types = {name: str(frame[name].dtype) for name in grid}
    assert types == {'seed': 'object', 'whole': 'Int64', 'mixed': 'object', 'flag': 'boolean', 'rate': 'float64'}
    assert frame['hpsearch_output'][0].startswith(str(folder.path))


def test_that_times_have_their_fraction(search: Path) -> None:
    frame = hpsearch.load(search, where='state!=planned')
    seconds = (frame['hpsearch_ended'] - frame['hpsearch_started']).dt.total_seconds()
    assert any(frame['hpsearch_started'].dt.microsecond)
    assert list(seconds) == pytest.approx(list(frame['hpsearch_seconds']), abs=2e-6)


def test_that_a_time_that_pandas_does_not_have_is_missing(tmp_path: Path) -> None:
    search = shown_search(tmp_path / 's', 2, waiting=2)
    journal = search.path / 'journal' / 'w1.jsonl'
    run = next(iter(search.read_runs())).name
    event = {'event': 'claimed', 'run': run, 'attempt': 1, 'gpus': [], 'at': 1e11}
    journal.write_text(journal.read_text() + json.dumps(event) + '\n')
    assert hpsearch.load(search.path)['hpsearch_started'].isna().all()


def test_that_a_folder_without_a_search_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SearchFolderError, match='not a search folder'):
        hpsearch.load(tmp_path)


def test_that_the_newest_search_is_loaded_where_none_is_named(search: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(search.parent)
    assert len(hpsearch.load()) == 50


def test_that_every_fact_of_ours_has_a_type() -> None:
    assert set(OWN_TYPES) == {*OF_RUNS, 'budget', 'performance', 'loss'}


@pytest.mark.parametrize(
    ('values', 'dtype'),
    [
        ([1, None], 'Int64'),
        ([1, 2.5], 'float64'),
        ([None, None], 'float64'),
        ([True, None], 'boolean'),
        (['a', None], 'string'),
        (['a', 1], 'object'),
        ([True, 1], 'object'),
        ([2**70], 'object'),
        ([2**70, 0.5], 'float64'),
        ([10**400, 0.5], 'object'),
        ([2**53 + 1, 0.5], 'object'),
        ([math.nan, 1], 'float64'),
        ([-(2**63)], 'Int64'),
        ([2**63], 'object'),
        (['\ud800'], 'object'),
    ],
)
def test_that_a_column_has_the_type_of_its_values(values: list[bool | int | float | str | None], dtype: str) -> None:
    assert dtype_of(values) == dtype


def test_that_pandas_is_imported_only_for_a_table(search: Path) -> None:
    code = 'import sys, hpsearch; next(hpsearch.runs(sys.argv[1])); assert "pandas" not in sys.modules'
    env = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}
    subprocess.run([sys.executable, '-c', code, str(search)], env=env, check=True)
