"""Numbers as strict JSON can hold them in few characters, and samples of what is too much to be shown."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar('Item')

EXACT = 17
"""Significant digits of any number."""


LARGEST_RESULT = 1e306
"""Beyond this, a result stands for none, as the largest number there is does: sums and differences are no numbers."""


def as_result(value: float | None) -> float | None:
    """A result that can be compared with others; None: there is none."""
    return value if value is not None and abs(value) <= LARGEST_RESULT else None


def number(value: float | None, digits: int = 7) -> float | None:
    """A number in so many significant digits; None: there is none, or it is not finite."""
    return None if value is None or not math.isfinite(value) else float(f'{value:.{digits}g}')


def thinned(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of the items (two or more), evenly spaced in their order, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(each * (len(items) - 1) / (most - 1))] for each in range(most)]


def best_and_sample(ranked: Sequence[int], most: int, best: int, seed: int = 0) -> list[int]:
    """At most so many places: the first ones, and a random sample of the others; in ascending order.

    Args:
        ranked: The places, best first.
        most: How many at most.
        best: How many of these are the best; at most ``most``.
        seed: Of the sample.
    """
    if len(ranked) <= most:
        return sorted(ranked)
    return sorted([*ranked[:best], *random.Random(seed).sample(list(ranked[best:]), most - best)])
