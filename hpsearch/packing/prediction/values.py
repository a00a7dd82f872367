"""A value of a parameter as something to compute with: a number, several numbers, or a word."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Any, TypeAlias

ReadValue: TypeAlias = 'float | tuple[float, ...] | str'

NOT_GIVEN = ''
"""The word for a parameter that a run does not have."""

LONGEST = 1000
"""Characters of the longest text in which numbers are looked for."""

_NUMBER = re.compile(r'[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?', re.ASCII)
_BETWEEN = re.compile(r'[,;x\s]+')
_SEED = re.compile(r'(?<![a-z])(?:seeds?|random_states?|rng)(?![a-z])')


def read_value(value: Any) -> ReadValue:
    """A number where it is one, or a text of one; numbers where it is a list, or a text of one; else a word."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str):
        return _from_text(value)
    if isinstance(value, list | tuple):
        return _from_list(value)
    return repr(value)


def _number(value: float) -> float | str:
    try:
        number = float(value)
    except OverflowError:
        return 'a huge number'
    return number if math.isfinite(number) and abs(number) < 1e100 else str(number)


def _from_text(text: str) -> ReadValue:
    if len(text) > LONGEST:
        return text
    stripped = text.strip()
    if _NUMBER.fullmatch(stripped):
        return _number(float(stripped))
    words = [word for word in _BETWEEN.split(stripped.strip('[]()')) if word]
    if not words or not all(map(_NUMBER.fullmatch, words)):
        return text or 'empty'
    return _several([_number(float(word)) for word in words], text)


def _from_list(values: list[Any] | tuple[Any, ...]) -> ReadValue:
    found: list[float | str] = []
    for each in map(read_value, values):
        found.extend(each if isinstance(each, tuple) else (each,))
    return _several(found, repr(values))


def _several(found: list[float | str], text: str) -> tuple[float, ...] | str:
    numbers = tuple(each for each in found if isinstance(each, float))
    return numbers if len(numbers) == len(found) else text


def is_seed(name: str) -> bool:
    """Whether a parameter is by its name a seed, which changes nothing of what a run needs."""
    return bool(_SEED.search(name.lower()))


LIST_PARTS = ('number of {}', 'sum of {}', 'products in {}', 'first of {}', 'last of {}')
"""What a list of numbers, as the widths of layers, is turned into; *products* are those of neighbours, summed."""


def numbers_in(value: ReadValue, is_list: bool) -> tuple[float, ...]:
    """The numbers that stand for a value; zeros for a word."""
    if not is_list:
        return (value if isinstance(value, float) else 0.0,)
    each = () if isinstance(value, str) else value if isinstance(value, tuple) else (value,)
    if not each:
        return (0.0,) * len(LIST_PARTS)
    return float(len(each)), math.fsum(each), math.fsum(one * other for one, other in pairwise(each)), each[0], each[-1]
