"""What became of a run whose journal may have ended before the run did. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hpsearch.model.run import Summary
from hpsearch.model.states import ENDED, Attempt, State
from hpsearch.model.verdict import judge


@dataclass(frozen=True, slots=True)
class Traces:
    """What is left of an attempt outside the journals.

    Attributes:
        code: Raw exit status of its exit record, or None when there is no whole record.
        was_started: Whether it passed the start fence.
        is_alive: Whether its process still runs; None when that cannot be told from here.
        is_queued: Whether it is a job in a queue, which is not asked here.
        is_over: Whether it surely runs no more, though it left no exit record.
        cause: What ended it from outside, in one word, or empty.
        detail: The same in words, as far as the word does not say it.
    """

    code: int | None = None
    was_started: bool = False
    is_alive: bool | None = None
    is_queued: bool = False
    is_over: bool = False
    cause: str = ''
    detail: str = ''


@dataclass(frozen=True, slots=True)
class Finding:
    """State and reason of a run, and whether it may still be running."""

    state: State
    reason: str = ''
    is_open: bool = False


def find(
    attempt: Attempt, traces: Traces, summary: Summary, wants_summary: bool, *, resumable: bool = False
) -> Finding:
    """Settles the state of a run from its deciding attempt.

    Args:
        attempt: What the journals say.
        traces: What else there is of it.
        summary: What its output folder holds now.
        wants_summary: Whether the configuration names a summary file, so that it decides about success.
        resumable: Whether the script goes on where it stopped, so that a time limit only interrupts it.
    """
    if attempt.state in ENDED:
        return _find_ended(attempt, bool(summary.finished) and wants_summary)
    if traces.code is not None or traces.is_over:
        why = '; '.join(filter(None, (traces.detail, 'the end of the run is not in the journal')))
        return _judged(replace(traces, detail=why), summary, wants_summary, resumable)
    if not traces.was_started:
        where = 'it waits in the queue' if traces.is_queued else 'it was taken but there is no sign of its start'
        return Finding(attempt.state, where, is_open=True)
    if traces.is_alive:
        return Finding(State.RUNNING, 'it still runs', is_open=True)
    if traces.is_alive is None:
        return _find_out_of_sight(summary, wants_summary, traces.is_queued)
    return _judged(replace(traces, detail='its process is gone'), summary, wants_summary, resumable)


def find_without_journal(has_output: bool, summary: Summary) -> Finding:
    """Settles the state of a run that no journal tells of."""
    if not has_output:
        return Finding(State.PLANNED, 'it was never started')
    if summary.finished:
        return Finding(State.FINISHED, summary.problem)
    why = 'its summary says finished 0' if summary.finished is False else 'its summary does not say finished'
    return Finding(State.UNKNOWN, '; '.join(filter(None, (why, summary.problem))), is_open=True)


def _find_ended(attempt: Attempt, says_finished: bool) -> Finding:
    if says_finished and attempt.state is not State.FINISHED:
        return Finding(State.FINISHED, f'its summary says so; the journal says {attempt.state}: {attempt.reason}')
    return Finding(attempt.state, attempt.reason)


def _find_out_of_sight(summary: Summary, wants_summary: bool, is_queued: bool) -> Finding:
    if summary.finished and wants_summary:
        return Finding(State.FINISHED, 'its summary says so, there is no exit record', is_open=True)
    if is_queued:
        return Finding(State.RUNNING, 'its job began and left no exit record yet', is_open=True)
    return Finding(State.UNKNOWN, 'there is no exit record, and its host cannot be asked from here', is_open=True)


def _judged(traces: Traces, summary: Summary, wants_summary: bool, resumable: bool) -> Finding:
    verdict = judge(traces.code, traces.cause, traces.detail, summary, wants_summary=wants_summary, resumable=resumable)
    return Finding(verdict.state, verdict.reason)
