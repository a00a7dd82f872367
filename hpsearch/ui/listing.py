"""A plain table of any length: it fits a terminal, and is whole where something else reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

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
    shown = printable if width is None else short_cell
    padded = [_column(columns[place], [row[place] for row in rows], shown) for place in kept]
    for cells in zip(*padded, strict=True):
        yield GAP.join(cells).rstrip()
    if width is not None:
        yield from notes_on_columns(rows, columns, kept)


def _column(heading: str, cells: Sequence[str], shown: Callable[[str], str]) -> Iterator[str]:
    """A heading, the rule below it, and the cells, as wide as the widest of them; numbers stand to the right."""
    is_right = all(map(is_number, {*cells} - {''}))
    texts = [shown(text) for text in (heading, *cells)]
    widths = list(map(shown_width, texts))
    widest = max(widths)
    spaces = (' ' * (widest - width) for width in widths)
    first, *rest = (space + text if is_right else text + space for text, space in zip(texts, spaces, strict=True))
    yield from (first, '-' * widest, *rest)
