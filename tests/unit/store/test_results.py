"""The table of results: its form on disk, and how often it is rebuilt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.model.table import Row
from hpsearch.store import results
from hpsearch.store.results import ResultsView, write_results


def row(number: int, acc: str | None = None, state: str = 'finished', **params: Any) -> Row:
    values = {} if acc is None else {'acc': acc}
    return Row(number, f'sim_{number}', {'out_dir': f'/o/sim_{number}', **params}, values, state)


def numbers_of(rows: list[Row]) -> list[int]:
    return [row.number for row in rows]


def test_that_a_list_is_one_quoted_cell(tmp_path: Path) -> None:
    write_results(tmp_path / 'r.csv', [row(1, '1,2')], 'acc', False)
    assert (tmp_path / 'r.csv').read_text().splitlines()[1].startswith('"1,2";/o/sim_1;')


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


def test_that_a_dropped_row_leaves_the_file_also_where_it_was_never_put(view: View) -> None:
    table_view, _, _ = view
    table_view.drop('sim_9')
    assert table_view.due(1e9)
    table_view.put(row(1))
    table_view.drop(row(1).name)
    assert not table_view.rows


def test_that_a_rebuild_which_failed_is_due_again_but_not_at_once(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    table_view, clock, _ = view

    def fail(*_: Any) -> None:
        raise OSError('no space')

    monkeypatch.setattr(results, 'write_results', fail)
    table_view.put(row(1))
    with pytest.raises(OSError):
        table_view.rebuild()
    assert not table_view.due(clock.now) and table_view.due(clock.now + 1.0)
