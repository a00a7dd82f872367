"""What LSF's commands answer: listings, histories, refusals. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from hpsearch.backends.queue.batch_system import CommandResult, Refusal
from hpsearch.model.jobs import JobRecord, JobState


class Dialect(Enum):
    """What kind of LSF this is."""

    IBM = 'ibm'
    """IBM Spectrum LSF 10 or newer."""
    COMMON = 'common'
    """Any other, or not known: only what all of them understand is used."""


_IBM = re.compile(r'\bIBM\b.*\bLSF\b\D*(\d+)\.\d+')


def parse_dialect(answer: CommandResult) -> Dialect:
    """What ``lsid`` tells of the kind of LSF; it prints that even while the daemons are down."""
    found = _IBM.search(answer.out)
    return Dialect.IBM if found and int(found[1]) >= 10 else Dialect.COMMON


# Refusals

_TOO_MANY = (
    'threshold reached',  # Pending job (slots) threshold reached
    'has reached its job limit',
    'array index too large',
    'index out of valid range',
    'no job id can be used',
    'has been closed',  # a queue: it may be opened again
    'windows are closed',
)

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


def read_refusal(answer: CommandResult) -> tuple[Refusal, str]:
    """Why a job was not accepted, and in LSF's own words."""
    words = _complaint(answer)
    lowered = words.lower()
    # A command that was ended for its silence may have been heard, whatever it complained of before.
    if answer.code is None or not words or any(text in lowered for text in _AWAY):
        return Refusal.AWAY, words
    if any(text in lowered for text in _TOO_MANY):
        return Refusal.LIMIT, words
    return (Refusal.WRONG if answer.code else Refusal.AWAY), words


def _complaint(answer: CommandResult) -> str:
    """What a command complained, in one line, without an explanation of all its options."""
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
    'PROV': _State(JobState.PENDING, 'its host is being woken up'),
    'WAIT': _State(JobState.PENDING, 'it waits for the jobs before it in its chunk'),
    'RUN': _State(JobState.RUNNING, ''),
    'USUSP': _State(JobState.RUNNING, 'suspended by its owner or an administrator'),
    'SSUSP': _State(JobState.RUNNING, 'suspended by LSF'),
    # Its host cannot be reached: it may well run on, or have ended by itself.
    'UNKWN': _State(JobState.RUNNING, 'its host cannot be reached'),
    # It was to be ended while its host could not be reached: it becomes EXIT when it really has ended.
    'ZOMBI': _State(JobState.RUNNING, 'to be ended, but its host cannot be reached'),
    'DONE': _State(JobState.ENDED, ''),
    'EXIT': _State(JobState.ENDED, ''),
}
"""What the states of a job mean. A state that is not here is no end."""

_UNHEARD_OF = _State(JobState.RUNNING, '')

_NONE = re.compile(r'No (?:unfinished |matching )?job found|> is not found', re.IGNORECASE)

_ARRAY_NAME = re.compile(r'(.*)\[(\d+)\]')

_USR2 = 128 + 12
"""With this a job ends whose time limit came and that does not handle the signal."""


def read_wide_listing(answer: CommandResult) -> list[JobRecord] | None:
    """What ``bjobs -a -w`` lists; None: it did not answer."""
    header, records = False, []
    for line in answer.out.splitlines():
        columns = line.split()
        if {'JOBID', 'STAT', 'JOB_NAME'} <= set(columns):
            header, names = True, columns
        elif header and (seen := _wide_row(names, columns)):
            records.append(seen)
    return records if _is_answer(answer, header) else None


_TIME_WORDS = 3
"""Words of a time, as ``Nov 20 23:42``."""


def _wide_row(names: Sequence[str], words: Sequence[str]) -> JobRecord | None:
    """One line of a listing in columns: none but the job's name has blanks; a host may be missing before it runs."""
    at = names.index('JOB_NAME')
    behind = (len(names) - at - 1) + (_TIME_WORDS - 1) * ('SUBMIT_TIME' in names[at:])
    if len(words) == at + behind:
        names = [name for name in names if name != 'EXEC_HOST']
        at = names.index('JOB_NAME')
    if len(words) <= at + behind:
        return None
    row = dict(zip(names[:at], words[:at], strict=True))
    return _sighting(row['JOBID'], '', row['STAT'], ' '.join(words[at : len(words) - behind]), row.get('EXEC_HOST', ''))


FIELDS = ('jobid', 'jobindex', 'stat', 'exit_code', 'exec_host', 'job_name', 'exit_reason', 'pend_reason')
"""The fields :func:`read_delimited_listing` expects, in their order."""

DELIMITER = '^'
"""What stands between them."""


def read_delimited_listing(answer: CommandResult) -> list[JobRecord] | None:
    """What ``bjobs -a -noheader -o`` lists of :data:`FIELDS`; None: it did not answer."""
    records = []
    for line in answer.out.splitlines():
        values = [value.strip() for value in line.split(DELIMITER, len(FIELDS) - 1)]
        if len(values) == len(FIELDS) and (
            seen := _delimited_row(*('' if value == '-' else value for value in values))
        ):
            records.append(seen)
    return records if _is_answer(answer, bool(records)) else None


def _delimited_row(
    job: str, index: str, stat: str, code: str, where: str, name: str, exit_reason: str, pend_reason: str
) -> JobRecord | None:
    seen = _sighting(job, index, stat, name, where)
    if seen is None:
        return None
    if seen.kind is JobState.PENDING:
        return replace(seen, reason=pend_reason or seen.reason, is_stuck='never satisfied' in pend_reason)
    if stat != 'EXIT':
        return seen
    status = int(code) if code.isdecimal() else None
    return replace(seen, code=status, cause=cause_of(exit_reason, status), reason=exit_reason)


def _sighting(job: str, index: str, stat: str, name: str, where: str) -> JobRecord | None:
    if not (job.isdecimal() and stat.isalpha() and stat.isupper()):
        return None
    array = _ARRAY_NAME.fullmatch(name)
    if array:
        name, index = array[1], index if index.isdecimal() and index != '0' else array[2]
    state = STATES.get(stat, _UNHEARD_OF)
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
    """Whether it answered: with content, or by saying that there is none. Other failures may have cut it short."""
    says_none = bool(_NONE.search(answer.err) or _NONE.search(answer.out))
    if answer.code == 0:
        return has_content or says_none
    complaints = [line for line in answer.err.splitlines() if line.strip()]
    return answer.code is not None and says_none and all(_NONE.search(line) for line in complaints)


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
    # Its host or queue was wanted for something else; another job like it may run to its end.
    'TERM_LOAD': 'preempted',
    'TERM_WINDOW': 'preempted',
    'TERM_OTHER': 'preempted',
    'TERM_REQUEUE_OWNER': 'preempted',
    'TERM_REQUEUE_ADMIN': 'preempted',
    'TERM_RC': 'preempted',
    'TERM_REQUEUE_RC': 'preempted',
    'TERM_MC_RECALL': 'preempted',
    # LSF lost sight of it, or of its host.
    'TERM_ZOMBIE': 'node_fail',
    'TERM_REMOVE_HUNG_JOB': 'node_fail',
    'TERM_RMS': 'node_fail',
    'TERM_SLURM': 'node_fail',
    'TERM_CSM_ALLOC': 'node_fail',
    'TERM_KUBE': 'node_fail',
}
"""Causes by LSF's termination reasons. One that is not here would come again: such a job ended by itself."""

_TERMINATION = re.compile(r'\bTERM_[A-Z_]+')


def cause_of(reason: str, code: int | None) -> str:
    """The cause of an end, by LSF's words about it and the exit status of the job."""
    found = _TERMINATION.search(reason)
    if found:
        return TERMINATIONS.get(found[0], '')
    return 'timeout' if code == _USR2 else ''


# Histories


def read_history(answer: CommandResult) -> list[JobRecord] | None:
    """What ``bhist -l`` tells; None: it did not answer."""
    told = [_tell(header, events) for header, events in _blocks(answer.out)]
    return told if _is_answer(answer, bool(told)) else None


_WRAP = re.compile(r'\n {21}(?=\S| \S)')
"""Lines are cut at 80 columns, anywhere, and go on behind so many blanks."""

_HEADER = re.compile(r'Job <(\d+)(?:\[(\d+)\])?>(?:, Job Name <([^<>]*)>)?')

_EVENT = re.compile(r'\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d(?: \d{4})?: *(?:\[\d+\] *)?(.+)')


def _blocks(text: str) -> Iterator[tuple[re.Match[str], list[str]]]:
    """The header of each job and what happened to it, one sentence per event."""
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
class _Story:
    """What is known of a job after some of its events.

    Attributes:
        kind: Its state.
        code: Its exit status.
        where: The host it was sent to.
        reason: The last words about its state.
        hint: The cause of an end that was asked for, should it come.
        is_out_of_sight: Whether its host could not be reached when it was last heard of.
        termination: LSF's own termination reason.
    """

    kind: JobState = JobState.PENDING
    code: int | None = None
    where: str = ''
    reason: str = ''
    hint: str = ''
    is_out_of_sight: bool = False
    termination: str = ''


def _tell(header: re.Match[str], events: Sequence[str]) -> JobRecord:
    story = _Story()
    for event in events:
        story = _after(story, event)
    name = re.sub(r'\[[^\]]*\](?:%\d+)?$', '', header[3] or '')
    seen = JobRecord(header[1], int(header[2] or 0), name, story.kind, reason=story.reason, where=story.where)
    if story.kind is not JobState.ENDED:
        return seen
    return replace(seen, code=story.code, cause=_cause(story), reason=story.termination or story.reason)


def _cause(story: _Story) -> str:
    """Why a job ended: LSF's own word, else what was asked for before, else what is usual."""
    if story.code == 0:
        return ''
    if story.termination:
        return cause_of(story.termination, story.code)
    return story.hint or ('node_fail' if story.is_out_of_sight else cause_of('', story.code))


_ENDING = re.compile(r'Exited (?:with exit code|by signal) (\d+)')

_HOST = re.compile(r'(?:ispatched|tarted)\b[^<]*<([^>]+)>')

_HINTS = (
    (re.compile(r'Signal <(?:KILL|TERM|INT|QUIT)> requested'), 'cancelled'),
    (re.compile(r'[Dd]elete requested by|User termination action|Kill & Remove action'), 'cancelled'),
    (re.compile(r'(?:RUNLIMIT|CPULIMIT|DEADLINE) termination action'), 'timeout'),
    (re.compile(r'MEMLIMIT termination action'), 'out_of_memory'),
    (re.compile(r'(?:Load|Window|Other) termination action'), 'preempted'),
)
"""Events that announce an end; the first one is its cause."""

_OUT_OF_SIGHT = re.compile(r'Unknown; unable|Execution host unavailable|Termination request issued; but unable')

_PENDING_AGAIN = re.compile(r'[Pp]ending|Exited; job will be requeued|Job has been requeued|Suspended .* while pending')

_ENDED = re.compile(r'Done successfully|Exited\b|sbatchd startup; kill ZOMBIE')

_RUNNING = re.compile(r'(?:\w+ )*[Dd]ispatched |[Ss]tart(?:ed|ing)\b|[Rr]unning\b|Suspended\b')


def _after(story: _Story, event: str) -> _Story:
    """What is known after one more event."""
    words = event.rstrip(' ;.')
    if words.startswith('Completed <'):
        return replace(story, termination=words.partition('; ')[2])
    for pattern, cause in _HINTS:
        if pattern.match(event):
            return replace(story, hint=story.hint or cause)
    if _OUT_OF_SIGHT.match(event):
        return replace(story, kind=JobState.RUNNING, reason=words, is_out_of_sight=True)
    if _PENDING_AGAIN.match(event):
        return _Story(reason=words.partition(':')[2].strip() or words)
    if _ENDED.match(event):
        return _ended(story, words)
    if _RUNNING.match(event):
        host = _HOST.search(event)
        return replace(
            story, kind=JobState.RUNNING, where=host[1] if host else story.where, reason='', is_out_of_sight=False
        )
    return story


def _ended(story: _Story, words: str) -> _Story:
    ending = _ENDING.match(words)
    code = 0 if words.startswith('Done') else None
    if ending:
        code = int(ending[1]) + 128 * ('by signal' in ending[0])
    hint = story.hint or 'cancelled' * ('forced to exit' in words) or 'node_fail' * ('ZOMBIE' in words)
    return replace(story, kind=JobState.ENDED, code=code, reason=words.partition('. The CPU')[0], hint=hint)
