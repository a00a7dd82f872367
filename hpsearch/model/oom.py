"""Whether an attempt ended because memory ran out, judged by its exit status and the end of its log. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

GPU_OOM = 'gpu_oom'
"""Cause of an attempt that ran out of GPU memory."""

HOST_OOM = 'host_oom'
"""Cause of an attempt that ran out of the memory of its machine."""

LAST_LINES = 30
"""Number of last lines of a log that can describe its end."""

LAST_LINES_WITHOUT_TRACEBACK = 10
"""The same where only its position says that a line belongs to the end."""

KILLED = 128 + 9
"""Exit status of a process that was ended by SIGKILL."""

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
"""Lines that a tracker prints when the program ends, for whatever reason."""

_RANK = re.compile(r'^\[(?:rank)?\d+\]:\s?')
_FRAME = re.compile(r'^(?:\s|[│|╭╰+])')
"""Lines of a traceback that are code, not messages: indented, or in a box."""


def is_gpu_oom(code: int | None, log_tail: str, extra_patterns: Sequence[str] = ()) -> bool:
    """Whether an attempt ran out of GPU memory.

    The attempt must have failed, and its log must end so; errors that a script logged and recovered from do not count.

    Args:
        code: Raw exit status; None (not known) and 0 are no evidence.
        log_tail: The end of its stderr.
        extra_patterns: Further regular expressions, searched for in the last lines; an invalid one is taken literally.
    """
    if not code:
        return False
    words = last_words(log_tail)
    if _GPU.search(words) or (_GPU_WITH_WITNESS.search(words) and _WITNESS.search(words)):
        return True
    end = '\n'.join(_lines(log_tail)[-LAST_LINES:])
    return any(_compiled(pattern).search(end) for pattern in extra_patterns)


def is_host_oom(code: int | None, kills_before: int | None, kills_after: int | None, log_tail: str) -> bool:
    """Whether an attempt ran out of the memory of its machine.

    Args:
        code: Raw exit status; None (not known) and 0 are no evidence.
        kills_before: The kernel's count of processes killed for lack of memory when the attempt began; None: unknown.
        kills_after: The same at its end.
        log_tail: The end of its stderr.
    """
    if not code:
        return False
    has_killed = kills_before is not None and kills_after is not None and kills_after > kills_before
    if code == KILLED:
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
    """:data:`GPU_OOM`, :data:`HOST_OOM`, or empty; arguments as those of :func:`is_gpu_oom`, :func:`is_host_oom`."""
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


# ---------------------------------------------------------------------------------------------------------- last words


def last_words(log_tail: str) -> str:
    """The part of a log that describes the end of its program.

    That is the exception that ended it, with those it is chained to; where no traceback is near the end, the last
    lines. Code and frames are left out, since they quote messages that were never raised.

    Args:
        log_tail: The end of a log.
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
    """The tracebacks, each with what follows it, and with the line before it that introduces it, if there is one."""
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
