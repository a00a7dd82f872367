"""Whether one configuration is better than another beyond what seeds make of them: tests in pairs of equal seeds."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import getitem
from random import Random

MOST_EXACT = 32
"""Pairs of which all changes of sign are counted; of more, some are drawn."""

MOST_DRAWN, LEAST_DRAWN = 100_000, 1_000
"""Between these is how many changes of sign are drawn where they are too many."""

MOST_LOOKED_UP = 4_000_000
"""How many sums are looked up for all that are drawn: these take less than a second."""

BLOCK = 8
"""Differences whose sums are in one table: a random byte says which changes of sign they have."""

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two configurations compare, by the differences of their results with the same seeds.

    Attributes:
        pairs: How many differences there are.
        mean: Their mean; above 0 the first one has the larger values.
        p: Two-sided p value of the sign-flip test.
        least_p: The smallest p value that so many pairs can have.
        drawn: How many changes of sign were drawn for ``p``; 0: all were counted.
        interval: Interval of the mean difference by Student's t at :data:`CONFIDENCE`; None: of less than two pairs.
        t_p: Two-sided p value of the paired t test; None: of less than two pairs, or they do not scatter.
    """

    pairs: int
    mean: float
    p: float
    least_p: float
    drawn: int
    interval: tuple[float, float] | None
    t_p: float | None

    @property
    def p_error(self) -> float:
        """The standard error of ``p``, which is 0 where all changes of sign were counted."""
        return math.sqrt(self.p * (1 - self.p) / self.drawn) if self.drawn else 0.0


def compare(differences: Sequence[Fraction], random: Random) -> Comparison:
    """Compare two configurations.

    Args:
        differences: Of the results of the two with the same seed; one at least.
        random: Draws changes of sign where they are too many to be counted.
    """
    n = len(differences)
    drawn = 0 if n <= MOST_EXACT else number_drawn(n)
    p = drawn_p(differences, random, drawn) if drawn else float(sign_flip_p(differences))
    least = 1 / (drawn + 1) if drawn else 2.0 ** (1 - n)
    size = max(map(abs, differences)) or Fraction(1)
    scale, small = (
        _as_float(size),
        [each / size for each in differences],
    )  # neither their squares nor their sum overflow
    mean, reach, t_p = _by_student(small)
    interval = None if reach is None else ((mean - reach) * scale, (mean + reach) * scale)
    return Comparison(n, mean * scale, p, least, drawn, interval, t_p)


def _as_float(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def sign_flip_p(differences: Sequence[Fraction]) -> Fraction:
    """The exact two-sided p value: in which share of all changes of sign the sum is as far from 0, or farther.

    Args:
        differences: At most :data:`MOST_EXACT`; they are added without any error.
    """
    whole = _whole(differences)
    total = abs(sum(whole))
    if not total:
        return Fraction(1)
    half = len(whole) // 2
    left, right = _sums(whole[:half]), sorted(_sums(whole[half:]))
    above = sum(len(right) - bisect_left(right, total - each) for each in left)
    return Fraction(2 * above, 2 ** len(whole))


def _sums(numbers: Sequence[int]) -> list[int]:
    """The sums of numbers with all changes of sign."""
    sums = [0]
    for number in numbers:
        sums = [each + sign * number for each in sums for sign in (1, -1)]
    return sums


def number_drawn(pairs: int) -> int:
    """How many changes of sign are drawn for so many pairs, such that it takes about as long for any number of them."""
    return max(LEAST_DRAWN, min(MOST_DRAWN, MOST_LOOKED_UP * BLOCK // pairs))


def drawn_p(differences: Sequence[Fraction], random: Random, drawn: int) -> float:
    """The p value of :func:`sign_flip_p`, estimated from changes of sign that are drawn; never 0.

    The differences themselves are one more change of sign, so the test is valid however few are drawn.
    """
    whole = _whole(differences)
    total = abs(sum(whole))
    tables = [_sums(whole[at : at + BLOCK]) for at in range(0, len(whole), BLOCK)]
    tables[-1] *= 2**BLOCK // len(tables[-1])
    found = sum(abs(sum(map(getitem, tables, random.randbytes(len(tables))))) >= total for _ in range(drawn))
    return (1 + found) / (1 + drawn)


def _whole(differences: Sequence[Fraction]) -> list[int]:
    """The differences in a unit in which all are whole numbers, which are added without any error."""
    unit = math.lcm(*(each.denominator for each in differences))
    return [int(each * unit) for each in differences]


def _by_student(differences: Sequence[Fraction]) -> tuple[float, float | None, float | None]:
    """The mean, how far its interval reaches on either side, and the p value, for normally distributed differences."""
    n = len(differences)
    mean = sum(differences) / n
    if n < 2:
        return float(mean), None, None
    variance = sum((each - mean) ** 2 for each in differences) / (n - 1)
    error = math.sqrt(variance / n)
    t_p = 1 - within(abs(float(mean)) / error, n - 1) if error else None
    return float(mean), t_quantile(CONFIDENCE, n - 1) * error, t_p


def within(t: float, freedom: int) -> float:
    """The probability that a value of Student's distribution is between ``-t`` and ``t``.

    It is a finite sum for whole degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4).
    """
    angle = math.atan2(t, math.sqrt(freedom))
    cosine, is_odd = math.cos(angle), freedom % 2
    term = cosine if is_odd else 1.0
    total = 0.0
    for place in range(is_odd, freedom - 1, 2):
        total += term
        term *= cosine**2 * (place + 1) / (place + 2)
    partial = math.sin(angle) * total
    return (angle + partial) * 2 / math.pi if is_odd else partial


def t_quantile(confidence: float, freedom: int) -> float:
    """The t between whose negative and positive a value of Student's distribution is with this probability."""
    low, high = 0.0, 1.0
    while within(high, freedom) < confidence:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, freedom) < confidence else (low, middle)
    return high
