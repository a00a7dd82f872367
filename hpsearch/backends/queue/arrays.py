"""Arrays of attempts: making them of the attempts that wait, submitting them, and dividing the jobs among them."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hpsearch.backends.base import AttemptStatus, Avoided, Launch
from hpsearch.backends.queue.avoidance import Avoidance
from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult, JobSpec, QueueLimits
from hpsearch.backends.queue.commands import CommandRunner
from hpsearch.backends.queue.job_script import ScriptElement, array_script
from hpsearch.backends.queue.submission import (
    JobArray,
    Outcome,
    PreparedJob,
    QueueContext,
    SubmissionEvent,
    Submitter,
    submission_name,
)
from hpsearch.backends.queue.throttle import Division, Share, cut, first_throttles, shares
from hpsearch.model.command import encoded, shell_line, shell_word
from hpsearch.model.evidence import JobState
from hpsearch.model.retries import room_in_queue
from hpsearch.model.units import count_of
from hpsearch.store.attempt_files import close_fence, fence_job
from hpsearch.store.folder import SearchFolder

log = logging.getLogger('hpsearch')

SCRIPT_BYTES = 2_000_000
"""Maximum size of a job script; Slurm's own limit is 4 MB."""

REFILL = 0.25
"""Fraction of the queue's limit that must be free before it is filled up again, while enough jobs are in it."""

NOT_ACCEPTED = AttemptStatus(JobState.ENDED, cause='abandoned', detail='it had not been accepted')

NOT_SUBMITTED = AttemptStatus(JobState.ENDED, cause='abandoned', detail='it had not been submitted')


# Values


@dataclass(frozen=True)
class QueueSettings:
    """How jobs are made.

    Attributes:
        num_jobs: Maximum number of jobs that run at a time.
        holds: Whether attempts that the queue does not accept wait here; otherwise they are given back.
        prologue: Shell lines before each run.
        signal: Signal that a script is sent before its time limit; empty: none.
        warning: Seconds before the time limit at which it is sent.
        most_memory: MiB that a run which ran out of memory gets at most; None: there is no bound.
        declared_dead: Names of hosts that the user declared dead: jobs there that the queue does not know have ended.
        most_attempts: Maximum number of attempts in the queue, whether or not they run; None: as many as it takes.
    """

    num_jobs: int
    holds: bool = True
    prologue: str = ''
    signal: str = ''
    warning: int = 0
    most_memory: int | None = None
    declared_dead: tuple[str, ...] = ()
    most_attempts: int | None = None


@dataclass(slots=True, eq=False)
class QueuedAttempt:
    """One attempt.

    Attributes:
        launch: The attempt.
        array: Its submission; None while it waits to be submitted.
        index: Its index there.
        status: Its status.
        doubt_since: Since when evidence is awaited, in monotonic seconds; None: none is.
        look_until: Until when its record is looked for in every round, in monotonic seconds: it hinted at its end.
        is_cancelled: Whether it was cancelled by us.
        withdrawn_at: When its job was cancelled so that its run can be planned again, in monotonic seconds, or None.
    """

    launch: Launch
    array: AttemptArray | None = None
    index: int = 0
    status: AttemptStatus = field(default_factory=lambda: AttemptStatus(JobState.WAITING))
    doubt_since: float | None = None
    look_until: float = float('-inf')
    is_cancelled: bool = False
    withdrawn_at: float | None = None

    def note_doubt(self, now: float | None) -> None:
        """Note that evidence is awaited at a time; None: none is."""
        self.doubt_since = now if now is None or self.doubt_since is None else self.doubt_since


@dataclass(slots=True, eq=False)
class AttemptArray(JobArray[QueuedAttempt]):
    """A submission whose elements are attempts.

    Attributes:
        throttle: Elements that the batch system may let run at a time; at least as many as it really does.
        ceiling: Elements that may be running in fact.
        known_throttle: The throttle that the batch system is known to have; None: it is not known.
        throttled_at: When the latest change of it was requested, in monotonic seconds.
        is_throttling: Whether a change was requested and there is no answer yet.
        hints: Bytes of its hints that have been read.
    """

    throttle: int = 0
    ceiling: int = 0
    known_throttle: int | None = None
    throttled_at: float = float('-inf')
    is_throttling: bool = False
    hints: int = 0

    @property
    def share(self) -> Share:
        """Its share of the jobs."""
        size = len(self.members)
        return Share(self.throttle, size, min(self.ceiling, size))

    def count(self, kind: JobState) -> int:
        """How many of its elements are in a state."""
        return sum(member.status.kind is kind for member in self.members.values())

    def job_by_files(self, folder: SearchFolder) -> str:
        """The job that passed the start fence of one of its attempts; empty: none did.

        Raises:
            OSError: A fence cannot be read.
        """
        paths = (folder.attempt(each.launch.run.name, each.launch.number) for each in self.members.values())
        return next(filter(None, map(fence_job, paths)), '')

    def close(self, folder: SearchFolder) -> bool:
        """Make sure that none of its attempts ever starts.

        Raises:
            OSError: A fence cannot be closed.
        """
        launches = [member.launch for member in self.members.values()]
        closed = [close_fence(folder.attempt(each.run.name, each.number), each.ident) for each in launches]
        return all(closed)


Change = tuple[QueuedAttempt, AttemptStatus]
"""An attempt and its new status."""


def indices_by_array(attempts: Iterable[QueuedAttempt]) -> Mapping[AttemptArray, list[int]]:
    """The arrays of attempts, with the indices of the attempts."""
    found: dict[AttemptArray, list[int]] = {}
    for queued in attempts:
        if queued.array is not None:
            found.setdefault(queued.array, []).append(queued.index)
    return found


# Scripts


@dataclass(frozen=True)
class ArrayMaker:
    """Makes array jobs of attempts.

    Attributes:
        folder: The search.
        cwd: Working directory of the attempts.
        system: The batch system.
        settings: How jobs are made.
    """

    folder: SearchFolder
    cwd: str
    system: BatchSystem
    settings: QueueSettings

    def prepare(
        self,
        name: str,
        launches: Sequence[Launch],
        throttle: int,
        memory: int | None = None,
        avoided: tuple[str, ...] = (),
    ) -> PreparedJob:
        """An array of as many of these attempts, from the first one on, as fit into one script.

        Args:
            name: Name of the submission.
            launches: Attempts that need the same; at least one.
            throttle: Elements that may run at a time.
            memory: MiB of memory instead of the configured amount, or None.
            avoided: Nodes that they must not run on.
        """
        chosen, prepared = launches, self._prepare_all(name, launches, throttle, memory, avoided)
        while (size := len(prepared.script.encode('utf-8', 'surrogateescape'))) > SCRIPT_BYTES and len(chosen) > 1:
            chosen = chosen[: max(1, min(len(chosen) * SCRIPT_BYTES // size, len(chosen) - 1))]
            share = max(1, throttle * len(chosen) // len(launches))  # the others will need some of it
            prepared = self._prepare_all(name, chosen, share, memory, avoided)
        return prepared

    def _prepare_all(
        self, name: str, launches: Sequence[Launch], throttle: int, memory: int | None, avoided: tuple[str, ...]
    ) -> PreparedJob:
        size, log_path = len(launches), self.folder.submission(name).log
        job = JobSpec(name, size, min(throttle, size), log_path, memory, self.settings.warning, avoided)
        script = array_script(
            folder=self.folder,
            name=name,
            elements=[ScriptElement(each.run.name, each.number, each.ident, each.words) for each in launches],
            cwd=self.cwd,
            variables=self.system.variables,
            prologue=self.settings.prologue,
            signal=self.settings.signal,
            header=shell_line(self.system.submit_argv(job)),
        )
        return PreparedJob(job, script)


def why_no_script(argv: Sequence[str]) -> str:
    """Why no job script can hold a command, in words; empty: one can."""
    size = sum(len(encoded(shell_word(text))) + 1 for text in argv)
    return f'its job script would have {size:,} bytes, and may have {SCRIPT_BYTES:,}' if size > SCRIPT_BYTES else ''


# Throttles


class Throttles:
    """Divides the number of jobs among arrays, by their throttles.

    Args:
        system: The batch system.
        runner: Runs its commands.
        num_jobs: Maximum number of jobs that run at a time, of all arrays together.
    """

    def __init__(self, system: BatchSystem, runner: CommandRunner, num_jobs: int) -> None:
        self._system = system
        self._runner = runner
        self._num_jobs = num_jobs

    def divide(self, arrays: Iterable[AttemptArray], *, wants_new: bool) -> Division:
        """What each array should have, and what is left for another one."""
        return shares([array.share for array in arrays], self._num_jobs, wants_new=wants_new)

    def balance(self, arrays: Sequence[AttemptArray], now: float, listed_at: float, *, wants_new: bool) -> None:
        """Give each array its share, after a listing.

        Args:
            arrays: The arrays, the oldest first.
            now: Monotonic seconds.
            listed_at: When the listing was requested, in monotonic seconds.
            wants_new: Whether something is to be left for another array.
        """
        for array in arrays:
            if listed_at > array.throttled_at and not array.is_throttling:
                array.ceiling = max(array.throttle, array.count(JobState.RUNNING))
        throttles = self.divide(arrays, wants_new=wants_new).throttles
        for array, throttle in zip(arrays, throttles, strict=True):
            if throttle != array.throttle or (array.known_throttle is None and array.job):
                self._change(array, throttle, now)

    def _change(self, array: AttemptArray, throttle: int, now: float) -> None:
        """An array whose elements all run, or that has only one, needs no other throttle."""
        is_needed = len(array.members) > 1 and array.count(JobState.PENDING) > 0
        argv = self._system.throttle_argv(array.job, throttle) if array.job and is_needed else []
        if not argv or array.is_throttling:
            return
        array.throttle = max(array.throttle, throttle)
        array.ceiling = max(array.ceiling, array.throttle)
        array.is_throttling, array.throttled_at = True, now
        log.debug('%s may run %s at a time', array.name, count_of(throttle, 'job'))
        self._runner.run(argv, lambda answer: self._receive(array, throttle, answer))

    def _receive(self, array: AttemptArray, throttle: int, answer: CommandResult) -> None:
        """A change that may have failed is repeated after the next listing; until then the larger throttle counts."""
        array.is_throttling = False
        if answer.code == 0:
            array.throttle = array.known_throttle = throttle
        else:
            array.known_throttle = None
            log.debug('the throttle of %s could not be changed: %s', array.name, answer.err.strip())


# Attempts that wait, and attempts in arrays


class AttemptQueue:
    """Attempts that wait to be submitted, and the arrays that were.

    Attributes:
        waiting: Attempts that are in no array yet.
        is_final: Whether the queue will never accept any.
        has_given_back: Whether attempts were given back because the queue did not accept them.

    Args:
        context: The search and its queue.
        settings: How jobs are made.
    """

    def __init__(self, context: QueueContext, settings: QueueSettings) -> None:
        self._context = context
        self._settings = settings
        self._submitter: Submitter[AttemptArray] = Submitter(context)
        self._maker = ArrayMaker(context.folder, context.cwd, context.system, settings)
        self._throttles = Throttles(context.system, context.runner, settings.num_jobs)
        self._avoidance = Avoidance(context.system, context.runner)
        self._end_reason = ''
        self._wants_new = False
        self.waiting: deque[QueuedAttempt] = deque()
        self.is_final = False
        self.has_given_back = False

    # What there is

    @property
    def arrays(self) -> Mapping[str, AttemptArray]:
        """Arrays that have elements left, by name."""
        return self._submitter.arrays

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits to be submitted, or may have been."""
        return not self.waiting and not self._submitter.is_busy

    @property
    def refusal(self) -> str:
        """Why the queue accepts no more, as the batch system puts it; empty: it does."""
        return self._end_reason or self._submitter.refusal

    def why_waiting(self) -> str:
        """Why attempts wait to be submitted."""
        problem = self._submitter.problem or self._context.poller.problem
        return problem or 'for room beside the jobs that run'

    def has_room(self) -> bool:
        """Whether another array may have jobs now; if not, the others give some up after the next listing."""
        self._wants_new = True
        return self._spare() > 0

    def _spare(self) -> int:
        return self._throttles.divide(self.arrays.values(), wants_new=True).spare

    # Attempts come and go

    def add(self, attempts: Iterable[QueuedAttempt]) -> None:
        """Let attempts wait to be submitted."""
        self.waiting.extend(attempts)
        self._wants_new = False

    def adopt(self, queued: QueuedAttempt, array: AttemptArray, index: int) -> None:
        """Look after an attempt in an array that another writer submitted."""
        queued.array, queued.index = array, index
        array.members[index] = queued
        array.memory = queued.launch.resources.memory
        self._submitter.adopt(array)

    def drop(self, queued: QueuedAttempt) -> None:
        """Let go of an attempt."""
        array = queued.array
        if array is None:
            if queued.status.kind is JobState.WAITING:
                self._take_out((queued,))
            return
        array.members.pop(queued.index, None)
        self._context.poller.drop((array.name, queued.index))
        if not array.members:
            self._submitter.forget(array)

    def cancel(self, attempts: Sequence[QueuedAttempt], *, force: bool) -> list[Change]:
        """Cancel attempts; those that wait here end at once."""
        waiting = [queued for queued in attempts if queued.array is None]
        for queued in attempts:
            queued.is_cancelled = True
        for array, indices in indices_by_array(attempts).items():
            self._submitter.cancel(array, indices, force=force)
        self._take_out(waiting)
        return [(queued, NOT_SUBMITTED) for queued in waiting]

    def withdraw(self, queued: QueuedAttempt, now: float) -> None:
        """Cancel the job of an attempt that has ended, or never will begin, so that its run can be planned again."""
        if queued.array is not None and queued.withdrawn_at is None:
            queued.withdrawn_at = now
            self._submitter.cancel(queued.array, (queued.index,), force=False)

    def _take_out(self, gone: Iterable[QueuedAttempt]) -> None:
        out = set(map(id, gone))
        self.waiting = deque(queued for queued in self.waiting if id(queued) not in out)

    def avoid(self, nodes: frozenset[str], now: float) -> Avoided:
        """Keep attempts away from nodes: those that wait, here or in the queue."""
        return self._avoidance.avoid(nodes, now)

    # Submitting

    def step(self, now: float) -> list[Change]:
        """Take in the outcomes of submissions, and send what may be sent now; returns what changed."""
        changes: list[Change] = []
        for event in self._submitter.step(now):
            changes += self._take_outcome(event, now)
        self._avoidance.apply(self.arrays.values(), now)
        limits = self._submitter.limits(now)
        if limits is not None and self.waiting and not self.is_final:
            changes += self._submit_next(limits, now)
        return changes

    def accepted(self, array: AttemptArray, job: str) -> None:
        """Note that the job of an array is in the queue, as a listing or a start fence shows."""
        self._submitter.accepted(array, job)

    def after_listing(self, now: float, listed_at: float) -> None:
        """Divide the jobs again and repeat cancellations.

        Args:
            now: Monotonic seconds.
            listed_at: When the listing was requested, in monotonic seconds.
        """
        wants_new = self._wants_new or (bool(self.waiting) and self._submitter.room(now) != 0)
        self._wants_new = False
        self._throttles.balance(list(self.arrays.values()), now, listed_at, wants_new=wants_new)
        self._submitter.resume_cancelling()

    def _submit_next(self, limits: QueueLimits, now: float) -> list[Change]:
        """Submit the first of the arrays that the attempts in front make, if there is room for it."""
        memory = self.waiting[0].launch.resources.memory
        count = self._how_many(memory, now)
        sizes = cut(count, limits.array) if count else []
        throttle = first_throttles(sizes, self._spare())[0] if sizes else 0
        if throttle:
            self._submit(sizes[0], throttle, memory, now)
        elif not self._settings.holds:
            return self._give_back(self.refusal or 'all jobs at a time are in use')
        return []

    def _how_many(self, memory: int | None, now: float) -> int:
        """How many to submit; not a few at a time while the queue has enough of them."""
        alike = sum(1 for _ in _alike(self.waiting, memory))
        live, limit = self._submitter.live, self._submitter.limit
        room = self._submitter.room(now)
        if room is None:
            return alike
        has_enough = self._settings.holds and live > self._settings.num_jobs
        if has_enough and limit is not None and room < min(alike, REFILL * limit):
            return 0
        return min(alike, room)

    def _submit(self, size: int, throttle: int, memory: int | None, now: float) -> None:
        chosen = [self.waiting.popleft() for _ in range(size)]
        name = submission_name(self._context.folder, self._context.salt())
        launches, avoided = [each.launch for each in chosen], self._avoidance.nodes
        unsent = self._maker.prepare(name, launches, throttle, memory, avoided)
        members, allowed = chosen[: unsent.job.size], unsent.job.throttle
        self.waiting.extendleft(reversed(chosen[len(members) :]))
        array = AttemptArray(name, self._context.wall(), dict(enumerate(members, start=1)), unsent=unsent)
        array.throttle = array.ceiling = array.known_throttle = allowed
        array.memory, array.avoided = memory, avoided
        attempts = [[each.launch.run.name, each.launch.number] for each in members]
        room = room_in_queue(memory or self._context.system.memory, self._settings.most_memory)
        content = {'attempts': attempts, 'throttle': allowed, 'room': room}
        if not self._submitter.submit(array, content, now):
            self.waiting.extendleft(reversed(members))
            return
        for index, queued in array.members.items():
            queued.array, queued.index = array, index

    # Outcomes

    def _take_outcome(self, event: SubmissionEvent[AttemptArray], now: float) -> list[Change]:
        match event.outcome:
            case Outcome.ACCEPTED:
                status = AttemptStatus(JobState.PENDING, detail='submitted')
                members = event.array.members.values()
                return [(queued, status) for queued in members if queued.status.kind is JobState.WAITING]
            case Outcome.WITHDRAWN:
                return [(queued, NOT_ACCEPTED) for queued in event.array.members.values()]
            case Outcome.REFUSED:
                changes = self._take_back(event.array)
                is_given_back = not self._settings.holds and not self._submitter.room(now)
                return changes + (self._give_back(event.message) if is_given_back else [])
            case Outcome.REJECTED:
                return self._take_back(event.array) + self._reject(event)

    def _take_back(self, array: AttemptArray) -> list[Change]:
        """The attempts of a submission that was not accepted wait again, in front; cancelled ones have ended."""
        members = list(array.members.values())
        for queued in members:
            queued.array, queued.index = None, 0
        self.waiting.extendleft(reversed([queued for queued in members if not queued.is_cancelled]))
        return [(queued, NOT_SUBMITTED) for queued in members if queued.is_cancelled]

    def _give_back(self, message: str) -> list[Change]:
        self._end_reason, self.has_given_back = message, True
        return self._end_waiting(list(self.waiting), 'start', message)

    def _reject(self, event: SubmissionEvent[AttemptArray]) -> list[Change]:
        """If it was runs with more memory that were rejected they have failed, else nothing more is submitted."""
        members = [queued for queued in event.array.members.values() if not queued.is_cancelled]
        if members and members[0].launch.resources.memory is not None:
            return self._end_waiting(members, 'impossible', event.message)
        self.is_final, self._end_reason = True, event.message
        return self._end_waiting(list(self.waiting), 'refused', event.message)

    def _end_waiting(self, waiting: Sequence[QueuedAttempt], cause: str, detail: str) -> list[Change]:
        self._take_out(waiting)
        status = AttemptStatus(JobState.ENDED, cause=cause, detail=detail)
        return [(queued, status) for queued in waiting]


def adopted_array(name: str, handle: Mapping[str, Any], at: float, throttle: int, job: str) -> AttemptArray:
    """An array that another writer submitted.

    Args:
        name: Its name.
        handle: The handle of one of its attempts.
        at: When it was submitted, in seconds since 1970, if the handle does not say.
        throttle: Its throttle, if the handle does not say.
        job: The id of its job, if the handle does not say; empty: it is not known.
    """
    throttle = int(handle.get('throttle', throttle))
    at, limit = float(handle.get('at', at)), handle.get('limit')
    place = str(handle.get('place', ''))
    array = AttemptArray(name, at, job=str(handle.get('job') or job), limit=limit, place=place, is_shared=True)
    array.throttle = array.ceiling = throttle
    return array


def _alike(waiting: Iterable[QueuedAttempt], memory: int | None) -> Iterator[QueuedAttempt]:
    """The attempts in front that need the same memory."""
    for queued in waiting:
        if queued.launch.resources.memory != memory:
            return
        yield queued


def read_hints(array: AttemptArray, path: str) -> list[int]:
    """Indices that were appended to the hints of an array since the last call; an incomplete line is left for later."""
    try:
        if os.stat(path).st_size == array.hints:
            return []
        with open(path, 'rb') as hints:
            hints.seek(array.hints)
            data = hints.read()
    except OSError:
        return []  # no element has ended yet
    whole = data[: data.rfind(b'\n') + 1]
    array.hints += len(whole)
    return [int(word) for word in whole.split() if word.isdigit() and len(word) < 10]
