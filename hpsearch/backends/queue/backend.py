"""Attempts as jobs of a queue system, one job per run.

Attempts wait here until the queue accepts them; they are submitted as arrays whose throttles together never exceed the
number of jobs that was asked for. What became of an attempt is told by its exit record first, by the queue system next.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hpsearch.backends.base import AttemptStatus, Launch, LaunchResult
from hpsearch.backends.queue.array_making import ArrayMaker
from hpsearch.backends.queue.arrays import JobArray, QueuedAttempt, QueueSettings, Throttles, in_arrays, read_hints
from hpsearch.backends.queue.batch_system import BatchSystem
from hpsearch.backends.queue.cancelling import Canceller
from hpsearch.backends.queue.commands import GOODBYE, CommandRunner
from hpsearch.backends.queue.poller import JobPoller
from hpsearch.backends.queue.queue_lines import queue_lines
from hpsearch.backends.queue.sending import Submitter
from hpsearch.backends.queue.submissions import Submissions
from hpsearch.host.wakeup import Wakeup
from hpsearch.model.evidence import RECORD_GRACE, Conclusion, Evidence, conclude
from hpsearch.model.jobs import JobRecord, JobState, QueueView
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Placement, ResourceRequest, Slot
from hpsearch.model.snapshot import GpuLine, QueueLine
from hpsearch.store.attempt_files import close_fence, duration, fence_job
from hpsearch.store.evidence import read_files
from hpsearch.store.folder import AttemptPaths, SearchFolder

log = logging.getLogger('hpsearch')

WAVE = 10_000
"""Attempts that are claimed at once, at most."""

LOOK_INTERVAL = 0.5
"""Seconds between two looks for what attempts left, at least."""


class QueueBackend:
    """Runs attempts as jobs.

    Args:
        folder: The search.
        cwd: Working directory of the attempts.
        system: The queue system.
        commands: Executes its commands.
        watch: Knows what became of jobs.
        wakeup: What :meth:`wait` waits with.
        note: Writes an event to the journal; False: that failed.
        settings: How jobs are made.
        salt: Random letters for the names of submissions.
        known: Name to id of submissions of earlier writers.
        record_grace: See :data:`RECORD_GRACE`.
        wall: Seconds since 1970.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        folder: SearchFolder,
        cwd: str,
        system: BatchSystem,
        commands: CommandRunner,
        watch: JobPoller,
        wakeup: Wakeup,
        note: Callable[[dict[str, Any]], object],
        settings: QueueSettings,
        salt: Callable[[], str] = lambda: os.urandom(3).hex(),
        known: Mapping[str, str] | None = None,
        record_grace: float = RECORD_GRACE,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._system = system
        self._commands = commands
        self._watch = watch
        self._wakeup = wakeup
        self._settings = settings
        self._known = known or {}
        self._record_grace = record_grace
        self._wall = wall
        self._attempts: dict[str, QueuedAttempt] = {}
        self._statuses: dict[str, AttemptStatus] = {}
        self._over: list[QueuedAttempt] = []
        self._doubtful: dict[str, QueuedAttempt] = {}
        self._lines: tuple[str, list[QueueLine]] | None = None
        self._news = self._listings = 0
        self._looked = float('-inf')
        self._cancels = Canceller(system, commands, watch)
        self._throttles = Throttles(system, commands, settings.num_jobs)
        self._submissions = Submissions(
            folder=folder,
            maker=ArrayMaker(folder, cwd, system, settings, salt, wall),
            sender=Submitter(folder, system, commands, note, wall),
            system=system,
            commands=commands,
            watch=watch,
            throttles=self._throttles,
            cancels=self._cancels,
            tell=self._set,
            settings=settings,
            clock=clock,
        )

    # Slots

    def open_slots(
        self, now: float, others: Sequence[GpuTenant] = (), resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> Placement:
        """As many as the queue may take; none while attempts wait here already."""
        made = self._submissions
        if made.is_wrong or made.has_given_back:
            return Placement(waiting=made.refused, is_final=made.is_wrong)
        if made.waiting:
            return Placement(waiting=f'{len(made.waiting)} runs wait to be submitted: {made.why_held()}')
        made.wants_new = True
        if not made.spare():
            return Placement(waiting=f'{len(self._attempts)} jobs are in the queue')
        return Placement(slots=(Slot(),) * WAVE)

    def impossible(self, resources: ResourceRequest) -> str:
        """Nothing is, as far as can be told beforehand: the queue refuses what it cannot place."""
        return ''

    def start(self, launches: Sequence[Launch], now: float) -> Sequence[LaunchResult]:
        """Take attempts into the queue; they are submitted together, some time."""
        for launch in launches:
            queued = QueuedAttempt(launch)
            self._attempts[launch.ident] = queued
            self._set(queued, queued.status)
            self._submissions.waiting.append(queued)
        self._submissions.wants_new = False
        self._submissions.step(now)
        return [LaunchResult(launch.ident, {}, queued=True) for launch in launches]

    # Attempts of earlier writers

    def adopt(self, launch: Launch, handle: Mapping[str, Any], age: float, now: float) -> None:
        """Look after an attempt that another writer submitted."""
        name, index = str(handle['submission']), int(handle['index'])
        array = self._submissions.arrays.get(name) or self._adopt_array(name, handle, age)
        queued = QueuedAttempt(
            launch, array, index, AttemptStatus(JobState.PENDING, detail='submitted by an earlier hpsearch')
        )
        array.members[index] = queued
        self._attempts[launch.ident] = queued
        self._set(queued, queued.status)
        self._doubtful[launch.ident] = queued
        self._watch.expect((name, index), array.at, array.job)
        self._watch.hurry()

    def _adopt_array(self, name: str, handle: Mapping[str, Any], age: float) -> JobArray:
        throttle = int(handle.get('throttle', self._settings.num_jobs))
        job = str(handle.get('job') or self._known.get(name, ''))
        at = float(handle.get('at', self._wall() - age))
        array = JobArray(name, at, throttle, throttle, job=job, is_shared=True)
        self._submissions.arrays[name] = array
        return array

    def can_adopt(self, handle: Mapping[str, Any]) -> bool:
        """Whether this is the queue an attempt is in."""
        return handle.get('queue') == self._system.name and 'submission' in handle

    def forget(self, ident: str, now: float) -> None:
        """Let go of an attempt that another writer looks after."""
        queued = self._attempts.get(ident)
        if queued is None:
            return
        if queued.array is not None:
            queued.array.is_shared = True
        self._drop(queued)

    # What became of them

    def states(self, now: float) -> Mapping[str, AttemptStatus]:
        """What is known of every attempt; only those of which there is news are looked at."""
        self._commands.take_in()
        self._watch.poll(now)
        self._submissions.step(now)
        self._look_around(now)
        told = dict(self._statuses)
        over, self._over = self._over, []
        for queued in over:
            self._drop(queued)
        return told

    def _look_around(self, now: float) -> None:
        is_time = now - self._looked >= LOOK_INTERVAL
        if is_time:
            self._looked = now
            self._take_hints(now)
        if self._watch.news != self._news:
            self._news = self._watch.news
            for queued in list(self._attempts.values()):
                self._look(queued, now)
            self._after_listing(now)
        elif is_time:
            for queued in list(self._doubtful.values()):
                self._look(queued, now)

    def _after_listing(self, now: float) -> None:
        if self._watch.listings == self._listings:
            return
        self._listings = self._watch.listings
        arrays = list(self._submissions.arrays.values())
        self._throttles.balance(arrays, now, self._watch.asked, wants_new=self._submissions.leaves_room(now))
        self._cancels.go_on(arrays)

    def _take_hints(self, now: float) -> None:
        """Mark attempts that told by a hint that they ended; a hint may be missing, and is never believed."""
        for array in self._submissions.arrays.values():
            for index in read_hints(array, self._folder.submission(array.name).ended):
                queued = array.members.get(index)
                if queued is not None:
                    queued.look_until = now + self._record_grace
                    self._doubtful[queued.launch.ident] = queued

    def _look(self, queued: QueuedAttempt, now: float) -> None:
        """Look what became of an attempt; what cannot be read is looked at again."""
        if queued.array is None or queued.status.kind in (JobState.ENDED, JobState.ABSENT):
            return
        try:
            status = self._found(queued, queued.array, now)
        except OSError as error:
            log.debug('%s: %s', queued.launch.run.name, error)
            queued.look_until = now + self._record_grace
            status = queued.status
        if status != queued.status:
            self._set(queued, status)
        if queued.doubt_since is not None or now < queued.look_until:
            self._doubtful[queued.launch.ident] = queued
        else:
            self._doubtful.pop(queued.launch.ident, None)

    def _found(self, queued: QueuedAttempt, array: JobArray, now: float) -> AttemptStatus:
        kind, seen = self._watch.sight((array.name, queued.index))
        paths = self._folder.attempt(queued.launch.run.name, queued.launch.number)
        if not array.job and (array.is_shared or queued.launch.ident in self._doubtful):
            job = fence_job(paths) or (seen.job if seen and array.is_shared else '')
            if job:  # it was accepted, as it turns out
                self._submissions.accepted(array, job)
        if array.unsent is not None:
            return queued.status  # whether it was accepted is settled first
        evidence = self._evidence_of(queued, paths, self._view(queued, array, kind, seen))
        waited = 0.0 if queued.doubt_since is None else now - queued.doubt_since
        found = conclude(evidence, waited, self._record_grace)
        if found.if_closed and not close_fence(paths, queued.launch.ident):
            found = Conclusion(JobState.RUNNING, detail='it has just begun', in_doubt=True)
        return self._status(queued, found, evidence, paths, now)

    def _view(self, queued: QueuedAttempt, array: JobArray, kind: JobState, seen: JobRecord | None) -> QueueView:
        key = (array.name, queued.index)
        return QueueView(
            kind,
            seen,
            is_missing=self._watch.is_missing(key),
            was_taken_out=kind is JobState.ABSENT and self._watch.was_taken_out(key),
            is_cancelled=queued.is_cancelled,
            awaits_details=kind is JobState.ENDED and not queued.is_cancelled and self._watch.awaits_details(key),
            log=self._folder.submission(array.name).log,
        )

    def _evidence_of(self, queued: QueuedAttempt, paths: AttemptPaths, job: QueueView) -> Evidence:
        """What is known of an attempt; its folder is left alone while it just waits, as thousands do."""
        has_begun = job.kind not in (JobState.PENDING, JobState.UNKNOWN) or queued.status.kind is JobState.RUNNING
        if has_begun or job.is_missing or queued.launch.ident in self._doubtful:
            return read_files(paths, is_queued=True, ident=queued.launch.ident, job=job)
        return Evidence(is_queued=True, job=job)

    def _status(
        self, queued: QueuedAttempt, found: Conclusion, evidence: Evidence, paths: AttemptPaths, now: float
    ) -> AttemptStatus:
        queued.note_doubt(now if found.in_doubt else None)
        if found.in_doubt:
            self._watch.hurry()
        match found.kind:
            case JobState.UNKNOWN:
                return queued.status
            case JobState.ENDED | JobState.ABSENT:
                seconds = duration(paths) if evidence.has_started or evidence.is_requeued else 0.0
                room = self._room(queued)
                return AttemptStatus(found.kind, found.code, found.cause, found.detail, room=room, seconds=seconds)
            case _:
                return AttemptStatus(found.kind, detail=found.detail)

    def _room(self, queued: QueuedAttempt) -> dict[str, Any]:
        """How much room it had: a job has its GPUs for itself."""
        memory = queued.launch.resources.memory or self._system.memory
        most = self._settings.most_memory
        return {'was_alone': True, 'largest': True, 'in_queue': True, 'memory_limit': memory, 'memory_most': most}

    def _set(self, queued: QueuedAttempt, status: AttemptStatus) -> None:
        queued.status = status
        self._statuses[queued.launch.ident] = status
        self._lines = None
        if status.kind in (JobState.ENDED, JobState.ABSENT):
            self._over.append(queued)

    def _drop(self, queued: QueuedAttempt) -> None:
        ident = queued.launch.ident
        for held in (self._attempts, self._statuses, self._doubtful):
            held.pop(ident, None)
        self._lines = None
        if queued.array is None:
            if queued.status.kind is JobState.WAITING:
                self._submissions.take_out((queued,))
            return
        queued.array.members.pop(queued.index, None)
        self._watch.drop((queued.array.name, queued.index))
        if not queued.array.members:
            self._submissions.arrays.pop(queued.array.name, None)

    # Ending

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        """Cancel the jobs of these attempts, and of no others."""
        found = [self._attempts[ident] for ident in idents if ident in self._attempts]
        waiting = [queued for queued in found if queued.array is None]
        self._submissions.take_out(waiting)
        for queued in found:
            queued.is_cancelled = True
        for queued in waiting:
            self._set(queued, AttemptStatus(JobState.ENDED, cause='abandoned', detail='it had not been submitted'))
        for array, indices in in_arrays(found).items():
            self._cancels.cancel(array, indices, force=force)

    def is_settled(self) -> bool:
        """Whether the queue has answered everything that was asked, so that this process may leave."""
        return self._submissions.is_settled and not self._commands.open

    def wait(self, timeout: float) -> None:
        """Until a command answers, a signal comes, it is time to look for ends, or the time is over."""
        self._wakeup.wait(min(timeout, LOOK_INTERVAL))

    def close(self) -> None:
        """Let go; jobs go on. What was asked of the queue just now is still carried out."""
        self._commands.finish(GOODBYE)

    # What is shown

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        """None: GPUs are the queue's business."""
        return ()

    def queue_lines(self) -> Sequence[QueueLine]:
        """How many attempts wait, and why, and how many run."""
        refused = self._submissions.refused
        if self._lines is None or self._lines[0] != refused:
            self._lines = refused, queue_lines(self._attempts.values(), self._watch, refused)
        return self._lines[1]
