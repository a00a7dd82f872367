"""The texts of ``hpsearch plan``, ``status`` and ``templates``, and of the end of a search, as lines to be printed."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hpsearch import attempt as attempts
from hpsearch.command import shell_line
from hpsearch.conduct import Conducted
from hpsearch.config import from_plain
from hpsearch.errors import HpsearchError, SearchFolderError
from hpsearch.folder import SearchFolder
from hpsearch.journal import JournalReader, open_journals
from hpsearch.outcome import FAILURE_LINES
from hpsearch.preparation import Prepared
from hpsearch.process import boot_id, is_alive
from hpsearch.provenance import code_changes
from hpsearch.records import Configuration, GpuLine, Params, RunLine, Snapshot
from hpsearch.results import cell, performance_number
from hpsearch.states import ACTIVE, Attempt, SearchState, State
from hpsearch.takeover import Relation
from hpsearch.texts import duration, status_json, status_text
from hpsearch.writers import host_of, relation, this_host

Failure = tuple[int, str, str]
"""How many, the last lines of the first one's stderr, its run."""


# plan


def plan_lines(prepared: Prepared, *, only_commands: bool) -> Iterator[str]:
    """What a search would run."""
    plan = prepared.plan(prepared.out_dir / 'search_<date>', '<date>')
    if only_commands:
        yield from plan.commands()
        return
    summary = plan.survey()
    yield from prepared.notes
    yield f'Configuration: {prepared.configuration.source}'
    yield f'Results would go to {prepared.out_dir}' + ('' if prepared.args.force_out_dir else '/search_<date>')
    yield f'Combinations of the grid: {summary.raw:,}; runs: {summary.runs:,}'
    yield f'Left out: {summary.duplicates:,} duplicates, {summary.rejected:,} that constraints rule out'
    yield from summary.notes()
    yield from (f'warning: {warning}' for warning in plan.warnings())
    yield 'Commands (without their output folders):'
    yield from plan.commands()


# status


def status_lines(folder: SearchFolder, *, as_json: bool) -> Iterator[str]:
    """How a search stands, from its folder."""
    info = folder.read_info()
    state, reader = open_journals(folder)
    configuration = from_plain(info['configuration']['attributes'])
    for name in info.get('withdrawn', ()):
        state.runs.pop(name, None)
    total = folder.count_runs() - len(info.get('withdrawn', ()))
    snapshot = snapshot_of(folder, total, state, configuration, reader, time.time())
    failures = failure_groups(folder, state)
    if as_json:
        yield json.dumps(status_json(snapshot, failures), indent=2)
    else:
        yield status_text(snapshot, failures).rstrip('\n')
        yield from (f'  note: {text}' for text in silent_hosts(folder, state, reader, time.time()))
        if changes := code_changes(state.codes(), state.diffs):
            yield f'  warning: {changes}'
        yield from (f'note: {odd}' for odd in [*reader.odd, *state.odd][:5])


def snapshot_of(
    folder: SearchFolder,
    total: int,
    state: SearchState,
    configuration: Configuration,
    reader: JournalReader,
    now: float,
) -> Snapshot:
    """A search as its folder tells it.

    Args:
        total: Number of runs that are wanted.
        now: Seconds since 1970.
    """
    counts = Counter(history.state.value for history in state.runs.values())
    counts['planned'] += total - len(state.runs)
    running = [attempt for attempt in _latest(state) if attempt.state in ACTIVE]
    alive = [news for writer, news in _last_news(folder).items() if _is_at_work(reader.headers.get(writer, {}))]
    begin = min((float(header['at']) for header in reader.headers.values() if 'at' in header), default=now)
    return Snapshot(
        folder=str(folder.path),
        total=total,
        counts=dict(counts),
        elapsed=max(0.0, now - begin),
        gpus=[GpuLine(**line) for news in alive for line in news.get('gpus', ())],
        running=[
            RunLine(each.run, max(0.0, now - (each.claimed_at or now)), _where(each, reader.headers))
            for each in running
        ],
        best=best_run(folder, state, configuration),
        performance_key=configuration.performance_key,
        waiting='; '.join(filter(None, (str(news.get('waiting', '')) for news in alive)))
        or _nobody(alive, running, counts),
    )


def _latest(state: SearchState) -> Iterator[Attempt]:
    return (last for history in state.runs.values() if (last := history.last) is not None)


def _run_line(attempt: Attempt, headers: Mapping[str, Mapping[str, Any]], now: float) -> RunLine:
    return RunLine(attempt.run, max(0.0, now - (attempt.claimed_at or now)), _where(attempt, headers))


def _where(attempt: Attempt, headers: Mapping[str, Mapping[str, Any]]) -> str:
    header = headers.get(attempt.owner, {})
    host = header.get('host', '') if relation(host_of(header), this_host()) is not Relation.SAME else ''
    parts = [f'GPU {",".join(attempt.gpus)}' if attempt.gpus else '', f'on {host}' if host else '']
    return ' '.join(filter(None, parts))


def silent_hosts(folder: SearchFolder, state: SearchState, reader: JournalReader, now: float) -> Iterator[str]:
    """For each other host with runs under way: when its hpsearch last showed life; from here they cannot be asked.

    Args:
        now: Seconds since 1970.
    """
    runs = Counter(attempt.owner for attempt in _latest(state) if attempt.state in ACTIVE)
    for writer, count in sorted(runs.items()):
        header = reader.headers.get(writer, {})
        if relation(host_of(header), this_host()) is not Relation.OTHER:
            continue
        try:
            ago = f'{duration(max(0.0, now - os.stat(folder.journal_dir / f"{writer}.alive").st_mtime))} ago'
        except OSError:
            ago = 'never'
        yield (
            f'{count} of the running are on {header.get("host", "a host without a name")}, which cannot be asked from '
            f'here; its hpsearch last showed life {ago}. If it is dead: hpsearch resume --host_is_dead=HOST'
        )


def _nobody(alive: list[Any], running: list[Attempt], counts: Counter[str]) -> str:
    if alive or not (running or counts['planned']):
        return ''
    return 'no hpsearch works on it on this machine (hpsearch resume goes on with it)'


def _is_at_work(header: Any) -> bool:
    return bool(header) and header.get('boot') == boot_id() and is_alive(header.get('pid', 0), header.get('ticks', ''))


def _last_news(folder: SearchFolder) -> dict[str, dict[str, Any]]:
    """Writer to what it told last."""
    news = {}
    for path in sorted(folder.journal_dir.glob('*.alive')):
        try:
            news[path.stem] = json.loads(path.read_text(encoding='utf-8'))
        except (OSError, ValueError):
            continue
    return news


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
    return (found[0][1], params_of(folder, found[0][1]), found[0][2]) if found else None


def params_of(folder: SearchFolder, name: str) -> Params:
    """The parameters of one run, without parsing the rest of the plan."""
    mark = json.dumps(name).encode()
    with open(folder.runs_jsonl, 'rb') as plan:
        for line in plan:
            if mark in line:
                entry = json.loads(line)
                if entry['run'] == name:
                    return dict(entry['params'])
    return {}


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
    lines = attempts.tail(folder.attempt(attempt.run, attempt.number).stderr, 1 << 14).splitlines()
    shown = [line.rstrip() for line in lines if line.strip()][-FAILURE_LINES:]
    return '\n'.join(shown) or attempt.reason


# the end of a search

BEST_SHOWN = 10


def best_columns(conducted: Conducted) -> tuple[list[str], list[list[str]]]:
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


def ending_lines(conducted: Conducted) -> Iterator[str]:
    """What is said at the end of a search."""
    counts = conducted.counts
    shown = ', '.join(f'{count} {state}' for state, count in sorted(counts.items()) if count)
    if conducted.outcome.failed_fast:
        yield from _failed_fast_lines(conducted)
    elif counts['failed']:
        yield from _failure_lines(conducted)
    if conducted.outcome.unknown:
        yield (
            f'{len(conducted.outcome.unknown)} runs may still be under way on hosts that cannot be asked; '
            f'hpsearch status {conducted.folder.path} names them. When one is dead: hpsearch resume --host_is_dead=HOST'
        )
    yield f'{shown} of {conducted.total} runs'
    yield f'Results: {conducted.results.path}'


def _failed_fast_lines(conducted: Conducted) -> Iterator[str]:
    example = conducted.outcome.example
    yield ''
    yield 'Stopped: the first runs all failed alike. (--fail_fast=0 goes on all the same.)'
    if example is not None:
        attempt = conducted.state.runs[example.name].last
        yield from _indented(last_lines(conducted.folder, attempt) if attempt else '')
        yield f'Its command: {shell_line(example.argv)}'
        yield f'Its log: {conducted.folder.attempt(example.name, attempt.number if attempt else 1).stderr}'


def _failure_lines(conducted: Conducted) -> Iterator[str]:
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


def templates_folder() -> Path:
    """The configurations to start from: beside the installed package, or in a checkout.

    Raises:
        HpsearchError: They are in neither place.
    """
    package = Path(__file__).resolve().parent
    for place in (package / 'templates', package.parent / 'configs' / 'templates'):
        if place.is_dir():
            return place
    raise HpsearchError('The templates are missing from this installation: install hpsearch again.')


def template_lines(name: str) -> Iterable[str]:
    """A list of the templates, or the text of one."""
    folder = templates_folder()
    names = sorted(path.name for path in folder.iterdir() if path.suffix in ('.py', '.yaml') and path.name[0] != '_')
    if not name:
        return names
    if name not in names:
        raise HpsearchError(f'There is no template {name!r}; there are: {", ".join(names)}.')
    return (folder / name).read_text(encoding='utf-8').splitlines()
