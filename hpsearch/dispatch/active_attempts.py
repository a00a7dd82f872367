"""The attempts that this process looks after: started or adopted, followed until they end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import replace

from hpsearch.backends.base import AttemptBackend, AttemptStatus, Launch
from hpsearch.dispatch.context import ActiveAttempt, SearchContext
from hpsearch.dispatch.display import OutputEcho
from hpsearch.dispatch.intake import Intake
from hpsearch.dispatch.recovery import Adoption
from hpsearch.host.signals import StopRequests
from hpsearch.model.evidence import JobState
from hpsearch.model.states import ENDED
from hpsearch.store.attempt_files import close_fence
from hpsearch.store.completion import Completion

log = logging.getLogger('hpsearch')

ENDED_BY_TERM = 143
"""The raw status of an attempt that was ended by TERM."""

IN_JOB_PATIENCE = 2.0
"""Seconds after the end of a run by TERM in which we are asked to end as well, if it was its job that was."""


class ActiveAttempts:
    """Follows the attempts that are under way.

    Args:
        search: The search.
        backend: Where they execute.
        intake: Takes in what ended.
        requests: What signals asked of this process.
        echo: Shows what they write.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        search: SearchContext,
        backend: AttemptBackend,
        intake: Intake,
        requests: StopRequests,
        echo: OutputEcho,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._search = search
        self._backend = backend
        self._intake = intake
        self._requests = requests
        self._echo = echo
        self._clock = clock
        self._active: dict[str, ActiveAttempt] = {}

    @property
    def attempts(self) -> Collection[ActiveAttempt]:
        """Those that are under way, as a view that stays up to date."""
        return self._active.values()

    # Those that begin

    def begin(self, launch: Launch, now: float, *, queued: bool) -> None:
        """The backend has accepted an attempt; ``queued``: it does not run yet."""
        self._active[launch.ident] = ActiveAttempt(launch, now, in_queue=queued, is_running=not queued)
        self._echo.begin(launch)

    def adopt(self, adoption: Adoption, now: float) -> None:
        """Look after an attempt that another writer started."""
        active = adoption.active
        self._backend.adopt(active.launch, adoption.handle, adoption.age, now)
        self._active[active.launch.ident] = active
        where = 'runs' if active.is_running else 'is in the queue'
        log.info('%s %s already, started by an earlier hpsearch', active.launch.run.name, where)

    def release(self, run: str, number: int) -> None:
        """Another writer looks after an attempt of ours: we must have seemed dead."""
        for ident, active in list(self._active.items()):
            if (active.launch.run.name, active.launch.number) == (run, number):
                log.warning('%s was taken over by another hpsearch', run)
                self._backend.forget(ident, self._clock())
                del self._active[ident]

    # What becomes of them

    def collect(self, now: float) -> list[Completion]:
        """Take in what the backend knows of them; returns the ends."""
        self._echo.pump()
        completions = []
        for ident, known in self._backend.states(now).items():
            active = self._active[ident]
            status = self._settle_absent(active, known) if known.kind is JobState.ABSENT else known
            if status.kind is JobState.ENDED:
                del self._active[ident]
                completions += self._end(active, status, now)
            elif active.in_queue and not active.is_running:
                self._follow_in_queue(active, status, now)
        return completions

    def _end(self, active: ActiveAttempt, status: AttemptStatus, now: float) -> list[Completion]:
        self._notice_a_common_end(active, status)
        self._echo.end(active.launch.ident)
        return [] if self._is_over(active, status) else [self._intake.end(active, status, now)]

    def _notice_a_common_end(self, active: ActiveAttempt, status: AttemptStatus) -> None:
        """Notice that a run was asked to end together with us: a queue ends all processes of a job, in any order."""
        if not (self._search.options.is_in_job and status.code) or active.stop_reason:
            return
        limit = self._clock() + IN_JOB_PATIENCE
        while status.code == ENDED_BY_TERM and not self._requests.stops and (left := limit - self._clock()) > 0:
            self._backend.wait(left)
        if self._requests.stops:
            active.stop_reason = self._search.options.stop_reason

    def _settle_absent(self, active: ActiveAttempt, status: AttemptStatus) -> AttemptStatus:
        """Nobody knows an attempt any more: it never starts, or if it has started, it is lost."""
        paths = self._search.folder.attempt(active.launch.run.name, active.launch.number)
        if close_fence(paths, self._search.writer):
            return replace(status, kind=JobState.ENDED, cause='abandoned')
        return replace(status, kind=JobState.ENDED)

    def _follow_in_queue(self, active: ActiveAttempt, status: AttemptStatus, now: float) -> None:
        run, number = active.launch.run.name, active.launch.number
        if status.kind in (JobState.PENDING, JobState.RUNNING) and not active.is_submitted:
            active.is_submitted = True
            self._search.recorder.record('submitted', run, number)
        if status.kind is JobState.RUNNING:
            active.is_running, active.since = True, now
            self._search.recorder.record('running', run, number, where=status.detail)

    def _is_over(self, active: ActiveAttempt, status: AttemptStatus) -> bool:
        """Whether an attempt of ours that could not start was ended by another writer, to whom we seemed dead."""
        attempt = self._search.state.attempt_of(active.launch.run.name, active.launch.number)
        return status.cause == 'fenced' and attempt is not None and attempt.state in ENDED

    # Stopping them

    def cancel(self, why: str) -> None:
        """Ask all of them to end."""
        for active in self._active.values():
            active.stop_reason = why
        self._backend.cancel(tuple(self._active), force=False)

    def kill(self) -> None:
        """Kill all of them."""
        self._backend.cancel(tuple(self._active), force=True)
