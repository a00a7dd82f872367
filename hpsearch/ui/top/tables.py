"""Tables of the view: their columns, the order of their rows, and how they are laid out in the cells there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hpsearch.ui.head import Line
from hpsearch.ui.table import shortened
from hpsearch.ui.top.cells import filled, harmless, width_of

RowT = TypeVar('RowT')

WIDEST = 24
"""Cells of a column at most."""

SHORTEST = 10
"""Cells in which it makes sense to show a long text."""

GAP = 2
"""Blanks between two columns."""


@dataclass(frozen=True)
class Column(Generic[RowT]):
    """A column.

    Attributes:
        title: Its heading.
        text: What stands in it.
        key: By what it is sorted; None: there is nothing, which comes last in either direction.
        right: Whether it is aligned to the right.
        widest: Cells it takes at most.
        style: The style of a cell.
        is_fixed: Whether it stays when the others are moved to the left.
    """

    title: str
    text: Callable[[RowT], str]
    key: Callable[[RowT], Any]
    right: bool = False
    widest: int = WIDEST
    style: Callable[[RowT], str] = lambda row: ''
    is_fixed: bool = False


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of rows.

    Attributes:
        title: The column; empty: the usual order.
        is_reversed: Whether the last is first.
    """

    title: str = ''
    is_reversed: bool = False


def sorted_by(rows: Sequence[RowT], columns: Sequence[Column[RowT]], sort: Sort) -> list[RowT]:
    """The rows in an order; rows that are equal stay as they are, and those without a value come last."""
    column = next((each for each in columns if each.title == sort.title), None)
    if column is None:
        return list(reversed(rows)) if sort.is_reversed else list(rows)
    keys = {id(row): column.key(row) for row in rows}
    given = [row for row in rows if keys[id(row)] is not None]
    missing = [row for row in rows if keys[id(row)] is None]
    given.sort(key=lambda row: comparable(keys[id(row)]), reverse=sort.is_reversed)
    return given + missing


def comparable(value: Any) -> tuple[int, float, str]:
    """A key by which values of any types can be sorted: numbers, then texts."""
    if isinstance(value, int | float):
        is_number = value == value
        return (0, float(value), '') if is_number else (1, 0.0, '')
    return (2, 0.0, str(value))


def next_sort(sort: Sort, titles: Sequence[str]) -> Sort:
    """The order by the next column, after the last one the usual order."""
    order = ['', *titles]
    at = order.index(sort.title) if sort.title in order else 0
    return Sort(order[(at + 1) % len(order)])


def table_lines(
    rows: Sequence[RowT], columns: Sequence[Column[RowT]], sort: Sort, selected: int, width: int, shift: int = 0
) -> list[Line]:
    """A heading, and a line for each row.

    Args:
        rows: Those that are in sight.
        columns: All columns; the last ones are left out where there is no room for them.
        sort: The order, which is marked in the heading.
        selected: Index of the row that is marked; -1: none.
        width: Cells of a line.
        shift: How many of the columns that are not fixed are left out on the left.
    """
    shown = _moved(columns, shift)
    cells = [[harmless(column.text(row)) for column in shown] for row in rows]
    titles = [_title(column, sort) for column in shown]
    widths = [
        min(column.widest, max(width_of(title), *(width_of(line[index]) for line in cells), 0))
        for index, (column, title) in enumerate(zip(shown, titles, strict=True))
    ]
    widths = _shortened(widths, shown, width - GAP)
    kept = _kept(widths, width - GAP)
    more = '…' if kept < len(shown) else ''
    head = [filled(titles[at], widths[at], right=shown[at].right) for at in range(kept)]
    lines: list[Line] = [[('  ' + (' ' * GAP).join(head) + more, 'bold dim')]]
    for index, row in enumerate(rows):
        mark, whole = ('> ', 'reverse') if index == selected else ('  ', '')
        line: Line = [(mark, whole)]
        for at in range(kept):
            text = filled(cells[index][at], widths[at], right=shown[at].right)
            line += [(' ' * GAP, whole)] if at else []
            line.append((text, whole or shown[at].style(row)))
        lines.append(line)
    return lines


def _moved(columns: Sequence[Column[RowT]], shift: int) -> list[Column[RowT]]:
    fixed = [column for column in columns if column.is_fixed]
    others = [column for column in columns if not column.is_fixed]
    return fixed + others[min(shift, max(0, len(others) - 1)) :]


def _title(column: Column[RowT], sort: Sort) -> str:
    title = harmless(column.title)
    return f'{title}{"v" if sort.is_reversed else "^"}' if sort.title == column.title else title


def _shortened(widths: Sequence[int], columns: Sequence[Column[RowT]], width: int) -> list[int]:
    """The widths of columns where a long text gets the room that is left; it is cut then."""
    used = 0
    for index, each in enumerate(widths):
        room = width - used
        if each > room >= SHORTEST and columns[index].widest > WIDEST:
            return [*widths[:index], room, *widths[index + 1 :]]
        used += each + GAP
    return list(widths)


def _kept(widths: Iterable[int], width: int) -> int:
    """How many of the columns fit; the first one always does."""
    used, kept = 0, 0
    for each in widths:
        used += each + (GAP if kept else 0)
        if kept and used > width:
            break
        kept += 1
    return kept


def window(top: int, at: int, rows: int, count: int) -> int:
    """The first row in sight, so that row ``at`` of ``count`` is in sight, and as few as possible move."""
    top = min(max(top, at - rows + 1), at)
    return max(0, min(top, count - rows))


def params_columns(names: Sequence[str], params: Callable[[RowT], Mapping[str, Any]]) -> list[Column[RowT]]:
    """A column for each parameter, with numbers rounded: one that was drawn has many digits before its exponent."""

    def column(name: str) -> Column[RowT]:
        def text(row: RowT) -> str:
            return shortened(str(params(row).get(name, '')))

        return Column(name, text, lambda row: params(row).get(name), widest=16)

    return [column(name) for name in names]
