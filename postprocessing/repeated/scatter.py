"""How the results of repeated runs scatter, in decimal arithmetic: what is shown is what a person would compute."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from hpsearch.model.units import Reading, noun_for, read_number

NAN = Decimal('nan')

_EXACT = Context(prec=60, Emax=999_999, Emin=-999_999)
_WIDE = Context(prec=800, Emax=999_999, Emin=-999_999)
"""As many digits as the largest double has, with as many after the point as the smallest."""

_MOST_PLACES = 10
"""Digits after the point of a value that does not scatter, at most."""

_SMALL, _LARGE = Decimal('1e-4'), Decimal('1e7')
"""Between these, means are shown without an exponent."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """What is known of one keyword of the results of repeated runs.

    Attributes:
        n: Number of values that are numbers, nan included.
        mean: Their mean; nan if one of them is nan, or infinities have both signs, or it is not computed.
        std: Their standard deviation; nan where there is none, as of one value.
        sem: The standard error of the mean: ``std`` by the root of ``n``.
        unit: What follows each of them, such as ``%``; empty: nothing.
        places: Most digits after the point that a value has.
        problems: What is to be known of the values, in words.
        is_averaged: Whether there may be a mean: numbers in several units have none.
    """

    n: int
    mean: Decimal = NAN
    std: Decimal = NAN
    sem: Decimal = NAN
    unit: str = ''
    places: int = 0
    problems: tuple[str, ...] = ()
    is_averaged: bool = True


def scatter(
    texts: Mapping[str, str | None], *, population: bool = False, takes_last: bool = False, units: Iterable[str] = ()
) -> Scatter:
    """How the values of one keyword scatter.

    Args:
        texts: Seed to the text of the value; None: the run has no such value.
        population: Whether the standard deviation is that of all there are (n) and not of a sample (n - 1).
        takes_last: Whether of a list the last value counts; otherwise a list is no number.
        units: Units of the keyword in other configurations: numbers in several units have no mean.
    """
    readings = {seed: _reading(text, takes_last) for seed, text in texts.items() if text}
    found = {seed: reading for seed, reading in readings.items() if reading is not None}
    counts = {'missing': len(texts) - len(readings), 'no number': len(readings) - len(found)}
    problems = [f'{what} in {count} of {len(texts)}' for what, count in counts.items() if count]
    broken = [seed for seed, reading in found.items() if math.isnan(reading.value)]
    problems += [f'nan with {noun_for(len(broken), "seed")} {", ".join(broken)}'] if broken else []
    own = {reading.unit for reading in found.values()}
    if len(own | set(units)) > 1:
        named = ', '.join(sorted(unit or 'none' for unit in own | set(units)))
        problems.append(f'not averaged: its units differ ({named})')
        return Scatter(len(found), problems=tuple(problems), is_averaged=False)
    numbers = [Decimal(repr(reading.value)) for reading in found.values()]
    mean, std, sem = statistics(numbers, population=population)
    places = max([0, *(_places(number) for number in numbers)])
    return Scatter(len(found), mean, std, sem, next(iter(own), ''), places, tuple(problems))


def _reading(text: str, takes_last: bool) -> Reading | None:
    reading = read_number(text)
    return reading if reading is not None and (reading.is_single or takes_last) else None


def unit_of(texts: Iterable[str | None]) -> set[str]:
    """The units of the values that are numbers."""
    return {reading.unit for text in texts if text and (reading := read_number(text)) is not None}


def statistics(numbers: Sequence[Decimal], *, population: bool = False) -> tuple[Decimal, Decimal, Decimal]:
    """Mean, standard deviation and standard error of the mean; nan where there is none."""
    n = len(numbers)
    if not n or not all(number.is_finite() for number in numbers):
        infinite = {number for number in numbers if number.is_infinite()}
        has_mean = len(infinite) == 1 and not any(number.is_nan() for number in numbers)
        return (infinite.pop() if has_mean else NAN), NAN, NAN
    with localcontext(_EXACT):
        mean = sum(numbers, Decimal()) / n
        freedom = n if population else n - 1
        if n < 2:
            return mean, NAN, NAN
        std = (sum(((number - mean) ** 2 for number in numbers), Decimal()) / freedom).sqrt()
        return mean, std, std / Decimal(n).sqrt()


def _places(number: Decimal) -> int:
    """How many digits a number has after its point."""
    exponent = number.normalize(_EXACT).as_tuple().exponent if number.is_finite() else 0
    return max(0, -exponent) if isinstance(exponent, int) else 0


# Showing


@dataclass(frozen=True, slots=True)
class Shown:
    """A mean and its error as texts.

    Attributes:
        mean: The mean; empty: there is none.
        error: What follows ``±``; empty: there is none.
        exponent: The power of ten that both are multiplied by.
    """

    mean: str
    error: str = ''
    exponent: int = 0


def shown(found: Scatter, error: Decimal, precision: int | None) -> Shown:
    """A mean with its error, rounded.

    Args:
        found: Has the mean.
        error: Its standard deviation or standard error; nan: there is none.
        precision: Digits after the point; None: such that the error has two digits that count.
    """
    if not found.mean.is_finite():
        return Shown(str(float(found.mean)) if found.n and found.is_averaged else '')
    exponent = 0
    if precision is None and found.mean and not _SMALL <= abs(found.mean) < _LARGE:
        exponent = found.mean.adjusted()
    mean, error = found.mean.scaleb(-exponent, _WIDE), error.scaleb(-exponent, _WIDE)
    places = precision if precision is not None else _places_for(mean, error, found.places + exponent)
    return Shown(rounded(mean, places), rounded(error, places) if error.is_finite() else '', exponent)


def _places_for(mean: Decimal, error: Decimal, places: int) -> int:
    if error.is_finite() and error:
        return max(0, 1 - error.adjusted())
    return max(0, min(places, _MOST_PLACES)) if mean else 0


def rounded(number: Decimal, places: int) -> str:
    """A finite number with so many digits after its point; of two that are as near, the even one."""
    text = f'{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, _WIDE):f}'
    return text.removeprefix('-') if not text.strip('-0.') else text
