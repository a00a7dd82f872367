"""Random search: every value is drawn independently of all others."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hpsearch.model.configuration import Value
from hpsearch.model.trials.distributions import Fidelity, Space
from hpsearch.model.trials.trial import Proposal, Trial


class RandomSampler:
    """Draws from the distributions.

    Args:
        space: What is drawn from.
        seed: Of the search.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """See :class:`hpsearch.samplers.base.Sampler`."""
        return Proposal(draw_once(self._space, Random(f'{self._seed} {number}')))

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Never."""
        return False


def drawn(space: Space) -> Space:
    """What a sampler proposes values of: all options but a fidelity, which the search chooses."""
    return {name: each for name, each in space.items() if not isinstance(each, Fidelity)}


def draw_once(space: Space, random: Random) -> dict[str, Value]:
    """Independent values of all options that are drawn."""
    return {name: each.at(random.random()) for name, each in space.items() if not isinstance(each, Fidelity)}
