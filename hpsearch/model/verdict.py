"""What the end of an attempt means: from the evidence to a state and a reason in words. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.model.oom import GPU_OOM, HOST_OOM
from hpsearch.model.run import Run, Summary
from hpsearch.model.states import CANCELLED, TIMEOUT, State

FAILURE_LINES = 3
"""How many of the last lines of stderr a failure is grouped by."""

IN_WORDS = {
    TIMEOUT: 'its job reached its time limit',
    CANCELLED: 'its job was cancelled by somebody',
    'preempted': 'its job was preempted',
    'node_fail': 'its node failed',
    'boot_fail': 'its node did not boot',
    'requeued': 'the queue restarted its job',
    'terminated': 'it was told to end by somebody',
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
    """Say how an attempt ended.

    Args:
        code: Raw exit status; above 128 it is "signal or code"; None: not known.
        cause: The backend's word for an end from outside, or empty.
        detail: What the backend has to add.
        summary: What the script left.
        wants_summary: Whether the configuration names a summary file.
        stop_reason: Why we asked it to end, or empty.
        oom: What :func:`hpsearch.model.oom.out_of_memory` says.
        resumable: Whether the script goes on where it stopped, so that a time limit only interrupts it.
        had_most_room: Why there is no more room for it (:func:`hpsearch.model.retries.had_most_room`), or empty.
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


def failure_signature(stderr: str, reason: str, run: Run) -> str:
    """What failures are grouped by: the last lines of stderr without what differs from run to run.

    Args:
        stderr: The end of the log.
        reason: Used where nothing was printed.
        run: Its name and words are taken out.
    """
    lines = [line.rstrip() for line in stderr.splitlines() if line.strip()][-FAILURE_LINES:]
    text = '\n'.join(lines) if lines else reason
    for word in sorted(run.argv, key=len, reverse=True):
        option, found, value = word.partition('=')
        if word.startswith('--') and found and value:
            text = text.replace(word, f'{option}=…')
    text = text.replace(run.name, '<run>')
    return re.sub(r'0x[0-9a-fA-F]+|\d+(\.\d+)?(e[-+]?\d+)?', '#', text)


def same_failure(failures: Sequence[str | None], limit: int) -> str:
    """Whether the first ``limit`` ended attempts all failed alike.

    Args:
        failures: Per ended attempt, in order, its failure signature; None: it did not fail.
        limit: How many; 0: never.

    Returns:
        The signature they share, or an empty text.
    """
    first = failures[:limit]
    if limit <= 0 or len(first) < limit or first[0] is None:
        return ''
    return first[0] if all(failure == first[0] for failure in first) else ''
