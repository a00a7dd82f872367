"""What is due from time to time while a search is worked on: signs of life, the journal on the disk, the table."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hpsearch.backends.base import Backend
from hpsearch.dispatch.code_tracker import CodeTracker
from hpsearch.dispatch.context import SearchContext
from hpsearch.host.kernel import kernel_oom_kills
from hpsearch.model.snapshot import QueueLine
from hpsearch.store.journal import Journal

log = logging.getLogger('hpsearch')

BEAT_INTERVAL = 10.0
QUEUE_BEAT_INTERVAL = 2.0
SYNC_INTERVAL = 1.0


class Heartbeat:
    """Does what is due.

    Args:
        search: The search.
        journal: The journal of this process.
        backend: Knows the GPUs and what is in a queue.
        code: Finds out with which code the runs are made.
        wall: Seconds since 1970, for people only.
    """

    def __init__(
        self,
        search: SearchContext,
        journal: Journal,
        backend: Backend,
        code: CodeTracker,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._recorder = search.recorder
        self._results = search.results
        self._backend = backend
        self._code = code
        self._wall = wall
        self._oom_kills = kernel_oom_kills()
        self._has_beaten = True
        self._queue_shown: Sequence[QueueLine] = ()
        self._has_noted_gpus = False
        self._synced = self._beaten = -math.inf

    @property
    def can_write(self) -> bool:
        """Whether the last sign of life and the last event could be written."""
        return self._has_beaten and not self._journal.blocked

    def circumstances(self) -> Mapping[str, Any]:
        """What the journal keeps of the circumstances of an attempt that begins now: kills for memory, and the code."""
        return {'oom_kills': self._oom_kills, 'code_id': self._code.code}

    def runs_started(self, now: float) -> None:
        """Runs were started: the code they were started with is looked at, if it is time."""
        self._code.check(now)

    def step(self, now: float, waiting: str) -> str:
        """Do what is due.

        Args:
            now: Monotonic seconds.
            waiting: Why no run is started, for others to read.

        Returns:
            Why the search folder cannot be written, in words; empty: it can, as far as is known.
        """
        for event in self._code.take_events():
            self._recorder.note_event(event)
        if now - self._synced >= SYNC_INTERVAL:
            self._synced = now
            self._journal.flush()
            self._journal.sync()
            self._oom_kills = kernel_oom_kills()
        is_beat_due = now - self._beaten >= self._beat_interval() or not self._has_beaten
        problem = self._beat(now, waiting) if is_beat_due else ''
        if self._results.due(now):
            self.write_table()
        return problem

    def wait_for_code(self) -> None:
        """Wait for what is still being found out about the code, a few seconds at most; :meth:`step` journals it."""
        self._code.finish()

    def sync(self) -> None:
        """Bring the journal to the disk now."""
        self._journal.sync()

    def _beat_interval(self) -> float:
        """Seconds between two beats; changes in a queue are written sooner, since ``hpsearch status`` reads them."""
        return BEAT_INTERVAL if self._queue_shown == self._backend.queue_lines() else QUEUE_BEAT_INTERVAL

    def _beat(self, now: float, waiting: str) -> str:
        self._beaten = now
        self._queue_shown = self._backend.queue_lines()
        gpus = [asdict(line) for line in self._backend.gpu_lines(now)]
        queue = [asdict(line) for line in self._queue_shown]
        if gpus and not self._has_noted_gpus:
            self._has_noted_gpus = True
            self._recorder.note('gpus', models={line['name']: line['model'] for line in gpus})
        try:
            self._journal.beat({'at': round(self._wall(), 3), 'waiting': waiting, 'gpus': gpus, 'queue': queue})
        except OSError as error:
            self._has_beaten = False
            return f'the search folder cannot be written: {error.strerror}'
        self._has_beaten = True
        return ''

    def write_table(self) -> None:
        """Write the table; a failure only causes a warning."""
        try:
            self._results.rebuild()
        except OSError as error:
            log.warning('%s could not be written: %s', self._results.path, error.strerror)

    def update_table(self) -> None:
        """Write the table if it lacks something."""
        if self._results.due(math.inf):
            self.write_table()
