"""How much each parameter matters: what of the differences between results goes with it, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.model.units import count_of

from .compared import Compared
from .forest import Codes, Floats, Forest, grow
from .parameters import Parameter
from .plain import number

REPEATS = 20
TREES = 10
MOST_POINTS = 600
"""A forest of more takes longer, and says hardly anything else."""

FEWEST_POINTS = 20
PER_PARAMETER = 3
"""Fewer points for each parameter are too few to tell them apart."""

LEAST_EXPLAINED = 0.1
"""A forest that explains less of the variance has found nothing."""

LEVELS = 16
"""Numbers are told apart in so many classes of equal size."""

CAPTION = (
    'Share of the differences in {key} (of the variance of its ranks) that goes with a parameter, alone and together '
    'with others, so that shares may add up to more than 1: how much worse a random forest predicts runs that it has '
    'not seen once the values of the parameter are shuffled among them. Bars: one standard deviation over {repeats} '
    'bootstrap samples. The forest explains {explained:.0%}. It holds for the values that were tried, and as they were '
    'tried.'
)


def importance(results: Compared, seed: int = 0) -> dict[str, Any]:
    """The importance of each parameter, the most important first.

    It is the permutation importance of Breiman, Random Forests (Machine Learning 45, 2001), as a share: the mean square
    error that shuffling a parameter adds, on points outside the bootstrap sample of the forest, divided by twice the
    variance. For independent parameters and a perfect forest that is the total effect index of Sobol' in the estimate
    of Jansen (Computer Physics Communications 117, 1999), to which noise contributes nothing. Results are taken by
    their ranks, so that a few runs that have diverged are not all there is. A parameter that only some runs have is
    shuffled among these.

    Args:
        results: The points and parameters.
        seed: Of the samples and of what is shuffled.

    Returns:
        ``parameters``: ``name``, ``mean`` and ``std`` of each; ``explained``, the share of the variance that the forest
        explains; ``caption``. Or ``nothing``: why there is none.
    """
    names = [each.name for each in results.parameters]
    needed = max(FEWEST_POINTS, PER_PARAMETER * len(names))
    if not names:
        return {'nothing': 'There are no two runs with a result that differ in more than their seeds.'}
    if len(results.points) < needed:
        had = f'{count_of(len(results.points), "point")} with a result, and {count_of(len(names), "parameter")}'
        return {'nothing': f'Too few runs to tell: {had}; {needed} points are needed, or it would show noise.'}
    y = _ranks([point.value for point in results.points])
    if np.ptp(y) == 0:
        return {'nothing': f'All runs have the same {results.objective.key}.'}
    shares, explained = _repeated(results, y, np.random.default_rng(seed))
    if explained < LEAST_EXPLAINED:
        return {
            'nothing': f'The parameters explain hardly any of the differences in {results.objective.key} (a random '
            f'forest: {max(explained, 0.0):.0%} of the variance): an importance would be noise.'
        }
    order = np.argsort(-shares.mean(axis=0), kind='stable')
    caption = CAPTION.format(key=results.objective.key, repeats=len(shares), explained=explained)
    return {
        'key': results.objective.key,
        'caption': f'{caption} {results.about}',
        'explained': number(explained, 4),
        'parameters': [
            {'name': names[each], 'mean': number(share, 4), 'std': number(spread, 4)}
            for each, share, spread in zip(
                order, shares.mean(axis=0)[order], shares.std(axis=0, ddof=1)[order], strict=True
            )
        ],
    }


def _ranks(values: Sequence[float]) -> Floats:
    """The ranks of results, from 0 to 1; equal ones have the mean of theirs."""
    _, places, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = ((np.cumsum(count) - (count - 1) / 2) / len(values))[places]
    return ranks


def _repeated(results: Compared, y: Floats, chance: np.random.Generator) -> tuple[Floats, float]:
    """The shares of the parameters in each bootstrap sample, and the share of the variance that is explained."""
    codes = np.column_stack([_codes(results, each) for each in results.parameters])
    if len(y) > MOST_POINTS:
        chosen = chance.choice(len(y), MOST_POINTS, replace=False)
        codes, y = codes[chosen], y[chosen]
    categories = np.array([not each.is_number for each in results.parameters])
    shares, explained = [], []
    for _ in range(REPEATS):
        inside = chance.integers(len(y), size=len(y))
        outside = np.setdiff1d(np.arange(len(y)), inside)
        forest = grow(codes[inside], y[inside], categories, int(codes.max()) + 1, TREES, chance)
        error, worse = _errors(forest, codes[outside], y[outside], chance)
        shares.append((worse - error) / (2 * y.var()))
        explained.append(1 - error / y.var())
    return np.array(shares), float(np.mean(explained))


def _errors(forest: Forest, codes: Codes, y: Floats, chance: np.random.Generator) -> tuple[float, Floats]:
    """The mean square error, and that with each of the parameters shuffled."""
    width = codes.shape[1]
    shuffled = np.tile(codes, (width, 1, 1))
    for column in range(width):
        present = np.flatnonzero(codes[:, column] > 0)
        shuffled[column, present, column] = codes[chance.permutation(present), column]
    predicted = forest.predict(shuffled.reshape(-1, width)).reshape(width, -1)
    error = float(((forest.predict(codes) - y) ** 2).mean())
    return error, ((predicted - y) ** 2).mean(axis=1)


def _codes(results: Compared, parameter: Parameter) -> NDArray[np.int64]:
    """The level of each point from 1, and 0 where it does not have the parameter."""
    there = np.array([parameter.name in point.params for point in results.points])
    if not parameter.is_number:
        return np.where(there, _of_categories(results, parameter), 0)
    numbers = np.array(parameter.numbers([point.params.get(parameter.name) for point in results.points]))
    bounds = np.unique(np.quantile(numbers[there], np.linspace(0, 1, LEVELS + 1)[1:-1], method='higher'))
    levels: Codes = np.where(there, np.searchsorted(bounds, numbers, side='right') + 1, 0)
    return levels


def _of_categories(results: Compared, parameter: Parameter) -> NDArray[np.int64]:
    """Rare categories are one."""
    codes = np.array(results.codes[results.parameters.index(parameter)])
    levels: Codes = np.where(codes < 0, len(parameter.labels), codes) + 1
    return levels
