"""Which terms a formula has: the fewest that foretell each run from the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

MOST_TERMS = 6
"""Terms of a formula beside its constant."""

WORTH = 0.85
"""A term is taken if it makes the error at most this part of what it was."""

RUNS_PER_TERM = 3
"""Runs that there are for each term, the constant included; fewer would fit by chance."""

TRIED = 40
"""Terms of which the error is computed in each step: those that explain most of what is left."""

_NEARLY_ONE = 0.98
_NEGLIGIBLE = 1e-7


@dataclass(frozen=True, slots=True)
class Selection:
    """The terms that were chosen.

    Attributes:
        chosen: Their columns.
        error: The root of the mean square by which a run is missed by the formula that the others make.
    """

    chosen: tuple[int, ...]
    error: float


def select(constant: NDArray[float64], candidates: NDArray[float64], target: NDArray[float64]) -> Selection:
    """Choose terms, one after the other, by the error of leaving one out.

    Args:
        constant: The column of the constant, of one row per run.
        candidates: A column per term.
        target: What is to be foretold.
    """
    import numpy

    unit = constant / numpy.linalg.norm(constant)
    rest = candidates - numpy.outer(unit, unit @ candidates)
    sizes = (candidates**2).sum(axis=0)
    left, leverage = target - unit * (unit @ target), unit**2
    chosen: list[int] = []
    error = _error(left, leverage)
    most = min(MOST_TERMS, len(target) // RUNS_PER_TERM - 1, candidates.shape[1])
    while len(chosen) < most:
        best, its_error = _best(rest, sizes, left, leverage)
        if not its_error < WORTH * error:
            break
        unit = rest[:, best] / numpy.linalg.norm(rest[:, best])
        left, leverage = left - unit * (unit @ left), leverage + unit**2
        rest = rest - numpy.outer(unit, unit @ rest)
        chosen.append(best)
        error = its_error
    return Selection(tuple(chosen), error)


def _error(left: NDArray[float64], leverage: NDArray[float64]) -> float:
    """The error of leaving one out, from what is left of each run by a formula made of all."""
    import numpy

    return float(numpy.sqrt(numpy.mean((left / numpy.maximum(1 - leverage, 1 - _NEARLY_ONE)) ** 2)))


def _best(
    rest: NDArray[float64], sizes: NDArray[float64], left: NDArray[float64], leverage: NDArray[float64]
) -> tuple[int, float]:
    """The term that makes the error smallest, and that error."""
    import numpy

    squares = (rest**2).sum(axis=0)
    is_new = squares > _NEGLIGIBLE * sizes
    along = left @ rest
    gain = numpy.where(is_new, along**2 / numpy.where(is_new, squares, 1.0), -1.0)
    tried = numpy.argsort(-gain, kind='stable')[:TRIED]
    tried = tried[gain[tried] > 0]
    if not len(tried):
        return 0, float('inf')
    errors = _errors_with(rest[:, tried], squares[tried], along[tried], left, leverage)
    best = int(numpy.argmin(errors))
    return int(tried[best]), float(errors[best])


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


def positions(selection: Selection) -> NDArray[int64]:
    """The columns that were chosen, to index with."""
    import numpy

    return numpy.array(selection.chosen, dtype=int)
