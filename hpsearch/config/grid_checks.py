"""The checks of the values in a grid and in conditions: lists, distributions, and what they hold."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from typing import Any

from hpsearch.config.distributions.notation import (
    ORION,
    Read,
    is_distribution,
    misspelling,
    read_distribution,
    read_mapping,
)
from hpsearch.config.distributions.problems import problems_of
from hpsearch.model.command import encoded, plain
from hpsearch.model.configuration import Condition, Grid, Not, Value
from hpsearch.model.errors import one_line
from hpsearch.model.trials.distributions import Choice, Distribution, Drawn, Fidelity, as_list

MOST_VALUES = 1_000_000
"""Values of an option that does not say how many it has."""


@dataclass
class GridReader:
    """Reads the parts of a grid and of conditions.

    Attributes:
        out_arg: The option of the output folder; None: there is none.
        problems: Gets what is wrong.
        notes: Gets what has no effect, in sentences.
    """

    out_arg: str | None
    problems: list[str]
    notes: list[str] = field(default_factory=list)

    def row(self, where: str, row: Mapping[Any, Any]) -> Grid:
        """A part of a grid that is a list: a single value, such as a text, needs no list there."""
        listed = {option: [value] if _is_single(value) else value for option, value in row.items()}
        return self.options(where, listed, may_be_empty=False)

    def options(self, where: str, part: Mapping[Any, Any], *, may_be_empty: bool) -> Grid:
        """Options with their values."""
        checked: Grid = {}
        for option, values in part.items():
            self._check_name(where, option)
            known = len(self.problems)
            checked[option] = self._values_or_distribution(f'{where}[{option!r}]', values)
            if not checked[option] and not may_be_empty and len(self.problems) == known:
                self.problems.append(f'{where}[{option!r}]: is empty; at least one value is expected.')
        return checked

    def condition(self, where: str, pair: Any) -> Condition | None:
        """A condition; None, and a problem: it is none."""
        if isinstance(pair, Mapping) and set(pair) == {'when', 'then'}:
            pair = (pair['when'], pair['then'])
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(isinstance(part, Mapping) for part in pair):
            self.problems.append(f'{where}: is {reprlib.repr(pair)}; a pair of dicts (when, then) is expected.')
            return None
        when = {option: self._wanted(f'{where}, when[{option!r}]', wanted) for option, wanted in pair[0].items()}
        then = self.options(f'{where}, then', pair[1], may_be_empty=True)
        self.problems += [
            f'{where}, then[{option!r}]: is a fidelity, which every run has; write it in the grid.'
            for option, values in then.items()
            if is_fidelity(values)
        ]
        return when, then

    def _wanted(self, where: str, wanted: Any) -> Any:
        if _is_meant_as_distribution(wanted):
            self.problems.append(f'{where}: is a distribution; a list of the values that match is expected.')
            return []
        if isinstance(wanted, Mapping) and set(wanted) == {'not'}:
            wanted = Not(wanted['not'])
        if isinstance(wanted, Not):
            return Not(_values(where, wanted.values, self.problems))
        return _values(where, wanted, self.problems)

    def _check_name(self, where: str, option: Any) -> None:
        if problem := name_problem(option):
            self.problems.append(f'{where}: the option {option!r} {problem}')
        elif option == self.out_arg:
            self.problems.append(
                f'{where}: has {option!r}, the option of the output folder, which every run gets; remove it.'
            )

    def _values_or_distribution(self, where: str, values: Any) -> Sequence[Value]:
        if not _is_meant_as_distribution(values):
            return _values(where, values, self.problems)
        text = f'{values!r} ' if isinstance(values, str) else ''
        try:
            read = _read(values)
        except ValueError as error:
            self.problems.append(f'{where}: {text}{error}')
            return []
        if read.note:
            self.notes.append(f'{where}: {read.note}.')
        known = len(self.problems)
        distribution = self._with_plain_values(where, read.distribution)
        self.problems += [f'{where}: {text}{problem}' for problem in problems_of(distribution)]
        if len(self.problems) > known:
            return []
        return as_list(distribution) or Drawn(distribution)

    def _with_plain_values(self, where: str, distribution: Distribution) -> Distribution:
        """A distribution without numbers of numpy, and paths, in it."""
        numbers = {each.name: plain(getattr(distribution, each.name)) for each in fields(distribution)}
        if not isinstance(distribution, Choice):
            return replace(distribution, **numbers)
        values = tuple(_values(where, distribution.values, self.problems))
        return replace(distribution, values=values, weights=tuple(map(plain, distribution.weights)))


def _is_meant_as_distribution(values: Any) -> bool:
    if isinstance(values, str):
        return is_distribution(values)
    return isinstance(values, Distribution) or (isinstance(values, Mapping) and 'distribution' in values)


def _read(given: Any) -> Read:
    """The distribution that is meant.

    Raises:
        ValueError: It is none; why, as the end of a sentence.
    """
    if isinstance(given, str):
        return read_distribution(given)
    return read_mapping(given) if isinstance(given, Mapping) else Read(given)


def is_fidelity(values: Sequence[Value]) -> bool:
    """Whether what stands in a grid is a fidelity."""
    return isinstance(values, Drawn) and isinstance(values.distribution, Fidelity)


def several_fidelities(grid: Grid, rows: Sequence[Grid]) -> list[str]:
    """What is wrong with the fidelities of a grid: there can be one, which is the same in each row."""
    found = {
        (option, values.distribution): None
        for part in rows or [grid]
        for option, values in part.items()
        if isinstance(values, Drawn) and isinstance(values.distribution, Fidelity)
    }
    if len(found) < 2:
        return []
    listed = ', '.join(dict.fromkeys(repr(option) for option, _ in found))
    return [f'grid: has {len(found)} fidelities ({listed}); one is expected, the same in each row.']


def united(rows: Sequence[Grid]) -> Grid:
    """All options of the parts of a grid with all of their values, each once."""
    options = dict.fromkeys(option for row in rows for option in row)
    return {option: _united_values([row[option] for row in rows if option in row]) for option in options}


def _united_values(parts: Sequence[Sequence[Value]]) -> Sequence[Value]:
    first = parts[0]
    if isinstance(first, Drawn) and all(
        isinstance(part, Drawn) and part.distribution == first.distribution for part in parts
    ):
        return first
    return list({(type(value), repr(value)): value for part in parts for value in part}.values())


def _is_single(value: Any) -> bool:
    is_marked = isinstance(value, str) and value.startswith(ORION)
    return not is_marked and (plain(value) is None or isinstance(plain(value), (bool, int, float, str)))


def name_problem(option: object) -> str:
    """What is wrong with the name of an option, as the end of a sentence; empty: nothing."""
    if not isinstance(option, str) or not option:
        return f'is {option!r}; the name of an option is expected.'
    if option.startswith('-'):
        return 'begins with a dash; the name without dashes is expected.'
    if '=' in option or '\0' in option or option.split() != [option]:
        return 'has a space or "=" in it; the name of an option is expected.'
    return ''


def _values(where: str, values: Any, problems: list[str]) -> list[Value]:
    try:
        if not _is_list(values):
            hint = f' (write [{values!r}]).' if isinstance(values, (str, bool, int, float)) else '.'
            meant = misspelling(values) if isinstance(values, str) else ''
            problems.append(f'{where}: is {reprlib.repr(values)}; a list of values is expected{meant or hint}')
            return []
        return [_value(f'{where}[{index}]', value, problems) for index, value in enumerate(_in_order(values))]
    except Exception as error:
        # Anything may be in a module, and raise anything when it is looked at.
        problems.append(f'{where}: has a value that cannot be read: {one_line(error)}')
        return []


def _in_order(values: Iterable[Any]) -> Sequence[Any]:
    """The values, in the same order in each process.

    Raises:
        ValueError: There is no end of them.
    """
    if isinstance(values, (set, frozenset)):
        return sorted(values, key=lambda value: (type(value).__name__, repr(value)))
    listed = list(values if hasattr(values, '__len__') else islice(values, MOST_VALUES + 1))
    if len(listed) > MOST_VALUES and not hasattr(values, '__len__'):
        raise ValueError(f'there are more than {MOST_VALUES:,} of them')
    return listed


def _is_list(values: Any) -> bool:
    shape = getattr(values, 'shape', None)  # a scalar of numpy seems to be a list until one iterates over it
    has_dimensions = shape is None or tuple(shape) != ()
    return isinstance(values, Iterable) and has_dimensions and not isinstance(values, (str, bytes, Mapping))


def _value(where: str, value: Any, problems: list[str]) -> Value:
    value = plain(os.fspath(value) if isinstance(value, os.PathLike) else value)
    if isinstance(value, (list, tuple)) or (hasattr(value, 'tolist') and _is_list(value)):
        return [_value(f'{where}[{index}]', each, problems) for index, each in enumerate(value)]
    if isinstance(value, Mapping):
        return {str(key): _value(f'{where}[{key!r}]', each, problems) for key, each in value.items()}
    if isinstance(value, Distribution):
        problems.append(f'{where}: is a distribution in a list; write it in the place of the list.')
    elif value is not None and not isinstance(value, (bool, int, float, str)):
        problems.append(
            f'{where}: is {reprlib.repr(value)} ({type(value).__name__}); a bool, a number, a string, None, or a list '
            'or dict of such is expected.'
        )
    elif isinstance(value, (int, str)) and not can_be_passed(str(value)):
        problems.append(f'{where}: is {value!r}, which holds characters that no command line can hold.')
    return value


def can_be_passed(text: str) -> bool:
    """Whether a word can be one of a command."""
    try:
        encoded(text)
    except ValueError:
        return False
    return True
