"""A plain table of any length: it fits a terminal, and is whole where something else reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hpsearch.ui.format import printable
from hpsearch.ui.table import choose_columns, is_number, notes_on_columns, short_cell
from hpsearch.ui.terminal import shown_width

GAP = '  '


def listed(rows: Sequence[Sequence[str]], columns: Sequence[str], width: int | None) -> Iterator[str]:
    """The lines of a table, with notes on columns that have no room.

    Args:
        rows: Cells of each row.
        columns: Their headings.
        width: Columns of the terminal; None: all columns are shown, and no cell is shortened.
    """
    kept = list(range(len(columns))) if width is None else choose_columns(rows, columns, width)
    cell = printable if width is None else short_cell
    lines = [[cell(line[place]) for place in kept] for line in (columns, *rows)]
    widths = [max(map(shown_width, column)) for column in zip(*lines, strict=True)]
    to_the_right = [all(is_number(row[place]) for row in rows if row[place]) for place in kept]
    for number, cells in enumerate(lines):
        yield _line(cells, widths, to_the_right)
        if not number:
            yield GAP.join('-' * each for each in widths)
    if width is not None:
        yield from notes_on_columns(rows, columns, kept)


def _line(cells: Sequence[str], widths: Sequence[int], to_the_right: Sequence[bool]) -> str:
    padded = []
    for cell, width, is_right in zip(cells, widths, to_the_right, strict=True):
        space = ' ' * (width - shown_width(cell))
        padded.append(space + cell if is_right else cell + space)
    return GAP.join(padded).rstrip()
