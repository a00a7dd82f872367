"""The table of results: which columns, in which order, how it is written and how often."""

from __future__ import annotations

import heapq
import math
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hpsearch.model.command import plain, unquoted
from hpsearch.model.configuration import Value
from hpsearch.model.run import Run
from hpsearch.model.states import State

OWN_COLUMNS = ('hpsearch_run', 'hpsearch_state', 'hpsearch_reason', 'hpsearch_seconds')
"""The last columns: name of the run, its state, why it is in it, seconds its last attempt took."""

SHARE_OF_TIME = 0.05
"""The largest share of the time that rebuilding the table may take."""

SHORTEST_INTERVAL = 1.0
"""Seconds between two rebuilds at least."""

_BETWEEN_VALUES = re.compile(r'[,\s]+')


@dataclass(frozen=True, slots=True)
class Row:
    """One ended run, as it is shown in the table.

    Attributes:
        number: Ordinal of the run in the search, from 1.
        name: Name of the run.
        params: Its hyperparameters together with its output option.
        values: Summary keyword to text.
        state: ``finished``, ``failed``, …
        reason: Why it is in this state; may be empty.
        seconds: How long its last attempt took, or None when that is not known.
    """

    number: int
    name: str
    params: Mapping[str, Value]
    values: Mapping[str, str]
    state: str
    reason: str = ''
    seconds: float | None = None


class EndedRun(Protocol):
    """What a row needs to know of the end of a run: an attempt and a completion both know it."""

    @property
    def state(self) -> State:
        """The state it ended in."""

    @property
    def reason(self) -> str:
        """Why it is in that state, in words."""

    @property
    def summary(self) -> Mapping[str, str]:
        """Keyword to text of its summary."""

    @property
    def seconds(self) -> float | None:
        """How long its last attempt took, if known."""


def row_of(run: Run, ended: EndedRun, output: Path | str, out_arg: str | None) -> Row:
    """The row of a run.

    Args:
        run: The run.
        ended: How it ended.
        output: Its output folder.
        out_arg: The column that names the folder; ``out_dir`` where the script takes no such option.
    """
    params = {**run.params, (out_arg or 'out_dir'): str(output)}
    return Row(run.number, run.name, params, ended.summary, ended.state.value, ended.reason, ended.seconds)


def performance_number(text: str | None) -> float | None:
    """Reads a cell as a number: of a list its first value. None when it is not a number; nan is a number."""
    words = _BETWEEN_VALUES.split((text or '').strip(' \t"\'[]()'), maxsplit=1)
    try:
        return float(words[0])
    except ValueError:
        return None


def sorted_rows(rows: Iterable[Row], key: str | None, ascending: bool) -> list[Row]:
    """Sorts by performance: numbers, then other texts, then nan and missing values; equals by run number.

    Args:
        rows: The rows in any order.
        key: Summary keyword to sort by; None: only by run number.
        ascending: Whether the smallest number comes first.
    """
    return sorted(rows, key=_order(key, ascending))


def best(rows: Iterable[Row], key: str | None, ascending: bool, n: int = 1) -> list[Row]:
    """Gives the ``n`` best finished runs, best first; runs without a number for the key are left out."""
    candidates = (row for row in rows if row.state == 'finished' and _is_number(row, key))
    return heapq.nsmallest(n, candidates, key=_order(key, ascending))


def table(
    rows: Iterable[Row], key: str | None, ascending: bool, expected: Collection[str] = ()
) -> tuple[list[str], list[list[str]]]:
    """Lays the table out.

    Args:
        rows: The ended runs in any order.
        key: Summary keyword to sort by.
        ascending: Whether the smallest number comes first.
        expected: Columns that are there even when no row has them, e.g. the keywords of the configuration.

    Returns:
        The names of the columns, and the cells of each row. A summary keyword that is also the name of a parameter is
        in the column ``summary_<keyword>``.
    """
    columns, cells = _layout(rows, key, ascending, expected)
    return columns, list(cells)


def write_results(
    path: Path, rows: Iterable[Row], key: str | None, ascending: bool, expected: Collection[str] = ()
) -> None:
    """Writes the table as text separated by ``;``: complete or, whatever happens, not at all.

    Args:
        path: The file, which is replaced.
        rows: See :func:`table`, as for ``key``, ``ascending`` and ``expected``.

    Raises:
        OSError: It cannot be written; the earlier file is untouched.
    """
    columns, cells = _layout(rows, key, ascending, expected)
    write_table(path, columns, cells)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes any table in the form of the results: ``;``, quotes where needed, lists in quotes, renamed into place.

    Raises:
        OSError: It cannot be written; the earlier file is untouched.
    """
    temporary = path.with_name(f'.{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp')
    try:
        with temporary.open('w', encoding='utf-8', errors='replace', newline='') as file:
            file.write(_line(columns))
            file.writelines(_line(cells) for cells in rows)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


class ResultsView:
    """Keeps the table on disk up to date while a search runs, without spending much time on it.

    Args:
        path: The file.
        key: Summary keyword to sort by.
        ascending: Whether the smallest number comes first.
        expected: Columns that are always there.
        clock: Gives seconds that only grow; it measures how long a rebuild takes.
    """

    def __init__(
        self,
        path: Path,
        key: str | None,
        ascending: bool,
        expected: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.key = key
        self.ascending = ascending
        self._expected = expected
        self._clock = clock
        self._rows: dict[str, Row] = {}
        self._changed = False
        self._not_before = -math.inf

    @property
    def rows(self) -> Collection[Row]:
        """The rows so far, one per run."""
        return self._rows.values()

    def put(self, row: Row) -> None:
        """Adds the row of a run, or replaces it when that run ended before."""
        if self._rows.get(row.name) != row:
            self._rows[row.name] = row
            self._changed = True

    def has(self, name: str) -> bool:
        """Says whether there is a row of this run."""
        return name in self._rows

    def due(self, now: float) -> bool:
        """Says whether there is something new and rebuilding stays within its share of the time.

        Args:
            now: Seconds of the same clock.
        """
        return self._changed and now >= self._not_before

    def rebuild(self) -> None:
        """Writes the file now, due or not.

        Raises:
            OSError: It cannot be written; it stays due, but not at once.
        """
        begin = self._clock()
        try:
            write_results(self.path, self._rows.values(), self.key, self.ascending, self._expected)
            self._changed = False
        finally:
            end = self._clock()
            self._not_before = end + max(SHORTEST_INTERVAL, (end - begin) / SHARE_OF_TIME)

    def best(self, n: int = 1) -> list[Row]:
        """Gives the ``n`` best finished runs so far, best first."""
        return best(self._rows.values(), self.key, self.ascending, n)


def cell(value: Value) -> str:
    """Gives a hyperparameter as it stands in the table: of a string, one pair of enclosing quotes is removed."""
    if type(value) in (int, float, bool):
        return str(value)
    value = plain(value)
    return unquoted(value) if isinstance(value, str) else str(value)


def _order(key: str | None, ascending: bool) -> Callable[[Row], tuple[int, float, int]]:
    sign = 1.0 if ascending else -1.0

    def order(row: Row) -> tuple[int, float, int]:
        text = row.values.get(key) if key is not None else None
        number = performance_number(text)
        if not text or (number is not None and math.isnan(number)):
            return (2, 0.0, row.number)
        return (1, 0.0, row.number) if number is None else (0, sign * number, row.number)

    return order


def _is_number(row: Row, key: str | None) -> bool:
    number = performance_number(row.values.get(key)) if key is not None else None
    return number is not None and not math.isnan(number)


def _names(rows: Iterable[Row]) -> tuple[dict[str, None], dict[str, None]]:
    params: dict[str, None] = {}
    keywords: dict[str, None] = {}
    for row in rows:
        params.update(dict.fromkeys(row.params))
        keywords.update(dict.fromkeys(row.values))
    return params, keywords


def _layout(
    rows: Iterable[Row], key: str | None, ascending: bool, expected: Collection[str]
) -> tuple[list[str], Iterator[list[str]]]:
    ordered = sorted_rows(rows, key, ascending)
    params, keywords = _names(ordered)
    columns = [*params, *(f'summary_{keyword}' if keyword in params else keyword for keyword in keywords)]
    columns += [name for name in dict.fromkeys(expected) if name not in columns]
    order = sorted(range(len(columns)), key=columns.__getitem__)
    empty = [''] * (len(columns) - len(params) - len(keywords))
    return [*(columns[place] for place in order), *OWN_COLUMNS], (
        _cells(row, tuple(params), tuple(keywords), empty, order) for row in ordered
    )


def _cells(
    row: Row, params: Sequence[str], keywords: Sequence[str], empty: list[str], order: Sequence[int]
) -> list[str]:
    cells = [cell(row.params[name]) if name in row.params else '' for name in params]
    cells += [row.values.get(name, '') for name in keywords]
    cells += empty
    seconds = '' if row.seconds is None else f'{row.seconds:.3f}'
    return [*(cells[place] for place in order), row.name, row.state, row.reason, seconds]


def _line(cells: Sequence[str]) -> str:
    line = ';'.join(cells)
    # Most rows need no quotes anywhere, and one look at the whole is much cheaper than one at every cell.
    if line.count(';') >= len(cells) or _is_special(line):
        line = ';'.join([_quoted(text) if ';' in text or _is_special(text) else text for text in cells])
    return line + '\n'


def _is_special(text: str) -> bool:
    return ',' in text or '"' in text or '\n' in text or '\r' in text


def _quoted(text: str) -> str:
    # Readers take a bare carriage return for the end of a row.
    text = text.replace('\r\n', '\n').replace('\r', '\n')
    return '"' + text.replace('"', '""') + '"'
