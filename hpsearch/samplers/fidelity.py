"""Trials whose budget is an option of the script: the best go on with a larger one, in a run of their own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hpsearch.model.errors import ConfigError
from hpsearch.model.trials.distributions import Fidelity
from hpsearch.model.trials.halving import bracket_of, bracket_sizes, worth_promoting
from hpsearch.model.trials.trial import Evaluation, Proposal, Trial, TrialState
from hpsearch.samplers.base import Sampler


class FidelitySampler:
    """Promotes trials, and has another sampler propose new ones where there is nothing to promote.

    Asynchronous successive halving with promotions (Li et al., MLSys 2020); with several brackets it is their
    asynchronous Hyperband.

    Args:
        inner: Proposes new trials, from a space without the budget. A trial that has not had the whole budget looks to
            it like one that a pruner stopped there.
        option: The option that is the budget.
        budgets: Its rungs.
        goes_on: Whether a promoted run goes on from the checkpoint of the one before, or begins anew.
        brackets: So many ways to begin: with the smallest budget, with that of the second rung, and so on.
        seed: Of the search.
    """

    def __init__(
        self,
        inner: Sampler,
        option: str,
        budgets: Fidelity,
        *,
        goes_on: bool = True,
        brackets: int = 1,
        seed: int = 0,
    ) -> None:
        self._inner = inner
        self._goes_on = goes_on
        self._option = option
        self._rungs = budgets.rungs
        self._factor = budgets.base
        self._sizes = bracket_sizes(len(self._rungs), min(brackets, len(self._rungs)), self._factor)
        self._seed = seed
        self._known: dict[int, tuple[Trial, Trial]] = {}

    def propose(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """See :class:`hpsearch.samplers.base.Sampler`."""
        return self.continued(trials, number) or self.begun(trials, number)

    def is_done(self, trials: Sequence[Trial]) -> bool:
        """Whether there are no new trials, and those there are have ended and cannot be promoted."""
        return not self.may_continue(trials) and self._inner.is_done(self._seen(trials))

    def may_continue(self, trials: Sequence[Trial]) -> bool:
        """See :class:`hpsearch.samplers.base.Continuing`."""
        whole, runs = float(self._rungs[-1]), [each for trial in trials for each in trial.evaluations]
        is_waiting = any(each.state is TrialState.WAITING and each.proposal.fidelity != whole for each in runs)
        return is_waiting or any(True for _ in self._promotions(trials))

    def continued(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """See :class:`hpsearch.samplers.base.Continuing`: the promotion with the largest budget."""
        return next(self._promotions(trials), None)

    def begun(self, trials: Sequence[Trial], number: int) -> Proposal | None:
        """See :class:`hpsearch.samplers.base.Continuing`: a new trial with the smallest budget of its bracket."""
        proposal = self._inner.propose(self._seen(trials), number)
        if proposal is None:
            return None
        bracket = bracket_of(number, self._sizes, self._seed)
        return self._with_budget(proposal, self._rungs[bracket], bracket)

    def _with_budget(self, proposal: Proposal, budget: int, bracket: int) -> Proposal:
        values, facts = {**proposal.values, self._option: budget}, {**proposal.facts, 'bracket': bracket}
        return replace(proposal, values=values, fidelity=float(budget), facts=facts)

    # Promotions

    def _promotions(self, trials: Sequence[Trial]) -> Iterator[Proposal]:
        """What can be promoted now, that with the largest budget first."""
        for rung in range(len(self._rungs) - 2, -1, -1):
            for bracket in range(min(rung, len(self._sizes) - 1) + 1):
                own = [trial for trial in trials if _bracket(trial) == bracket]
                yield from self._promotions_from(rung, bracket, own)

    def _promotions_from(self, rung: int, bracket: int, trials: Sequence[Trial]) -> Iterator[Proposal]:
        here = {trial.number: _at(trial, self._rungs[rung]) for trial in trials}
        completed = {number: run for number, run in here.items() if run is not None}
        promoted = {trial.number for trial in trials if _has_gone_beyond(trial, self._rungs[rung])}
        losses = {number: run.losses[0] for number, run in completed.items()}
        for number in worth_promoting(losses, promoted, self._factor):
            run = completed[number]
            again = replace(run.proposal, trial=number, parent=run.run if self._goes_on else '', seed=None)
            yield self._with_budget(again, self._rungs[rung + 1], bracket)

    # What the sampler of new trials sees

    def _seen(self, trials: Sequence[Trial]) -> list[Trial]:
        return [self._seen_trial(trial) for trial in trials]

    def _seen_trial(self, trial: Trial) -> Trial:
        """Most of them have not changed since they were seen last."""
        known = self._known.get(trial.number)
        if known is None or known[0] is not trial:
            known = self._known[trial.number] = (trial, Trial(trial.number, [self._as_one(trial)]))
        return known[1]

    def _as_one(self, trial: Trial) -> Evaluation:
        """A trial as one run that has reported at each of its rungs, and was stopped where it was not promoted."""
        first = trial.evaluations[0]
        values = {name: value for name, value in trial.values.items() if name != self._option}
        complete = {each.proposal.fidelity or 0.0: each.losses for each in trial.evaluations if each.losses}
        return replace(
            first,
            proposal=replace(first.proposal, values=values),
            state=self._state_of(trial, complete),
            losses=complete.get(float(self._rungs[-1]), ()),
            curve={budget: losses[0] for budget, losses in complete.items()},
        )

    def _state_of(self, trial: Trial, complete: dict[float, tuple[float, ...]]) -> TrialState:
        if float(self._rungs[-1]) in complete:
            return TrialState.COMPLETE
        if any(each.state is TrialState.WAITING for each in trial.evaluations):
            return TrialState.WAITING
        return TrialState.STOPPED if complete else TrialState.FAILED


def brackets_of(text: str, budgets: Fidelity) -> int:
    """The number of brackets, as ``--search_options brackets=N`` gives it.

    Raises:
        ConfigError: There cannot be so many.
    """
    most = len(budgets.rungs)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise ConfigError([f'--search_options brackets={text}: expected a whole number from 1 to {most}.'])
    return int(text)


def _bracket(trial: Trial) -> int:
    return int(trial.evaluations[0].proposal.facts.get('bracket', 0))


def _at(trial: Trial, budget: int) -> Evaluation | None:
    """The run in which a trial completed a budget; None: there is none, or its next run has failed."""
    runs = [each for each in trial.evaluations if each.proposal.fidelity == budget and each.losses]
    return runs[0] if runs and trial.evaluations[-1].state is not TrialState.FAILED else None


def _has_gone_beyond(trial: Trial, budget: int) -> bool:
    return max((each.proposal.fidelity or 0.0 for each in trial.evaluations), default=-math.inf) > budget
