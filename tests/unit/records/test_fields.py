"""What can be asked of a run by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hpsearch.model.errors import ConfigError
from hpsearch.records.fields import Fields, scalar_of_text, sorted_by, time_text
from hpsearch.records.reading import read_search
from hpsearch.records.search import SearchRecord
from tests.support.queued_search import BEGIN
from tests.support.shown_search import shown_search


@pytest.fixture(scope='module')
def search(tmp_path_factory: pytest.TempPathFactory) -> SearchRecord:
    return read_search(shown_search(tmp_path_factory.mktemp('fields') / 's', 50, waiting=2), BEGIN + 2e6)


def test_that_a_value_has_its_own_type(search: SearchRecord) -> None:
    fields, run = Fields(search), search.runs[0]
    assert type(fields.find('lr').of(run)) is float
    assert type(fields.find('width').of(run)) is int
    assert type(fields.find('optimizer').of(run)) is str
    assert type(fields.find('acc').of(run)) is float
    assert fields.find('finished').of(run) == 1
    assert fields.find('gpu_memory').of(run) == run.attempts[0].measured.gpu_memory
    assert fields.find('started').of(run) == '2023-11-14T22:13:20Z'


def test_that_a_field_is_found_by_its_full_name_as_well(search: SearchRecord) -> None:
    fields = Fields(search)
    assert fields.find('params.lr') is fields.find('lr')
    assert fields.find('summary.acc') is fields.find('acc')
    assert fields.find('metrics.val_acc') is fields.find('val_acc')
    assert fields.find('hpsearch_state') is fields.find('state')


def test_that_a_name_of_two_kinds_has_to_be_full(tmp_path: Path) -> None:
    grid: dict[str, Sequence[Any]] = {'lr': [0.1], 'acc': [1], 'state': ['a']}
    fields = Fields(read_search(shown_search(tmp_path / 's', 1, grid=grid), BEGIN + 2e6))
    with pytest.raises(ConfigError, match=r'acc: this may be params\.acc \(a parameter\) or summary\.acc'):
        fields.find('acc')
    with pytest.raises(ConfigError, match=r'params\.state .* or hpsearch_state'):
        fields.find('state')
    assert fields.heading(fields.find('params.acc')) == 'params.acc'
    assert fields.heading(fields.find('lr')) == 'lr'


def test_that_an_unknown_name_is_answered_with_similar_ones(search: SearchRecord) -> None:
    with pytest.raises(ConfigError, match=r'optimiser: no run has a value of this name; did you mean optimizer\b'):
        Fields(search).find('optimiser')
    with pytest.raises(ConfigError, match='did you mean hpsearch_budget'):
        Fields(search).find('budget')
    with pytest.raises(ConfigError, match='there are lr, width, optimizer, random_seed'):
        Fields(search).find('qqqq')


def test_that_every_field_is_found_by_its_heading(search: SearchRecord) -> None:
    fields = Fields(search)
    for field in fields.all:
        assert fields.find(fields.heading(field)) is field
        assert fields.find(field.full_name) is field


def test_that_runs_are_selected(search: SearchRecord) -> None:
    fields = Fields(search)
    assert fields.selected(search.runs, ' ') == search.runs
    failed = fields.selected(search.runs, 'state = failed and reason contains nan')
    assert [run.number for run in failed] == [16, 32, 48]
    assert [run.number for run in fields.selected(search.runs, 'started is none')] == [49, 50]


def test_that_an_unknown_name_in_a_condition_is_pointed_to(search: SearchRecord) -> None:
    with pytest.raises(ConfigError) as error:
        Fields(search).selected(search.runs, 'lr<1 and widht>3')
    assert str(error.value).split('\n')[1:] == ['  lr<1 and widht>3', '           ^']


def test_that_runs_without_a_value_come_last_in_either_direction(search: SearchRecord) -> None:
    acc = Fields(search).find('acc')
    up, down = (sorted_by(search.runs, acc, descending=each) for each in (False, True))
    known = sum(acc.of(run) is not None for run in search.runs)
    assert [acc.of(run) for run in up[:known]] == sorted(acc.of(run) for run in up[:known])  # type: ignore[type-var]
    assert down[:known] == up[:known][::-1]
    assert up[known:] == down[known:]
    assert len(up) == len(search.runs)


@pytest.mark.parametrize(
    ('text', 'value'),
    [('1', 1), ('0.50', 0.5), ('True', True), ('adam', 'adam'), ('1,2', '1,2'), ('+-1', '+-1'), ('93 %', 93.0)],
)
def test_that_a_result_is_a_number_where_it_is_one(text: str, value: object) -> None:
    assert scalar_of_text(text) == value
    assert type(scalar_of_text(text)) is type(value)


def test_that_a_moment_out_of_range_is_not_known() -> None:
    assert time_text(0.0) == '1970-01-01T00:00:00Z'
    assert time_text(1e300) is None
    assert time_text(None) is None
