"""The table of results: columns, order, form on disk, and how often it is rebuilt."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.model.run import Run
from hpsearch.model.states import Attempt, State
from hpsearch.store import results
from hpsearch.store.results import (
    OWN_COLUMNS,
    ResultsView,
    Row,
    best,
    cell,
    performance_number,
    row_of,
    table,
    write_results,
)


def row(number: int, acc: str | None = None, state: str = 'finished', **params: Any) -> Row:
    values = {} if acc is None else {'acc': acc}
    return Row(number, f'sim_{number}', {'out_dir': f'/o/sim_{number}', **params}, values, state)


def numbers_of(rows: list[Row]) -> list[int]:
    return [row.number for row in rows]


def test_that_columns_are_sorted_by_name_and_ours_come_last() -> None:
    first = Row(1, 'sim_1', {'lr': 0.1, 'zeta': 1, 'out_dir': '/o'}, {'acc': '0.5', 'finished': '1'}, 'finished')
    columns, rows = table([first], 'acc', False)
    assert columns == ['acc', 'finished', 'lr', 'out_dir', 'zeta', *OWN_COLUMNS]
    assert rows == [['0.5', '1', '0.1', '/o', '1', 'sim_1', 'finished', '', '']]


def test_that_cells_a_row_does_not_have_are_empty() -> None:
    columns, rows = table([row(1, '0.5', a=1), row(2, b=2)], 'acc', False)
    assert columns[:4] == ['a', 'acc', 'b', 'out_dir']
    assert [cells[:3] for cells in rows] == [['1', '0.5', ''], ['', '', '2']]


def test_that_expected_columns_are_there_without_any_row() -> None:
    assert table([], 'acc', False, ['lr', 'acc']) == (['acc', 'lr', *OWN_COLUMNS], [])


def test_that_a_keyword_named_like_a_parameter_gets_a_column_of_its_own() -> None:
    columns, rows = table(
        [Row(1, 'sim_1', {'out_dir': '/o/sim_1', 'acc': 3}, {'acc': '0.5'}, 'finished')], 'acc', False
    )
    assert columns[:3] == ['acc', 'out_dir', 'summary_acc']
    assert rows[0][:3] == ['3', '/o/sim_1', '0.5']


def test_that_rows_are_sorted_as_numbers_and_what_is_no_number_comes_after() -> None:
    given_rows = [row(1, '9'), row(2, '10'), row(3, '1e-05'), row(4, 'nan'), row(5), row(6, 'bad'), row(7, '-inf')]
    order = [int(cells[-4].removeprefix('sim_')) for cells in table(given_rows, 'acc', False)[1]]
    assert order == [2, 1, 3, 7, 6, 4, 5]


def test_that_ascending_keeps_what_is_no_number_last() -> None:
    given_rows = [row(1, '9'), row(2, 'nan'), row(3, 'bad'), row(4, '-1'), row(5, '')]
    assert numbers_of(results.sorted_rows(given_rows, 'acc', True)) == [4, 1, 3, 2, 5]


def test_that_equal_rows_stand_in_the_order_of_the_search() -> None:
    assert numbers_of(results.sorted_rows([row(3, '1'), row(1, '1.0'), row(2, '1e0')], 'acc', False)) == [1, 2, 3]


def test_that_without_a_key_rows_stand_in_the_order_of_the_search() -> None:
    assert numbers_of(results.sorted_rows([row(2, '5'), row(1, '1')], None, False)) == [1, 2]


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


def test_that_a_list_is_one_quoted_cell(tmp_path: Path) -> None:
    write_results(tmp_path / 'r.csv', [row(1, '1,2')], 'acc', False)
    assert (tmp_path / 'r.csv').read_text().splitlines()[1].startswith('"1,2";/o/sim_1;')


def test_that_a_run_gives_its_row_with_the_output_option() -> None:
    run = Run('sim_1', 1, {'lr': 0.1}, ('python3', 't.py'))
    ended = Attempt('sim_1', 1, State.FAILED, summary={'acc': '1'}, reason='exit status 1', seconds=2.5)
    made = row_of(run, ended, Path('/o/sim_1'), 'log_dir')
    assert made == Row(1, 'sim_1', {'lr': 0.1, 'log_dir': '/o/sim_1'}, {'acc': '1'}, 'failed', 'exit status 1', 2.5)
    assert 'out_dir' in row_of(run, ended, '/o/sim_1', None).params


def test_that_pandas_reads_numbers_as_numbers_and_texts_as_written(tmp_path: Path) -> None:
    pandas = pytest.importorskip('pandas')
    path = tmp_path / 'search_results.csv'
    write_results(
        path, [row(1, '1e-05', h='"4,4"', s='a;"b"\r\nc '), row(2, '-3', h='1', s='x'), row(3, 'nan')], 'acc', False
    )
    frame = pandas.read_csv(path, sep=';')
    assert frame['acc'].tolist()[:2] == [1e-05, -3.0] and frame['acc'].dtype == float
    assert frame['h'].tolist()[:2] == ['4,4', '1']
    assert frame['s'].tolist()[:2] == ['a;"b"\nc ', 'x']


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\r\0')), min_size=1, max_size=5))
def test_that_any_text_comes_back_from_its_cell(tmp_path_factory: Any, texts: list[str]) -> None:
    import csv

    path = tmp_path_factory.mktemp('csv') / 'r.csv'
    results.write_table(path, ['c'] * len(texts), [texts])
    with path.open(encoding='utf-8', newline='') as file:
        back = list(csv.reader(file, delimiter=';'))
    assert back[1:] == [texts] or (texts == [''] and back[1:] == [[]])


def test_that_a_failed_write_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / 'r.csv'
    path.write_text('earlier')
    with pytest.raises(AttributeError):
        write_results(path, [row(1), None], None, False)  # type: ignore[list-item]

    def breaks() -> Any:
        yield ['1']
        raise OSError('no space')

    with pytest.raises(OSError):
        results.write_table(path, ['a'], breaks())
    assert path.read_text() == 'earlier' and list(tmp_path.iterdir()) == [path]


def test_that_characters_which_no_encoding_has_do_not_stop_the_table(tmp_path: Path) -> None:
    write_results(tmp_path / 'r.csv', [row(1, 'caf\udce9')], 'acc', False)
    assert 'caf?' in (tmp_path / 'r.csv').read_text()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ResultsView, Clock, Callable[[float], None]]:
    clock = Clock()
    cost = [0.0]

    def write(path: Path, *more: Any) -> None:
        clock.now += cost[0]

    monkeypatch.setattr(results, 'write_results', write)
    return (
        ResultsView(tmp_path / 'r.csv', 'acc', False, clock=clock),
        clock,
        lambda seconds: cost.__setitem__(0, seconds),
    )


View = tuple[ResultsView, Clock, Callable[[float], None]]


def test_that_nothing_new_is_never_due(view: View) -> None:
    assert not view[0].due(1e9)


def test_that_the_first_row_is_due_at_once(view: View) -> None:
    view[0].put(row(1))
    assert view[0].due(100.0)


def test_that_a_quick_rebuild_is_followed_by_one_second_of_rest(view: View) -> None:
    table_view, clock, _ = view
    table_view.put(row(1))
    table_view.rebuild()
    assert not table_view.due(1e9)
    table_view.put(row(2))
    assert not table_view.due(clock.now + 0.99) and table_view.due(clock.now + 1.0)


def test_that_a_slow_rebuild_is_followed_by_twenty_times_its_duration(view: View) -> None:
    table_view, clock, costs = view
    costs(3.0)
    table_view.put(row(1))
    table_view.rebuild()
    table_view.put(row(2))
    assert clock.now == 103.0
    assert not table_view.due(162.9) and table_view.due(163.0)


def test_that_the_same_row_again_is_nothing_new(view: View) -> None:
    table_view, _, _ = view
    table_view.put(row(1, '0.5'))
    table_view.rebuild()
    table_view.put(row(1, '0.5'))
    assert not table_view.due(1e9)
    table_view.put(row(1, '0.6'))
    assert (
        table_view.due(1e9) and numbers_of(list(table_view.rows)) == [1] and table_view.best()[0].values['acc'] == '0.6'
    )


def test_that_a_rebuild_which_failed_is_due_again_but_not_at_once(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    table_view, clock, _ = view

    def fail(*_: Any) -> None:
        raise OSError('no space')

    monkeypatch.setattr(results, 'write_results', fail)
    table_view.put(row(1))
    with pytest.raises(OSError):
        table_view.rebuild()
    assert not table_view.due(clock.now) and table_view.due(clock.now + 1.0)
