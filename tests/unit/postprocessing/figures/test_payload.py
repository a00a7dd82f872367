"""All figures of searches of any kind and size: nothing breaks, and what there is is strict JSON and not large."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.model.states import State
from hpsearch.model.trials.trial import Objective
from postprocessing.figures.compared import compared
from postprocessing.figures.payload import figures_of
from postprocessing.figures.several import figures_of_several
from postprocessing.figures.table import MOST_CELLS, table
from tests.support.search_records import finite, results_of, run_record, search_record

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
)
RESULTS = st.one_of(st.none(), st.floats(), st.floats(0, 1), st.text(max_size=5))


@given(
    st.lists(st.tuples(st.dictionaries(st.sampled_from(['a', 'b', 'seed']), VALUES), RESULTS), max_size=40),
    st.booleans(),
)
def test_that_any_values_and_results_have_figures_that_are_strict_json(points: list[Any], maximize: bool) -> None:
    found = figures_of(results_of(points, objectives=[Objective('acc', maximize)]))
    assert json.loads(json.dumps(found, allow_nan=False)) == json.loads(json.dumps(found))


def test_that_a_search_without_objectives_has_no_figures_of_them() -> None:
    assert figures_of(results_of([({'a': 1}, 1.0)], objectives=[])) == {}


@pytest.mark.parametrize('points', [[], [({'a': 1}, None)], [({'a': 1}, 'good'), ({'a': 2}, 'bad')]])
def test_that_each_figure_of_a_search_without_results_says_why_there_is_nothing(points: list[Any]) -> None:
    found = figures_of(results_of(points))['objectives'][0]
    assert all('nothing' in found[name] for name in ('table', 'effects', 'importance', 'progress'))


def test_that_sixty_parameters_of_many_runs_are_thinned_and_the_best_stay() -> None:
    chance = random.Random(1)
    points = [
        ({f'p{each}': chance.random() for each in range(60)}, -math.inf if number % 7 == 0 else number / 2500)
        for number in range(3000)
    ]
    found = table(compared(results_of(points), Objective('acc', True)))
    shown = len(found['runs'])
    assert shown == MOST_CELLS // 62
    assert 'run_03000' in found['runs']
    assert f'Shown are {shown:,} points: the best {shown // 2:,}' in found['caption']
    assert len(json.dumps(found)) < 3e6


def test_that_the_table_has_values_where_levels_are_bins_and_codes_otherwise() -> None:
    points = [({'x': each / 20, 'opt': 'ab'[each % 2]}, float(each)) for each in range(20)] + [({'x': 0.5}, 3.0)]
    found = figures_of(results_of(points))['objectives'][0]['table']
    x, opt = found['parameters']
    assert x['values'][:3] == [0.0, 0.05, 0.1]
    assert len(x['labels']) == 4
    assert opt['values'] is None
    assert [opt['labels'][code] if code >= 0 else None for code in opt['codes']][-3:] == ['a', 'b', None]


def test_that_each_of_several_objectives_has_its_figures() -> None:
    runs = [run_record(each, {'a': each}, {'acc': each / 10, 'size': 10 - each}) for each in range(5)]
    found = figures_of(search_record(runs, objectives=[Objective('acc', True), Objective('size')]))
    assert [each['key'] for each in found['objectives']] == ['acc', 'size']
    assert found['objectives'][1]['table']['values'] == [10, 9, 8, 7, 6]
    assert 'front' in found['tradeoffs']


def test_that_searches_are_compared_by_each_objective_that_one_of_them_has() -> None:
    runs = [run_record(each, {'a': each}, {'acc': each, 'size': -each}) for each in range(3)]
    both = search_record(runs, objectives=[Objective('acc', True), Objective('size')])
    one = replace(search_record(runs, objectives=[Objective('size')]), path='/searches/one')
    acc, size = (each['compared'] for each in figures_of_several([both, one])['objectives'])
    assert (acc['key'], [line['name'] for line in acc['lines']]) == ('acc', ['s'])
    assert (size['key'], [line['name'] for line in size['lines']]) == ('size', ['s', 'one'])
    assert 'with another objective: one.' in acc['caption']


def test_that_runs_that_have_not_ended_are_no_obstacle() -> None:
    runs = [run_record(1, {'a': 1}, None, state=State.RUNNING), run_record(2, {'a': 2}, 0.5)]
    assert finite(figures_of(search_record(runs)))
