"""Trials: what was proposed, the runs it was made into, and what became of them, as samplers and pruners see it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from hpsearch.model.configuration import Value

Curve: TypeAlias = Mapping[float, float]
"""Step to the loss that a run reported there: see :class:`Objective`."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What a search optimises. Samplers and pruners see losses, of which the smallest is the best.

    Attributes:
        key: Keyword of the result, and name of the metric.
        maximize: Whether the largest value is the best.
    """

    key: str
    maximize: bool = False

    def loss(self, value: float) -> float:
        """The value as something of which less is better; what is no number, or infinite, is the worst of all.

        What is infinite has diverged, in whichever direction, and is no result. As the best of all, it would have a
        pruner stop the others.
        """
        if not math.isfinite(value):
            return math.inf
        return -value if self.maximize else value

    def value(self, loss: float) -> float:
        """The value again from its loss."""
        return -loss if self.maximize else loss


class TrialState(str, Enum):
    """Where an evaluation of a trial stands."""

    WAITING = 'waiting'
    """It waits, or it runs."""
    COMPLETE = 'complete'
    """It has ended, with a value of every objective."""
    STOPPED = 'stopped'
    """A pruner has stopped it."""
    FAILED = 'failed'
    """It has ended without a result, and is not run again."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a sampler wants to be run next.

    Attributes:
        values: Value of each option of the space, that of the fidelity included.
        trial: Number of the trial that it continues or repeats; None: it is a new one.
        fidelity: The budget it is given; None: the search has no fidelity.
        parent: The run whose checkpoint it goes on from; empty: it begins anew.
        seed: The seed it has, where a trial is repeated with several; None: there are none.
        facts: What the sampler wants to remember of it (JSON-able), such as the generation.
    """

    values: Mapping[str, Value]
    trial: int | None = None
    fidelity: float | None = None
    parent: str = ''
    seed: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One run of a trial.

    Attributes:
        run: Its name.
        number: Its number in the search, from 1: the order in which runs were proposed.
        proposal: What was proposed; its ``trial`` is always the number of the trial.
        state: Where it stands.
        losses: One for each objective once it is complete, else empty.
        curve: What it has reported of the first objective so far.
        seconds: How long it ran, where that is known.
    """

    run: str
    number: int
    proposal: Proposal
    state: TrialState = TrialState.WAITING
    losses: tuple[float, ...] = ()
    curve: Curve = field(default_factory=dict)
    seconds: float | None = None

    @property
    def last_step(self) -> float:
        """The last step it reported; minus infinity: it has reported none."""
        return max(self.curve, default=-math.inf)


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of values, with all runs it was made into: with several seeds or budgets, and one otherwise.

    Attributes:
        number: From 1.
        evaluations: Its runs, in the order in which they were proposed.
    """

    number: int
    evaluations: Sequence[Evaluation]

    @property
    def values(self) -> Mapping[str, Value]:
        """Its values, those of the first run."""
        return self.evaluations[0].proposal.values

    @property
    def state(self) -> TrialState:
        """Complete if one of its runs is; otherwise it waits if one does, and otherwise it is as the last one is."""
        states = [each.state for each in self.evaluations]
        first = (state for state in (TrialState.COMPLETE, TrialState.WAITING) if state in states)
        return next(first, states[-1])

    @property
    def losses(self) -> tuple[float, ...]:
        """The mean over its complete runs with the largest budget, for each objective; empty: there are none."""
        if len(self.evaluations) == 1:
            return self.evaluations[0].losses
        complete = [each for each in self.evaluations if each.state is TrialState.COMPLETE]
        largest = max((each.proposal.fidelity or 0.0 for each in complete), default=0.0)
        counted = [each.losses for each in complete if (each.proposal.fidelity or 0.0) == largest]
        return tuple(sum(column) / len(counted) for column in zip(*counted, strict=True))


def trials_of(evaluations: Sequence[Evaluation]) -> list[Trial]:
    """The trials that runs belong to, by number; ``evaluations`` are in the order of their numbers."""
    found: dict[int, list[Evaluation]] = {}
    for each in evaluations:
        found.setdefault(each.proposal.trial or each.number, []).append(each)
    return [Trial(number, found[number]) for number in sorted(found)]
