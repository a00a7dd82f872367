"""How long runs take, and whether another one fits before the job that it would run in ends. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from hpsearch.model.units import duration

MOST_PERCENT = 90
"""Percentile of the durations of ended runs that the next run is expected to take."""

WHOLE_JOB = 0.8
"""Share (0-1) of the time of its job that an attempt must have used for a new job not to help it."""


def expected_seconds(durations: Sequence[float]) -> float | None:
    """The expected duration of a run: the 90th percentile of the durations so far.

    Args:
        durations: Durations of runs of this search, in seconds.

    Returns:
        Seconds, or None where no run has ended.
    """
    if not durations:
        return None
    rank = -(-MOST_PERCENT * len(durations) // 100)
    return sorted(durations)[rank - 1]


def why_no_more(remaining: float, durations: Sequence[float], *, margin: float) -> str:
    """Why no other run is started in a job, in words; empty: one may be.

    Until the first run has ended, another one may be started as long as there is any time.

    Args:
        remaining: Seconds until the job ends.
        durations: Durations of runs of this search, in seconds.
        margin: Seconds before the end of the job in which nothing may run any more.
    """
    left = remaining - margin
    if left <= 0:
        return f'this job ends in {duration(remaining)}'
    expected = expected_seconds(durations)
    if expected is None or expected <= left:
        return ''
    kept = f', of which {duration(margin)} are reserved for its end' if margin > 0 else ''
    return f'this job ends in {duration(remaining)}{kept}, and runs of this search take {duration(expected)}'


def was_whole_job(seconds: float, job_seconds: float) -> bool:
    """Whether an attempt used nearly all the time of its job, so that another job would get it no further.

    Args:
        seconds: How long it ran.
        job_seconds: Seconds from the start of hpsearch in its job to the end of that job; not positive: unknown.
    """
    return job_seconds > 0 and seconds >= WHOLE_JOB * job_seconds
