"""What became of an attempt: one table from evidence to conclusion, and what a writer does about it. Pure.

The exit record beats everything. An attempt that never passed its start fence has ended only if that fence can be
closed: then it never starts, whatever its queue or its writer does. Nothing follows from evidence that cannot be read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import partial

from hpsearch.model.states import TIMEOUT

RECORD_GRACE = 90.0
"""Seconds an exit record may take to appear here after the queue reported the end: NFS may deny a file for a minute."""

COMPLETED_FACTOR = 4.0
"""How many times longer it is waited for where the queue says that the job ended with status 0."""

CAUSE_GRACE = 120.0
"""Seconds the queue is polled for why an attempt was signalled, after its record has come."""


# Jobs


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


def node_name(text: str) -> str:
    """A text if it can be the name of a node (no list, no pattern), else an empty one."""
    return text if re.fullmatch(r'[A-Za-z0-9][\w.-]*', text, re.ASCII) else ''


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
        submitted: When it was submitted, in seconds since 1970, where that is shown.
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
    submitted: float | None = None

    @property
    def node(self) -> str:
        """The node it runs on, or ran on; empty: none, or more than one."""
        hosts = {host.rpartition('*')[2] for host in self.where.split(':')}
        return node_name(hosts.pop()) if len(hosts) == 1 else ''


@dataclass(frozen=True, slots=True)
class QueueView:
    """All that a queue system says of the job of an attempt.

    Attributes:
        state: What is known of it.
        record: Its latest record.
        is_missing: Whether the latest listing did not show it.
        is_gone: Whether the queue, asked for it by its id, does not know it.
        was_taken_out: Whether others of its array are known and it is not, so that if it never began it was cancelled.
        is_overdue: Whether its time limit has passed since it began.
        is_cancelled: Whether we cancelled it.
        awaits_details: Whether the queue may yet say why it ended.
        log: The file with the queue's own messages about it, for people.
    """

    state: JobState
    record: JobRecord | None = None
    is_missing: bool = False
    is_gone: bool = False
    was_taken_out: bool = False
    is_overdue: bool = False
    is_cancelled: bool = False
    awaits_details: bool = False
    log: str = ''


# Evidence


class Liveness(Enum):
    """What is known of a writer."""

    ALIVE = 'alive'
    """Its process runs, or its counter moves, or it has not been observed for long enough to say otherwise."""
    STALE = 'stale'
    """It has shown no life for a while; it may wake up."""
    DEAD = 'dead'
    """It cannot come back."""


class HostRelation(Enum):
    """How the host of another writer relates to ours."""

    SAME = 'same'
    """Its processes can be listed."""
    REBOOTED = 'rebooted'
    """The same machine before a reboot: none of its processes lives."""
    DECLARED_DEAD = 'declared dead'
    """The user said so."""
    JOB_ENDED = 'job ended'
    """It was a job of a queue system, which says that the job has ended."""
    OTHER = 'other'
    """Its processes cannot be listed from here."""


class ProcessState(Enum):
    """What this host says of the processes of an attempt."""

    ALIVE = 'alive'
    GONE = 'gone'
    UNKNOWN = 'unknown'
    """They are on another host, or cannot be read by us."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of an attempt beside its journals.

    Attributes:
        writer: What is known of the writer that owns it; None: we own it.
        host: How the host of that writer relates to ours.
        process: Its processes, listed before its record was read, which it writes before it ends.
        code: The raw status in its exit record; None: there is no whole one.
        signalled: What its job was sent before its end: ``timeout``, ``TERM``, or empty.
        is_requeued: Whether the queue started its job again after it had begun.
        has_started: Whether it passed its start fence.
        is_closed: Whether another writer closed that fence, or passed it in its place.
        is_queued: Whether it is, or was, a job of its own in a queue, which can be polled from any host.
        is_astray: Whether its job looks for the search where that is no more: it cannot start, nor leave a record.
        fence_job: Id of the job that passed the fence, where that is known.
        fence_host: Where that job runs.
        job: What the queue says of its job; None: the queue was not polled.
    """

    writer: Liveness | None = None
    host: HostRelation = HostRelation.OTHER
    process: ProcessState = ProcessState.UNKNOWN
    code: int | None = None
    signalled: str = ''
    is_requeued: bool = False
    has_started: bool = False
    is_closed: bool = False
    is_queued: bool = False
    is_astray: bool = False
    fence_job: str = ''
    fence_host: str = ''
    job: QueueView | None = None


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What became of an attempt.

    Attributes:
        state: Where it stands; ``UNKNOWN``: nothing new is known.
        code: Raw exit status.
        cause: One word for an end that came from outside, or empty.
        detail: In words.
        in_doubt: Whether evidence may still come that says more.
        if_closed: Whether all this holds only if its start fence can be closed.
        is_attended: Whether another writer looks after it.
        is_unasked: Whether it is a job whose queue was not polled, and may know better.
    """

    state: JobState
    code: int | None = None
    cause: str = ''
    detail: str = ''
    in_doubt: bool = False
    if_closed: bool = False
    is_attended: bool = False
    is_unasked: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the attempt may still run, or start."""
        return self.state is not JobState.ENDED or self.if_closed


_ended = partial(Conclusion, JobState.ENDED)


def conclude(evidence: Evidence, waited: float = 0.0, record_grace: float = RECORD_GRACE) -> Conclusion:
    """Decide what became of an attempt; of the rules that follow, the first that applies holds.

    Args:
        evidence: What is known of it.
        waited: Seconds for which a piece of evidence has been waited for.
        record_grace: See :data:`RECORD_GRACE`.
    """
    if evidence.writer is Liveness.ALIVE:
        return Conclusion(JobState.UNKNOWN, detail='hpsearch is at work on it', is_attended=True)
    if not evidence.is_queued:
        return _of_a_process(evidence)
    if evidence.job is None:
        return _of_an_unasked_job(evidence)
    return _of_a_job(evidence, evidence.job, waited, record_grace)


_CAUSES = {
    HostRelation.REBOOTED: 'reboot',
    HostRelation.DECLARED_DEAD: 'host_dead',
    HostRelation.JOB_ENDED: 'job_ended',
}
"""What ended the processes of a host that is known not to run them any more."""


def _of_a_process(evidence: Evidence) -> Conclusion:
    if evidence.code is not None:
        return _ended(evidence.code)
    if not evidence.has_started:
        return _ended(cause='abandoned', detail='it had not been started', if_closed=True)
    if evidence.host in _CAUSES:
        return _ended(cause=_CAUSES[evidence.host])
    if evidence.host is HostRelation.SAME and evidence.process is ProcessState.ALIVE:
        return Conclusion(JobState.RUNNING, detail='its process runs')
    if evidence.host is HostRelation.SAME and evidence.process is ProcessState.GONE:
        return _ended(detail='its process is gone')
    what = 'its processes cannot be read' if evidence.host is HostRelation.SAME else 'its host cannot be asked'
    return Conclusion(JobState.UNKNOWN, detail=f'there is no exit record, and {what} from here')


def _of_an_unasked_job(evidence: Evidence) -> Conclusion:
    if evidence.code is not None:
        cause, words = _cause_of(evidence.signalled)
        in_doubt = evidence.code > 128 and cause != TIMEOUT
        return _ended(evidence.code, cause, words, in_doubt, is_unasked=True)
    if evidence.is_requeued:
        return _ended(cause='requeued', is_unasked=True)
    if evidence.has_started:
        return Conclusion(JobState.RUNNING, detail='its job began and left no exit record yet', is_unasked=True)
    return Conclusion(JobState.PENDING, detail='it waits in the queue', is_unasked=True)


def _of_a_job(evidence: Evidence, job: QueueView, waited: float, record_grace: float) -> Conclusion:
    if evidence.code is not None:
        return _by_its_record(evidence, evidence.code, job, waited)
    if evidence.is_requeued:
        return _ended(cause='requeued')
    if evidence.is_astray and not evidence.has_started and job.state is not JobState.UNKNOWN:
        return _ended(cause='abandoned', detail='the search folder was moved before it began', if_closed=True)
    if job.state is JobState.ENDED and job.record is not None:
        return _by_the_queue(evidence, job, job.record, waited, record_grace)
    if job.is_cancelled and job.is_gone and not evidence.has_started:
        return _ended(cause='abandoned', detail='it was taken out of the queue', if_closed=True)
    if job.state is JobState.ABSENT:
        return _of_an_absent_job(evidence, job)
    if job.state is JobState.UNKNOWN or job.record is None:
        return Conclusion(JobState.UNKNOWN)
    return Conclusion(job.state, detail=job.record.reason if job.state is JobState.PENDING else _place(job.record))


def _of_an_absent_job(evidence: Evidence, job: QueueView) -> Conclusion:
    """A job that its queue does not know may still run: the queue may have lost its state, or be another one."""
    if evidence.is_closed:
        return _ended(cause='fenced', detail='the start fence could not be passed')
    if evidence.has_started and evidence.host is HostRelation.DECLARED_DEAD:
        return _ended(cause='host_dead')
    if evidence.has_started and job.is_overdue:
        return _ended(detail='the queue does not know its job any more, and its time limit has passed')
    if evidence.has_started:
        where = f' on {evidence.fence_host}' if evidence.fence_host else ''
        return Conclusion(JobState.UNKNOWN, detail=f'the queue does not know its job any more; it may still run{where}')
    if job.was_taken_out:
        return _ended(cause='cancelled', detail='it was taken out of the queue before it began', if_closed=True)
    if not job.is_gone:  # no id of a job is known
        return _ended(cause='abandoned', detail='the queue never had its job', if_closed=True)
    return _ended(detail='its job vanished from the queue before it began', if_closed=True)


def _by_its_record(evidence: Evidence, code: int, job: QueueView, waited: float) -> Conclusion:
    cause, words = _cause_of(evidence.signalled)
    if cause == TIMEOUT:
        return _ended(code, cause, words)
    if job.is_cancelled or not (cause or code > 128):
        return _ended(code)
    if evidence.is_requeued:
        return _ended(code, 'requeued')
    is_over = waited >= CAUSE_GRACE
    if job.state is JobState.ENDED and job.record is not None and (is_over or not job.awaits_details):
        return _ended(code, job.record.cause or cause, words_of(job.record))
    if is_over and job.state is JobState.PENDING:
        return _ended(code, 'requeued')
    if is_over or job.state is JobState.ABSENT:
        return _ended(code, cause)
    return Conclusion(JobState.RUNNING, detail='it was sent a signal to end', in_doubt=True)


def _by_the_queue(
    evidence: Evidence, job: QueueView, record: JobRecord, waited: float, record_grace: float
) -> Conclusion:
    if evidence.is_closed:
        return _ended(cause='fenced', detail='the start fence could not be passed')
    if not evidence.has_started:
        return _before_its_start(job, record, waited)
    if evidence.fence_job and record.job and evidence.fence_job != record.job:
        return Conclusion(JobState.UNKNOWN)  # it began in another job than this one
    has_completed = record.code == 0 and not record.cause
    grace = record_grace * COMPLETED_FACTOR if has_completed else record_grace
    grace = 0.0 if evidence.is_astray else grace
    if waited < grace or (job.awaits_details and waited < CAUSE_GRACE):
        return Conclusion(JobState.RUNNING, detail='it ended; its record is awaited', in_doubt=True)
    words = _listed('the queue says that it ended with status 0' if has_completed else '', words_of(record))
    return _ended(record.code or None, record.cause or _cause_of(evidence.signalled)[0], words)


_KILLED = (128 + 2, 128 + 15)
"""Statuses of a job that got INT or TERM: before its script began, these can only have come from somebody's kill."""


def _before_its_start(job: QueueView, record: JobRecord, waited: float) -> Conclusion:
    if job.awaits_details and waited < CAUSE_GRACE:
        return Conclusion(JobState.PENDING, detail='it ended before it began; why is not known yet', in_doubt=True)
    cause = record.cause or ('cancelled' if record.code in _KILLED else '')
    if cause:
        return _ended(cause=cause, detail=words_of(record), if_closed=True)
    return _ended(detail=_listed(words_of(record), f'it ended before the script began, see {job.log}'), if_closed=True)


def _cause_of(signalled: str) -> tuple[str, str]:
    """What ended an attempt whose job was signalled: the cause, and in words what that does not say."""
    if signalled == TIMEOUT:
        return TIMEOUT, 'its time limit was near'
    return ('terminated' if signalled else ''), ''


def words_of(record: JobRecord) -> str:
    """What the queue said of the end of a job, in words."""
    return _listed('' if record.reason == 'None' else record.reason, _place(record))


def _place(record: JobRecord) -> str:
    return f'on {record.where}' if record.where else ''


def _listed(*parts: str) -> str:
    return ', '.join(filter(None, parts))


# Recovery


class Action(Enum):
    """What is done with an attempt of another writer."""

    LEAVE = 'leave'
    """Nothing yet: its writer looks after it, or it runs and cannot be adopted."""
    TAKE_END = 'take the end'
    """It ended and left a record."""
    ADOPT = 'adopt'
    """It runs on this host, or is in a queue we can poll: watch it in place of its writer."""
    FENCE = 'fence'
    """It was not started: make sure it never will be, then plan the run again."""
    LOST = 'lost'
    """It ran on this host, is gone, and left no record."""
    INTERRUPTED = 'interrupted'
    """It was ended from outside, for instance together with its host."""
    UNKNOWN = 'unknown'
    """It may still run where that cannot be checked."""


def action_for(found: Conclusion, *, can_adopt: bool) -> Action:
    """What a writer does with an attempt of another one; ``can_adopt``: whether its backend can look after it."""
    if found.is_attended:
        return Action.LEAVE
    if found.is_unasked and can_adopt:
        return Action.ADOPT
    if found.state is JobState.RUNNING and not found.is_unasked:
        return Action.ADOPT if can_adopt else Action.LEAVE
    if found.state is not JobState.ENDED:
        return Action.UNKNOWN
    if found.if_closed:
        return Action.FENCE
    if found.code is not None:
        return Action.TAKE_END
    return Action.INTERRUPTED if found.cause else Action.LOST
