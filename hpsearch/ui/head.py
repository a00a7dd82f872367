"""What stands above everything that is shown of a search: its name, how far it has come, and its best run."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TypeAlias

from hpsearch.model.snapshot import Snapshot
from hpsearch.ui.format import (
    UNDER_WAY,
    bar_cells,
    done,
    full_counts,
    known_runs,
    params_text,
    performance,
    state_text,
    time_text,
)

STYLES = {
    'finished': 'green',
    'failed': 'red',
    'stopped': 'yellow',
    'running': 'cyan',
    'submitted': 'blue',
    'claimed': 'blue',
    'planned': 'dim',
}
LETTER_MARKS = {**dict.fromkeys(UNDER_WAY, '>'), 'finished': '#', 'failed': 'x', 'planned': '.', '': '?'}
LINE_MARKS = {'': '━'}

Part: TypeAlias = tuple[str, str]
"""A text and its style."""

Line: TypeAlias = list[Part]


def head(snapshot: Snapshot, width: int, marks: Mapping[str, str]) -> list[Line]:
    """Name and times, a bar with a mark for each state, the numbers of runs, and why no run is started."""
    name = os.path.basename(snapshot.folder.rstrip('/')) or snapshot.folder
    title = spread([(name, 'bold')], [(time_text(snapshot), '')], width)
    lines = [title, bar(snapshot, width, marks), counts_line(snapshot)]
    return lines + ([[('waiting  ', 'yellow'), (snapshot.waiting, '')]] if snapshot.waiting else [])


def spread(left: Line, right: Line, width: int) -> Line:
    """Puts one part at each end of the line; the left one is left out where there is no room."""
    gap = width - sum(len(text) for text, _ in [*left, *right])
    return [*left, (' ' * gap, ''), *right] if gap >= 2 else right


def bar(snapshot: Snapshot, width: int, marks: Mapping[str, str]) -> Line:
    """The share of the runs that each state has, and in numbers how many are done."""
    label = f'  {_share(snapshot)}'
    counts = {state: number for state, number in full_counts(snapshot).items() if state != 'planned'}
    cells = bar_cells(counts, known_runs(snapshot), max(5, width - len(label)))
    return [*((marks.get(state, marks['']) * number, style_of(state)) for state, number in cells), (label, '')]


def _share(snapshot: Snapshot) -> str:
    """How many runs are done, and which share of all where that is known."""
    if snapshot.total is None:
        return f'{done(snapshot)} done'
    share = done(snapshot) / snapshot.total if snapshot.total else 1.0
    return f'{done(snapshot)}/{snapshot.total}  {math.floor(share * 100)} %'


def counts_line(snapshot: Snapshot) -> Line:
    """How many runs are in each state."""
    parts = [(f'{number} {state_text(state)}', style_of(state)) for state, number in full_counts(snapshot).items()]
    return [part for separated in parts for part in ((' · ', 'dim'), separated)][1:]


def best_lines(snapshot: Snapshot, width: int) -> list[Line]:
    """The best run on one line where everything fits, on two where it does not."""
    if not snapshot.best:
        return []
    name, params, _ = snapshot.best
    first: Line = [('best     ', 'bold'), (performance(snapshot), 'bold green'), ('  ' + name, '')]
    tail = params_text(params, snapshot.varying)
    if sum(len(text) for text, _ in first) + 2 + len(tail) <= width:
        return [[*first, ('  ' + tail, '')]]
    return [first, [('         ' + tail, '')]]


def style_of(state: str) -> str:
    """The style in which a state is shown."""
    return STYLES.get(state, 'yellow')
