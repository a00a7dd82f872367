"""Rows of metrics, and which of them is the result."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.results.rows import (
    LONGEST_CELL,
    Row,
    best_of,
    csv_rows,
    flattened,
    json_rows,
    last_of,
    printed_rows,
    rows_by_step,
)

# As Lightning's CSVLogger writes them: training and validation in rows of their own.
LIGHTNING = 'epoch,step,train_loss,val_acc\n0,49,0.9,\n0,49,,0.5\n1,99,0.4,\n1,99,,0.8\n2,149,0.3,\n2,149,,0.7\n'


def test_that_the_last_value_of_each_column_counts() -> None:
    assert last_of(csv_rows(LIGHTNING)) == {'epoch': '2', 'step': '149', 'train_loss': '0.3', 'val_acc': '0.7'}


@pytest.mark.parametrize(('key', 'ascending', 'step'), [('val_acc', False, '99'), ('train_loss', True, '149')])
def test_that_the_best_row_has_what_was_known_at_that_time(key: str, ascending: bool, step: str) -> None:
    assert best_of(csv_rows(LIGHTNING), key, ascending=ascending)['step'] == step


def test_that_what_is_no_number_is_never_the_best() -> None:
    rows: list[Row] = [{'loss': 'nan'}, {'loss': 'diverged'}, {}, {'loss': '3', 'step': '1'}, {'loss': '0,2'}]
    assert best_of(rows, 'loss', ascending=True) == {'loss': '3', 'step': '1'}
    assert best_of(rows, 'acc', ascending=True) == {}


def test_that_of_equal_rows_the_first_is_the_best() -> None:
    assert best_of([{'a': '1', 'n': '1'}, {'a': '1', 'n': '2'}], 'a', ascending=False)['n'] == '1'


@pytest.mark.parametrize(
    ('text', 'row'),
    [
        ('a,b\n1,2\n', {'a': '1', 'b': '2'}),
        ('a,b\n1,2', {'a': '1', 'b': '2'}),
        ('a, b\n"1,5", 2\n', {'a': '1,5', 'b': '2'}),
        ('a,b\n1,2\n3', {'a': '3', 'b': '2'}),
        ('a,b\n1,2,3\n', {'a': '1', 'b': '2'}),
        ('a,b\n', {}),
        ('', {}),
    ],
)
def test_that_a_table_is_read_even_if_it_is_cut_off(text: str, row: Row) -> None:
    assert last_of(csv_rows(text)) == row


def test_that_a_cell_of_any_size_is_no_table() -> None:
    with pytest.raises(ValueError, match='line'):
        list(csv_rows('a\n"' + 'x' * (LONGEST_CELL + 1) + '"\n'))


def test_that_lines_that_are_no_json_objects_are_left_out() -> None:
    text = '{"step": 1, "val": {"acc": 0.5}}\n[1]\n\nhello\n{"step": 2, "val": {"acc": 0.7}}\n{"step": 3, "val": {"a'
    assert last_of(json_rows(text)) == {'step': '2', 'val.acc': '0.7'}


@pytest.mark.parametrize(
    ('pattern', 'row'),
    [
        (r'val_acc[=: ]+([0-9.]+)', {'acc': '0.8'}),
        (r'epoch (?P<epoch>\d+).* val_acc[=: ]+(?P<val_acc>[0-9.]+)', {'epoch': '2', 'val_acc': '0.8'}),
        (r'^done in \d+ s$', {'acc': 'done in 7 s'}),
        (r'(?P<loss>loss \d+)|(?P<val_acc>val_acc \d)', {'loss': 'loss 0', 'val_acc': 'val_acc 0'}),
        (r'accuracy ([0-9.]+)', {}),
    ],
)
def test_that_the_last_match_in_a_log_counts(pattern: str, row: Row) -> None:
    log = 'epoch 1: loss 0.5, val_acc 0.7\nepoch 2: val_acc: 0.9\nepoch 2: loss x, val_acc 0.8\ndone in 7 s\n'
    assert last_of(printed_rows(log, pattern, 'acc')) == row


def test_that_series_become_rows_in_the_order_of_their_steps() -> None:
    series = {'a': [(2, '20'), (1, '10')], 'b': [(2, '0.2')]}
    assert list(rows_by_step(series)) == [{'a': '10'}, {'a': '20', 'b': '0.2'}]


def test_that_a_nested_document_is_read_to_some_depth() -> None:
    document: object = 1
    for _ in range(100):
        document = {'a': document}
    (keyword,) = flattened({'a': document})
    assert set(keyword) == {'a', '.'} and flattened({'a': {'b': [1, 2], 'c': {}}}) == {'a.b': '1,2', 'a.c': '{}'}


def rows() -> st.SearchStrategy[list[Row]]:
    return st.lists(st.dictionaries(st.sampled_from(['a', 'b']), st.text()))


@given(rows())
def test_that_the_best_row_is_at_least_as_good_as_any(its_rows: list[Row]) -> None:
    best = best_of(its_rows, 'a', ascending=True)
    assert not best or any(row.get('a') == best['a'] for row in its_rows)


@given(st.text())
def test_that_no_text_raises_anything_but_a_value_error(text: str) -> None:
    def read(some: Iterator[Row]) -> None:
        try:
            assert isinstance(last_of(some), dict)
        except ValueError:
            assert some is not None

    read(csv_rows(text))
    read(json_rows(text))


@given(st.lists(st.dictionaries(st.text(min_size=1), st.integers(), min_size=1), min_size=1))
def test_that_the_last_json_row_comes_back(documents: list[dict[str, int]]) -> None:
    text = ''.join(f'{json.dumps(document)}\n' for document in documents)
    last = last_of(json_rows(text))
    assert all(last[key] == str(value) for key, value in documents[-1].items())
