"""What the end of an attempt means: from the evidence to a state and a reason in words. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from hpsearch.model.logs.failures import names_an_error, telling_lines
from hpsearch.model.logs.out_of_memory import GPU_OOM, HOST_OOM
from hpsearch.model.run import Run, Summary
from hpsearch.model.states import CANCELLED, PRUNED, STOP, TIMEOUT, State

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
    pruned: str = '',
    has_begun: bool = True,
    stop_reason: str = '',
    stop_cause: str = STOP,
    oom: str = '',
    had_most_room: str = '',
    resumable: bool = False,
    error: str = '',
) -> Verdict:
    """Decide how an attempt ended.

    Args:
        code: Raw exit status; above 128 it is "signal or code"; None: not known.
        cause: The backend's word for an end from outside, or empty.
        detail: What the backend has to add.
        summary: What the script left.
        wants_summary: Whether the configuration names a summary file.
        pruned: Why it was to be stopped because of its metrics, or empty. Then a status of 0 says nothing, and neither
            do results without the keyword ``finished``: scripts that catch TERM may leave both.
        has_begun: Whether its script may have run. What waited in a queue when it was to be stopped was not.
        stop_reason: Why we stopped it, or empty.
        stop_cause: The same in one word.
        oom: What :func:`~hpsearch.model.logs.out_of_memory.out_of_memory` says.
        had_most_room: Why there is no more room for it (:func:`hpsearch.model.retries.had_most_room`), or empty.
        resumable: Whether the script continues where it stopped, so that a time limit only interrupts it.
        error: What its logs name as the error (:func:`~hpsearch.model.logs.failures.error_in_logs`), or empty.
    """
    if summary.finished and wants_summary:
        odd = f'{status_in_words(code)} after its summary was written' if code else ''
        return Verdict(State.FINISHED, joined(odd, summary.problem, detail), 'exit')
    if pruned or stop_reason:
        return _ended_by_us(pruned, stop_reason, stop_cause, has_begun=has_begun)
    if oom:
        return _out_of_memory(oom, had_most_room, detail)
    if cause:
        return _ended_from_outside(cause, detail, resumable=resumable)
    if code is None:
        return Verdict(State.LOST, joined('no exit record', detail), 'lost')
    if code == 0 and (summary.status_decides or not wants_summary):
        return Verdict(State.FINISHED, joined(summary.problem if wants_summary else '', detail), 'exit')
    return Verdict(State.FAILED, joined(_why_failed(code, summary, wants_summary, error), detail), 'exit')


def _ended_from_outside(cause: str, detail: str, *, resumable: bool) -> Verdict:
    if cause == 'impossible':
        return Verdict(State.FAILED, detail, cause)
    state = State.FAILED if cause == TIMEOUT and not resumable else State.INTERRUPTED
    return Verdict(state, joined(IN_WORDS.get(cause, cause), detail), cause)


def _ended_by_us(pruned: str, stop_reason: str, stop_cause: str, *, has_begun: bool) -> Verdict:
    if pruned and has_begun:
        return Verdict(State.STOPPED, pruned, PRUNED)
    reason, cause = (pruned, 'abandoned') if pruned else (stop_reason, stop_cause)
    return Verdict(State.INTERRUPTED, reason, cause)


def _out_of_memory(oom: str, had_most_room: str, detail: str) -> Verdict:
    what = f'out of {_MEMORY[oom]} memory'
    if had_most_room:
        return Verdict(State.FAILED, joined(f'{what}, {had_most_room}', detail), oom)
    return Verdict(State.INTERRUPTED, joined(what, detail), oom)


def _why_failed(code: int, summary: Summary, wants_summary: bool, error: str) -> str:
    if code:
        words = status_in_words(code)
        return ('; ' if ':' in words else ': ').join(filter(None, (words, error)))
    if wants_summary and summary.finished is False:
        return joined('its summary says finished 0', summary.problem)
    return joined('it ended with status 0', summary.problem or 'but its summary does not say finished')


def status_in_words(code: int | None) -> str:
    """A raw exit status as a sentence part."""
    if code is None:
        return 'status unknown'
    if code == 127:
        return 'exit status 127: its command was not found'
    if code == 126:
        return 'exit status 126: its command could not be executed'
    if code > 128:
        return f'exit status {code}: {_signal_name(code - 128)}'
    return f'exit status {code}'


def _signal_name(number: int) -> str:
    try:
        return f'signal {number} ({signal.Signals(number).name})'
    except ValueError:
        return 'a code of its own'


def joined(*parts: str) -> str:
    """Parts of a sentence as one; empty ones are left out."""
    return '; '.join(part for part in parts if part)


# Failures that are alike


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
        text = printed if names_an_error(printed) else reason
    for word in sorted(run.argv, key=len, reverse=True):
        option, found, value = word.partition('=')
        if word.startswith('--') and found and value:
            text = text.replace(word, f'{option}=…')
    return _NUMBER.sub('#', _RANDOM_NAME.sub('#', text.replace(run.name, '<run>')))


_RANDOM_NAME = re.compile(
    r'0x[0-9a-fA-F]+|\btmp[a-z0-9_]{6,}'
    r'|(?<![0-9A-Za-z])(?=[a-fA-F-]*\d)[0-9a-fA-F]{6,}(?:-[0-9a-fA-F]{4,})*(?![0-9A-Za-z])'
)
"""Addresses, the names of temporary files, and hashes."""

_NUMBER = re.compile(r'(?:(?<![\w)\]])-)?\d+(?:[.,:]\d+)*(?:e[-+]?\d+)?|\b(?:nan|inf)\b')
"""Numbers, dates and times."""


def same_failure(
    ends: Sequence[tuple[str | None, Collection[str]]], limit: int, indispensable: Collection[str] = ()
) -> str | None:
    """The failure signature that the first ended attempts share.

    That of one place alone says nothing about the runs: then those that follow count, too, until one is in another.

    Args:
        ends: Per ended attempt, in order, its failure signature (None: it did not fail) and the places that may be to
            blame (empty: they are not known, or there is only this machine).
        limit: How many; 0: never.
        indispensable: Places that are not to blame, or that no run can do without.

    Returns:
        Empty: they did not all fail alike. None: that is not certain yet.
    """
    alike = ends[0][0] if ends else None
    if limit <= 0 or (ends and (alike is None or any(failure != alike for failure, _ in ends))):
        return ''
    common = set.intersection(*(set(places) for _, places in ends)) if ends else set()
    return None if len(ends) < limit or common.difference(indispensable) else alike
