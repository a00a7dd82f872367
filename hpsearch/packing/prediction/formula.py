"""A formula of what runs need, fitted to some of them: a sum of terms, or a constant and a product of powers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.packing.prediction.encoding import Encoded
from hpsearch.packing.prediction.selection import root_mean_square, select
from hpsearch.packing.prediction.terms import TINY, Term, matrix, products_of

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

MOST_COLUMNS = 8
"""Numbers that are combined: those that go most with what is to be foretold."""

MOST_DIVISORS = 2
"""Numbers by which products may be divided, as times are by the batch size."""

ALIKE = 0.1
"""How much values must fall with such a number, at least (a correlation), and more where that may be by chance."""

MOST_MARKS = 12
"""Words that are considered: the commonest."""

FLOOR = 0.002
"""Values below this part of the largest one are missed by as much as this part, without harm."""

LEAST_ERROR = 0.003
"""The relative error is never taken to be smaller."""

ERROR_OF_ONE = 0.3
"""The relative error where there is one run alone."""

CONSTANTS = (0.0, 0.5, 0.8, 0.95)
"""What is tried as the constant beside a product of powers: parts of the smallest value."""

SAFE = 0.98
"""This part of the runs were missed by less than what is taken for the largest miss."""


@dataclass(frozen=True, slots=True)
class Formula:
    """Fitted to runs.

    Attributes:
        terms: Beside the constant.
        offset: The constant beside a product of powers, whose logarithm is the sum of the terms; None: the sum is all.
        scale: What the numbers are divided by, each its own; in a product of powers before the logarithm is taken.
        weights: Of the constant of the sum and the terms.
        spread: How uncertain the weights are: the inverse of the squares of the terms.
        error: By which part of its value a run is missed by the formula that the others make (root mean square).
        worst: The largest part by which a run needed more than that.
        runs: How many it was fitted to.
        floor: Smallest value that can be relied upon.
    """

    terms: tuple[Term, ...]
    offset: float | None
    scale: NDArray[float64]
    weights: NDArray[float64]
    spread: NDArray[float64]
    error: float
    worst: float
    runs: int
    floor: float

    @property
    def columns(self) -> frozenset[int]:
        """The numbers that are in it."""
        return frozenset(column for term in self.terms for column in term.columns)

    @property
    def marks(self) -> frozenset[int]:
        """The parameters whose words are in it."""
        return frozenset(term.mark[0] for term in self.terms if term.mark is not None)

    @property
    def freedom(self) -> int:
        """By how many there were more runs than was chosen: of each term, itself and its weight."""
        return max(1, self.runs - 1 - 2 * len(self.terms))

    def values(self, encoded: Encoded) -> tuple[NDArray[float64], NDArray[float64]]:
        """What runs need by it, and how far from what it was fitted to each is (its leverage)."""
        import numpy

        design = _design(self.terms, self.offset is not None, self.scale, encoded)
        plain = design @ self.weights
        values = plain if self.offset is None else self.offset + numpy.exp(numpy.clip(plain, -100, 100))
        values = numpy.maximum(values, self.floor)
        each = 1 / values if self.offset is None else (values - self.offset) / values
        weighted = design * each[:, None]
        return values, numpy.einsum('ij,jk,ik->i', weighted, self.spread, weighted)


def _design(terms: Sequence[Term], is_power: bool, scale: NDArray[float64], encoded: Encoded) -> NDArray[float64]:
    """The constant and the terms as columns."""
    import numpy

    numbers = encoded.numbers / scale
    if is_power:
        numbers = numpy.log(numpy.maximum(numbers, TINY))
    return matrix([Term(), *terms], numbers, encoded.levels)


@dataclass(frozen=True, slots=True)
class _Form:
    """How a formula is looked for.

    Attributes:
        offset: As in :class:`Formula`.
        emphasis: The power of its value by which a run counts less when terms are chosen: 1 for relative errors alike.
        start: The parameter whose words have constants of their own in any case, as models have that are of different
            sizes; one after the other, none of them may seem worth it. None: there is no such parameter.
    """

    offset: float | None
    emphasis: float = 1.0
    start: int | None = None


def fit(encoded: Encoded, values: NDArray[float64]) -> Formula:
    """Fit a formula of the form that foretells best."""
    import numpy

    values = numpy.maximum(values, max(FLOOR * float(values.max(initial=0.0)), 1e-9))
    if numpy.ptp(values) <= LEAST_ERROR * values.max():
        return _fitted(encoded, values, None, ())
    powers = [_Form(part * float(values.min())) for part in CONSTANTS]
    marks = _common_marks(encoded)
    found = []
    starts = [_Form(offset, 0.5, column) for column in dict(marks) for offset in (None, 0.0)]
    for form in [_Form(None), _Form(None, 0.5), *starts, *powers]:
        terms = _chosen(encoded, values, form, marks)
        found.append(_fitted(encoded, values, form.offset, terms))
    return min((each for each in found if math.isfinite(each.error)), key=lambda formula: formula.error)


def _chosen(
    encoded: Encoded, values: NDArray[float64], form: _Form, marks: Sequence[tuple[int, int]]
) -> tuple[Term, ...]:
    """The terms of a formula."""
    each, target = _weighted_target(values, form.offset, form.emphasis)
    scale = _scale(encoded)

    def columns(terms: Sequence[Term]) -> NDArray[float64]:
        return _design(terms, form.offset is not None, scale, encoded)[:, 1:] * each[:, None]

    numbers = _usable(encoded, values, form.offset is not None)
    if form.offset is None:
        terms = [*products_of(numbers, _divisors(encoded, values, numbers))]
    else:
        terms = [Term((each,)) for each in numbers]
    start = [mark for mark in marks if mark[0] == form.start] if len(values) > 3 * len(marks) else []
    return select(columns, terms, marks, target, start)


def _weighted_target(
    values: NDArray[float64], offset: float | None, emphasis: float = 1.0
) -> tuple[NDArray[float64], NDArray[float64]]:
    """How much each run counts, such that errors are relative ones, and what is to be foretold, times that."""
    import numpy

    if offset is None:
        each = values**-emphasis
        return each, each * values
    each = (values - offset) / values
    return each, each * numpy.log(values - offset)


def _scale(encoded: Encoded) -> NDArray[float64]:
    import numpy

    scale: NDArray[float64] = numpy.abs(encoded.numbers).max(axis=0, initial=0.0)
    scale[scale == 0] = 1.0
    return scale


def _fitted(encoded: Encoded, values: NDArray[float64], offset: float | None, terms: tuple[Term, ...]) -> Formula:
    import numpy

    each, target = _weighted_target(values, offset)
    scale = _scale(encoded)
    used = _design(terms, offset is not None, scale, encoded) * each[:, None]
    spread = numpy.linalg.pinv(used.T @ used)
    weights = spread @ (used.T @ target)
    leverage = numpy.einsum('ij,jk,ik->i', used, spread, used)
    missed = (target - used @ weights) / numpy.maximum(1 - leverage, 0.02)
    error = max(LEAST_ERROR, root_mean_square(missed)) if len(values) > 1 else ERROR_OF_ONE
    worst = float(numpy.quantile(missed, SAFE))
    return Formula(terms, offset, scale, weights, spread, error, worst, len(values), 0.5 * float(values.min()))


def _usable(encoded: Encoded, values: NDArray[float64], is_power: bool) -> list[int]:
    """The numbers that a formula may be made of; only positive ones have powers."""
    import numpy

    numbers = encoded.numbers
    varies = numpy.ptp(numbers, axis=0) > 0
    usable = varies & (numbers > 0).all(axis=0) if is_power else varies
    return _most_telling(numbers, values, [int(column) for column in numpy.flatnonzero(usable)])


def _most_telling(numbers: NDArray[float64], values: NDArray[float64], columns: list[int]) -> list[int]:
    """The columns that go most with the values."""
    import numpy

    if len(columns) <= MOST_COLUMNS:
        return columns
    alike = numpy.abs(_correlations(numbers[:, columns], values))
    return sorted(columns[each] for each in numpy.argsort(-alike, kind='stable')[:MOST_COLUMNS])


def _divisors(encoded: Encoded, values: NDArray[float64], columns: Sequence[int]) -> list[int]:
    """The columns by which something may be divided: positive whole numbers, the larger the smaller the values."""
    import numpy

    numbers = encoded.numbers[:, columns]
    usable = ((numbers > 0) & (numbers == numpy.round(numbers))).all(axis=0)
    found = sorted(zip(_correlations(numbers, values).tolist(), usable.tolist(), columns, strict=True))
    least = max(ALIKE, 2 / math.sqrt(len(values)))
    return [column for alike, is_usable, column in found if is_usable and alike < -least][:MOST_DIVISORS]


def _correlations(numbers: NDArray[float64], values: NDArray[float64]) -> NDArray[float64]:
    """How each column goes with the values, from -1 to 1: ranks with logarithms."""
    import numpy

    logs, order = numpy.log(values), numpy.sort(numbers, axis=0)
    ranks = numpy.array([numpy.searchsorted(order[:, each], numbers[:, each]) for each in range(numbers.shape[1])])
    logs, ranks = logs - logs.mean(), (ranks.T - ranks.mean(axis=1)) if len(ranks) else numpy.zeros((len(logs), 0))
    sizes = numpy.sqrt((ranks**2).sum(axis=0) * (logs**2).sum())
    result: NDArray[float64] = (logs @ ranks) / numpy.maximum(sizes, TINY)
    return result


def _common_marks(encoded: Encoded) -> list[tuple[int, int]]:
    """Words that several runs have, and others have not; of a parameter with two, one says it all."""
    import numpy

    found: list[tuple[int, int, int]] = []
    for column, words in enumerate(encoded.levels.T):
        levels, counts = numpy.unique(words, return_counts=True)
        common = sorted(zip(counts.tolist(), (-levels).tolist(), strict=True), reverse=True)
        found += [(count, column, -level) for count, level in common[1:] if count > 1]
    return [(column, level) for _, column, level in sorted(found, reverse=True)[:MOST_MARKS]]
