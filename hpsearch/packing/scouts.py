"""Which runs start first, while nothing is known: those that tell most of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hpsearch.packing.needs import Need

Place = Sequence[float | str]
"""Where a run is in the space: of each parameter the rank of its number (0-1), or its text."""


def scouts_first(needs: Sequence[Need], count: int) -> list[Need]:
    """The same runs, beginning with some that are far from each other in their parameters.

    The first is the one farthest from the middle, then always the one that is farthest from those chosen.

    Args:
        needs: Runs of which nothing is known.
        count: How many are chosen.
    """
    if not needs or count <= 0:
        return [*needs]
    places = _places([need.candidate.params for need in needs])
    middle: Place = tuple(0.5 for _ in places[0])
    far = [_distance(place, middle) for place in places]
    chosen: list[int] = []
    while len(chosen) < min(count, len(needs)):
        best = max(range(len(needs)), key=far.__getitem__)
        chosen.append(best)
        near = (_distance(place, places[best]) for place in places)
        far = [min(old, new) if len(chosen) > 1 else new for old, new in zip(far, near, strict=True)]
        far[best] = -1.0
    first = set(chosen)
    return [needs[index] for index in chosen] + [need for index, need in enumerate(needs) if index not in first]


def _places(params: Sequence[Mapping[str, Any]]) -> list[Place]:
    columns = [
        _column([each.get(name) for each in params]) for name in dict.fromkeys(key for each in params for key in each)
    ]
    return [tuple(column[row] for column in columns) for row in range(len(params))]


def _column(values: Sequence[Any]) -> Sequence[float | str]:
    """Numbers by their rank among the numbers there are, everything else as text."""
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return [str(value) for value in values]
    levels = sorted(set(values))
    rank = {value: index / max(1, len(levels) - 1) for index, value in enumerate(levels)}
    return [rank[value] for value in values]


def _distance(one: Place, other: Place) -> float:
    """The square of how far they are apart; a text differs from another by as much as the ends of a range."""
    return sum(
        (here - there) ** 2 if isinstance(here, float) and isinstance(there, float) else float(here != there)
        for here, there in zip(one, other, strict=True)
    )
