"""From the folder of a search to its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hpsearch.config.inline.objective import objectives_of_search
from hpsearch.model.control.requests import CANCELLED_ON_REQUEST, PAUSED
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.run import Run
from hpsearch.model.states import ACTIVE, ENDED, State
from hpsearch.model.usage.in_use import run_use_from
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured
from hpsearch.records.failures import failure_groups
from hpsearch.records.opening import OpenedSearch, open_search
from hpsearch.records.run import AttemptRecord, RunRecord
from hpsearch.records.search import SearchRecord
from hpsearch.store.attempt_files import Fence, changed_at
from hpsearch.store.folder import SearchFolder

MOST_GROUPS = 50
"""Groups of failures, the largest ones: the logs of one run of each are looked at."""


def read_search(folder: SearchFolder, now: float, *, with_failures: bool = False) -> SearchRecord:
    """The record of a search, which is only read.

    The queue is not asked: an attempt that is a job is as the journals and its files have it.

    Args:
        folder: The search.
        now: Seconds since 1970.
        with_failures: Whether it has failed runs grouped, for which logs are read.

    Raises:
        HpsearchError: It is no search, or cannot be read.
    """
    return search_record_of(open_search(folder, now, with_runs=True), with_failures=with_failures)


def search_record_of(search: OpenedSearch, *, only: str = '', with_failures: bool = False) -> SearchRecord:
    """The record of a search that was opened; its state takes in what became of runs that no writer looks after.

    Args:
        search: The search.
        only: The run that it has; empty: all.
        with_failures: Whether it has failed runs grouped, for which logs are read.

    Raises:
        HpsearchError: Its plan cannot be read.
    """
    folder, notes = search.folder, reconciled(search)
    runs = list(filter(None, [record_of(search, only)] if only else runs_of(search)))
    odd = [*search.reader.odd, *search.state.odd]
    failures = failure_groups(folder, search.state, search.plain, most=MOST_GROUPS) if with_failures else ()
    return SearchRecord(
        path=str(folder.path),
        info=search.info,
        configuration=search.plain,
        objectives=objectives_of_search(search.info.get('options', {}), search.plain),
        runs=runs,
        total=None if folder.is_adaptive else folder.count_runs() - len(search.state.withdrawn),
        now=search.now,
        writers={writer: header for writer, header in search.reader.headers.items() if not header.get('asks')},
        alive=frozenset(search.living),
        provenance=search.state.provenance,
        failures=failures,
        notes=[*notes, *odd],
    )


def reconciled(search: OpenedSearch) -> list[str]:
    """Take in what became of the attempts that no writer manages; returns what could not be read, in sentences."""
    reconciler = search.reconciler()
    notes = reconciler.take_in_unattended()
    notes += reconciler.take_in((attempt for attempt in reconciler.unclear if attempt.state in ACTIVE), {})
    return [*notes, *reconciler.take_in_late_records()]


def runs_of(search: OpenedSearch) -> Iterator[RunRecord]:
    """The records of the runs of a search, in the order of its plan, those that were withdrawn aside.

    Raises:
        HpsearchError: The plan cannot be read.
    """
    waiting = _why_waiting(search)
    for run in search.runs():
        yield _run_record(search, run, search.state.runs.get(run.name), waiting)


def record_of(search: OpenedSearch, name: str) -> RunRecord | None:
    """The record of one run; None: there is no such run.

    Raises:
        HpsearchError: The plan cannot be read.
    """
    run = search.folder.find_run(name)
    return _run_record(search, run, search.state.runs.get(name), _why_waiting(search)) if run else None


def _why_waiting(search: OpenedSearch) -> str:
    told = (str(news.get('waiting', '')) for news in search.living.values())
    if search.state.admission.is_paused:
        return PAUSED
    if search.living:
        return '; '.join(dict.fromkeys(filter(None, told)))
    return 'no hpsearch works on the search'


def _run_record(search: OpenedSearch, run: Run, history: RunHistory | None, waiting: str) -> RunRecord:
    suggestion = search.state.suggestions.get(run.name)
    shown = history.shown if history else None
    state = history.state if history else State.PLANNED
    return RunRecord(
        run=run,
        state=state,
        output=f'{search.folder.path}/{run.name}',
        attempts=[_attempt_record(search, each) for each in history.attempts] if history else (),
        summary=dict(shown.summary) if shown and shown.summary else None,
        curve=search.state.curves.of(run.name),
        proposal=suggestion.proposal if suggestion else None,
        waiting=_why_unstarted(history, state, waiting),
        request=_request_of(history),
    )


def _why_unstarted(history: RunHistory | None, state: State, waiting: str) -> str:
    if history is not None and history.is_cancelled and not history.by_number:
        return CANCELLED_ON_REQUEST
    return waiting if state is State.PLANNED else ''


def _request_of(history: RunHistory | None) -> str:
    if history is None or history.state is State.FINISHED:
        return ''
    return 'cancel' if history.is_cancelled else 'rerun' * history.is_asked_for


def _attempt_record(search: OpenedSearch, attempt: Attempt) -> AttemptRecord:
    header = search.reader.headers.get(attempt.owner, {})
    fence = search.fence(attempt)
    began = _fence_at(search, attempt)
    started = None if fence.is_closed else began
    ended = began + attempt.seconds if began is not None and attempt.seconds is not None else None
    has_ended = attempt.state in ENDED
    return AttemptRecord(
        run=attempt.run,
        number=attempt.number,
        state=attempt.state,
        reason=attempt.reason,
        cause=attempt.cause,
        code=attempt.code,
        claimed_at=attempt.claimed_at,
        started_at=started,
        ended_at=ended if has_ended else None,
        seconds=attempt.seconds if has_ended else _so_far(search, attempt, started),
        host=attempt.node or fence.host or ('' if attempt.is_in_queue else str(header.get('host', ''))),
        gpus=attempt.gpus,
        queue=attempt.handle['queue'] if attempt.is_in_queue else '',
        job=_job_of(attempt, fence, header),
        measured=_measured(search, attempt),
        estimate=attempt.estimate,
        memory=attempt.memory,
        failure=attempt.failure,
        code_id=attempt.code_text,
        writer=attempt.owner,
    )


def _fence_at(search: OpenedSearch, attempt: Attempt) -> float | None:
    """When a script began, or its fence was closed: a job waits in its queue first, and its fence has the time."""
    if attempt.state in (State.PLANNED, State.CLAIMED, State.SUBMITTED):
        return None
    if not attempt.is_in_queue:
        return attempt.claimed_at
    try:
        return changed_at(search.folder.attempt(attempt.run, attempt.number).started)
    except OSError:
        return None


def _so_far(search: OpenedSearch, attempt: Attempt, started: float | None) -> float | None:
    is_running = attempt.state is State.RUNNING and started is not None
    return max(0.0, round(search.now - started, 3)) if is_running and started is not None else None


def _job_of(attempt: Attempt, fence: Fence, header: Mapping[str, Any]) -> str:
    job = header.get('job')
    of_writer = str(job.get('id', '')) if isinstance(job, dict) else ''
    return (fence.job if fence.job != '-' else '') or of_writer


def _measured(search: OpenedSearch, attempt: Attempt) -> Measured:
    """What it was measured to use, or uses now."""
    if attempt.state in ENDED or attempt.measured != NOTHING_MEASURED:
        return attempt.measured
    return run_use_from(search.uses.get(attempt.run)).measured
