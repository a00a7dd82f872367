"""The two things that fill the terminal: a search, and a list of searches. Each reads, draws, and takes keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from hpsearch.cli.viewing.top.following import FollowedSearch
from hpsearch.cli.viewing.top.listing import Listing
from hpsearch.cli.viewing.top.logs import LogReader
from hpsearch.cli.viewing.top.rows import details_of
from hpsearch.model.errors import HpsearchError, in_one_line
from hpsearch.store.folder import SearchFolder
from hpsearch.ui.head import Line
from hpsearch.ui.top.paint import Look, body_rows, paint
from hpsearch.ui.top.panes import LOG
from hpsearch.ui.top.searches import ListView, paint_list, press_list
from hpsearch.ui.top.shown import SearchShown
from hpsearch.ui.top.view import DETAILS, Action, View, filtered, first_pane, press

Perform = Callable[[Action, FollowedSearch], str]
"""Does what a key asked for; returns what became of it, in a sentence."""


class Screen(Protocol):
    """Something that fills the terminal."""

    def read(self, now: float) -> None:
        """Read what has happened since; ``now`` is in seconds since 1970. What cannot be read is shown."""

    def lines(self, look: Look) -> Sequence[Line]:
        """The lines that fill the terminal."""

    def press(self, key: str, look: Look) -> Action | None:
        """Take a key; returns what is to be done elsewhere: ``quit``, ``back`` or ``open``."""


class SearchScreen:
    """One search.

    Args:
        folder: The search.
        perform: Does what keys ask for.
        can_close: Whether it was opened from a list.
        now: Seconds since 1970.

    Raises:
        HpsearchError: It is no search, or cannot be read.
    """

    def __init__(self, folder: SearchFolder, perform: Perform, now: float, *, can_close: bool = False) -> None:
        self._search = FollowedSearch(folder, now)
        self._logs = LogReader(folder)
        self._perform = perform
        self._shown = self._search.shown()
        view = View(first_pane(self._shown), can_close=can_close)
        self._view = paint(view, self._shown, Look())[0]  # with its mark on a run

    def read(self, now: float) -> None:
        try:
            self._search.read_on(now)
            self._shown = self._search.shown()
        except (HpsearchError, OSError) as error:
            self._shown = replace(self._shown, problem=f'{in_one_line(error)} What is shown was read before.')

    def lines(self, look: Look) -> Sequence[Line]:
        self._view, lines = paint(self._view, self._with_run(), look)
        return lines

    def _with_run(self) -> SearchShown:
        """What is shown, with what is asked for about a run."""
        record = self._search.records.get(self._view.selected)
        if record is None:
            return self._shown
        if self._view.pane == LOG:
            return replace(self._shown, log=self._logs.of(record))
        if self._view.pane == DETAILS:
            if record.waiting:
                record = replace(record, waiting=self._shown.snapshot.waiting)
            use, command = self._shown.uses.get(record.name), self._search.command_of(record)
            return replace(self._shown, details=list(details_of(record, use, command)))
        return self._shown

    def press(self, key: str, look: Look) -> Action | None:
        shown = self._shown
        self._view, action = press(self._view, key, shown, body_rows(self._view, shown, look))
        if action is None or action.kind in ('quit', 'back'):
            return action
        self._do(action)
        self.read(time.time())
        return None

    def _do(self, action: Action) -> None:
        try:
            message = self._perform(action, self._search)
        except (HpsearchError, OSError) as error:
            message = in_one_line(error)
        else:
            self._view = filtered(self._view, action.what) if action.kind == 'filter' else self._view
        self._view = replace(self._view, message=message)


class ListScreen:
    """Several searches.

    Args:
        listing: The searches.
        now: Seconds since 1970.
    """

    def __init__(self, listing: Listing, now: float) -> None:
        self._listing = listing
        self._view = ListView()
        self._shown = listing.shown(now)

    def read(self, now: float) -> None:
        self._listing.read_on(now)
        self._shown = self._listing.shown(now)

    def lines(self, look: Look) -> Sequence[Line]:
        self._view, lines = paint_list(self._view, self._shown, look)
        return lines

    def press(self, key: str, look: Look) -> Action | None:
        self._view, action = press_list(self._view, key, self._shown, max(1, look.height - 4))
        return action

    def folder(self, name: str) -> SearchFolder:
        """The search of this name."""
        return SearchFolder(self._listing.path(name))

    def tell(self, message: str) -> None:
        """Show why a search cannot be opened."""
        self._view = replace(self._view, message=' '.join(message.split()))
