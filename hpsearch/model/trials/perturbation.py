"""Exploring: values near those of a good run, as population based training changes them.

Source: Jaderberg et al., Population Based Training of Neural Networks, 2017 (arXiv 1711.09846), with the choices of
Ray Tune where the paper leaves them open.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from hpsearch.model.configuration import Value
from hpsearch.model.trials.distributions import Choice, Distribution, Fidelity, Integer, Normal, Space, Uniform


@dataclass(frozen=True, slots=True)
class Exploration:
    """How values are changed.

    Attributes:
        resample: How probable it is (0-1) that a value is drawn again instead of being changed a little.
        factors: A number is multiplied with one of them.
    """

    resample: float = 0.25
    factors: Sequence[float] = (0.8, 1.2)


def explored(
    values: Mapping[str, Value], space: Space, exploration: Exploration, random: Random, only: Collection[str] = ()
) -> dict[str, Value]:
    """Values of which each one that has a distribution has been changed.

    Args:
        values: The values of the better run.
        space: Option to its distribution; a budget stays as it is, and so does what has none.
        exploration: How they are changed.
        random: Decides; the same state gives the same values.
        only: The options that are changed; empty: all of the space.
    """
    changed = dict(values)
    for name, each in space.items():
        if name in changed and not isinstance(each, Fidelity) and (not only or name in only):
            changed[name] = _explored(changed[name], each, exploration, random)
    return changed


def _explored(value: Value, distribution: Distribution, exploration: Exploration, random: Random) -> Value:
    chance, drawn, factor = random.random(), distribution_at(distribution, random), random.choice(exploration.factors)
    if chance < exploration.resample:
        return drawn
    if isinstance(distribution, Choice):
        return _neighbour(value, distribution, up=factor > 1) if distribution.ordered else value
    changed = _multiplied(value, distribution, factor)
    # Zero stays zero however often it is multiplied.
    return drawn if value == 0 and changed == 0 else changed


def distribution_at(distribution: Distribution, random: Random) -> Value:
    """A value that is drawn; that of a budget is never used."""
    quantile = random.random()
    return None if isinstance(distribution, Fidelity) else distribution.at(quantile)


def _neighbour(value: Value, choice: Choice, *, up: bool) -> Value:
    """The value beside it; at the ends it stays. What is none of them is taken for the first."""
    values = list(choice.values)
    place = values.index(value) if value in values else 0
    is_ascending = values[0] < values[-1]
    return values[min(max(place + (1 if up == is_ascending else -1), 0), len(values) - 1)]


def _multiplied(value: Value, distribution: Uniform | Integer | Normal | Fidelity, factor: float) -> Value:
    changed = nearest(value * factor, distribution)
    if changed == value and not isinstance(distribution, Fidelity) and distribution.step:
        # The factor is too small for the steps: the neighbour.
        is_up = (factor > 1) == (value > 0)
        return nearest(value + (distribution.step if is_up else -distribution.step), distribution)
    return changed


def nearest(value: float, distribution: Uniform | Integer | Normal | Fidelity) -> Value:
    """The number that is nearest of all that a distribution has."""
    if isinstance(distribution, Normal):
        return _nearest_of_normal(value, distribution)
    step, low, high = getattr(distribution, 'step', 1), distribution.low, distribution.high
    if isinstance(distribution, Uniform) and step is None:
        return min(max(_rounded(value, distribution.precision), low), high)
    last = low + int((high - low) / step + 1e-9) * step
    nearest_step = low + round((min(max(value, low), last) - low) / step) * step
    return type(low)(_rounded(nearest_step, 12))


def _nearest_of_normal(value: float, distribution: Normal) -> Value:
    if distribution.step is None:
        return _rounded(value, distribution.precision)
    multiple = round(value / distribution.step) * distribution.step
    return multiple if isinstance(multiple, int) else _rounded(multiple, distribution.precision or 12)


def _rounded(value: float, digits: int | None) -> float:
    return value if digits is None else float(f'{value:.{digits}g}')
