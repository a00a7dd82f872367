"""Parsers of what Slurm's commands print: listings, accounting, refusals. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from hpsearch.backends.queue.batch_system import CommandResult, QueueLimits, Refusal, SubmitResult, cancel_errors
from hpsearch.model.evidence import JobRecord, JobState

LISTING_FIELDS = '%i|%V|%j|%T|%r|%N'
"""Id, time of submission, name, state, reason, nodes. A name may contain the separator, the other fields do not."""

ACCOUNTING_FIELDS = 'JobID,JobName,State,ExitCode,NodeList'
"""Its reason is that for which the job was last pending, even after its end: it is not queried."""


# States


class _State(NamedTuple):
    """What a state means here, and the cause if it is an end."""

    kind: JobState
    cause: str = ''


STATES: Mapping[str, _State] = {
    'PENDING': _State(JobState.PENDING),
    # It goes back to the queue, or is held there: when its script runs again, it leaves a record of the restart.
    'REQUEUE_FED': _State(JobState.PENDING),
    'REQUEUE_HOLD': _State(JobState.PENDING),
    'SPECIAL_EXIT': _State(JobState.PENDING),
    'RESV_DEL_HOLD': _State(JobState.PENDING),
    'RUNNING': _State(JobState.RUNNING),
    # It has nodes: they boot, or it is about to start, to be signalled, to be resized, or is suspended.
    'CONFIGURING': _State(JobState.RUNNING),
    'POWER_UP_NODE': _State(JobState.RUNNING),
    'SIGNALING': _State(JobState.RUNNING),
    'RESIZING': _State(JobState.RUNNING),
    'STOPPED': _State(JobState.RUNNING),
    'SUSPENDED': _State(JobState.RUNNING),
    # Its processes are being ended, and files copied; how it ended is known when that is done.
    'COMPLETING': _State(JobState.RUNNING),
    'REQUEUED': _State(JobState.RUNNING),
    'STAGE_OUT': _State(JobState.RUNNING),
    # In a federation: another cluster runs it.
    'REVOKED': _State(JobState.RUNNING),
    # Flags beside a state that is not shown: no evidence of an end.
    'LAUNCH_FAILED': _State(JobState.RUNNING),
    'RECONFIG_FAIL': _State(JobState.RUNNING),
    'UPDATE_DB': _State(JobState.RUNNING),
    'EXPEDITING': _State(JobState.RUNNING),
    # The script ended by itself, or was not started at all: the exit record decides.
    'COMPLETED': _State(JobState.ENDED),
    'FAILED': _State(JobState.ENDED),
    'CANCELLED': _State(JobState.ENDED, 'cancelled'),
    'TIMEOUT': _State(JobState.ENDED, 'timeout'),
    # The deadline (sbatch --deadline): a time limit as well.
    'DEADLINE': _State(JobState.ENDED, 'timeout'),
    'OUT_OF_MEMORY': _State(JobState.ENDED, 'out_of_memory'),
    'PREEMPTED': _State(JobState.ENDED, 'preempted'),
    'NODE_FAIL': _State(JobState.ENDED, 'node_fail'),
    'BOOT_FAIL': _State(JobState.ENDED, 'boot_fail'),
}
"""What the states of a job mean."""

_UNKNOWN_STATE = _State(JobState.RUNNING)
"""A state of a newer version: nothing follows from it, least of all an end."""

_NEVER = re.compile(
    r'PartitionTimeLimit|PartitionNodeLimit|BadConstraints|DependencyNeverSatisfied'
    r'|AccountNotAllowed|QOSNotAllowed|InvalidAccount|InvalidQOS|ReservationDeleted|ReservationInvalid'
    r'|JobHoldMaxRequeue|MaxMemPerLimit'
    r'|(?:Assoc|QOS)Max\w+Per(?:Job|Node)(?:Limit)?'
    r'|QOSMin\w+'
)
"""Reasons that do not go away, whatever other jobs do.

The request violates a rule of the partition, the reservation, the account or the quality of service. Limits *per job*
and *per node* are of that kind, and so are minimum amounts. Limits of all jobs together (``PerUser``, ``PerAccount``,
``Grp``) are not: later there may be room. A job that is held can be released by the person who held it.
"""


def is_stuck(reason: str) -> bool:
    """Whether a job that is pending for this reason will never start."""
    return bool(_NEVER.fullmatch(re.split(r'[\s,(:]', reason, maxsplit=1)[0]))


# Listings and accounting

_NO_SUCH_JOB = 'Invalid job id specified'


class _Row(NamedTuple):
    """One line, before it is split into elements.

    ``elements`` is empty where the job is no array, and has brackets where the line covers several elements.
    """

    job: str
    elements: str
    name: str
    state: str
    reason: str
    where: str
    code: int | None = None
    submitted: float | None = None


_ID = re.compile(r'(\d+)(?:_(\d+|\[[^\[\]]*\]))?')

_LISTED = re.compile(rf'\s*{_ID.pattern}\s*\|(?:(N/A|[\d-]+T[\d:]+)\|)?')

_MAX_ARRAY = 4_000_001
"""Maximum number of elements of an array, in any version of Slurm."""


def parse_listing(answer: CommandResult) -> list[JobRecord] | None:
    """The jobs that squeue lists; None: it failed.

    If the name of the user cannot be resolved, it lists nothing, prints an error, and exits with status 0.
    """
    if answer.code != 0 or 'invalid user' in answer.err.lower():
        return None
    return _records(row for line in answer.out.splitlines() if (row := _listing_row(line)))


def parse_job(answer: CommandResult) -> list[JobRecord] | None:
    """The elements of the one job that was asked for; empty: the controller does not know it; None: squeue failed."""
    if answer.code not in (0, None) and _NO_SUCH_JOB in answer.err:
        return []
    return parse_listing(answer)


def parse_accounting(answer: CommandResult) -> list[JobRecord] | None:
    """The jobs that sacct knows; None: it failed, or there is no accounting."""
    if answer.code != 0 or ('error' in answer.err.lower() and not answer.out.strip()):
        return None
    return _records(row for line in answer.out.splitlines() if (row := _accounting_row(line)))


def _listing_row(line: str) -> _Row | None:
    found = _LISTED.match(line)
    fields = line[found.end() :].rsplit('|', 3) if found else ()
    if not found or len(fields) != 4:
        return None
    name, state, reason, where = (text.strip() for text in fields)
    reason = '' if reason == 'None' else reason
    return _Row(found[1], found[2] or '', name, state, reason, where, submitted=_seconds_of(found[3] or ''))


def _seconds_of(time: str) -> float | None:
    """A local time in seconds since 1970; None where it is not known."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError):
        return None


def _accounting_row(line: str) -> _Row | None:
    ident, _, rest = line.partition('|')
    found, fields = _ID.fullmatch(ident.strip()), rest.rsplit('|', 3)
    if not found or len(fields) != 4:
        return None
    name, state, status, where = (text.strip() for text in fields)
    reason = '' if status == '0:0' else f'ExitCode {status}'
    code = _code(state, status)
    return _Row(found[1], found[2] or '', name, state, reason, '' if where == 'None assigned' else where, code)


def _code(state: str, status: str) -> int | None:
    """The raw exit status of a shell that ended by itself: others may be reported as 0:0, too."""
    found = re.fullmatch(r'(\d+):(\d+)', status)
    if not found or (found[0] == '0:0' and state != 'COMPLETED'):
        return None
    code, signal = int(found[1]), int(found[2])
    # 125 means out of memory; there are 64 signals.
    return (128 + signal if signal <= 64 else None) if signal else code


def _records(rows: Iterable[_Row]) -> list[JobRecord]:
    """One record per element; a line of a single element takes precedence over a line of several.

    The accounting keeps elements in the line of pending ones when they already have lines of their own.
    """
    ordered = sorted(rows, key=lambda row: not row.elements.startswith('['))
    return list({(each.job, each.index): each for row in ordered for each in _elements(row)}.values())


def _elements(row: _Row) -> Iterator[JobRecord]:
    word = row.state.split(maxsplit=1)[0].rstrip('+') if row.state else ''
    state = STATES.get(word, _UNKNOWN_STATE)
    has_ended = state.kind is JobState.ENDED
    for index in _indices(row.elements):
        yield JobRecord(
            job=row.job,
            index=index,
            name=row.name,
            kind=state.kind,
            cause=state.cause,
            code=row.code if has_ended else None,
            reason=_reason(row, word),
            where=row.where,
            is_stuck=state.kind is JobState.PENDING and is_stuck(row.reason),
            submitted=row.submitted,
        )


def _reason(row: _Row, word: str) -> str:
    """Why it is pending; else its state, unless it simply runs."""
    if word == 'PENDING':
        return row.reason
    if word == 'RUNNING':
        return ''
    return f'{row.state} ({row.reason})' if row.reason else row.state


def _indices(elements: str) -> Iterator[int]:
    """The indices in ``4`` or ``[1,5-99:2%25]``; 0 for no array. Malformed parts are skipped."""
    if not elements:
        yield 0
        return
    for part in elements.strip('[]').partition('%')[0].split(','):
        if found := re.fullmatch(r'(\d+)(?:-(\d+)(?::(\d+))?)?', part.strip()):
            first, last, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
            if step and last - first < _MAX_ARRAY:
                yield from range(first, last + 1, step)


# Submissions


_ACCEPTED = re.compile(r'^(?:Submitted batch job )?(\d+)(?:;\S+)?(?: on cluster \S+)?\s*$', re.MULTILINE)

_VERDICT = 'submission failed:'
"""The controller's answer follows this; lines before it are about attempts to reach it."""

_POLICY = 'violates accounting/qos policy'

_RULE = re.compile(r'\b(?:(?:Assoc|QOS)(?:Max|Min|Grp)\w+|Max\w+Per(?:Account|User|Job|Node|Limit))\b')
"""The name of a limit, as in reasons of pending jobs."""

_LATER = (
    'maxjobcount limit reached',
    'resource temporarily unavailable',
    'temporarily unable to accept job',
    'unable to create job record, try again',
)
"""There are too many jobs of all users."""

_AWAY = (
    # The controller cannot be reached, or does not answer.
    'unable to contact',
    'timed out',
    'zero bytes were transmitted',
    'connection failure',
    'connection refused',
    'connection reset',
    'connection rejected',
    'connection forced closed',
    'no route to host',
    'network is unreachable',
    'broken pipe',
    'send failure',
    'receive failure',
    'shutdown failure',
    'unexpected message received',
    'unexpected missing socket',
    'insane message length',
    'header lengths are longer',
    'shutting down',
    'standby mode',
    'heartbeat file is missing',
    'rate limit exceeded',
    'incompatible versions',
    # The user cannot be authenticated at the moment.
    'munge',
    'protocol authentication error',
    'authentication credential',
    'authentication agent',
    'cannot unpack credential',
    # The configuration cannot be read, or disk or memory are short.
    'configuration source',
    'failed to fetch config',
    'unable to process configuration file',
    'error writing script',
    'cannot allocate memory',
    'unable to connect to database',
)
"""Nothing is wrong with the job: it may be accepted later."""

_CLOSED = (
    # The partition is drained or inactive, or the cluster is under maintenance.
    'submissions disabled',
    'partition not available',
    'partition in down state',
    'required node not available',
    'reservation not usable now',
)
"""The controller accepts no such job for now."""

_PREFIX = re.compile(r'^(?:sbatch|scancel|srun|slurm_\w+): (?:(?:error|fatal): )?')


def parse_submission(answer: CommandResult) -> SubmitResult:
    """Whether sbatch submitted a job."""
    ids = _ACCEPTED.findall(answer.out)
    if answer.code == 0 and ids:
        return SubmitResult(job=ids[-1], message=_message(answer.err))
    message = _message(answer.err) or _message(answer.out)
    if answer.code is None or answer.code <= 0 or not message:
        silence = f'sbatch exited with status {answer.code} and no message'
        return SubmitResult(refusal=Refusal.AWAY, message=message or silence)
    return SubmitResult(refusal=_refusal(answer.err if answer.err.strip() else answer.out), message=message)


def _refusal(text: str) -> Refusal:
    """Why a job was refused, by what sbatch printed; what is not known to be temporary is final."""
    lines = [line for line in text.splitlines() if _VERDICT in line]
    verdict = (lines[-1].partition(_VERDICT)[2] if lines else text).lower()
    if _POLICY in verdict:
        rules = _RULE.findall(text)
        return Refusal.LIMIT if not rules or any('Submit' in rule for rule in rules) else Refusal.WRONG
    if any(phrase in verdict for phrase in _LATER):
        return Refusal.LIMIT
    if any(phrase in verdict for phrase in _CLOSED):
        return Refusal.CLOSED
    return Refusal.AWAY if any(phrase in verdict for phrase in _AWAY) else Refusal.WRONG


def _message(text: str) -> str:
    """All lines in one, without the name of the command."""
    return '; '.join(_PREFIX.sub('', line.strip()) for line in text.splitlines() if line.strip())


# Other commands

_NOTHING_TO_CANCEL = (_NO_SUCH_JOB, 'already completing or completed', 'already finished')


def parse_cancel(answer: CommandResult) -> str:
    """Why scancel failed in a way that is worth another try; empty: it did not. A job that is gone is no failure."""
    return _failure(answer, 'scancel', _NOTHING_TO_CANCEL)


def parse_trial(answer: CommandResult) -> bool | None:
    """Whether ``sbatch --test-only`` found nodes for a job; None: the controller did not say."""
    if answer.code == 0:
        return True
    is_known = answer.code is not None and 'node configuration is not available' in answer.err
    return False if is_known or 'Invalid node name' in answer.err else None


_HAS_BEGUN = ('no longer pending', 'already finished', 'already completing or completed', 'No error', 'Invalid job id')


def parse_avoid(answer: CommandResult) -> str:
    """Why the excluded nodes of a job could not be changed; empty: they were, for all elements that are pending."""
    return _failure(answer, 'scontrol', _HAS_BEGUN)


def _failure(answer: CommandResult, program: str, harmless: Collection[str]) -> str:
    """Why a change of a job failed, unless for a reason that is harmless; empty: it did not."""
    errors = cancel_errors(answer, harmless)
    if errors is None:
        return ''
    return _message('\n'.join(errors)) or f'{program} exited with status {answer.code}'


def parse_limits(answer: CommandResult) -> QueueLimits:
    """The limits that ``scontrol show config`` prints; the defaults where it does not."""
    settings = dict(re.findall(r'^(\w+)[ \t]*=[ \t]*(.*?)[ \t]*$', answer.out, re.MULTILINE))
    # The largest index is one less than this, since the smallest is 0.
    size = settings.get('MaxArraySize', '')
    sizes = [int(size) - 1] if size.isdecimal() else [QueueLimits().array]
    sizes += [int(most) for most in re.findall(r'\bmax_array_tasks=(\d+)', settings.get('SchedulerParameters', ''))]
    storage = settings.get('AccountingStorageType', 'unknown').rpartition('/')[2]
    return QueueLimits(array=max(1, min(sizes)), has_accounting=storage not in ('none', '(null)', ''))


_DURATION = re.compile(r'(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)')


def parse_time_left(answer: CommandResult) -> float | None:
    """Seconds a job may still run, as squeue prints them; None: not known, or there is no limit."""
    found = _DURATION.fullmatch(answer.out.strip()) if answer.code == 0 else None
    if not found:
        return None
    days, hours, minutes, seconds = (int(text or 0) for text in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


_TIME_LIMIT = re.compile(r'(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?')


def parse_time_limit(text: str) -> float | None:
    """A time limit in the format of ``sbatch --time``, in seconds; None: there is none, or it is malformed."""
    found = _TIME_LIMIT.fullmatch(text.strip())
    if not found:
        return None
    days, *parts = found.groups()
    numbers = [int(part) for part in parts if part is not None]
    # With days, the first number is hours; without, a single number is minutes, and two are minutes and seconds.
    units = (3600, 60, 1) if days or len(numbers) == 3 else (60, 1)
    total = 86400 * int(days or 0) + sum(number * unit for number, unit in zip(numbers, units, strict=False))
    return float(total) or None
