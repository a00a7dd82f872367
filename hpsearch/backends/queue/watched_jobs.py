"""What listings and the accounting of a queue system tell of single jobs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hpsearch.model.jobs import JobRecord, JobState

LOOKS = 2
"""Listings without a job after which the accounting is asked."""

JobKey = tuple[str, int]
"""The name of a submission and an index; or ``#`` and the id of a job, and an index (0: the job is no array)."""

Found = Mapping[JobKey, JobRecord]


@dataclass(slots=True)
class WatchedJob:
    """What is known of one job.

    Attributes:
        expected: When it began to be watched, in monotonic seconds; earlier listings say nothing of it.
        submitted: When it was submitted, in seconds since 1970.
        job: Its id; empty while it is not known.
        seen: What was last seen of it.
        misses: Listings in a row without it.
        missing_since: When the first of them was asked for.
        is_unknown_to_accounting: Whether the accounting answered, and knows nothing of it.
        is_absent: Whether nobody knows it any more.
        wants_details: Whether the accounting is to be asked how it ended.
        has_details: Whether the accounting told how it ended.
    """

    expected: float
    submitted: float
    job: str = ''
    seen: JobRecord | None = None
    misses: int = 0
    missing_since: float = 0.0
    is_unknown_to_accounting: bool = False
    is_absent: bool = False
    wants_details: bool = False
    has_details: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether it was seen ended."""
        return self.seen is not None and self.seen.kind is JobState.ENDED

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or nobody knows it."""
        return self.is_absent or self.has_ended

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing more to be known."""
        return self.is_over and not self.wants_details

    @property
    def is_looked_up(self) -> bool:
        """Whether the accounting is to be asked about it."""
        return bool(self.job) and (self.wants_details or (self.misses >= LOOKS and not self.is_over))

    @property
    def is_unexplained(self) -> bool:
        """Whether it has ended and nothing was said of why, as in a listing that shows no statuses."""
        if self.seen is None or self.seen.kind is not JobState.ENDED or self.has_details:
            return False
        return not self.seen.cause and self.seen.code is None

    def note(self, seen: JobRecord) -> None:
        """It is listed."""
        if not (self.has_details and self.has_ended and seen.kind is JobState.ENDED):
            self.seen, self.has_details = seen, False
        self.job, self.misses = seen.job, 0
        self.is_unknown_to_accounting = self.is_absent = False


def note_accounted(watched: WatchedJob, seen: JobRecord | None) -> None:
    """The accounting was asked about a job; None: it does not know it."""
    watched.is_unknown_to_accounting = seen is None
    if seen is not None and seen.kind is JobState.ENDED:
        watched.seen, watched.wants_details, watched.has_details = seen, False, True


_RANKS = {JobState.RUNNING: 2, JobState.PENDING: 1}


def _is_as_alive(seen: JobRecord, other: JobRecord) -> bool:
    return _RANKS.get(seen.kind, 0) >= _RANKS.get(other.kind, 0)


def by_key(records: Iterable[JobRecord]) -> dict[JobKey, JobRecord]:
    """Sightings by both their keys; of two of one name (an answer got lost) the one that is most alive."""
    found: dict[JobKey, JobRecord] = {}
    for seen in records:
        for key in ((seen.name, seen.index), (f'#{seen.job}', seen.index)):
            other = found.get(key)
            if other is None or _is_as_alive(seen, other):
                found[key] = seen
    return found


def find(found: Found, key: JobKey, watched: WatchedJob) -> JobRecord | None:
    """A job by its name, or by its id, where the system did not tell the name; of two the one that is more alive."""
    named = found.get(key)
    own = found.get((f'#{watched.job}', key[1])) if watched.job else None
    if own is None or own.name not in ('', key[0]):
        return named
    return own if named is None or _is_as_alive(own, named) else named


def as_a_whole(found: Found, key: JobKey, watched: WatchedJob) -> JobRecord | None:
    """Elements that were cancelled while they waited are listed together, as the array itself."""
    whole = found.get((key[0], 0))
    has_run = watched.seen is not None and watched.seen.kind is JobState.RUNNING
    return whole if whole is not None and whole.kind is JobState.ENDED and whole.cause and not has_run else None
