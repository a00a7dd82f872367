"""Knowing what became of the jobs of a queue system.

One listing answers for all jobs; what is missing in it twice is looked up in the accounting; what nobody knows after a
while is absent. A listing that failed says nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence

from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult, QueueLimits
from hpsearch.backends.queue.commands import CommandRunner
from hpsearch.backends.queue.watched_jobs import LOOKS, JobKey, WatchedJob, as_a_whole, by_key, find, note_accounted
from hpsearch.model.jobs import JobRecord, JobState

log = logging.getLogger('hpsearch')

LONGEST_PAUSE = 300.0
"""Seconds between two listings at most, however often they failed."""

HASTE = 2.0
"""Seconds between two listings at least, when there is a reason to hurry; twice as many after each such listing."""

GRACE = 60.0
"""Seconds a job must be missing, and unknown to the accounting, before it is absent."""

PATIENCE = 600.0
"""The same where the accounting does not answer, or says that the job still runs."""

LONG_AGO = 7 * 86400.0
"""Seconds since the submission of a job of which it is not known."""


class JobPoller:
    """Knows what became of jobs.

    Attributes:
        problem: Why the queue system cannot be asked at the moment, in its own words; empty when it can.
        listings: How many listings were taken in.
        news: How many answers were taken in that may have told something new.
        asked: When the latest listing that was taken in was asked for, in monotonic seconds.
        has_accounting: Whether there is an accounting to be asked.

    Args:
        system: The queue system.
        commands: Executes its commands.
        interval: Seconds between two listings.
        clock: Monotonic seconds.
        wall: Seconds since 1970.
        grace: See :data:`GRACE`.
        patience: See :data:`PATIENCE`.
    """

    def __init__(
        self,
        system: BatchSystem,
        commands: CommandRunner,
        interval: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        grace: float = GRACE,
        patience: float = PATIENCE,
    ) -> None:
        self._system = system
        self._commands = commands
        self._interval = interval
        self._clock = clock
        self._wall = wall
        self._grace = grace
        self._patience = patience
        self._watched: dict[JobKey, WatchedJob] = {}
        self._next = float('-inf')
        self._last = float('-inf')
        self._haste = min(HASTE, interval)
        self._is_hurried = False
        self._failures = 0
        self._is_asking = False
        self._is_looking_up = False
        self._listed: dict[str, set[str]] = {}
        self.has_accounting = True
        self.problem = ''
        self.listings = 0
        self.news = 0
        self.asked = float('-inf')

    def note_limits(self, limits: QueueLimits) -> None:
        """Take in what the queue system told of itself."""
        self.has_accounting = limits.has_accounting

    # What is watched

    def expect(self, key: JobKey, submitted: float, job: str = '') -> None:
        """Watch a job from now on, if it is not watched already.

        Args:
            key: Which.
            submitted: When it was submitted, in seconds since 1970.
            job: Its id, if known.
        """
        watched = self._watched.get(key)
        if watched is None:
            self._watched[key] = WatchedJob(self._clock(), submitted, job)
        elif job and not watched.job:
            watched.job = job

    def expect_anew(self, key: JobKey, submitted: float, job: str = '') -> None:
        """Watch a job from now on; what was known of it before does not count."""
        self._watched[key] = WatchedJob(self._clock(), submitted, job)

    def drop(self, key: JobKey) -> None:
        """Watch a job no more."""
        self._watched.pop(key, None)

    # What is known

    def sight(self, key: JobKey) -> tuple[JobState, JobRecord | None]:
        """What is known of a job: its kind, and what was last seen of it."""
        watched = self._watched.get(key)
        if watched is None:
            return JobState.UNKNOWN, None
        if watched.is_absent:
            return JobState.ABSENT, watched.seen
        return (JobState.UNKNOWN if watched.seen is None else watched.seen.kind), watched.seen

    def is_missing(self, key: JobKey) -> bool:
        """Whether the latest listing did not show a job that should have been in it."""
        watched = self._watched.get(key)
        return watched is not None and watched.misses > 0

    def has_been_missed(self, key: JobKey) -> bool:
        """Whether enough listings succeeded without a job that was never seen."""
        watched = self._watched.get(key)
        return watched is not None and watched.seen is None and watched.misses >= LOOKS

    def was_taken_out(self, key: JobKey) -> bool:
        """Whether a job that waited is gone while others of its array are still listed.

        Slurm forgets an element that was cancelled before it began, in its listing and in its accounting.
        """
        watched = self._watched.get(key)
        if watched is None or watched.seen is None or watched.seen.kind is not JobState.PENDING:
            return False
        return any(watched.job in jobs for jobs in self._listed.values())

    def jobs_named(self, name: str) -> set[str]:
        """Ids of all jobs of a name in the latest listing: two, where the answer to a submission was lost."""
        return self._listed.get(name, set())

    def awaits_details(self, key: JobKey) -> bool:
        """Whether a job has ended, and the accounting may yet tell why; it is asked about it from now on."""
        watched = self._watched.get(key)
        if watched is None or not self.has_accounting or not watched.is_unexplained:
            return False
        if not watched.wants_details:
            watched.wants_details = True
            self._look_up()
        return True

    def has_ended(self, job: str) -> bool:
        """Whether a job, known by ``id`` or ``id_index``, has surely ended; watches it from the first question on."""
        ident, _, index = job.partition('_')
        key = (f'#{ident}', int(index or 0))
        self.expect(key, self._wall() - LONG_AGO, ident)
        return self._watched[key].is_over

    # Listings

    def hurry(self) -> None:
        """Have the next listing as soon as is decent."""
        self._is_hurried = True

    def poll(self, now: float) -> None:
        """Ask for a listing when it is time and there is something to be known."""
        if self._is_asking or not self._is_due(now) or all(watched.is_settled for watched in self._watched.values()):
            return
        is_early = now < self._next
        self._haste = min(2 * self._haste, self._interval) if is_early else min(HASTE, self._interval)
        self._is_asking, self._is_hurried, self._last = True, False, now
        self._commands.ask(self._system.list_argv(), lambda answer: self._take_listing(answer, now))

    def _is_due(self, now: float) -> bool:
        """A failing system is not hurried."""
        return now >= self._next or (self._is_hurried and not self._failures and now >= self._last + self._haste)

    def _take_listing(self, answer: CommandResult, asked: float) -> None:
        self._is_asking = False
        records = self._system.parse_listing(answer)
        if records is None:
            self._fail(answer)
            return
        if self.problem:
            log.info('%s answers again', self._system.name)
        self.problem, self._failures = '', 0
        self._next = self._clock() + self._interval
        self.asked = asked
        self.listings += 1
        self.news += 1
        self._take_sightings(records, asked)
        self._look_up()

    def _take_sightings(self, records: Sequence[JobRecord], asked: float) -> None:
        found = by_key(records)
        self._listed = {}
        for seen in records:
            self._listed.setdefault(seen.name, set()).add(seen.job)
        for key, watched in self._watched.items():
            own = find(found, key, watched) or as_a_whole(found, key, watched)
            if own is not None:
                watched.note(own)
            elif not watched.is_over and watched.expected <= asked:
                self._miss(watched, asked)

    def _fail(self, answer: CommandResult) -> None:
        self._failures += 1
        pause = min(LONGEST_PAUSE, self._interval * 2 ** min(self._failures, 10))
        self._next = self._clock() + max(self._interval, pause)
        words = answer.problem(self._system.list_argv()[0])
        if not self.problem:
            log.warning('%s cannot be asked, nothing follows from that: %s', self._system.name, words)
        self.problem = words

    def _miss(self, watched: WatchedJob, asked: float) -> None:
        if not watched.misses:
            watched.missing_since = asked
        watched.misses += 1
        if watched.misses <= LOOKS:
            self.hurry()
        missing = self._clock() - watched.missing_since
        is_unknown = watched.is_unknown_to_accounting or not self.has_accounting or not watched.job
        if watched.misses > LOOKS and missing >= (self._grace if is_unknown else self._patience):
            watched.is_absent = True

    # The accounting

    def _look_up(self) -> None:
        """Ask the accounting for what is missing, and for what ended without a word."""
        asked = [(key, watched) for key, watched in self._watched.items() if watched.is_looked_up]
        if not asked or not self.has_accounting or self._is_looking_up:
            return
        self._is_looking_up = True
        jobs = sorted({watched.job for _, watched in asked})
        words = self._system.accounting_argv(jobs, min(watched.submitted for _, watched in asked))
        self._commands.ask(words, lambda answer: self._take_accounting(answer, asked))

    def _take_accounting(self, answer: CommandResult, asked: Iterable[tuple[JobKey, WatchedJob]]) -> None:
        self._is_looking_up = False
        records = self._system.parse_accounting(answer)
        if records is None:
            log.debug('the accounting of %s does not answer: %s', self._system.name, answer.err.strip())
            return
        found = by_key(records)
        for key, watched in asked:
            if watched.is_looked_up:
                note_accounted(watched, find(found, key, watched))
        self.news += 1
