"""Where values lie in their distributions, as numbers from 0 to 1: what models compute with."""

from __future__ import annotations

import math
from statistics import NormalDist

from hpsearch.model.configuration import Value
from hpsearch.model.trials.distributions import Choice, Distribution, Fidelity, Integer, Normal, Uniform


def is_ordered(distribution: Distribution) -> bool:
    """Whether neighbouring values are alike."""
    return distribution.ordered if isinstance(distribution, Choice) else not isinstance(distribution, Fidelity)


def position(distribution: Distribution, value: Value) -> float | None:
    """The quantile (0-1) of a value, the inverse of ``at``: of one that is counted, the middle of its share.

    Returns:
        None: it is none of the values of the distribution, such as one that a condition has set.
    """
    if isinstance(distribution, Choice):
        index = index_of(distribution, value)
        return None if index is None else _middle(distribution, index)
    if isinstance(value, bool) or not isinstance(value, int | float) or isinstance(distribution, Fidelity):
        return None
    if isinstance(distribution, Normal):
        return NormalDist(distribution.mean, distribution.std).cdf(value)
    return _between(distribution, value) if distribution.low <= value <= distribution.high else None


def index_of(distribution: Choice, value: Value) -> int | None:
    """The place of a value among those of the distribution; 1, 1.0 and True are three values."""
    places = (place for place, each in enumerate(distribution.values) if _is_same(each, value))
    return next(places, None)


def _is_same(one: Value, other: Value) -> bool:
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return list(one) == list(other)
    return type(one) is type(other) and one == other


def _middle(distribution: Choice, index: int) -> float:
    weights = distribution.weights or (1 / len(distribution.values),) * len(distribution.values)
    return sum(weights[:index]) + weights[index] / 2


def _between(distribution: Uniform | Integer, value: float) -> float:
    if distribution.low == distribution.high:
        return 0.5
    if isinstance(distribution, Uniform) and distribution.step is None:
        return _share(distribution.low, distribution.high, value, log=distribution.log)
    if distribution.log:
        return _share(distribution.low - 0.5, distribution.high + 0.5, value, log=True)
    places = math.floor((distribution.high - distribution.low) / (distribution.step or 1) + 1e-9) + 1
    return (min(round((value - distribution.low) / (distribution.step or 1)), places - 1) + 0.5) / places


def _share(low: float, high: float, value: float, *, log: bool) -> float:
    if log:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (value - low) / (high - low)
