"""Gathers the runs of a search folder of ours: from its plan, its journals, and what is left on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hpsearch.attempt import exit_code
from hpsearch.folder import SearchFolder
from hpsearch.journal import read_state
from hpsearch.process import boot_id, group_is_alive, is_alive, pid_namespace
from hpsearch.records import Configuration, Run, Summary
from hpsearch.states import ENDED, Attempt, RunHistory, State
from hpsearch.summary import read_summary

from .evidence import Finding, Traces, find, find_without_journal, is_here
from .gathered import Gathered, find_output

AsksProcess = Callable[[Any], bool | None]
"""Tells of a handle in the journal whether that process still runs; None: it cannot be told from here."""

_ENDED_ITSELF = frozenset((State.FINISHED, State.FAILED, State.STOPPED))


def gather(folder: SearchFolder, configuration: Configuration, asks: AsksProcess) -> list[Gathered]:
    """Gathers every run of the plan.

    Args:
        folder: The search.
        configuration: How summaries are read.
        asks: Tells whether a process still runs.

    Raises:
        SearchFolderError: The plan is missing or damaged.
        JournalError: A journal cannot be read.
    """
    state = read_state(folder)
    return [_gather_run(folder, configuration, run, state.runs.get(run.name), asks) for run in folder.read_runs()]


def process_runs(handle: Any) -> bool | None:
    """Asks this machine whether the process of a handle still runs, or anything else in its process group."""
    here: Mapping[str, str] = {'boot': boot_id(), 'namespace': pid_namespace()}
    if not is_here(handle, here):
        return None
    pid, ticks = int(handle.get('pid', 0)), str(handle.get('ticks', ''))
    return is_alive(pid, ticks) or group_is_alive(pid)


def _gather_run(
    folder: SearchFolder, configuration: Configuration, run: Run, history: RunHistory | None, asks: AsksProcess
) -> Gathered:
    output = find_output(folder.path, run.name)
    attempt = history.deciding if history else None
    summary = _summary(output, configuration, run, attempt)
    finding = _find(folder, configuration, attempt, output, summary, asks)
    return Gathered(
        run=run,
        output=output,
        state=finding.state,
        reason=finding.reason,
        summary=summary,
        seconds=attempt.seconds if attempt else None,
        is_open=finding.is_open,
        was_started=finding.state in _ENDED_ITSELF or output.is_dir() or _was_started(folder, history),
    )


def _summary(output: Path, configuration: Configuration, run: Run, attempt: Attempt | None) -> Summary:
    """Prefers what is on disk, since a corrected parser may read more than the one the search had."""
    if output.is_dir():
        summary = read_summary(output, configuration, run.number)
        if summary.found:
            return summary
    kept = dict(attempt.summary) if attempt else {}
    return Summary(kept, problem='read from the journal', found=bool(kept))


def _find(
    folder: SearchFolder,
    configuration: Configuration,
    attempt: Attempt | None,
    output: Path,
    summary: Summary,
    asks: AsksProcess,
) -> Finding:
    if attempt is None:
        return find_without_journal(output.is_dir(), summary)
    traces = Traces() if attempt.state in ENDED else _traces(folder, attempt, asks)
    return find(attempt, traces, summary, wants_summary=configuration.summary_filename is not None)


def _traces(folder: SearchFolder, attempt: Attempt, asks: AsksProcess) -> Traces:
    paths = folder.attempt(attempt.run, attempt.number)
    was_started = Path(paths.started).exists()
    return Traces(exit_code(paths), was_started, asks(attempt.handle) if was_started else None)


def _was_started(folder: SearchFolder, history: RunHistory | None) -> bool:
    attempts = history.attempts if history else []
    return any(Path(folder.attempt(attempt.run, attempt.number).started).exists() for attempt in attempts)
