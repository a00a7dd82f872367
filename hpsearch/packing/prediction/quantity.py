"""One quantity of runs, as memory, learned from what it was and from what it was at least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hpsearch.model.usage.estimate import Guess
from hpsearch.packing.prediction.encoding import Encoded
from hpsearch.packing.prediction.formula import LEAST_ERROR, Formula, fit
from hpsearch.packing.prediction.novelty import growth

if TYPE_CHECKING:
    from numpy import bool_, float64
    from numpy.typing import NDArray

ROUNDS = 3
"""How often, at most, runs of which only a bound is known are put in where the formula falls short of it."""

ABOVE_BOUND = 1.1
"""A run of which only a bound is known is expected to need this many times as much, where the formula says less."""

RUNS_PER_PARAMETER = 4
"""Runs for each parameter in which they differ; with fewer of them, much is guessed."""

RESERVE = 1.03
"""High values are larger by this factor."""

FAR = 1.0
"""Leverage of a run that is so far outside of the others that nothing is known of it."""


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
    """What runs with the very same parameters needed."""

    values: list[float] = field(default_factory=list)
    bound: float = 0.0


class Quantity:
    """Learned once.

    Args:
        encoded: All runs.
        known: What is known of some of them; of one at least.
        ceiling: The largest value that there can be; None: there is no limit.
    """

    def __init__(self, encoded: Encoded, known: Known, ceiling: float | None = None) -> None:
        import numpy

        self._ceiling = ceiling
        self._own = _own(encoded, known)
        every = _part(encoded, list(known.rows))
        values, is_bound = numpy.array(known.values, float), numpy.array(known.is_bound, bool)
        if is_bound.all():
            values, self._has_values = ABOVE_BOUND * values, False
            is_bound[:] = False
        else:
            self._has_values = True
        self.formula, self.seen, self._largest = _fit(every, values, is_bound)
        self._repeats = _spread_of_repeats(self._own)

    @property
    def is_informed(self) -> bool:
        """Whether there are enough runs to rely on the formula."""
        differing = int((self.seen.numbers != self.seen.numbers[:1]).any(axis=0).sum())
        differing += int((self.seen.levels != self.seen.levels[:1]).any(axis=0).sum())
        return self._has_values and self.formula.runs > RUNS_PER_PARAMETER * differing

    def guesses(self, encoded: Encoded) -> list[Guess]:
        """What these runs are expected to need."""
        import numpy

        formula = self.formula
        expected, leverage = formula.values(encoded)
        deviations = 2 * (1 + 4 / max(formula.freedom, 1))
        error = max(formula.error, self._repeats)
        grown = growth(self.seen, encoded, formula)
        high = expected * (1 + deviations * error * numpy.sqrt(1 + leverage)) * RESERVE
        if not self.is_informed:
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
            largest, error = max(own.values), max(self._repeats, LEAST_ERROR)
            guess = Guess(sum(own.values) / len(own.values), largest * (1 + 2 * error) * RESERVE)
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
    for key, value, is_bound in zip(keys, known.values, known.is_bound, strict=True):
        own = found.setdefault(key, Own())
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
    values = values * [ABOVE_BOUND if each else 1.0 for each in is_bound.tolist()]
    for _ in range(ROUNDS):
        seen = _part(encoded, is_used)
        formula = fit(seen, values[is_used])
        falls_short = is_bound & ~is_used & (formula.values(encoded)[0] < values / ABOVE_BOUND)
        if not falls_short.any():
            break
        is_used = is_used | falls_short
    return formula, seen, float(values[is_used].max())
