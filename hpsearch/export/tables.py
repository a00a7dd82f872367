"""A search as plain CSV files, with commas, for spreadsheets and other programs."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from hpsearch.export.search import ExportedRun, ExportedSearch, scalar

_ABOUT_RUN = ('run', 'number', 'state', 'reason', 'begun', 'ended')


def write_tables(search: ExportedSearch, path: Path) -> None:
    """Write a row for each run; beside it, for runs that report while they go, ``…_metrics.csv`` with a row per value.

    Raises:
        OSError: They cannot be written.
    """
    params = list(dict.fromkeys(name for run in search.runs for name in run.record.params))
    keywords = list(dict.fromkeys(name for run in search.runs for name in (*run.values, *run.texts)))
    header = [*_ABOUT_RUN, *(f'param.{name}' for name in params), *(f'result.{name}' for name in keywords)]
    _write(path, header, (_row(run, params, keywords) for run in search.runs))
    if any(run.curves for run in search.runs):
        metrics = path.with_name(f'{path.stem}_metrics.csv')
        _write(metrics, ['run', 'metric', 'step', 'value'], (row for run in search.runs for row in _points(run)))


def _row(run: ExportedRun, params: Iterable[str], keywords: Iterable[str]) -> list[object]:
    record = run.record
    about = [record.name, record.number, record.state.value, run.attempt.reason, _time(run.begun), _time(run.ended)]
    chosen = [scalar(record.params[name]) if name in record.params else '' for name in params]
    return [*about, *chosen, *(run.values.get(name, run.texts.get(name, '')) for name in keywords)]


def _points(run: ExportedRun) -> Iterator[list[object]]:
    for metric, curve in run.curves.items():
        for step in sorted(curve):
            yield [run.record.name, metric, int(step) if float(step).is_integer() else step, curve[step]]


def _time(seconds: float | None) -> str:
    return '' if seconds is None else time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(seconds))


def _write(path: Path, header: list[str], rows: Iterable[list[object]]) -> None:
    with open(path, 'x', encoding='utf-8', errors='surrogateescape', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
