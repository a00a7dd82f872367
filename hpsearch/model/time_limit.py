"""How long runs take, and whether another one fits before the job that it would run in ends. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from hpsearch.model.units import duration

MOST_PERCENT = 90
"""Of the runs that ended, so many percent were as quick as a run is expected to be, or quicker."""

WHOLE_JOB = 0.8
"""Fraction of the time of its job that an attempt must have had for a new job not to help it."""


def expected_seconds(durations: Sequence[float]) -> float | None:
    """How long a run takes: as long as the slowest of the quickest 90 % did.

    Args:
        durations: What runs of this search took, in seconds.

    Returns:
        Seconds, or None where no run has ended.
    """
    if not durations:
        return None
    rank = -(-MOST_PERCENT * len(durations) // 100)
    return sorted(durations)[rank - 1]


def why_no_more(remaining: float, durations: Sequence[float], *, margin: float) -> str:
    """Why no other run is started in a job, in words; empty: one may be.

    As long as nothing is known of how long runs take, one may be as long as there is any time.

    Args:
        remaining: Seconds until the job ends.
        durations: What runs of this search took, in seconds.
        margin: Seconds before the end of the job in which nothing may run any more.
    """
    left = remaining - margin
    if left <= 0:
        return f'this job ends in {duration(remaining)}'
    expected = expected_seconds(durations)
    if expected is None or expected <= left:
        return ''
    kept = f', of which {duration(margin)} are kept for its end' if margin > 0 else ''
    return f'this job ends in {duration(remaining)}{kept}, and runs of this search take {duration(expected)}'


def was_whole_job(seconds: float, job_seconds: float) -> bool:
    """Whether an attempt had its job almost to itself: in another one it would get no further.

    Args:
        seconds: How long it ran.
        job_seconds: How long its job lasts, from when hpsearch began in it; not positive: that is not known.
    """
    return job_seconds > 0 and seconds >= WHOLE_JOB * job_seconds
