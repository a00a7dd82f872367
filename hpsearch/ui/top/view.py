"""How a search is looked at, and what keys make of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hpsearch.ui.top.panes import BEST, IN_SIGHT, LOG, PANES, RUNNING, TABLES, Setting, columns_of, rows_of
from hpsearch.ui.top.shown import RunRow, SearchShown
from hpsearch.ui.top.tables import Sort, next_sort, window

DETAILS, HELP = 'details', 'help'
"""Panes that are opened from another one, and closed again."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a key asks for, and that is done elsewhere.

    Attributes:
        kind: ``stop``, ``retry``, ``drain``, ``pause``, ``filter``, ``open``, ``back`` or ``quit``.
        what: The run or search that is meant, or the text of the filter.
    """

    kind: str
    what: str = ''


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question in the last line.

    Attributes:
        text: What stands before the answer.
        action: What is done when it is answered; of a filter, ``what`` is what was typed so far.
        is_typed: Whether the answer is a text; otherwise it is yes or no.
    """

    text: str
    action: Action
    is_typed: bool = False


@dataclass(frozen=True)
class View:
    """How a search is looked at.

    Attributes:
        pane: What is shown: one of :data:`PANES`, or what was opened from it.
        back: The pane that is shown when that is closed again.
        selected: The run that is marked; empty: none yet.
        at: Its row in the table.
        top: The first row in sight.
        shift: How many columns (or, of text, cells) are left out on the left.
        sorts: Pane to the order of its rows.
        where: The filter; empty: there is none.
        prompt: The question that is asked; None: none is.
        message: What became of the last action, or why it was refused.
        can_close: Whether it was opened from a list of searches.
    """

    pane: str = RUNNING
    back: str = RUNNING
    selected: str = ''
    at: int = 0
    top: int = 0
    shift: int = 0
    sorts: Mapping[str, Sort] = field(default_factory=dict)
    where: str = ''
    prompt: Prompt | None = None
    message: str = ''
    can_close: bool = False

    @property
    def sort(self) -> Sort:
        """The order of the rows of the pane."""
        return self.sorts.get(self.pane, Sort())


NUMBERS = {str(number): pane for number, pane in enumerate(PANES, 1)}
"""Key to the pane that it opens."""

Pressed = tuple[View, Action | None]


def first_pane(shown: SearchShown) -> str:
    """The pane of most interest: that of the best runs where none is under way."""
    return next((pane for pane in (RUNNING, BEST) if rows_of(pane, shown, Sort())), RUNNING)


def settled(view: View, shown: SearchShown, rows: int, lines: int) -> View:
    """The view after what is shown has changed: the mark stays on its run, and moves on where that has left.

    Args:
        view: As it was.
        shown: The search.
        rows: Rows there are for the pane.
        lines: Lines that it has if it is no table.
    """
    if view.pane not in TABLES:
        return replace(view, top=max(0, min(view.top, lines - rows)))
    found = rows_of(view.pane, shown, view.sort)
    at = _index(found, view)
    selected = found[at].name if found else view.selected
    return replace(view, at=at, top=window(view.top, at, max(1, rows), len(found)), selected=selected)


def _index(rows: Sequence[RunRow], view: View) -> int:
    if view.at < len(rows) and rows[view.at].name == view.selected:
        return view.at
    place = next((index for index, row in enumerate(rows) if row.name == view.selected), view.at)
    return max(0, min(place, len(rows) - 1))


def filtered(view: View, where: str) -> View:
    """The view when only the runs are shown of which a condition holds; empty: all."""
    return replace(view, where=where, at=0, top=0)


def press(view: View, key: str, shown: SearchShown, rows: int) -> Pressed:
    """What a key makes of a view, and what it asks for.

    Args:
        view: As it is.
        key: Its name (:func:`hpsearch.ui.top.keys.keys_in`).
        shown: The search that is looked at.
        rows: Rows there are for the pane.
    """
    view = replace(view, message='')
    if view.prompt is not None:
        return _answered(view, view.prompt, key)
    if view.pane in (DETAILS, HELP) and key in ('escape', 'enter', 'backspace', '?', 'q'):
        return _opened(view, view.back), None
    steps = {'up': -1, 'down': 1, 'page up': -rows, 'page down': rows, 'home': -(1 << 30), 'end': 1 << 30}
    if key in steps:
        return _moved(view, steps[key], shown), None
    if key in NUMBERS:
        return _opened(view, NUMBERS[key]), None
    handle = KEYS.get(key)
    return handle(view, shown) if handle else (view, None)


def _moved(view: View, step: int, shown: SearchShown) -> View:
    if view.pane not in TABLES:
        # The log is followed from its end, so there the first row in sight is counted from below.
        return replace(view, top=max(0, view.top - step if view.pane == LOG else view.top + step))
    found = rows_of(view.pane, shown, view.sort)
    at = max(0, min(view.at + step, len(found) - 1))
    return replace(view, at=at, selected=found[at].name if found else view.selected)


def _opened(view: View, pane: str) -> View:
    if pane == view.pane:
        return view
    back = view.pane if view.pane in PANES else view.back
    return replace(view, pane=pane, back=back, top=0, at=0, shift=0)


# Questions


def _answered(view: View, prompt: Prompt, key: str) -> Pressed:
    if not prompt.is_typed:
        return replace(view, prompt=None), prompt.action if key in ('y', 'Y') else None
    typed = prompt.action.what
    match key:
        case 'enter':
            return replace(view, prompt=None), Action('filter', typed.strip())
        case 'escape':
            return replace(view, prompt=None), None
        case 'backspace':
            return _typed(view, prompt, typed[:-1]), None
        case 'clear':
            return _typed(view, prompt, ''), None
        case _:
            return _typed(view, prompt, typed + key if len(key) == 1 else typed), None


def _typed(view: View, prompt: Prompt, text: str) -> View:
    return replace(view, prompt=replace(prompt, action=replace(prompt.action, what=text)))


def _asks(view: View, text: str, action: Action) -> Pressed:
    return replace(view, prompt=Prompt(text, action)), None


# Keys


def _next_pane(view: View, step: int) -> Pressed:
    pane = view.pane if view.pane in PANES else view.back
    return _opened(view, PANES[(PANES.index(pane) + step) % len(PANES)]), None


def _shifted(view: View, step: int) -> Pressed:
    return replace(view, shift=max(0, view.shift + (step if view.pane in TABLES else 8 * step))), None


def _sorted(view: View, shown: SearchShown) -> Pressed:
    if view.pane not in TABLES:
        return view, None
    titles = [column.title for column in columns_of(view.pane, shown.runs, Setting())]
    return _with_sort(view, next_sort(view.sort, titles)), None


def _reversed(view: View, shown: SearchShown) -> Pressed:
    if view.pane not in TABLES:
        return view, None
    return _with_sort(view, replace(view.sort, is_reversed=not view.sort.is_reversed)), None


def _with_sort(view: View, sort: Sort) -> View:
    return replace(view, sorts={**view.sorts, view.pane: sort}, at=0, top=0, selected='')


def _selected(view: View, shown: SearchShown) -> RunRow | None:
    return next((row for row in shown.runs.rows if row.name == view.selected), None)


def _stop(view: View, shown: SearchShown) -> Pressed:
    run = _selected(view, shown)
    if run is None:
        return replace(view, message='no run is selected'), None
    if run.state == 'finished':
        return replace(view, message=f'run {run.number} has finished already'), None
    if run.state in ('failed', 'stopped', 'interrupted', 'lost'):
        return _asks(view, f'Never start run {run.number}, which is {run.state}, again? y/n', Action('stop', run.name))
    return _asks(view, f'Stop run {run.number}, which is {run.state}? y/n', Action('stop', run.name))


def _retry(view: View, shown: SearchShown) -> Pressed:
    run = _selected(view, shown)
    if run is None:
        return replace(view, message='no run is selected'), None
    if run.state in IN_SIGHT or run.state == 'planned':
        return replace(view, message=f'run {run.number} has not ended yet: {run.state}'), None
    if run.state == 'finished':
        return replace(view, message=f'run {run.number} has finished: it is not run again'), None
    return _asks(view, f'Run {run.number}, which is {run.state}, once more? y/n', Action('retry', run.name))


def _drain(view: View, shown: SearchShown) -> Pressed:
    return _asks(view, 'Start no more runs, and end when those that run have ended? y/n', Action('drain'))


def _filter(view: View, shown: SearchShown) -> Pressed:
    return replace(view, prompt=Prompt('show only runs where: ', Action('filter', view.where), is_typed=True)), None


def _escape(view: View, shown: SearchShown) -> Pressed:
    if view.where:
        return view, Action('filter')
    return view, Action('back') if view.can_close else None


KEYS: Mapping[str, Callable[[View, SearchShown], Pressed]] = {
    'tab': lambda view, shown: _next_pane(view, 1),
    'back tab': lambda view, shown: _next_pane(view, -1),
    'left': lambda view, shown: _shifted(view, -1),
    'right': lambda view, shown: _shifted(view, 1),
    'enter': lambda view, shown: (_opened(view, DETAILS), None),
    '?': lambda view, shown: (_opened(view, HELP), None),
    's': _sorted,
    'r': _reversed,
    '/': _filter,
    'k': _stop,
    'R': _retry,
    'd': _drain,
    'p': lambda view, shown: (view, Action('pause')),
    'q': lambda view, shown: (view, Action('quit')),
    'escape': _escape,
}
"""Key to what it does."""
