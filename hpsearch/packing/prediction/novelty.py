"""How far a run is outside of what was seen, in what a formula says nothing about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpsearch.packing.prediction.encoding import Encoded
from hpsearch.packing.prediction.formula import Formula

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

UNSEEN_WORD = 1.3
"""By how much a run may need more because of a word that no run had."""

MOST_GROWTH = 8.0
"""By how much, at most, because of numbers larger than any seen and of such words."""

FRACTIONS_GROW = 1.5
"""The same for numbers that are not whole, as learning rates and rates of dropout are: few of them matter."""

SMALLER_GROWS = 1.3
"""The same for numbers smaller than any seen, as a stride or the size of a patch."""


def growth(seen: Encoded, new: Encoded, formula: Formula, is_informed: bool) -> NDArray[float64]:
    """By which factor (1 or more) new runs may need more than the formula says.

    What has varied without a consequence may vary as much again: a number that was between 1 and 4 counts from 16 on.
    """
    import numpy

    factors = numpy.ones(len(new.numbers))
    for column in range(seen.numbers.shape[1]):
        if column not in formula.columns:
            factors *= _by_number(seen.numbers[:, column], new.numbers[:, column], is_informed)
    unseen = (new.levels < 0).sum(axis=1)
    result: NDArray[float64] = numpy.minimum(factors * UNSEEN_WORD**unseen, MOST_GROWTH)
    return result


def _by_number(seen: NDArray[float64], new: NDArray[float64], is_informed: bool) -> NDArray[float64]:
    import numpy

    low, high = float(seen.min()), float(seen.max())
    if high <= 0 or low < 0:
        return numpy.ones(len(new))
    span = (high / low if low > 0 else numpy.inf) if is_informed else 1.0
    whole = bool((seen == numpy.round(seen)).all()) & (new == numpy.round(new))
    with numpy.errstate(over='ignore'):  # what is infinite is clipped, too
        above = new / high / span
    above = numpy.clip(above, 1.0, numpy.where(whole, MOST_GROWTH, FRACTIONS_GROW))
    below = numpy.clip(low / numpy.maximum(new, 1e-12) / span, 1.0, SMALLER_GROWS)
    result: NDArray[float64] = numpy.where(new > 0, numpy.maximum(above, numpy.where(whole, below, 1.0)), 1.0)
    return result
