"""Options that are the seed of a script, and the seeds that a search gives to each trial."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hpsearch.model.configuration import Params

USUAL_SEEDS = ('random_seed', 'seed')
"""Options that are the seed where an option of this name exists, the first one first."""


def is_seed(option: str) -> bool:
    """Whether an option is a seed by its name: one of its words is *seed*."""
    return 'seed' in re.split(r'[\W\d_]+', option.lower())


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
