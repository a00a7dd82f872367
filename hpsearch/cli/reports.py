"""What a search has come to: its best run, why runs failed, and the report at the end, with its exit code."""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hpsearch.backends.base import JobCounts
from hpsearch.cli.adaptive import leading
from hpsearch.cli.exit_codes import ALL_FINISHED, INTERRUPTED, SOME_DID_NOT, WRONG_REQUEST
from hpsearch.cli.options import SearchOptions
from hpsearch.cli.runs.requests import request_notes
from hpsearch.model.command import shell_line
from hpsearch.model.configuration import Configuration, Params, best_text
from hpsearch.model.history.attempt import Attempt
from hpsearch.model.history.places import is_gpu, place_in_words
from hpsearch.model.history.run_history import RunHistory
from hpsearch.model.history.search_state import SearchState
from hpsearch.model.retries import (
    avoided_until,
    bad_places,
    failed_there,
    running_ages,
    since_bad,
    why_avoided,
    without_progress,
)
from hpsearch.model.states import TIMEOUT, YIELDED, State
from hpsearch.model.table import cell, has_list, performance_text, why_no_best
from hpsearch.model.trials.leading import table_of
from hpsearch.model.units import count_of, duration, noun_for, read_number
from hpsearch.records.failures import deciding_attempts, explained, failure_groups
from hpsearch.store.completion import lacks_results
from hpsearch.store.folder import SCHEDULES, SearchFolder
from hpsearch.ui.format import counts_text
from hpsearch.ui.table import print_table, shortened
from hpsearch.ui.terminal import put_line

if TYPE_CHECKING:
    from hpsearch.cli.search_runner import SearchResult

BEST_SHOWN = 10

RESUMED = (State.PLANNED, State.CLAIMED, State.SUBMITTED, State.RUNNING, State.INTERRUPTED, State.LOST, State.UNKNOWN)
"""What ``hpsearch resume`` goes on with, unasked."""


def best_run(folder: SearchFolder, state: SearchState, configuration: Configuration) -> tuple[str, Params, str] | None:
    """Name, parameters and performance of the best finished run, of those with the largest budget."""
    key = configuration.performance_key
    if key is None:
        return None
    sign = 1.0 if configuration.performance_ascending else -1.0
    texts = {attempt.run: attempt.summary.get(key, '') for attempt in deciding_attempts(state, State.FINISHED)}
    readings = {name: reading for name, text in texts.items() if (reading := read_number(text))}
    measured = [
        (-_budget(state, name), sign * each.value, name)
        for name, each in readings.items()
        if not math.isnan(each.value)
    ]
    if not measured:
        return None
    name = min(measured)[-1]
    run = folder.find_run(name)
    return name, run.params if run else {}, readings[name].text


def _budget(state: SearchState, name: str) -> float:
    """The fidelity of a run. As in the table, none with a smaller one is the best."""
    suggestion = state.suggestions.get(name)
    return (suggestion.proposal.fidelity or 0.0) if suggestion else 0.0


def no_best_note(state: SearchState, configuration: Configuration) -> str:
    """Why no run is the best, although some have finished; for searches that have no best run."""
    finished = {attempt.run: attempt.summary for attempt in deciding_attempts(state, State.FINISHED)}
    return why_no_best(finished, configuration.performance_key)


def place_notes(folder: SearchFolder, state: SearchState, now: float) -> list[str]:
    """A sentence for each place in which attempts failed while others did not elsewhere (``now``: wall clock)."""
    return [*_node_notes(folder, state), *_gpu_notes(folder, state, now)]


def _node_notes(folder: SearchFolder, state: SearchState) -> list[str]:
    """A sentence for each node on which attempts failed within seconds that were then repeated on others."""
    pairs = (pair for history in state.runs.values() for pair in itertools.pairwise(history.attempts))
    moved = [first for first, then in pairs if failed_there(first) and first.node and then.node not in ('', first.node)]
    counts = Counter(attempt.node for attempt in moved)
    examples = {attempt.node: attempt for attempt in reversed(moved)}
    return [
        f'{count} runs failed within seconds on {node} and were run on other nodes; see: '
        f'{_logs(folder, examples[node])}'
        for node, count in sorted(counts.items())
        if count > 1
    ]


def _gpu_notes(folder: SearchFolder, state: SearchState, now: float) -> list[str]:
    """A sentence for each GPU on which runs failed, as far as no run has ended well there since."""
    running = [each for each in state.running_in_places.values() if each.state is State.RUNNING]
    bad = bad_places(state.ended_in_places, running_ages(running, now))
    return [_gpu_note(folder, place, failed, now) for place, failed in sorted(bad.items()) if is_gpu(place)]


def _gpu_note(folder: SearchFolder, place: str, failed: Sequence[Attempt], now: float) -> str:
    until = avoided_until([attempt.ended_at or now for attempt in since_bad(place, failed)])
    when = f'in {duration(until - now)}' if until > now else 'next'
    name = place_in_words(place)
    return f'{name}: {why_avoided(failed)}; it is tried again with one run {when}. See: {_logs(folder, failed[-1])}'


def _logs(folder: SearchFolder, attempt: Attempt) -> str:
    return f'hpsearch logs {folder.path} {attempt.run} --attempt={attempt.number}'


def reread_note(folder: SearchFolder, state: SearchState) -> list[str]:
    """A sentence on runs that failed although their scripts succeeded, if there are any: what can be done."""
    count = sum(lacks_results(attempt) for attempt in deciding_attempts(state, State.FAILED))
    resume = shell_line(['hpsearch', 'resume', str(folder.path), '--reread'])
    return [
        f'{count_of(count, "run")} ended with status 0 and failed only because of {noun_for(count, "its", "their")} '
        f'results. If these are there and the configuration is wrong, correct it, then: {resume}'
    ] * bool(count)


def time_limit_notes(folder: SearchFolder, state: SearchState) -> list[str]:
    """A sentence about runs whose last attempts reached a time limit and left nothing new, with what to do."""
    stuck = [
        count
        for history in state.wanted
        if history.last
        and (history.state, history.last.cause) == (State.INTERRUPTED, TIMEOUT)
        and (count := without_progress(history.attempts))
    ]
    if not stuck:
        return []
    attempts, runs = count_of(sum(stuck), 'attempt'), count_of(len(stuck), 'run')
    return [
        f'{attempts} of {runs} ended at {noun_for(sum(stuck), "its", "their")} time limit without new output: the '
        'script may have started from scratch each time. Let it write checkpoints into its output folder in time, or '
        'when it gets the signal of --signal; or give it more time (--num_hours). Then: '
        + shell_line(['hpsearch', 'resume', str(folder.path), '--retry_failed'])
    ]


# The end


def report_end(result: SearchResult, options: SearchOptions, *, in_own_job: bool = False) -> int:
    """Print how the work on a search ended; returns the exit code.

    In a job of its own a process succeeds when it did its part, whatever the results of the runs.
    """
    outcome = result.outcome
    if not options.display.quiet:
        _print_end(result, options)
    if outcome.refused:
        what = 'started' if in_own_job else 'submitted'
        put_line(sys.stderr, f'hpsearch: no more runs were {what}: {outcome.refused}')
    if outcome.refused and not in_own_job:
        return WRONG_REQUEST
    is_done = (result.all_finished or result.has_reached_target) and not outcome.leftovers
    if is_done or (options.only_submits and outcome.left is not None):
        return ALL_FINISHED
    if outcome.interrupted or outcome.left is not None:
        return INTERRUPTED
    return ALL_FINISHED if in_own_job else SOME_DID_NOT


def _print_end(result: SearchResult, options: SearchOptions) -> None:
    columns, rows = _best_columns(result)
    objectives, found = leading.leaders_of(result.folder, result.state, vars(options.adaptive), result.configuration)
    if found:
        put_line(sys.stdout)
        put_line(sys.stdout, leading.heading(objectives, found, min(len(found), BEST_SHOWN)))
        columns, rows = table_of(objectives, found[:BEST_SHOWN])
        values = len(objectives)
        print_table(sys.stdout, columns, [[*map(shortened, row[:values]), *row[values:]] for row in rows])
    elif rows:
        put_line(sys.stdout)
        finished = count_of(result.counts[State.FINISHED.value], 'finished run')
        put_line(
            sys.stdout,
            f'best {len(rows)} of {finished} (best: {best_text(result.configuration)}{_of_lists(result)})',
        )
        print_table(sys.stdout, columns, rows)
    elif line := no_best_note(result.state, result.configuration):
        put_line(sys.stdout, line)
    for line in _end_lines(result):
        put_line(sys.stdout, line)


def _best_columns(result: SearchResult) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of the best runs: the performance, the run, then what differs between runs."""
    results, configuration = result.results, result.configuration
    rows = results.best(BEST_SHOWN)
    if not rows or results.key is None:
        return [], []
    options = list(dict.fromkeys(option for row in rows for option in row.params))
    options = [option for option in options if option != (configuration.out_arg or 'out_dir')]
    keywords = [word for word in configuration.summary_keywords if word not in (results.key, 'finished')]
    keywords.sort(key=lambda word: any(',' in shortened(row.values.get(word, '')) for row in rows))  # lists last
    columns = [results.key, 'run', *options, *keywords]
    cells = [
        [
            shortened(performance_text(row, results.key)),
            row.name,
            *(cell(row.params[option]) if option in row.params else '' for option in options),
            *(shortened(row.values.get(keyword, '')) for keyword in keywords),
        ]
        for row in rows
    ]
    return columns, cells


def _of_lists(result: SearchResult) -> str:
    key, rows = result.results.key, result.results.best(BEST_SHOWN)
    return ', the last of its values' if key and any(has_list(row, key) for row in rows) else ''


def _end_lines(result: SearchResult) -> Iterator[str]:
    """What is printed at the end of a search."""
    counts = result.counts
    shown = counts_text({state: count for state, count in sorted(counts.items()) if count})
    if result.outcome.failed_fast:
        yield from _failed_fast_lines(result)
    elif counts['failed']:
        yield from _failure_lines(result)
    yield from reread_note(result.folder, result.state)
    yield from place_notes(result.folder, result.state, time.time())
    yield from _code_lines(result)
    yield from time_limit_notes(result.folder, result.state)
    if result.outcome.unknown:
        yield (
            f'{count_of(len(result.outcome.unknown), "run")} may still be running where that cannot be checked; '
            f'hpsearch status {result.folder.path} says which. If a host is dead: hpsearch resume --host_is_dead=HOST'
        )
    if result.outcome.leftovers:
        yield f'{result.outcome.leftovers}; hpsearch stop {result.folder.path} cancels what is there'
    yield from request_notes(result.folder, result.state)
    if result.outcome.left is not None:
        yield from _left_lines(result)
    yield from _enough_lines(result)
    total = sum(counts.values()) if result.total is None else result.total
    yield f'{shown} {noun_for(total, "run")}' if result.total is None else f'{shown} of {count_of(total, "run")}'
    yield from _result_lines(result)
    if result.outcome.left is None:
        yield from _continue_lines(result)


def _result_lines(result: SearchResult) -> Iterator[str]:
    """Where the results are."""
    yield f'Results: {result.results.path}'
    if any('member' in each.proposal.facts for each in result.state.suggestions.values()):
        yield f'Schedules: {result.folder.path / SCHEDULES}'


def _enough_lines(result: SearchResult) -> Iterator[str]:
    """Why an adaptive search has come to its end, where that is not its number of trials."""
    if result.outcome.enough is not None:
        yield f'The search has ended: {result.outcome.enough.reason}'


def _code_lines(result: SearchResult) -> Iterator[str]:
    """A warning where runs of the search had different code."""
    from hpsearch.store.provenance import code_changes

    if changes := code_changes(result.folder, result.state):
        yield f'warning: {changes}'


def _continue_lines(result: SearchResult) -> Iterator[str]:
    """The command for what is left to do, which is nothing where the target was reached."""
    if result.has_reached_target:
        return
    resume = ['hpsearch', 'resume', str(result.folder.path)]
    left = Counter(history.state.value for history in result.state.wanted if _is_left(history, result))
    if any(result.counts[state.value] > left[state.value] for state in RESUMED):
        yield f'Continue with: {shell_line(resume)}'
    elif result.counts[State.FAILED.value]:
        yield f'Run the failed ones again with: {shell_line([*resume, "--retry_failed"])}'


def _is_left(history: RunHistory, result: SearchResult) -> bool:
    """Whether a run is not run again even when the search is resumed; one that made room for others for good is."""
    has_made_room = history.last is not None and history.last.cause == YIELDED
    return history.name in result.given_up and not has_made_room


def _left_lines(result: SearchResult) -> Iterator[str]:
    """What may be in the queue, only as far as the queue has said so."""
    folder, outcome, left = result.folder.path, result.outcome, result.outcome.left or JobCounts()
    if outcome.silence:
        yield f'hpsearch ended although the queue does not answer: {outcome.silence}'
    if left.unanswered:
        yield (
            f'{count_of(left.unanswered, "job was", "jobs were")} submitted without an answer: the queue may have '
            f'accepted {noun_for(left.unanswered, "it", "them")}. hpsearch resume {folder} finds out.'
        )
    waiting = result.waiting + left.unsubmitted
    if left.accepted:
        yield _about_accepted(result, left.accepted, waiting)
        return
    if not (left.unanswered or outcome.silence):
        yield 'No job of this search is in the queue.'
    remaining = count_of(waiting, 'run remains', 'runs remain')
    yield f'{remaining} to be submitted: hpsearch resume {folder} submits {noun_for(waiting, "it", "them")}.'


def _about_accepted(result: SearchResult, accepted: int, waiting: int) -> str:
    """What becomes of jobs in the queue without us."""
    folder = result.folder.path
    if result.outcome.interrupted:
        them, have = noun_for(accepted, 'it', 'them'), noun_for(accepted, 'has', 'have')
        return (
            f'{count_of(accepted, "job was", "jobs were")} to be cancelled and {have} not ended, as far as is known: '
            f'hpsearch status {folder} shows {them}, hpsearch stop {folder} cancels {them} again.'
        )
    if any(submission.pilots for submission in result.state.submissions.values()):
        one, several = 'works on the search by itself', 'work on the search by themselves'
        pilots = count_of(accepted, f'job in the queue {one}', f'jobs in the queue {several}')
        return f'{pilots}; hpsearch status {folder} shows the progress, hpsearch resume submits more jobs if needed.'
    return (
        f'The jobs in the queue continue without hpsearch: {count_of(accepted, "run")}; '
        f'{count_of(waiting, "remains", "remain")} to be submitted. hpsearch resume {folder} collects results and '
        'submits the rest; hpsearch status only collects results.'
    )


def _failed_fast_lines(result: SearchResult) -> Iterator[str]:
    example = result.outcome.example
    yield ''
    yield 'Stopped: the first runs all failed in the same way. (--fail_fast=0 continues regardless.)'
    if example is not None:
        attempt = result.state.runs[example.name].last
        yield from _indented(explained(result.folder, attempt, result.configuration) if attempt else '')
        yield f'Command: {shell_line(example.argv)}'
        yield f'Log: {result.folder.attempt(example.name, attempt.number if attempt else 1).stderr}'


def _failure_lines(result: SearchResult) -> Iterator[str]:
    yield ''
    for group in failure_groups(result.folder, result.state, result.configuration):
        yield f'{len(group.runs)} failed like this, see: hpsearch logs {result.folder.path} {group.example}'
        yield from _indented(group.words)


def _indented(text: str) -> Iterator[str]:
    return (f'    {line}' for line in text.splitlines())
