"""What an adaptive search was asked for, as its dispatcher needs it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpsearch.model.trials.seeds import Seeds
from hpsearch.model.trials.trial import Evaluation, Objective
from hpsearch.pruners.base import Pruner


@dataclass(frozen=True)
class Limits:
    """When an adaptive search ends; None: that is no reason.

    Attributes:
        max_trials: After so many trials.
        max_broken: After so many trials have failed, those apart that somebody cancelled.
        target: As soon as the first objective is as good as this.
        budget: Seconds of computing after which nothing more is started: on GPUs times their number.
    """

    max_trials: int | None = None
    max_broken: int | None = None
    target: float | None = None
    budget: float | None = None


@dataclass(frozen=True)
class AdaptiveSettings:
    """How the runs of a search are chosen.

    Attributes:
        sampler: Name of the sampler, a value of ``--search``.
        sampler_options: ``--search_options``.
        seed: Of the search.
        objectives: What is optimised; may be empty where the sampler does without.
        limits: When it ends.
        ident: Middle part of the names of its runs.
        seeds: What each trial is repeated with; None: it is one run.
        goes_on: Whether a run may go on from the checkpoint of another one.
    """

    sampler: str
    objectives: Sequence[Objective] = ()
    seed: int = 42
    sampler_options: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    ident: str = ''
    seeds: Seeds | None = None
    goes_on: bool = False


@dataclass(frozen=True)
class PruneSettings:
    """Which runs of a search are to be stopped because of their metrics.

    Attributes:
        pruner: A value of ``--prune``, but not ``none``.
        options: Its options, by their names on the command line.
        objectives: What is optimised; runs are compared by the first.
        last_step: A run that has reported this step, or a later one, goes on to its end; infinite: not known.
    """

    pruner: str
    options: Mapping[str, Any]
    objectives: Sequence[Objective]
    last_step: float = math.inf


@dataclass(frozen=True, slots=True)
class PruneRule:
    """Which runs of a search are stopped.

    Attributes:
        pruner: Decides.
        evaluations: Returns all runs of the search as the journals have them.
        last_step: A run that has reported this step, or a later one, goes on to its end; infinite: not known.
        rungs: Steps that the pruner compares runs at, in order: what is reported there is journaled in any case.
    """

    pruner: Pruner
    evaluations: Callable[[], Sequence[Evaluation]]
    last_step: float = math.inf
    rungs: Sequence[float] = ()
