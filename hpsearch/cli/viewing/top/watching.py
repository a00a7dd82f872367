"""``hpsearch top``: what is watched, and the loop of reading, drawing and taking keys."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hpsearch.cli.viewing.top.actions import perform
from hpsearch.cli.viewing.top.listing import Listing
from hpsearch.cli.viewing.top.screens import ListScreen, Screen, SearchScreen
from hpsearch.cli.viewing.top.terminal import FullScreen, full_screen
from hpsearch.model.errors import HpsearchError, SearchFolderError, in_one_line
from hpsearch.records.finding import SEARCH_DEPTH, searches_below
from hpsearch.store.folder import SearchFolder
from hpsearch.ui.terminal import Sink, is_tty
from hpsearch.ui.top.cells import harmless
from hpsearch.ui.top.paint import Look
from hpsearch.ui.top.screen import as_text, can_move
from hpsearch.ui.top.view import Action

MOST_OF_A_CORE = 0.05
"""The share of the time for which searches are read, whatever the interval."""

LONGEST_PAUSE = 10.0
"""Seconds between two readings of a search that takes long to be read, unless more are asked for."""


@dataclass(frozen=True, slots=True)
class TopCommand:
    """``hpsearch top``.

    Attributes:
        dir: A search, or a folder with searches below it; empty: the current folder.
        interval: Seconds between two readings.
        once: Print one frame.
        trust: Whether keys act on searches of others.
    """

    dir: str
    interval: float
    once: bool
    trust: bool


def watch(command: TopCommand) -> int:
    """Watch a search, or several; returns the exit code.

    Raises:
        HpsearchError: There is none, or it cannot be read.
    """
    if command.once or not is_tty(sys.stdout) or not can_move(os.environ):
        _print_once(_screen(command))
        return 0
    with full_screen(sys.stdout) as terminal:
        try:
            terminal.draw([[(f'reading {harmless(command.dir) or "what is here"} …', '')]])
            _Loop(terminal, _screen(command), command).run()
        except KeyboardInterrupt:
            pass  # a way to quit like another
    return 0


def _screen(command: TopCommand) -> Screen:
    """What is watched.

    Raises:
        HpsearchError: There is no search.
    """
    path, now = Path(os.path.abspath(command.dir or '.')), time.time()
    found = [path] if command.dir and not path.is_dir() else searches_below(path)
    if not found:
        raise SearchFolderError(f'{path}: neither it nor what is at most {SEARCH_DEPTH} levels below it is a search.')
    if len(found) == 1:
        return SearchScreen(SearchFolder(found[0]), partial(perform, trust=command.trust), now)
    listing = Listing(path)
    listing.read_on(now, float('inf') if command.once else 0.5)
    return ListScreen(listing, now)


def _print_once(screen: Screen) -> None:
    """Print a frame without what only matters on a terminal that can move its cursor."""
    columns, rows = shutil.get_terminal_size()
    look = Look(columns, rows, Sink(sys.stdout).has_unicode, colour=False)
    lines = [as_text(line, colour=False, styles=False) for line in screen.lines(look)][:-1]
    Sink(sys.stdout).write('\n'.join(lines).rstrip('\n') + '\n')


def pause_after(took: float, interval: float) -> float:
    """Seconds until a search is read again, so that watching it costs little, and it is never out of date for long.

    Args:
        took: Seconds that reading it took.
        interval: Seconds that were asked for.
    """
    return max(interval, min(took / MOST_OF_A_CORE, LONGEST_PAUSE))


class _Loop:
    """Reads, draws and takes keys until it is quit."""

    def __init__(self, terminal: FullScreen, screen: Screen, command: TopCommand) -> None:
        self._terminal = terminal
        self._screens = [screen]
        self._command = command
        self._due = time.monotonic() + command.interval

    def run(self) -> None:
        """Until it is quit."""
        while self._screens and not self._terminal.is_dead:
            if time.monotonic() >= self._due:
                self._read()
            screen, look = self._screens[-1], self._terminal.look
            self._terminal.draw(screen.lines(look))
            for key in self._terminal.pressed(self._due - time.monotonic()):
                action = screen.press(key, look)
                if action is not None:
                    self._act(action)
                    break

    def _read(self) -> None:
        """Read, and say when it is read again."""
        begin = time.monotonic()
        self._screens[-1].read(time.time())
        end = time.monotonic()
        self._due = end + pause_after(end - begin, self._command.interval)

    def _act(self, action: Action) -> None:
        match action.kind:
            case 'quit':
                self._screens.clear()
            case 'back':
                self._screens.pop()
            case 'open':
                self._open(action.what)
        self._due = min(self._due, time.monotonic())

    def _open(self, name: str) -> None:
        listed = self._screens[-1]
        assert isinstance(listed, ListScreen)
        try:
            does = partial(perform, trust=self._command.trust)
            self._screens.append(SearchScreen(listed.folder(name), does, time.time(), can_close=True))
        except (HpsearchError, OSError) as error:
            listed.tell(in_one_line(error))
