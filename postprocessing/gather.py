"""Gathers the runs of a search folder of ours: from its plan, its journals, and what is left on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hpsearch.host.kernel import Host, host_of, this_host
from hpsearch.host.processes import marked_processes
from hpsearch.model.configuration import Configuration
from hpsearch.model.evidence import HostRelation
from hpsearch.model.run import Run, Summary
from hpsearch.model.states import ENDED, Attempt, RunHistory, State
from hpsearch.store.attempt_files import duration, marks
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import open_journals
from hpsearch.store.reconcile import cause_of, read_traces
from hpsearch.store.summary import read_summary
from hpsearch.store.writers import relation

from .evidence import Finding, Traces, find, find_without_journal
from .gathered import Gathered, find_output

AsksProcess = Callable[[Attempt], bool | None]
"""Tells whether something of an attempt still runs; None: it cannot be told from here."""

_ENDED_ITSELF = frozenset((State.FINISHED, State.FAILED, State.STOPPED))


def gather(folder: SearchFolder, configuration: Configuration) -> list[Gathered]:
    """Gathers every run of the plan that is wanted (an extension may have withdrawn some).

    Args:
        folder: The search.
        configuration: How summaries are read.

    Raises:
        SearchFolderError: The plan is missing or damaged.
        JournalError: A journal cannot be read.
    """
    state, reader = open_journals(folder)
    asks = process_asker(folder, reader.headers, this_host())
    withdrawn = frozenset(folder.read_info().get('withdrawn', ()))
    wanted = (run for run in folder.read_runs() if run.name not in withdrawn)
    return [_gather_run(folder, configuration, run, state.runs.get(run.name), asks) for run in wanted]


def process_asker(folder: SearchFolder, headers: Mapping[str, Mapping[str, Any]], ours: Host) -> AsksProcess:
    """Asks this machine for processes with the marks of an attempt, where its writer was on this machine.

    Args:
        folder: The search.
        headers: Writer to the header of its journal.
        ours: This host.
    """

    def asks(attempt: Attempt) -> bool | None:
        where = relation(host_of(headers.get(attempt.owner, {})), ours)
        if where is HostRelation.REBOOTED:
            return False
        return (
            bool(marked_processes(marks(folder, attempt.run, attempt.number))) if where is HostRelation.SAME else None
        )

    return asks


def _gather_run(
    folder: SearchFolder, configuration: Configuration, run: Run, history: RunHistory | None, asks: AsksProcess
) -> Gathered:
    output = find_output(folder.path, run.name)
    attempt = history.deciding if history else None
    # Before the summary, which is written before the run ends.
    traces = _traces(folder, attempt, asks) if attempt and attempt.state not in ENDED else Traces()
    summary = _summary(output, configuration, run, attempt)
    finding = _find(configuration, attempt, traces, output, summary)
    return Gathered(
        run=run,
        output=output,
        state=finding.state,
        reason=finding.reason,
        summary=summary,
        seconds=_seconds(folder, attempt, traces),
        is_open=finding.is_open,
        was_started=finding.state in _ENDED_ITSELF or output.is_dir() or _was_started(folder, history),
    )


def _seconds(folder: SearchFolder, attempt: Attempt | None, traces: Traces) -> float | None:
    if attempt is None or attempt.seconds is not None or traces.code is None:
        return attempt.seconds if attempt else None
    return duration(folder.attempt(attempt.run, attempt.number))


def _summary(output: Path, configuration: Configuration, run: Run, attempt: Attempt | None) -> Summary:
    """Prefers what is on disk, since a corrected parser may read more than the one the search had."""
    if output.is_dir():
        summary = read_summary(output, configuration, run.number)
        if summary.found:
            return summary
    kept = dict(attempt.summary) if attempt else {}
    return Summary(kept, problem='read from the journal', found=bool(kept))


def _find(
    configuration: Configuration, attempt: Attempt | None, traces: Traces, output: Path, summary: Summary
) -> Finding:
    if attempt is None:
        return find_without_journal(output.is_dir(), summary)
    wants_summary = configuration.summary_filename is not None
    return find(attempt, traces, summary, wants_summary, resumable=configuration.resumable)


def _traces(folder: SearchFolder, attempt: Attempt, asks: AsksProcess) -> Traces:
    paths = folder.attempt(attempt.run, attempt.number)
    was_started = Path(paths.started).exists()
    if not attempt.is_in_queue:
        # The process is looked for before the record: it writes the record before it ends.
        is_alive = asks(attempt) if was_started else None
        return Traces(read_traces(paths, queued=False).code, was_started, is_alive)
    left = read_traces(paths, queued=True)
    cause, detail = cause_of(left)
    return Traces(left.code, left.is_started, is_queued=True, is_over=left.has_ended, cause=cause, detail=detail)


def _was_started(folder: SearchFolder, history: RunHistory | None) -> bool:
    attempts = history.attempts if history else []
    return any(Path(folder.attempt(attempt.run, attempt.number).started).exists() for attempt in attempts)
