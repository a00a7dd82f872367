"""What is wrong with a distribution."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator
from typing import Any

from hpsearch.model.trials.distributions import Choice, Distribution, Fidelity, Integer, Normal, Uniform
from hpsearch.model.units import count_of


def problems_of(distribution: Distribution) -> list[str]:
    """What is wrong with a distribution, each as the end of a sentence that names it; empty: nothing."""
    if isinstance(distribution, Uniform):
        return _of_bounds(distribution, distribution.low, distribution.high) or list(_of_uniform(distribution))
    if isinstance(distribution, Integer):
        wrong = list(_not_whole({'low': distribution.low, 'high': distribution.high, 'step': distribution.step}))
        return wrong or _of_bounds(distribution, distribution.low, distribution.high) or list(_of_integer(distribution))
    if isinstance(distribution, Normal):
        wrong = list(_no_numbers({'mean': distribution.mean, 'std': distribution.std}))
        return wrong or list(_of_normal(distribution))
    return list(_of_choice(distribution) if isinstance(distribution, Choice) else _of_fidelity(distribution))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _no_numbers(given: dict[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        if not _is_number(value):
            yield f'has {reprlib.repr(value)} as {name}; a number is expected.'


def _not_whole(given: dict[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        if type(value) is not int:
            yield f'has {reprlib.repr(value)} as {name}; an integer is expected.'


def _of_bounds(distribution: Uniform | Integer, low: Any, high: Any) -> list[str]:
    wrong = list(_no_numbers({'low': low, 'high': high}))
    if wrong:
        return wrong
    if low >= high:
        return [f'has {low!r} as low and {high!r} as high; low has to be smaller.']
    least = 1 if isinstance(distribution, Integer) else 0
    if distribution.log and (low < least or low <= 0):
        above = 'at least 1' if least else 'above 0'
        return [f'has {low!r} as low; its logarithm is drawn from, so low has to be {above}.']
    return []


def _of_uniform(distribution: Uniform) -> Iterator[str]:
    yield from _of_step(distribution.step, distribution.high - distribution.low)
    yield from _of_precision(distribution.precision)


def _of_integer(distribution: Integer) -> Iterator[str]:
    yield from _of_step(distribution.step, distribution.high - distribution.low)
    if distribution.log and distribution.step != 1:
        yield 'has a step and log; one of them is expected.'


def _of_normal(distribution: Normal) -> Iterator[str]:
    if distribution.std <= 0:
        yield f'has {distribution.std!r} as std; a number above 0 is expected.'
    yield from _of_step(distribution.step, math.inf)
    yield from _of_precision(distribution.precision)


def _of_step(step: Any, width: float) -> Iterator[str]:
    if step is None:
        return
    if not _is_number(step) or step <= 0:
        yield f'has {reprlib.repr(step)} as step; a number above 0 is expected.'
    elif step > width:
        yield f'has {step!r} as step, which is more than there is between low and high.'


def _of_precision(precision: Any) -> Iterator[str]:
    if precision is not None and (type(precision) is not int or not 1 <= precision <= 17):
        yield f'has {reprlib.repr(precision)} as precision; a number of significant digits (1-17) is expected.'


def _of_choice(distribution: Choice) -> Iterator[str]:
    weights = distribution.weights
    if not distribution.values:
        yield 'has no values; at least one is expected.'
    elif weights and len(weights) != len(distribution.values):
        values = count_of(len(distribution.values), 'value')
        yield f'has {values} and {count_of(len(weights), "weight")}; as many of each are expected.'
    elif weights and (not all(_is_number(each) and each >= 0 for each in weights) or not sum(weights)):
        yield f'has {reprlib.repr(list(weights))} as weights; numbers that are not negative, not all 0, are expected.'


def _of_fidelity(distribution: Fidelity) -> Iterator[str]:
    given = {'low': distribution.low, 'high': distribution.high, 'base': distribution.base}
    if wrong := list(_not_whole(given)):
        yield from wrong
        return
    if not 1 <= distribution.low < distribution.high:
        yield f'has {distribution.low} as low and {distribution.high} as high; at least 1, and low < high, is expected.'
    if distribution.base < 2:
        yield f'has {distribution.base} as base; at least 2 is expected.'
