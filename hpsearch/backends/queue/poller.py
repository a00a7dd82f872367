"""What became of the jobs in a queue, from listings and the accounting of the batch system.

One listing covers all jobs. For a job that a listing does not show, the queue is asked by its id; after two such
listings, the accounting. It is absent when neither knows it for a while. Nothing follows from a command that failed.
"""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hpsearch.backends.base import Silence
from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult, QueueLimits
from hpsearch.backends.queue.commands import CLOSE_TIMEOUT, QUERY_TIMEOUT, CommandRunner, query
from hpsearch.model.evidence import JobRecord, JobState
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.submission import Submission
from hpsearch.model.snapshot import QueueLine, merged_queue

log = logging.getLogger('hpsearch')

MISSES = 2
"""Consecutive listings without a job after which the accounting is asked."""

LONGEST_PAUSE = 300.0
"""Maximum seconds between two listings, however often they failed."""

SHORTEST_PAUSE = 2.0
"""Minimum seconds between two listings when one is needed soon; it doubles with each such listing."""

ABSENT_AFTER = 60.0
"""Seconds a job must be missing, and unknown to the queue and its accounting, before it is absent."""

UNANSWERED_AFTER = 600.0
"""The same where the accounting does not answer."""

LIMIT_GRACE = 600.0
"""Seconds that a job may take to end after its time limit."""

SILENT_TIMEOUT = 3.0
"""Seconds that an answer may take when leaving."""

LONG_AGO = 7 * 86400.0
"""Seconds since the submission of a job, where that is not known."""

MAX_SKEW = 86400.0
"""Seconds by which the clocks of two machines, or their time zones, may differ."""

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
        gone_at: When the queue was last asked for it by its id and did not know it, in monotonic seconds; None: it was
            not, or the queue knew it.
        has_known_siblings: Whether the queue, or the accounting, knows other elements of its job, but not this one.
        accounted: What the accounting said of it; ``ABSENT``: it does not know it, ``UNKNOWN``: it did not answer.
        is_absent: Whether neither the queue nor the accounting know it any more.
        wants_details: Whether the accounting is to be asked how it ended.
        has_details: Whether the record is the accounting's.
    """

    since: float
    submitted: float
    job: str = ''
    record: JobRecord | None = None
    misses: int = 0
    missing_since: float = 0.0
    gone_at: float | None = None
    has_known_siblings: bool = False
    accounted: JobState = JobState.UNKNOWN
    is_absent: bool = False
    wants_details: bool = False
    has_details: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether there is a record of its end."""
        return self.record is not None and self.record.kind is JobState.ENDED

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing more to learn about it: what is absent may come back, or be explained."""
        return self.has_ended and not self.wants_details

    @property
    def is_asked_for(self) -> bool:
        """Whether the queue is to be asked for it by its id."""
        return bool(self.job) and self.misses > 0 and not self.has_ended

    @property
    def is_looked_up(self) -> bool:
        """Whether the accounting is to be asked about it."""
        return bool(self.job) and (self.wants_details or (self.misses >= MISSES and not self.has_ended))

    def absent_after(self, *, has_accounting: bool) -> float:
        """Seconds it must be missing before it is absent; infinite while anything says that it may be there.

        The accounting goes on to list elements that were cancelled while pending as long as others of their array are
        pending. So where the queue knows these others, it is believed.
        """
        if self.job and self.gone_at is None:
            return math.inf
        is_alive = self.accounted is JobState.RUNNING or (
            self.accounted is JobState.PENDING and not self.has_known_siblings
        )
        if is_alive:
            return math.inf
        is_unanswered = bool(self.job) and has_accounting and self.accounted is JobState.UNKNOWN
        return UNANSWERED_AFTER if is_unanswered else ABSENT_AFTER

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
        self.job, self.misses, self.gone_at = record.job, 0, None
        self.accounted = JobState.UNKNOWN
        self.is_absent = self.has_known_siblings = False

    def note_gone(self, at: float, *, has_known_siblings: bool) -> None:
        """Note that the queue, asked by the id of its job ``at`` a time, does not know it."""
        self.gone_at = at
        self.has_known_siblings |= has_known_siblings

    def note_accounted(self, record: JobRecord | None, *, has_known_siblings: bool) -> None:
        """Take in its record in the accounting; None: there is none."""
        self.accounted = JobState.ABSENT if record is None else record.kind
        if record is None:
            self.has_known_siblings |= has_known_siblings
        elif record.kind is JobState.ENDED:
            self.record, self.wants_details, self.has_details = record, False, True
            self.is_absent = False


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


def is_ours(record: JobRecord, name: str, submitted: float, now: float) -> bool:
    """Whether a record with the id of our job is about that job, which may have another name by now.

    A queue uses its ids again when it has run out of them, or was installed again.

    Args:
        record: The record.
        name: Name of our job; one that begins with ``#`` is not known.
        submitted: When our job was submitted, in seconds since 1970.
        now: Seconds since 1970.
    """
    if record.name in ('', name) or name.startswith('#'):
        return True
    if record.submitted is None:
        return now - submitted < LONG_AGO
    return record.submitted < submitted + MAX_SKEW


def _find(records: RecordsByKey, key: JobKey, job: str, submitted: float, now: float) -> JobRecord | None:
    """The record of a job: by its id, whatever its name is by now, or by its name, as long as that is more alive."""
    named, own = records.get(key), records.get((f'#{job}', key[1])) if job else None
    own = own if own is not None and is_ours(own, key[0], submitted, now) else None
    if own is None or named is None:
        return own or named
    return own if _is_as_alive(own, named) else named


def _whole_array(records: RecordsByKey, name: str, job: str, submitted: float, now: float) -> JobRecord | None:
    """The record of a whole array that ended: elements cancelled while pending may be listed only like that."""
    whole = _find(records, (name, 0), job, submitted, now)
    return whole if whole is not None and whole.kind is JobState.ENDED else None


def _record_of(records: RecordsByKey, key: JobKey, watched: WatchedJob, now: float) -> JobRecord | None:
    """The record of a job that is watched, or of its array, if that was cancelled as a whole before it ran."""
    own = _find(records, key, watched.job, watched.submitted, now)
    if own is not None or (watched.record is not None and watched.record.kind is JobState.RUNNING):
        return own
    whole = _whole_array(records, key[0], watched.job, watched.submitted, now)
    return whole if whole is not None and whole.cause else None


# All jobs that are watched


class JobPoller:
    """Knows what became of jobs.

    Attributes:
        problem: Why the batch system cannot be asked at the moment; empty when it can.
        listings: Number of listings taken in.
        news: Number of answers taken in that may contain something new.
        listed_at: When the latest listing that was taken in was requested, in monotonic seconds.
        records: The latest listing.
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
        self._is_needed_soon = self._is_needed_anyway = False
        self._asked: set[str] = set()
        self._failures = 0
        self._unanswered_since: float | None = None
        self._is_listing = False
        self._is_looking_up = False
        self._jobs_by_name: dict[str, set[str]] = {}
        self.has_accounting = True
        self.problem = ''
        self.listings = 0
        self.news = 0
        self.listed_at = float('-inf')
        self.records: Sequence[JobRecord] = ()

    @property
    def silence(self) -> Silence | None:
        """The listing that the batch system owes; None: none."""
        if self._unanswered_since is None:
            return None
        return Silence(self._unanswered_since, self.problem or f'{self._system.list_argv()[0]} has not answered yet')

    @property
    def close_timeout(self) -> float:
        """Seconds to wait, when leaving, for commands: only a moment if the batch system owes an answer."""
        if self._unanswered_since is None:
            return CLOSE_TIMEOUT
        return 0.0 if self.problem else max(0.0, self._unanswered_since + SILENT_TIMEOUT - self._clock())

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

    def follow(self, key: JobKey, job: str) -> None:
        """Watch another job in the place of one: there are two if an answer was lost, and this one has started."""
        watched = self._watched.get(key)
        if watched is not None and watched.job != job:
            self.watch_anew(key, watched.submitted, job)
            self.poll_soon()

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

    def gone_at(self, key: JobKey) -> float | None:
        """When the queue was last asked for a job by its id and did not know it, in monotonic seconds; None: never."""
        watched = self._watched.get(key)
        return None if watched is None else watched.gone_at

    def has_never_come(self, key: JobKey) -> bool:
        """Whether a job has never been listed, in as many listings as it takes to be sure."""
        watched = self._watched.get(key)
        return watched is not None and watched.record is None and watched.misses >= MISSES

    def was_taken_out(self, key: JobKey) -> bool:
        """Whether a job is absent while others of its array are known: if it never began it was cancelled.

        Slurm forgets elements that were cancelled while pending, in listings and in the accounting.
        """
        watched = self._watched.get(key)
        return watched is not None and watched.is_absent and watched.has_known_siblings

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

    def has_ended(self, job: str, ends: float | None = None) -> bool:
        """Whether a job has certainly ended; it is watched from the first call on.

        Args:
            job: ``id`` or ``id_index``.
            ends: When it reaches its time limit, in seconds since 1970; None: not known.
        """
        ident, _, index = job.partition('_')
        key = (f'#{ident}', int(index or 0))
        self.watch(key, self._wall() - LONG_AGO, ident)
        watched = self._watched[key]
        is_overdue = ends is not None and self._wall() > ends + LIMIT_GRACE
        return watched.has_ended or (watched.is_absent and is_overdue)

    # Listings

    def poll_soon(self) -> None:
        """Request the next listing early."""
        self._is_needed_soon = True

    def poll_anyway(self) -> None:
        """Request the next listing early, even if no job is watched."""
        self._is_needed_soon = self._is_needed_anyway = True

    def poll_now(self) -> None:
        """Request the next listing at once, even if no job is watched, or the last one failed."""
        self._next, self._is_needed_anyway = float('-inf'), True

    def poll(self, now: float) -> None:
        """Request a listing if it is time, and if there is something to learn from it.

        Args:
            now: Monotonic seconds.
        """
        if self._is_listing or not self._is_due(now) or not self._is_worthwhile():
            return
        is_early = now < self._next
        self._pause = min(2 * self._pause if is_early else SHORTEST_PAUSE, self._interval)
        self._is_listing, self._is_needed_soon, self._is_needed_anyway, self._last = True, False, False, now
        self._unanswered_since = now if self._unanswered_since is None else self._unanswered_since
        self._runner.run(self._system.list_argv(), lambda answer: self._take_listing(answer, now))

    def _is_worthwhile(self) -> bool:
        return self._is_needed_anyway or not all(each.is_settled for each in self._watched.values())

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
        self.problem, self._failures, self._unanswered_since = '', 0, None
        self._next = self._clock() + self._interval
        self.listed_at = requested
        self.listings += 1
        self.news += 1
        self._take_records(records, requested)
        self._ask_by_id()
        self._look_up()

    def _take_records(self, records: Sequence[JobRecord], requested: float) -> None:
        found, self.records = by_key(records), records
        self._jobs_by_name = defaultdict(set)
        for record in records:
            self._jobs_by_name[record.name].add(record.job)
        for key, watched in self._watched.items():
            own = _record_of(found, key, watched, self._wall())
            if own is not None:
                watched.note_listed(own)
            elif not watched.has_ended and watched.since <= requested:
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
        if watched.misses > MISSES and missing >= watched.absent_after(has_accounting=self.has_accounting):
            watched.is_absent = True

    # Single jobs

    def _ask_by_id(self) -> None:
        """Ask the queue for each job that the listing does not show."""
        for job in sorted({watched.job for watched in self._watched.values() if watched.is_asked_for} - self._asked):
            self._ask(job, self._clock())

    def _ask(self, job: str, at: float) -> None:
        self._asked.add(job)
        self._runner.run(self._system.job_argv(job), lambda answer: self._take_job(job, at, answer))

    def _take_job(self, job: str, at: float, answer: CommandResult) -> None:
        self._asked.discard(job)
        records = self._system.parse_job(answer)
        if records is None:
            log.debug('%s does not say whether it knows job %s: %s', self._system.name, job, answer.err.strip())
            return
        found = by_key(records)
        for key, watched in self._watched.items():
            if watched.job == job and watched.is_asked_for and watched.since <= at:
                record = _record_of(found, key, watched, self._wall())
                self._take_own(watched, record, at, has_known_siblings=bool(records))
        self.news += 1

    def _take_own(self, watched: WatchedJob, record: JobRecord | None, at: float, *, has_known_siblings: bool) -> None:
        if record is None:
            watched.note_gone(at, has_known_siblings=has_known_siblings)
        else:
            watched.note_listed(record)

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
        found, jobs = by_key(records), {record.job for record in records}
        for key, watched in wanted:
            if watched.is_looked_up:
                record = _record_of(found, key, watched, self._wall())
                watched.note_accounted(record, has_known_siblings=watched.job in jobs)
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


def match_jobs(
    records: Sequence[JobRecord],
    attempts: Iterable[Attempt],
    pilots: Iterable[Submission],
    submissions: Mapping[str, Submission] | None = None,
    now: float = 0.0,
) -> ListedSearch:
    """Find the jobs of a search among the listed ones.

    Args:
        records: All jobs of this user.
        attempts: Attempts that are jobs in this queue.
        pilots: Submissions of jobs that work on the search by themselves.
        submissions: Those of the attempts, by name, as far as known.
        now: Seconds since 1970.
    """
    found = by_key(records)
    matched = [(attempt, _record_of_attempt(attempt, found, submissions or {}, now)) for attempt in attempts]
    listed = [(attempt, record) for attempt, record in matched if record is not None]
    lines = [line_of(record, attempt.run) for attempt, record in listed]
    lines += [line_of(record, f'{name}[{record.index}]') for name, record in _listed_of(pilots, records)]
    return ListedSearch(
        lines=tuple(merged_queue(line for line in lines if line.state != JobState.ENDED.value)),
        running=tuple(attempt for attempt, record in listed if record.kind is JobState.RUNNING),
        ended=tuple((attempt, record) for attempt, record in listed if record.kind is JobState.ENDED),
        missing=tuple(attempt for attempt, record in matched if record is None),
    )


def _record_of_attempt(
    attempt: Attempt, found: RecordsByKey, submissions: Mapping[str, Submission], now: float
) -> JobRecord | None:
    name = str(attempt.handle['submission'])
    known = submissions.get(name)
    job, at = (known.job, known.at) if known else ('', 0.0)
    own = _find(found, (name, int(attempt.handle['index'])), job, at, now)
    return own or _whole_array(found, name, job, at, now)


def _listed_of(submissions: Iterable[Submission], records: Iterable[JobRecord]) -> Iterator[tuple[str, JobRecord]]:
    """The listed jobs of submissions, by their ids or names, each with the name of its submission."""
    jobs = {each.name: each.job for each in submissions}
    names = {job: name for name, job in jobs.items() if job}
    for record in records:
        name = names.get(record.job, record.name)
        if name in jobs:
            yield name, record


def line_of(record: JobRecord, example: str) -> QueueLine:
    """What is shown of one job.

    Args:
        record: The job.
        example: Name of its run, or its own.
    """
    reason = '' if record.kind is JobState.RUNNING else record.reason or record.cause
    return QueueLine(str(record.kind.value), reason, 1, example, record.is_stuck)
