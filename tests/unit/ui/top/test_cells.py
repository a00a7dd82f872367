"""Texts in cells: their widths, and curves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpsearch.ui.top.cells import clipped, filled, harmless, sparkline, width_of
from hpsearch.ui.top.tables import Column, params_columns


@given(st.text(), st.integers(0, 20))
def test_that_a_filled_text_takes_exactly_the_cells_there_are(text: str, width: int) -> None:
    assert width_of(filled(harmless(text), width)) == width


@given(st.text(), st.integers(0, 20))
def test_that_a_clipped_text_says_that_something_is_left_out(text: str, width: int) -> None:
    whole = harmless(text)
    cut = clipped(whole, width)
    assert width_of(cut) <= width
    assert cut == whole or not cut or cut.endswith('…')


@pytest.mark.parametrize(
    ('values', 'width', 'expected'),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], 8, '▁▂▃▄▅▆▇█'),
        ([1, 1, 1], 8, '▅▅▅'),
        ([], 8, ''),
        ([math.nan, 0, 1], 8, ' ▁█'),
        ([math.inf, 0, 1, -math.inf], 8, ' ▁█ '),
        ([0, 9, 1, 9, 2, 9], 3, '▅▅▅'),
        ([-1e308, 1e308], 8, '▅▅'),
    ],
)
def test_that_a_curve_is_drawn_between_its_least_and_largest_value(
    values: list[float], width: int, expected: str
) -> None:
    assert sparkline(values, width) == expected


def test_that_a_curve_is_drawn_in_ascii_where_there_is_nothing_else() -> None:
    assert sparkline([0, 1, 2, 3], 8, unicode=False).isascii()


@given(st.lists(st.floats(), max_size=300), st.integers(1, 40))
def test_that_any_curve_can_be_drawn(values: list[float], width: int) -> None:
    assert len(sparkline(values, width)) == min(width, len(values))


@pytest.mark.parametrize(
    ('value', 'text'), [(1.7756017628701234e-05, '1.7756e-05'), (1234567890, '1234567890'), ('', '')]
)
def test_that_a_parameter_that_was_drawn_is_shown_with_its_exponent(value: float | str, text: str) -> None:
    columns: list[Column[None]] = params_columns(['lr'], lambda row: {'lr': value})
    assert columns[0].text(None) == text
