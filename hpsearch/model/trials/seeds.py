"""Options that are the seed of a script, and the seeds that a search gives to each trial."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from hpsearch.model.configuration import Params

USUAL_SEEDS = ('random_seed', 'seed')
"""Options that are the seed where an option of this name exists, the first one first."""


def is_seed(option: str) -> bool:
    """Whether an option is a seed by its name: one of its words is *seed*."""
    return 'seed' in re.split(r'[\W\d_]+', option.lower())


def seed_among(options: Iterable[str]) -> str:
    """The option whose name says that it is a seed, the usual names first; empty: there is none."""
    named = [name for name in options if is_seed(name)]
    return next((name for name in USUAL_SEEDS if name in named), next(iter(named), ''))


def without_seeds(params: Params, seeds: Collection[str]) -> str:
    """What is equal for runs that differ in nothing but these options; ``1``, ``1.0`` and ``True`` differ."""
    return json.dumps(sorted(([name, value] for name, value in params.items() if name not in seeds), key=_name))


def _name(pair: list[object]) -> str:
    return str(pair[0])


@dataclass(frozen=True)
class Seeds:
    """The seeds of each trial.

    Attributes:
        option: The option that is the seed.
        values: The seeds, in the order in which a trial is given them; two at least.
    """

    option: str
    values: tuple[int, ...]

    def params(self, params: Params, seed: int) -> Params:
        """The parameters of the run with this seed."""
        return {**params, self.option: seed}
