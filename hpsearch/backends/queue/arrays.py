"""The arrays of jobs in a queue: what is known of them, and their shares of the jobs."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from hpsearch.backends.base import AttemptStatus, Launch
from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult, JobSpec
from hpsearch.backends.queue.commands import CommandRunner
from hpsearch.backends.queue.throttle import Division, Share, shares
from hpsearch.model.jobs import JobState

log = logging.getLogger('hpsearch')


@dataclass(frozen=True)
class QueueSettings:
    """How jobs are made.

    Attributes:
        num_jobs: Jobs at a time.
        holds: Whether attempts that the queue does not accept wait here; otherwise they are given back.
        prologue: Shell lines before each run.
        signal: What a script is sent before its time limit; empty: nothing.
        warning: Seconds before the time limit at which it is sent.
        most_memory: MiB that a run which ran out of memory is given at most; None: there is no bound.
    """

    num_jobs: int
    holds: bool = True
    prologue: str = ''
    signal: str = ''
    warning: int = 0
    most_memory: int | None = None


@dataclass(slots=True, eq=False)
class QueuedAttempt:
    """One attempt.

    Attributes:
        launch: The attempt.
        array: Its submission, or None while it waits to be submitted.
        index: Its index there.
        status: What was last told of it.
        doubt_since: Since when a piece of evidence is waited for, in monotonic seconds; None: none is.
        look_until: Until when its record is looked for at every opportunity, in monotonic seconds: it told of its end.
        is_cancelled: Whether we asked for its end.
    """

    launch: Launch
    array: JobArray | None = None
    index: int = 0
    status: AttemptStatus = field(default_factory=lambda: AttemptStatus(JobState.WAITING))
    doubt_since: float | None = None
    look_until: float = float('-inf')
    is_cancelled: bool = False

    def note_doubt(self, now: float | None) -> None:
        """A piece of evidence is waited for now; None: none is."""
        self.doubt_since = now if now is None or self.doubt_since is None else self.doubt_since


@dataclass(frozen=True, slots=True)
class PreparedSubmission:
    """What is sent, and sent again as it was, until a submission is accepted: its job and its script."""

    job: JobSpec
    script: str


@dataclass(slots=True, eq=False)
class JobArray:
    """One submission.

    Attributes:
        name: Of its job.
        at: When it was made, in seconds since 1970.
        throttle: Elements that the queue may let run at a time; at least as many as it really does.
        ceiling: Elements that may be running in fact.
        members: Its elements that have not ended and that we look after, by their indices, from 1.
        told: The throttle that the queue is known to have; None: it is not known.
        throttled_at: When it was last asked to change it, in monotonic seconds.
        is_throttling: Whether it was asked to change it and has not answered.
        job: Its id; empty while it is not known.
        is_shared: Whether another writer may look after some of its elements.
        is_sent: Whether the queue was asked to accept it and has not answered.
        is_lost: Whether the answer was lost: it may have been accepted.
        retry_at: When a lost one is looked for, in monotonic seconds.
        tries: How often it was sent.
        unsent: What is sent; None: it was accepted.
        hints: Bytes of its hints that have been read.
        to_cancel: Indices whose cancellation is still to be asked for.
        force: Whether without asking them.
    """

    name: str
    at: float
    throttle: int
    ceiling: int
    members: dict[int, QueuedAttempt] = field(default_factory=dict)
    told: int | None = None
    throttled_at: float = float('-inf')
    is_throttling: bool = False
    job: str = ''
    is_shared: bool = False
    is_sent: bool = False
    is_lost: bool = False
    retry_at: float = 0.0
    tries: int = 0
    unsent: PreparedSubmission | None = None
    hints: int = 0
    to_cancel: set[int] = field(default_factory=set)
    force: bool = False

    @property
    def left(self) -> Collection[int]:
        """Indices of its elements that have not ended and that we look after."""
        return self.members.keys()

    def is_all(self, indices: Collection[int]) -> bool:
        """Whether these are all elements that it has left, also for others."""
        return not self.is_shared and len(indices) == len(self.members)

    @property
    def share(self) -> Share:
        """What it has of the jobs."""
        size = len(self.members)
        return Share(self.throttle, size, min(self.ceiling, size))

    def count(self, kind: JobState) -> int:
        """How many of its elements were last seen so."""
        return sum(member.status.kind is kind for member in self.members.values())


class Throttles:
    """Shares the number of jobs among arrays, by their throttles.

    Args:
        system: The queue system.
        commands: Executes its commands.
        num_jobs: Jobs at a time, of all arrays together.
    """

    def __init__(self, system: BatchSystem, commands: CommandRunner, num_jobs: int) -> None:
        self._system = system
        self._commands = commands
        self._num_jobs = num_jobs

    def divide(self, arrays: Iterable[JobArray], *, wants_new: bool) -> Division:
        """What each array should have, and what is left for another one."""
        return shares([array.share for array in arrays], self._num_jobs, wants_new=wants_new)

    def balance(self, arrays: Sequence[JobArray], now: float, listed_at: float, *, wants_new: bool) -> None:
        """Give each array its share, after a listing.

        Args:
            arrays: Those that are alive, the oldest first.
            now: Monotonic seconds.
            listed_at: When the listing was asked for.
            wants_new: Whether something is to be left for another array.
        """
        for array in arrays:
            if listed_at > array.throttled_at and not array.is_throttling:
                array.ceiling = max(array.throttle, array.count(JobState.RUNNING))
        throttles = self.divide(arrays, wants_new=wants_new).throttles
        for array, throttle in zip(arrays, throttles, strict=True):
            if throttle != array.throttle or (array.told is None and array.job):
                self._change(array, throttle, now)

    def _change(self, array: JobArray, throttle: int, now: float) -> None:
        """An array whose elements all run, or that has only one, needs no other throttle."""
        is_needed = len(array.members) > 1 and array.count(JobState.PENDING) > 0
        words = self._system.throttle_argv(array.job, throttle) if array.job and is_needed else []
        if not words or array.is_throttling:
            return
        before = array.throttle
        array.throttle = max(before, throttle)
        array.ceiling = max(array.ceiling, array.throttle)
        array.is_throttling, array.throttled_at = True, now
        log.debug('%s may run %d jobs at a time', array.name, throttle)
        self._commands.ask(words, lambda answer: self._take(array, throttle, answer))

    def _take(self, array: JobArray, throttle: int, answer: CommandResult) -> None:
        """One that may have failed is asked for again after the next listing; until then the larger one counts."""
        array.is_throttling = False
        if answer.code == 0:
            array.throttle = array.told = throttle
        else:
            array.told = None
            log.debug('the throttle of %s could not be changed: %s', array.name, answer.err.strip())


def in_arrays(queued: Iterable[QueuedAttempt]) -> Mapping[JobArray, list[int]]:
    """Array to the indices of these attempts in it."""
    found: dict[JobArray, list[int]] = {}
    for each in queued:
        if each.array is not None:
            found.setdefault(each.array, []).append(each.index)
    return found


def read_hints(array: JobArray, path: str) -> list[int]:
    """Indices that were appended to the hints of an array since the last time; a line that is not whole waits."""
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
