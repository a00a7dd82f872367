"""What is due from time to time while a search is worked on: signs of life, the journal on the disk, the table."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from hpsearch.backends.base import Backend
from hpsearch.dispatch.event_recorder import EventRecorder
from hpsearch.host.kernel import kernel_oom_kills
from hpsearch.model.snapshot import QueueLine
from hpsearch.store.journal import Journal
from hpsearch.store.results import ResultsView

log = logging.getLogger('hpsearch')

BEAT_INTERVAL = 10.0
QUEUE_BEAT_INTERVAL = 2.0
SYNC_INTERVAL = 1.0


class Heartbeat:
    """Does what is due.

    Attributes:
        can_write: Whether the last sign of life could be written.
        oom_kills: The kernel's count of processes killed for want of memory, as of lately; None: it cannot be read.

    Args:
        journal: The journal of this process.
        books: Its books.
        backend: Tells of GPUs and of a queue.
        results: The table.
        wall: Seconds since 1970, for people only.
    """

    def __init__(
        self,
        journal: Journal,
        books: EventRecorder,
        backend: Backend,
        results: ResultsView,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.can_write = True
        self.oom_kills = kernel_oom_kills()
        self._journal = journal
        self._books = books
        self._backend = backend
        self._results = results
        self._wall = wall
        self._found_out: deque[dict[str, Any]] = deque()
        self._told_queue: Sequence[QueueLine] = ()
        self._has_told_gpus = False
        self._synced = self._beaten = float('-inf')

    def find_out(self, event: dict[str, Any]) -> None:
        """Have an event journaled that another thread found out."""
        self._found_out.append(event)

    def step(self, now: float, waiting: str) -> str:
        """Do what is due.

        Args:
            now: Monotonic seconds.
            waiting: Why no run is started, for others to read.

        Returns:
            Why the search folder cannot be written, in words; empty: nothing was in the way.
        """
        while self._found_out:
            self._journal.append(self._found_out.popleft())
        if now - self._synced >= SYNC_INTERVAL:
            self._synced = now
            self._journal.flush()
            self._journal.sync()
            self.oom_kills = kernel_oom_kills()
        is_beat_due = now - self._beaten >= self._beat_interval() or not self.can_write
        problem = self._beat(now, waiting) if is_beat_due else ''
        if self._results.due(now):
            self.write_table()
        return problem

    def _beat_interval(self) -> float:
        """Seconds between two beats; what happens in a queue is told sooner, since status reads it from them."""
        return BEAT_INTERVAL if self._told_queue == self._backend.queue_lines() else QUEUE_BEAT_INTERVAL

    def _beat(self, now: float, waiting: str) -> str:
        self._beaten = now
        self._told_queue = self._backend.queue_lines()
        gpus = [asdict(line) for line in self._backend.gpu_lines(now)]
        queue = [asdict(line) for line in self._told_queue]
        if gpus and not self._has_told_gpus:
            self._has_told_gpus = True
            self._books.note('gpus', models={line['name']: line['model'] for line in gpus})
        try:
            self._journal.beat({'at': round(self._wall(), 3), 'waiting': waiting, 'gpus': gpus, 'queue': queue})
        except OSError as error:
            self.can_write = False
            return f'the search folder cannot be written: {error.strerror}'
        self.can_write = True
        return ''

    def write_table(self) -> None:
        """Write the table; that it cannot be done is only told."""
        try:
            self._results.rebuild()
        except OSError as error:
            log.warning('%s could not be written: %s', self._results.path, error.strerror)
