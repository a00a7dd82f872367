"""Columns of plain values, written so that those of many runs stay small."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Sequence
from typing import Any

LARGEST_INTEGER = 2**53
"""From here on JavaScript rounds."""

Plain = str | float | int | None

Encoded = list[Any] | dict[str, Any]


def column(values: Sequence[Plain]) -> Encoded:
    """A column as the page reads it.

    Returns:
        The values; or, where few differ, ``{'of': the different values, 'at': which of them each is}``; or, where none
        differ, ``{'all': the value, 'count': how many}``; or, where all are numbers with many digits, ``{'doubles':
        their bytes}`` in base64: the first bytes of all of them, then the second ones, and so on.
    """
    distinct = list(dict.fromkeys(map(_exactly, values)))
    if len(distinct) == 1:
        return {'all': values[0], 'count': len(values)}
    if 2 * len(distinct) > len(values):
        return {'doubles': _doubles(values)} if _have_many_digits(values) else list(values)
    places = {value: at for at, value in enumerate(distinct)}
    return {'of': [value for _, value in distinct], 'at': [places[_exactly(value)] for value in values]}


def _have_many_digits(values: Sequence[Plain]) -> bool:
    """Whether all are numbers that take more room in digits than in bytes."""
    return all(type(value) is float for value in values) and sum(map(len, map(repr, values))) > DIGITS * len(values)


DIGITS = 12
"""About as many characters of base64 has a number of 64 bits."""


def _doubles(values: Sequence[Any]) -> str:
    packed = struct.pack(f'<{len(values)}d', *values)
    return base64.b64encode(b''.join(packed[place::8] for place in range(8))).decode()


def _exactly(value: Plain) -> tuple[type, Plain]:
    """Tells 1, 1.0 and true apart."""
    return type(value), value


def plain_number(value: float | None, digits: int | None = None) -> Plain:
    """A number as JSON can have it, rounded; what JavaScript cannot keep becomes a text."""
    if value is None:
        return None
    if isinstance(value, int):
        return value if abs(value) < LARGEST_INTEGER else str(value)
    if not math.isfinite(value):
        return str(value)
    return value if digits is None else round(value, digits)
