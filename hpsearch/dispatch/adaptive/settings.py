"""What an adaptive search was asked for, as its dispatcher needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hpsearch.model.trials.trial import Objective


@dataclass(frozen=True)
class Limits:
    """When an adaptive search ends; None: that is no reason.

    Attributes:
        max_trials: After so many trials.
        max_broken: After so many trials have failed.
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
    """

    sampler: str
    objectives: Sequence[Objective] = ()
    seed: int = 42
    sampler_options: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    ident: str = ''
