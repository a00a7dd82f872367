"""The functions by which a configuration writes a distribution in place of a list of values.

They return what they are given: whether it makes sense is checked with the rest of the configuration, so that all
problems are reported at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.model.trials.distributions import Choice, Distribution, Fidelity, Integer, Normal, Uniform, choice_of


def uniform(
    low: float, high: float, *, step: float | None = None, precision: int | None = None, discrete: bool = False
) -> Distribution:
    """Numbers between two bounds.

    Args:
        low: The smallest one.
        high: The largest one.
        step: They are ``low`` and whole multiples of this above it.
        precision: Significant digits they are rounded to.
        discrete: Whether they are integers, both bounds included.
    """
    if discrete:
        return _integers(low, high, log=False)
    return Uniform(_real(low), _real(high), step=step, precision=precision)


def loguniform(low: float, high: float, *, precision: int | None = None, discrete: bool = False) -> Distribution:
    """Numbers between two positive bounds, whose logarithms are uniform: each power of ten is as likely.

    Args:
        low: The smallest one.
        high: The largest one.
        precision: Significant digits they are rounded to.
        discrete: Whether they are integers, both bounds included.
    """
    if discrete:
        return _integers(low, high, log=True)
    return Uniform(_real(low), _real(high), log=True, precision=precision)


def randint(low: int, high: int, *, step: int = 1, log: bool = False) -> Distribution:
    """Integers between two bounds, both included.

    Args:
        low: The smallest one.
        high: The largest one.
        step: They are ``low`` and whole multiples of this above it.
        log: Whether their logarithms are uniform.
    """
    return Integer(low, high, log=log, step=step)


def normal(
    mean: float = 0.0,
    std: float = 1.0,
    *,
    step: float | None = None,
    precision: int | None = None,
    discrete: bool = False,
) -> Distribution:
    """Numbers of a normal distribution.

    Args:
        mean: Its mean.
        std: Its standard deviation.
        step: They are whole multiples of this.
        precision: Significant digits they are rounded to.
        discrete: Whether they are integers.
    """
    return Normal(_real(mean), _real(std), step=1 if discrete else step, precision=precision)


def choice(*values: Any, weights: Sequence[float] = (), ordered: bool | None = None) -> Distribution:
    """One of some values.

    Args:
        values: The values, or one list of them, or a dict from values to their weights.
        weights: How often each is drawn, in proportion; empty: all equally often.
        ordered: Whether neighbours are alike; None: if they are numbers in order.
    """
    listed: Any = values[0] if len(values) == 1 and isinstance(values[0], (list, tuple, Mapping)) else values
    if isinstance(listed, Mapping):
        listed, weights = list(listed), list(listed.values())
    listed, weights = _without_impossible(listed, weights)
    chosen = choice_of(listed)
    return Choice(chosen.values, chosen.ordered if ordered is None else ordered, _in_proportion(weights))


def fidelity(low: int, high: int, base: int = 3) -> Distribution:
    """How long a run trains, as the value of an option: the search chooses it.

    Args:
        low: The smallest budget.
        high: The whole budget.
        base: Each rung has so many times the budget of the one below.
    """
    return Fidelity(low, high, base)


def _without_impossible(values: Sequence[Any], weights: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """Values and weights without those that are never drawn, unless all are."""
    if len(values) != len(weights) or all(weight == 0 for weight in weights):
        return values, weights
    pairs = [(value, weight) for value, weight in zip(values, weights, strict=True) if weight != 0]
    return [value for value, _ in pairs], [weight for _, weight in pairs]


def _integers(low: float, high: float, *, log: bool) -> Integer:
    return Integer(_rounded(low, math.floor), _rounded(high, math.ceil), log=log)


def _rounded(bound: Any, rounding: Any) -> Any:
    """An integer, outwards as in Oríon; what is no finite number stays as it is, to be found by the checks."""
    is_number = isinstance(bound, (int, float)) and not isinstance(bound, bool) and math.isfinite(bound)
    return rounding(bound) if is_number else bound


def _real(number: Any) -> Any:
    return float(number) if type(number) is int else number


def _in_proportion(weights: Sequence[Any]) -> tuple[Any, ...]:
    """Weights that add up to 1; those that cannot stay as they are, to be found by the checks."""
    given = tuple(weights)
    are_numbers = all(isinstance(each, (int, float)) and math.isfinite(each) and each >= 0 for each in given)
    total = sum(given) if are_numbers else 0
    return tuple(each / total for each in given) if total else given
