"""Several seeds for each trial: its score is their mean, and what is hopeless gets no more of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hpsearch.model.trials.racing import is_hopeless, results, spread
from hpsearch.model.trials.trial import Proposal, Trial, TrialState
from hpsearch.samplers.base import Sampler


class SeedsSampler:
    """Proposes the next seed of a trial first, and where there is none to propose, a new trial of another sampler.

    A trial gets its next seed when the one before has ended, unless it is hopeless: see
    :mod:`hpsearch.model.trials.racing`. Meanwhile there are new trials.

    Args:
        inner: Proposes new trials.
        seeds: The seeds that a trial is given, in this order; two at least.
    """

    def __init__(self, inner: Sampler, seeds: Sequence[int]) -> None:
        self._inner = inner
        self._seeds = tuple(seeds)

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """See :class:`hpsearch.samplers.base.Sampler`."""
        return self.continued(trials, number) or self.begun(trials, number)

    def continued(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """See :class:`hpsearch.samplers.base.Continuing`: the next seed of the best trial that may have another one."""
        best = min(self._open(trials), key=_order, default=None)
        if best is None:
            return None
        seed = self._seeds[len(best.evaluations)]
        return replace(best.evaluations[0].proposal, trial=best.number, seed=seed, facts={})

    def begun(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """See :class:`hpsearch.samplers.base.Continuing`: the first seed of a new trial."""
        proposal = self._inner.propose(trials, number)
        return None if proposal is None else replace(proposal, seed=self._seeds[0])

    def may_continue(self, trials: Sequence[Trial]) -> bool:
        """See :class:`hpsearch.samplers.base.Continuing`."""
        short = (trial for trial in trials if len(trial.evaluations) < len(self._seeds))
        is_waiting = any(each.state is TrialState.WAITING for trial in short for each in trial.evaluations)
        return is_waiting or any(True for _ in self._open(trials))

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Whether there are no new trials, and none may get another seed."""
        return self._inner.is_done(trials) and not self.may_continue(trials)

    def _open(self, trials: Sequence[Trial]) -> Iterator[Trial]:
        """The trials that are given another seed now."""
        known = spread(trials)
        finished = [trial for trial in trials if len(results(trial)) == len(self._seeds)]
        for trial in trials:
            has_ended = all(each.state is not TrialState.WAITING for each in trial.evaluations)
            if has_ended and len(trial.evaluations) < len(self._seeds) and not is_hopeless(trial, finished, known):
                yield trial


def _order(trial: Trial) -> tuple[float | int, ...]:
    """The best first, and of several objectives by the first one."""
    return (*trial.losses, trial.number)
