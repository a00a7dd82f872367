"""The table of results on disk: how it is written, and how often while a search runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from hpsearch.model.table import MoreColumns, Row, best, table
from hpsearch.store.whole_files import whole_file

SHARE_OF_TIME = 0.05
"""The largest share (0-1) of the time that rebuilding the table may take."""

SHORTEST_INTERVAL = 1.0
"""Seconds between two rebuilds, at least."""


def write_results(
    path: Path,
    rows: Iterable[Row],
    key: str | None,
    ascending: bool,
    expected: Collection[str] = (),
    more: Sequence[MoreColumns] = (),
) -> None:
    """Write the table that :func:`hpsearch.model.table.table` makes of the other arguments; see :func:`write_table`."""
    write_table(path, *table(rows, key, ascending, expected, more))


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table separated by ``;``, quoted where needed, whole or not at all.

    Raises:
        OSError: It cannot be written; the earlier file is untouched.
    """
    with whole_file(path, is_durable=False, errors='replace') as file:
        file.write(_line(columns))
        file.writelines(_line(cells) for cells in rows)


class ResultsView:
    """Keeps the table on disk up to date while a search runs, without spending much time on it.

    Its arguments are those of :func:`write_results`, where the code may become known later (:meth:`note_code`), and a
    clock in monotonic seconds.
    """

    def __init__(
        self,
        path: Path,
        key: str | None,
        ascending: bool,
        expected: Collection[str] = (),
        more: Sequence[MoreColumns] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.key = key
        self.ascending = ascending
        self._expected = expected
        self._more = more
        self._clock = clock
        self._rows: dict[str, Row] = {}
        self._changed = False
        self._not_before = -math.inf

    @property
    def rows(self) -> Collection[Row]:
        """The rows so far, one per run."""
        return self._rows.values()

    def put(self, row: Row) -> None:
        """Add the row of a run, or replace its earlier one."""
        if self._rows.get(row.name) != row:
            self._rows[row.name] = row
            self._changed = True

    def drop(self, name: str) -> None:
        """A run has no row any more, not even in the file."""
        self._rows.pop(name, None)
        self._changed = True

    def note_code(self) -> None:
        """What is known of the code of runs has changed."""
        self._changed = self._changed or (bool(self._more) and bool(self._rows))

    def has(self, name: str) -> bool:
        """Whether there is a row of this run."""
        return name in self._rows

    def due(self, now: float) -> bool:
        """Whether there is something new, and a rebuild ``now`` (seconds) stays within its share of the time."""
        return self._changed and now >= self._not_before

    def rebuild(self) -> None:
        """Write the file, due or not.

        Raises:
            OSError: It cannot be written; it stays due, but not at once.
        """
        begin = self._clock()
        try:
            rows = self._rows.values()
            write_results(self.path, rows, self.key, self.ascending, self._expected, self._more)
            self._changed = False
        finally:
            end = self._clock()
            self._not_before = end + max(SHORTEST_INTERVAL, (end - begin) / SHARE_OF_TIME)

    def best(self, n: int = 1) -> list[Row]:
        """The ``n`` best finished runs so far, best first."""
        return best(self._rows.values(), self.key, self.ascending, n)


def _line(cells: Sequence[str]) -> str:
    line = ';'.join(cells)
    # Most rows need no quotes, and one check of the whole line is much cheaper than one of every cell.
    if line.count(';') >= len(cells) or _is_special(line):
        line = ';'.join([_quoted(text) if ';' in text or _is_special(text) else text for text in cells])
    return line + '\n'


def _is_special(text: str) -> bool:
    return ',' in text or '"' in text or '\n' in text or '\r' in text


def _quoted(text: str) -> str:
    # Readers take a bare carriage return for the end of a row.
    text = text.replace('\r\n', '\n').replace('\r', '\n')
    return '"' + text.replace('"', '""') + '"'
