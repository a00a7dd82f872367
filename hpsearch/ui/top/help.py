"""What the view says of its keys."""

from __future__ import annotations

from collections.abc import Sequence

HINTS = (
    '? help', 'q quit', 'enter details', '5 log', 's sort', '/ filter', 'k stop run', 'R retry run', 'd drain',
    'p pause', 'r reverse', 'tab next pane',
)  # fmt: skip
"""The most important first: the others are left out where there is no room."""

LIST_HINTS = ('q quit', 'enter open', 's sort', 'r reverse', 'arrows move')

KEYS = (
    ('1 to 5, tab', 'the panes: running, best, all runs, GPUs or queue, log'),
    ('up, down', 'another run; page up, page down, home, end'),
    ('left, right', 'columns, or the text of a log, that have no room'),
    ('enter', 'the details of the run'),
    ('s, r', 'sort by the next column; the other way round'),
    ('/', "only some runs: lr<0.01 and state=='failed'"),
    ('k', 'stop the run'),
    ('R', 'run it once more'),
    ('d', 'drain: start no more runs, end when the others have'),
    ('p', 'pause, and resume: start no more runs for now'),
    ('esc', 'close, end the filter, or back to the list of searches'),
    ('q', 'quit; the search goes on'),
)
"""All keys, and what they do."""


def hints(width: int, words: Sequence[str] = HINTS) -> str:
    """As many of the hints as there is room for."""
    shown = ''
    for word in words:
        longer = f'{shown}   {word}' if shown else word
        if len(longer) > width:
            break
        shown = longer
    return shown
