"""Asking a queue once what it has of a search, for whoever only looks at that search.

A dispatcher watches its jobs; here one listing has to do, so nothing is concluded from what is missing in it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hpsearch.backends.queue.batch_system import BatchSystem, CommandResult
from hpsearch.backends.queue.commands import execute, in_english
from hpsearch.backends.queue.watched_jobs import JobKey, by_key
from hpsearch.model.jobs import JobRecord, JobState
from hpsearch.model.snapshot import QueueLine, merged_queue
from hpsearch.model.states import Attempt, Submission

TIMEOUT = 20.0
"""Seconds the queue may take to answer."""

_ENDED = JobState.ENDED.value


@dataclass(frozen=True, slots=True)
class Listing:
    """What a queue answered.

    Attributes:
        sightings: The jobs it listed; None: it was not asked, or did not answer.
        problem: Why not, in words.
    """

    records: Sequence[JobRecord] | None
    problem: str = ''


@dataclass(frozen=True, slots=True)
class Told:
    """What a listing tells of a search.

    Attributes:
        lines: Its jobs that have not ended, counted by state and reason.
        running: Attempts whose jobs run.
        ended: Attempts whose jobs have ended, with what was listed of each.
        missing: Attempts whose jobs are not listed.
    """

    lines: tuple[QueueLine, ...] = ()
    running: tuple[Attempt, ...] = ()
    ended: tuple[tuple[Attempt, JobRecord], ...] = ()
    missing: tuple[Attempt, ...] = ()


def ask(system: BatchSystem, words: Sequence[str], timeout: float = TIMEOUT) -> CommandResult:
    """The answer of a queue to a single question, where it can be asked from here.

    Args:
        system: The queue system.
        words: The question, one of its commands.
        timeout: Seconds it may take.
    """
    if shutil.which(words[0]) is None:
        return CommandResult(None, err=f'{words[0]} is not on PATH here')
    return execute(words, in_english(system.environment(os.environ)), b'', timeout)


def list_jobs(system: BatchSystem, timeout: float = TIMEOUT) -> Listing:
    """All jobs of this user.

    Args:
        system: The queue system.
        timeout: Seconds it may take.
    """
    words = system.list_argv()
    answer = ask(system, words, timeout)
    records = system.parse_listing(answer)
    return Listing(records, '' if records is not None else answer.problem(words[0]))


def sort_out(records: Sequence[JobRecord], attempts: Iterable[Attempt], pilots: Iterable[Submission]) -> Told:
    """Which of the listed jobs are those of a search, and what they do.

    Args:
        sightings: All jobs of this user.
        attempts: Attempts that are jobs in this queue.
        pilots: Submissions of jobs that work on the search by themselves.
    """
    found = by_key(records)
    seen = [(attempt, _sighting_of(attempt, found)) for attempt in attempts]
    listed = [(attempt, sighting) for attempt, sighting in seen if sighting is not None]
    names = {submission.name for submission in pilots}
    lines = [line_of(sighting, attempt.run) for attempt, sighting in listed]
    lines += [line_of(each, f'{name}[{index}]') for (name, index), each in found.items() if name in names]
    return Told(
        lines=tuple(merged_queue(line for line in lines if line.state != _ENDED)),
        running=tuple(attempt for attempt, sighting in listed if sighting.kind is JobState.RUNNING),
        ended=tuple((attempt, each) for attempt, each in listed if each.kind is JobState.ENDED),
        missing=tuple(attempt for attempt, sighting in seen if sighting is None),
    )


def _sighting_of(attempt: Attempt, found: Mapping[JobKey, JobRecord]) -> JobRecord | None:
    """Elements that were cancelled while they waited may be listed together, as the array itself."""
    name = str(attempt.handle['submission'])
    whole = found.get((name, 0))
    own = found.get((name, int(attempt.handle['index'])))
    return own or (whole if whole is not None and whole.kind is JobState.ENDED else None)


def line_of(seen: JobRecord, example: str) -> QueueLine:
    """What is shown of one job; ``example`` is the name of its run, or its own."""
    reason = '' if seen.kind is JobState.RUNNING else seen.reason or seen.cause
    return QueueLine(str(seen.kind.value), reason, 1, example, seen.is_stuck)
