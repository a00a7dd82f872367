"""What this process shows: how far the search has come and, in the foreground, what a run writes."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from hpsearch.backends.base import Backend, Launch
from hpsearch.dispatch.context import ActiveAttempt, SearchContext
from hpsearch.model.command import shell_line
from hpsearch.model.errors import trouble_in_words
from hpsearch.model.snapshot import GpuLine, QueueLine, RunLine, Snapshot, seconds_left
from hpsearch.model.states import State
from hpsearch.model.table import PerformanceDoubts, Row, best, performance_text
from hpsearch.model.trials.curves import latest
from hpsearch.store.attempt_files import LogTail
from hpsearch.store.folder import SearchFolder

log = logging.getLogger('hpsearch')

CHANGED_INTERVAL = 0.25
"""Seconds between two snapshots while runs start and end."""

IDLE_INTERVAL = 1.0
"""The same while nothing changes."""


class Progress:
    """Keeps what a snapshot is made of up to date, so that one costs the same however large the search is.

    Args:
        begin: When the work began, in monotonic seconds.
    """

    def __init__(self, search: SearchContext, begin: float) -> None:
        self._folder = str(search.folder.path)
        self._key = search.configuration.performance_key
        self._ascending = search.configuration.performance_ascending
        self._pending = search.pending
        self._counts = search.recorder.counts
        self._curves = search.state.curves
        self._varying = search.configuration.varying
        self._begin = begin
        self._best: Row | None = None
        self._doubts = PerformanceDoubts(self._key)
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
        """A row of the table; a warning is logged of what keeps it from being compared with others."""
        candidates = [row] if self._best is None else [self._best, row]
        self._best = next(iter(best(candidates, self._key, self._ascending)), None)
        for doubt in self._doubts.of(row):
            log.warning(doubt)

    def snapshot(
        self,
        now: float,
        running: Sequence[ActiveAttempt] = (),
        *,
        waiting: str = '',
        gpus: Sequence[GpuLine] = (),
        queue: Sequence[QueueLine] = (),
    ) -> Snapshot:
        """The search as it stands; ``waiting``: why no run is started, in words."""
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
            running=[self._run_line(active, age) for active, age in zip(running, ages, strict=True)],
            best=self._best_shown(),
            performance_key=self._key,
            waiting=waiting,
            varying=self._varying,
            queue=queue,
        )

    def _run_line(self, active: ActiveAttempt, age: float) -> RunLine:
        run = active.launch.run
        return RunLine(run.name, age, _where(active), run.params, *latest(self._curves.of(run.name)))

    def _planned(self) -> int:
        """How many runs have not been started yet, as far as is known."""
        total = self._pending.total
        without_events = 0 if total is None else total - sum(self._counts.values())
        return max(0, self._counts[State.PLANNED] + without_events)

    def _eta(self, planned: int, ages: Sequence[float]) -> float | None:
        """Seconds that are left; None: nothing has ended yet, or is left, or the number of runs is not known."""
        if not self._ended or self._pending.total is None or not (planned or ages):
            return None
        return seconds_left(planned, ages, self._ended, self._seconds, self._most_active)

    def _best_shown(self) -> tuple[str, dict[str, Any], str] | None:
        if self._best is None or self._key is None:
            return None
        return self._best.name, dict(self._best.params), performance_text(self._best, self._key)


def _where(active: ActiveAttempt) -> str:
    gpus = active.launch.slot.gpus
    return f'GPU {",".join(gpus)}' if gpus else ''


# Where it is shown


class ShowsProgress(Protocol):
    """What is needed of a view."""

    def update(self, snapshot: Snapshot) -> None:
        """Show the search as it stands."""

    def output(self, data: bytes, stream_name: str) -> None:
        """Show what a run wrote."""

    def end_output(self) -> None:
        """That run has ended: its last line is complete."""


class Display:
    """Shows how the search stands."""

    def __init__(self, view: ShowsProgress, progress: Progress, backend: Backend) -> None:
        self._view = view
        self._progress = progress
        self._backend = backend
        self._shown = -math.inf

    def is_due(self, now: float, *, changed: bool) -> bool:
        """Whether enough time has passed to show it again; ``changed``: a run started or ended since the last call."""
        return now - self._shown >= (CHANGED_INTERVAL if changed else IDLE_INTERVAL)

    def show(self, now: float, attempts: Collection[ActiveAttempt], waiting: str) -> None:
        """Show it now; ``waiting``: why no run is started, in words."""
        self._shown = now
        running = [active for active in attempts if active.is_running]
        self._progress.active(len(running))
        gpus, queue = self._backend.gpu_lines(now), self._backend.queue_lines()
        self._view.update(self._progress.snapshot(now, running, waiting=waiting, gpus=gpus, queue=queue))


class OutputEcho:
    """Shows what attempts write, where that is wanted."""

    def __init__(self, view: ShowsProgress, folder: SearchFolder, *, is_on: bool) -> None:
        self._view = view
        self._folder = folder
        self._is_on = is_on
        self._tails: dict[str, LogTail] = {}

    def begin(self, launch: Launch) -> None:
        """An attempt has started."""
        if not self._is_on:
            return
        paths = self._folder.attempt(launch.run.name, launch.number)
        log.info('%s: %s', launch.run.name, shell_line(launch.run.argv))
        try:
            logs = LogTail({'stdout': paths.stdout, 'stderr': paths.stderr}, self._view.output)
        except OSError as error:
            log.warning('the output of %s cannot be shown: %s', launch.run.name, trouble_in_words(error))
        else:
            self._tails[launch.ident] = logs

    def pump(self) -> None:
        """Show what was written since the last call."""
        for ident in list(self._tails):
            self._show(ident, LogTail.pump)

    def end(self, ident: str) -> None:
        """An attempt has ended: show the rest."""
        self._show(ident, LogTail.finish)
        if self._tails.pop(ident, None) is not None:
            self._view.end_output()

    def _show(self, ident: str, how: Callable[[LogTail], object]) -> None:
        tail = self._tails.get(ident)
        if tail is None:
            return
        try:
            how(tail)
        except OSError as error:
            del self._tails[ident]
            log.warning('the output of a run cannot be shown any more: %s', trouble_in_words(error))
            self._view.end_output()
