"""How far a search has come: counts, expected time, the best run so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hpsearch.dispatch.context import ActiveAttempt, SearchContext
from hpsearch.model.snapshot import GpuLine, QueueLine, RunLine, Snapshot
from hpsearch.model.states import State
from hpsearch.model.table import Row, best


class Progress:
    """Keeps what a snapshot is made of up to date, so that one costs the same however large the search is.

    Args:
        search: The search.
        begin: When the work began, in monotonic seconds.
    """

    def __init__(self, search: SearchContext, begin: float) -> None:
        self._folder = str(search.folder.path)
        self._configuration = search.configuration
        self._pending = search.pending
        self._counts = search.recorder.counts
        self._varying = tuple(name for name, values in search.configuration.grid.items() if len(values) > 1)
        self._begin = begin
        self._best: Row | None = None
        self._ended = 0
        self._seconds = 0.0
        self._most_active = 1

    def ended(self, seconds: float) -> None:
        """An attempt ended that ran for so many seconds."""
        self._ended += 1
        self._seconds += seconds

    def active(self, count: int) -> None:
        """So many attempts run."""
        self._most_active = max(self._most_active, count)

    def result(self, row: Row) -> None:
        """A row of the table."""
        candidates = [row] if self._best is None else [self._best, row]
        key, ascending = self._configuration.performance_key, self._configuration.performance_ascending
        self._best = next(iter(best(candidates, key, ascending)), None)

    def snapshot(
        self,
        now: float,
        running: Sequence[ActiveAttempt] = (),
        *,
        waiting: str = '',
        gpus: Sequence[GpuLine] = (),
        queue: Sequence[QueueLine] = (),
    ) -> Snapshot:
        """The search as it stands.

        Args:
            now: Monotonic seconds.
            running: The attempts that run.
            waiting: Why no run is started, in words.
            gpus: A line per GPU.
            queue: What is in a queue.
        """
        counts = {state.value: count for state, count in self._counts.items() if count}
        counts['planned'] = self._planned()
        ages = [now - active.since for active in running]
        return Snapshot(
            folder=self._folder,
            total=self._pending.total,
            counts=counts,
            elapsed=now - self._begin,
            eta=self._eta(counts['planned'] + counts.get('submitted', 0), ages),
            gpus=gpus,
            running=[
                RunLine(active.launch.run.name, age, _where(active)) for active, age in zip(running, ages, strict=True)
            ],
            best=self._best_shown(),
            performance_key=self._configuration.performance_key,
            waiting=waiting,
            varying=self._varying,
            queue=queue,
        )

    def _planned(self) -> int:
        """How many runs have not been started yet, as far as is known."""
        total = self._pending.total
        without_events = 0 if total is None else total - sum(self._counts.values())
        return max(0, self._counts[State.PLANNED] + without_events)

    def _eta(self, planned: int, ages: Iterable[float]) -> float | None:
        """Seconds that are left; None: nothing has ended yet, or the number of runs is not known."""
        if not self._ended or self._pending.total is None:
            return None
        mean = self._seconds / self._ended
        return (planned * mean + sum(max(0.0, mean - age) for age in ages)) / self._most_active

    def _best_shown(self) -> tuple[str, dict[str, Any], str] | None:
        key = self._configuration.performance_key
        if self._best is None or key is None:
            return None
        return self._best.name, dict(self._best.params), self._best.values.get(key, '')


def _where(active: ActiveAttempt) -> str:
    gpus = active.launch.slot.gpus
    return f'GPU {",".join(gpus)}' if gpus else ''
