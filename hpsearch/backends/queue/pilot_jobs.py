"""Keeping as many jobs alive that work on a search as are wanted and as there is work for."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult, JobSpec, Refusal
from hpsearch.backends.queue.cancelling import Canceller
from hpsearch.backends.queue.commands import CommandRunner
from hpsearch.backends.queue.limits import LimitsQuery
from hpsearch.backends.queue.pilot_plan import (
    HIT,
    PilotArray,
    PilotSettings,
    Workload,
    count_idle,
    pilot_text,
    pilots_needed,
)
from hpsearch.backends.queue.poller import JobPoller
from hpsearch.backends.queue.sending import RETRY, Submitter, pause_after, submission_name
from hpsearch.backends.queue.submit_limit import SubmitWindow
from hpsearch.model.jobs import JobState
from hpsearch.model.states import Submission
from hpsearch.store.folder import SearchFolder

log = logging.getLogger('hpsearch')

VAIN_LIMIT = 3
"""Submissions in a row whose jobs all ended without starting a run, after which no more are made."""


class PilotJobs:
    """The jobs that work on a search.

    Attributes:
        submissions: Those that have jobs left, by their names.
        problem: Why no more are submitted, in words, or empty.
        is_wrong: Whether none will ever be again.

    Args:
        folder: The search.
        cwd: Working directory of the jobs.
        system: The queue system.
        commands: Executes its commands.
        watch: Knows what became of jobs.
        note: Writes an event to the journal; False: that failed.
        settings: How pilots are made.
        work: How much there is to do.
        known: Submissions of earlier writers.
        salt: Random letters for the names of submissions.
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
        note: Callable[[dict[str, Any]], object],
        settings: PilotSettings,
        work: Callable[[], Workload],
        known: Iterable[Submission] = (),
        salt: Callable[[], str] = lambda: os.urandom(3).hex(),
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._cwd = cwd
        self._system = system
        self._watch = watch
        self._settings = settings
        self._work = work
        self._salt = salt
        self._wall = wall
        self._clock = clock
        self.submissions: dict[str, PilotArray] = {}
        self.problem = ''
        self.is_wrong = False
        self._sender = Submitter(folder, system, commands, note, wall)
        self._cancels = Canceller(system, commands, watch)
        self._limits = LimitsQuery(system, commands, watch, clock)
        self._limit = SubmitWindow()
        self._is_cancelling = False
        self._is_done = False
        self._vain = 0
        self._retry_at = float('-inf')
        self._listings = 0
        for submission in known:
            self._remember(submission)

    def _remember(self, submission: Submission) -> None:
        """A submission of an earlier writer counts as long as its jobs live."""
        if submission.queue != self._system.name or not submission.pilots:
            return
        left = set(range(1, submission.pilots + 1))
        pilots = PilotArray(submission.name, left, 0, submission.at, submission.job)
        self.submissions[submission.name] = pilots
        for index in left:
            self._watch.expect((pilots.name, index), pilots.at, pilots.job)
        self._watch.hurry()

    # What there is

    @property
    def is_settled(self) -> bool:
        """Whether nothing may be under way, and what was cancelled has ended."""
        return not self._is_busy() and not (self._is_cancelling and self.submissions)

    def _is_busy(self) -> bool:
        return any(each.is_sent or each.is_lost for each in self.submissions.values())

    def _alive(self) -> int:
        return sum(len(each.left) for each in self.submissions.values())

    def kinds(self, pilots: PilotArray) -> dict[int, JobState]:
        """Index to what is known of each pilot of a submission."""
        return {index: self._watch.sight((pilots.name, index))[0] for index in pilots.left}

    def _needed(self, now: float) -> int:
        idle = sum(count_idle(self.kinds(each), each.running_since, now) for each in self.submissions.values())
        return pilots_needed(self._work(), self._alive(), idle, self._settings)

    # Submitting

    def keep(self, now: float) -> None:
        """Submit what is missing, if it may be submitted now."""
        limits = self._limits.get(now)
        if limits is None:
            self.problem = self._limits.problem
            return
        room = self._limit.room(self._alive(), now)
        if self._is_busy() or self._is_done or self.is_wrong or self._is_cancelling:
            return
        if now < self._retry_at and not room:
            return
        needed = min(self._needed(now), limits.array)
        count = needed if room is None else min(needed, room)
        if count:
            self._submit_new(count, now)
        elif not self._settings.holds:
            self._is_done = True

    def _submit_new(self, count: int, now: float) -> None:
        pilots = PilotArray(
            submission_name(self._folder, self._salt()), set(range(1, count + 1)), self._work().started, self._wall()
        )
        problem = self._sender.announce(pilots.name, self._script(pilots), at=pilots.at, throttle=count, pilots=count)
        if problem:
            self._wait_for(problem, now)
            return
        self.submissions[pilots.name] = pilots
        self._send(pilots)

    def _job(self, pilots: PilotArray) -> JobSpec:
        log_path = self._folder.submission(pilots.name).log
        return JobSpec(pilots.name, len(pilots.left), 0, log_path, warning=self._settings.warning)

    def _script(self, pilots: PilotArray) -> str:
        return pilot_text(self._folder, self._cwd, self._system, self._settings, self._job(pilots))

    def _send(self, pilots: PilotArray) -> None:
        pilots.is_sent, pilots.is_lost = True, False
        pilots.tries += 1
        self._sender.send(self._job(pilots), self._script(pilots), lambda answer: self._take_submission(pilots, answer))

    def _take_submission(self, pilots: PilotArray, answer: CommandResult) -> None:
        pilots.is_sent = False
        now = self._clock()
        submitted = self._system.parse_submission(answer)
        match submitted.refusal:
            case None:
                self._accepted(pilots, submitted.job)
            case Refusal.AWAY:
                self._no_answer(pilots, submitted.words, now)
            case Refusal.LIMIT:
                self._too_many(pilots, submitted.words, now)
            case Refusal.WRONG:
                self._forget(pilots)
                self.is_wrong, self.problem = True, submitted.words

    def _accepted(self, pilots: PilotArray, job: str) -> None:
        self._learn_job(pilots, job)
        self.problem = ''
        for index in pilots.left:
            self._watch.expect_anew((pilots.name, index), pilots.at, job)
        self._limit.accepted(self._alive())
        self._watch.hurry()
        log.info('%d jobs submitted that work on the search', len(pilots.left))
        self._cancels.go_on((pilots,))

    def _learn_job(self, pilots: PilotArray, job: str) -> None:
        pilots.job, pilots.is_lost = job, False
        self._sender.accepted(pilots.name, job)

    def _too_many(self, pilots: PilotArray, words: str, now: float) -> None:
        """So many are not accepted: the next try is with fewer, or later."""
        size = len(pilots.left)
        self._forget(pilots)
        self._limit.refused(self._alive(), size, now)
        if self._limit.room(self._alive(), now):
            self.problem, self._retry_at = words, now
        else:
            self._wait_for(words, now)

    def _wait_for(self, words: str, now: float) -> None:
        self.problem, self._retry_at = words, now + RETRY
        self._is_done = self._is_done or not self._settings.holds

    def _forget(self, pilots: PilotArray) -> None:
        del self.submissions[pilots.name]
        for index in pilots.left:
            self._watch.drop((pilots.name, index))

    # Lost answers

    def _no_answer(self, pilots: PilotArray, words: str, now: float) -> None:
        """It may have been accepted: it is looked for by its name before it is submitted again."""
        log.warning('%s may not have been accepted: %s', pilots.name, words)
        pilots.is_lost, self.problem = True, words
        pilots.retry_at = now + pause_after(pilots.tries)
        self._watch.expect_anew((pilots.name, 1), pilots.at)

    def _settle_lost(self, pilots: PilotArray) -> None:
        key = (pilots.name, 1)
        kind, seen = self._watch.sight(key)
        if seen is not None:
            self._accepted(pilots, seen.job)
        elif self._is_cancelling and kind is JobState.ABSENT:
            self._forget(pilots)
        elif self._watch.has_been_missed(key) and not self._is_cancelling:
            self._send(pilots)
        else:
            self._watch.hurry()

    # What became of them

    def step(self, now: float) -> None:
        """Take in what became of them."""
        for pilots in list(self.submissions.values()):
            if pilots.is_lost and now >= pilots.retry_at:
                self._settle_lost(pilots)
        if self._watch.listings == self._listings:
            return
        self._listings = self._watch.listings
        for pilots in list(self.submissions.values()):
            self._look(pilots, now)
            self._cancels.go_on((pilots,))
        if not self._work().waiting and self._settings.holds:
            self._cancel_idle()

    def _look(self, pilots: PilotArray, now: float) -> None:
        for index, kind in self.kinds(pilots).items():
            seen = self._watch.sight((pilots.name, index))[1]
            if seen is not None and not pilots.job and not pilots.is_sent:
                self._learn_job(pilots, seen.job)
            if kind is JobState.RUNNING:
                pilots.running_since.setdefault(index, now)
            if kind in (JobState.ENDED, JobState.ABSENT) and not (pilots.is_sent or pilots.is_lost):
                pilots.is_to_blame |= seen is None or seen.cause not in HIT
                pilots.left.discard(index)
                self._watch.drop((pilots.name, index))
        if not pilots.left:
            self._forget(pilots)
            self._count_vain(pilots)

    def _count_vain(self, pilots: PilotArray) -> None:
        """Jobs that found nothing to do, or that the queue ended, have not failed."""
        work = self._work()
        if work.started > pilots.started:
            self._vain = 0
        elif work.waiting and pilots.is_to_blame and not self._is_cancelling:
            self._vain += 1
        if self._vain >= VAIN_LIMIT:
            self.is_wrong = True
            self.problem = (
                f'{self._vain} times the jobs that were to work on it ended without starting a run: '
                f'see {self._folder.submission(pilots.name).log}'
            )

    # Ending

    def cancel(self, *, force: bool) -> None:
        """Cancel all of them: they end their runs."""
        self._is_cancelling = True
        for pilots in self.submissions.values():
            self._cancels.cancel(pilots, pilots.left, force=force)

    def _cancel_idle(self) -> None:
        """Cancel those that still wait: there is nothing left to do for them."""
        for pilots in self.submissions.values():
            if pilots.job:
                idle = [index for index, kind in self.kinds(pilots).items() if kind is JobState.PENDING]
                self._cancels.cancel(pilots, idle, force=False)
