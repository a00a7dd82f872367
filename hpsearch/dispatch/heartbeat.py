"""What is due from time to time while a search is worked on: signs of life, the journal on the disk, the table."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hpsearch.backends.base import Backend
from hpsearch.dispatch.context import SearchContext
from hpsearch.host.kernel import kernel_oom_kills
from hpsearch.model.retries import Pauses
from hpsearch.model.snapshot import QueueLine
from hpsearch.model.states import Event
from hpsearch.store.attempt_files import changed_at
from hpsearch.store.folder import SearchFolder

if TYPE_CHECKING:
    from hpsearch.store.provenance import Provenance

log = logging.getLogger('hpsearch')

BEAT_INTERVAL = 10.0
QUEUE_BEAT_INTERVAL = 2.0
SYNC_INTERVAL = 1.0

PATIENCE = 5.0
"""Seconds the end of a search waits for what is still being found out about its code and packages."""


class Heartbeat:
    """Does what is due.

    Args:
        make_provenance: Makes what finds out with which code the runs are made; called after the first run was started.
    """

    def __init__(self, search: SearchContext, backend: Backend, make_provenance: Callable[[], Provenance]) -> None:
        self._folder = search.folder
        self._device = search.folder.device()
        self._recorder = search.recorder
        self._journal = search.recorder.journal
        self._results = search.results
        self._backend = backend
        self._make_provenance = make_provenance
        self._provenance: Provenance | None = None
        self._found: deque[Event] = deque()
        self._starts: deque[tuple[str, int]] = deque()
        self._codes_told: set[str] = set()
        self._oom_kills = kernel_oom_kills()
        self._has_beaten = True
        self._queue_shown: Sequence[QueueLine] = ()
        self._has_noted_gpus = False
        self._synced = self._beaten = -math.inf
        self._beat_pauses = Pauses(1.0, BEAT_INTERVAL)
        self._table_pauses = Pauses(2.0, 300.0)

    @property
    def can_write(self) -> bool:
        """Whether the last sign of life and the last event could be written."""
        return self._has_beaten and not self._journal.blocked

    def why_lost(self) -> str:
        """Why the search folder is not there any more for good, in words; empty: it is, or it may come back.

        A folder that was moved is followed, so that the ends of runs are noted where it is now.
        """
        if moved_to := self._moved_to():
            why = f'{self._folder.path} was moved to {moved_to}'
            self._folder.follow(moved_to)
            self._results.path = self._folder.results_csv
            return why
        is_deleted = not self._has_beaten and self._folder.is_deleted(self._device)
        return f'{self._folder.path} was deleted' if is_deleted else ''

    def _moved_to(self) -> str:
        """Where the search folder is now if it was moved, and its old name does not lead there; else empty."""
        place = self._journal.place()
        is_there = self._folder.is_at(place) or not SearchFolder(place).search_json.exists()
        return '' if is_there else place

    def circumstances(self) -> Mapping[str, Any]:
        """What the journal keeps of the circumstances of an attempt: kills for memory so far, and the code."""
        return {'oom_kills': self._oom_kills, 'code_id': self._provenance.look() if self._provenance else ''}

    def runs_started(self) -> None:
        """Runs were started: from now on the code is known."""
        if self._provenance is None:
            self._provenance = self._make_provenance()
            self._start_provenance()

    def job_started(self, run: str, number: int) -> None:
        """The start of an attempt in a queue was seen: finds out whether the code had changed since it was claimed."""
        self._starts.append((run, number))
        self.runs_started()

    def _note_starts(self) -> None:
        """Note the code of jobs before whose start it had changed; what cannot be read now is looked at later."""
        # What was seen of the code before these starts says nothing of them.
        code = self._provenance.look_again() if self._provenance and self._starts else ''
        while self._provenance and self._starts and code:
            run, number = self._starts[0]
            try:
                was_changed = self._was_changed(self._provenance, run, number, code)
            except OSError as error:
                log.debug('when %s started is looked at later: %s', run, error)
                return
            if was_changed:
                self._recorder.note_event({'event': 'code', 'run': run, 'attempt': number, 'code_id': code})
                self._results.note_code()
            self._starts.popleft()

    def _was_changed(self, provenance: Provenance, run: str, number: int, code: str) -> bool:
        """Whether an attempt started, as far as is known, with code that there was not when it was claimed."""
        attempt = self._recorder.state.attempt_of(run, number)
        before = attempt.code_id if attempt else ''
        if before in ('', code):
            return False
        began = changed_at(self._folder.attempt(run, number).started)
        return began is not None and provenance.changed_before(before, began)

    def _start_provenance(self) -> None:
        """Let another thread find out about the code; where none can be started, that is tried again later."""
        if self._provenance is None:
            return
        try:
            self._provenance.start(self._found.append)
        except OSError as error:
            log.debug('the code is read later: %s', error)

    def step(self, now: float, waiting: str) -> str:
        """Do what is due.

        Args:
            now: Monotonic seconds.
            waiting: Why no run is started, for ``hpsearch status``.

        Returns:
            Why the search folder cannot be written, in words; empty: it can, as far as is known.
        """
        while self._found:
            self._note_provenance(self._found.popleft())
        self._note_starts()
        if now - self._synced >= SYNC_INTERVAL:
            self._synced = now
            self._start_provenance()
            self._journal.flush()
            self._journal.sync()
            self._oom_kills = kernel_oom_kills()
        problem = self._beat(now, waiting) if self._is_beat_due(now) else ''
        if self._results.due(now) and self._table_pauses.is_over(now):
            self.write_table(now)
        return problem

    def _is_beat_due(self, now: float) -> bool:
        if self._has_beaten:
            return now - self._beaten >= self._beat_interval()
        return self._beat_pauses.is_over(now)

    def _note_provenance(self, event: Event) -> None:
        self._recorder.note_event(event)
        self._results.note_code()
        for problem in event.get('problems', ()):
            log.warning('not recorded of the code or its environment: %s', problem)
        self._tell_code(event['code'])

    def _tell_code(self, code: str) -> None:
        """Warn of code that this process has not told of, if runs were started with other code before."""
        from hpsearch.store.provenance import about_new_code

        notice = about_new_code(self._folder, self._recorder.state, code) if code not in self._codes_told else ''
        if notice:
            log.warning('%s', notice)
        self._codes_told.add(code)

    def finish(self, now: float, waiting: str) -> str:
        """Bring the table and the journal up to date and to the disk; see :meth:`step`."""
        if self._provenance is not None:
            self._provenance.wait(PATIENCE)
        problem = self.step(now, waiting)
        if self.is_table_due:
            self.write_table(now)
        self._journal.flush()
        self._journal.sync()
        return problem

    def _beat_interval(self) -> float:
        """Seconds between two beats; changes in a queue are written sooner, since ``hpsearch status`` reads them."""
        return BEAT_INTERVAL if self._queue_shown == self._backend.queue_lines() else QUEUE_BEAT_INTERVAL

    def _beat(self, now: float, waiting: str) -> str:
        self._beaten = now
        self._queue_shown = self._backend.queue_lines()
        gpus = [asdict(line) for line in self._backend.gpu_lines(now)]
        queue = [asdict(line) for line in self._queue_shown]
        runs = {name: use.facts() for name, use in self._backend.run_uses(now).items()}
        if gpus and not self._has_noted_gpus:
            self._has_noted_gpus = True
            self._recorder.note('gpus', models={line['name']: line['model'] for line in gpus})
        try:
            at = self._recorder.timestamp()
            self._journal.beat({'at': at, 'waiting': waiting, 'gpus': gpus, 'queue': queue, 'runs': runs})
        except OSError as error:
            self._has_beaten = False
            self._beat_pauses.fail(f'the search folder cannot be written: {error.strerror}', now)
            return self._beat_pauses.problem
        self._has_beaten = True
        self._beat_pauses.succeed()
        return ''

    @property
    def is_table_due(self) -> bool:
        """Whether there is something new for the table."""
        return self._results.due(math.inf)

    def write_table(self, now: float) -> bool:
        """Write the table; if that fails, it is tried again after growing pauses, and a warning is logged."""
        try:
            self._results.rebuild()
            self._table_pauses.succeed()
            return True
        except OSError as error:
            if self._table_pauses.fail(f'{self._results.path} could not be written: {error.strerror}', now):
                log.warning('%s', self._table_pauses.problem)
            return False
