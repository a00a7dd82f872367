"""Distributions that the value of an option may be drawn from, instead of a list of values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""One hyperparameter value: a bool (a flag), a number, a string, None, or a list or dict of such."""


@dataclass(frozen=True, slots=True)
class Uniform:
    """Numbers between two bounds.

    Attributes:
        low: The smallest one.
        high: The largest one.
        log: Whether their logarithms are uniform; both bounds are positive then.
        step: They are ``low`` and whole multiples of this above it; None: any number. Never with ``log``.
        precision: Significant digits they are rounded to; None: all.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    precision: int | None = None

    def at(self, quantile: float) -> Value:
        """The value below which a fraction (0-1) of all others is."""
        if self.step is not None:
            count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
            return _rounded(self.low + self.step * min(int(quantile * count), count - 1), self.precision or 12)
        return self._within(_between(self.low, self.high, quantile, log=self.log))

    def _within(self, value: float) -> float:
        return min(max(_rounded(value, self.precision), self.low), self.high)


@dataclass(frozen=True, slots=True)
class Integer:
    """Whole numbers between two bounds, both included.

    Attributes:
        low: The smallest one.
        high: The largest one.
        log: Whether their logarithms are uniform; ``low`` is at least 1 then.
        step: They are ``low`` and whole multiples of this above it.
    """

    low: int
    high: int
    log: bool = False
    step: int = 1

    def at(self, quantile: float) -> Value:
        """The value below which a fraction (0-1) of all others is."""
        if self.log:
            value = round(_between(self.low - 0.5, self.high + 0.5, quantile, log=True))
            return min(max(value, self.low), self.high)
        count = (self.high - self.low) // self.step + 1
        return self.low + self.step * min(int(quantile * count), count - 1)


@dataclass(frozen=True, slots=True)
class Normal:
    """Numbers of a normal distribution.

    Attributes:
        mean: Its mean.
        std: Its standard deviation, positive.
        step: They are whole multiples of this, and integers if it is one; None: any number.
        precision: Significant digits they are rounded to; None: all.
    """

    mean: float
    std: float
    step: float | None = None
    precision: int | None = None

    def at(self, quantile: float) -> Value:
        """The value below which a fraction (0-1) of all others is."""
        from statistics import NormalDist  # whose import takes as long as all of this module

        value = NormalDist(self.mean, self.std).inv_cdf(min(max(quantile, 1e-9), 1 - 1e-9))
        if self.step is not None:
            multiple = round(value / self.step) * self.step
            return multiple if isinstance(multiple, int) else _rounded(multiple, self.precision or 12)
        return _rounded(value, self.precision)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some values.

    Attributes:
        values: The values.
        ordered: Whether neighbours are alike, as ordered numbers are.
        weights: How often each is drawn, as fractions (0-1) that add up to 1; empty: all equally often.
    """

    values: tuple[Value, ...]
    ordered: bool = False
    weights: tuple[float, ...] = ()

    def at(self, quantile: float) -> Value:
        """The value below which a fraction (0-1) of all others is, in their order."""
        if not self.weights:
            return self.values[min(int(quantile * len(self.values)), len(self.values) - 1)]
        for value, weight in zip(self.values, self.weights, strict=True):
            if quantile < weight:
                return value
            quantile -= weight
        return self.values[-1]


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How long a run trains, as the value of an option: it is chosen by the search, never drawn.

    Attributes:
        low: The smallest budget.
        high: The whole budget.
        base: Each rung has so many times the budget of the one below; at least 2.
    """

    low: int
    high: int
    base: int = 3

    @property
    def rungs(self) -> tuple[int, ...]:
        """The budgets, smallest first; the last one is :attr:`high`."""
        rungs, budget = [], self.low
        while budget < self.high:
            rungs.append(budget)
            budget *= self.base
        return (*rungs, self.high)


Distribution: TypeAlias = Uniform | Integer | Normal | Choice | Fidelity

Space: TypeAlias = Mapping[str, Distribution]
"""Option to its distribution, in command-line order."""


class Drawn(tuple[Value, ...]):
    """What stands in a grid for a list of values where they are drawn: a few of them, as examples.

    Args:
        distribution: The distribution of all of them.

    Attributes:
        distribution: The same.
    """

    distribution: Distribution

    def __new__(cls, distribution: Distribution) -> Drawn:
        drawn = super().__new__(cls, _examples(distribution))
        drawn.distribution = distribution
        return drawn

    def __repr__(self) -> str:
        return repr(self.distribution)


def _examples(distribution: Distribution) -> Sequence[Value]:
    if isinstance(distribution, Choice):
        return distribution.values
    if isinstance(distribution, Fidelity):
        return distribution.rungs
    return list(dict.fromkeys(distribution.at(quantile) for quantile in (0.0, 0.5, 1.0)))


_KINDS: Mapping[str, Callable[..., Distribution]] = {
    'uniform': Uniform,
    'integer': Integer,
    'normal': Normal,
    'choice': Choice,
    'fidelity': Fidelity,
}


def choice_of(values: Sequence[Value]) -> Choice:
    """The distribution that a list in a grid means: numbers in order are alike if they are neighbours."""
    return Choice(tuple(values), ordered=len(values) > 2 and _are_ordered(values))


def as_list(distribution: Distribution) -> list[Value]:
    """The list that means the same in a grid; empty: there is none."""
    if isinstance(distribution, Choice) and distribution == choice_of(distribution.values):
        return list(distribution.values)
    return []


def as_plain(distribution: Distribution) -> dict[str, Any]:
    """A distribution as JSON can hold it."""
    kind = next(name for name, each in _KINDS.items() if type(distribution) is each)
    return {'distribution': kind, **{each.name: getattr(distribution, each.name) for each in fields(distribution)}}


def from_plain(plain: Mapping[str, Any]) -> Distribution:
    """The distribution again from :func:`as_plain`.

    Raises:
        ValueError, KeyError, TypeError: It is damaged.
    """
    kind = _KINDS[plain['distribution']]
    facts: dict[str, Any] = {name: value for name, value in plain.items() if name != 'distribution'}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()})


def _are_ordered(values: Sequence[Value]) -> bool:
    are_numbers = all(type(value) in (int, float) for value in values)
    return are_numbers and (list(values) == sorted(values) or list(values) == sorted(values, reverse=True))


def _between(low: float, high: float, fraction: float, *, log: bool) -> float:
    if log:
        return math.exp(math.log(low) + fraction * (math.log(high) - math.log(low)))
    return low + fraction * (high - low)


def _rounded(value: float, digits: int | None) -> float:
    return value if digits is None else float(f'{value:.{digits}g}')
