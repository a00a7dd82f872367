"""A list of searches as lines that fill a terminal, and what keys make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hpsearch.model.units import count_of, duration
from hpsearch.ui.format import DONE, ORDER, counts_text
from hpsearch.ui.head import Line
from hpsearch.ui.top.cells import fitted, harmless
from hpsearch.ui.top.help import LIST_HINTS, hints
from hpsearch.ui.top.paint import Look, too_small
from hpsearch.ui.top.shown import ListShown, SearchRow
from hpsearch.ui.top.tables import Column, Sort, next_sort, sorted_by, table_lines, window
from hpsearch.ui.top.view import Action

FIRST = ('running', 'submitted', 'claimed', 'failed')
"""States of most interest."""


@dataclass(frozen=True)
class ListView:
    """How a list of searches is looked at.

    Attributes:
        selected: The search that is marked; empty: none yet.
        at: Its row.
        top: The first row in sight.
        sort: The order.
        message: Why the last thing that was asked for was refused.
    """

    selected: str = ''
    at: int = 0
    top: int = 0
    sort: Sort = field(default_factory=Sort)
    message: str = ''


def paint_list(view: ListView, shown: ListShown, look: Look) -> tuple[ListView, list[Line]]:
    """The view with its mark in place, and the lines that fill the terminal."""
    if look.is_too_small:
        return view, too_small(look)
    rows, room = _ordered(view, shown), look.height - 4
    view = _settled(view, rows, room)
    many = count_of(len(rows), 'search', 'searches')
    table = table_lines(
        rows[view.top : view.top + room], columns_of(shown.now), view.sort, view.at - view.top, look.width
    )
    lines: list[Line] = [[(many, 'bold'), ('  below ', ''), (harmless(shown.below), '')], [], *table]
    lines += [[] for _ in range(look.height - 1 - len(lines))]
    last = [(harmless(view.message), 'yellow')] if view.message else [(hints(look.width, LIST_HINTS), 'dim')]
    return view, [fitted(line, look.width) for line in [*lines, last]]


def press_list(view: ListView, key: str, shown: ListShown, rows: int) -> tuple[ListView, Action | None]:
    """What a key makes of a list, and what it asks for; ``rows``: how many there are on a page."""
    view = replace(view, message='')
    steps = {'up': -1, 'down': 1, 'page up': -rows, 'page down': rows, 'home': -(1 << 30), 'end': 1 << 30}
    if key in steps:
        found = _ordered(view, shown)
        at = max(0, min(view.at + steps[key], len(found) - 1))
        return replace(view, at=at, selected=found[at].name if found else ''), None
    match key:
        case 'enter' | 'right' if view.selected:
            return view, Action('open', view.selected)
        case 's':
            sort = next_sort(view.sort, [column.title for column in columns_of(shown.now)])
            return replace(view, sort=sort), None
        case 'r':
            return replace(view, sort=replace(view.sort, is_reversed=not view.sort.is_reversed)), None
        case 'q':
            return view, Action('quit')
        case _:
            return view, None


def columns_of(now: float) -> list[Column[SearchRow]]:
    """The columns of the list, the most important ones first."""
    return [
        Column('search', lambda row: row.name, lambda row: row.name, widest=32, is_fixed=True),
        Column('done', _progress, _share, True),
        Column('at work', lambda row: 'yes' if row.is_alive else '', lambda row: row.is_alive, widest=7),
        Column('best', lambda row: row.best, lambda row: row.best or None),
        Column('states', _states, lambda row: sum(row.counts.values()), widest=60),
        Column('last event', lambda row: _age(row, now), lambda row: None if row.at is None else -row.at, True),
        Column('user', lambda row: row.user, lambda row: row.user or None),
    ]


def _done(row: SearchRow) -> int:
    return sum(row.counts.get(state, 0) for state in DONE)


def _progress(row: SearchRow) -> str:
    if not row.counts:
        return '' if row.problem else '…'
    return f'{_done(row)}' if row.total is None else f'{_done(row)}/{row.total}'


def _share(row: SearchRow) -> float | None:
    return _done(row) / row.total if row.counts and row.total else None


def _states(row: SearchRow) -> str:
    states = dict.fromkeys((*FIRST, *ORDER))
    return row.problem or counts_text({state: row.counts[state] for state in states if row.counts.get(state)})


def _age(row: SearchRow, now: float) -> str:
    return '' if row.at is None else f'{duration(max(0.0, now - row.at))} ago'


def _ordered(view: ListView, shown: ListShown) -> Sequence[SearchRow]:
    """Usually those at work first, then those in which something happened last."""
    usual = sorted(shown.rows, key=lambda row: (not row.is_alive, -(row.at or 0.0), row.name))
    return sorted_by(usual, columns_of(shown.now), view.sort)


def _settled(view: ListView, rows: Sequence[SearchRow], room: int) -> ListView:
    place = next((index for index, row in enumerate(rows) if row.name == view.selected), view.at)
    at = max(0, min(place, len(rows) - 1))
    top = window(view.top, at, max(1, room), len(rows))
    return replace(view, at=at, top=top, selected=rows[at].name if rows else '')
