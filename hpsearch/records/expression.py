"""Conditions on the values of a run, as trees: what they mean, and how they are written.

A *name* stands for a value of a run: a number, a truth, a text, or None where it has none. Numbers are compared as
numbers, and a text with a number as the number that it is, if it is one; texts are compared as texts. What a run does
not have is not equal to anything but None, not unequal either, and neither less nor more.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from hpsearch.model.units import read_number

Scalar: TypeAlias = bool | int | float | str | None
"""A value of a run, or one that it is compared with."""

ValueOf: TypeAlias = Callable[[str], Scalar]
"""From a name to the value that a run has for it."""

WORD = re.compile(r"""[^\s()=!<>,'"`&|]+""")
"""What needs no quotes."""

NUMBER = re.compile(r'[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?', re.ASCII)

ODD_NUMBERS = ('inf', '+inf', '-inf', 'nan')

CONSTANTS: Mapping[str, Scalar] = {'true': True, 'false': False, 'none': None}

RESERVED = frozenset(('and', 'or', 'not', 'in', 'is', 'contains', *CONSTANTS))
"""Words of the language, in lower case: to name a value like one of them needs backticks."""


@dataclass(frozen=True, slots=True)
class Name:
    """A value of the run.

    Attributes:
        text: Its name.
        at: Where it stands in what was written, from 0.
    """

    text: str
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        is_plain = WORD.fullmatch(self.text) and self.text.lower() not in RESERVED and not is_number(self.text)
        return self.text if is_plain else quoted(self.text, '`')


Operand: TypeAlias = Name | Scalar
"""What a value is compared with: that of another name, or what was written."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``NAME OPERATOR OPERAND``, with one of :data:`OPERATORS`."""

    name: Name
    operator: str
    operand: Operand

    def __str__(self) -> str:
        space = ' ' if self.operator[0].isalpha() else ''
        return f'{self.name}{space}{self.operator}{space}{written(self.operand)}'

    def holds(self, value_of: ValueOf) -> bool:
        """Whether it is true of a run."""
        operand = value_of(self.operand.text) if isinstance(self.operand, Name) else self.operand
        return OPERATORS[self.operator](value_of(self.name.text), operand)

    def names(self) -> Iterator[Name]:
        """The names in it."""
        yield self.name
        if isinstance(self.operand, Name):
            yield self.operand


@dataclass(frozen=True, slots=True)
class Membership:
    """``NAME in (A, B)``, or ``not in``."""

    name: Name
    values: tuple[Scalar, ...]
    is_negated: bool = False

    def __str__(self) -> str:
        word = 'not in' if self.is_negated else 'in'
        return f'{self.name} {word} ({", ".join(map(written, self.values))})'

    def holds(self, value_of: ValueOf) -> bool:
        """Whether it is true of a run."""
        value = value_of(self.name.text)
        is_among = any(equal(value, each) for each in self.values)
        return value is not None and not is_among if self.is_negated else is_among

    def names(self) -> Iterator[Name]:
        """The names in it."""
        yield self.name


@dataclass(frozen=True, slots=True)
class Negation:
    """``not CONDITION``."""

    part: Expression

    def __str__(self) -> str:
        return f'not {_enclosed(self.part)}'

    def holds(self, value_of: ValueOf) -> bool:
        """Whether it is true of a run."""
        return not self.part.holds(value_of)

    def names(self) -> Iterator[Name]:
        """The names in it."""
        return self.part.names()


@dataclass(frozen=True, slots=True)
class Junction:
    """``A and B and C``, or the same with ``or``.

    Attributes:
        word: ``and`` or ``or``.
        parts: At least two.
    """

    word: str
    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return f' {self.word} '.join(map(_enclosed, self.parts))

    def holds(self, value_of: ValueOf) -> bool:
        """Whether it is true of a run."""
        every = all if self.word == 'and' else any
        return every(part.holds(value_of) for part in self.parts)

    def names(self) -> Iterator[Name]:
        """The names in it."""
        for part in self.parts:
            yield from part.names()


Expression: TypeAlias = Comparison | Membership | Negation | Junction


def _enclosed(part: Expression) -> str:
    return f'({part})' if isinstance(part, Junction) else str(part)


# What operators mean


def equal(one: Scalar, other: Scalar) -> bool:
    """Whether two values are the same: both none, the same number (also nan), or the same text."""
    if one is None or other is None or (isinstance(one, str) and isinstance(other, str)):
        return one == other
    first, second = number_of(one), number_of(other)
    return first is not None and second is not None and (first == second or (first != first and second != second))


def _unequal(one: Scalar, other: Scalar) -> bool:
    if other is None:
        return one is not None
    return one is not None and not equal(one, other)


def _ordered(is_so: Callable[[float, float], bool]) -> Callable[[Scalar, Scalar], bool]:
    def holds(one: Scalar, other: Scalar) -> bool:
        if isinstance(one, str) and isinstance(other, str):
            return is_so(one, other)  # type: ignore[arg-type]  # texts have an order as well
        first, second = number_of(one), number_of(other)
        return first is not None and second is not None and is_so(first, second)

    return holds


OPERATORS: Mapping[str, Callable[[Scalar, Scalar], bool]] = {
    '=': equal,
    '!=': _unequal,
    '<': _ordered(operator.lt),
    '<=': _ordered(operator.le),
    '>': _ordered(operator.gt),
    '>=': _ordered(operator.ge),
    'contains': lambda one, other: one is not None and other is not None and str(other) in str(one),
    'not contains': lambda one, other: one is not None and other is not None and str(other) not in str(one),
}


def number_of(value: Scalar) -> float | None:
    """The number that a value is; None: it is none."""
    if isinstance(value, str):
        reading = read_number(value)
        return reading.value if reading else None
    return value


# How values are written


def is_number(text: str) -> bool:
    """Whether a word is a number."""
    return bool(NUMBER.fullmatch(text)) or text.lower() in ODD_NUMBERS


def constant(word: str) -> Scalar:
    """What a word without quotes stands for: a number, true, false, none, or itself as a text."""
    if not is_number(word):
        return CONSTANTS.get(word.lower(), word)
    is_whole = word.lstrip('+-').isdigit() and len(word) < MOST_DIGITS
    return int(word) if is_whole else float(word)


MOST_DIGITS = 300
"""Digits of a whole number that is taken as such; a longer one is a floating-point number."""


def written(value: Operand) -> str:
    """A value as it is written, so that it is read as the same value."""
    if isinstance(value, Name):
        return quoted(value.text, '`')
    if isinstance(value, str):
        return quoted(value, "'")
    return str(value).lower()


def quoted(text: str, quote: str) -> str:
    """A text in quotes."""
    return quote + text.replace('\\', '\\\\').replace(quote, f'\\{quote}') + quote
