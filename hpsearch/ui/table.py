"""The table of the best runs: which columns have room, and how it is printed."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TextIO

from hpsearch.ui.format import printable
from hpsearch.ui.terminal import Sink, Terminal, is_tty, shown_width, string_console

WIDEST_CELL = 32


def choose_columns(rows: Sequence[Sequence[str]], columns: Sequence[str], width: int) -> list[int]:
    """Which columns of a table are shown, as indices in their order.

    The first column always is. Where the others do not fit, those with one value in all rows go first, then the
    last ones.

    Args:
        rows: The cells.
        columns: The headings.
        width: Columns of the terminal.
    """
    widths = [_cell_width(rows, columns, index) + 2 for index in range(len(columns))]
    kept = list(range(len(columns)))
    constant = [index for index in kept if _is_constant(rows, index)]
    varying = [index for index in kept if index not in constant]
    for index in [*reversed(constant), *reversed(varying)]:
        if sum(widths[i] for i in kept) <= width + 2:
            break
        if index:
            kept.remove(index)
    return kept


def best_table(rows: Sequence[Sequence[str]], columns: Sequence[str], width: int = 120) -> str:
    """A plain table of the best runs, with a note on what had no room; ends with a newline.

    Args:
        rows: The cells, best run first.
        columns: The headings, the most important one first.
        width: Columns of the terminal.
    """
    if not columns:
        return ''
    kept = choose_columns(rows, columns, width)
    table = [[_cell(line[index]) for index in kept] for line in [columns, *rows]]
    aligned = [_aligned(column) for column in zip(*table, strict=True)]
    lines = ['  '.join(line).rstrip()[:width] for line in zip(*aligned, strict=True)]
    rule = '-' * max(map(shown_width, lines))
    return '\n'.join([*lines[:1], rule, *lines[1:], *_notes(rows, columns, kept, width)]) + '\n'


def print_table(stream: TextIO, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints the best runs as a table that fits the stream; never raises because of the stream.

    Args:
        stream: A terminal gets a styled table, anything else a plain one of at most 120 columns.
        columns: The headings, the most important one first.
        rows: The cells, best run first.
    """
    if not is_tty(stream):
        Sink(stream).write(best_table(rows, columns))
        return
    terminal = Terminal(stream)
    width = terminal.size()[0] - 1
    terminal.write(_styled_table(rows, columns, width))
    terminal.close()


def _styled_table(rows: Sequence[Sequence[str]], columns: Sequence[str], width: int) -> str:
    """The same table as :func:`best_table`, its headings and its notes set off by their style."""
    from rich.text import Text

    lines = best_table(rows, columns, width).splitlines()
    styles = ['bold', 'dim', *['bold green'] * bool(rows), *[''] * (len(rows) - 1)]
    console = string_console(width)
    with console.capture() as captured:
        for index, line in enumerate(lines):
            console.print(Text(line, styles[index] if index < len(styles) else 'dim'), no_wrap=True, crop=True)
    return captured.get()


def _cell(text: str) -> str:
    text = printable(text)
    return text if len(text) <= WIDEST_CELL else text[: WIDEST_CELL - 2] + '..'


def _cell_width(rows: Sequence[Sequence[str]], columns: Sequence[str], index: int) -> int:
    return max(shown_width(_cell(line[index])) for line in [columns, *rows])


def _is_constant(rows: Sequence[Sequence[str]], index: int) -> bool:
    return len(rows) > 1 and len({row[index] for row in rows}) == 1


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _aligned(column: Sequence[str]) -> list[str]:
    """The cells of a column, heading first, padded to one width; numbers to the right."""
    width = max(map(shown_width, column))
    to_right = all(_is_number(cell) for cell in column[1:] if cell)
    gaps = [' ' * (width - shown_width(cell)) for cell in column]
    return [gap + cell if to_right else cell + gap for cell, gap in zip(column, gaps, strict=True)]


def _notes(rows: Sequence[Sequence[str]], columns: Sequence[str], kept: Sequence[int], width: int) -> list[str]:
    dropped = [index for index in range(len(columns)) if index not in set(kept)]
    same = [f'{columns[index]}={_cell(rows[0][index])}' for index in dropped if _is_constant(rows, index)]
    other = [columns[index] for index in dropped if not _is_constant(rows, index)]
    notes = [('the same in all of them: ', same), ('no room for: ', other)]
    texts = [printable(head + ', '.join(names)) for head, names in notes if names]
    return [line for text in texts for line in textwrap.wrap(text, max(20, width))]
