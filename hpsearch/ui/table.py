"""The table of the best runs: which columns have room, and how it is printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from hpsearch.model.units import read_number
from hpsearch.ui.format import printable
from hpsearch.ui.terminal import Sink, Terminal, is_tty, shown_width, string_console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDEST_CELL = 32
DIGITS = 6

_RULE = ''.join(f'{row}\n' for row in ('    ', '    ', ' -- ', '    ', '    ', '    ', '    ', '    '))
"""The lines of a table as rich describes them: a rule below the headings, and a space between columns."""


def shortened(text: str) -> str:
    """A number as it was printed, with at most six significant digits, or any other text as it is."""
    reading = read_number(text)
    if reading is None or not reading.is_single:
        return text
    is_long = sum(map(str.isdigit, reading.text)) > DIGITS and not reading.text.lstrip('+-').isdigit()
    unit = reading.text[-len(reading.unit) :] if reading.unit else ''
    return f'{reading.value:.{DIGITS}g}{unit}' if is_long else reading.text


def choose_columns(rows: Sequence[Sequence[str]], columns: Sequence[str], width: int) -> list[int]:
    """Which columns of a table are shown on a terminal of this width, as indices in their order.

    The first column always is. Where the others do not fit, those with one value in all rows are dropped first, then
    the last ones.
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
    """A plain table of the best runs, best first, with a note on what had no room; ends with a newline."""
    return _drawn(rows, columns, string_console(width, is_terminal=False))


def print_table(stream: TextIO, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints the best runs, best first, as a table that fits the stream; never raises because of the stream.

    A terminal gets a styled table, anything else a plain one of at most 120 columns.
    """
    if not is_tty(stream):
        Sink(stream).write(best_table(rows, columns))
        return
    terminal = Terminal(stream)
    terminal.write(_drawn(rows, columns, string_console(terminal.size()[0] - 1)))
    terminal.close()


def _drawn(rows: Sequence[Sequence[str]], columns: Sequence[str], console: Console) -> str:
    """The table and its notes, with the styles that the console has."""
    from rich.text import Text

    if not columns:
        return ''
    kept = choose_columns(rows, columns, console.width)
    with console.capture() as captured:
        console.print(_table(rows, columns, kept), no_wrap=True, crop=True)
        for note in notes_on_columns(rows, columns, kept):
            console.print(Text(note, 'dim'))
    return ''.join(f'{line.rstrip()}\n' for line in captured.get().splitlines())


def _table(rows: Sequence[Sequence[str]], columns: Sequence[str], kept: Sequence[int]) -> Table:
    from rich.box import Box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=Box(_RULE), show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style='bold')
    for index in kept:
        is_right = all(is_number(row[index]) for row in rows if row[index])
        table.add_column(Text(short_cell(columns[index])), justify='right' if is_right else 'left', no_wrap=True)
    for rank, row in enumerate(rows):
        table.add_row(*(Text(short_cell(row[index])) for index in kept), style='' if rank else 'bold green')
    return table


def short_cell(text: str) -> str:
    """A cell in one line, cut where it is too long."""
    text = printable(text)
    return text if len(text) <= WIDEST_CELL else text[: WIDEST_CELL - 2] + '..'


def _cell_width(rows: Sequence[Sequence[str]], columns: Sequence[str], index: int) -> int:
    return max(shown_width(short_cell(line[index])) for line in [columns, *rows])


def _is_constant(rows: Sequence[Sequence[str]], index: int) -> bool:
    return len(rows) > 1 and len({row[index] for row in rows}) == 1


def is_number(text: str) -> bool:
    """Whether a cell is one number."""
    reading = read_number(text)
    return reading is not None and reading.is_single


def notes_on_columns(rows: Sequence[Sequence[str]], columns: Sequence[str], kept: Sequence[int]) -> list[str]:
    """What is said of the columns that are not shown; ``kept``: the indices of those that are."""
    dropped = [index for index in range(len(columns)) if index not in set(kept)]
    same = [f'{columns[index]}={short_cell(rows[0][index])}' for index in dropped if _is_constant(rows, index)]
    other = [columns[index] for index in dropped if not _is_constant(rows, index)]
    notes = [('the same in all of them: ', same), ('no room for: ', other)]
    return [printable(head + ', '.join(names)) for head, names in notes if names]
