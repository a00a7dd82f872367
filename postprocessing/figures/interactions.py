"""Which pairs of parameters act together: what the two explain beyond the sum of their effects."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compared import ENOUGH, Compared
from .parameters import Parameter
from .plain import number

MOST_PARAMETERS = 12
CERTAIN = 3.5
"""Standard deviations: of the pairs of twelve parameters none is beyond them by chance, in 98 of 100 searches."""

CLASSES = 4
"""Levels of a number are joined to so many classes, so that there are several points for each pair of them."""


def interactions(results: Compared, names: Iterable[str]) -> list[dict[str, Any]]:
    """The pairs of some parameters, the strongest interaction first.

    Each has ``names`` (two), ``share`` and ``certain`` (whether chance hardly explains it). The share is that of the
    variance which goes with the pair beyond the sum of both effects, 0 if there is nothing: omega squared of a two-way
    analysis of variance with least squares (Olejnik and Algina, Psychological Methods 8, 2003). Pairs are left out for
    which there are too few points to tell.

    Args:
        results: The points and parameters.
        names: Those that are looked at, of which the first :data:`MOST_PARAMETERS` are.
    """
    known = {each.name: place for place, each in enumerate(results.parameters)}
    places = [known[name] for name in names][:MOST_PARAMETERS]
    classes = {place: _classes(results.parameters[place], results.codes[place]) for place in places}
    values = np.array([point.value for point in results.points])
    if len(values) < ENOUGH:
        return []
    found = []
    for one, other in combinations(places, 2):
        found_out = interaction(classes[one], classes[other], values)
        if found_out is not None:
            share, certainty = found_out
            pair = [results.parameters[one].name, results.parameters[other].name]
            found.append({'names': pair, 'share': number(share, 4), 'certain': certainty >= CERTAIN})
    return sorted(found, key=lambda each: -each['share'])


def interaction(
    one: NDArray[np.int64], other: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[float, float] | None:
    """The share of the variance that goes with two classifications beyond their sum; None: that cannot be told.

    The second number is how far beyond chance that is, in standard deviations of a normal distribution: its F value in
    the approximation of Paulson (Annals of Mathematical Statistics 13, 1942).

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
    share = max(0.0, (together - freedom * error) / (total + error))
    return share, _beyond_chance(together / freedom, error, freedom, left)


def _beyond_chance(variance: float, error: float, freedom: int, left: int) -> float:
    if error <= 1e-12:
        return math.inf if variance > 1e-12 else 0.0
    root, one, other = float(np.cbrt(variance / error)), 2 / (9 * freedom), 2 / (9 * left)
    return ((1 - other) * root - (1 - one)) / math.sqrt(one + root**2 * other)


def _design(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.hstack([np.eye(rows.max() + 1)[rows], np.eye(columns.max() + 1)[columns]])


def _classes(parameter: Parameter, codes: Sequence[int]) -> NDArray[np.int64]:
    levels = np.array(codes)
    if not parameter.is_number or len(parameter.labels) <= CLASSES:
        return levels
    present = levels[levels >= 0]
    bounds = np.unique(np.quantile(present, np.linspace(0, 1, CLASSES + 1)[1:-1], method='higher'))
    return np.where(levels < 0, -1, np.searchsorted(bounds, levels, side='right'))
