"""Tables of any length."""

from __future__ import annotations

from hpsearch.ui.listing import listed

ROWS = [['a', '1', 'same', 'x' * 50], ['b\n\x1b[31m', '20', 'same', '漢字']]
COLUMNS = ['name', 'n', 'all', 'text']


def test_that_everything_is_there_without_a_terminal() -> None:
    lines = list(listed(ROWS, COLUMNS, None))
    assert lines[0].split() == COLUMNS
    assert lines[2].split() == ['a', '1', 'same', 'x' * 50]
    assert lines[3].split() == ['b', '20', 'same', '漢字']
    assert lines[3].startswith('b     20')


def test_that_it_fits_a_terminal_and_says_what_is_left_out() -> None:
    lines = list(listed(ROWS, COLUMNS, 20))
    assert all(len(line) <= 20 for line in lines[:4])
    assert lines[4:] == ['the same in all of them: all=same', 'no room for: text']
