"""Texts in the cells of a terminal: how wide they are, cut and filled up to a width, and curves as a row of bars."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence

from hpsearch.ui.format import printable
from hpsearch.ui.head import Line

BARS = '▁▂▃▄▅▆▇█'
ASCII_BARS = '_.-~=+*#'

_NOT_SHOWN = ('Cf', 'Cs', 'Co', 'Cn')
"""Categories of characters that change the direction or the joining of others, or that no font has."""

_VARIANTS = frozenset(map(chr, range(0xFE00, 0xFE10)))
"""They make the character before them as wide as it looks elsewhere, on some terminals."""


def harmless(text: str) -> str:
    """One line of text that a terminal shows as it is: without control characters and what reorders a line."""
    if text.isascii() and text.isprintable():
        return text
    shown = printable(text)
    return ''.join(each for each in shown if unicodedata.category(each) not in _NOT_SHOWN and each not in _VARIANTS)


def width_of(text: str) -> int:
    """The cells that a harmless text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import get_character_cell_size

    return sum(map(get_character_cell_size, text))


def clipped(text: str, width: int) -> str:
    """A harmless text that takes ``width`` cells at most; where something is left out, it ends with an ellipsis."""
    if width_of(text) <= width:
        return text
    if width <= 0:
        return ''
    used, end = 0, 0
    for end, each in enumerate(text):  # noqa: B007
        used += width_of(each)
        if used > width - 1:
            break
    return text[:end] + '…'


def filled(text: str, width: int, *, right: bool = False) -> str:
    """A harmless text that takes exactly ``width`` cells."""
    shown = clipped(text, width)
    blank = ' ' * (width - width_of(shown))
    return blank + shown if right else shown + blank


def fitted(line: Line, width: int) -> Line:
    """A line of harmless parts that takes no more than ``width`` cells."""
    found: Line = []
    left = width
    for text, style in line:
        if width_of(text) > left:
            return [*found, (clipped(text, left), style)]
        found.append((text, style))
        left -= width_of(text)
    return found


def made_harmless(line: Line) -> Line:
    """A line of any parts."""
    return [(harmless(text), style) for text, style in line]


def length(line: Line) -> int:
    """The cells that a line of harmless parts takes."""
    return sum(width_of(text) for text, _ in line)


def sparkline(values: Sequence[float], width: int, *, unicode: bool = True) -> str:
    """A curve as a row of bars between its least and its largest value; what is no number is a blank.

    A curve with more points than ``width`` is shown by the last value of each of as many parts.
    """
    bars = BARS if unicode else ASCII_BARS
    shown = list(_thinned(values, width))
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return ' ' * len(shown)
    low, span = min(finite), max(finite) - min(finite)
    if not math.isfinite(span):
        low, span = 0.0, 0.0
    return ''.join(_bar(value, low, span, bars) for value in shown)


def _thinned(values: Sequence[float], width: int) -> Iterable[float]:
    if len(values) <= width:
        return values
    return (values[(index + 1) * len(values) // width - 1] for index in range(width))


def _bar(value: float, low: float, span: float, bars: str) -> str:
    if not math.isfinite(value):
        return ' '
    share = (value - low) / span if span else 0.5
    return bars[min(len(bars) - 1, int(share * len(bars)))]
