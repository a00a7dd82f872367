"""What Slurm's commands answer: listings, accounts, refusals. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from hpsearch.backends.queue.batch_system import CommandResult, QueueLimits, Refusal, Submitted
from hpsearch.backends.queue.queue_words import open_complaints
from hpsearch.model.jobs import JobRecord, JobState

LISTING_FIELDS = '%i|%j|%T|%r|%N'
"""Id, name, state, reason, nodes. A name may contain the separator, the fields behind it do not."""

ACCOUNTING_FIELDS = 'JobID,JobName,State,ExitCode,NodeList'
"""Its reason is the one for which the job last waited, also when it has ended: it is not asked for."""


# States


class _State(NamedTuple):
    """What a state means for us, and for an end: its cause."""

    kind: JobState
    cause: str = ''


STATES: Mapping[str, _State] = {
    'PENDING': _State(JobState.PENDING),
    # It goes back to the queue, or is held there: the script that runs next leaves a record that it was restarted.
    'REQUEUE_FED': _State(JobState.PENDING),
    'REQUEUE_HOLD': _State(JobState.PENDING),
    'SPECIAL_EXIT': _State(JobState.PENDING),
    'RESV_DEL_HOLD': _State(JobState.PENDING),
    'RUNNING': _State(JobState.RUNNING),
    # It has nodes: they boot, or it is about to start, to be signalled, to change its size, or stands still.
    'CONFIGURING': _State(JobState.RUNNING),
    'POWER_UP_NODE': _State(JobState.RUNNING),
    'SIGNALING': _State(JobState.RUNNING),
    'RESIZING': _State(JobState.RUNNING),
    'STOPPED': _State(JobState.RUNNING),
    'SUSPENDED': _State(JobState.RUNNING),
    # Its processes are being ended, and files copied; how it ended is told when that is done.
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
    # The script ended by itself, or was not started at all: the records tell.
    'COMPLETED': _State(JobState.ENDED),
    'FAILED': _State(JobState.ENDED),
    'CANCELLED': _State(JobState.ENDED, 'cancelled'),
    'TIMEOUT': _State(JobState.ENDED, 'timeout'),
    # The time until which it had to end (sbatch --deadline) came: a limit in time as well.
    'DEADLINE': _State(JobState.ENDED, 'timeout'),
    'OUT_OF_MEMORY': _State(JobState.ENDED, 'out_of_memory'),
    'PREEMPTED': _State(JobState.ENDED, 'preempted'),
    'NODE_FAIL': _State(JobState.ENDED, 'node_fail'),
    'BOOT_FAIL': _State(JobState.ENDED, 'boot_fail'),
}
"""What the states of a job mean."""

_UNHEARD_OF = _State(JobState.RUNNING)
"""A state that newer versions may have: nothing follows from it, least of all an end."""

_NEVER = re.compile(
    r'PartitionTimeLimit|PartitionNodeLimit|BadConstraints|DependencyNeverSatisfied'
    r'|AccountNotAllowed|QOSNotAllowed|InvalidAccount|InvalidQOS|ReservationDeleted|ReservationInvalid'
    r'|JobHoldMaxRequeue|MaxMemPerLimit'
    r'|(?:Assoc|QOS)Max\w+Per(?:Job|Node)(?:Limit)?'
    r'|QOSMin\w+'
)
"""Reasons that stay, whatever other jobs do.

What a job asks for is against a rule: of the partition, the reservation, the account, the quality of service. Limits
*per job* and *per node* are of that kind, and so are least amounts. Limits of all jobs together (``PerUser``,
``PerAccount``, ``Grp``) are not: they allow it some time. A job that is held was held by somebody, who can release it.
"""


def is_stuck(reason: str) -> bool:
    """Whether a job that waits for this reason waits for something that will never come."""
    return bool(_NEVER.fullmatch(re.split(r'[\s,(:]', reason, maxsplit=1)[0]))


# Listings and accounts


class _Row(NamedTuple):
    """A line, before its elements are taken apart.

    ``elements`` is empty where the job is no array, and has brackets where the line stands for many.
    """

    job: str
    elements: str
    name: str
    state: str
    reason: str
    where: str
    code: int | None = None


_ID = re.compile(r'(\d+)(?:_(\d+|\[[^\[\]]*\]))?')

_MOST = 4_000_001
"""Elements of an array at most, in any Slurm."""


def parse_listing(answer: CommandResult) -> list[JobRecord] | None:
    """What squeue lists; None: it did not answer.

    Where the name of the user cannot be looked up, it lists nothing, complains, and ends with status 0.
    """
    if answer.code != 0 or 'invalid user' in answer.err.lower():
        return None
    return _sightings(row for line in answer.out.splitlines() if (row := _listed(line)))


def parse_accounting(answer: CommandResult) -> list[JobRecord] | None:
    """What sacct tells; None: it did not answer, or there is no accounting."""
    if answer.code != 0 or ('error' in answer.err.lower() and not answer.out.strip()):
        return None
    return _sightings(row for line in answer.out.splitlines() if (row := _accounted(line)))


def _listed(line: str) -> _Row | None:
    ident, _, rest = line.partition('|')
    found, fields = _ID.fullmatch(ident.strip()), rest.rsplit('|', 3)
    if not found or len(fields) != 4:
        return None
    name, state, reason, where = (text.strip() for text in fields)
    return _Row(found[1], found[2] or '', name, state, '' if reason == 'None' else reason, where)


def _accounted(line: str) -> _Row | None:
    ident, _, rest = line.partition('|')
    found, fields = _ID.fullmatch(ident.strip()), rest.rsplit('|', 3)
    if not found or len(fields) != 4:
        return None
    name, state, status, where = (text.strip() for text in fields)
    reason = '' if status == '0:0' else f'ExitCode {status}'
    code = _code(state, status)
    return _Row(found[1], found[2] or '', name, state, reason, '' if where == 'None assigned' else where, code)


def _code(state: str, status: str) -> int | None:
    """The raw exit status of a shell, where it ended by itself: of others 0:0 is told, too."""
    found = re.fullmatch(r'(\d+):(\d+)', status)
    if not found or (found[0] == '0:0' and state != 'COMPLETED'):
        return None
    code, signal = int(found[1]), int(found[2])
    # 125 stands for a lack of memory; there are 64 signals.
    return (128 + signal if signal <= 64 else None) if signal else code


def _sightings(rows: Iterable[_Row]) -> list[JobRecord]:
    """One per element; what a line says of one element counts more than what a line says of many.

    The accounting leaves elements in the line of those that wait when they have lines of their own already.
    """
    ordered = sorted(rows, key=lambda row: not row.elements.startswith('['))
    return list({(seen.job, seen.index): seen for row in ordered for seen in _elements(row)}.values())


def _elements(row: _Row) -> Iterator[JobRecord]:
    word = row.state.split(maxsplit=1)[0].rstrip('+') if row.state else ''
    state = STATES.get(word, _UNHEARD_OF)
    has_ended = state.kind is JobState.ENDED
    for index in _indices(row.elements):
        yield JobRecord(
            job=row.job,
            index=index,
            name=row.name,
            kind=state.kind,
            cause=state.cause,
            code=row.code if has_ended else None,
            reason=_in_words(row, word),
            where=row.where,
            is_stuck=state.kind is JobState.PENDING and is_stuck(row.reason),
        )


def _in_words(row: _Row, word: str) -> str:
    """Why it waits; of what does not, its state, where there is more to say than that it runs."""
    if word == 'PENDING':
        return row.reason
    if word == 'RUNNING':
        return ''
    return f'{row.state} ({row.reason})' if row.reason else row.state


def _indices(elements: str) -> Iterator[int]:
    """The indices that ``4`` or ``[1,5-99:2%25]`` stands for; 0 for no array. What makes no sense is left out."""
    if not elements:
        yield 0
        return
    for part in elements.strip('[]').partition('%')[0].split(','):
        if found := re.fullmatch(r'(\d+)(?:-(\d+)(?::(\d+))?)?', part.strip()):
            first, last, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
            if step and last - first < _MOST:
                yield from range(first, last + 1, step)


# Submissions


_ACCEPTED = re.compile(r'^(?:Submitted batch job )?(\d+)(?:;\S+)?(?: on cluster \S+)?\s*$', re.MULTILINE)

_VERDICT = 'submission failed:'
"""What follows this is what the controller says; lines before it tell of what was tried."""

_POLICY = 'violates accounting/qos policy'

_RULE = re.compile(r'\b(?:(?:Assoc|QOS)(?:Max|Min|Grp)\w+|Max\w+Per(?:Account|User|Job|Node|Limit))\b')
"""The name of a limit, as in reasons of jobs that wait."""

_LATER = (
    'maxjobcount limit reached',
    'resource temporarily unavailable',
    'temporarily unable to accept job',
    'unable to create job record, try again',
)
"""There are too many jobs, of everybody."""

_AWAY = (
    # Nobody hears, or answers.
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
    # Who asks cannot be verified at the moment.
    'munge',
    'protocol authentication error',
    'authentication credential',
    'authentication agent',
    'cannot unpack credential',
    # There is no configuration to be had, or no disk, or no memory.
    'configuration source',
    'failed to fetch config',
    'unable to process configuration file',
    'error writing script',
    'cannot allocate memory',
    'unable to connect to database',
    # The cluster is being looked after.
    'submissions disabled',
    'partition not available',
    'partition in down state',
    'required node not available',
    'reservation not usable now',
)
"""Nothing was wrong with the job: the same may be accepted at another time."""

_PREFIX = re.compile(r'^(?:sbatch|scancel|srun|slurm_\w+): (?:(?:error|fatal): )?')


def parse_submission(answer: CommandResult) -> Submitted:
    """What sbatch answered."""
    ids = _ACCEPTED.findall(answer.out)
    if answer.code == 0 and ids:
        return Submitted(job=ids[-1], words=_complaint(answer.err))
    words = _complaint(answer.err) or _complaint(answer.out)
    if answer.code is None or answer.code <= 0 or not words:
        return Submitted(refusal=Refusal.AWAY, words=words or f'sbatch ended with status {answer.code} and no word')
    return Submitted(refusal=_refusal(answer.err if answer.err.strip() else answer.out), words=words)


def _refusal(text: str) -> Refusal:
    """Why, told from what was complained of; what is not known to pass is wrong."""
    lines = [line for line in text.splitlines() if _VERDICT in line]
    verdict = (lines[-1].partition(_VERDICT)[2] if lines else text).lower()
    if _POLICY in verdict:
        rules = _RULE.findall(text)
        return Refusal.LIMIT if not rules or any('Submit' in rule for rule in rules) else Refusal.WRONG
    if any(words in verdict for words in _LATER):
        return Refusal.LIMIT
    return Refusal.AWAY if any(words in verdict for words in _AWAY) else Refusal.WRONG


def _complaint(text: str) -> str:
    """All that was complained of, in one line, without the name of the command."""
    return '; '.join(_PREFIX.sub('', line.strip()) for line in text.splitlines() if line.strip())


# Other answers

_NEEDS_NO_END = ('Invalid job id specified', 'already completing or completed', 'already finished')


def parse_cancel(answer: CommandResult) -> str:
    """Why scancel failed in a way that is worth another try; empty: it did not. What is not there needs no end."""
    open_lines = open_complaints(answer, _NEEDS_NO_END)
    if open_lines is None:
        return ''
    return _complaint('\n'.join(open_lines)) or f'scancel ended with status {answer.code}'


def parse_limits(answer: CommandResult) -> QueueLimits:
    """What ``scontrol show config`` tells; the usual, where it does not say."""
    settings = dict(re.findall(r'^(\w+)[ \t]*=[ \t]*(.*?)[ \t]*$', answer.out, re.MULTILINE))
    # The largest index is one less than this, since the smallest is 0.
    size = settings.get('MaxArraySize', '')
    sizes = [int(size) - 1] if size.isdecimal() else [QueueLimits().array]
    sizes += [int(most) for most in re.findall(r'\bmax_array_tasks=(\d+)', settings.get('SchedulerParameters', ''))]
    storage = settings.get('AccountingStorageType', 'unknown').rpartition('/')[2]
    return QueueLimits(array=max(1, min(sizes)), has_accounting=_keeps(storage))


def _keeps(storage: str) -> bool:
    return storage not in ('none', '(null)', '')


_SPAN = re.compile(r'(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)')


def parse_time_left(answer: CommandResult) -> float | None:
    """Seconds a job may still run, as squeue tells them; None: it is not known, or there is no limit."""
    found = _SPAN.fullmatch(answer.out.strip()) if answer.code == 0 else None
    if not found:
        return None
    days, hours, minutes, seconds = (int(text or 0) for text in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
