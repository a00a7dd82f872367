"""Asking a queue once what it has of a search, for whoever only looks at that search.

A dispatcher watches its jobs; here one listing has to do, so nothing is concluded from what is missing in it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hpsearch.backends.base import Kind
from hpsearch.backends.jobs import execute
from hpsearch.backends.queue_system import QueueSystem, Sighting
from hpsearch.records import QueueLine
from hpsearch.states import Attempt, Submission
from hpsearch.texts import merged_queue

TIMEOUT = 20.0
"""Seconds the queue may take to answer."""

_ENDED = Kind.ENDED.value
_LIVELINESS = {Kind.ENDED: 0, Kind.PENDING: 1, Kind.RUNNING: 2}


@dataclass(frozen=True, slots=True)
class Listing:
    """What a queue answered.

    Attributes:
        sightings: The jobs it listed; None: it was not asked, or did not answer.
        problem: Why not, in words.
    """

    sightings: Sequence[Sighting] | None
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
    ended: tuple[tuple[Attempt, Sighting], ...] = ()
    missing: tuple[Attempt, ...] = ()


def list_jobs(system: QueueSystem, timeout: float = TIMEOUT) -> Listing:
    """All jobs of this user.

    Args:
        system: The queue system.
        timeout: Seconds it may take.
    """
    words = system.list_words()
    if shutil.which(words[0]) is None:
        return Listing(None, f'{words[0]} is not on PATH here')
    answer = execute(words, {**system.environment(os.environ), 'LC_ALL': 'C'}, b'', timeout)
    sightings = system.read_listing(answer)
    if sightings is not None:
        return Listing(sightings)
    return Listing(None, ' '.join(answer.err.split()) or f'{words[0]} ended with status {answer.code}')


def sort_out(sightings: Sequence[Sighting], attempts: Iterable[Attempt], pilots: Iterable[Submission]) -> Told:
    """Which of the listed jobs are those of a search, and what they do.

    Args:
        sightings: All jobs of this user.
        attempts: Attempts that are jobs in this queue.
        pilots: Submissions of jobs that work on the search by themselves.
    """
    found = _most_alive(sightings)
    seen = [(attempt, _sighting_of(attempt, found)) for attempt in attempts]
    listed = [(attempt, sighting) for attempt, sighting in seen if sighting is not None]
    names = {submission.name for submission in pilots}
    lines = [line_of(sighting, attempt.run) for attempt, sighting in listed]
    lines += [line_of(each, f'{each.name}[{each.index}]') for each in found.values() if each.name in names]
    return Told(
        lines=tuple(merged_queue(line for line in lines if line.state != _ENDED)),
        running=tuple(attempt for attempt, sighting in listed if sighting.kind is Kind.RUNNING),
        ended=tuple((attempt, each) for attempt, each in listed if each.kind is Kind.ENDED),
        missing=tuple(attempt for attempt, sighting in seen if sighting is None),
    )


def _most_alive(sightings: Iterable[Sighting]) -> dict[tuple[str, int], Sighting]:
    """Sightings by name and index; of two of one name (an answer got lost) the one that is most alive."""
    found: dict[tuple[str, int], Sighting] = {}
    for seen in sightings:
        key = (seen.name, seen.index)
        if key not in found or _LIVELINESS.get(seen.kind, 0) > _LIVELINESS.get(found[key].kind, 0):
            found[key] = seen
    return found


def _sighting_of(attempt: Attempt, found: Mapping[tuple[str, int], Sighting]) -> Sighting | None:
    """Elements that were cancelled while they waited may be listed together, as the array itself."""
    name = str(attempt.handle['submission'])
    whole = found.get((name, 0))
    own = found.get((name, int(attempt.handle['index'])))
    return own or (whole if whole is not None and whole.kind is Kind.ENDED else None)


def line_of(seen: Sighting, example: str) -> QueueLine:
    """What is shown of one job; ``example`` is the name of its run, or its own."""
    reason = '' if seen.kind is Kind.RUNNING else seen.reason or seen.cause
    return QueueLine(str(seen.kind.value), reason, 1, example, seen.is_stuck)
