"""A forest of regression trees over levels of parameters, small and quick, with numpy alone.

The trees are those of Breiman, Random Forests (Machine Learning 45, 2001): each is grown on a bootstrap sample, and
each split is the best one among some of the parameters. All trees grow at once, one level at a time. A parameter is
given by the ranks of its levels, so that whether its scale is logarithmic does not matter; the ranks of categories are
those of their means in the sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int64]
"""Points in rows, parameters in columns: levels from 0."""

Floats = NDArray[np.float64]

SMALLEST_LEAF = 3
MOST_DEPTH = 10
FEWEST_COLUMNS = 4
"""At least so many parameters are looked at for each split, if there are so many."""

LEAST_GAIN = 1e-9
"""What is left of a sum of squares by rounding is less."""


@dataclass(frozen=True)
class Forest:
    """Trees as arrays, whose roots come first.

    Attributes:
        columns: For each node the parameter it splits by; -1: it is a leaf.
        bounds: What has a rank up to this one goes left.
        lefts: The place of the left child; the right one comes next.
        values: The mean of each node.
        ranks: For each tree and parameter the rank of each level.
    """

    columns: Codes
    bounds: Codes
    lefts: Codes
    values: Floats
    ranks: Codes

    def predict(self, codes: Codes) -> Floats:
        """The mean of what the trees predict for each row."""
        trees = np.arange(len(self.ranks))[:, None]
        rows = np.arange(len(codes))[None, :]
        places = np.repeat(trees, len(codes), axis=1)
        for _ in range(MOST_DEPTH):
            columns = self.columns[places]
            is_right = self.ranks[trees, columns, codes[rows, columns]] > self.bounds[places]
            places = np.where(columns < 0, places, self.lefts[places] + is_right)
        mean: Floats = self.values[places].mean(axis=0)
        return mean


def grow(
    codes: Codes, y: Floats, categories: NDArray[np.bool_], levels: int, trees: int, chance: np.random.Generator
) -> Forest:
    """So many trees.

    Args:
        codes: The levels.
        y: The result of each row, of the order of 1.
        categories: Which columns have no order.
        levels: More than the largest level of any column, also of rows that are predicted.
        trees: How many, each for a bootstrap sample of the rows.
        chance: Draws these samples, and the columns that each split may use.
    """
    samples = chance.integers(len(y), size=(trees, len(y)))
    ranks = np.array([_ranks(codes[rows], y[rows], categories, levels) for rows in samples])
    at = np.repeat(np.arange(trees), len(y))
    ranked = ranks[at[:, None], np.arange(codes.shape[1]), codes[samples.ravel()]]
    y = y[samples.ravel()]
    grown, first, nodes = [], 0, trees
    for depth in range(MOST_DEPTH + 1):
        columns, bounds, values = _level(at - first, ranked, y, nodes, levels, chance)
        if depth == MOST_DEPTH:
            columns[:] = -1
        is_split = columns >= 0
        lefts = np.where(is_split, first + nodes + 2 * (np.cumsum(is_split) - 1), 0)
        grown.append((columns, bounds, lefts, values))
        going = is_split[at - first]
        at, ranked, y = at[going], ranked[going], y[going]
        if not len(at):
            break
        column = columns[at - first]
        at = lefts[at - first] + (ranked[np.arange(len(at)), column] > bounds[at - first])
        first, nodes = first + nodes, 2 * int(is_split.sum())
    columns, bounds, lefts, values = map(np.concatenate, zip(*grown, strict=True))
    return Forest(columns, bounds, lefts, values, ranks)


def _ranks(codes: Codes, y: Floats, categories: NDArray[np.bool_], levels: int) -> Codes:
    ranks = np.tile(np.arange(levels), (codes.shape[1], 1))
    for column in np.flatnonzero(categories):
        count = np.bincount(codes[:, column], minlength=levels)
        mean = np.bincount(codes[:, column], weights=y, minlength=levels) / np.maximum(count, 1)
        # What the sample lacks is taken to be as the mean of all is.
        ranks[column, np.argsort(np.where(count > 0, mean, y.mean()), kind='stable')] = np.arange(levels)
    return ranks


def _level(
    at: Codes, ranked: Codes, y: Floats, nodes: int, levels: int, chance: np.random.Generator
) -> tuple[Codes, Codes, Floats]:
    """The column and bound by which each node of a level is split (-1: it is a leaf), and its mean.

    Args:
        at: The node of each row, from 0.
        ranked: The ranks of each row.
        y: The result of each row.
        nodes: How many nodes there are; each has a row.
        levels: More than the largest rank.
        chance: Says which columns each node may use: a third, or the fewest.
    """
    width = ranked.shape[1]
    rows, total = np.bincount(at, minlength=nodes), np.bincount(at, weights=y, minlength=nodes)
    used = np.argsort(chance.random((nodes, width)), axis=1)[:, : min(width, max(FEWEST_COLUMNS, -(-width // 3)))]
    gains = _gains(at, ranked[np.arange(len(at))[:, None], used[at]], y, nodes, levels)
    gains = gains.reshape(nodes, -1) - (total**2 / rows)[:, None]
    best = gains.argmax(axis=1)
    columns = np.where(gains[np.arange(nodes), best] > LEAST_GAIN, used[np.arange(nodes), best // levels], -1)
    return columns, best % levels, total / rows


def _gains(at: Codes, ranked: Codes, y: Floats, nodes: int, levels: int) -> Floats:
    """The sum of squares of the means, by node, column and bound; 0 where a leaf were too small."""
    width = ranked.shape[1]
    flat = (ranked + levels * (np.arange(width) + width * at[:, None])).ravel()
    size = nodes * width * levels
    count = np.bincount(flat, minlength=size).reshape(nodes, width, levels).cumsum(axis=2)
    total = np.bincount(flat, weights=np.repeat(y, width), minlength=size).reshape(nodes, width, levels).cumsum(axis=2)
    others, rest = count[:, :, -1:] - count, total[:, :, -1:] - total
    is_possible = (count >= SMALLEST_LEAF) & (others >= SMALLEST_LEAF)
    return np.where(is_possible, total**2 / np.maximum(count, 1) + rest**2 / np.maximum(others, 1), 0.0)
