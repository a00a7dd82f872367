"""Gathers the runs of a search folder of ours: from its plan, its journals, and what is left on disk."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from hpsearch.model.configuration import Configuration
from hpsearch.model.control.requests import CANCELLED_ON_REQUEST
from hpsearch.model.errors import trouble_in_words
from hpsearch.model.evidence import Conclusion, JobState
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.run import Run, Summary
from hpsearch.model.states import ENDED, State
from hpsearch.model.usage.measured import NOTHING_MEASURED
from hpsearch.store.completion import CompletionReader
from hpsearch.store.folder import SearchFolder
from hpsearch.store.journal import open_journals
from hpsearch.store.reconcile import Reconciler
from hpsearch.store.writers import poll_once

from .gathered import Gathered, find_output, gather_without_journal, summary_on_disk

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
    lives = poll_once(folder, reader.headers, reader.closed, time.time())
    completions = CompletionReader(folder, configuration, lambda name: find_output(folder.path, name))
    reconciler = Reconciler(folder, state, reader.headers, lives, lambda: completions)
    reconciler.take_in_unattended({})
    reconciler.take_in_late_records()
    withdrawn = frozenset(folder.read_info().get('withdrawn', ()))
    wanted = (run for run in folder.read_runs() if run.name not in withdrawn)
    read = _Reading(folder, configuration, completions, reconciler)
    return [_gather_run(read, run, state.runs.get(run.name)) for run in wanted]


@dataclass(frozen=True)
class _Reading:
    """What reads a search."""

    folder: SearchFolder
    configuration: Configuration
    completions: CompletionReader
    reconciler: Reconciler

    def output(self, run: Run, history: RunHistory | None, attempt: Attempt | None) -> Path:
        """Where the output of a run is: that of the attempt which decides."""
        if history is None or attempt is None:
            return find_output(self.folder.path, run.name)
        return self.completions.output(run, attempt.number, history.attempts)

    def summary(self, run: Run, history: RunHistory | None, attempt: Attempt | None, output: Path) -> Summary:
        """Prefers what is on disk, since a corrected parser may read more than the one the search had."""
        if history is None or attempt is None:
            return summary_on_disk(output, self.configuration, run.number) if output.is_dir() else Summary()
        if output.is_dir() or self.configuration.results:
            try:
                summary = self.completions.summary(run, attempt.number, history.attempts, attempt.code)
            except OSError as error:
                summary = Summary(problem=trouble_in_words(error))
            if summary.found and attempt.state is State.STOPPED:
                return replace(summary, values={**attempt.summary, **summary.values})  # with what it reported last
            if summary.found:
                return summary
        return Summary(dict(attempt.summary), problem='read from the journal', found=bool(attempt.summary))


def _gather_run(read: _Reading, run: Run, history: RunHistory | None) -> Gathered:
    configuration = read.configuration
    attempt = history.deciding if history else None
    output = read.output(run, history, attempt)
    summary = read.summary(run, history, attempt, output)
    if attempt is None:
        return _without_attempt(gather_without_journal(run, output, summary), history)
    found = read.reconciler.conclusions.get((attempt.run, attempt.number))
    state, reason = _settled(attempt, found, summary, wants_summary=configuration.wants_result)
    return Gathered(
        run=run,
        output=output,
        state=state,
        reason=reason,
        result=summary,
        seconds=attempt.seconds,
        is_open=found.is_open if found else attempt.state not in ENDED,
        was_started=state in _ENDED_ITSELF or output.is_dir() or _was_started(read.folder, history),
        code=history.code_text if history else '',
        measured=history.measured if history else NOTHING_MEASURED,
    )


def _without_attempt(found: Gathered, history: RunHistory | None) -> Gathered:
    """A run of which there is no attempt: it may have been cancelled before it was started."""
    if history is None or found.state is not State.PLANNED or history.state is State.PLANNED:
        return found
    return replace(found, state=history.state, reason=CANCELLED_ON_REQUEST)


def _settled(attempt: Attempt, found: Conclusion | None, summary: Summary, *, wants_summary: bool) -> tuple[State, str]:
    """State and reason: as the search has them, unless it took a summary for unfinished that is finished.

    Args:
        attempt: The attempt that decides, reconciled.
        found: What became of it; None: its end is in the journal, or hpsearch is at work on it.
        summary: What is on disk.
        wants_summary: Whether the configuration names a summary file, so that it decides about success.
    """
    if attempt.state not in ENDED:
        return attempt.state, found.detail if found else 'hpsearch is at work on it'
    if found and found.state is JobState.ENDED and attempt.state is not State.LOST:
        return attempt.state, '; '.join(filter(None, (attempt.reason, 'the end of the run is not in the journal')))
    code = attempt.code if attempt.cause == 'exit' else None
    if wants_summary and summary.is_success(code) and attempt.state is not State.FINISHED:
        return State.FINISHED, f'its summary says so; the journal says {attempt.state}: {attempt.reason}'
    return attempt.state, attempt.reason


def _was_started(folder: SearchFolder, history: RunHistory | None) -> bool:
    attempts = history.attempts if history else []
    return any(Path(folder.attempt(attempt.run, attempt.number).started).exists() for attempt in attempts)
