"""Rows of metrics, one per step of a training, of which one is the result."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hpsearch.model.units import is_ambiguous, read_number
from hpsearch.results.text import text_of

Row = dict[str, str]
"""Keyword to text; what has no value is left out."""

STEP = 'step'
"""The group of an expression that says how far a training is."""

LONGEST_CELL = 1 << 20
"""Characters of a cell; the csv module refuses a longer one."""

MOST_NESTED = 16
"""Levels of a document that become keywords; what is below is one text."""


def csv_rows(text: str, delimiter: str = ',') -> Iterator[Row]:
    """The rows of a table with a header.

    Raises:
        ValueError: It is none.
    """
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        for cells in reader:
            yield {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name and cell.strip()}
    except csv.Error as error:
        raise ValueError(f'line {reader.line_num}: {error}') from error


def json_rows(text: str) -> Iterator[Row]:
    """The rows of a text that has a JSON object per line; a line that is none, as the last one of many, is left out."""
    for line in text.split('\n'):
        try:
            row = json.loads(line) if line else None
        except (ValueError, RecursionError):
            continue
        if isinstance(row, Mapping):
            yield flattened(row)


def printed_rows(text: str, pattern: str, keyword: str) -> Iterator[Row]:
    """What a regular expression finds in a log: a row per match, by the names of its groups.

    Args:
        text: The log.
        pattern: The expression.
        keyword: The keyword of its first group, or of the whole match, where no group has the name of a metric.
    """
    for match in re.finditer(pattern, text, re.MULTILINE):
        yield row_of_match(match, keyword)


def row_of_match(match: re.Match[str], keyword: str) -> Row:
    """What one match of an expression says; arguments as those of :func:`printed_rows`."""
    named = {name: found for name, found in match.groupdict().items() if found is not None}
    if named.keys() - {STEP} or not match.re.groups:
        return named or {keyword: match[0]}
    others = set(range(1, match.re.groups + 1)) - set(match.re.groupindex.values())
    value = match[min(others)] if others else None
    return named if value is None else {**named, keyword: value}


def rows_by_step(series: Mapping[str, Iterable[tuple[int, str]]]) -> Iterator[Row]:
    """Rows in the order of steps, from the values of each keyword with their steps."""
    rows: dict[int, Row] = {}
    for keyword, values in series.items():
        for step, text in values:
            rows.setdefault(step, {})[keyword] = text
    return (rows[step] for step in sorted(rows))


def flattened(document: Mapping[Any, Any], before: str = '', depth: int = MOST_NESTED) -> Row:
    """A document as a row: a nested keyword is ``outer.inner``."""
    row: Row = {}
    for key, value in document.items():
        if isinstance(value, Mapping) and value and depth:
            row |= flattened(value, f'{before}{key}.', depth - 1)
        else:
            row[f'{before}{key}'] = text_of(value)
    return row


def last_of(rows: Iterable[Row]) -> Row:
    """The last value of each keyword: scripts log some of them in some rows only."""
    last: Row = {}
    for row in rows:
        last |= row
    return last


def best_of(rows: Iterable[Row], key: str, *, ascending: bool) -> Row:
    """The row in which a keyword is best, the first of equal ones; what it lacks has its last value above it.

    Args:
        rows: The rows in order.
        key: The keyword.
        ascending: Whether the smallest number is the best.
    """
    so_far: Row = {}
    best: Row = {}
    record: float | None = None
    for row in rows:
        so_far |= row
        number = _number(row.get(key))
        if number is not None and (record is None or (number < record if ascending else number > record)):
            best, record = dict(so_far), number
    return best


def _number(text: str | None) -> float | None:
    reading = None if is_ambiguous(text) else read_number(text)
    return None if reading is None or reading.value != reading.value else reading.value
