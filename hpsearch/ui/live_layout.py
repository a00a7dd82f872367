"""Painting with rich: a snapshot of a search as the lines of the live region."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from hpsearch.model.snapshot import GpuLine, Snapshot
from hpsearch.ui.format import (
    UNDER_WAY,
    bar_cells,
    done,
    full_counts,
    gpu_parts,
    known_runs,
    line_width,
    params_text,
    performance,
    printable,
    queue_texts,
    running_texts,
    state_text,
    stuck_texts,
    time_text,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

STYLES = {
    'finished': 'green',
    'failed': 'red',
    'running': 'cyan',
    'submitted': 'blue',
    'claimed': 'blue',
    'planned': 'dim',
}
LETTER_MARKS = {**dict.fromkeys(UNDER_WAY, '>'), 'finished': '#', 'failed': 'x', 'planned': '.', '': '?'}
LINE_MARKS = {'': '━'}

RUNNING_ROWS = 4
STUCK_ROWS = 2

Part: TypeAlias = tuple[str, str]
"""A text and its style."""


class LiveLayout:
    """Turns a snapshot into the lines of the live region, styled as the terminal allows."""

    def __init__(self, unicode: bool) -> None:
        self._console = string_console(80)
        coloured = self._console.color_system is not None and not self._console.no_color
        self._marks = LINE_MARKS if unicode and coloured else LETTER_MARKS

    def paint(self, snapshot: Snapshot, width: int, rows: int, final: bool = False) -> list[str]:
        """The lines of the region; ``final`` leaves out what only matters while the search goes on."""
        lines = _head(snapshot, width, self._marks) + _best(snapshot, width)
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


def string_console(width: int) -> Console:
    """A console that paints for a terminal and writes into a string."""
    from rich.console import Console

    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=100, markup=False, highlight=False, emoji=False
    )


def _text(parts: Sequence[Part]) -> Text:
    from rich.text import Text

    return Text.assemble(*((printable(text), style) for text, style in parts), no_wrap=True, overflow='ellipsis')


def _head(snapshot: Snapshot, width: int, marks: Mapping[str, str]) -> list[list[Part]]:
    name = os.path.basename(snapshot.folder.rstrip('/')) or snapshot.folder
    title = _spread([(name, 'bold')], [(time_text(snapshot), '')], width)
    lines = [title, _bar(snapshot, width, marks), _counts(snapshot)]
    return lines + ([[('waiting  ', 'yellow'), (snapshot.waiting, '')]] if snapshot.waiting else [])


def _spread(left: list[Part], right: list[Part], width: int) -> list[Part]:
    """Puts one part to each end of the line; the left one gives way."""
    gap = width - sum(len(text) for text, _ in [*left, *right])
    return [*left, (' ' * gap, ''), *right] if gap >= 2 else right


def _bar(snapshot: Snapshot, width: int, marks: Mapping[str, str]) -> list[Part]:
    label = f'  {_share(snapshot)}'
    counts = {state: number for state, number in full_counts(snapshot).items() if state != 'planned'}
    cells = bar_cells(counts, known_runs(snapshot), max(5, width - len(label)))
    return [*((marks.get(state, marks['']) * number, _style(state)) for state, number in cells), (label, '')]


def _share(snapshot: Snapshot) -> str:
    """How many runs are done, and which share of all, where there is an end to be seen."""
    if snapshot.total is None:
        return f'{done(snapshot)} done'
    share = done(snapshot) / snapshot.total if snapshot.total else 1.0
    return f'{done(snapshot)}/{snapshot.total}  {math.floor(share * 100)} %'


def _counts(snapshot: Snapshot) -> list[Part]:
    parts = [(f'{number} {state_text(state)}', _style(state)) for state, number in full_counts(snapshot).items()]
    return [part for separated in parts for part in ((' · ', 'dim'), separated)][1:]


def _best(snapshot: Snapshot, width: int) -> list[list[Part]]:
    """The best run on one line where everything fits, on two where it does not."""
    if not snapshot.best:
        return []
    name, params, _ = snapshot.best
    head: list[Part] = [('best     ', 'bold'), (performance(snapshot), 'bold green'), ('  ' + name, '')]
    tail = params_text(params, snapshot.varying)
    if sum(len(text) for text, _ in head) + 2 + len(tail) <= width:
        return [[*head, ('  ' + tail, '')]]
    return [head, [('         ' + tail, '')]]


def _under_way(snapshot: Snapshot, width: int, rows: int) -> list[list[Part]]:
    queue = _queue(snapshot)[: max(0, rows)]
    running: list[list[Part]] = [[(line, '')] for line in running_texts(snapshot.running)]
    rows -= len(queue)
    gpus = _gpus(snapshot.gpus, width, max(0, rows - min(2, len(running))))
    running = _clipped(running, min(RUNNING_ROWS, max(0, rows - len(gpus))), 'running')
    labels = ['running  ', *['         '] * len(running)]
    return [*queue, *gpus, *([(label, 'bold'), *line] for label, line in zip(labels, running, strict=False))]


def _queue(snapshot: Snapshot) -> list[list[Part]]:
    """What is in a queue in one row, and what will never leave it in rows of its own."""
    stuck: list[list[Part]] = [[('stuck    ', 'yellow'), (text, '')] for text in stuck_texts(snapshot.queue)]
    parts = [part for text in queue_texts(snapshot.queue) for part in ((' · ', 'dim'), (text, ''))][1:]
    return [[('queue    ', 'bold'), *parts], *stuck[:STUCK_ROWS]] if parts else []


def _gpus(gpus: Sequence[GpuLine], width: int, rows: int) -> list[list[Part]]:
    """The GPUs in one row each, or in two where the reason for being closed needs it and there is room."""
    roomy = [line for gpu in gpus for line in _gpu(gpu, width, two_rows=True)]
    if len(roomy) <= rows:
        return roomy
    return _clipped([line for gpu in gpus for line in _gpu(gpu, width)], rows, 'GPUs')


def _gpu(gpu: GpuLine, width: int, two_rows: bool = False) -> list[list[Part]]:
    styles = {'name': 'bold', 'closed': 'dim' if gpu.own_runs else 'yellow', 'others': 'yellow', 'model': 'dim'}
    everything = [(key, text) for key, text in gpu_parts(gpu, None) if key != 'model']
    split = two_rows and gpu.closed and line_width(text for _, text in everything) > width
    parts = everything if split else gpu_parts(gpu, width)
    first = [(text, styles.get(key, '')) for key, text in parts if not (split and key == 'closed')]
    second = [
        [
            ('         ', ''),
            (text, styles[key]),
        ]
        for key, text in parts
        if split and key == 'closed'
    ]
    return [[part for separated in first for part in (('  ', ''), separated)][1:], *second]


def _clipped(lines: list[list[Part]], rows: int, what: str) -> list[list[Part]]:
    if len(lines) <= rows:
        return lines
    hidden = len(lines) - max(0, rows - 1)
    return [*lines[: rows - 1], [(f'+{hidden} more {what}', 'dim')]] if rows > 0 else []


def _style(state: str) -> str:
    return STYLES.get(state, 'yellow')
