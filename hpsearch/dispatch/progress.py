"""How far a search has come: counts, expected time, the best run so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hpsearch.model.snapshot import GpuLine, QueueLine, RunLine, Snapshot
from hpsearch.model.states import ACTIVE, SearchState, State
from hpsearch.model.table import Row, best


class Progress:
    """Keeps what a snapshot is made of up to date, so that one costs the same however large the search is.

    Args:
        folder: The search folder, as shown.
        total: Number of runs of the plan.
        state: The runs so far.
        key: Keyword of the performance, or None.
        ascending: Whether smaller is better.
        varying: Names of the parameters that differ between runs.
        begin: When the work began, in monotonic seconds.
    """

    def __init__(
        self,
        *,
        folder: str,
        total: int,
        state: SearchState,
        key: str | None,
        ascending: bool,
        varying: Sequence[str],
        begin: float,
    ) -> None:
        self._folder = folder
        self._total = total
        self._counts: Counter[State] = Counter(history.state for history in state.runs.values())
        self._key = key
        self._ascending = ascending
        self._varying = tuple(varying)
        self._begin = begin
        self._best: Row | None = None
        self._ended = 0
        self._seconds = 0.0
        self._most_active = 1

    @property
    def planned(self) -> int:
        """How many runs wait."""
        return max(0, self._counts[State.PLANNED] + self._total - sum(self._counts.values()))

    @property
    def idle(self) -> int:
        """How many runs neither are under way nor have finished."""
        return max(0, self._total - sum(self._counts[state] for state in (*ACTIVE, State.FINISHED)))

    def moved(self, before: State | None, after: State) -> None:
        """A run went from one state (None: it had no events) to another."""
        if before is not None:
            self._counts[before] -= 1
        self._counts[after] += 1

    def ended(self, seconds: float) -> None:
        """An attempt ended after so many seconds."""
        self._ended += 1
        self._seconds += seconds

    def active(self, count: int) -> None:
        """So many attempts run."""
        self._most_active = max(self._most_active, count)

    def result(self, row: Row) -> None:
        """A row of the table."""
        candidates = [row] if self._best is None else [self._best, row]
        self._best = next(iter(best(candidates, self._key, self._ascending)), None)

    def snapshot(
        self,
        now: float,
        *,
        since: Mapping[str, tuple[float, str]],
        gpus: Sequence[GpuLine],
        waiting: str,
        queue: Sequence[QueueLine] = (),
    ) -> Snapshot:
        """The search as it stands.

        Args:
            now: Monotonic seconds.
            since: Runs under way: when they were started, and where.
            gpus: A line per GPU.
            waiting: Why no run is started.
            queue: What is in a queue.
        """
        counts = {state.value: count for state, count in self._counts.items() if count}
        counts['planned'] = self.planned
        return Snapshot(
            folder=self._folder,
            total=self._total,
            counts=counts,
            elapsed=now - self._begin,
            eta=self._eta(counts['planned'] + counts.get('submitted', 0), [now - begin for begin, _ in since.values()]),
            gpus=gpus,
            running=[RunLine(name, now - begin, where) for name, (begin, where) in since.items()],
            best=self._best_shown(),
            performance_key=self._key,
            waiting=waiting,
            varying=self._varying,
            queue=queue,
        )

    def _eta(self, planned: int, ages: Iterable[float]) -> float | None:
        if not self._ended:
            return None
        mean = self._seconds / self._ended
        return (planned * mean + sum(max(0.0, mean - age) for age in ages)) / self._most_active

    def _best_shown(self) -> tuple[str, dict[str, Any], str] | None:
        if self._best is None or self._key is None:
            return None
        return self._best.name, dict(self._best.params), self._best.values.get(self._key, '')
