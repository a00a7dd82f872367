"""Only the values that runs have had, where conditions leave some out: what made no difference is not learnt from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from hpsearch.model.configuration import Value
from hpsearch.model.trials.trial import Proposal, Trial
from hpsearch.samplers.base import Sampler

Used: TypeAlias = Callable[[Mapping[str, Value]], Mapping[str, Value]]
"""From all values that were proposed to those that the run has got."""


class UsedSampler:
    """Shows another sampler the trials with the values that made a difference.

    Args:
        inner: Learns from trials that lack values.
        used: Says which values those are.
    """

    def __init__(self, inner: Sampler, used: Used) -> None:
        self._inner = inner
        self._used = used
        self._kept: dict[int, tuple[Trial, Trial]] = {}

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """See :class:`hpsearch.samplers.base.Sampler`; it proposes a value of every option, used or not."""
        return self._inner.propose([self._shown(trial) for trial in trials], number)

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Whether the other sampler is."""
        return self._inner.is_done(trials)

    def _shown(self, trial: Trial) -> Trial:
        kept = self._kept.get(trial.number)
        if kept is None or kept[0] is not trial:
            kept = self._kept[trial.number] = trial, self._made(trial)
        return kept[1]

    def _made(self, trial: Trial) -> Trial:
        first, *others = trial.evaluations
        proposal = replace(first.proposal, values=self._used(trial.values))
        return Trial(trial.number, [replace(first, proposal=proposal), *others])
