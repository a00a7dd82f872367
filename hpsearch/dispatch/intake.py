"""Ends of attempts are taken in.

Each becomes an event in the journal, a row in the table, and another attempt where the policy says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hpsearch.backends.base import AttemptStatus
from hpsearch.dispatch.adaptive.checkpoints import drop_copy
from hpsearch.dispatch.context import ActiveAttempt, EventRecorder, SearchContext
from hpsearch.dispatch.progress import Progress
from hpsearch.host.kernel import kernel_oom_kills
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.run import Run
from hpsearch.model.states import ACTIVE, ENDED, NEVER_STARTED, TIMEOUT, State
from hpsearch.model.table import Row, performance_text
from hpsearch.model.units import count_of
from hpsearch.store.attempt_files import has_unshown_logs, is_there, read_fence
from hpsearch.store.completion import (
    BY_ITS_SUMMARY,
    Completion,
    CompletionReader,
    EndReport,
    lacks_results,
    may_have_late_record,
    says_more,
    with_last_metrics,
)
from hpsearch.store.folder import AttemptPaths, SearchFolder

if TYPE_CHECKING:
    from hpsearch.dispatch.adaptive.metrics import Metrics

log = logging.getLogger('hpsearch')


class Intake:
    """Takes in how attempts ended.

    Args:
        metrics: Journals what they have reported; None: nobody wants to know.
    """

    def __init__(self, search: SearchContext, progress: Progress, metrics: Metrics | None = None) -> None:
        self._search = search
        self._metrics = metrics
        self._results = search.results
        self._progress = progress
        self._reader = CompletionReader(search.folder, search.configuration)
        self._without_row: list[Completion] = []
        self._has_loaded = False

    # Attempts of this process

    def end(self, active: ActiveAttempt, status: AttemptStatus, now: float) -> Completion:
        """Take in the end of an attempt.

        Args:
            active: The attempt.
            status: What its backend knows of its end.
            now: Monotonic seconds.

        Raises:
            OSError: What it left cannot be read now; nothing has happened yet.
        """
        return self._take_in(active, status.cause, self._report(active, status, now))

    def end_if_finished(self, active: ActiveAttempt) -> Completion | None:
        """Take in that an attempt has finished, if its summary says so: there is no other evidence of its end.

        Raises:
            OSError: What it left cannot be read now; nothing has happened yet.
        """
        run, report = active.launch.run, EndReport(detail=BY_ITS_SUMMARY)
        completion = self._reader.judge(run, active.launch.number, self._attempts_of(run), report)
        return self._take_in(active, '', report) if completion.state is State.FINISHED else None

    def lose(self, active: ActiveAttempt, why: str, now: float) -> Completion:
        """Take in the end of an attempt of which nothing can be read for too long; ``why``: in words."""
        seconds = round(now - active.since, 3)
        return self._take_in(active, '', EndReport(detail=why, seconds=seconds, has_begun=False))

    def _take_in(self, active: ActiveAttempt, cause: str, report: EndReport) -> Completion:
        run, number = active.launch.run, active.launch.number
        completion = self._reader.judge(run, number, self._attempts_of(run), report)
        if self._metrics is not None and report.has_begun:
            self._metrics.finish(run.name, number, is_success=completion.state is State.FINISHED)
        completion = with_last_metrics(completion, self._search.state.curves.of(run.name))
        if completion.verdict.state is not State.FINISHED and report.has_begun:
            # Before another writer can read of this end and start the run again, which must not find a folder of ours.
            self._reader.show_logs(run, completion)
        self._search.recorder.record('ended', run.name, number, **completion.facts())
        suggestion = self._search.state.suggestions.get(run.name)
        if completion.verdict.state is State.FINISHED and suggestion is not None and suggestion.proposal.parent:
            drop_copy(self._search.folder, run.name)
        self._progress.ended(report.seconds or 0.0)
        if cause not in NEVER_STARTED or completion.state in (State.FINISHED, State.FAILED):
            self._without_row.append(completion)
        self._search.pending.plan_again(run)
        return completion

    def _report(self, active: ActiveAttempt, status: AttemptStatus, now: float) -> EndReport:
        """What we and the backend know of an end."""
        launch = active.launch
        seconds = round(now - active.since if status.seconds is None else status.seconds, 3)
        # Another job is no longer than this one: being ended with it is the run's own time limit.
        job_time, is_with_it = self._search.options.job_time, active.stop_reason == self._search.options.stop_reason
        is_timeout = job_time is not None and is_with_it and job_time.was_whole(seconds, now)
        return EndReport(
            code=status.code,
            cause=TIMEOUT if is_timeout else status.cause,
            detail=status.detail,
            seconds=seconds,
            has_begun=self._has_begun(self._search.folder.attempt(launch.run.name, launch.number), status.cause),
            stop_reason='' if is_timeout else active.stop_reason,
            stop_cause=active.stop_cause,
            oom_kills=self._oom_kills(active, status),
            room=lambda: status.room,
            peak_memory=status.peak_memory,
            measured=status.measured,
            node=status.node or self._node_of(active),
        )

    def _has_begun(self, paths: AttemptPaths, cause: str) -> bool:
        """Whether a script may have left something.

        Of an attempt whose fence was lost with the power, a log and a summary may be left. Empty logs may be gone.
        """
        if cause in NEVER_STARTED and cause != 'abandoned':
            return False
        return is_there(paths.stderr) or (cause != 'abandoned' and read_fence(paths).is_passed)

    def _node_of(self, active: ActiveAttempt) -> str:
        attempt = active.journaled(self._search.state)
        return attempt.node if attempt else ''

    def _oom_kills(self, active: ActiveAttempt, status: AttemptStatus) -> tuple[int | None, int | None]:
        """The kernel's counts before and after an attempt; no first one where it may have been on another host."""
        attempt = active.journaled(self._search.state)
        is_here = attempt is not None and attempt.owner == self._search.writer and not active.in_queue
        return (attempt.oom_kills or 0) if attempt and is_here else None, kernel_oom_kills() if status.code else None

    def _attempts_of(self, run: Run) -> Sequence[Attempt]:
        history = self._search.state.runs.get(run.name)
        return history.attempts if history else ()

    # Attempts that were given up without a record

    def has_late_record(self, run: Run) -> bool:
        """Take in records of attempts of a run that were given up without one; returns whether any has come.

        Raises:
            OSError: A record is there but cannot be read.
        """
        history = self._search.state.runs.get(run.name)
        if history is None or not may_have_late_record(history):
            return False
        completions = _record_late_ends(self._reader, self._search.recorder, run)
        self._without_row += completions
        if completions:
            self._search.pending.plan_again(run)
        return bool(completions)

    def take_late_records(self) -> None:
        """The same for all runs that are not run again; a warning is logged of what cannot be read."""
        _for_each(self._search.folder, self._search.pending.given_up, self.has_late_record)

    # Attempts of other writers

    def hear_end(self, name: str) -> None:
        """Another writer reported the end of an attempt of this run, or a user asked something of it.

        Raises:
            OSError: The plan cannot be read now; nothing has happened yet.
        """
        run = self._search.folder.find_run(name)
        attempt = self._search.state.runs[name].deciding
        if run is None:
            return
        if attempt is not None and attempt.state not in ACTIVE:
            self._put(self._reader.row(run, attempt, self._attempts_of(run)))
        self._search.pending.plan_again(run)

    # The table

    def write_rows(self) -> None:
        """Put the rows of attempts that ended into the table: this can wait until the slots are filled."""
        for completion in self._without_row:
            verdict = completion.verdict
            if verdict.state is State.FINISHED:
                self._reader.show_logs(completion.run, completion)
            row = self._reader.row(completion.run, completion, self._attempts_of(completion.run))
            self._log_end(completion, row)
            if self._decides(completion):
                self._put(row)
        self._without_row.clear()

    def _decides(self, completion: Completion) -> bool:
        """Whether a run is shown by this attempt: not by one that ended after an earlier one had finished."""
        deciding = self._search.state.runs[completion.run.name].deciding
        return deciding is None or deciding.state is not State.FINISHED or deciding.number == completion.number

    def load_earlier(self) -> None:
        """Put the rows of runs that ended before this process began into the table, once, and their logs in place."""
        if self._has_loaded:
            return
        for run in self._search.folder.read_runs() if self._search.state.runs else ():
            history = self._search.state.runs.get(run.name)
            ended = history.deciding if history else None
            if ended is None or ended.state in ACTIVE or self._results.has(run.name):
                continue
            self._put(self._reader.row(run, ended, self._attempts_of(run)))
            if has_unshown_logs(self._search.folder, run.name, ended.number):
                self._reader.show_logs(run, ended)
        self._has_loaded = True

    def _put(self, row: Row) -> None:
        if row.name in self._search.state.withdrawn:
            self._results.drop(row.name)
            return
        self._results.put(row)
        self._progress.result(row)

    def _log_end(self, completion: Completion, row: Row) -> None:
        verdict = completion.verdict
        if verdict.state is State.FINISHED:
            performance = performance_text(row, self._results.key)
            shown = f', {self._results.key} {performance}' if performance else ''
            time = '' if row.seconds is None else f' in {row.seconds:.1f} s'
            log.info('%s finished%s%s%s', row.name, time, shown, _in_brackets(verdict.reason))
        else:
            level = logging.INFO if verdict.state is State.STOPPED else logging.WARNING
            log.log(level, '%s %s: %s', row.name, verdict.state, verdict.reason)


def take_late_records(reader: CompletionReader, recorder: EventRecorder, folder: SearchFolder) -> None:
    """Take in the records of attempts that earlier writers gave up without one.

    A warning is logged about what cannot be read.

    Args:
        reader: Finds out how they ended.
        recorder: Records it.
        folder: The search.
    """

    def take(run: Run) -> None:
        for each in _record_late_ends(reader, recorder, run):
            log.info('%s: attempt %d has %s after all: %s', run.name, each.number, each.state, each.reason)

    _for_each(folder, [name for name, history in recorder.state.runs.items() if may_have_late_record(history)], take)


def read_results_again(reader: CompletionReader, recorder: EventRecorder, folder: SearchFolder) -> None:
    """Take in what the summaries of ended runs say now; what came of it is logged.

    Arguments as those of :func:`take_late_records`.
    """
    read: list[tuple[Completion, Attempt]] = []

    def take(run: Run) -> None:
        history = recorder.state.runs[run.name]
        for found in reader.read_again(run, history):
            completion = with_last_metrics(found, recorder.state.curves.of(run.name))
            attempt = history.by_number[completion.number]
            read.append((completion, replace(attempt)))
            if says_more(completion, attempt):
                recorder.record('ended', run.name, completion.number, **completion.facts(), reading=attempt.reading + 1)

    _for_each(folder, [history.name for history in recorder.state.wanted if history.state in ENDED], take)
    _log_readings(read)


def _log_readings(read: Sequence[tuple[Completion, Attempt]]) -> None:
    new = [(completion, attempt) for completion, attempt in read if says_more(completion, attempt)]
    finished = [completion for completion, attempt in new if completion.state is not attempt.state]
    failed = [completion for completion, attempt in read if lacks_results(attempt) and completion not in finished]
    runs = count_of(len(finished), 'run has finished, by its', 'runs have finished, by their')
    log.info('%s results as they are read now', runs)
    if len(new) > len(finished):
        log.info('the results of %s are read differently now', count_of(len(new) - len(finished), 'other run'))
    if failed:
        still = count_of(len(failed), 'run has', 'runs have')
        log.warning('%s still failed, for example %s: %s', still, failed[0].run.name, failed[0].reason)


def _record_late_ends(reader: CompletionReader, recorder: EventRecorder, run: Run) -> list[Completion]:
    history = recorder.state.runs.get(run.name)
    completions = list(reader.late_ends(run, recorder.state)) if history else []
    for completion in completions:
        recorder.record('ended', run.name, completion.number, **completion.facts())
    return completions


def _for_each(folder: SearchFolder, names: Collection[str], take: Callable[[Run], object]) -> None:
    for name in sorted(names):
        try:
            run = folder.find_run(name)
            if run is not None:
                take(run)
        except OSError as error:
            log.warning('%s: what it left cannot be read: %s (%s)', name, error.strerror, error.filename)


def _in_brackets(text: str) -> str:
    return f' ({text})' if text else ''
