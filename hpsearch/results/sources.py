"""Reads results by rules: from files in the output folder and from logs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from hpsearch.results.documents import read_json, read_toml, read_yaml
from hpsearch.results.files import LARGEST_SUMMARY, decode, read_end, read_fresh
from hpsearch.results.keyword_lines import read_lines
from hpsearch.results.rows import (
    STEP,
    Row,
    best_of,
    csv_rows,
    flattened,
    json_rows,
    last_of,
    printed_rows,
    rows_by_step,
)
from hpsearch.results.rules import METRICS, OBJECTIVE, ORION, RESULT, ResultRule
from hpsearch.results.tensorboard import scalars, shortest
from hpsearch.results.text import text_of
from hpsearch.results.wandb import summary_of

LARGEST_TABLE = 256 * 2**20
"""Bytes of a file that has a row per step; a larger one is not read."""

LARGEST_LOG = 64 * 2**20
"""Bytes at the end of a log that are searched."""

MOST_FILES = 1000
"""Files that match a pattern that are looked at."""

OF_SEVERAL_FILES = ('tensorboard', 'mlflow')
"""Formats of results that are in several files."""


@dataclass(frozen=True)
class Places:
    """Where a run may have left its result.

    Attributes:
        output: Its output folder.
        logs: ``stdout``, ``stderr``, ``orion`` and ``metrics`` to their files, where they are known.
    """

    output: Path
    logs: Mapping[str, Path]


def read_by_rule(rule: ResultRule, places: Places, *, key: str, ascending: bool) -> tuple[Row, str]:
    """What a rule finds, and what is odd about it; where nothing is found, why.

    Args:
        rule: The rule.
        places: Where the result may be.
        key: The performance key: the keyword of an expression that names none, and what the best row is the best in.
        ascending: Whether its smallest value is the best.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file is not of its format.
    """
    rows, oddity = _rows_by_rule(rule, places, key)
    row = _taken(rows, rule.take, key, ascending)
    if not row and not oddity:
        oddity = f'nothing was found by {rule.words}' if rule.log else f'nothing in {rule.words}'
    return row, oddity


def _rows_by_rule(rule: ResultRule, places: Places, key: str) -> tuple[Iterable[Row], str]:
    if rule.format == ORION:
        return _of_orion(places)
    if rule.format == METRICS:
        return _of_report(places)
    return _of_log(rule, places, key) if rule.log else _of_files(rule, places.output)


def files_of(rule: ResultRule, output: Path) -> list[Path]:
    """The files that a rule reads, in the order in which they are read."""
    found = matching_files(rule, output)
    return found if rule.format in OF_SEVERAL_FILES else found[-1:]


def matching_files(rule: ResultRule, output: Path) -> list[Path]:
    """The files in an output folder that a rule names, the last one last."""
    if not rule.file:
        return []
    return sorted(filter(Path.is_file, islice(output.glob(rule.file), MOST_FILES)), key=_natural)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Orders ``version_10`` behind ``version_9``."""
    parts = re.split(r'(\d+)', str(path))
    return [(1, int(part), '') if part.isdigit() else (0, 0, part) for part in parts]


def _taken(rows: Iterable[Row], take: str, key: str, ascending: bool) -> Row:
    if take == 'last':
        return last_of(rows)
    if take == 'best':
        return best_of(rows, key, ascending=ascending)
    end, _, column = take.partition(':')
    return best_of(rows, column, ascending=end == 'min')


def _of_log(rule: ResultRule, places: Places, key: str) -> tuple[Iterable[Row], str]:
    path = places.logs.get(rule.log)
    if path is None:
        return [], f'the log {rule.log} is not known any more'
    text, _ = decode(read_end(path, LARGEST_LOG))
    return printed_rows(text, rule.pattern, rule.key or key or RESULT), ''


def _of_orion(places: Places) -> tuple[Iterable[Row], str]:
    path = places.logs.get(ORION)
    if path is None:
        return [], 'the file of $ORION_RESULTS_PATH is not known any more'
    text, oddities = decode(read_fresh(path))
    if not text.strip():
        return [], 'nothing was reported to $ORION_RESULTS_PATH'
    return [_reported(json.loads(text))], '; '.join(oddities)


def _of_report(places: Places) -> tuple[Iterable[Row], str]:
    path = places.logs.get(METRICS)
    if path is None:
        return [], 'the file of $HPSEARCH_METRICS is not known any more'
    try:
        text, oddities = decode(read_fresh(path, LARGEST_TABLE))
    except FileNotFoundError:
        return [], 'nothing was reported to $HPSEARCH_METRICS'
    return ({name: value for name, value in row.items() if name != STEP} for row in json_rows(text)), '; '.join(
        oddities
    )


def _reported(results: Any) -> Row:
    """What a script has reported: ``[{"name": ..., "type": "objective", "value": ...}, ...]``.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(results, list) or not all(isinstance(each, Mapping) and 'value' in each for each in results):
        raise ValueError('a list of results with "name", "type" and "value" is expected')
    objectives = [text_of(each['value']) for each in results if each.get('type') == 'objective']
    named = {str(each.get('name', OBJECTIVE)): text_of(each['value']) for each in results}
    return {**({OBJECTIVE: objectives[-1]} if objectives else {}), **named}


def _of_files(rule: ResultRule, output: Path) -> tuple[Iterable[Row], str]:
    files = matching_files(rule, output)
    if not files:
        return [], f'no file {rule.file}'
    if rule.format in OF_SEVERAL_FILES:
        return _SEVERAL[rule.format](files), ''
    last = files[-1]
    rows, oddities = _of_file(rule.format, last)
    if len(files) > 1:
        oddities.append(f'{len(files)} files match {rule.file}, of which {last.relative_to(output)} counts')
    return rows, '; '.join(oddities)


def _of_file(form: str, path: Path) -> tuple[Iterable[Row], list[str]]:
    if form == 'wandb':
        return [flattened(summary_of(read_fresh(path, LARGEST_TABLE)))], []
    if form == 'sacred':
        return _sacred_rows(path), []
    text, oddities = decode(read_fresh(path, LARGEST_TABLE if form in _TABLES else LARGEST_SUMMARY))
    return _TABLES[form](text) if form in _TABLES else [_DOCUMENTS[form](text)], oddities


# Formats


_DOCUMENTS: Mapping[str, Callable[[str], Row]] = {
    'lines': lambda text: read_lines(text, ())[0],
    'json': lambda text: flattened(read_json(text)),
    'yaml': lambda text: flattened(read_yaml(text)),
    'toml': lambda text: flattened(read_toml(text)),
}


def _sacred_rows(path: Path) -> Iterator[Row]:
    """What Sacred's FileStorageObserver has written: metrics, and in ``run.json`` what the experiment returned.

    Metrics are ``{name: {"steps": [...], "values": [...]}}``, in ``metrics.json`` beside it.
    """
    series = {}
    metrics = path.with_name('metrics.json')
    for name, metric in (read_json(decode(read_fresh(metrics, LARGEST_TABLE))[0]) if metrics.exists() else {}).items():
        pairs = zip(metric.get('steps', ()), metric.get('values', ()), strict=False)
        series[str(name)] = [(int(step), str(value)) for step, value in pairs]
    yield from rows_by_step(series)
    returned = read_json(decode(read_fresh(path))[0]).get('result')
    if returned is not None:
        yield flattened(returned if isinstance(returned, Mapping) else {RESULT: returned})


_TABLES: Mapping[str, Callable[[str], Iterable[Row]]] = {
    'csv': csv_rows,
    'tsv': lambda text: csv_rows(text, '\t'),
    'jsonl': json_rows,
}


def _tensorboard_rows(files: list[Path]) -> Iterator[Row]:
    """The scalars of event files; a tag has its folder before it where there are several folders."""
    folders = {path.parent for path in files}
    root = common_folder(folders)
    series: dict[str, list[tuple[int, str]]] = {}
    for path in files:
        before = path.parent.relative_to(root).as_posix() + '/' if len(folders) > 1 and path.parent != root else ''
        for tag, step, value in scalars(read_fresh(path, LARGEST_TABLE)):
            series.setdefault(f'{before}{tag}', []).append((step, shortest(value)))
    return rows_by_step(series)


def common_folder(folders: Collection[Path]) -> Path:
    """The folder that all folders are in, or are."""
    common = takewhile(lambda parts: len(set(parts)) == 1, zip(*(folder.parts for folder in folders), strict=False))
    return Path(*(parts[0] for parts in common))


def _mlflow_rows(files: list[Path]) -> Iterator[Row]:
    """The metrics of MLflow's file store: a file per metric with lines ``timestamp value step``."""
    series: dict[str, list[tuple[int, str]]] = {}
    for path in files:
        lines = (line.split() for line in decode(read_fresh(path))[0].split('\n'))
        series[mlflow_name(path)] = [
            (int(words[2]), words[1]) for words in lines if len(words) == 3 and words[2].isdigit()
        ]
    return rows_by_step(series)


def mlflow_name(path: Path) -> str:
    """The name of the metric that a file of MLflow's store has: its path below the last folder ``metrics``."""
    parts = path.parts
    return '/'.join(parts[len(parts) - parts[::-1].index('metrics') :]) if 'metrics' in parts[:-1] else path.name


_SEVERAL: Mapping[str, Callable[[list[Path]], Iterable[Row]]] = {
    'tensorboard': _tensorboard_rows,
    'mlflow': _mlflow_rows,
}
