from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from hpsearch.ui.table import best_table, choose_columns, print_table, shortened
from tests.support.snapshots import COLUMNS, ROWS


def test_that_the_table_of_the_best_runs_is_aligned_with_numbers_to_the_right() -> None:
    assert best_table(ROWS, COLUMNS, 80).splitlines() == [
        ' acc  run        lr  dataset  hidden',
        '-------------------------------------',
        '97.3  sim_012   0.1  mnist    200,200',
        ' 9.5  sim_003  0.01  mnist    10',
    ]


def test_that_numbers_have_six_significant_digits_at_most() -> None:
    texts = ['0.123456789', '1234567', '12', '0.5', '1e-05', '98.51851851851852', 'a0.123456789', '', '-0.00012345678']
    shown = ['0.123457', '1234567', '12', '0.5', '1e-05', '98.5185', 'a0.123456789', '', '-0.000123457']
    assert [shortened(text) for text in texts] == shown


def test_that_a_column_equal_in_all_rows_gives_way_first_and_is_noted() -> None:
    table = best_table(ROWS, COLUMNS, 32)
    assert 'hidden' in table.splitlines()[0]
    assert 'dataset' not in table.splitlines()[0]
    assert table.endswith('the same in all of them:\ndataset=mnist\n')


def test_that_varying_columns_without_room_are_named_in_a_note() -> None:
    assert 'no room for: lr, hidden' in best_table(ROWS, COLUMNS, 15).replace('\n', ' ')


def test_that_columns_of_a_single_row_are_not_taken_for_constant() -> None:
    assert choose_columns(ROWS[:1], COLUMNS, 27) == [0, 1, 2, 3]


words = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@given(st.integers(1, 6).flatmap(lambda n: st.lists(st.lists(words, min_size=n, max_size=n), min_size=1, max_size=5)))
def test_that_no_row_of_a_table_is_wider_than_the_terminal(lines: list[list[str]]) -> None:
    columns, rows = lines[0], lines[1:]
    assert all(len(line) <= 40 for line in best_table(rows, columns, 40).splitlines())


def test_that_a_table_without_columns_or_rows_is_no_error() -> None:
    assert best_table([], [], 80) == ''
    assert best_table([], ['acc', 'run'], 80).splitlines()[0] == 'acc  run'


def test_that_a_table_on_something_else_than_a_terminal_is_plain() -> None:
    stream = io.StringIO()
    print_table(stream, COLUMNS, ROWS)
    assert stream.getvalue() == best_table(ROWS, COLUMNS)
