"""The record of a search: what was asked for, and the records of its runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpsearch.model.configuration import Configuration
from hpsearch.model.states import State
from hpsearch.model.trials.leading import Found, Leader, leaders
from hpsearch.model.trials.trial import Objective
from hpsearch.records.failures import FailureGroup
from hpsearch.records.run import RunRecord


@dataclass(frozen=True)
class SearchRecord:
    """A search at one moment.

    Attributes:
        path: Its folder.
        info: What describes it (``search.json``).
        configuration: What it runs; its callables are not there.
        objectives: What it optimises; empty: nothing, so that no run is the best.
        runs: Its runs by number, those that were withdrawn aside.
        total: Number of runs it will have, as far as is known; None: there is no limit.
        now: When it was read, in seconds since 1970.
        writers: Writer to the header of its journal: host, pid, user, when it began.
        alive: The writers that are at work.
        provenance: What writers found out about the code and the environment of the runs, as they journaled it.
        failures: The failed runs, grouped by their errors, where they are shown; empty: nobody asked for them.
        notes: What could not be read, or cannot be, in sentences.
    """

    path: str
    info: Mapping[str, Any]
    configuration: Configuration
    objectives: Sequence[Objective]
    runs: Sequence[RunRecord]
    total: int | None
    now: float
    writers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    alive: frozenset[str] = frozenset()
    provenance: Sequence[Mapping[str, Any]] = ()
    failures: Sequence[FailureGroup] = ()
    notes: Sequence[str] = ()

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.path.rstrip('/').rpartition('/')[2]

    @property
    def is_open(self) -> bool:
        """Whether runs are still to end, or to start."""
        return any(not run.has_ended for run in self.runs) or (self.total or 0) > len(self.runs)

    @property
    def key(self) -> str | None:
        """The keyword by which runs are compared; None: they are not."""
        return self.objectives[0].key if self.objectives else None

    @property
    def fidelity(self) -> str:
        """The option whose value is the budget of a run; empty: there is none."""
        return self.configuration.fidelity

    def budget(self, run: RunRecord) -> float:
        """How much a run was given; 0 where all are given the same."""
        return float((run.proposal.fidelity if run.proposal else None) or 0.0)

    def loss(self, run: RunRecord) -> float | None:
        """What the first objective makes of a finished run, of which less is better; None: it has no number for it."""
        value = run.value(self.objectives[0].key) if self.objectives and run.state is State.FINISHED else None
        return None if value is None or math.isnan(value) else self.objectives[0].loss(value)

    @property
    def compares_trials(self) -> bool:
        """Whether trials are compared rather than runs: by several objectives, or by means over seeds."""
        options = self.info.get('options')
        seeds = options.get('seeds_per_config') if isinstance(options, Mapping) else None
        return len(self.objectives) > 1 or (isinstance(seeds, int) and seeds > 1)

    def leaders(self) -> list[Leader]:
        """The trials on the Pareto front; of one objective all of them, the best means first."""
        finished = [run for run in self.runs if run.state is State.FINISHED]
        found = [
            Found(run.name, run.trial, run.params, run.summary or {}, self.budget(run) or None) for run in finished
        ]
        return leaders(found, self.objectives)

    def best(self, n: int | None = None) -> list[RunRecord]:
        """The best finished runs, best first; of those with a value, the ones with the largest budget come first.

        Args:
            n: How many at most; None: all that have a value.
        """
        losses = {run.name: loss for run in self.runs if (loss := self.loss(run)) is not None}
        ranked = [run for run in self.runs if run.name in losses]
        ranked.sort(key=lambda run: (-self.budget(run), losses[run.name], run.number))
        return ranked[:n]
