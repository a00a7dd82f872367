"""The live view: a region at the bottom of a terminal that is redrawn in place."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from typing import TextIO

from hpsearch.model.snapshot import Snapshot
from hpsearch.ui.ansi_filter import TRANSIENT_ROWS, AnsiFilter
from hpsearch.ui.format import printable
from hpsearch.ui.live_layout import LiveLayout
from hpsearch.ui.terminal import Printed, Terminal, is_tty, shown_width

SECONDS_BETWEEN_FRAMES = 0.15
HELD_LINES = 1000


class LiveView:
    """A region at the bottom of a terminal that is redrawn in place, with messages and output above it.

    Args:
        stream: A terminal that can move its cursor.
        clock: Monotonic seconds.
        size: Columns and rows of the terminal; None: asked from the terminal before each drawing.
    """

    def __init__(
        self,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
        size: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        self._terminal = Terminal(stream)
        self._clock = clock
        self._size = size or self._terminal.size
        self._lock = threading.RLock()
        self._redirected = ExitStack()
        self._scripts = {'stdout': AnsiFilter(), 'stderr': AnsiFilter(), 'ours': AnsiFilter()}
        self._above: list[str] = []
        self._left_out = 0
        self._snapshot: Snapshot | None = None
        self._painter: LiveLayout | None = None
        self._body: list[str] = []
        self._body_at = -math.inf
        self._drawn: list[int] = []

    def __enter__(self) -> LiveView:
        printed = Printed(lambda data: self._show('ours', data))
        if is_tty(sys.stdout):
            self._redirected.enter_context(redirect_stdout(printed))
        if is_tty(sys.stderr):
            self._redirected.enter_context(redirect_stderr(printed))
        return self

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._redirected.close()
            for script in self._scripts.values():
                self._above += script.end()
            self._draw(final=True)
            self._terminal.close()
            self._snapshot, self._body, self._drawn = None, [], []

    def update(self, snapshot: Snapshot) -> None:
        with self._lock:
            self._snapshot = snapshot
            if self._due():
                self._draw()

    def output(self, data: bytes, stream_name: str) -> None:
        self._show(stream_name, data)

    def end_output(self) -> None:
        with self._lock:
            self._above += self._scripts['stdout'].end() + self._scripts['stderr'].end()
            self._draw()

    def log(self, text: str, *, error: bool = False) -> None:
        with self._lock:
            lines = [printable(line) for line in text.rstrip('\n').split('\n')]
            self._above += [f'\x1b[1m{line}\x1b[0m' if error else line for line in lines]
            self._draw()

    def _show(self, name: str, data: bytes) -> None:
        with self._lock:
            if self._terminal.dead:
                return
            lines = self._scripts[name].feed(data)
            self._above += lines
            if lines or self._due():
                self._draw()

    def _due(self) -> bool:
        return self._clock() - self._body_at >= SECONDS_BETWEEN_FRAMES

    def _draw(self, final: bool = False) -> None:
        """Writes the lines that go above and then the region, in one piece, over the region that is there."""
        if not self._terminal.ready():
            self._hold_back()
            return
        columns, rows = self._size()
        above = self._take_above()
        region = self._region(columns, rows, final)
        self._terminal.write(_back_to_top(self._drawn, columns) + _written(above, region))
        self._drawn = [shown_width(line) for line in region]

    def _hold_back(self) -> None:
        """Keeps the latest lines of what waits for a terminal that hangs, and nothing for one that is dead."""
        kept = 0 if self._terminal.dead else HELD_LINES
        excess = max(0, len(self._above) - kept)
        del self._above[:excess]
        self._left_out += excess

    def _take_above(self) -> list[str]:
        note = [f'({self._left_out} lines are not shown here; the logs have them)'] if self._left_out else []
        lines, self._above, self._left_out = note + self._above, [], 0
        return lines

    def _region(self, columns: int, rows: int, final: bool) -> list[str]:
        self._painter = self._painter or LiveLayout(self._terminal.speaks_unicode)
        if self._snapshot is not None and (final or self._due()):
            self._body_at = self._clock()
            self._body = self._painter.paint(self._snapshot, columns - 1, _region_rows(rows), final)
        unfinished = [line for script in self._scripts.values() for line in script.unfinished]
        return self._painter.paint_output(unfinished[-TRANSIENT_ROWS:], columns - 1) + self._body


def _region_rows(rows: int) -> int:
    """How much of the terminal's height the region may take, so that messages stay in sight."""
    return max(3, min(rows - 1 - TRANSIENT_ROWS, rows * 2 // 3))


def _back_to_top(drawn: Sequence[int], columns: int) -> str:
    """Moves the cursor to the first row of the region; a terminal that became narrower has wrapped its lines."""
    rows = sum(max(1, math.ceil(width / columns)) for width in drawn)
    return f'\r\x1b[{rows}A' if rows else '\r'


def _written(above: Sequence[str], region: Sequence[str]) -> str:
    # A line that fills its row leaves the cursor on its last cell, where erasing the rest would erase that cell:
    # lines above may, so the region is erased before them; lines of the region are shorter than a row.
    start = '\x1b[J' if above else ''
    return start + ''.join(f'{line}\n' for line in above) + ''.join(f'{line}\x1b[K\n' for line in region) + '\x1b[J'
