"""Which terms a formula has: the fewest that foretell each run from the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hpsearch.packing.prediction.terms import Term, with_marks

if TYPE_CHECKING:
    from numpy import bool_, float64
    from numpy.typing import NDArray

MOST_TERMS = 8
"""Terms of a formula beside its constant."""

RUNS_PER_TERM = 2
"""Runs that there are for each term, the constant included; fewer would fit by chance."""

TRIED = 40
"""Terms of which the error is computed in each step: those that explain most of what is left."""

_NEARLY_ONE = 0.98
_NEGLIGIBLE = 1e-7


def select(
    columns: Callable[[Sequence[Term]], NDArray[float64]],
    terms: Sequence[Term],
    marks: Sequence[tuple[int, int]],
    target: NDArray[float64],
    start: Sequence[tuple[int, int]] = (),
) -> tuple[Term, ...]:
    """Choose terms, one after the other, by the error of leaving one run out.

    Args:
        columns: Makes a column, of one row per run, of each term.
        terms: What is chosen from; once one of them was, what has it for a certain word alone is too.
        marks: The words.
        target: What is to be foretold.
        start: Words whose constants are chosen in any case.
    """
    choice = _Choice(columns([Term()])[:, 0], target)
    choice.offer([*terms, *with_marks(Term(), marks)], columns)
    for mark in start:
        choice.take_term(Term((), mark))
    most = min(MOST_TERMS, len(target) // RUNS_PER_TERM - 1)
    while len(choice.chosen) < most and (best := choice.best()) is not None:
        choice.take(best)
        choice.offer(with_marks(choice.chosen[-1], marks), columns)
    return tuple(choice.chosen)


class _Choice:
    """The terms that were chosen so far, and the others without what these say already."""

    def __init__(self, constant: NDArray[float64], target: NDArray[float64]) -> None:
        import numpy

        self.chosen: list[Term] = []
        self._basis: list[NDArray[float64]] = []
        self._terms: list[Term] = []
        self._rest = numpy.zeros((len(target), 0))
        self._sizes = numpy.zeros(0)
        self._left, self._leverage = target, numpy.zeros(len(target))
        self._extend(constant / numpy.linalg.norm(constant))

    def _extend(self, unit: NDArray[float64]) -> None:
        import numpy

        self._basis.append(unit)
        self._left = self._left - unit * (unit @ self._left)
        self._leverage = self._leverage + unit**2
        self._rest = self._rest - numpy.outer(unit, unit @ self._rest)

    def offer(self, terms: Sequence[Term], columns: Callable[[Sequence[Term]], NDArray[float64]]) -> None:
        """Let these be chosen, too."""
        import numpy

        if not terms:
            return
        rest = columns(terms)
        sizes = (rest**2).sum(axis=0)
        for unit in self._basis:
            rest = rest - numpy.outer(unit, unit @ rest)
        self._terms.extend(terms)
        self._sizes = numpy.concatenate([self._sizes, sizes])
        self._rest = numpy.hstack([self._rest, rest])

    def take_term(self, term: Term) -> None:
        """Choose a certain one, unless those that were chosen say the same."""
        index = self._terms.index(term)
        if self._is_new()[index]:
            self.take(index)

    def _is_new(self) -> NDArray[bool_]:
        result: NDArray[bool_] = (self._rest**2).sum(axis=0) > _NEGLIGIBLE * self._sizes
        return result

    def take(self, index: int) -> None:
        """Choose one."""
        import numpy

        self.chosen.append(self._terms[index])
        self._extend(self._rest[:, index] / numpy.linalg.norm(self._rest[:, index]))

    @property
    def _error(self) -> float:
        import numpy

        return root_mean_square(self._left / numpy.maximum(1 - self._leverage, 1 - _NEARLY_ONE))

    def best(self) -> int | None:
        """The term that makes the error smallest; None: none makes it much smaller."""
        import numpy

        squares = (self._rest**2).sum(axis=0)
        is_new = squares > _NEGLIGIBLE * self._sizes
        along = self._left @ self._rest
        gain = numpy.where(is_new, along**2 / numpy.where(is_new, squares, 1.0), -1.0)
        tried = numpy.argsort(-gain, kind='stable')[:TRIED]
        tried = tried[gain[tried] > 0]
        if not len(tried):
            return None
        errors = _errors_with(self._rest[:, tried], squares[tried], along[tried], self._left, self._leverage)
        best = int(numpy.argmin(errors))
        return int(tried[best]) if errors[best] < _worth(len(self._left)) * self._error else None


def _worth(runs: int) -> float:
    """A term is taken if it makes the error at most this part of what it was; the best of many does so by chance."""
    return math.sqrt(min(0.94, max(0.5, 1 - 10 / runs)))


def root_mean_square(values: NDArray[float64]) -> float:
    """The root of the mean of the squares."""
    import numpy

    return float(numpy.sqrt(numpy.mean(values**2)))


def _errors_with(
    terms: NDArray[float64],
    squares: NDArray[float64],
    along: NDArray[float64],
    left: NDArray[float64],
    leverage: NDArray[float64],
) -> NDArray[float64]:
    """The error with each of these terms; infinite for one that a single run decides."""
    import numpy

    residuals = left[:, None] - terms * (along / squares)
    leverages = leverage[:, None] + terms**2 / squares
    errors: NDArray[float64] = numpy.sqrt(
        numpy.mean((residuals / numpy.maximum(1 - leverages, 1 - _NEARLY_ONE)) ** 2, axis=0)
    )
    return numpy.where(leverages.max(axis=0) > _NEARLY_ONE, numpy.inf, errors)
