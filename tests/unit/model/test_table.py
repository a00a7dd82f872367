"""The table of results: columns, cells, their order, and the best rows."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hpsearch.model.run import Run
from hpsearch.model.states import Attempt, State
from hpsearch.model.table import (
    MOST_KEYWORDS,
    OWN_COLUMNS,
    Row,
    best,
    cell,
    performance_number,
    row_of,
    sorted_rows,
    table,
)


def row(number: int, acc: str | None = None, state: str = 'finished', **params: Any) -> Row:
    values = {} if acc is None else {'acc': acc}
    return Row(number, f'sim_{number}', {'out_dir': f'/o/sim_{number}', **params}, values, state)


def numbers_of(rows: list[Row]) -> list[int]:
    return [row.number for row in rows]


def laid_out(rows: list[Row], *how: Any) -> tuple[list[str], list[list[str]]]:
    columns, cells = table(rows, *how)
    return columns, list(cells)


def test_that_columns_are_sorted_by_name_and_ours_come_last() -> None:
    first = Row(1, 'sim_1', {'lr': 0.1, 'zeta': 1, 'out_dir': '/o'}, {'acc': '0.5', 'finished': '1'}, 'finished')
    columns, rows = laid_out([first], 'acc', False)
    assert columns == ['acc', 'finished', 'lr', 'out_dir', 'zeta', *OWN_COLUMNS]
    assert rows == [['0.5', '1', '0.1', '/o', '1', 'sim_1', 'finished', '', '']]


def test_that_cells_a_row_does_not_have_are_empty() -> None:
    columns, rows = laid_out([row(1, '0.5', a=1), row(2, b=2)], 'acc', False)
    assert columns[:4] == ['a', 'acc', 'b', 'out_dir']
    assert [cells[:3] for cells in rows] == [['1', '0.5', ''], ['', '', '2']]


def test_that_expected_columns_are_there_without_any_row() -> None:
    assert laid_out([], 'acc', False, ['lr', 'acc']) == (['acc', 'lr', *OWN_COLUMNS], [])


def test_that_a_keyword_named_like_a_parameter_gets_a_column_of_its_own() -> None:
    columns, rows = laid_out(
        [Row(1, 'sim_1', {'out_dir': '/o/sim_1', 'acc': 3}, {'acc': '0.5'}, 'finished')], 'acc', False
    )
    assert columns[:3] == ['acc', 'out_dir', 'summary_acc']
    assert rows[0][:3] == ['3', '/o/sim_1', '0.5']


@pytest.mark.parametrize('keyword', OWN_COLUMNS)
def test_that_a_keyword_named_like_one_of_our_columns_does_not_hide_it(keyword: str) -> None:
    values = {keyword: 'forged', f'summary_{keyword}': 'other'}
    columns, rows = laid_out([Row(1, 'sim_1', {}, values, 'failed', 'status 3', 1.0)], 'acc', False, [keyword])
    assert len(set(columns)) == len(columns)
    cells = dict(zip(columns, rows[0], strict=True))
    assert {cells[name] for name in columns if name not in OWN_COLUMNS} == {'forged', 'other'}
    assert [cells[name] for name in OWN_COLUMNS] == ['sim_1', 'failed', 'status 3', '1.000']


def test_that_a_table_of_runs_with_ever_new_keywords_stays_small_and_has_the_expected_ones() -> None:
    rows = [Row(n, f'sim_{n}', {}, {f'word_{n}_{k}': 'x' for k in range(900)}, 'finished') for n in range(1, 9)]
    rows.append(Row(9, 'sim_9', {}, {'odd': 'x', 'acc': '0.5', 'loss': '1', **rows[0].values}, 'failed'))
    columns, cells = laid_out(rows, 'acc', False, ['loss'])
    assert len(columns) <= MOST_KEYWORDS + len(OWN_COLUMNS) + 2
    assert {'acc', 'loss'} <= set(columns) and all(len(each) == len(columns) for each in cells)


def test_that_rows_are_sorted_as_numbers_and_what_is_no_number_comes_after() -> None:
    given_rows = [row(1, '9'), row(2, '10'), row(3, '1e-05'), row(4, 'nan'), row(5), row(6, 'bad'), row(7, '-inf')]
    order = [int(cells[-4].removeprefix('sim_')) for cells in laid_out(given_rows, 'acc', False)[1]]
    assert order == [2, 1, 3, 7, 6, 4, 5]


def test_that_ascending_keeps_what_is_no_number_last() -> None:
    given_rows = [row(1, '9'), row(2, 'nan'), row(3, 'bad'), row(4, '-1'), row(5, '')]
    assert numbers_of(sorted_rows(given_rows, 'acc', True)) == [4, 1, 3, 2, 5]


def test_that_equal_rows_stand_in_the_order_of_the_search() -> None:
    assert numbers_of(sorted_rows([row(3, '1'), row(1, '1.0'), row(2, '1e0')], 'acc', False)) == [1, 2, 3]


def test_that_without_a_key_rows_stand_in_the_order_of_the_search() -> None:
    assert numbers_of(sorted_rows([row(2, '5'), row(1, '1')], None, False)) == [1, 2]


@pytest.mark.parametrize(
    'text, number',
    [
        ('0.5', 0.5),
        ('1e-05', 1e-05),
        ('-inf', -math.inf),
        ('3,4', 3.0),
        ('"3,4"', 3.0),
        ('[3 4]', 3.0),
        (' 7 ', 7.0),
        ('', None),
        (None, None),
        ('abc', None),
        ('a,1', None),
    ],
)
def test_that_a_cell_is_read_as_its_first_number(text: str | None, number: float | None) -> None:
    assert performance_number(text) == number


def test_that_nan_is_a_number_which_is_never_the_best() -> None:
    assert math.isnan(performance_number('nan') or 0)
    assert best([row(1, 'nan')], 'acc', False) == []


def test_that_the_best_are_finished_runs_with_a_number() -> None:
    given_rows = [row(1, '0.1'), row(2, '0.9', state='failed'), row(3, '0.5'), row(4, 'x'), row(5), row(6, '0.7')]
    assert numbers_of(best(given_rows, 'acc', False, 2)) == [6, 3]
    assert numbers_of(best(given_rows, 'acc', True, 9)) == [1, 3, 6]
    assert best(given_rows, None, False, 3) == []


@pytest.mark.parametrize(
    'value, text',
    [
        (True, 'True'),
        (1, '1'),
        (1e-08, '1e-08'),
        (3.1622776601683795e-05, '3.1622776601683795e-05'),
        ('', ''),
        ('200,200', '200,200'),
        ('"400,400"', '400,400'),
        ("'-1'", '-1'),
        ('""', ''),
        ('""x""', '"x"'),
        ('"', '"'),
    ],
)
def test_that_a_hyperparameter_stands_in_the_table_as_its_script_gets_it(value: Any, text: str) -> None:
    assert cell(value) == text


def test_that_a_run_gives_its_row_with_the_output_option() -> None:
    run = Run('sim_1', 1, {'lr': 0.1}, ('python3', 't.py'))
    ended = Attempt('sim_1', 1, State.FAILED, summary={'acc': '1'}, reason='exit status 1', seconds=2.5)
    made = row_of(run, ended, '/o/sim_1', 'log_dir')
    assert made == Row(1, 'sim_1', {'lr': 0.1, 'log_dir': '/o/sim_1'}, {'acc': '1'}, 'failed', 'exit status 1', 2.5)
    assert 'out_dir' in row_of(run, ended, '/o/sim_1', None).params
