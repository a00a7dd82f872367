"""Tasks: a space of configurations, the learning curve of each, and the loss that one in a hundred reaches.

Three are made up. In each the final loss is a bowl over four options, between 0 and 1, and a curve falls exponentially
from 1 to it, with normal noise. They differ in how fast it falls:

``easy``
    All curves have one time constant, 6 steps of 81.
``mixed``
    The time constant is between 0.5 and 5 steps. It depends on a fifth option, and, for the most part, on the final
    loss: the better, the slower, so that curves cross in the first steps.
``hard``
    The same between 2 and 40 steps, by the final loss alone: the good ones are behind for half of their time.

``digits`` has the curves of a real network: see ``record_digits.py``.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from hpsearch.model.trials.distributions import Space, Uniform, choice_of
from hpsearch.samplers.random_search import RandomSampler

STEPS = 81
NOISE = 0.01
CENTRES = {'a': 0.3, 'b': 0.7, 'c': 0.45, 'd': 0.6}
WEIGHTS = {'a': 1.0, 'b': 0.7, 'c': 0.5, 'd': 0.3}
RECORDED = Path(__file__).resolve().parent.parent / 'data' / 'digits_curves.csv.gz'

Values = Mapping[str, Any]
Curves = Callable[[Values], Sequence[float]]


@dataclass(frozen=True)
class Task:
    """Something to search.

    Attributes:
        name: Its name.
        space: The options.
        curve: From the values of a configuration to its loss at step 1, 2, … :data:`STEPS`.
        target: One configuration in a hundred reports this loss, or a smaller one, at some step.
    """

    name: str
    space: Space
    curve: Curves
    target: float


@dataclass(frozen=True)
class Speed:
    """How fast the curves of a made-up task fall.

    Attributes:
        shortest: The smallest time constant, in steps.
        longest: The largest one.
        by_loss: How much of it the final loss decides (0-1); a fifth option decides the rest.
    """

    shortest: float
    longest: float
    by_loss: float = 0.0

    def constant(self, loss: float, other: float) -> float:
        """The time constant, in steps."""
        share = self.by_loss * (1 - loss) + (1 - self.by_loss) * other
        return self.shortest * math.pow(self.longest / self.shortest, share)


SPEEDS = {'easy': Speed(6, 6), 'mixed': Speed(0.5, 5, by_loss=0.85), 'hard': Speed(2, 40, by_loss=1)}


def made_up(name: str, samples: int = 4000) -> Task:
    """A task whose curves are formulas: see the module."""
    space: Space = {option: Uniform(0, 1) for option in 'abcde'}

    def curve(values: Values) -> list[float]:
        loss = bowl(values)
        constant = SPEEDS[name].constant(loss, values['e'])
        noise = Random(repr(sorted(values.items())))
        return [loss + (1 - loss) * math.exp(-step / constant) + noise.gauss(0, NOISE) for step in range(1, STEPS + 1)]

    sampler = RandomSampler(space, seed=0)
    drawn = (sampler.propose([], number) for number in range(1, samples + 1))
    return Task(name, space, curve, one_in_a_hundred([min(curve(each.values)) for each in drawn if each]))


def bowl(values: Values) -> float:
    """The final loss: the distance from the best place, 1 in the corner that is the farthest from it."""
    far = sum(WEIGHTS[name] * max(centre, 1 - centre) ** 2 for name, centre in CENTRES.items())
    near = sum(WEIGHTS[name] * (values[name] - centre) ** 2 for name, centre in CENTRES.items())
    return math.sqrt(near / far)


def digits() -> Task:
    """The recorded task; every combination of its grid was trained."""
    with gzip.open(RECORDED, 'rt', newline='') as stream:
        heading, *rows = csv.reader(stream)
    names = heading[: -STEPS or None]
    recorded = {tuple(row[: len(names)]): [float(cell) for cell in row[len(names) :]] for row in rows}
    columns = [list(dict.fromkeys(row[place] for row in rows)) for place in range(len(names))]
    space: Space = {name: choice_of(_numbers(column)) for name, column in zip(names, columns, strict=True)}
    texts = [dict(zip(_numbers(column), column, strict=True)) for column in columns]

    def curve(values: Values) -> list[float]:
        return recorded[tuple(text[values[name]] for name, text in zip(names, texts, strict=True))]

    best = [min((loss for loss in each if not math.isnan(loss)), default=math.inf) for each in recorded.values()]
    return Task('digits', space, curve, one_in_a_hundred(best))


def _numbers(texts: Sequence[str]) -> list[Any]:
    """Numbers where all are; a list of them is ordered for a sampler."""
    try:
        return [float(text) for text in texts]
    except ValueError:
        return list(texts)


def one_in_a_hundred(losses: Sequence[float]) -> float:
    """The loss that one in a hundred has, or a smaller one."""
    return sorted(losses)[max(len(losses) // 100 - 1, 0)]


TASKS: dict[str, Callable[[], Task]] = {
    'easy': lambda: made_up('easy'),
    'mixed': lambda: made_up('mixed'),
    'hard': lambda: made_up('hard'),
    'digits': digits,
}
