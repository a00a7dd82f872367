"""Parsers of what LSF's commands print: listings, histories, refusals. Pure."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from hpsearch.backends.queue.batch_system import CommandResult, Refusal
from hpsearch.model.evidence import JobRecord, JobState


class Dialect(Enum):
    """Which implementation of LSF this is."""

    IBM = 'ibm'
    """IBM Spectrum LSF 10 or newer."""
    COMMON = 'common'
    """Any other, or an unknown one: only what all of them support is used."""


_IBM = re.compile(r'\bIBM\b.*\bLSF\b\D*(\d+)\.\d+')


def parse_dialect(answer: CommandResult) -> Dialect:
    """The implementation, by the output of ``lsid``, which works even while the daemons are down."""
    found = _IBM.search(answer.out)
    return Dialect.IBM if found and int(found[1]) >= 10 else Dialect.COMMON


# Refusals

_TOO_MANY = (
    'threshold reached',  # Pending job (slots) threshold reached
    'has reached its job limit',
    'array index too large',
    'index out of valid range',
    'no job id can be used',
)

_CLOSED = ('has been closed', 'windows are closed')
"""A queue accepts no jobs for now."""

_AWAY = (
    'not responding',
    'still trying',
    'try later',
    'please wait',
    'is down',
    'time out',
    'timeout',
    'timed out',
    'refused by server',
    'not connected',
    'unable to contact',
    'failed to connect',
    'internal error',
    'system call failed',
    'cannot allocate memory',
    'cannot fork',
    'protocol error',
    'xdr encode/decode error',
    'service not registered',
    'appropriate port number',
    'did not handle',
    'temporarily unavailable',
    'unknown cluster name or cluster master',
)


def parse_refusal(answer: CommandResult) -> tuple[Refusal, str]:
    """Why a job was not accepted, and LSF's message."""
    message = _message(answer)
    lowered = message.lower()
    # A command that timed out may have reached LSF, whatever it printed before.
    if answer.code is None or not message or any(text in lowered for text in _AWAY):
        return Refusal.AWAY, message
    if any(text in lowered for text in _TOO_MANY):
        return Refusal.LIMIT, message
    if any(text in lowered for text in _CLOSED):
        return Refusal.CLOSED, message
    return (Refusal.WRONG if answer.code else Refusal.AWAY), message


def _message(answer: CommandResult) -> str:
    """The message of a command in one line, without the list of its options."""
    text = answer.err if answer.err.strip() else answer.out
    before, usage, _ = text.partition('Usage:')
    return ' '.join((before if usage and before.strip() else text).split())


# Listings


class _State(NamedTuple):
    kind: JobState
    meaning: str


STATES: Mapping[str, _State] = {
    'PEND': _State(JobState.PENDING, ''),
    'PSUSP': _State(JobState.PENDING, 'held by its owner or an administrator'),
    'PROV': _State(JobState.PENDING, 'its host is being powered up'),
    'WAIT': _State(JobState.PENDING, 'waiting for the jobs before it in its chunk'),
    'RUN': _State(JobState.RUNNING, ''),
    'USUSP': _State(JobState.RUNNING, 'suspended by its owner or an administrator'),
    'SSUSP': _State(JobState.RUNNING, 'suspended by LSF'),
    # Its host cannot be reached: it may go on, or have ended by itself.
    'UNKWN': _State(JobState.RUNNING, 'its host cannot be reached'),
    # It was killed while its host could not be reached: it becomes EXIT once it really has ended.
    'ZOMBI': _State(JobState.RUNNING, 'killed, but its host cannot be reached'),
    'DONE': _State(JobState.ENDED, ''),
    'EXIT': _State(JobState.ENDED, ''),
}
"""What the states of a job mean. An unknown state is no end."""

_UNKNOWN_STATE = _State(JobState.RUNNING, '')

_NONE = re.compile(r'No (?:unfinished |matching )?job found|> is not found', re.IGNORECASE)

_ARRAY_NAME = re.compile(r'(.*)\[(\d+)\]')

_USR2 = 128 + 12
"""Exit status of a job that reached its time limit and does not handle the signal."""


def parse_wide_listing(answer: CommandResult) -> list[JobRecord] | None:
    """The jobs that ``bjobs -a -w`` lists; None: it failed."""
    header, records = False, []
    for line in answer.out.splitlines():
        columns = line.split()
        if {'JOBID', 'STAT', 'JOB_NAME'} <= set(columns):
            header, names = True, columns
        elif header and (record := _wide_row(names, columns)):
            records.append(record)
    return records if _is_answer(answer, header) else None


_TIME_WORDS = 3
"""Words of a time, such as ``Nov 20 23:42``."""


def _wide_row(names: Sequence[str], words: Sequence[str]) -> JobRecord | None:
    """One line of a listing in columns: only the name may contain blanks; a pending job may have no host."""
    at = names.index('JOB_NAME')
    after = (len(names) - at - 1) + (_TIME_WORDS - 1) * ('SUBMIT_TIME' in names[at:])
    if len(words) == at + after:
        names = [name for name in names if name != 'EXEC_HOST']
        at = names.index('JOB_NAME')
    if len(words) <= at + after:
        return None
    row = dict(zip(names[:at], words[:at], strict=True))
    return _record(row['JOBID'], '', row['STAT'], ' '.join(words[at : len(words) - after]), row.get('EXEC_HOST', ''))


FIELDS = ('jobid', 'jobindex', 'stat', 'exit_code', 'exec_host', 'job_name', 'exit_reason', 'pend_reason')
"""The fields that :func:`parse_delimited_listing` expects, in order."""

DELIMITER = '^'
"""The separator of the fields."""


def parse_delimited_listing(answer: CommandResult) -> list[JobRecord] | None:
    """The jobs that ``bjobs -a -noheader -o`` lists with :data:`FIELDS`; None: it failed."""
    records = []
    for line in answer.out.splitlines():
        values = [value.strip() for value in line.split(DELIMITER, len(FIELDS) - 1)]
        if len(values) == len(FIELDS) and (
            record := _delimited_row(*('' if value == '-' else value for value in values))
        ):
            records.append(record)
    return records if _is_answer(answer, bool(records)) else None


def _delimited_row(
    job: str, index: str, stat: str, code: str, where: str, name: str, exit_reason: str, pend_reason: str
) -> JobRecord | None:
    record = _record(job, index, stat, name, where)
    if record is None:
        return None
    if record.kind is JobState.PENDING:
        return replace(record, reason=pend_reason or record.reason, is_stuck='never satisfied' in pend_reason)
    if stat != 'EXIT':
        return record
    status = int(code) if code.isdecimal() else None
    return replace(record, code=status, cause=cause_of(exit_reason, status), reason=exit_reason)


def _record(job: str, index: str, stat: str, name: str, where: str) -> JobRecord | None:
    if not (job.isdecimal() and stat.isalpha() and stat.isupper()):
        return None
    array = _ARRAY_NAME.fullmatch(name)
    if array:
        name, index = array[1], index if index.isdecimal() and index != '0' else array[2]
    state = STATES.get(stat, _UNKNOWN_STATE)
    return JobRecord(
        job=job,
        index=int(index) if index.isdecimal() else 0,
        name=name,
        kind=state.kind,
        code=0 if stat == 'DONE' else None,
        reason=state.meaning if stat in STATES else f'in state {stat}',
        where='' if where == '-' else where,
    )


def _is_answer(answer: CommandResult, has_content: bool) -> bool:
    """Whether the output is complete: it has content, or says that there is none. Other failures may cut it short."""
    says_none = bool(_NONE.search(answer.err) or _NONE.search(answer.out))
    if answer.code == 0:
        return has_content or says_none
    errors = [line for line in answer.err.splitlines() if line.strip()]
    return answer.code is not None and says_none and all(_NONE.search(line) for line in errors)


# Causes

TERMINATIONS: Mapping[str, str] = {
    'TERM_RUNLIMIT': 'timeout',
    'TERM_CPULIMIT': 'timeout',
    'TERM_DEADLINE': 'timeout',
    'TERM_MEMLIMIT': 'out_of_memory',
    'TERM_SWAP': 'out_of_memory',
    'TERM_OWNER': 'cancelled',
    'TERM_USER': 'cancelled',
    'TERM_ADMIN': 'cancelled',
    'TERM_FORCE_OWNER': 'cancelled',
    'TERM_FORCE_ADMIN': 'cancelled',
    'TERM_BUCKET_KILL': 'cancelled',
    'TERM_ORPHAN_SYSTEM': 'cancelled',
    'TERM_PREEMPT': 'preempted',
    # Its host or queue was needed for something else; another job like it may run to its end.
    'TERM_LOAD': 'preempted',
    'TERM_WINDOW': 'preempted',
    'TERM_OTHER': 'preempted',
    'TERM_REQUEUE_OWNER': 'preempted',
    'TERM_REQUEUE_ADMIN': 'preempted',
    'TERM_RC': 'preempted',
    'TERM_REQUEUE_RC': 'preempted',
    'TERM_MC_RECALL': 'preempted',
    # LSF lost track of it, or of its host.
    'TERM_ZOMBIE': 'node_fail',
    'TERM_REMOVE_HUNG_JOB': 'node_fail',
    'TERM_RMS': 'node_fail',
    'TERM_SLURM': 'node_fail',
    'TERM_CSM_ALLOC': 'node_fail',
    'TERM_KUBE': 'node_fail',
}
"""Causes by LSF's termination reasons. Others would recur in another job: such a job ended by itself."""

_TERMINATION = re.compile(r'\bTERM_[A-Z_]+')


def cause_of(reason: str, code: int | None) -> str:
    """The cause of an end, by LSF's termination reason and the exit status of the job."""
    found = _TERMINATION.search(reason)
    if found:
        return TERMINATIONS.get(found[0], '')
    return 'timeout' if code == _USR2 else ''


# Histories


def parse_history(answer: CommandResult) -> list[JobRecord] | None:
    """The jobs that ``bhist -l`` knows; None: it failed."""
    records = [_job_of(header, events) for header, events in _blocks(answer.out)]
    return records if _is_answer(answer, bool(records)) else None


_WRAP = re.compile(r'\n {21}(?=\S| \S)')
"""Lines are wrapped at 80 columns, anywhere, and continue after this indentation."""

_HEADER = re.compile(r'Job <(\d+)(?:\[(\d+)\])?>(?:, Job Name <([^<>]*)>)?')

_EVENT = re.compile(r'\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d(?: \d{4})?: *(?:\[\d+\] *)?(.+)')


def _blocks(text: str) -> Iterator[tuple[re.Match[str], list[str]]]:
    """The header of each job and its events, in order."""
    header: re.Match[str] | None = None
    events: list[str] = []
    for line in _WRAP.sub('', text).splitlines():
        if start := _HEADER.match(line):
            if header:
                yield header, events
            header, events = start, []
        elif event := _EVENT.match(line):
            events.append(event[1])
    if header:
        yield header, events


@dataclass(frozen=True, slots=True)
class _History:
    """What is known of a job after some of its events.

    Attributes:
        kind: Its state.
        code: Its exit status.
        where: The host it was dispatched to.
        reason: The latest message about its state.
        hint: The cause of its end if it ends after what happened so far.
        is_again: Whether it went back to pending, and has not been dispatched since.
        is_unreachable: Whether its host could not be reached at the latest event.
        termination: LSF's own termination reason.
    """

    kind: JobState = JobState.PENDING
    code: int | None = None
    where: str = ''
    reason: str = ''
    hint: str = ''
    is_again: bool = False
    is_unreachable: bool = False
    termination: str = ''


def _job_of(header: re.Match[str], events: Sequence[str]) -> JobRecord:
    history = _History()
    for event in events:
        history = _after(history, event)
    name = re.sub(r'\[[^\]]*\](?:%\d+)?$', '', header[3] or '')
    record = JobRecord(header[1], int(header[2] or 0), name, history.kind, reason=history.reason, where=history.where)
    if history.kind is not JobState.ENDED:
        return record
    return replace(record, code=history.code, cause=_cause(history), reason=history.termination or history.reason)


def _cause(history: _History) -> str:
    """The cause of an end: LSF's termination reason, else what was announced before, else what is likely."""
    if history.code == 0:
        return ''
    if history.termination:
        return cause_of(history.termination, history.code)
    return history.hint or ('node_fail' if history.is_unreachable else cause_of('', history.code))


_ENDING = re.compile(r'Exited (?:with exit code|by signal) (\d+)')

_HOST = re.compile(r'(?:ispatched|tarted)\b[^<]*<([^>]+)>')

_HINTS = (
    (re.compile(r'Signal <(?:KILL|TERM|INT|QUIT)> requested'), 'cancelled'),
    (re.compile(r'[Dd]elete requested by|User termination action|Kill & Remove action'), 'cancelled'),
    (re.compile(r'(?:RUNLIMIT|CPULIMIT|DEADLINE) termination action'), 'timeout'),
    (re.compile(r'MEMLIMIT termination action'), 'out_of_memory'),
    (re.compile(r'(?:Load|Window|Other) termination action'), 'preempted'),
)
"""Events that announce an end, and its cause; the first one counts."""

_UNREACHABLE = re.compile(r'Unknown; unable|Execution host unavailable|Termination request issued; but unable')

_PENDING_AGAIN = re.compile(r'[Pp]ending|Exited; job will be requeued|Job has been requeued|Suspended .* while pending')

_ENDED = re.compile(r'Done successfully|Exited\b|sbatchd startup; kill ZOMBIE')

_RUNNING = re.compile(r'(?:\w+ )*[Dd]ispatched |[Ss]tart(?:ed|ing)\b|[Rr]unning\b|Suspended\b')


def _after(history: _History, event: str) -> _History:
    """What is known after one more event."""
    text = event.rstrip(' ;.')
    if text.startswith('Completed <'):
        return replace(history, termination=text.partition('; ')[2])
    for pattern, cause in _HINTS:
        if pattern.match(event):
            return replace(history, hint=history.hint or cause)
    if _UNREACHABLE.match(event):
        return replace(history, kind=JobState.RUNNING, reason=text, is_unreachable=True)
    if _PENDING_AGAIN.match(event):
        # What was killed while it was being dispatched may go back for a moment, and then end.
        hint = history.hint if history.hint == 'cancelled' else ''
        return _History(reason=text.partition(':')[2].strip() or text, hint=hint, is_again=True)
    if _ENDED.match(event):
        return _ended(history, text)
    if _RUNNING.match(event):
        return _dispatched(history, _HOST.search(event))
    return history


def _dispatched(history: _History, host: re.Match[str] | None) -> _History:
    where, hint = host[1] if host else history.where, '' if history.is_again else history.hint
    return _History(JobState.RUNNING, where=where, hint=hint)


def _ended(history: _History, text: str) -> _History:
    ending = _ENDING.match(text)
    code = 0 if text.startswith('Done') else None
    if ending:
        code = int(ending[1]) + 128 * ('by signal' in ending[0])
    hint = history.hint or 'cancelled' * ('forced to exit' in text) or 'node_fail' * ('ZOMBIE' in text)
    return replace(history, kind=JobState.ENDED, code=code, reason=text.partition('. The CPU')[0], hint=hint)


# Time limits

_RUN_LIMIT = re.compile(r'(?:(\d+):)?(\d+)(?:/.*)?')


def parse_run_limit(text: str) -> float | None:
    """A time limit in the format of ``bsub -W``, in seconds; None: it is malformed."""
    found = _RUN_LIMIT.fullmatch(text.strip())
    return 3600.0 * int(found[1] or 0) + 60.0 * int(found[2]) if found else None


_LIMIT_SHOWN = re.compile(r'^ RUNLIMIT\b.*\n +(\d+(?:\.\d+)?) min', re.MULTILINE)

_STARTED = re.compile(r'^\w{3} (\w{3} [ \d]\d \d\d:\d\d:\d\d)(?: (\d{4}))?: +(?:\[\d+\] *)?[Ss]tarted\b', re.MULTILINE)

_DAY = 86400.0


def parse_job_end(answer: CommandResult, now: float) -> float | None:
    """When a running job that ``bjobs -l`` shows reaches its time limit, in seconds since 1970; None: it has none.

    Args:
        answer: The answer.
        now: Seconds since 1970: LSF leaves out the year.
    """
    text = _WRAP.sub('', answer.out)
    limit, starts = _LIMIT_SHOWN.search(text), _STARTED.findall(text)
    if not limit or not starts:
        return None
    moment, year = starts[-1]
    this_year = time.localtime(now).tm_year
    candidates = [_seconds_of(moment, each) for each in ([int(year)] if year else [this_year, this_year - 1])]
    begin = next((each for each in candidates if each < now + _DAY), candidates[-1])
    return begin + 60.0 * float(limit[1])


def _seconds_of(moment: str, year: int) -> float:
    """A local time such as ``Nov 20 23:42:25``, in seconds since 1970."""
    return time.mktime(time.strptime(f'{year} {moment}', '%Y %b %d %H:%M:%S'))
