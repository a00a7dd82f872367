"""What became of the jobs in a queue, from listings and the accounting of the batch system.

One listing covers all jobs. A job that is missing from two listings is looked up in the accounting; if that does not
know it either for a while, it is absent. Nothing follows from a listing that failed.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult, QueueLimits
from hpsearch.backends.queue.commands import QUERY_TIMEOUT, CommandRunner, query
from hpsearch.model.evidence import JobRecord, JobState
from hpsearch.model.snapshot import QueueLine, merged_queue
from hpsearch.model.states import Attempt, Submission

log = logging.getLogger('hpsearch')

MISSES = 2
"""Consecutive listings without a job after which the accounting is asked."""

LONGEST_PAUSE = 300.0
"""Maximum seconds between two listings, however often they failed."""

SHORTEST_PAUSE = 2.0
"""Minimum seconds between two listings when one is needed soon; it doubles with each such listing."""

ABSENT_AFTER = 60.0
"""Seconds a job must be missing, and unknown to the accounting, before it is absent."""

UNANSWERED_AFTER = 600.0
"""The same where the accounting does not answer, or says that the job still runs."""

LONG_AGO = 7 * 86400.0
"""Seconds since the submission of a job, where that is not known."""

JobKey = tuple[str, int]
"""The name of a job and an index; or ``#`` and the id of a job, and an index (0: the job is no array)."""

RecordsByKey = Mapping[JobKey, JobRecord]


# What is known of one job


@dataclass(slots=True)
class WatchedJob:
    """What is known of one job.

    Attributes:
        since: Since when it is watched, in monotonic seconds; earlier listings say nothing about it.
        submitted: When it was submitted, in seconds since 1970.
        job: Its id; empty while it is not known.
        record: Its latest record.
        misses: Number of consecutive listings without it.
        missing_since: When the first of these was requested, in monotonic seconds.
        is_unknown_to_accounting: Whether the accounting answered, and does not know it.
        is_absent: Whether neither listings nor the accounting know it any more.
        wants_details: Whether the accounting is to be asked how it ended.
        has_details: Whether the record is the accounting's.
    """

    since: float
    submitted: float
    job: str = ''
    record: JobRecord | None = None
    misses: int = 0
    missing_since: float = 0.0
    is_unknown_to_accounting: bool = False
    is_absent: bool = False
    wants_details: bool = False
    has_details: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether there is a record of its end."""
        return self.record is not None and self.record.kind is JobState.ENDED

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or is absent."""
        return self.is_absent or self.has_ended

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing more to learn about it."""
        return self.is_over and not self.wants_details

    @property
    def is_looked_up(self) -> bool:
        """Whether the accounting is to be asked about it."""
        return bool(self.job) and (self.wants_details or (self.misses >= MISSES and not self.is_over))

    @property
    def is_unexplained(self) -> bool:
        """Whether it has ended and its record does not say how, as in a listing without exit statuses."""
        if self.record is None or self.record.kind is not JobState.ENDED or self.has_details:
            return False
        return not self.record.cause and self.record.code is None

    def note_listed(self, record: JobRecord) -> None:
        """Take in its record in a listing."""
        if not (self.has_details and self.has_ended and record.kind is JobState.ENDED):
            self.record, self.has_details = record, False
        self.job, self.misses = record.job, 0
        self.is_unknown_to_accounting = self.is_absent = False

    def note_accounted(self, record: JobRecord | None) -> None:
        """Take in its record in the accounting; None: there is none."""
        self.is_unknown_to_accounting = record is None
        if record is not None and record.kind is JobState.ENDED:
            self.record, self.wants_details, self.has_details = record, False, True


_RANKS = {JobState.RUNNING: 2, JobState.PENDING: 1}


def _is_as_alive(record: JobRecord, other: JobRecord) -> bool:
    return _RANKS.get(record.kind, 0) >= _RANKS.get(other.kind, 0)


def by_key(records: Iterable[JobRecord]) -> dict[JobKey, JobRecord]:
    """Records by both their keys.

    Two jobs may have the same name, if the answer to a submission was lost; then the one that is more alive counts.
    """
    found: dict[JobKey, JobRecord] = {}
    for record in records:
        for key in ((record.name, record.index), (f'#{record.job}', record.index)):
            other = found.get(key)
            if other is None or _is_as_alive(record, other):
                found[key] = record
    return found


def _find(records: RecordsByKey, key: JobKey, job: str) -> JobRecord | None:
    """The record of a job by its name, or by its id where the record has no name."""
    named = records.get(key)
    if named is not None and named.job == job:
        return named
    own = records.get((f'#{job}', key[1])) if job else None
    if own is None or own.name not in ('', key[0]):
        return named
    return own if named is None or _is_as_alive(own, named) else named


def _whole_array(records: RecordsByKey, name: str) -> JobRecord | None:
    """The record of a whole array that ended: elements cancelled while pending may be listed only like that."""
    whole = records.get((name, 0))
    return whole if whole is not None and whole.kind is JobState.ENDED else None


def _cancelled_array(records: RecordsByKey, name: str, watched: WatchedJob) -> JobRecord | None:
    whole = _whole_array(records, name)
    was_running = watched.record is not None and watched.record.kind is JobState.RUNNING
    return whole if whole is not None and whole.cause and not was_running else None


# All jobs that are watched


class JobPoller:
    """Knows what became of jobs.

    Attributes:
        problem: Why the batch system cannot be asked at the moment; empty when it can.
        listings: Number of listings taken in.
        news: Number of answers taken in that may contain something new.
        listed_at: When the latest listing that was taken in was requested, in monotonic seconds.
        has_accounting: Whether there is an accounting.

    Args:
        system: The batch system.
        runner: Runs its commands.
        interval: Seconds between two listings.
        clock: Monotonic seconds.
        wall: Seconds since 1970.
    """

    def __init__(
        self,
        system: BatchSystem,
        runner: CommandRunner,
        interval: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._system = system
        self._runner = runner
        self._interval = interval
        self._clock = clock
        self._wall = wall
        self._watched: dict[JobKey, WatchedJob] = {}
        self._next = float('-inf')
        self._last = float('-inf')
        self._pause = min(SHORTEST_PAUSE, interval)
        self._is_needed_soon = False
        self._failures = 0
        self._is_listing = False
        self._is_looking_up = False
        self._jobs_by_name: dict[str, set[str]] = {}
        self.has_accounting = True
        self.problem = ''
        self.listings = 0
        self.news = 0
        self.listed_at = float('-inf')

    def note_limits(self, limits: QueueLimits) -> None:
        """Take in what the batch system states about itself."""
        self.has_accounting = limits.has_accounting

    # What is watched

    def watch(self, key: JobKey, submitted: float, job: str = '') -> None:
        """Watch a job from now on, if it is not watched already.

        Args:
            key: The job.
            submitted: When it was submitted, in seconds since 1970.
            job: Its id, if known.
        """
        watched = self._watched.get(key)
        if watched is None:
            self._watched[key] = WatchedJob(self._clock(), submitted, job)
        elif job and not watched.job:
            watched.job = job

    def watch_anew(self, key: JobKey, submitted: float, job: str = '') -> None:
        """Watch a job from now on, and forget what was known of it."""
        self._watched[key] = WatchedJob(self._clock(), submitted, job)

    def drop(self, key: JobKey) -> None:
        """Stop watching a job."""
        self._watched.pop(key, None)

    # What is known

    def state_of(self, key: JobKey) -> JobState:
        """The state of a job; ``UNKNOWN`` while there is no record of it."""
        watched = self._watched.get(key)
        if watched is None:
            return JobState.UNKNOWN
        if watched.is_absent:
            return JobState.ABSENT
        return JobState.UNKNOWN if watched.record is None else watched.record.kind

    def record_of(self, key: JobKey) -> JobRecord | None:
        """The latest record of a job, also where it is absent by now; None: it has never been listed."""
        watched = self._watched.get(key)
        return None if watched is None else watched.record

    def is_missing(self, key: JobKey) -> bool:
        """Whether the latest listing did not show a job that it should have shown."""
        watched = self._watched.get(key)
        return watched is not None and watched.misses > 0

    def has_never_come(self, key: JobKey) -> bool:
        """Whether a job has never been listed, in as many listings as it takes to be sure."""
        watched = self._watched.get(key)
        return watched is not None and watched.record is None and watched.misses >= MISSES

    def was_taken_out(self, key: JobKey) -> bool:
        """Whether a pending job has gone while others of its array are still listed.

        Slurm forgets elements that were cancelled while pending, in listings and in the accounting.
        """
        watched = self._watched.get(key)
        if watched is None or watched.record is None or watched.record.kind is not JobState.PENDING:
            return False
        return any(watched.job in jobs for jobs in self._jobs_by_name.values())

    def jobs_named(self, name: str) -> set[str]:
        """Ids of all jobs with a name in the latest listing: two, if the answer to a submission was lost."""
        return self._jobs_by_name.get(name, set())

    def awaits_details(self, key: JobKey) -> bool:
        """Whether a job has ended, and the accounting may still explain why; asks it from now on."""
        watched = self._watched.get(key)
        if watched is None or not self.has_accounting or not watched.is_unexplained:
            return False
        if not watched.wants_details:
            watched.wants_details = True
            self._look_up()
        return True

    def has_ended(self, job: str) -> bool:
        """Whether a job, given as ``id`` or ``id_index``, has certainly ended; it is watched from the first call on."""
        ident, _, index = job.partition('_')
        key = (f'#{ident}', int(index or 0))
        self.watch(key, self._wall() - LONG_AGO, ident)
        return self._watched[key].is_over

    # Listings

    def poll_soon(self) -> None:
        """Request the next listing early."""
        self._is_needed_soon = True

    def poll(self, now: float) -> None:
        """Request a listing if it is time, and if there is something to learn from it.

        Args:
            now: Monotonic seconds.
        """
        if self._is_listing or not self._is_due(now) or all(each.is_settled for each in self._watched.values()):
            return
        is_early = now < self._next
        self._pause = min(2 * self._pause if is_early else SHORTEST_PAUSE, self._interval)
        self._is_listing, self._is_needed_soon, self._last = True, False, now
        self._runner.run(self._system.list_argv(), lambda answer: self._take_listing(answer, now))

    def _is_due(self, now: float) -> bool:
        """While the system fails there are no early listings."""
        is_early = self._is_needed_soon and not self._failures and now >= self._last + self._pause
        return now >= self._next or is_early

    def _take_listing(self, answer: CommandResult, requested: float) -> None:
        self._is_listing = False
        records = self._system.parse_listing(answer)
        if records is None:
            self._fail(answer)
            return
        if self.problem:
            log.info('%s answers again', self._system.name)
        self.problem, self._failures = '', 0
        self._next = self._clock() + self._interval
        self.listed_at = requested
        self.listings += 1
        self.news += 1
        self._take_records(records, requested)
        self._look_up()

    def _take_records(self, records: Sequence[JobRecord], requested: float) -> None:
        found = by_key(records)
        self._jobs_by_name = defaultdict(set)
        for record in records:
            self._jobs_by_name[record.name].add(record.job)
        for key, watched in self._watched.items():
            own = _find(found, key, watched.job) or _cancelled_array(found, key[0], watched)
            if own is not None:
                watched.note_listed(own)
            elif not watched.is_over and watched.since <= requested:
                self._miss(watched, requested)

    def _fail(self, answer: CommandResult) -> None:
        self._failures += 1
        pause = min(LONGEST_PAUSE, self._interval * 2 ** min(self._failures, 10))
        self._next = self._clock() + max(self._interval, pause)
        problem = answer.problem(self._system.list_argv()[0])
        if not self.problem:
            log.warning('%s cannot be asked, nothing follows from that: %s', self._system.name, problem)
        self.problem = problem

    def _miss(self, watched: WatchedJob, requested: float) -> None:
        if not watched.misses:
            watched.missing_since = requested
        watched.misses += 1
        if watched.misses <= MISSES:
            self.poll_soon()
        missing = self._clock() - watched.missing_since
        is_unknown = watched.is_unknown_to_accounting or not self.has_accounting or not watched.job
        if watched.misses > MISSES and missing >= (ABSENT_AFTER if is_unknown else UNANSWERED_AFTER):
            watched.is_absent = True

    # The accounting

    def _look_up(self) -> None:
        """Ask the accounting about jobs that are missing, and about ends without an explanation."""
        wanted = [(key, watched) for key, watched in self._watched.items() if watched.is_looked_up]
        if not wanted or not self.has_accounting or self._is_looking_up:
            return
        self._is_looking_up = True
        jobs = sorted({watched.job for _, watched in wanted})
        argv = self._system.accounting_argv(jobs, min(watched.submitted for _, watched in wanted))
        self._runner.run(argv, lambda answer: self._take_accounting(answer, wanted))

    def _take_accounting(self, answer: CommandResult, wanted: Iterable[tuple[JobKey, WatchedJob]]) -> None:
        self._is_looking_up = False
        records = self._system.parse_accounting(answer)
        if records is None:
            log.debug('the accounting of %s does not answer: %s', self._system.name, answer.err.strip())
            return
        found = by_key(records)
        for key, watched in wanted:
            if watched.is_looked_up:
                watched.note_accounted(_find(found, key, watched.job))
        self.news += 1


# A single listing, for a command that only looks at a search


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer to a single listing.

    Attributes:
        records: The listed jobs; None: the batch system was not asked, or did not answer.
        problem: Why not.
    """

    records: Sequence[JobRecord] | None
    problem: str = ''


@dataclass(frozen=True, slots=True)
class ListedSearch:
    """What a listing shows of a search. Nothing is concluded from what is missing in a single listing.

    Attributes:
        lines: Its jobs that have not ended, counted by state and reason.
        running: Attempts whose jobs run.
        ended: Attempts whose jobs have ended, with their records.
        missing: Attempts whose jobs are not listed.
    """

    lines: tuple[QueueLine, ...] = ()
    running: tuple[Attempt, ...] = ()
    ended: tuple[tuple[Attempt, JobRecord], ...] = ()
    missing: tuple[Attempt, ...] = ()


def list_jobs(system: BatchSystem, timeout: float = QUERY_TIMEOUT) -> Listing:
    """List all jobs of this user, once.

    Args:
        system: The batch system.
        timeout: Seconds it may take.
    """
    argv = system.list_argv()
    answer = query(system, argv, timeout)
    records = system.parse_listing(answer)
    return Listing(records, '' if records is not None else answer.problem(argv[0]))


def match_jobs(records: Sequence[JobRecord], attempts: Iterable[Attempt], pilots: Iterable[Submission]) -> ListedSearch:
    """Find the jobs of a search among the listed ones.

    Args:
        records: All jobs of this user.
        attempts: Attempts that are jobs in this queue.
        pilots: Submissions of jobs that work on the search by themselves.
    """
    found = by_key(records)
    matched = [(attempt, _record_of_attempt(attempt, found)) for attempt in attempts]
    listed = [(attempt, record) for attempt, record in matched if record is not None]
    names = {submission.name for submission in pilots}
    lines = [line_of(record, attempt.run) for attempt, record in listed]
    lines += [line_of(record, f'{name}[{index}]') for (name, index), record in found.items() if name in names]
    return ListedSearch(
        lines=tuple(merged_queue(line for line in lines if line.state != JobState.ENDED.value)),
        running=tuple(attempt for attempt, record in listed if record.kind is JobState.RUNNING),
        ended=tuple((attempt, record) for attempt, record in listed if record.kind is JobState.ENDED),
        missing=tuple(attempt for attempt, record in matched if record is None),
    )


def _record_of_attempt(attempt: Attempt, found: RecordsByKey) -> JobRecord | None:
    name = str(attempt.handle['submission'])
    return found.get((name, int(attempt.handle['index']))) or _whole_array(found, name)


def line_of(record: JobRecord, example: str) -> QueueLine:
    """What is shown of one job.

    Args:
        record: The job.
        example: Name of its run, or its own.
    """
    reason = '' if record.kind is JobState.RUNNING else record.reason or record.cause
    return QueueLine(str(record.kind.value), reason, 1, example, record.is_stuck)
