"""Which pairs of parameters act together: what the two explain beyond the sum of their effects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compared import Compared
from .parameters import Parameter
from .plain import number

MOST_PARAMETERS = 12
CLASSES = 4
"""Levels of a number are joined to so many classes, so that there are several points for each pair of them."""


def interactions(results: Compared, names: Iterable[str]) -> list[dict[str, Any]]:
    """The pairs of some parameters, the strongest interaction first.

    Each has ``names`` (two) and ``share``: the share of the variance (omega squared of a two-way analysis of variance
    with least squares, see Olejnik and Algina, Psychological Methods 8, 2003) of what goes with the pair beyond the sum
    of both effects, 0 if there is nothing. Pairs are left out for which there are too few points to tell.

    Args:
        results: The points and parameters.
        names: Those that are looked at, of which the first :data:`MOST_PARAMETERS` are.
    """
    known = {each.name: place for place, each in enumerate(results.parameters)}
    places = [known[name] for name in names][:MOST_PARAMETERS]
    classes = {place: _classes(results.parameters[place], results.codes[place]) for place in places}
    values = np.array([point.value for point in results.points])
    found = []
    for one, other in combinations(places, 2):
        share = interaction(classes[one], classes[other], values)
        if share is not None:
            pair = [results.parameters[one].name, results.parameters[other].name]
            found.append({'names': pair, 'share': number(share, 4)})
    return sorted(found, key=lambda each: -each['share'])


def interaction(one: NDArray[np.int64], other: NDArray[np.int64], values: NDArray[np.float64]) -> float | None:
    """The share of the variance that goes with two classifications beyond their sum; None: that cannot be told.

    Args:
        one: The class of each value by one of them; negative: it has none.
        other: The class by the other one.
        values: The values.
    """
    there = (one >= 0) & (other >= 0)
    rows, columns, y = one[there], other[there], values[there]
    if not len(y) or not np.isfinite(np.ptp(y)) or np.ptp(y) == 0:
        return None
    y = (y - y.mean()) / np.ptp(y)
    cells = rows * (columns.max() + 1) + columns
    present, places = np.unique(cells, return_inverse=True)
    count = np.bincount(places)
    means = np.bincount(places, weights=y) / count
    design = _design(rows, columns)[np.unique(places, return_index=True)[1]]
    weights = np.sqrt(count)
    fit, _, rank, _ = np.linalg.lstsq(design * weights[:, None], means * weights, rcond=None)
    freedom, left = len(present) - int(rank), len(y) - len(present)
    if freedom <= 0 or left <= 0:
        return None
    together = float((count * (means - design @ fit) ** 2).sum())
    error = float(((y - means[places]) ** 2).sum()) / left
    total = float(((y - y.mean()) ** 2).sum())
    return max(0.0, (together - freedom * error) / (total + error))


def _design(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.hstack([np.eye(rows.max() + 1)[rows], np.eye(columns.max() + 1)[columns]])


def _classes(parameter: Parameter, codes: Sequence[int]) -> NDArray[np.int64]:
    levels = np.array(codes)
    if not parameter.is_number or len(parameter.labels) <= CLASSES:
        return levels
    present = levels[levels >= 0]
    bounds = np.unique(np.quantile(present, np.linspace(0, 1, CLASSES + 1)[1:-1], method='higher'))
    return np.where(levels < 0, -1, np.searchsorted(bounds, levels, side='right'))
