"""What became of an attempt that is a job of a queue, by what it left and what the queue says. Pure.

The exit record beats everything. An attempt that the queue says has ended, or does not know any more, and that never
passed its start fence, has ended only when that fence could be closed: then it never starts, whatever the queue does.
"""

from __future__ import annotations

from dataclasses import dataclass

from hpsearch.model.jobs import JobRecord, JobState
from hpsearch.model.states import TIMEOUT
from hpsearch.model.verdict import told_by

RECORD_GRACE = 20.0
"""Seconds an exit record may take to appear here after the queue told of the end: shared file systems are slow."""

CAUSE_GRACE = 120.0
"""Seconds the queue is asked why an attempt was told to end, after its record has come."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What an attempt left in its folder.

    Attributes:
        code: The raw status in its exit record; None: there is none.
        signalled: What signal it got: ``timeout``, ``TERM``, or empty.
        is_requeued: Whether the queue started its job again.
        has_started: Whether its start fence was passed.
        is_closed: Whether somebody closed the fence, or passed it instead.
        job: The job that passed it, where that is told.
        log: The file with the queue's own messages.
    """

    code: int | None = None
    signalled: str = ''
    is_requeued: bool = False
    has_started: bool = False
    is_closed: bool = False
    job: str = ''
    log: str = ''


@dataclass(frozen=True, slots=True)
class QueueView:
    """What the queue says of its job.

    Attributes:
        kind: What is known of it.
        seen: What was last seen of it.
        is_missing: Whether the latest listing did not show it.
        was_taken_out: Whether it waited, and is gone while others of its array are not.
        is_cancelled: Whether we asked for its end.
        awaits_details: Whether the queue may yet say why it ended.
    """

    kind: JobState
    seen: JobRecord | None = None
    is_missing: bool = False
    was_taken_out: bool = False
    is_cancelled: bool = False
    awaits_details: bool = False


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What follows.

    Attributes:
        kind: Its state; ``UNKNOWN``: nothing new is known.
        code: Raw exit status.
        cause: One word for an end that came from outside, or empty.
        detail: In words.
        in_doubt: Whether a piece of evidence is waited for.
        if_closed: Whether all this is so only if its start fence can be closed.
    """

    kind: JobState
    code: int | None = None
    cause: str = ''
    detail: str = ''
    in_doubt: bool = False
    if_closed: bool = False


def weigh(traces: Traces, job: QueueView, waited: float, record_grace: float = RECORD_GRACE) -> Conclusion:
    """What became of an attempt.

    Args:
        traces: What it left.
        job: What the queue says.
        waited: Seconds for which a piece of evidence has been waited for.
        record_grace: See :data:`RECORD_GRACE`.
    """
    if traces.code is not None:
        return _by_its_record(traces, traces.code, job, waited)
    if traces.is_requeued:
        return Conclusion(JobState.ENDED, cause='requeued')
    if job.kind is JobState.ENDED and job.seen is not None:
        return _by_the_queue(traces, job, job.seen, waited, record_grace)
    if job.is_cancelled and job.is_missing and not traces.has_started:
        return Conclusion(JobState.ENDED, cause='abandoned', detail='it was taken out of the queue', if_closed=True)
    if job.kind is JobState.ABSENT:
        return _absent(traces, job)
    if job.kind is JobState.UNKNOWN or job.seen is None:
        return Conclusion(JobState.UNKNOWN)
    return Conclusion(job.kind, detail=job.seen.reason if job.kind is JobState.PENDING else _place(job.seen))


def _by_its_record(traces: Traces, code: int, job: QueueView, waited: float) -> Conclusion:
    unexplained, words = told_by(traces.signalled)
    if unexplained == TIMEOUT:
        return Conclusion(JobState.ENDED, code, unexplained, words)
    if job.is_cancelled or not (unexplained or code > 128):
        return Conclusion(JobState.ENDED, code)
    if traces.is_requeued:
        return Conclusion(JobState.ENDED, code, 'requeued')
    is_over = waited >= CAUSE_GRACE
    if job.kind is JobState.ENDED and job.seen is not None and (is_over or not job.awaits_details):
        return Conclusion(JobState.ENDED, code, job.seen.cause or unexplained, in_queue(job.seen))
    if is_over and job.kind is JobState.PENDING:
        return Conclusion(JobState.ENDED, code, 'requeued')
    if is_over or job.kind is JobState.ABSENT:
        return Conclusion(JobState.ENDED, code, unexplained)
    return Conclusion(JobState.RUNNING, detail='it was told to end', in_doubt=True)


def _by_the_queue(traces: Traces, job: QueueView, seen: JobRecord, waited: float, record_grace: float) -> Conclusion:
    if traces.is_closed:
        return Conclusion(JobState.ENDED, cause='fenced', detail='the start fence could not be passed')
    if not traces.has_started:
        return _before_its_start(traces, job, seen, waited)
    if waited < record_grace or (job.awaits_details and waited < CAUSE_GRACE):
        return Conclusion(JobState.RUNNING, detail='it ended; its record is awaited', in_doubt=True)
    if traces.job and seen.job and traces.job != seen.job:
        return Conclusion(JobState.ENDED, detail=f'it ran in job {traces.job}, which has ended')
    return Conclusion(JobState.ENDED, seen.code or None, seen.cause or told_by(traces.signalled)[0], in_queue(seen))


def _before_its_start(traces: Traces, job: QueueView, seen: JobRecord, waited: float) -> Conclusion:
    if job.awaits_details and waited < CAUSE_GRACE:
        return Conclusion(JobState.PENDING, detail='it ended before it began; why is not known yet', in_doubt=True)
    if seen.cause:
        return Conclusion(JobState.ENDED, cause=seen.cause, detail=in_queue(seen), if_closed=True)
    words = ', '.join(filter(None, [in_queue(seen), f'it ended before the script began, see {traces.log}']))
    return Conclusion(JobState.ENDED, detail=words, if_closed=True)


def _absent(traces: Traces, job: QueueView) -> Conclusion:
    if job.was_taken_out and not traces.has_started:
        detail = 'it was taken out of the queue before it began'
        return Conclusion(JobState.ENDED, cause='cancelled', detail=detail, if_closed=True)
    return Conclusion(JobState.ABSENT, detail='the queue knows nothing of its job')


def in_queue(seen: JobRecord) -> str:
    """What the queue said of an end, in words."""
    reason = '' if seen.reason == 'None' else seen.reason
    return ', '.join(filter(None, [reason, _place(seen)]))


def _place(seen: JobRecord) -> str:
    return f'on {seen.where}' if seen.where else ''
