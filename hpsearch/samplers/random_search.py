"""Random search: every value is drawn independently of all others."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

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
        random = Random(f'{self._seed} {number}')
        return Proposal(
            {name: each.at(random.random()) for name, each in self._space.items() if not isinstance(each, Fidelity)}
        )

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Never."""
        return False
