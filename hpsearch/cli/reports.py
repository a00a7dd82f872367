"""The texts of ``hpsearch plan``, ``logs`` and ``templates``, and of the end of a search, as lines to be printed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.model.command import shell_line
from hpsearch.model.configuration import Configuration, Params
from hpsearch.model.errors import HpsearchError, SearchFolderError
from hpsearch.model.states import Attempt, SearchState, State
from hpsearch.model.table import cell, performance_number
from hpsearch.model.verdict import FAILURE_LINES
from hpsearch.store.folder import SearchFolder
from hpsearch.store.logs import tail
from hpsearch.ui.format import counts_text

if TYPE_CHECKING:
    from hpsearch.cli.request import SearchRequest
    from hpsearch.cli.search_runner import SearchResult

Failure = tuple[int, str, str]
"""How many, the last lines of the first one's stderr, its run."""


# plan


def plan_lines(request: SearchRequest, *, only_commands: bool) -> Iterator[str]:
    """What a search would run."""
    plan = request.plan(request.out_dir / 'search_<date>', '<date>')
    if only_commands:
        yield from plan.commands()
        return
    summary = plan.survey()
    yield from request.notes
    yield f'Configuration: {request.configuration.source}'
    yield f'Results would go to {request.out_dir}' + ('' if request.args.force_out_dir else '/search_<date>')
    yield f'Combinations of the grid: {summary.raw:,}; runs: {summary.runs:,}'
    yield f'Left out: {summary.duplicates:,} duplicates, {summary.rejected:,} that constraints rule out'
    yield from summary.notes()
    yield from (f'warning: {warning}' for warning in plan.warnings())
    yield 'Commands (without their output folders):'
    yield from plan.commands()


# what a search has come to


def best_run(folder: SearchFolder, state: SearchState, configuration: Configuration) -> tuple[str, Params, str] | None:
    """Name, parameters and performance of the best finished run."""
    key = configuration.performance_key
    if key is None:
        return None
    sign = 1.0 if configuration.performance_ascending else -1.0
    found: list[tuple[float, str, str]] = []
    for name, history in state.runs.items():
        deciding = history.deciding
        text = deciding.summary.get(key, '') if deciding and deciding.state is State.FINISHED else ''
        number = performance_number(text)
        if number is not None and number == number and (not found or (sign * number, name) < found[0][:2]):
            found = [(sign * number, name, text)]
    if not found:
        return None
    _, name, text = found[0]
    run = folder.find_run(name)
    return name, run.params if run else {}, text


def failure_groups(folder: SearchFolder, state: SearchState) -> list[Failure]:
    """Failed runs grouped by what they failed with, most frequent first."""
    groups: dict[str, list[Attempt]] = {}
    for history in state.runs.values():
        deciding = history.deciding
        if deciding is not None and deciding.state is State.FAILED:
            groups.setdefault(deciding.failure or deciding.reason, []).append(deciding)
    ordered = sorted(groups.values(), key=lambda group: (-len(group), group[0].run))
    return [(len(group), last_lines(folder, group[0]), group[0].run) for group in ordered]


def last_lines(folder: SearchFolder, attempt: Attempt) -> str:
    """The last lines an attempt wrote to stderr, or the reason of its end."""
    lines = tail(folder.attempt(attempt.run, attempt.number).stderr, 1 << 14).splitlines()
    shown = [line.rstrip() for line in lines if line.strip()][-FAILURE_LINES:]
    return '\n'.join(shown) or attempt.reason


# the end of a search

BEST_SHOWN = 10


def best_columns(conducted: SearchResult) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of the best runs: the performance, the run, then what differs between runs."""
    results, configuration = conducted.results, conducted.configuration
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


def ending_lines(conducted: SearchResult) -> Iterator[str]:
    """What is said at the end of a search."""
    counts = conducted.counts
    shown = counts_text({state: count for state, count in sorted(counts.items()) if count})
    if conducted.outcome.failed_fast:
        yield from _failed_fast_lines(conducted)
    elif counts['failed']:
        yield from _failure_lines(conducted)
    if conducted.outcome.unknown:
        yield (
            f'{len(conducted.outcome.unknown)} runs may still be under way on hosts that cannot be asked; '
            f'hpsearch status {conducted.folder.path} names them. When one is dead: hpsearch resume --host_is_dead=HOST'
        )
    if conducted.cancelled:
        yield (
            f'{conducted.cancelled} runs were cancelled in the queue by somebody and are not run again unless asked: '
            'hpsearch resume --retry_cancelled'
        )
    if conducted.outcome.left is not None:
        yield from _left_lines(conducted)
    yield f'{shown} runs' if conducted.total is None else f'{shown} of {conducted.total} runs'
    yield f'Results: {conducted.results.path}'


def _left_lines(conducted: SearchResult) -> Iterator[str]:
    if any(submission.pilots for submission in conducted.state.submissions.values()):
        yield (
            'The jobs in the queue work on the search by themselves; '
            f'hpsearch status {conducted.folder.path} tells how far they are, '
            'hpsearch resume submits more of them where they are not enough.'
        )
        return
    yield (
        f'The jobs in the queue go on without hpsearch: {conducted.outcome.left} runs, {conducted.waiting} '
        f'remain to be submitted. hpsearch resume {conducted.folder.path} takes in results and goes on; so does '
        'hpsearch status, without going on.'
    )


def _failed_fast_lines(conducted: SearchResult) -> Iterator[str]:
    example = conducted.outcome.example
    yield ''
    yield 'Stopped: the first runs all failed alike. (--fail_fast=0 goes on all the same.)'
    if example is not None:
        attempt = conducted.state.runs[example.name].last
        yield from _indented(last_lines(conducted.folder, attempt) if attempt else '')
        yield f'Its command: {shell_line(example.argv)}'
        yield f'Its log: {conducted.folder.attempt(example.name, attempt.number if attempt else 1).stderr}'


def _failure_lines(conducted: SearchResult) -> Iterator[str]:
    yield ''
    for count, lines, run in failure_groups(conducted.folder, conducted.state):
        yield f'{count} failed like this, see: hpsearch logs {conducted.folder.path} {run}'
        yield from _indented(lines)


def _indented(text: str) -> Iterator[str]:
    return (f'    {line}' for line in text.splitlines())


# logs


def log_files(folder: SearchFolder, run: str, attempt: int) -> list[str]:
    """The logs of an attempt, stderr last.

    Args:
        folder: The search.
        run: Its name, or its number.
        attempt: Which attempt; 0: the last.

    Raises:
        SearchFolderError: There is no such run, or it was not started.
    """
    folder.read_info()
    names = [run] if not run.isdigit() else [each.name for each in folder.read_runs() if each.number == int(run)]
    started = sorted(int(name) for name in _names_in(folder.attempts(names[0] if names else run)) if name.isdigit())
    wanted = attempt or (started[-1] if started else 0)
    if wanted not in started:
        which = f'attempt {attempt}' if attempt else 'an attempt'
        raise SearchFolderError(f'{folder.path} does not have {which} of run {run}: it was not started.')
    paths = folder.attempt(names[0], wanted)
    return [path for path in (paths.stdout, paths.stderr) if os.path.exists(path)]


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


# templates

PROFILES = 'site_'
"""How the names of templates begin that are profiles, not configurations."""


def templates_folder() -> Path:
    """The configurations to start from: beside the installed package, or in a checkout.

    Raises:
        HpsearchError: They are in neither place.
    """
    package = Path(__file__).resolve().parents[1]
    for place in (package / 'templates', package.parent / 'configs' / 'templates'):
        if place.is_dir():
            return place
    raise HpsearchError('The templates are missing from this installation: install hpsearch again.')


def template_lines(name: str) -> Iterable[str]:
    """A list of the templates, or the text of one."""
    folder = templates_folder()
    names = sorted(path.name for path in folder.iterdir() if path.suffix in ('.py', '.yaml') and path.name[0] != '_')
    if not name:
        return [f'{each} (a profile, for --profile)' if each.startswith(PROFILES) else each for each in names]
    if name not in names:
        raise HpsearchError(f'There is no template {name!r}; there are: {", ".join(names)}.')
    return (folder / name).read_text(encoding='utf-8').splitlines()
