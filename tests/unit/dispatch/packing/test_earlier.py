"""What earlier searches tell of what runs need."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hpsearch.dispatch.packing.earlier import earlier_observations
from hpsearch.packing.prediction.predictor import Predictor
from tests.support.measured_search import MeasuredSearch, finished_search, memory_of


def test_that_a_search_learns_from_an_earlier_one_of_the_same_script(tmp_path: Path) -> None:
    earlier, search = finished_search(tmp_path / 'a'), MeasuredSearch(tmp_path / 'b')
    predictor = Predictor(earlier_observations([str(earlier.folder.path)], search.configuration))
    for run in search.runs:
        memory = predictor.estimate(run.params).memory
        assert memory is not None
        assert memory.is_known
        assert memory.expected == memory_of(run)


def test_that_parameters_that_only_the_earlier_search_has_do_not_count(tmp_path: Path) -> None:
    grid = {'batch': [8, 16, 32, 64, 128, 256], 'lr': [0.1, 0.01], 'old': ['a', 'b']}
    earlier, search = finished_search(tmp_path / 'a', grid=grid), MeasuredSearch(tmp_path / 'b')
    told = earlier_observations([str(earlier.folder.path)], search.configuration)
    assert {name for each in told for name in each.params} == {'batch', 'lr'}


def test_that_a_search_of_another_script_counts_with_a_reserve_and_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    earlier = finished_search(tmp_path / 'a', script='other.py')
    search = MeasuredSearch(tmp_path / 'b')
    with caplog.at_level(logging.INFO, 'hpsearch'):
        told = earlier_observations([str(earlier.folder.path)], search.configuration)
    assert f'{earlier.folder.path} ran other.py' in caplog.text
    run = search.runs[0]
    memory = Predictor(told).estimate(run.params).memory
    assert memory is not None
    assert not memory.is_known
    assert memory.high >= 1.3 * memory_of(run)


def test_that_a_search_that_has_gone_or_is_damaged_tells_nothing_and_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / 'damaged').mkdir()
    (tmp_path / 'damaged' / 'search.json').write_text('{')
    configuration = MeasuredSearch(tmp_path / 'b').configuration
    paths = [str(tmp_path / 'gone'), str(tmp_path / 'damaged')]
    assert earlier_observations(paths, configuration) == []
    assert [path for path in paths if f'nothing is learned from {path}' in caplog.text] == paths


def test_that_a_search_that_ended_before_it_had_a_plan_tells_nothing(tmp_path: Path) -> None:
    earlier, search = MeasuredSearch(tmp_path / 'a', is_planned=False), MeasuredSearch(tmp_path / 'b')
    assert earlier_observations([str(earlier.folder.path)], search.configuration) == []
