"""What was submitted to a queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Submission:
    """An array of jobs that was, or was about to be, submitted.

    Attributes:
        name: Of its job.
        queue: ``slurm`` or ``lsf``.
        writer: Who submitted it.
        at: When, in seconds since 1970 by the writer's clock.
        throttle: Jobs of it at a time.
        pilots: Number of its jobs that work on the search by themselves; 0: each is an attempt.
        job: Its id; empty while none is known.
        room: How much room each of its jobs has (:func:`hpsearch.model.retries.room_in_queue`); empty: unknown.
        limit: Seconds that each of its jobs may run; None: not known.
        attempts: The attempts (run and number) that its jobs are; the first has index 1.
        place: Where its jobs look for the search folder; empty: not known.
    """

    name: str
    queue: str
    writer: str
    at: float
    throttle: int
    pilots: int = 0
    job: str = ''
    room: Mapping[str, Any] = field(default_factory=dict)
    limit: float | None = None
    attempts: Sequence[tuple[str, int]] = ()
    place: str = ''
