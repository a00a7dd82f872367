"""A formula of what runs need, fitted to some of them: a sum of terms, or a product of powers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.packing.prediction.encoding import Encoded
from hpsearch.packing.prediction.selection import Selection, select
from hpsearch.packing.prediction.terms import Term, matrix, terms_of_power, terms_of_sum

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

MOST_COLUMNS = 8
"""Numbers that are combined: those that go most with what is to be foretold."""

MOST_MARKS = 12
"""Words that are considered: the commonest."""

FLOOR = 0.02
"""Values below this part of the largest one are missed by as much as this part, without harm."""

LEAST_ERROR = 0.003
"""The relative error is never taken to be smaller."""


@dataclass(frozen=True, slots=True)
class Formula:
    """Fitted to runs.

    Attributes:
        terms: Beside the constant.
        is_power: Whether it is a product of powers: the terms are summed in logarithms.
        scale: What the numbers are divided by, each its own; in a product of powers before the logarithm is taken.
        weights: Of the constant and the terms.
        spread: How uncertain the weights are: the inverse of the squares of the terms.
        error: By which part of its value a run is missed by the formula that the others make (root mean square).
        runs: How many it was fitted to.
        floor: Smallest value that can be relied upon.
    """

    terms: tuple[Term, ...]
    is_power: bool
    scale: NDArray[float64]
    weights: NDArray[float64]
    spread: NDArray[float64]
    error: float
    runs: int
    floor: float

    @property
    def columns(self) -> frozenset[int]:
        """The numbers that are in it."""
        return frozenset(column for term in self.terms for column in term.factors)

    @property
    def marks(self) -> frozenset[int]:
        """The parameters whose words are in it."""
        return frozenset(term.mark[0] for term in self.terms if term.mark is not None)

    @property
    def freedom(self) -> int:
        """By how many there were more runs than weights."""
        return self.runs - 1 - len(self.terms)

    def values(self, encoded: Encoded) -> tuple[NDArray[float64], NDArray[float64]]:
        """What runs need by it, and how far from what it was fitted to each is (its leverage)."""
        import numpy

        design = _design(self.terms, self.is_power, self.scale, encoded)
        plain = design @ self.weights
        values = numpy.exp(numpy.clip(plain, -100, 100)) if self.is_power else plain
        values = numpy.maximum(values, self.floor)
        weighted = design if self.is_power else design / values[:, None]
        return values, numpy.einsum('ij,jk,ik->i', weighted, self.spread, weighted)


def _design(terms: Sequence[Term], is_power: bool, scale: NDArray[float64], encoded: Encoded) -> NDArray[float64]:
    """The constant and the terms as columns."""
    import numpy

    numbers = encoded.numbers / scale
    if is_power:
        numbers = numpy.log(numpy.maximum(numbers, 1e-12))
    return matrix([Term(), *terms], numbers, encoded.levels)


def fit(encoded: Encoded, values: NDArray[float64]) -> Formula:
    """Fit a formula of the form that foretells better."""
    import numpy

    floor = max(FLOOR * float(values.max(initial=0.0)), 1e-9)
    clipped = numpy.maximum(values, floor)
    found = [_fit(encoded, clipped, is_power) for is_power in (False, True)]
    return min(found, key=lambda formula: formula.error)


def _fit(encoded: Encoded, values: NDArray[float64], is_power: bool) -> Formula:
    import numpy

    scale = numpy.abs(encoded.numbers).max(axis=0, initial=0.0)
    scale[scale == 0] = 1.0
    terms = _candidates(encoded, values, is_power)
    design = _design(terms, is_power, scale, encoded)
    target = numpy.log(values) if is_power else numpy.ones(len(values))
    weighted = design if is_power else design / values[:, None]
    selection = select(weighted[:, 0], weighted[:, 1:], target)
    used = weighted[:, [0, *(column + 1 for column in selection.chosen)]]
    spread = numpy.linalg.pinv(used.T @ used)
    return Formula(
        tuple(terms[column] for column in selection.chosen),
        is_power,
        scale,
        spread @ (used.T @ target),
        spread,
        _error_of(selection, len(values)),
        len(values),
        0.5 * float(values.min()),
    )


def _error_of(selection: Selection, runs: int) -> float:
    """Two runs tell little of the error, and one nothing."""
    return max(LEAST_ERROR, selection.error) if runs > 1 else 0.3


def _candidates(encoded: Encoded, values: NDArray[float64], is_power: bool) -> list[Term]:
    import numpy

    numbers, levels = encoded.numbers, encoded.levels
    varies = numpy.ptp(numbers, axis=0) > 0 if len(numbers) else numpy.zeros(numbers.shape[1], bool)
    usable = varies & (numbers > 0).all(axis=0) if is_power else varies
    columns = _most_telling(numbers, values, [int(column) for column in numpy.flatnonzero(usable)])
    make = terms_of_power if is_power else terms_of_sum
    return make(columns, _common_marks(levels.tolist()))


def _most_telling(numbers: NDArray[float64], values: NDArray[float64], columns: list[int]) -> list[int]:
    """The columns that go most with the values."""
    import numpy

    if len(columns) <= MOST_COLUMNS:
        return columns
    logs = numpy.log(values) - numpy.log(values).mean()
    ranks = numbers[:, columns].argsort(axis=0).argsort(axis=0).astype(float)
    alike = numpy.abs((ranks - ranks.mean(axis=0)).T @ logs)
    return sorted(columns[each] for each in numpy.argsort(-alike, kind='stable')[:MOST_COLUMNS])


def _common_marks(levels: list[list[int]]) -> list[tuple[int, int]]:
    """Words that several runs have, and others have not; of a parameter with two, one says it all."""
    found: list[tuple[int, tuple[int, int]]] = []
    for column, words in enumerate(zip(*levels, strict=True)):
        counts = sorted(((words.count(word), -word) for word in set(words)), reverse=True)
        found += [(count, (column, -word)) for count, word in counts[1:] if count > 1]
    return [mark for _, mark in sorted(found, reverse=True)[:MOST_MARKS]]
