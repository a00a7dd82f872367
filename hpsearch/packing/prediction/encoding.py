"""Parameters of runs as columns of numbers and of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.model.configuration import Params
from hpsearch.packing.prediction.values import LIST_PARTS, NOT_GIVEN, ReadValue, is_seed, numbers_in, read_value

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

FEWEST_TO_TELL = 6
"""Runs from which on words that are other in most runs, as names and paths, are taken to be of no importance."""


@dataclass(frozen=True, slots=True)
class Column:
    """A number that every run has.

    Attributes:
        name: What it is, in words: the name of the parameter, or 'sum of widths'.
        parameter: The parameter it comes from.
    """

    name: str
    parameter: str


@dataclass(frozen=True, slots=True)
class Words:
    """The words that a parameter may be, in the order of their appearance.

    Attributes:
        parameter: Its name.
        levels: Words to their numbers.
    """

    parameter: str
    levels: dict[str, int]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Some runs.

    Attributes:
        numbers: A row per run, a column per :class:`Column`.
        levels: A row per run, a column per :class:`Words`; -1: a word that was not seen in what was learned from.
    """

    numbers: NDArray[float64]
    levels: NDArray[int64]


class Encoder:
    """Learns from runs which numbers and which words their parameters are.

    Args:
        params: Those of the runs that there is something to learn from.
    """

    def __init__(self, params: Sequence[Params]) -> None:
        names = [name for name in dict.fromkeys(name for each in params for name in each) if not is_seed(name)]
        read = {name: [_read(each, name) for each in params] for name in names}
        read = {name: values for name, values in read.items() if not _are_names(values)}
        self._is_list = {name: any(isinstance(one, tuple) for one in values) for name, values in read.items()}
        self.columns = [column for name, values in read.items() for column in self._columns_of(name, values)]
        self.words = [_words_of(name, values) for name, values in read.items()]
        self._names = list(read)
        self.differing = sum(len({*map(str, values)}) > 1 for values in read.values())
        """In how many parameters the runs differ."""

    def _columns_of(self, name: str, values: Sequence[ReadValue]) -> list[Column]:
        if all(isinstance(each, str) for each in values):
            return []
        forms = LIST_PARTS if self._is_list[name] else ('{}',)
        return [Column(form.format(name), name) for form in forms]

    def encode(self, params: Sequence[Params]) -> Encoded:
        """Runs as rows."""
        import numpy

        read = {name: [_read(each, name) for each in params] for name in self._names}
        numeric = dict.fromkeys(column.parameter for column in self.columns)
        parts = [numpy.array([numbers_in(one, self._is_list[name]) for one in read[name]]) for name in numeric]
        numbers = numpy.hstack([numpy.zeros((len(params), 0)), *(part.reshape(len(params), -1) for part in parts)])
        levels = numpy.full((len(params), len(self.words)), -1)
        for index, words in enumerate(self.words):
            levels[:, index] = [words.levels.get(_word(each), -1) for each in read[words.parameter]]
        return Encoded(numbers, levels)


def _read(params: Params, name: str) -> ReadValue:
    return read_value(params[name]) if name in params else NOT_GIVEN


def _word(value: ReadValue) -> str:
    """The word that a value is; the same one for all numbers."""
    return value if isinstance(value, str) else 'a number'


def _words_of(name: str, values: Sequence[ReadValue]) -> Words:
    return Words(name, {word: number for number, word in enumerate(dict.fromkeys(map(_word, values)))})


def _are_names(values: Sequence[ReadValue]) -> bool:
    """Whether they are words that are other ones in most runs, as paths and names are."""
    return len(values) >= FEWEST_TO_TELL and len(set(map(_word, values))) > len(values) / 2
