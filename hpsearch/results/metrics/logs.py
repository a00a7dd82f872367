"""Logs that grow: their bytes come in pieces, and become points."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from hpsearch.results.metrics.growing import Lines
from hpsearch.results.metrics.points import Point, Steps, step_name
from hpsearch.results.rows import Row, flattened, json_rows, row_of_match
from hpsearch.results.rules import RESULT, ResultRule
from hpsearch.results.tensorboard import EventRecords, scalars_of_record, shortest
from hpsearch.results.wandb import LogRecords, history_of_record

MOST_LINES = 20
"""Lines that an expression is looked for in, where it has a line break; otherwise it is looked for in each line."""


class Reader(Protocol):
    """Reads one log from its beginning. The points do not depend on the pieces in which it comes."""

    def feed(self, data: bytes) -> Iterable[Point]:
        """The points of what has been completed by a further piece."""


class TableReader:
    """A table with a header (CSV, TSV)."""

    def __init__(self, step: str, delimiter: str) -> None:
        self._steps, self._lines = Steps(step), Lines()
        self._delimiter = delimiter
        self._header: list[str] = []

    def feed(self, data: bytes) -> Iterator[Point]:
        return self._steps.points(row for line in self._lines.feed(data) for row in self._rows(line))

    def _rows(self, line: str) -> Iterator[Row]:
        cells = self._cells(line)
        if not any(cells) or cells == self._header:
            return
        if not self._header:
            self._header = cells
            self._steps.look_in(cells)
        else:
            yield {name: cell for name, cell in zip(self._header, cells, strict=False) if name and cell}

    def _cells(self, line: str) -> list[str]:
        try:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=self._delimiter, skipinitialspace=True))]
        except (csv.Error, StopIteration):
            return []


class JsonLinesReader:
    """A JSON object per line; a line that is none is left out."""

    def __init__(self, step: str) -> None:
        self._steps, self._lines = Steps(step), Lines()

    def feed(self, data: bytes) -> Iterator[Point]:
        return self._steps.points(row for line in self._lines.feed(data) for row in json_rows(line))


class PrintedReader:
    """What a regular expression finds in what a script prints.

    Its group ``step``, or one named like a step, is the step. Without one, matches are counted.
    """

    def __init__(self, rule: ResultRule, key: str) -> None:
        self._expression = re.compile(rule.pattern, re.MULTILINE)
        self._key = rule.key or key or RESULT
        self._steps = Steps(rule.step or step_name(self._expression.groupindex))
        self._lines = Lines(b'\r\n')  # progress bars go back to the beginning of their line
        self._most_lines = MOST_LINES if r'\n' in rule.pattern or '\n' in rule.pattern else 1
        self._before: list[str] = []

    def feed(self, data: bytes) -> Iterator[Point]:
        return self._steps.points(row for line in self._lines.feed(data) for row in self._rows(line))

    def _rows(self, line: str) -> Iterator[Row]:
        text = '\n'.join([*self._before, line])
        end = 0
        for match in self._expression.finditer(text):
            end = match.end()
            yield row_of_match(match, self._key)
        if self._most_lines > 1:
            self._before = text[end:].split('\n')[1 - self._most_lines :]


class EventFileReader:
    """One event file of TensorBoard; ``prefix``: says what stands before its tags at the moment."""

    def __init__(self, prefix: Callable[[], str]) -> None:
        self._records = EventRecords()
        self._prefix = prefix

    def feed(self, data: bytes) -> Iterator[Point]:
        prefix = self._prefix()
        for record in self._records.feed(data):
            for tag, step, value in scalars_of_record(record):
                yield step, {f'{prefix}{tag}': float(shortest(value))}


class WandbReader:
    """The file of a run of W&B, without what W&B itself logs, such as ``_runtime``."""

    def __init__(self, step: str) -> None:
        self._records, self._steps = LogRecords(), Steps(step)

    def feed(self, data: bytes) -> Iterator[Point]:
        rows = (row for record in self._records.feed(data) for row in history_of_record(record))
        return self._steps.points(
            {name: text for name, text in row.items() if name[:1] != '_' or name == '_step'} for row in rows
        )


class MlflowReader:
    """One metric in MLflow's file store: lines ``timestamp value step``."""

    def __init__(self, name: str) -> None:
        self._lines, self._steps, self._name = Lines(), Steps('step'), name

    def feed(self, data: bytes) -> Iterator[Point]:
        words = (line.split() for line in self._lines.feed(data))
        return self._steps.points({'step': each[2], self._name: each[1]} for each in words if len(each) == 3)


def document_rows(document: object) -> list[Row]:
    """The rows of a JSON document: those of a list, of ``log_history`` (Hugging Face's Trainer), or it is one."""
    if isinstance(document, Mapping):
        document = document.get('log_history', [document])
    return [flattened(row) for row in document if isinstance(row, Mapping)] if isinstance(document, list) else []
