"""How what is known of runs is written: as a table for people, as JSON, or as CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from hpsearch.records.expression import Scalar
from hpsearch.records.search import SearchRecord
from hpsearch.ui.format import printable
from hpsearch.ui.listing import listed
from hpsearch.ui.table import shortened
from hpsearch.ui.terminal import Terminal, is_tty, put_line

MOST_NOTES = 5
"""Notes about the same thing that are shown."""


class Form(Enum):
    """For whom it is written."""

    PEOPLE = 'people'
    JSON = 'json'
    CSV = 'csv'


@dataclass(frozen=True)
class Sheet:
    """Values of runs.

    Attributes:
        columns: Their names.
        rows: A row for each run.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Scalar]]


def form_of(args: Any) -> Form:
    """What a command line asks for."""
    return Form.JSON if args.json else Form.CSV if args.csv else Form.PEOPLE


def lines_of(sheet: Sheet, form: Form) -> Iterator[str]:
    """A sheet in lines, for standard output as it is now."""
    if form is Form.JSON:
        return json_lines(sheet)
    if form is Form.CSV:
        return csv_lines(sheet)
    return table_lines(sheet, terminal_width())


def json_lines(sheet: Sheet) -> Iterator[str]:
    """An array with an object for each row, one a line."""
    yield '['
    last = len(sheet.rows) - 1
    for place, row in enumerate(sheet.rows):
        text = strict_json(dict(zip(sheet.columns, row, strict=True)))
        yield text + ('' if place == last else ',')
    yield ']'


def strict_json(value: Any, indent: int | None = None) -> str:
    """JSON; numbers that it does not know, such as nan, are null."""
    return json.dumps(_finite(value), allow_nan=False, indent=indent)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def csv_lines(sheet: Sheet) -> Iterator[str]:
    """A heading and a line for each row, by RFC 4180; each ends with a carriage return."""
    for row in (sheet.columns, *sheet.rows):
        line = io.StringIO()
        csv.writer(line).writerow(['' if value is None else value for value in row])
        yield line.getvalue().removesuffix('\n')


def table_lines(sheet: Sheet, width: int | None) -> Iterator[str]:
    """A table; on a terminal of so many columns it fits them, and long numbers have six digits."""
    shown = shortened if width is not None else str
    rows = [['' if value is None else shown(str(value)) for value in row] for row in sheet.rows]
    return listed(rows, sheet.columns, width) if sheet.rows else iter(())


def few_of(notes: Sequence[str]) -> list[str]:
    """The first of many notes, and how many there are."""
    more = len(notes) - MOST_NOTES
    return [*notes[:MOST_NOTES], *([f'and {more} more like these'] if more > 0 else [])]


def tell_unread(search: SearchRecord) -> None:
    """Say on standard error what could not be read of a search, of which the rest is shown."""
    for note in few_of(search.notes):
        put_line(sys.stderr, f'hpsearch: {printable(note)}')


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is; None: it is none."""
    if not is_tty(sys.stdout):
        return None
    terminal = Terminal(sys.stdout)
    try:
        return terminal.size()[0] - 1
    finally:
        terminal.close()
