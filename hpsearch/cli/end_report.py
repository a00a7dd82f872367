"""The report at the end of a search, and its exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from hpsearch.cli.exit_codes import ALL_FINISHED, INTERRUPTED, SOME_DID_NOT, WRONG_REQUEST
from hpsearch.cli.options import SearchOptions
from hpsearch.cli.reports import failure_groups, last_lines
from hpsearch.cli.search_runner import SearchResult
from hpsearch.model.command import shell_line
from hpsearch.model.table import cell
from hpsearch.ui.format import counts_text
from hpsearch.ui.table import print_table

BEST_SHOWN = 10


def report_end(result: SearchResult, options: SearchOptions, *, in_own_job: bool = False) -> int:
    """Print how the work on a search ended; returns the exit code.

    Args:
        result: Of the work.
        options: Of the search.
        in_own_job: Whether this process helped within a job, whose own success that is.
    """
    outcome = result.outcome
    if not options.display.quiet:
        _print_end(result)
    if outcome.refused and not in_own_job:
        print(f'hpsearch: no more runs were submitted: {outcome.refused}', file=sys.stderr)
        return WRONG_REQUEST
    if result.all_finished or (options.only_submits and outcome.left is not None):
        return ALL_FINISHED
    if outcome.interrupted or outcome.left is not None:
        return INTERRUPTED
    return ALL_FINISHED if in_own_job else SOME_DID_NOT


def _print_end(result: SearchResult) -> None:
    columns, rows = best_columns(result)
    if rows:
        print()
        print_table(sys.stdout, columns, rows)
    for line in end_lines(result):
        print(line)


def best_columns(result: SearchResult) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of the best runs: the performance, the run, then what differs between runs."""
    results, configuration = result.results, result.configuration
    rows = results.best(BEST_SHOWN)
    if not rows or results.key is None:
        return [], []
    options = [option for option in rows[0].params if option != (configuration.out_arg or 'out_dir')]
    keywords = [word for word in configuration.summary_keywords if word not in (results.key, 'finished')]
    columns = [results.key, 'run', *options, *keywords]
    cells = [
        [
            row.values.get(results.key, ''),
            row.name,
            *(cell(row.params[option]) if option in row.params else '' for option in options),
            *(row.values.get(keyword, '') for keyword in keywords),
        ]
        for row in rows
    ]
    return columns, cells


def end_lines(result: SearchResult) -> Iterator[str]:
    """What is printed at the end of a search."""
    counts = result.counts
    shown = counts_text({state: count for state, count in sorted(counts.items()) if count})
    if result.outcome.failed_fast:
        yield from _failed_fast_lines(result)
    elif counts['failed']:
        yield from _failure_lines(result)
    if result.outcome.unknown:
        yield (
            f'{len(result.outcome.unknown)} runs may still be running on hosts that cannot be asked; '
            f'hpsearch status {result.folder.path} names them. If a host is dead: hpsearch resume --host_is_dead=HOST'
        )
    if result.cancelled:
        yield (
            f'{result.cancelled} runs were cancelled in the queue; they are run again only with '
            'hpsearch resume --retry_cancelled'
        )
    if result.outcome.left is not None:
        yield from _left_lines(result)
    yield f'{shown} runs' if result.total is None else f'{shown} of {result.total} runs'
    yield f'Results: {result.results.path}'


def _left_lines(result: SearchResult) -> Iterator[str]:
    if any(submission.pilots for submission in result.state.submissions.values()):
        yield (
            'The jobs in the queue work on the search by themselves; '
            f'hpsearch status {result.folder.path} shows their progress, '
            'hpsearch resume submits more of them if needed.'
        )
        return
    yield (
        f'The jobs in the queue continue without hpsearch: {result.outcome.left} runs; {result.waiting} remain to be '
        f'submitted. hpsearch resume {result.folder.path} collects results and submits the rest; hpsearch status only '
        'collects results.'
    )


def _failed_fast_lines(result: SearchResult) -> Iterator[str]:
    example = result.outcome.example
    yield ''
    yield 'Stopped: the first runs all failed in the same way. (--fail_fast=0 continues regardless.)'
    if example is not None:
        attempt = result.state.runs[example.name].last
        yield from _indented(last_lines(result.folder, attempt) if attempt else '')
        yield f'Command: {shell_line(example.argv)}'
        yield f'Log: {result.folder.attempt(example.name, attempt.number if attempt else 1).stderr}'


def _failure_lines(result: SearchResult) -> Iterator[str]:
    yield ''
    for count, lines, run in failure_groups(result.folder, result.state):
        yield f'{count} failed like this, see: hpsearch logs {result.folder.path} {run}'
        yield from _indented(lines)


def _indented(text: str) -> Iterator[str]:
    return (f'    {line}' for line in text.splitlines())
