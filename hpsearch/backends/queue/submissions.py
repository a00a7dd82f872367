"""Making arrays of the attempts that wait, sending them to a queue, and what follows from its answers.

One submission is under way at a time. It is in the journal before it is sent, so that an answer that gets lost costs
nothing: the job is found again by its name.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from hpsearch.backends.base import AttemptStatus
from hpsearch.backends.queue.array_making import ArrayMaker
from hpsearch.backends.queue.arrays import JobArray, PreparedSubmission, QueuedAttempt, QueueSettings, Throttles
from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult, QueueLimits, Refusal
from hpsearch.backends.queue.cancelling import Canceller
from hpsearch.backends.queue.commands import CommandRunner
from hpsearch.backends.queue.limits import LimitsQuery
from hpsearch.backends.queue.poller import JobPoller
from hpsearch.backends.queue.sending import RETRY, Submitter, pause_after
from hpsearch.backends.queue.submit_limit import SubmitWindow
from hpsearch.backends.queue.throttle import cut, first_throttles
from hpsearch.model.jobs import JobRecord, JobState
from hpsearch.store.attempt_files import fence_job
from hpsearch.store.folder import SearchFolder

log = logging.getLogger('hpsearch')

REFILL = 0.25
"""Part of what a queue takes that must be free before it is filled up again, as long as it has enough to do."""


class Submissions:
    """The attempts that wait to be submitted, and the arrays that were.

    Attributes:
        waiting: Attempts that no array has yet.
        arrays: Arrays that have elements left, by their names.
        refused: Why the queue took no more when it was last asked, in its own words; empty: it did.
        is_wrong: Whether it will never take any.
        has_given_back: Whether attempts were given back that it did not take.
        wants_new: Whether somebody asked for room for more.

    Args:
        folder: The search.
        maker: Makes arrays.
        sender: Submits them.
        system: The queue system.
        commands: Executes its commands.
        watch: Knows what became of jobs.
        throttles: Shares the number of jobs.
        cancels: Cancels what was to be cancelled before its job was known.
        tell: Takes what is known of an attempt.
        settings: How jobs are made.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        folder: SearchFolder,
        maker: ArrayMaker,
        sender: Submitter,
        system: BatchSystem,
        commands: CommandRunner,
        watch: JobPoller,
        throttles: Throttles,
        cancels: Canceller,
        tell: Callable[[QueuedAttempt, AttemptStatus], None],
        settings: QueueSettings,
        clock: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._maker = maker
        self._sender = sender
        self._system = system
        self._watch = watch
        self._throttles = throttles
        self._cancels = cancels
        self._tell = tell
        self._settings = settings
        self._clock = clock
        self.waiting: deque[QueuedAttempt] = deque()
        self.arrays: dict[str, JobArray] = {}
        self.refused = ''
        self.is_wrong = False
        self.has_given_back = False
        self.wants_new = False
        self._limit = SubmitWindow()
        self._limits = LimitsQuery(system, commands, watch, clock)
        self._retry_at = float('-inf')

    # What there is

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits to be submitted, or may have been."""
        return not self.waiting and not self._is_busy()

    def spare(self) -> int:
        """Jobs that another array may have now."""
        return self._throttles.divide(self.arrays.values(), wants_new=True).spare

    def why_held(self) -> str:
        """Why attempts wait, in words."""
        return self.refused or self._limits.problem or self._watch.problem or 'for room beside the jobs that run'

    def leaves_room(self, now: float) -> bool:
        """Whether something is to be left for another array."""
        wanted = self.wants_new or (bool(self.waiting) and self._limit.room(self._live(), now) != 0)
        self.wants_new = False
        return wanted

    def _live(self) -> int:
        """Elements that are in the queue."""
        return sum(len(array.members) for array in self.arrays.values() if array.job)

    def _is_busy(self) -> bool:
        """Whether a submission is under way."""
        return any(array.is_sent or array.is_lost for array in self.arrays.values())

    def take_out(self, gone: Iterable[QueuedAttempt]) -> None:
        """Let attempts wait no more."""
        out = set(map(id, gone))
        self.waiting = deque(each for each in self.waiting if id(each) not in out)

    # Sending

    def step(self, now: float) -> None:
        """Send what may be sent now."""
        limits = self._limits.get(now)
        if limits is not None and self._may_send(now):
            self._send_next(limits, now)
        for array in list(self.arrays.values()):
            if array.is_lost and now >= array.retry_at:
                self._settle_lost(array, now)

    def _may_send(self, now: float) -> bool:
        if not self.waiting or self.is_wrong or self._is_busy():
            return False
        return now >= self._retry_at or bool(self._limit.room(self._live(), now))

    def _send_next(self, limits: QueueLimits, now: float) -> None:
        """Send the first array of those that the attempts in front make, if there is room for it."""
        memory = self.waiting[0].launch.resources.memory
        count = self._how_many(memory, now)
        sizes = cut(count, limits.array) if count else []
        throttle = first_throttles(sizes, self.spare())[0] if sizes else 0
        if throttle:
            self._make_array(sizes[0], throttle, memory, now)
        elif not self._settings.holds:
            self._give_back(self.refused or f'all {self._settings.num_jobs} jobs at a time are given to others')

    def _how_many(self, memory: int | None, now: float) -> int:
        """How many to send; not a few at a time, where the queue has enough to do."""
        alike = sum(1 for _ in _alike(self.waiting, memory))
        live, most = self._live(), self._limit.found
        room = self._limit.room(live, now)
        if room is None:
            return alike
        has_enough = self._settings.holds and live > self._settings.num_jobs
        if has_enough and most is not None and room < min(alike, REFILL * most):
            return 0
        return min(alike, room)

    def _make_array(self, size: int, throttle: int, memory: int | None, now: float) -> None:
        members = [self.waiting.popleft() for _ in range(size)]
        array, unsent = self._maker.make(members, throttle, memory)
        self.waiting.extendleft(reversed(members[len(array.members) :]))
        attempts = [[each.launch.run.name, each.launch.number] for each in array.members.values()]
        problem = self._sender.announce(
            array.name, unsent.script, at=array.at, throttle=array.throttle, attempts=attempts
        )
        if problem:
            self.waiting.extendleft(reversed(array.members.values()))
            self._hold(problem, now)
            return
        for index, queued in array.members.items():
            queued.array, queued.index = array, index
        self.arrays[array.name] = array
        self._submit(array, unsent)

    def _submit(self, array: JobArray, unsent: PreparedSubmission) -> None:
        array.is_sent, array.is_lost = True, False
        array.tries += 1
        log.debug('submitting %d runs as %s', unsent.job.size, array.name)
        self._sender.send(unsent.job, unsent.script, lambda answer: self._take_submission(array, answer))

    # Answers

    def _take_submission(self, array: JobArray, answer: CommandResult) -> None:
        array.is_sent = False
        if array.name not in self.arrays or array.job:
            return  # others look after all its attempts by now, or one of them told that it was accepted
        now = self._clock()
        submitted = self._system.parse_submission(answer)
        match submitted.refusal:
            case None:
                self.accepted(array, submitted.job)
            case Refusal.LIMIT:
                self._too_many(array, submitted.words, now)
            case Refusal.AWAY:
                self._no_answer(array, submitted.words, now)
            case Refusal.WRONG:
                self._never(array, submitted.words)

    def accepted(self, array: JobArray, job: str) -> None:
        """A job is in the queue, by its answer or because it was seen there."""
        array.job, array.is_lost, array.unsent = job, False, None
        self._sender.accepted(array.name, job)
        if array.is_shared:
            for index in array.members:
                self._watch.expect((array.name, index), array.at, job)
            self._cancels.go_on((array,))
            return
        array.told = array.throttle
        self._limit.accepted(self._live())
        if self._limit.room(self._live(), self._clock()) != 0:
            self.refused = ''
        for index, queued in array.members.items():
            self._watch.expect_anew((array.name, index), array.at, job)
            self._tell(queued, AttemptStatus(JobState.PENDING, detail='submitted'))
        self._cancels.go_on((array,))
        self._watch.hurry()

    def _too_many(self, array: JobArray, words: str, now: float) -> None:
        """So many are not accepted: the next try is with fewer, or later."""
        if array.tries > 1 and self._watch.sight((array.name, 1))[0] is not JobState.ABSENT:
            self._look_again(array, now + RETRY)  # the first try may yet show up
            return
        size = len(array.members)
        self._dissolve(array)
        self._limit.refused(self._live(), size, now)
        if self.refused != words:
            log.info('the queue does not accept %d more: %s', size, words)
        if self._limit.room(self._live(), now):
            self.refused, self._retry_at = words, now
        elif self._settings.holds:
            self._hold(words, now)
        else:
            self._give_back(words)

    def _dissolve(self, array: JobArray) -> None:
        """Take back a submission that was not accepted: its attempts wait again, in front, or have ended."""
        del self.arrays[array.name]
        members = list(array.members.values())
        for queued in members:
            self._watch.drop((array.name, queued.index))
            queued.array, queued.index = None, 0
            if queued.is_cancelled:
                self._tell(queued, AttemptStatus(JobState.ENDED, cause='abandoned', detail='it had not been submitted'))
        self.waiting.extendleft(reversed([each for each in members if not each.is_cancelled]))

    def _hold(self, words: str, now: float) -> None:
        self.refused = words
        self._retry_at = now + RETRY

    def _give_back(self, words: str) -> None:
        self.refused, self.has_given_back = words, True
        self._end_waiting(self.waiting, 'start', words)

    def _end_waiting(self, waiting: Iterable[QueuedAttempt], cause: str, words: str) -> None:
        ended = list(waiting)
        self.take_out(ended)
        for queued in ended:
            self._tell(queued, AttemptStatus(JobState.ENDED, cause=cause, detail=words))

    def _never(self, array: JobArray, words: str) -> None:
        """The queue will not have such jobs: a run with more memory has failed, else nothing more is submitted."""
        members = [each for each in array.members.values() if not each.is_cancelled]
        self._dissolve(array)
        if members and members[0].launch.resources.memory is not None:
            self._end_waiting(members, 'impossible', words)
            return
        self.is_wrong, self.refused = True, words
        self._end_waiting(self.waiting, 'refused', words)

    # Lost answers

    def _no_answer(self, array: JobArray, words: str, now: float) -> None:
        """It may have been accepted: it is looked for by its name before it is submitted again."""
        log.warning('%s may not have been accepted: %s', array.name, words)
        self.refused = words
        self._watch.expect_anew((array.name, 1), array.at)
        self._look_again(array, now + pause_after(array.tries))

    def _look_again(self, array: JobArray, at: float) -> None:
        array.is_lost, array.retry_at = True, at

    def _settle_lost(self, array: JobArray, now: float) -> None:
        """Look whether it was accepted; if the queue surely does not have it, submit it again."""
        key = (array.name, 1)
        self._watch.expect(key, array.at)
        _, seen = self._watch.sight(key)
        if seen is not None and _was_refused(seen) and not self._job_of_a_fence(array):
            self._never(array, seen.reason)
        elif seen is not None:
            self.accepted(array, seen.job)
        elif not self._watch.has_been_missed(key):
            self._watch.hurry()
        elif job := self._job_of_a_fence(array):
            self.accepted(array, job)
        elif all(each.is_cancelled for each in array.members.values()):
            self._give_up(array)
        elif array.unsent is not None:
            self._submit(array, array.unsent)

    def _give_up(self, array: JobArray) -> None:
        """Nobody wants it any more: once the queue surely does not have it, its attempts never start."""
        if self._watch.sight((array.name, 1))[0] is JobState.ABSENT:
            for queued in list(array.members.values()):
                self._tell(queued, AttemptStatus(JobState.ABSENT, detail='it had not been accepted'))
            array.is_lost = False
        else:
            self._watch.hurry()

    def _job_of_a_fence(self, array: JobArray) -> str:
        """The job that passed a start fence of an array whose answer was lost; empty: none did."""
        paths = (self._folder.attempt(each.launch.run.name, each.launch.number) for each in array.members.values())
        return next(filter(None, map(fence_job, paths)), '')


def _was_refused(seen: JobRecord) -> bool:
    """Whether a job ended nowhere and for no cause: some refusals leave such a job behind."""
    return seen.kind is JobState.ENDED and not seen.cause and not seen.where


def _alike(waiting: Iterable[QueuedAttempt], memory: int | None) -> Iterator[QueuedAttempt]:
    """The attempts in front that need the same."""
    for queued in waiting:
        if queued.launch.resources.memory != memory:
            return
        yield queued
