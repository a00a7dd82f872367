"""Time spans and amounts of memory, in words; and numbers in words of others."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace


def duration(seconds: float) -> str:
    """A time span in its two largest units (``3 s``, ``2 min 05 s``, ``2 d 4 h``); negative counts as none."""
    if not math.isfinite(seconds):
        return 'unknown'
    minutes, secs = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f'{days} d {hours} h'
    if hours:
        return f'{hours} h {minutes:02d} min'
    if minutes:
        return f'{minutes} min {secs:02d} s'
    return f'{secs} s'


def memory(mib: int | None) -> str:
    """An amount of memory: ``512 MiB``, ``12.3 GiB``, ``?`` when it is not known."""
    if mib is None:
        return '?'
    return f'{mib} MiB' if mib < 1024 else f'{mib / 1024:.1f} GiB'


def count_of(count: int, one: str, several: str = '') -> str:
    """A number with what it counts: ``1 run``, ``1,000 runs``.

    Args:
        count: The number.
        one: The noun, perhaps with its predicate, for one.
        several: The same for any other number; empty: with an ``s`` at its end.
    """
    return f'{count:,} {noun_for(count, one, several)}'


def noun_for(count: float, one: str, several: str = '') -> str:
    """What is counted alone, where the number has a form of its own; arguments as those of :func:`count_of`."""
    return one if count == 1 else several or f'{one}s'


def whole_number(text: str, digits: int = 9) -> int | None:
    """The number that a text is: some of the digits 0 to 9 and nothing else; None: it is none, or has more digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


# Numbers as training scripts print them


@dataclass(frozen=True, slots=True)
class Reading:
    """A number as a training script printed it.

    Attributes:
        value: The number; a percentage is not divided by 100.
        text: The number as it was printed, with its unit, and without what its library put around it.
        unit: What follows it: ``%``, ``ms``, or nothing.
        is_single: Whether it is all there is; otherwise it is the last of several values, or other words follow.
    """

    value: float
    text: str
    unit: str = ''
    is_single: bool = True


LARGEST_FORM = 1 << 16
"""Characters of what a library prints around numbers; a longer text is no number."""

_MOST_NESTED = 8

_DIGITS = r'[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+)?'

_WITH_MORE = re.compile(
    rf'({_DIGITS})(\s*(?:±|\+/?-)\s*{_DIGITS}|\s*\({_DIGITS}\))?([%‰°]|[^\W\d_]+)?(\s.*)?', re.DOTALL
)
"""A number, its margin of error, its unit, and what else follows after a space."""

_UNIT = re.compile(r'(?:[%‰°]|[^\W\d_])[^\s,]*')

_RATIO = re.compile(r'([+-]?\d+)\s*/\s*(\d+)')
"""What ``fractions.Fraction`` prints."""

_WRAPPED = re.compile(
    r'(?:\w+\.)*(?:b?float\d*|u?int\d*|intc|u?intp|half|single|double|longdouble|bool_?|str_?|array|Array|DeviceArray'
    r'|[Tt]ensor|EagerTensor|Parameter|Decimal|Fraction|mpf)\((.*)\)',
    re.DOTALL,
)
"""``repr`` of a scalar or an array of numpy, torch, JAX, paddle, MLX and of the standard library."""

_TENSORFLOW = re.compile(r'<(?:tf\.|Keras)?\w+\b.*\b(?:numpy|value)=(.*)>', re.DOTALL)

_TRUTHS = {**dict.fromkeys(('true', 'np.true_'), 1.0), **dict.fromkeys(('false', 'np.false_'), 0.0)}

_ONE_OR_SEVERAL = re.compile(
    r'[+-]?(?:\d+,\d+(?:[eE][+-]?\d+)?|\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d{1,3}(?:\.\d{3})+,\d+)\s*(?:[%‰°]|[^\W\d_]*)'
)
"""A number with a decimal comma or with commas between thousands, which may as well be a list."""

_MARK = re.compile(r"""'[^']*'|"[^"]*"|[(\[{<]|[)\]}>]|,|\s+""")

_PAIRS = ('[]', '()', "''", '""')


def read_number(text: str | None) -> Reading | None:
    """The number that a cell of the table is, in the forms that the numeric libraries of Python print.

    Of a list, the last value. None: it is no number, or :func:`is_ambiguous`. nan is a number.
    """
    return _read(text, _MOST_NESTED) if text else None


def is_ambiguous(text: str | None) -> bool:
    """Whether a cell is either one number with commas in it, or a list: ``0,950``, ``1,234``."""
    return bool(text and _ONE_OR_SEVERAL.fullmatch(text.strip()))


def _read(text: str, depth: int) -> Reading | None:
    text = text.strip()
    found = _plain_list(text) or _scalar(text)
    if found or depth <= 0 or is_ambiguous(text):
        return found
    values = _split(text, ',')
    return _last(values, depth) if len(values) > 1 else _unwrapped(text, depth)


def _plain_list(text: str) -> Reading | None:
    """The last of plain numbers with commas between them: a history may have thousands."""
    if ',' not in text or is_ambiguous(text):
        return None
    values = text.split(',')
    try:
        return Reading([float(value) for value in values][-1], values[-1].strip(), is_single=False)
    except ValueError:
        return None


def _scalar(text: str) -> Reading | None:
    try:
        return Reading(float(text), text)
    except ValueError:
        truth = _TRUTHS.get(text.lower())
    return _ratio(text) or _with_more(text) if truth is None else Reading(truth, text)


def _ratio(text: str) -> Reading | None:
    found = _RATIO.fullmatch(text)
    try:
        return Reading(int(found[1]) / int(found[2]), text) if found else None
    except (ArithmeticError, ValueError):  # too large, or divided by zero
        return None


def _with_more(text: str) -> Reading | None:
    found = _WITH_MORE.fullmatch(text)
    if found is None:
        return None
    number, margin, unit, more = found[1], found[2], found[3], (found[4] or '').strip()
    if more[:1].isdecimal() or more.startswith(('+', '-', '.')):
        return None
    if unit is None:
        word = _UNIT.match(more)
        unit = word[0] if word else ''
        more = more[len(unit) :]
    return Reading(float(number), text, unit, is_single=not (margin or more))


def _unwrapped(text: str, depth: int) -> Reading | None:
    """What is within the brackets, quotes or the call that encloses all of a text."""
    if len(text) > LARGEST_FORM:
        return None
    if text[:1] + text[-1:] in _PAIRS and len(text) > 1:
        return _read(text[1:-1], depth - 1) if text[0] in '\'"' else _listed(text[1:-1], depth - 1)
    found = _WRAPPED.fullmatch(text) or _TENSORFLOW.fullmatch(text)
    if found is None:
        return None
    arguments = [word.strip() for word in _split(found[1], ',')]
    given = [word for word in arguments if word and not re.match(r'\w+\s*=', word)]
    if len(given) == 2 and 'Fraction(' in text:
        return _ratio('/'.join(given))
    return _read(given[0], depth - 1) if len(given) == 1 else None


def _listed(text: str, depth: int) -> Reading | None:
    """The last of the values in brackets, which have commas or spaces between them."""
    values = _split(text, ',')
    return _last(values if len(values) > 1 else _split(text, ''), depth)


def _last(values: Sequence[str], depth: int) -> Reading | None:
    """The last of the values that are there, if all of them are numbers."""
    given = [value for value in map(str.strip, values) if value not in ('', '...')]
    readings = [_read(value, depth - 1) for value in given]
    if len(readings) == 1:
        return readings[0]
    numbers = [
        each for value, each in zip(given, readings, strict=True) if each and (each.is_single or value[0] in '[(')
    ]
    return replace(numbers[-1], is_single=False) if numbers and len(numbers) == len(given) else None


def _split(text: str, separator: str) -> list[str]:
    """The parts between commas, or spaces where the separator is empty, that are in no brackets or quotes."""
    if not re.search(r'[()\[\]{}<>\'"]', text):
        return text.split(separator or None)
    if len(text) > LARGEST_FORM:
        return [text]
    parts, begin, depth = [], 0, 0
    for found in _MARK.finditer(text):
        depth += (found[0] in '([{<') - (found[0] in ')]}>')
        if depth == 0 and found[0].strip() == separator:
            parts.append(text[begin : found.start()])
            begin = found.end()
    return [*parts, text[begin:]]
