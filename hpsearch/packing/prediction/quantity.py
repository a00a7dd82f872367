"""One quantity of runs, as memory, learned from what it was and from what it was at least."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from hpsearch.model.usage.estimate import Guess
from hpsearch.packing.prediction.encoding import Encoded
from hpsearch.packing.prediction.formula import Formula, fit
from hpsearch.packing.prediction.novelty import growth

if TYPE_CHECKING:
    from numpy import bool_, float64
    from numpy.typing import NDArray

ROUNDS = 3
"""How often, at most, runs of which only a bound is known are put in where the formula falls short of it."""

ABOVE_BOUND = 1.1
"""A run of which only a bound is known is expected to need this many times as much, where the formula says less."""

RUNS_PER_PARAMETER = ((0.08, 3), (0.2, 4), (math.inf, 10))
"""Errors up to which a formula is relied upon with more than so many runs for each parameter in which they differ."""

LEAST_FREEDOM = 3
"""By how many runs there are to be more than was chosen for a formula, to rely on it."""

PROMISING = 0.15
"""The error up to which a formula is of use before there are enough runs to rely on it."""

FREEDOM_OF_PROMISING = 6
"""By how many runs there are to be more than was chosen for that."""

FEW = 4
"""Runs for each parameter; with fewer of them, the error of a formula may be larger than it seems."""

RESERVE = 1.03
"""High values are larger by this factor."""

OF_REPEATS = 0.02
"""By which part of it, at least, a repeated run may need something else."""

FAR = 1.0
"""Leverage of a run that is so far outside of the others that nothing is known of it."""


class Trust(Enum):
    """How far a formula is trusted."""

    NONE = 'none'
    """Not at all: no run is expected to need less than the largest one."""
    SOME = 'some'
    """It is of use, but there are too few runs to know that."""
    MUCH = 'much'
    """It is relied upon."""
    FULL = 'full'
    """It is relied upon, and its error is what it seems."""


CAUTION = {Trust.NONE: 1.5, Trust.SOME: 2.5, Trust.MUCH: 1.5, Trust.FULL: 1.0}
"""By which factor its error may be larger than it seems."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one quantity.

    Attributes:
        rows: Which runs there is something known of.
        values: What each needs, or needs at least.
        is_bound: Whether each needs at least that.
    """

    rows: tuple[int, ...]
    values: tuple[float, ...]
    is_bound: tuple[bool, ...]


@dataclass(slots=True)
class Own:
    """What runs with the very same parameters needed.

    Attributes:
        row: One of them.
        values: What they needed.
        bound: What they needed at least; 0: nothing is known of that.
    """

    row: int
    values: list[float] = field(default_factory=list)
    bound: float = 0.0

    @property
    def value(self) -> float:
        """What is learned from them; if they are known by a bound alone, it is somewhat more."""
        return sum(self.values) / len(self.values) if self.values else ABOVE_BOUND * self.bound


class Quantity:
    """Learned once.

    Args:
        encoded: All runs.
        known: What is known of some of them; of one at least.
        differing: In how many parameters runs differ.
        ceiling: The largest value that there can be; None: there is no limit.
    """

    def __init__(self, encoded: Encoded, known: Known, differing: int, ceiling: float | None = None) -> None:
        import numpy

        self._ceiling = ceiling
        self._own = _own(encoded, known)
        every = _part(encoded, [each.row for each in self._own.values()])
        values = numpy.array([each.value for each in self._own.values()])
        is_bound = numpy.array([not each.values for each in self._own.values()])
        has_values = not is_bound.all()
        with numpy.errstate(all='ignore'):
            self.formula, self.seen, self._largest = _fit(every, values, is_bound & has_values)
        self._repeats = _spread_of_repeats(self._own)
        self._trust = _trust(self.formula, differing) if has_values else Trust.NONE

    @property
    def is_informed(self) -> bool:
        """Whether there are enough runs to rely on the formula."""
        return self._trust in (Trust.MUCH, Trust.FULL)

    def guesses(self, encoded: Encoded) -> list[Guess]:
        """What these runs are expected to need."""
        import numpy

        formula = self.formula
        with numpy.errstate(all='ignore'):
            expected, leverage = formula.values(encoded)
        deviations = 2 * (1 + 4 / formula.freedom) * CAUTION[self._trust]
        error = max(formula.error, self._repeats)
        grown = growth(self.seen, encoded, formula, self.is_informed)
        spare = numpy.maximum(deviations * error * numpy.sqrt(1 + leverage), formula.worst)
        high = expected * (1 + spare) * RESERVE
        if self._trust is Trust.NONE:
            high = numpy.maximum(high, self._largest)
        high = high * grown
        is_known = (grown == 1.0) & (leverage < FAR) & self.is_informed
        rows = zip(expected.tolist(), high.tolist(), is_known.tolist(), _keys(encoded), strict=True)
        return [self._guess(Guess(*values), self._own.get(key)) for *values, key in rows]

    def _guess(self, guess: Guess, own: Own | None) -> Guess:
        """With what is known of runs with the same parameters, and within what there can be."""
        if own is not None:
            guess = self._with_own(guess, own)
        if self._ceiling is None:
            return guess
        return Guess(min(guess.expected, self._ceiling), min(guess.high, self._ceiling), guess.is_known)

    def _with_own(self, guess: Guess, own: Own) -> Guess:
        if own.values:
            largest, error = max(own.values), max(self._repeats, OF_REPEATS)
            guess = Guess(own.value, largest * (1 + 2 * error) * RESERVE)
        at_least = own.bound * ABOVE_BOUND
        if guess.high < at_least or guess.expected < own.bound:
            return Guess(max(guess.expected, at_least), max(guess.high, at_least * RESERVE), guess.is_known)
        return guess


def _part(encoded: Encoded, rows: Sequence[int] | NDArray[bool_]) -> Encoded:
    return Encoded(encoded.numbers[rows], encoded.levels[rows])


def _keys(encoded: Encoded) -> list[bytes]:
    """Equal for runs with the same parameters."""
    return [one.tobytes() + two.tobytes() for one, two in zip(encoded.numbers, encoded.levels, strict=True)]


def _own(encoded: Encoded, known: Known) -> dict[bytes, Own]:
    found: dict[bytes, Own] = {}
    keys = _keys(_part(encoded, list(known.rows)))
    for key, row, value, is_bound in zip(keys, known.rows, known.values, known.is_bound, strict=True):
        own = found.setdefault(key, Own(row))
        if is_bound:
            own.bound = max(own.bound, value)
        else:
            own.values.append(value)
    return found


def _spread_of_repeats(own: dict[bytes, Own]) -> float:
    """By which part of their mean runs with the same parameters differ (root mean square)."""
    several = [each.values for each in own.values() if len(each.values) > 1]
    squares, freedom = 0.0, 0
    for values in several:
        mean = sum(values) / len(values) or 1.0
        squares += sum((value / mean - 1) ** 2 for value in values)
        freedom += len(values) - 1
    return float((squares / freedom) ** 0.5) if freedom else 0.0


def _fit(encoded: Encoded, values: NDArray[float64], is_bound: NDArray[bool_]) -> tuple[Formula, Encoded, float]:
    """The formula, the runs it was fitted to, and the largest value of these.

    Bounds are put in where the formula says less, until it says less of none (as in the regression of Tobin).
    """
    is_used = ~is_bound
    for _ in range(ROUNDS):
        seen = _part(encoded, is_used)
        formula = fit(seen, values[is_used])
        falls_short = is_bound & ~is_used & (formula.values(encoded)[0] < values / ABOVE_BOUND)
        if not falls_short.any():
            break
        is_used = is_used | falls_short
    return formula, seen, float(values[is_used].max())


def _trust(formula: Formula, differing: int) -> Trust:
    """How far to trust a formula of runs that differ in so many parameters."""
    if differing == 0:
        return Trust.FULL
    runs = next(runs for error, runs in RUNS_PER_PARAMETER if formula.error <= error)
    if formula.freedom >= LEAST_FREEDOM and formula.runs > runs * differing:
        return Trust.FULL if formula.runs > FEW * differing else Trust.MUCH
    is_promising = formula.error <= PROMISING and formula.freedom >= FREEDOM_OF_PROMISING
    return Trust.SOME if is_promising else Trust.NONE
