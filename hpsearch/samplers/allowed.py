"""Only proposals that are allowed, and that make no run that there is already."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Protocol

from hpsearch.model.configuration import Value
from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Space
from hpsearch.model.trials.trial import Proposal, Trial
from hpsearch.samplers.base import Sampler
from hpsearch.samplers.random_search import RandomSampler

REDRAWN = 10
"""So often a sampler is asked again; what it proposes is more than a random draw, and may take a tenth of a second."""

DRAWN = 10_000
"""So many values are drawn at random after that."""

_APART = 1_000_003
"""Numbers by which a sampler is asked again are so far apart, beyond those of runs."""


class Runs(Protocol):
    """What values make runs of: a :class:`hpsearch.space.sampled.SampledSpace`."""

    def key(self, values: Mapping[str, Value]) -> Hashable | None:
        """What is equal for values that make the same run; None: it is not allowed."""

    def untried(self, tried: Collection[Hashable], random: Random) -> Mapping[str, Value] | None:
        """Values of a run of a finite space that is not among those tried; None: there is none, or no end of them."""

    def is_exhausted(self, tried: Collection[Hashable]) -> bool:
        """Whether the space is finite and every run of it is among those tried."""


class AllowedSampler:
    """Asks another sampler again where a constraint is violated, or a run would be one that there is.

    Where that does not help, values are drawn at random, and then, in a finite space, from what is left.

    Args:
        inner: Proposes values of new trials.
        runs: Says what they make.
        space: The dimensions.
        seed: Of the search.
    """

    def __init__(self, inner: Sampler, runs: Runs, space: Space, seed: int) -> None:
        self._inner = inner
        self._runs = runs
        self._drawn = RandomSampler(space, seed)
        self._seed = seed
        self._keys: dict[int, Hashable | None] = {}
        self._last: set[Hashable] = set()

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """See :class:`hpsearch.samplers.base.Sampler`.

        Raises:
            ConfigError: Nothing is found that is allowed and new.
        """
        tried = self._tried(trials)
        if self._runs.is_exhausted(tried):
            return None
        first: Proposal | None = None
        for attempt in range(REDRAWN):
            proposal = self._inner.propose(trials, number + attempt * _APART)
            if proposal is None or self._is_good(proposal, tried):
                return proposal
            first = first or proposal
        return self._drawn_instead(first or Proposal({}), tried, number)

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Whether the other sampler is, or the space is exhausted."""
        return self._inner.is_done(trials) or self._runs.is_exhausted(self._tried(trials))

    def _is_good(self, proposal: Proposal, tried: Collection[Hashable]) -> bool:
        key = self._runs.key(proposal.values)
        return key is not None and key not in tried

    def _drawn_instead(self, proposal: Proposal, tried: Collection[Hashable], number: int) -> Proposal:
        for drawn in self._draws(number):
            if self._is_good(drawn, tried):
                return replace(proposal, values=drawn.values)
        left = self._runs.untried(tried, Random(f'{self._seed} {number} untried'))
        if left is None:
            raise ConfigError(
                [
                    f'constraints: none of {DRAWN:,} draws is allowed and is not a run already; loosen them, or give a '
                    'smaller --max_trials.'
                ]
            )
        return replace(proposal, values=left)

    def _draws(self, number: int) -> Iterator[Proposal]:
        proposals = (self._drawn.propose([], number + draw * _APART) for draw in range(1, DRAWN + 1))
        return (each for each in proposals if each is not None)

    def _tried(self, trials: Sequence[Trial]) -> set[Hashable]:
        """The keys of what is not to be tried again; those that are known stay so, since a trial keeps its values."""
        new = [trial for trial in trials if trial.number not in self._keys]
        for trial in new:
            self._keys[trial.number] = self._runs.key(trial.values)
        if new or len(trials) != len(self._keys):
            self._last = {self._keys[trial.number] for trial in trials}
        return self._last
