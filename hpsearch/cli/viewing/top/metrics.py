"""What runs report while they go, read from where they write it: the journal has it only where a pruner asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hpsearch.model.configuration import Configuration
from hpsearch.model.trials.curves import Curves, Points
from hpsearch.records.run import RunRecord
from hpsearch.results.metrics.sources import AttemptMetrics
from hpsearch.results.sources import Places
from hpsearch.store.attempt_files import logs_of
from hpsearch.store.folder import SearchFolder

SECONDS_AT_A_TIME = 0.1
"""So long runs are looked at before the others have to wait for the next time."""


@dataclass
class _Watched:
    """One attempt.

    Attributes:
        metrics: Reads what it reports.
        curves: What it has reported so far.
        looked_at: When it was looked at last, in monotonic seconds.
    """

    metrics: AttemptMetrics
    curves: Curves = field(default_factory=Curves)
    looked_at: float = 0.0


class LiveMetrics:
    """What the runs that are under way report.

    Args:
        folder: The search.
        configuration: Says where they report.
        clock: Monotonic seconds.
    """

    def __init__(
        self, folder: SearchFolder, configuration: Configuration, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._configuration = configuration
        self._clock = clock
        self._watched: dict[tuple[str, int], _Watched] = {}

    def news(self, running: Iterable[RunRecord]) -> set[str]:
        """Look what runs have reported; returns the names of those that have something new.

        Args:
            running: Those under way of which the journals have no metrics.
        """
        attempts = [(record.name, record.last.number) for record in running if record.last]
        self._watched = {key: self._watched.get(key) or self._watch(*key) for key in attempts}
        end, found = self._clock() + SECONDS_AT_A_TIME, set()
        for run, number in sorted(self._watched, key=lambda key: self._watched[key].looked_at):
            watched = self._watched[run, number]
            watched.looked_at = self._clock()
            points, _ = watched.metrics.news(self._clock())
            if points:
                watched.curves.add(run, number, points)
                found.add(run)
            if self._clock() >= end:
                break
        return found

    def of(self, record: RunRecord) -> Points:
        """What a run has reported so far."""
        watched = self._watched.get((record.name, record.last.number)) if record.last else None
        return watched.curves.of(record.name) if watched else {}

    def _watch(self, run: str, number: int) -> _Watched:
        places = Places(self._folder.output(run), logs_of(self._folder.attempt(run, number)))
        key = self._configuration.performance_key or ''
        return _Watched(AttemptMetrics(self._configuration.metrics or (), places, key))
