"""The lifecycle of a submission, whatever its jobs are.

A submission is an array of jobs. It is journaled before it is sent, under a unique name, so that a lost answer does no
harm: the job is looked for by its name before it is sent again. One submission is under way at a time::

    announced -> sent -> accepted
                  | ^ -> refused (too many jobs, or the queue is closed: fewer, or later)
                  | |    rejected (never)
                  v |    withdrawn (cancelled, and never accepted)
                  lost
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult, JobSpec, QueueLimits, Refusal, SubmitResult
from hpsearch.backends.queue.commands import SUBMIT_TIMEOUT, CommandRunner
from hpsearch.backends.queue.limits import RETRY, LimitsQuery, SubmitWindow
from hpsearch.backends.queue.poller import JobPoller
from hpsearch.host.signals import Wakeup
from hpsearch.model.evidence import JobRecord, JobState
from hpsearch.model.units import count_of
from hpsearch.store.folder import SearchFolder
from hpsearch.store.whole_files import write_whole

log = logging.getLogger('hpsearch')

LONGEST_RETRY = 300.0
"""Maximum seconds until a submission without an answer is looked for."""


# Values


@dataclass(frozen=True)
class QueueContext:
    """What everything that makes jobs for a search shares.

    Attributes:
        folder: The search.
        cwd: Working directory of the jobs.
        system: The batch system.
        runner: Runs its commands.
        poller: Knows what became of jobs.
        wakeup: Ends waiting.
        note: Writes an event to the journal; returns False if that failed.
        salt: Random letters for the names of submissions.
        wall: Seconds since 1970.
        resent: Names of submissions that were sent more than once, so that there may be several jobs of each.
    """

    folder: SearchFolder
    cwd: str
    system: BatchSystem
    runner: CommandRunner
    poller: JobPoller
    wakeup: Wakeup
    note: Callable[[dict[str, Any]], object]
    salt: Callable[[], str] = lambda: os.urandom(3).hex()
    wall: Callable[[], float] = time.time
    resent: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """What is sent, and sent again unchanged, until a submission is accepted."""

    job: JobSpec
    script: str


MemberT = TypeVar('MemberT')


@dataclass(slots=True, eq=False)
class JobArray(Generic[MemberT]):
    """One submission, from before it is sent until none of its elements is left.

    Attributes:
        name: Name of its job.
        at: When it was made, in seconds since 1970.
        members: Elements that have not ended and that this process looks after, by their indices, from 1.
        job: Id of its job; empty while it is not known.
        limit: Seconds that each of its elements may run; None: not known.
        place: Where its elements look for the search folder; empty: where it is, as far as is known.
        unsent: What is sent until it is accepted; None: it was accepted, or another writer sent it.
        is_shared: Whether another writer may look after some of its elements.
        is_sent: Whether it was sent and there is no answer yet.
        is_lost: Whether the answer was lost: it may have been accepted.
        retry_at: When a lost one is looked for, in monotonic seconds.
        tries: How often it was sent.
        to_cancel: Indices of elements that are still to be cancelled.
        forced: Those of its elements that are not given time to end.
        memory: MiB that each element was given, where that is not the usual.
        avoided: Nodes that its pending elements avoid.
        avoid_at: When that may be changed (again), in monotonic seconds.
    """

    name: str
    at: float
    members: dict[int, MemberT] = field(default_factory=dict)
    job: str = ''
    limit: float | None = None
    place: str = ''
    unsent: PreparedJob | None = None
    is_shared: bool = False
    is_sent: bool = False
    is_lost: bool = False
    retry_at: float = 0.0
    tries: int = 0
    to_cancel: set[int] = field(default_factory=set)
    forced: set[int] = field(default_factory=set)
    memory: int | None = None
    avoided: tuple[str, ...] = ()
    avoid_at: float = float('-inf')

    @property
    def is_cancelled(self) -> bool:
        """Whether all its elements are to be cancelled, as soon as its job is known."""
        return self.to_cancel.issuperset(self.members)

    def is_all(self, indices: Collection[int]) -> bool:
        """Whether these are all elements that are left, also those of other writers."""
        return not self.is_shared and len(indices) == len(self.members)

    def job_by_files(self, folder: SearchFolder) -> str:
        """The id of its job by files that its elements left in the search folder; empty: there are none.

        Raises:
            OSError: A file cannot be read.
        """
        del folder
        return ''

    def close(self, folder: SearchFolder) -> bool:
        """Make sure that none of its elements ever starts what it is for; returns False if one has started.

        Raises:
            OSError: That cannot be made sure.
        """
        del folder
        return True


ArrayT = TypeVar('ArrayT', bound=JobArray[Any])


class Outcome(Enum):
    """What became of a submission."""

    ACCEPTED = 'accepted'
    REFUSED = 'refused'
    """There are too many jobs for now, or the queue is closed."""
    REJECTED = 'rejected'
    """It will never be accepted as it is."""
    WITHDRAWN = 'withdrawn'
    """It was cancelled, and is not in the queue."""


@dataclass(frozen=True, slots=True)
class SubmissionEvent(Generic[ArrayT]):
    """A submission has been decided. If it was not accepted it is no longer among the arrays.

    Attributes:
        array: The submission.
        outcome: What became of it.
        message: What the batch system printed about it.
    """

    array: ArrayT
    outcome: Outcome
    message: str = ''


def submission_name(folder: SearchFolder, salt: str) -> str:
    """A unique name for a submission, of letters, digits and hyphens.

    Args:
        folder: The search.
        salt: Random letters.
    """
    search = re.sub(r'[^A-Za-z0-9]', '', folder.path.name)[-14:] or 'search'
    return f'hps-{search}-{salt}'


def retry_pause(tries: int) -> float:
    """Seconds before the next step, after ``tries`` that were not answered, or refused because the queue is closed."""
    return min(LONGEST_RETRY, RETRY * 2.0 ** min(tries - 1, 5))


def is_left_by_refusal(record: JobRecord) -> bool:
    """Whether a job ended nowhere and without a cause: some refusals leave such a job behind."""
    return record.kind is JobState.ENDED and not record.cause and not record.where


# The lifecycle


class Submitter(Generic[ArrayT]):
    """Submits arrays of jobs, and sees each through until the batch system has decided on it.

    Attributes:
        arrays: Arrays that have elements left, by name.

    Args:
        context: The search and its queue.
    """

    def __init__(self, context: QueueContext) -> None:
        self._context = context
        self._system = context.system
        self._poller = context.poller
        self._canceller = Canceller(context.system, context.runner, context.poller)
        self._limits = LimitsQuery(context.system, context.runner, context.poller)
        self._window = SubmitWindow()
        self._problem = ''
        self._retry_at = self._closed_until = float('-inf')
        self._closings = 0
        self._unread: list[tuple[ArrayT, SubmitResult]] = []
        self._events: list[SubmissionEvent[ArrayT]] = []
        self.arrays: dict[str, ArrayT] = {}

    # Whether more is accepted

    @property
    def refusal(self) -> str:
        """Why the batch system did not accept the latest submission; empty: it did."""
        return self._problem

    @property
    def problem(self) -> str:
        """Why nothing can be submitted at the moment, as far as that is known; empty: something can."""
        return self._problem or self._limits.problem or self._owed

    @property
    def _owed(self) -> str:
        """The answer to a submission that is awaited, in words; empty: none is."""
        sent = (array.unsent for array in self.arrays.values() if array.is_sent)
        return next((f'{self._system.submit_argv(each.job)[0]} has not answered yet' for each in sent if each), '')

    @property
    def is_busy(self) -> bool:
        """Whether a submission is under way, or may have been accepted."""
        return any(array.is_sent or array.is_lost for array in self.arrays.values()) or bool(self._unread)

    @property
    def live(self) -> int:
        """Number of elements in the queue."""
        return sum(len(array.members) for array in self.arrays.values() if array.job)

    def room(self, now: float) -> int | None:
        """How many jobs the batch system may accept now; 0: none; None: any number."""
        return 0 if now < self._closed_until else self._window.room(self.live, now)

    @property
    def limit(self) -> int | None:
        """How many jobs it accepts in all, as far as it is known."""
        return self._window.limit

    def limits(self, now: float) -> QueueLimits | None:
        """The limits of the system, if something may be submitted now; else None."""
        limits = self._limits.get(now)
        if self.is_busy:
            return None
        return limits if now >= self._retry_at or self.room(now) else None

    # Sending

    def adopt(self, array: ArrayT) -> None:
        """Look after an array that another writer submitted."""
        self.arrays[array.name] = array

    def submit(self, array: ArrayT, content: Mapping[str, Any], now: float) -> bool:
        """Journal a submission and send it; its outcome comes with :meth:`step`.

        Args:
            array: The submission, with what is to be sent.
            content: What the journal says of its elements.
            now: Monotonic seconds.

        Returns:
            Whether it was sent. If it could not be journaled, nothing is submitted for a while.
        """
        problem = self._announce(array, content)
        if problem:
            self._problem, self._retry_at = problem, now + RETRY
            return False
        self.arrays[array.name] = array
        self._send(array)
        return True

    def _announce(self, array: ArrayT, content: Mapping[str, Any]) -> str:
        assert array.unsent is not None
        folder = self._context.folder
        try:
            folder.submissions_dir.mkdir(exist_ok=True)
            write_whole(folder.submission(array.name).script, array.unsent.script)
        except OSError as error:
            return f'the search folder cannot be written: {error.strerror}'
        array.limit, array.place = self._system.time_limit, str(folder.path)
        limit = {'limit': array.limit} if array.limit is not None else {}
        event = {'event': 'submitting', 'queue': self._system.name, 'submission': array.name, **content, **limit}
        is_noted = self._context.note({**event, 'place': array.place, 'at': round(array.at, 3)})
        return 'the journal cannot be written' if is_noted is False else ''

    def _send(self, array: ArrayT) -> None:
        assert array.unsent is not None
        array.is_sent, array.is_lost = True, False
        array.tries += 1
        if array.tries > 1:
            self._context.resent.add(array.name)
        job, script = array.unsent.job, array.unsent.script
        log.debug('submitting %s as %s', count_of(job.size, 'job'), array.name)
        stdin = self._system.submit_stdin(script, str(self._context.folder.submission(array.name).script))
        self._context.runner.run(
            self._system.submit_argv(job),
            lambda answer: self._receive(array, answer),
            stdin=stdin,
            timeout=SUBMIT_TIMEOUT,
        )

    def _receive(self, array: ArrayT, answer: CommandResult) -> None:
        array.is_sent = False
        if array.name not in self.arrays or array.job:
            return  # other writers look after all its elements by now, or it is known that it was accepted
        result = self._system.parse_submission(answer)
        if result.refusal is None:
            self.accepted(array, result.job)
        else:
            self._unread.append((array, result))

    # Outcomes

    def step(self, now: float) -> list[SubmissionEvent[ArrayT]]:
        """Take in answers and look for lost submissions; returns what has been decided.

        Args:
            now: Monotonic seconds.
        """
        unread, self._unread = self._unread, []
        for array, result in unread:
            self._refused(array, result, now)
        for array in list(self.arrays.values()):
            if array.is_lost and now >= array.retry_at:
                self._look_again(array, now)
        events, self._events = self._events, []
        if any(event.outcome is Outcome.ACCEPTED for event in events) and self.room(now) != 0:
            self._problem = ''
        return events

    def accepted(self, array: ArrayT, job: str) -> None:
        """Note that a submission is in the queue, by its answer, by a listing, or by the files of an element.

        Args:
            array: The submission.
            job: Id of its job.
        """
        is_ours = array.unsent is not None
        array.job, array.is_lost, array.unsent = job, False, None
        self._context.note(
            {'event': 'accepted', 'submission': array.name, 'job': job, 'at': round(self._context.wall(), 3)}
        )
        watch = self._poller.watch_anew if is_ours else self._poller.watch
        for index in array.members:
            watch((array.name, index), array.at, job)
        if is_ours:
            self._closings = 0
            self._window.accepted(self.live)
            self._poller.poll_soon()
            self._events.append(SubmissionEvent(array, Outcome.ACCEPTED))
        self._canceller.resume((array,))

    def _refused(self, array: ArrayT, result: SubmitResult, now: float) -> None:
        match result.refusal:
            case Refusal.LIMIT if array.tries == 1 or self._is_absent(array):
                self._limit_reached(array, result.message, now)
            case Refusal.CLOSED if array.tries == 1 or self._is_absent(array):
                self._closed(array, result.message, now)
            case Refusal.LIMIT | Refusal.CLOSED:
                self._look_later(array, now + RETRY)  # an earlier try may still show up
            case Refusal.AWAY:
                self._unanswered(array, result.message, now)
            case _:
                self._conclude(array, Outcome.REJECTED, result.message)

    def _limit_reached(self, array: ArrayT, message: str, now: float) -> None:
        size = len(array.members)
        self._conclude(array, Outcome.REFUSED, message)
        self._window.refused(self.live, size, now)
        if self._problem != message:
            log.info('the queue does not accept %s: %s', count_of(size, 'more job'), message)
        self._problem = message
        self._retry_at = now if self.room(now) else now + RETRY

    def _closed(self, array: ArrayT, message: str, now: float) -> None:
        self._conclude(array, Outcome.REFUSED, message)
        self._closings += 1
        self._retry_at = self._closed_until = now + retry_pause(self._closings)
        if self._problem != message:
            log.warning('the queue accepts no jobs for now, it is tried again: %s', message)
        self._problem = message

    def _conclude(self, array: ArrayT, outcome: Outcome, message: str) -> None:
        self.forget(array)
        self._events.append(SubmissionEvent(array, outcome, message))

    def forget(self, array: ArrayT) -> None:
        """Let go of a submission and of what is left of it."""
        self.arrays.pop(array.name, None)
        array.is_lost = False
        for index in array.members:
            self._poller.drop((array.name, index))

    # Lost answers

    def _unanswered(self, array: ArrayT, message: str, now: float) -> None:
        """It may have been accepted: it is looked for by its name before it is sent again."""
        log.warning('%s may not have been accepted: %s', array.name, message)
        self._problem = message
        self._poller.watch_anew((array.name, 1), array.at)
        self._look_later(array, now + retry_pause(array.tries))

    def _look_later(self, array: ArrayT, at: float) -> None:
        array.is_lost, array.retry_at = True, at

    def _look_again(self, array: ArrayT, now: float) -> None:
        try:
            self._look_for(array, now)
        except OSError as error:
            log.debug('%s: %s', array.name, error)
            self._look_later(array, now + RETRY)

    def _look_for(self, array: ArrayT, now: float) -> None:
        """Find out whether it was accepted; if the queue certainly does not have it, send it again."""
        key = (array.name, 1)
        self._poller.watch(key, array.at)
        record = self._poller.record_of(key)
        if record is None and not self._poller.has_never_come(key):
            self._poller.poll_soon()
            return
        is_refused = record is not None and is_left_by_refusal(record)
        job = array.job_by_files(self._context.folder) if record is None or is_refused else record.job
        if job:
            self.accepted(array, job)
        elif record is not None:
            self._conclude(array, Outcome.REJECTED, record.reason)
        elif array.is_cancelled:
            self._withdraw(array)
        else:
            self._send(array)

    def _withdraw(self, array: ArrayT) -> None:
        if self._is_absent(array) and array.close(self._context.folder):
            self._conclude(array, Outcome.WITHDRAWN, '')
        else:
            self._poller.poll_soon()

    def _is_absent(self, array: ArrayT) -> bool:
        return self._poller.state_of((array.name, 1)) is JobState.ABSENT

    # Cancelling

    def cancel(self, array: ArrayT, indices: Iterable[int], *, force: bool) -> None:
        """Cancel elements as soon as their job is known, again and again until it succeeds.

        Args:
            array: Their submission.
            indices: The elements.
            force: Without giving them time to end.
        """
        self._canceller.cancel(array, indices, force=force)

    def resume_cancelling(self) -> None:
        """Repeat cancellations that failed; to be called after each listing."""
        self._canceller.resume(self.arrays.values())


class Canceller:
    """Cancels elements of arrays.

    Args:
        system: The batch system.
        runner: Runs its commands.
        poller: Knows what became of jobs.
    """

    def __init__(self, system: BatchSystem, runner: CommandRunner, poller: JobPoller) -> None:
        self._system = system
        self._runner = runner
        self._poller = poller

    def cancel(self, array: JobArray[Any], indices: Iterable[int], *, force: bool) -> None:
        """Cancel elements, as soon as the id of their job is known."""
        chosen = set(indices)
        array.to_cancel |= chosen
        array.forced |= chosen if force else set()
        self.resume((array,))

    def resume(self, arrays: Iterable[JobArray[Any]]) -> None:
        """Cancel what is still to be cancelled."""
        for array in arrays:
            indices = sorted(index for index in array.to_cancel if index in array.members)
            if not (array.job and indices):
                continue
            array.to_cancel.clear()
            for force in (False, True):
                if chosen := [index for index in indices if (index in array.forced) is force]:
                    self._send(array, chosen, force=force)

    def _send(self, array: JobArray[Any], indices: Sequence[int], *, force: bool) -> None:
        """If an answer was lost there may be two jobs of this name: both are ours."""
        is_whole = array.is_all(indices)
        for job in sorted({array.job, *self._poller.jobs_named(array.name)}):
            argv = self._system.cancel_argv(job, indices, whole=is_whole, force=force)
            self._runner.run(argv, lambda answer: self._receive(array, indices, answer))
        self._poller.poll_soon()

    def _receive(self, array: JobArray[Any], indices: Sequence[int], answer: CommandResult) -> None:
        problem = self._system.parse_cancel(answer)
        left = [index for index in indices if index in array.members]
        if problem and left:
            log.warning('%s: %s could not be cancelled yet: %s', array.name, count_of(len(left), 'job'), problem)
            array.to_cancel.update(left)
        self._poller.poll_soon()
