"""The table of results: columns, cells, their order, and the best rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hpsearch.model.history.attempt import Attempt
from hpsearch.model.run import Run
from hpsearch.model.states import State
from hpsearch.model.table import (
    CODE_COLUMN,
    FEW,
    MEASURE_COLUMNS,
    MOST_KEYWORDS,
    OWN_COLUMNS,
    PerformanceDoubts,
    Row,
    best,
    cell,
    code_column,
    has_list,
    measure_columns,
    performance_text,
    row_of,
    sorted_rows,
    table,
)
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured


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


@pytest.mark.parametrize('keyword', [*OWN_COLUMNS, CODE_COLUMN, *MEASURE_COLUMNS])
def test_that_a_keyword_named_like_one_of_our_columns_does_not_hide_it(keyword: str) -> None:
    values = {keyword: 'forged', f'summary_{keyword}': 'other'}
    columns, rows = laid_out([Row(1, 'sim_1', {}, values, 'failed', 'status 3', 1.0)], 'acc', False, [keyword])
    assert len(set(columns)) == len(columns)
    cells = dict(zip(columns, rows[0], strict=True))
    assert {cells[name] for name in columns if name not in OWN_COLUMNS} == {'forged', 'other'}
    assert [cells[name] for name in OWN_COLUMNS] == ['sim_1', 'failed', 'status 3', '1.000']


def test_that_the_code_of_each_run_is_a_last_column_on_request() -> None:
    rows, codes = [Row(1, 'sim_1', {}, {}, 'finished'), Row(2, 'sim_2', {}, {}, 'failed')], {'sim_1': 'a>b'}
    columns, cells = table(rows, 'acc', False, more=[code_column(lambda name: codes.get(name, ''))])
    assert (columns, [each[-1] for each in cells]) == ([*OWN_COLUMNS, CODE_COLUMN], ['a>b', ''])
    assert CODE_COLUMN not in table(rows, 'acc', False)[0]


def test_that_what_each_run_used_is_in_the_last_columns_on_request() -> None:
    rows = [Row(1, 'sim_1', {}, {}, 'finished'), Row(2, 'sim_2', {}, {}, 'failed')]
    found = {'sim_1': Measured(gpu_memory=3000, gpu_load=0.25, cpu=1.0), 'sim_2': NOTHING_MEASURED}
    columns, cells = table(rows, 'acc', False, more=[measure_columns(found.__getitem__)])
    assert columns == [*OWN_COLUMNS, *MEASURE_COLUMNS]
    assert dict(zip(columns, next(cells), strict=True)) == {
        **dict(zip(OWN_COLUMNS, ('sim_1', 'finished', '', ''), strict=True)),
        'hpsearch_gpu_memory': '3000',
        'hpsearch_gpu_load': '0.25',
        'hpsearch_settled_after': '',
        'hpsearch_host_memory': '',
        'hpsearch_cpu': '1.0',
        'hpsearch_sharing': '',
    }
    assert next(cells)[-len(MEASURE_COLUMNS) :] == [''] * len(MEASURE_COLUMNS)


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


def test_that_rows_are_sorted_by_the_numbers_in_what_libraries_print() -> None:
    texts = ['np.float64(0.5)', 'tensor(0.7)', '0.6', '0.9,0.1', 'x', "tensor([0.8], device='cuda:0')"]
    rows = [row(number, text) for number, text in enumerate(texts, start=1)]
    assert numbers_of(sorted_rows(rows, 'acc', False)) == [6, 2, 3, 1, 4, 5]
    assert [performance_text(each, 'acc') for each in best(rows, 'acc', False, 5)] == [
        '0.8',
        '0.7',
        '0.6',
        '0.5',
        '0.1',
    ]


def test_that_cells_stay_as_the_script_wrote_them() -> None:
    columns, rows = laid_out([row(1, 'np.float64(0.5)'), row(2, '95.0%')], 'acc', False)
    assert [cells[columns.index('acc')] for cells in rows] == ['95.0%', 'np.float64(0.5)']


def test_that_what_is_one_number_or_several_is_not_compared() -> None:
    rows = [row(1, '0,950'), row(2, '0.1'), row(3)]
    assert numbers_of(best(rows, 'acc', False, 3)) == [2]
    assert numbers_of(sorted_rows(rows, 'acc', False)) == [2, 1, 3]


def test_that_only_a_list_has_its_last_value_shown() -> None:
    assert has_list(row(1, '0.1,0.2'), 'acc') and has_list(row(1, 'tensor([0.1, 0.2])'), 'acc')
    texts = ('0.1', 'np.float64(0.1)', '0.1 ± 0.2', '95 %', 'x', '', '1,234')
    assert not any(has_list(row(1, text), 'acc') for text in texts)


def test_that_nan_is_a_number_which_is_never_the_best() -> None:
    assert best([row(1, 'nan')], 'acc', False) == []
    assert PerformanceDoubts('acc').of(row(1, 'nan')) == []


# What is doubtful about the performance


def doubts(*texts: str | None, key: str | None = 'acc') -> list[tuple[int, str]]:
    """The numbers of the runs with whose rows something was said, and what; 0: at the end."""
    watch = PerformanceDoubts(key)
    told = [(number, text) for number, acc in enumerate(texts, start=1) for text in watch.of(row(number, acc))]
    return [*told, *((0, text) for text in watch.at_end())]


def test_that_numbers_are_beyond_doubt() -> None:
    assert doubts('0.5', '1e-3', 'nan', 'np.float64(0.5)', '0.1,0.2') == []


def test_that_a_few_runs_without_a_number_are_enough_to_say_so_once() -> None:
    ((number, text),) = doubts(None, None, None, None, None)
    assert (number, text) == (FEW, 'No finished run has a number for acc; their summaries have: nothing')


def test_that_fewer_runs_without_a_number_are_told_at_the_end_with_what_they_have() -> None:
    ((number, text),) = doubts('good', None)
    assert (
        number == 0 and text == "No finished run has a number for acc; in sim_1 it is 'good'; their summaries have: acc"
    )


def test_that_a_result_that_is_empty_is_told_as_such() -> None:
    ((_, text),) = doubts('', '')
    assert text == "No finished run has a number for acc; in sim_1 it is ''; their summaries have: acc"


def test_that_runs_that_did_not_finish_are_not_expected_to_have_numbers() -> None:
    watch = PerformanceDoubts('acc')
    assert [watch.of(row(number, state='failed')) for number in range(1, 9)] == [[]] * 8
    assert watch.at_end() == [] and doubts(None, None, None, key=None) == []


def test_that_the_row_of_one_run_put_several_times_counts_once() -> None:
    watch = PerformanceDoubts('acc')
    assert [watch.of(row(1)) for _ in range(9)] == [[]] * 9


def test_that_a_decimal_comma_is_told_at_once_and_once() -> None:
    (number, text), *others = doubts('0.5', '0,950', '0,940')
    assert number == 2 and "sim_2: acc is '0,950', which may be one number or a list" in text and not others


@pytest.mark.parametrize(('texts', 'number'), [(('0.5', 'diverged', 'oops'), 2), (('diverged', '0.5', 'oops'), 2)])
def test_that_a_text_among_numbers_is_told_once(texts: tuple[str, ...], number: int) -> None:
    ((told, text),) = doubts(*texts)
    assert told == number and "acc is 'diverged', which is not a number" in text


def test_that_a_percentage_beside_a_fraction_is_told() -> None:
    ((number, text),) = doubts('0.95', '95.0%', '94%')
    assert number == 2 and text.startswith("acc has different units, '0.95' in sim_1 and '95.0%' in sim_2")
    assert doubts('95%', '94.0 %', '93%') == []


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


def test_that_of_runs_with_different_budgets_those_with_the_largest_come_first() -> None:
    given = [replace(row(1, '0.9'), budget=1.0), replace(row(2, '0.5'), budget=9.0), replace(row(3), budget=27.0)]
    assert numbers_of(best(given, 'acc', False, 3)) == [2, 1]
    assert numbers_of(sorted_rows(given, 'acc', False)) == [2, 1, 3]


def test_that_the_budget_of_a_run_is_the_value_of_its_option() -> None:
    ended = Attempt('sim_1', 1, State.FINISHED)
    run = Run('sim_1', 1, {'lr': 0.1, 'epochs': 9}, ('python3', 't.py'))
    assert row_of(run, ended, '/o/sim_1', None, 'epochs').budget == 9.0
    assert row_of(run, ended, '/o/sim_1', None).budget == 0.0


def test_that_a_run_gives_its_row_with_the_output_option() -> None:
    run = Run('sim_1', 1, {'lr': 0.1}, ('python3', 't.py'))
    ended = Attempt('sim_1', 1, State.FAILED, summary={'acc': '1'}, reason='exit status 1', seconds=2.5)
    made = row_of(run, ended, '/o/sim_1', 'log_dir')
    assert made == Row(1, 'sim_1', {'lr': 0.1, 'log_dir': '/o/sim_1'}, {'acc': '1'}, 'failed', 'exit status 1', 2.5)
    assert 'out_dir' in row_of(run, ended, '/o/sim_1', None).params
