"""The live view: a region at the bottom of a terminal that is redrawn in place, and the layout of a snapshot in it."""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, TextIO

from hpsearch.model.snapshot import GpuLine, Snapshot
from hpsearch.model.units import count_of
from hpsearch.ui.ansi_filter import TRANSIENT_ROWS, AnsiFilter
from hpsearch.ui.format import gpu_parts, line_width, printable, queue_texts, running_texts, stuck_texts
from hpsearch.ui.head import LETTER_MARKS, LINE_MARKS, Line, Part, best_lines, head
from hpsearch.ui.terminal import Printed, Terminal, is_tty, shown_width, string_console

if TYPE_CHECKING:
    from rich.text import Text

SECONDS_BETWEEN_FRAMES = 0.15
HELD_LINES = 1000

STUCK_ROWS = 2


class LiveView:
    """A region at the bottom of a terminal that is redrawn in place, with messages and output above it.

    Args:
        stream: A terminal that can move its cursor.
        clock: Monotonic seconds.
        size: Columns and rows of the terminal; None: read from the terminal before each drawing.
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
        self._layout: LiveLayout | None = None
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
        """Keeps the latest lines for a terminal that hangs, and none for one that is dead."""
        kept = 0 if self._terminal.dead else HELD_LINES
        excess = max(0, len(self._above) - kept)
        del self._above[:excess]
        self._left_out += excess

    def _take_above(self) -> list[str]:
        hidden = count_of(self._left_out, 'line is', 'lines are')
        note = [f'({hidden} not shown here; the logs have everything)'] if self._left_out else []
        lines, self._above, self._left_out = note + self._above, [], 0
        return lines

    def _region(self, columns: int, rows: int, final: bool) -> list[str]:
        self._layout = self._layout or LiveLayout(self._terminal.has_unicode)
        if self._snapshot is not None and (final or self._due()):
            self._body_at = self._clock()
            self._body = self._layout.paint(self._snapshot, columns - 1, _region_rows(rows), final)
        unfinished = [line for script in self._scripts.values() for line in script.unfinished]
        return self._layout.paint_output(unfinished[-TRANSIENT_ROWS:], columns - 1) + self._body


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


class LiveLayout:
    """Turns a snapshot into the lines of the live region, styled as the terminal allows."""

    def __init__(self, unicode: bool) -> None:
        self._console = string_console(80)
        coloured = self._console.color_system is not None and not self._console.no_color
        self._marks = LINE_MARKS if unicode and coloured else LETTER_MARKS

    def paint(self, snapshot: Snapshot, width: int, rows: int, final: bool = False) -> list[str]:
        """The lines of the region; ``final`` leaves out what only matters while the search runs."""
        lines = head(snapshot, width, self._marks) + best_lines(snapshot, width)
        if not final:
            lines += _under_way(snapshot, width, rows - len(lines))
        return self._rendered([_text(line) for line in lines[:rows]], width)

    def paint_output(self, lines: Sequence[str], width: int) -> list[str]:
        """Unfinished lines of a script, cut to the width."""
        from rich.text import Text

        return self._rendered([Text.from_ansi(line) for line in lines], width)

    def _rendered(self, lines: Sequence[Text], width: int) -> list[str]:
        from rich.text import Text

        if not lines:
            return []
        self._console.width = width
        joined = Text('\n', no_wrap=True, overflow='ellipsis').join(lines)
        with self._console.capture() as captured:
            self._console.print(joined, no_wrap=True, overflow='ellipsis', crop=True)
        return captured.get().split('\n')[: len(lines)]


def _text(parts: Sequence[Part]) -> Text:
    from rich.text import Text

    return Text.assemble(*((printable(text), style) for text, style in parts), no_wrap=True, overflow='ellipsis')


def _under_way(snapshot: Snapshot, width: int, rows: int) -> list[Line]:
    queue = _queue(snapshot)[: max(0, rows)]
    texts = running_texts(snapshot.running, snapshot.varying, snapshot.performance_key)
    running: list[Line] = [[(line, '')] for line in texts]
    rows -= len(queue)
    gpus = _gpus(snapshot.gpus, width, max(0, rows - min(2, len(running))))
    running = _clipped(running, max(0, rows - len(gpus)), 'running')
    labels = ['running  ', *['         '] * len(running)]
    return [*queue, *gpus, *([(label, 'bold'), *line] for label, line in zip(labels, running, strict=False))]


def _queue(snapshot: Snapshot) -> list[Line]:
    """What is in a queue in one row, and what will never leave it in rows of its own."""
    stuck: list[Line] = [[('stuck    ', 'yellow'), (text, '')] for text in stuck_texts(snapshot.queue)]
    parts = [part for text in queue_texts(snapshot.queue) for part in ((' · ', 'dim'), (text, ''))][1:]
    return [[('queue    ', 'bold'), *parts], *stuck[:STUCK_ROWS]] if parts else []


def _gpus(gpus: Sequence[GpuLine], width: int, rows: int) -> list[Line]:
    """The GPUs in one row each; in two where the reason for being closed needs it and there is room."""
    roomy = [line for gpu in gpus for line in _gpu(gpu, width, two_rows=True)]
    if len(roomy) <= rows:
        return roomy
    return _clipped([line for gpu in gpus for line in _gpu(gpu, width)], rows, 'GPUs')


def _gpu(gpu: GpuLine, width: int, two_rows: bool = False) -> list[Line]:
    styles = {'name': 'bold', 'closed': 'dim' if gpu.own_runs else 'yellow', 'others': 'yellow', 'model': 'dim'}
    everything = [(key, text) for key, text in gpu_parts(gpu, None) if key != 'model']
    split = two_rows and gpu.closed and line_width(text for _, text in everything) > width
    parts = everything if split else gpu_parts(gpu, width)
    first = [(text, styles.get(key, '')) for key, text in parts if not (split and key == 'closed')]
    second = [[('         ', ''), (text, styles[key])] for key, text in parts if split and key == 'closed']
    return [[part for separated in first for part in (('  ', ''), separated)][1:], *second]


def _clipped(lines: list[Line], rows: int, what: str) -> list[Line]:
    if len(lines) <= rows:
        return lines
    hidden = len(lines) - max(0, rows - 1)
    return [*lines[: rows - 1], [(f'+{hidden} more {what}', 'dim')]] if rows > 0 else []
