"""Attempts as jobs of a batch system, one job per run.

Attempts wait here until the queue accepts them; they are submitted as arrays whose throttles together never exceed the
number of jobs that was asked for. What became of an attempt is decided by its exit record first, then by the queue.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hpsearch.backends.base import AttemptBackend, AttemptStatus, Avoided, JobCounts, Launch, LaunchResult, Silence
from hpsearch.backends.queue.arrays import (
    AttemptArray,
    AttemptQueue,
    Change,
    QueuedAttempt,
    QueueSettings,
    adopted_array,
    read_hints,
    why_no_script,
)
from hpsearch.backends.queue.leftovers import Leftovers
from hpsearch.backends.queue.poller import LIMIT_GRACE
from hpsearch.backends.queue.submission import QueueContext
from hpsearch.host.kernel import command_limits
from hpsearch.model.command import why_no_command
from hpsearch.model.evidence import (
    RECORD_GRACE,
    Conclusion,
    Evidence,
    HostRelation,
    JobState,
    QueueView,
    conclude,
    node_name,
)
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.resources import DEFAULT_RESOURCES, GpuTenant, Placement, ResourceRequest, Slot
from hpsearch.model.retries import room_in_queue
from hpsearch.model.snapshot import GpuLine, QueueLine
from hpsearch.model.states import CANCELLED
from hpsearch.model.units import count_of
from hpsearch.store.attempt_files import close_fence, duration, fence_job, read_fence
from hpsearch.store.evidence import read_files
from hpsearch.store.folder import AttemptPaths

log = logging.getLogger('hpsearch')

WAVE = 10_000
"""Maximum number of attempts that are claimed at once."""

LOOK_INTERVAL = 0.5
"""Minimum seconds between two looks at the files of attempts."""


class QueueBackend(AttemptBackend):
    """Executes attempts as jobs.

    Args:
        context: The search and its queue.
        settings: How jobs are made.
        known: Name to job id of submissions of earlier writers.
        state: What all journals say.
        record_grace: See :data:`RECORD_GRACE`.
    """

    def __init__(
        self,
        context: QueueContext,
        settings: QueueSettings,
        known: Mapping[str, str] | None = None,
        state: SearchState | None = None,
        *,
        record_grace: float = RECORD_GRACE,
    ) -> None:
        self._context = context
        self._folder = context.folder
        self._poller = context.poller
        self._settings = settings
        self._limits = command_limits(os.environb)
        self._known = known or {}
        self._record_grace = record_grace
        self._queue = AttemptQueue(context, settings)
        self._leftovers = Leftovers(context, state or SearchState(), self._queue.arrays)
        self._attempts: dict[str, QueuedAttempt] = {}
        self._statuses: dict[str, AttemptStatus] = {}
        self._over: list[QueuedAttempt] = []
        self._doubtful: dict[str, QueuedAttempt] = {}
        self._lines: tuple[str, list[QueueLine]] | None = None
        self._news = self._listings = 0
        self._looked = float('-inf')

    # Slots

    def open_slots(
        self, now: float, others: Sequence[GpuTenant] = (), resources: ResourceRequest = DEFAULT_RESOURCES
    ) -> Placement:
        """As many as the queue may take; none while attempts wait here already, or the queue does not answer."""
        queue = self._queue
        if self._poller.problem:
            self._poller.poll_anyway()
            return Placement(waiting=f'the queue does not answer: {self._poller.problem}')
        if queue.is_final or queue.has_given_back:
            return Placement(waiting=queue.refusal, is_final=queue.is_final)
        if queue.waiting:
            runs = count_of(len(queue.waiting), 'run waits', 'runs wait')
            return Placement(waiting=f'{runs} to be submitted: {queue.why_waiting()}')
        most = self._settings.most_attempts
        free = WAVE if most is None else most - sum(not self._has_left(queued) for queued in self._attempts.values())
        if free <= 0 or not queue.has_room():
            return Placement(waiting=f'{count_of(len(self._attempts), "job is", "jobs are")} in the queue')
        return Placement(slots=(Slot(),) * min(WAVE, free))

    def _has_left(self, queued: QueuedAttempt) -> bool:
        """Whether the queue says that the job has ended: it takes no room while its record is awaited."""
        array = queued.array
        return array is not None and self._poller.state_of((array.name, queued.index)) is JobState.ENDED

    def impossible(self, resources: ResourceRequest) -> str:
        """Empty: what it cannot place, the batch system refuses when it is submitted."""
        return ''

    def start(self, launches: Iterable[Launch], now: float) -> Sequence[LaunchResult]:
        """Take attempts over; they are submitted together, later. What cannot be started anywhere has ended."""
        attempts = [QueuedAttempt(launch, status=self._first_status(launch)) for launch in launches]
        if not attempts:
            return ()
        for queued in attempts:
            self._attempts[queued.launch.ident] = queued
            self._set(queued, queued.status)
        self._leftovers.reset()
        self._queue.add(queued for queued in attempts if queued.status.kind is JobState.WAITING)
        try:
            self._apply(self._queue.step(now))
        except OSError as error:
            log.debug('nothing is submitted now: %s', error)  # it is tried again in the next round
        return [LaunchResult(queued.launch.ident, {}, queued=True) for queued in attempts]

    def _first_status(self, launch: Launch) -> AttemptStatus:
        why = why_no_command(launch.words, self._limits) or why_no_script(launch.words)
        return AttemptStatus(JobState.ENDED, cause='impossible', detail=why) if why else AttemptStatus(JobState.WAITING)

    # Attempts of earlier writers

    def adopt(self, launch: Launch, handle: Mapping[str, Any], age: float, now: float) -> None:
        """Look after an attempt that another writer submitted."""
        name, index = str(handle['submission']), int(handle['index'])
        array = self._queue.arrays.get(name) or self._adopted_array(name, handle, age)
        status = AttemptStatus(JobState.PENDING, detail='submitted by an earlier hpsearch')
        queued = QueuedAttempt(launch, status=status)
        self._queue.adopt(queued, array, index)
        self._attempts[launch.ident] = queued
        self._set(queued, queued.status)
        self._doubtful[launch.ident] = queued
        self._poller.watch((name, index), array.at, array.job)
        self._poller.poll_soon()

    def _adopted_array(self, name: str, handle: Mapping[str, Any], age: float) -> AttemptArray:
        at, job = self._context.wall() - age, self._known.get(name, '')
        return adopted_array(name, handle, at, self._settings.num_jobs, job)

    def can_adopt(self, handle: Mapping[str, Any]) -> bool:
        """Whether an attempt with this handle is in this queue."""
        return handle.get('queue') == self._context.system.name and 'submission' in handle

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
        """The status of every attempt; only those of which there may be news are looked at."""
        self._context.runner.deliver()
        self._poller.poll(now)
        self._apply(self._queue.step(now))
        self._look_around(now)
        statuses = dict(self._statuses)
        over, self._over = self._over, []
        for queued in over:
            self._drop(queued)
        return statuses

    def _look_around(self, now: float) -> None:
        is_time = now - self._looked >= LOOK_INTERVAL
        if is_time:
            self._looked = now
            self._take_hints(now)
        if self._poller.news != self._news:
            self._news = self._poller.news
            for queued in list(self._attempts.values()):
                self._look(queued, now)
            self._after_listing(now)
        elif is_time:
            for queued in list(self._doubtful.values()):
                self._look(queued, now)

    def _after_listing(self, now: float) -> None:
        if self._poller.listings != self._listings:
            self._listings = self._poller.listings
            self._queue.after_listing(now, self._poller.listed_at)
            self._leftovers.cancel(now)

    def _take_hints(self, now: float) -> None:
        """Mark attempts that hinted at their end; a hint may be missing, and is no evidence."""
        for array in self._queue.arrays.values():
            for index in read_hints(array, self._folder.submission(array.name).ended):
                queued = array.members.get(index)
                if queued is not None:
                    queued.look_until = now + self._record_grace
                    self._doubtful[queued.launch.ident] = queued

    def _look(self, queued: QueuedAttempt, now: float) -> None:
        """Find out what became of an attempt; what cannot be read is looked at again."""
        if queued.array is None or queued.status.kind is JobState.ENDED:
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

    def _found(self, queued: QueuedAttempt, array: AttemptArray, now: float) -> AttemptStatus:
        key = (array.name, queued.index)
        record = self._poller.record_of(key)
        paths = self._folder.attempt(queued.launch.run.name, queued.launch.number)
        if not array.job and (array.is_shared or queued.launch.ident in self._doubtful):
            job = fence_job(paths) or (record.job if record and array.is_shared else '')
            if job:  # it was accepted, as it turns out
                self._queue.accepted(array, job)
        if array.unsent is not None:
            return queued.status  # whether it was accepted is settled first
        view = self._queue_view(queued, array, paths)
        evidence = self._evidence_of(queued, paths, view)
        if evidence.fence_job and array.job:
            self._poller.follow(key, evidence.fence_job)
        waited = 0.0 if queued.doubt_since is None else now - queued.doubt_since
        found = conclude(evidence, waited, self._record_grace)
        if found.if_closed and not _is_closed(queued, paths):
            found = Conclusion(JobState.RUNNING, detail='it has just begun', in_doubt=True)
        elif found.state is JobState.ENDED and evidence.code is None and not self._is_withdrawn(queued, view, now):
            found = Conclusion(JobState.PENDING, detail='its job is being cancelled', in_doubt=True)
        if queued.withdrawn_at is not None and view.state is JobState.ENDED and found.cause == CANCELLED:
            found = replace(found, cause='', detail='its job was cancelled here before it began')
        return self._status(queued, found, evidence, paths, now)

    def _is_withdrawn(self, queued: QueuedAttempt, job: QueueView, now: float) -> bool:
        """Whether nothing of the job of an attempt is left in the queue; it is cancelled first."""
        array = queued.array
        if array is None or not array.job or job.state is JobState.ENDED or queued.is_cancelled:
            return True
        self._queue.withdraw(queued, now)
        gone_at, withdrawn_at = self._poller.gone_at((array.name, queued.index)), queued.withdrawn_at
        return gone_at is not None and withdrawn_at is not None and gone_at > withdrawn_at

    def _queue_view(self, queued: QueuedAttempt, array: AttemptArray, paths: AttemptPaths) -> QueueView:
        """All that the batch system says of the job of an attempt."""
        poller, key = self._poller, (array.name, queued.index)
        state = poller.state_of(key)
        is_absent = state is JobState.ABSENT
        return QueueView(
            state,
            poller.record_of(key),
            is_missing=poller.is_missing(key),
            is_gone=poller.gone_at(key) is not None,
            was_taken_out=is_absent and poller.was_taken_out(key),
            is_overdue=is_absent and _is_overdue(array.limit, paths),
            is_cancelled=queued.is_cancelled,
            awaits_details=state is JobState.ENDED and not queued.is_cancelled and poller.awaits_details(key),
            log=self._folder.submission(array.name).log,
        )

    def _evidence_of(self, queued: QueuedAttempt, paths: AttemptPaths, job: QueueView) -> Evidence:
        """What is known of an attempt; its folder is left alone while it just waits, as thousands do."""
        is_astray = queued.array is not None and not self._folder.is_at(queued.array.place)
        has_begun = job.state not in (JobState.PENDING, JobState.UNKNOWN) or queued.status.kind is JobState.RUNNING
        if not (has_begun or job.is_missing or queued.launch.ident in self._doubtful):
            return Evidence(is_queued=True, is_astray=is_astray, job=job)
        found = read_files(paths, is_queued=True, ident=queued.launch.ident, job=job)
        found = replace(found, is_astray=is_astray)
        is_dead = found.fence_host in self._settings.declared_dead
        return replace(found, host=HostRelation.DECLARED_DEAD) if is_dead else found

    def _status(
        self, queued: QueuedAttempt, found: Conclusion, evidence: Evidence, paths: AttemptPaths, now: float
    ) -> AttemptStatus:
        queued.note_doubt(now if found.in_doubt else None)
        if found.in_doubt:
            self._poller.poll_soon()
        match found.state:
            case JobState.UNKNOWN if not found.detail:
                return queued.status
            case JobState.ENDED:
                seconds = duration(paths) if evidence.has_started or evidence.is_requeued else 0.0
                facts: dict[str, Any] = {'room': self._room(queued), 'node': _node(evidence, paths)}
                return AttemptStatus(found.state, found.code, found.cause, found.detail, seconds=seconds, **facts)
            case JobState.RUNNING:
                return AttemptStatus(found.state, detail=found.detail, node=_listed_node(evidence))
            case _:
                return AttemptStatus(found.state, detail=found.detail)

    def _room(self, queued: QueuedAttempt) -> dict[str, Any]:
        memory = queued.launch.resources.memory or self._context.system.memory
        return room_in_queue(memory, self._settings.most_memory)

    def _apply(self, changes: Iterable[Change]) -> None:
        for queued, status in changes:
            self._set(queued, status)

    def _set(self, queued: QueuedAttempt, status: AttemptStatus) -> None:
        queued.status = status
        self._statuses[queued.launch.ident] = status
        self._lines = None
        if status.kind is JobState.ENDED:
            self._over.append(queued)

    def _drop(self, queued: QueuedAttempt) -> None:
        ident = queued.launch.ident
        for held in (self._attempts, self._statuses, self._doubtful):
            held.pop(ident, None)
        self._lines = None
        self._queue.drop(queued)

    def avoid(self, nodes: frozenset[str], now: float) -> Avoided:
        """Keep jobs away from nodes, those that are pending included."""
        return self._queue.avoid(nodes, now)

    # Ending

    def cancel(self, idents: Sequence[str], *, force: bool) -> None:
        """Cancel the jobs of these attempts, and no others."""
        self._leftovers.be_thorough()
        self._poller.poll_now()
        found = [self._attempts[ident] for ident in idents if ident in self._attempts]
        self._apply(self._queue.cancel(found, force=force))

    def is_settled(self) -> bool:
        """Whether the batch system has answered everything, so that this process may leave."""
        return self._queue.is_settled and not self._context.runner.pending

    def is_clear(self, now: float) -> bool:
        """Whether no job of the search is left in the queue; what is left is cancelled."""
        return self._leftovers.is_clear(now)

    @property
    def leftovers(self) -> str:
        """Jobs that may be left in the queue all the same, in words; empty: none."""
        return self._leftovers.words

    @property
    def silence(self) -> Silence | None:
        """The answer that the queue owes; None: none."""
        return self._poller.silence

    def job_counts(self) -> JobCounts:
        """What is in the queue, by its answers."""
        held = [each for each in self._attempts.values() if each.status.kind is not JobState.ENDED]
        accepted = sum(each.array is not None and bool(each.array.job) for each in held)
        unsubmitted = sum(each.array is None for each in held)
        return JobCounts(accepted, len(held) - accepted - unsubmitted, unsubmitted)

    def wait(self, timeout: float) -> None:
        """Wait until a command is answered, a signal comes, it is time to look for ends, or the time is over."""
        self._context.wakeup.wait(min(timeout, LOOK_INTERVAL))

    def close(self) -> None:
        """Let go; jobs go on. Commands that were issued just before are still carried out, if the queue answers."""
        self._context.runner.finish(self._poller.close_timeout)

    # What is shown

    def gpu_lines(self, now: float) -> Sequence[GpuLine]:
        """None: GPUs are the business of the batch system."""
        return ()

    def queue_lines(self) -> Sequence[QueueLine]:
        """How many attempts wait, and why, and how many run."""
        refusal = self._queue.refusal
        if self._lines is None or self._lines[0] != refusal:
            self._lines = refusal, self._count_lines(refusal)
        return self._lines[1]

    def _count_lines(self, refusal: str) -> list[QueueLine]:
        """Attempts that are alike, counted, the most frequent first."""
        counts: Counter[tuple[str, str, bool]] = Counter()
        examples: dict[tuple[str, str, bool], str] = {}
        for queued in self._attempts.values():
            key = (queued.status.kind.value, _reason(queued, refusal), self._is_stuck(queued))
            counts[key] += 1
            examples.setdefault(key, queued.launch.run.name)
        return [QueueLine(*key[:2], count, examples[key], key[2]) for key, count in counts.most_common()]

    def _is_stuck(self, queued: QueuedAttempt) -> bool:
        if queued.array is None or queued.status.kind is not JobState.PENDING:
            return False
        record = self._poller.record_of((queued.array.name, queued.index))
        return record is not None and record.is_stuck


def _is_closed(queued: QueuedAttempt, paths: AttemptPaths) -> bool:
    """Whether an attempt never starts; a cancelled one has nothing to start from where the search folder was deleted.

    Raises:
        OSError: That cannot be made sure.
    """
    try:
        return close_fence(paths, queued.launch.ident)
    except FileNotFoundError:
        if not queued.is_cancelled:
            raise
        return True


def _node(evidence: Evidence, paths: AttemptPaths) -> str:
    """The node an attempt that has ended was on; empty: it is not known."""
    host = read_fence(paths).host if evidence.has_started else ''
    return node_name(host) or _listed_node(evidence)


def _listed_node(evidence: Evidence) -> str:
    record = evidence.job.record if evidence.job is not None else None
    return '' if record is None else record.node


def _is_overdue(limit: float | None, paths: AttemptPaths) -> bool:
    """Whether an attempt began longer ago than its job may run."""
    seconds = duration(paths)
    return limit is not None and seconds is not None and seconds > limit + LIMIT_GRACE


def _reason(queued: QueuedAttempt, refusal: str) -> str:
    if queued.status.kind is JobState.WAITING:
        return refusal
    return '' if queued.status.kind is JobState.RUNNING else queued.status.detail
