"""Jobs: the state of an attempt as a backend reports it, and what a queue system says of a single job."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class JobState(Enum):
    """What a backend knows of an attempt."""

    WAITING = 'waiting'
    """It waits here until a queue accepts it."""
    PENDING = 'pending'
    """It waits in a queue."""
    RUNNING = 'running'
    ENDED = 'ended'
    ABSENT = 'absent'
    """It should be there and is not: no evidence of how it ended."""
    UNKNOWN = 'unknown'
    """The backend could not find out; nothing follows from that."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One element of one job, as a listing or the accounting shows it.

    Attributes:
        job: Id of the job (of the whole array).
        index: Which element; 0 where the job is no array.
        name: Name of the job.
        kind: ``PENDING``, ``RUNNING`` (also while it is ending) or ``ENDED``.
        cause: For an end: ``''`` (by itself), ``cancelled``, ``preempted``, ``node_fail``, ``boot_fail``, ``timeout``,
            ``out_of_memory``.
        code: Raw exit status of its shell, 128 + N for signal N, where it is known.
        reason: Why it waits, or how it ended, in the system's own words.
        where: Where it runs.
        is_stuck: Whether it waits for something that will never come.
    """

    job: str
    index: int
    name: str
    kind: JobState
    cause: str = ''
    code: int | None = None
    reason: str = ''
    where: str = ''
    is_stuck: bool = False


@dataclass(frozen=True, slots=True)
class QueueView:
    """All that a queue system says of the job of an attempt.

    Attributes:
        kind: What is known of it.
        seen: What was last seen of it.
        is_missing: Whether the latest listing did not show it.
        was_taken_out: Whether it waited, and is gone while others of its array are not.
        is_cancelled: Whether we cancelled it.
        awaits_details: Whether the queue may yet say why it ended.
        log: The file with the queue's own messages about it, for people.
    """

    kind: JobState
    seen: JobRecord | None = None
    is_missing: bool = False
    was_taken_out: bool = False
    is_cancelled: bool = False
    awaits_details: bool = False
    log: str = ''
