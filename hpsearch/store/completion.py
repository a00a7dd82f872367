"""How attempts ended: from what they left and what their backend or queue reports to an event of the journal."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from hpsearch.model.command import shell_line
from hpsearch.model.configuration import Configuration
from hpsearch.model.control.requests import CANCELLED_ON_REQUEST
from hpsearch.model.evidence import Conclusion, conclude
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.logs.failures import error_in_logs
from hpsearch.model.logs.out_of_memory import GPU_OOM, HOST_OOM, out_of_memory
from hpsearch.model.retries import had_most_room
from hpsearch.model.run import Run, Summary
from hpsearch.model.states import CANCELLED, NEVER_STARTED, ON_REQUEST, PRUNED, STOP, TIMEOUT, State
from hpsearch.model.table import Row, row_of
from hpsearch.model.trials.curves import Points, last_values
from hpsearch.model.usage.measured import NOTHING_MEASURED, Measured
from hpsearch.model.verdict import IN_WORDS, Verdict, failure_signature, joined, judge
from hpsearch.results.missing import found_instead
from hpsearch.results.summary import FINISHED, read_attempt_summary, read_summary, result_files, says_finished
from hpsearch.results.text import text_of
from hpsearch.store.attempt_files import (
    changed_at,
    claim_changed_at,
    duration,
    empty_logs,
    left_nothing_new,
    logs_of,
    moved_aside,
    show_logs_in_output,
    tail,
)
from hpsearch.store.evidence import read_files
from hpsearch.store.folder import SearchFolder

log = logging.getLogger('hpsearch')

BY_ITS_SUMMARY = 'its summary says so, there is no exit record'
"""Why an attempt without a record has finished."""


CLOCK_TOLERANCE = 60.0
"""Seconds by which the clocks of hosts may differ for the times of files to mean something."""


def is_from_before(written: float, claimed_at: float, claim: float | None, end: float | None) -> bool:
    """Whether a file was written before an attempt began, by the clock of its file system.

    The other times show whether that clock can be believed: it may have been set, or the folder may be a copy.

    Args:
        written: When the file was written, in seconds since 1970.
        claimed_at: When the attempt was claimed, by its journal.
        claim: When its claim was written; None: unknown.
        end: When its exit record was written; None: there is none.
    """
    if claim is None or abs(claim - claimed_at) > CLOCK_TOLERANCE or (end is not None and end < claim):
        return False
    return written < claim - CLOCK_TOLERANCE


def may_have_late_record(history: RunHistory) -> bool:
    """Whether a record that appears late may say how a run ended; a later attempt that runs is left to say it."""
    is_settled = history.state in (State.RUNNING, State.UNKNOWN, State.FINISHED)
    return not is_settled and any(map(_lacks_record, history.attempts))


def _may_have_gone_on(attempt: Attempt) -> bool:
    """Whether an attempt may have been running after its end was concluded: on a host that a user declared dead."""
    return _lacks_record(attempt) and attempt.cause == 'host_dead'


def _lacks_record(attempt: Attempt) -> bool:
    """Whether an attempt ended without a record although its script may have run, and we did not stop it."""
    is_given_up = attempt.state in (State.LOST, State.INTERRUPTED) and attempt.code is None
    return is_given_up and attempt.cause not in (*NEVER_STARTED, *ON_REQUEST)


def _attempt_of(number: int, tried: Sequence[Attempt]) -> Attempt | None:
    return next((each for each in tried if each.number == number), None)


@dataclass(frozen=True, slots=True)
class EndReport:
    """The end of an attempt as its backend, its queue or another writer reports it.

    Attributes:
        code: Raw exit status, if known.
        cause: What ended it from outside, in one word, or empty.
        detail: The same in words.
        seconds: How long it ran, if known.
        has_begun: Whether its script may have left something.
        stop_reason: Why we stopped it, or empty.
        stop_cause: The same in one word.
        oom_kills: The kernel's counts of out-of-memory kills before and after it, where known.
        room: How much room it had; called only when it ran out of memory.
        peak_memory: Its largest known use of GPU memory in MiB.
        measured: What it was measured to use.
        node: The node of a cluster it ran on; empty: none, or not known.
    """

    code: int | None = None
    cause: str = ''
    detail: str = ''
    seconds: float | None = None
    has_begun: bool = True
    stop_reason: str = ''
    stop_cause: str = STOP
    oom_kills: tuple[int | None, int | None] = (None, None)
    room: Callable[[], Mapping[str, Any]] = dict
    peak_memory: int | None = None
    measured: Measured = NOTHING_MEASURED
    node: str = ''


def _report_again(attempt: Attempt) -> EndReport:
    """What the journals keep of the report of an end."""
    return EndReport(
        code=attempt.code,
        cause=attempt.cause if attempt.cause in IN_WORDS else '',
        detail='' if attempt.state is State.FINISHED else 'its summary was read again',
        seconds=attempt.seconds,
        stop_reason=attempt.reason if attempt.cause in ON_REQUEST else '',
        stop_cause=attempt.cause if attempt.cause in ON_REQUEST else STOP,
        peak_memory=attempt.peak_memory,
        measured=attempt.measured,
        node=attempt.node,
    )


def says_more(completion: Completion, attempt: Attempt) -> bool:
    """Whether an end that was read again is to take the place of the one in the journals.

    What has finished stays so; a summary that is not there any more says nothing.
    """
    if completion.state is State.FINISHED and attempt.state is not State.FINISHED:
        return True
    is_same_end = completion.state is attempt.state and completion.verdict.cause == attempt.cause
    is_its_own = attempt.cause in ('exit', PRUNED)
    return is_same_end and is_its_own and bool(completion.summary) and completion.summary != attempt.summary


def lacks_results(attempt: Attempt) -> bool:
    """Whether an attempt has failed although its script succeeded, since its results could not be read as a whole."""
    is_success = attempt.state is State.FAILED and attempt.cause == 'exit' and attempt.code == 0
    return is_success and says_finished(attempt.summary.get(FINISHED, '')) is None


@dataclass(frozen=True, slots=True)
class Completion:
    """The end of an attempt.

    Attributes:
        run: Its run.
        number: Its number.
        verdict: How it ended.
        report: What was reported of it.
        summary: Keyword to text of its summary.
        failure: What its failure is grouped by; None: it did not fail.
        room: How much room it had, when it ran out of memory.
        left_nothing: Whether it reached a time limit without a new or changed file in its output folder.
    """

    run: Run
    number: int
    verdict: Verdict
    report: EndReport
    summary: Mapping[str, str]
    failure: str | None = None
    room: Mapping[str, Any] = field(default_factory=dict)
    left_nothing: bool = False

    @property
    def state(self) -> State:
        """The state it ended in."""
        return self.verdict.state

    @property
    def reason(self) -> str:
        """Why it is in that state, in words."""
        return self.verdict.reason

    @property
    def code(self) -> int | None:
        """Its raw exit status, if known."""
        return self.report.code

    @property
    def seconds(self) -> float | None:
        """How long it ran, if known."""
        return self.report.seconds

    def facts(self) -> dict[str, Any]:
        """What the journal keeps of it."""
        report = self.report
        extra = {
            'node': report.node,
            'peak_memory': report.peak_memory,
            'measured': report.measured.facts(),
            'failure': self.failure,
            'facts': dict(self.room),
            'left_nothing': self.left_nothing,
        }
        return {
            'state': self.verdict.state.value,
            'code': self.report.code,
            'cause': self.verdict.cause,
            'reason': self.verdict.reason,
            'summary': dict(self.summary),
            'seconds': self.report.seconds,
            **{name: fact for name, fact in extra.items() if fact},
        }


def with_last_metrics(completion: Completion, points: Points) -> Completion:
    """An end with what its run reported last, where it was stopped before it could leave a result."""
    if completion.state is not State.STOPPED:
        return completion
    last = {name: text_of(value) for name, value in last_values(points).items()}
    return replace(completion, summary={**last, **completion.summary})


def is_clean(ended: Attempt | Completion) -> bool:
    """Whether an attempt finished and left its exit status, and there is nothing else to say about it."""
    return ended.state is State.FINISHED and ended.code is not None and not ended.reason


class CompletionReader:
    """Finds out how attempts of a search ended.

    Args:
        folder: The search.
        configuration: How its results are read.
        output_of: Finds the output folder of a run; None: it is where its script made it.
    """

    def __init__(
        self, folder: SearchFolder, configuration: Configuration, output_of: Callable[[str], Path] | None = None
    ) -> None:
        self._folder = folder
        self._configuration = configuration
        self._output_of = output_of or folder.output

    def judge(self, run: Run, number: int, tried: Sequence[Attempt], report: EndReport) -> Completion:
        """Judge an attempt by what it left and what is reported of it.

        Args:
            run: Its run.
            number: Its number.
            tried: All known attempts of the run, in order.
            report: What is reported.

        Raises:
            OSError: Something of the machine keeps what it left from being read.
        """
        configuration = self._configuration
        paths = self._folder.attempt(run.name, number)
        stderr, stdout = (tail(paths.stderr), tail(paths.stdout)) if report.code else ('', '')
        summary = self.summary(run, number, tried, report.code) if report.has_begun else Summary()
        instead = self._instead(run, number, tried) if report.code == 0 and not summary.found else ''
        own = _attempt_of(number, tried)
        is_cancelled = own is not None and own.is_cancelled
        oom = out_of_memory(report.code, stderr, stdout, configuration.oom_patterns, *report.oom_kills)
        oom = HOST_OOM if report.cause == 'out_of_memory' else oom
        room = report.room() if oom else {}
        verdict = judge(
            report.code,
            report.cause,
            BY_ITS_SUMMARY if summary.finished and report.code is None else joined(report.detail, instead),
            summary,
            wants_summary=configuration.wants_result,
            pruned=own.pruned if own else '',
            has_begun=report.has_begun,
            stop_reason=CANCELLED_ON_REQUEST if is_cancelled else report.stop_reason,
            stop_cause=CANCELLED if is_cancelled else report.stop_cause,
            oom=oom,
            had_most_room=had_most_room(oom, room, [each for each in tried if each.number < number]),
            resumable=configuration.resumable,
            error=error_in_logs(stderr, stdout),
        )
        failure = None
        if verdict.state is State.FAILED:
            printed = (stderr, stdout) if verdict.cause == 'exit' else ('', '')
            # The files of a run may have names of their own, which say nothing about why it failed.
            failure = failure_signature(*printed, verdict.reason.replace(instead, ''), run)
        had_room = room if verdict.cause in (GPU_OOM, HOST_OOM) else {}
        left_nothing = self._left_nothing(run, number, tried, verdict)
        if left_nothing:
            verdict = replace(verdict, reason=f'{verdict.reason}; nothing new in its output folder')
        return Completion(run, number, verdict, report, summary.values, failure, had_room, left_nothing)

    def _left_nothing(self, run: Run, number: int, tried: Sequence[Attempt], verdict: Verdict) -> bool:
        """Whether an attempt was cut off by a time limit and left nothing that the next one could go on with."""
        is_cut_off = verdict.state is State.INTERRUPTED and verdict.cause == TIMEOUT
        own = _attempt_of(number, tried)
        claimed_at = own.claimed_at if own else None
        if not is_cut_off or claimed_at is None or self._configuration.out_arg is None:
            return False
        since = claim_changed_at(self._folder.attempt(run.name, number), claimed_at)
        return since is not None and left_nothing_new(self._folder, run.name, since)

    def summary(self, run: Run, number: int, tried: Sequence[Attempt], code: int | None) -> Summary:
        """The summary that an attempt itself wrote; arguments as those of :meth:`judge`, and its exit status if known.

        Where an earlier attempt may have been running beside it, only its own success says that it wrote the summary.
        """
        own, output = _attempt_of(number, tried), self.output(run, number, tried)
        before = own.summary_before if own else None
        paths = self._folder.attempt(run.name, number)
        found = read_attempt_summary(output, self._configuration, run.number, before, logs_of(paths))
        if code == 0 and not found.found:
            return self._printed_before(run, number, tried) or found
        if (found.finished or found.status_decides) and own and self._is_older(output, own):
            return Summary(problem='its summary is older than the attempt')
        others = [each.number for each in tried if each.number < number and _may_have_gone_on(each)]
        if not (found.finished and code != 0 and others):
            return found
        return Summary(problem=f'its summary may be that of attempt {others[-1]}, whose end nobody saw')

    def _printed_before(self, run: Run, number: int, tried: Sequence[Attempt]) -> Summary | None:
        """The result in what the attempts before printed, latest first; None: there is none.

        A script that goes on where it was stopped after its last step has nothing left to print.
        """
        printed = tuple(rule for rule in self._configuration.results if not rule.get('file'))
        if not self._configuration.resumable or not printed or self._configuration.summary_parser is not None:
            return None
        output = self.output(run, number, tried)
        only = replace(self._configuration, summary_filename=None, results=printed)
        for each in sorted(tried, key=lambda attempt: attempt.number, reverse=True):
            if each.number < number and each.state in (State.STOPPED, State.INTERRUPTED):
                found = read_summary(output, only, run.number, logs_of(self._folder.attempt(run.name, each.number)))
                if found.found:
                    return found
        return None

    def _instead(self, run: Run, number: int, tried: Sequence[Attempt]) -> str:
        """What is in the output folder where the summary file is not, in words."""
        filename = self._configuration.summary_filename
        if filename is None or self._configuration.summary_parser is not None:
            return ''
        return found_instead(self.output(run, number, tried), filename)

    def _is_older(self, output: Path, attempt: Attempt) -> bool:
        paths = self._folder.attempt(attempt.run, attempt.number)
        times = (changed_at(file) for file in result_files(output, self._configuration))
        written = max((time for time in times if time is not None), default=None)
        if written is None or attempt.claimed_at is None or written >= attempt.claimed_at - CLOCK_TOLERANCE:
            return False
        return is_from_before(
            written, attempt.claimed_at, claim_changed_at(paths, attempt.claimed_at), changed_at(paths.exit)
        )

    def output(self, run: Run, number: int, tried: Sequence[Attempt]) -> Path:
        """The output folder of an attempt; arguments as those of :meth:`judge`."""
        is_earlier = any(each.number > number for each in tried)
        is_aside = is_earlier and not self._configuration.resumable
        return self._output_of(moved_aside(run.name, number) if is_aside else run.name)

    def late_ends(self, run: Run, state: SearchState) -> Iterator[Completion]:
        """How attempts ended that were given up without an exit record, if that, or a result, has appeared by now.

        Raises:
            OSError: A record is there but cannot be read.
        """
        for attempt in filter(_lacks_record, state.runs[run.name].attempts):
            evidence = read_files(self._folder.attempt(run.name, attempt.number), is_queued=attempt.is_in_queue)
            completion = self._late_end(run, attempt, conclude(evidence), state)
            is_known = evidence.code is not None and attempt.state is State.LOST
            if is_known or completion.state is State.FINISHED:
                yield completion

    def _late_end(self, run: Run, attempt: Attempt, found: Conclusion, state: SearchState) -> Completion:
        tried = state.runs[run.name].attempts
        if found.code is None:
            return self.judge(run, attempt.number, tried, EndReport())
        seconds = duration(self._folder.attempt(run.name, attempt.number))
        words = '; '.join(filter(None, (found.detail, f'its exit record appeared after it was {attempt.state}')))
        room = partial(state.room_of, attempt)
        return self.judge(run, attempt.number, tried, EndReport(found.code, found.cause, words, seconds, room=room))

    def read_again(self, run: Run, history: RunHistory) -> Iterator[Completion]:
        """How the attempts of a run that has ended did, by what their summaries say now.

        Of a run that has finished, only the attempt that decides; otherwise all whose scripts may have run.

        Raises:
            OSError: A summary is there but cannot be read.
        """
        deciding = history.deciding
        attempts = [deciding] if deciding and deciding.state is State.FINISHED else history.attempts
        for attempt in attempts:
            if attempt.cause not in NEVER_STARTED:
                yield self.judge(run, attempt.number, history.attempts, _report_again(attempt))

    def row(self, run: Run, ended: Attempt | Completion, tried: Sequence[Attempt]) -> Row:
        """The row of a run in the table.

        Args:
            run: The run.
            ended: The attempt that decides about it, or its completion.
            tried: All known attempts of the run, in order.
        """
        output, configuration = str(self.output(run, ended.number, tried)), self._configuration
        return row_of(run, ended, output, configuration.out_arg, configuration.fidelity)

    def show_logs(self, run: Run, ended: Attempt | Completion) -> None:
        """Link the logs of an attempt into the output folder of its run, if its script takes one.

        Empty ones are removed if it finished and nothing of its process group was left; what a process that left the
        group prints afterwards is lost. A warning is logged if that fails.
        """
        may_go = is_clean(ended) and self._folder.layout > 1  # an earlier version looks for them
        try:
            empty = empty_logs(self._folder.attempt(run.name, ended.number)) if may_go else ()
            if self._configuration.out_arg is not None:
                show_logs_in_output(self._folder, run.name, ended.number, shell_line(run.argv), empty)
            for log_file in empty:
                os.unlink(log_file)  # that of stderr last: it shows what is still to be done
        except OSError as error:
            log.warning('%s: its logs could not be put into its output folder: %s', run.name, error.strerror)
