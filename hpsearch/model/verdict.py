"""What the end of an attempt means: from the evidence to a state and a reason in words. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hpsearch.model.run import Run, Summary
from hpsearch.model.states import CANCELLED, TIMEOUT, State

GPU_OOM = 'gpu_oom'
"""Cause of an attempt that ran out of GPU memory."""

HOST_OOM = 'host_oom'
"""Cause of an attempt that ran out of the memory of its machine."""

FAILURE_LINES = 3
"""How many lines a failure is grouped by."""

IN_WORDS = {
    TIMEOUT: 'its job reached its time limit',
    CANCELLED: 'its job was cancelled outside hpsearch',
    'preempted': 'its job was preempted',
    'node_fail': 'its node failed',
    'boot_fail': 'its node did not boot',
    'requeued': 'the queue restarted its job',
    'terminated': 'it received TERM from outside hpsearch',
    'job_ended': 'the job it ran in has ended',
}
"""Causes of ends that came from outside."""

_MEMORY = {GPU_OOM: 'GPU', HOST_OOM: 'host'}


@dataclass(frozen=True, slots=True)
class Verdict:
    """State, reason in words, and the cause in one word."""

    state: State
    reason: str = ''
    cause: str = ''


def judge(
    code: int | None,
    cause: str,
    detail: str,
    summary: Summary,
    *,
    wants_summary: bool,
    stop_reason: str = '',
    oom: str = '',
    had_most_room: str = '',
    resumable: bool = False,
) -> Verdict:
    """Decide how an attempt ended.

    Args:
        code: Raw exit status; above 128 it is "signal or code"; None: not known.
        cause: The backend's word for an end from outside, or empty.
        detail: What the backend has to add.
        summary: What the script left.
        wants_summary: Whether the configuration names a summary file.
        stop_reason: Why we stopped it, or empty.
        oom: What :func:`out_of_memory` says.
        had_most_room: Why there is no more room for it (:func:`hpsearch.model.retries.had_most_room`), or empty.
        resumable: Whether the script continues where it stopped, so that a time limit only interrupts it.
    """
    if summary.finished and wants_summary:
        odd = f'{status_in_words(code)} after its summary was written' if code else ''
        return Verdict(State.FINISHED, _joined(odd, summary.problem, detail), 'exit')
    if stop_reason:
        return Verdict(State.INTERRUPTED, stop_reason, 'stop')
    if oom:
        return _out_of_memory(oom, had_most_room, detail)
    if cause == 'impossible':
        return Verdict(State.FAILED, detail, cause)
    if cause:
        state = State.FAILED if cause == TIMEOUT and not resumable else State.INTERRUPTED
        return Verdict(state, _joined(IN_WORDS.get(cause, cause), detail), cause)
    if code is None:
        return Verdict(State.LOST, _joined('no exit record', detail), 'lost')
    if code == 0 and not wants_summary:
        return Verdict(State.FINISHED, detail, 'exit')
    return Verdict(State.FAILED, _joined(_why_failed(code, summary, wants_summary), detail), 'exit')


def _out_of_memory(oom: str, had_most_room: str, detail: str) -> Verdict:
    what = f'out of {_MEMORY[oom]} memory'
    if had_most_room:
        return Verdict(State.FAILED, _joined(f'{what}, {had_most_room}', detail), oom)
    return Verdict(State.INTERRUPTED, _joined(what, detail), oom)


def _why_failed(code: int, summary: Summary, wants_summary: bool) -> str:
    if code:
        return status_in_words(code)
    if wants_summary and summary.finished is False:
        return _joined('its summary says finished 0', summary.problem)
    return _joined('it ended with status 0', summary.problem or 'but its summary does not say finished')


def status_in_words(code: int | None) -> str:
    """A raw exit status as a sentence part."""
    if code is None:
        return 'status unknown'
    if code == 127:
        return 'status 127: its command was not found'
    if code == 126:
        return 'status 126: its command could not be executed'
    if code > 128:
        return f'status {code}: {_signal_name(code - 128)}'
    return f'status {code}'


def _signal_name(number: int) -> str:
    try:
        return f'signal {number} ({signal.Signals(number).name})'
    except ValueError:
        return 'a code of its own'


def _joined(*parts: str) -> str:
    return '; '.join(part for part in parts if part)


# Failures that are alike


def telling_lines(stderr: str, stdout: str) -> list[str]:
    """The last lines that say why a program failed: those of stderr, or of stdout where stderr says nothing.

    Progress bars, warnings and the chatter of trackers say nothing.

    Args:
        stderr: The end of its stderr.
        stdout: The end of its stdout.
    """
    return (_telling(stderr) or _telling(stdout))[-FAILURE_LINES:]


def _telling(log_tail: str) -> list[str]:
    plain = (_BAR.sub('', line).rstrip() for line in _lines(_ANSI.sub('', log_tail)))
    lines = [line for line in plain if line.strip() and not _PROGRESS.search(line)]
    return [
        line
        for before, line in zip(['', *lines], lines, strict=False)
        if not _WARNING.search(line) and not (_WARNING.search(before) and line.startswith(' '))
    ]


def failure_signature(stderr: str, stdout: str, reason: str, run: Run) -> str:
    """What failures are grouped by: the lines that say why, else the reason, without what differs between runs.

    The end of stdout counts only where it names an error: what a script prints in any case differs between runs.

    Args:
        stderr: The end of its stderr.
        stdout: The end of its stdout.
        reason: Why it failed, in words.
        run: The run.
    """
    text = '\n'.join(telling_lines(stderr, ''))
    if not text:
        printed = '\n'.join(telling_lines('', stdout))
        text = printed if _ERROR.search(printed) else reason
    for word in sorted(run.argv, key=len, reverse=True):
        option, found, value = word.partition('=')
        if word.startswith('--') and found and value:
            text = text.replace(word, f'{option}=…')
    return _NUMBER.sub('#', _RANDOM_NAME.sub('#', text.replace(run.name, '<run>')))


_ANSI = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]')
"""What a terminal takes as colours and movements."""

_BAR = re.compile(r'^.*?\d%\|.*?\|.*?\[[^\]]*\]|^.*?\d+it \[[^\]]*\]')
"""A progress bar as tqdm draws it; other output may follow in the same line."""

_PROGRESS = re.compile(
    r'\d%\s*[|\[]|[█▏▎▍▌▋▊▉░▒▓━╸]{3}|\[(?:={3}|=*>|\.{3})[=>.]*\]|\d(?:it/s|s/it|m?s/step)|\bETA[: ]'
)
"""Other progress bars."""

_WARNING = re.compile(r'\b\w*Warning: |\bWARNING\b|^warning: ')

_ERROR = re.compile(
    r'error|exception|traceback|fail|fatal|critical|abort|cannot|can.t |could not|invalid|not found|no such',
    re.IGNORECASE,
)
"""What the lines on stdout contain that say why a program failed."""

_RANDOM_NAME = re.compile(
    r'0x[0-9a-fA-F]+|\btmp[a-z0-9_]{6,}'
    r'|(?<![0-9A-Za-z])(?=[a-fA-F-]*\d)[0-9a-fA-F]{6,}(?:-[0-9a-fA-F]{4,})*(?![0-9A-Za-z])'
)
"""Addresses, the names of temporary files, and hashes."""

_NUMBER = re.compile(r'(?:(?<![\w)\]])-)?\d+(?:[.,:]\d+)*(?:e[-+]?\d+)?|\b(?:nan|inf)\b')
"""Numbers, dates and times."""


def same_failure(ends: Sequence[tuple[str | None, str]], limit: int, indispensable: Collection[str] = ()) -> str | None:
    """The failure signature that the first ended attempts share.

    That of one node alone says nothing about the runs: then those that follow count, too, until one is on another node.

    Args:
        ends: Per ended attempt, in order, its failure signature (None: it did not fail) and its node (empty: it is not
            known, or this machine).
        limit: How many; 0: never.
        indispensable: Nodes that no run can do without.

    Returns:
        Empty: they did not all fail alike. None: that is not certain yet.
    """
    alike = ends[0][0] if ends else None
    if limit <= 0 or (ends and (alike is None or any(failure != alike for failure, _ in ends))):
        return ''
    nodes = {node for _, node in ends}
    is_one_alone = len(nodes) == 1 and not nodes & {'', *indispensable}
    return None if len(ends) < limit or is_one_alone else alike


# Out of memory: the exit status and the end of a log

LAST_LINES = 30
"""Number of last lines of a log that can describe its end."""

LAST_LINES_WITHOUT_TRACEBACK = 10
"""The same where only its position says that a line belongs to the end."""

_GPU = re.compile(
    r'(?:CUDA|HIP|XPU|MPS backend) out of memory'
    r'|CUDA (?:driver |runtime )?error: out of memory'
    r'|(?:torch|cupy)[\w.]*\.OutOfMemoryError'
    r'|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation'
    r'|(?:Triton Error \[CUDA\]|Cuda failure\b.{0,20}?):? .?out of memory'
    r'|(?:CUBLAS|CUDNN|CUSOLVER|CUSPARSE|CUFFT)_(?:STATUS_)?ALLOC_FAILED'
    r'|OOM when allocating tensor(?!.{0,2000}device:CPU)',
    re.IGNORECASE,
)
"""Texts that are sufficient by themselves."""

_GPU_WITH_WITNESS = re.compile(
    r'RESOURCE_EXHAUSTED|ResourceExhaustedError|(?:CUDNN|CUBLAS|CUSOLVER|CUSPARSE)_STATUS_NOT_INITIALIZED'
)
"""Texts that have other causes, too (too large a message, a driver mismatch), and need a second one."""

_WITNESS = re.compile(
    r'out of memory|failed to allocate|would exceed memory|OOM when allocating tensor(?!.{0,2000}device:CPU)',
    re.IGNORECASE,
)

_HOST = re.compile(
    r'^(?:[\w.]+\.)?_?(?:Array|Arrow)?MemoryError\b'
    r'|std::bad_alloc|Cannot allocate memory|DefaultCPUAllocator: (?:can.t allocate|not enough) memory'
    r'|OOM when allocating tensor.{0,2000}device:CPU'
    r'|^memory allocation of \d+ bytes failed',
    re.MULTILINE,
)

_WORKER_KILLED = re.compile(
    r'is killed by signal: Killed|terminated abruptly|TerminatedWorkerError|exited unexpectedly|SIGKILL|exitcode\s*: -9'
)
"""What a process prints about a worker process of its own that was killed."""

_TRACEBACK = 'Traceback (most recent call last)'
_CHAINED = ('During handling of the above exception', 'The above exception was the direct cause')
_BESIDE = ('Exception ignored', 'Error in atexit', 'Exception in thread')
"""What precedes a traceback that did not end the program."""

_LAUNCHERS = ('ChildFailedError', 'CalledProcessError')
"""Exceptions of programs that start others; the reason is in an earlier traceback."""

_CHATTER = ('wandb:',)
"""Lines that a tracker prints whenever the program ends."""

_RANK = re.compile(r'^\[(?:rank)?\d+\]:\s?')
_FRAME = re.compile(r'^(?:\s|[│|╭╰+])')
"""Lines of a traceback that are code, not messages: indented, or in a box."""


def is_gpu_oom(code: int | None, log_tail: str, extra_patterns: Sequence[str] = ()) -> bool:
    """Whether an attempt ran out of GPU memory; arguments as those of :func:`out_of_memory`."""
    if not code:
        return False
    words = last_words(log_tail)
    if _GPU.search(words) or (_GPU_WITH_WITNESS.search(words) and _WITNESS.search(words)):
        return True
    end = '\n'.join(_lines(log_tail)[-LAST_LINES:])
    return any(_compiled(pattern).search(end) for pattern in extra_patterns)


def is_host_oom(code: int | None, kills_before: int | None, kills_after: int | None, log_tail: str) -> bool:
    """Whether an attempt ran out of the memory of its machine; arguments as those of :func:`out_of_memory`."""
    if not code:
        return False
    has_killed = kills_before is not None and kills_after is not None and kills_after > kills_before
    if code == 128 + signal.SIGKILL:
        return has_killed
    words = last_words(log_tail)
    return bool(_HOST.search(words)) or (has_killed and bool(_WORKER_KILLED.search(words)))


def out_of_memory(
    code: int | None,
    log_tail: str,
    extra_patterns: Sequence[str] = (),
    kills_before: int | None = None,
    kills_after: int | None = None,
) -> str:
    """:data:`GPU_OOM` or :data:`HOST_OOM` if an attempt ran out of memory, else empty.

    It must have failed, and its log must end so; errors that a script logged and recovered from do not count.

    Args:
        code: Raw exit status; None (not known) and 0 are no evidence.
        log_tail: The end of its stderr.
        extra_patterns: Further regular expressions, searched for in the last lines; an invalid one is taken literally.
        kills_before: The kernel's count of out-of-memory kills when the attempt began; None: unknown.
        kills_after: The same at its end.
    """
    if is_gpu_oom(code, log_tail, extra_patterns):
        return GPU_OOM
    return HOST_OOM if is_host_oom(code, kills_before, kills_after, log_tail) else ''


def problem_of(pattern: str) -> str:
    """What is wrong with a regular expression; empty if nothing is."""
    try:
        re.compile(pattern)
    except re.error as error:
        return str(error)
    return ''


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern) if problem_of(pattern) else pattern)


# The end of a log


def last_words(log_tail: str) -> str:
    """The part of a log that describes the end of its program.

    That is the exception that ended it, with those it is chained to; where no traceback is near the end, the last
    lines. Code and frames are left out, since they quote messages that were never raised.
    """
    lines = _lines(log_tail)
    blocks = _blocks(lines)
    if not blocks or _is_long_past(blocks[-1]):
        return '\n'.join(lines[-LAST_LINES_WITHOUT_TRACEBACK:])
    own = [block for block in blocks if not block[0].startswith(_BESIDE)] or blocks
    return '\n'.join(line for block in own[_first_of_the_end(own) :] for line in _words(block))


def _lines(log_tail: str) -> list[str]:
    """Lines as a terminal shows them at the end: without what a progress bar has overwritten."""
    shown = (line.rstrip('\r').rpartition('\r')[2].rstrip() for line in log_tail.split('\n'))
    return [_RANK.sub('', line) for line in shown if line and not line.startswith(_CHATTER)]


def _blocks(lines: Sequence[str]) -> list[list[str]]:
    """The tracebacks, each with what follows it and the line that introduces it, if there is one."""
    marks = [index for index, line in enumerate(lines) if _TRACEBACK in line]
    starts = [mark - lines[max(0, mark - 1)].startswith((*_CHAINED, *_BESIDE)) for mark in marks]
    return [list(lines[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)], strict=False)]


def _words(block: Sequence[str]) -> list[str]:
    """From the exception on: what follows the frames of a traceback."""
    begin = next((index for index, line in enumerate(block) if _TRACEBACK in line), 0) + 1
    while begin < len(block) and _FRAME.match(block[begin]):
        begin += 1
    return list(block[begin:])


def _is_long_past(block: Sequence[str]) -> bool:
    """Whether so much follows a traceback that the program must have continued."""
    return sum(not _FRAME.match(line) for line in _words(block)) > LAST_LINES


def _first_of_the_end(blocks: Sequence[Sequence[str]]) -> int:
    """Index of the first traceback of those that belong to the end."""
    if _is_of_launcher(blocks[-1]):
        return 0
    first = len(blocks) - 1
    while first and blocks[first][0].startswith(_CHAINED):
        first -= 1
    return first


def _is_of_launcher(block: Sequence[str]) -> bool:
    return any(name in line for line in _words(block)[:1] for name in _LAUNCHERS)
