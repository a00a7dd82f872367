"""The best of several objectives: what no other beats in one without being worse in another."""

from __future__ import annotations

import math
from collections.abc import Sequence


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether a result is better than another in one objective, and worse in none; smaller is better."""
    return tuple(one) != tuple(other) and all(a <= b for a, b in zip(one, other, strict=True))


def front(losses: Sequence[Sequence[float]]) -> list[int]:
    """Which results no other dominates, as their places in ascending order; equal ones are all among them.

    With one objective these are the best ones. A result that lacks an objective, or has what is no number, is never
    among them.

    Args:
        losses: One for each objective of each result; smaller is better.
    """
    measured = [place for place, each in enumerate(losses) if each and not any(map(math.isnan, each))]
    # Nothing comes before what dominates it here, so that each is compared with the front so far alone.
    ordered = sorted(measured, key=lambda place: tuple(losses[place]))
    found: list[int] = []
    for place in ordered:
        if not any(dominates(losses[best], losses[place]) for best in found):
            found.append(place)
    return sorted(found)
