"""Lines as what a terminal is sent."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from hpsearch.ui.head import Line

ENTER = '\x1b[?1049h\x1b[?25l\x1b[2J'
"""Another screen than that of the shell, without a cursor."""

LEAVE = '\x1b[0m\x1b[?25h\x1b[?1049l'
"""The screen of the shell as it was."""

_CODES = {
    'bold': '1', 'dim': '2', 'reverse': '7', 'red': '31', 'green': '32', 'yellow': '33', 'blue': '34', 'cyan': '36',
}  # fmt: skip
_PLAIN = ('bold', 'dim', 'reverse')
"""Styles that are no colours."""


def has_colour(environ: Mapping[str, str]) -> bool:
    """Whether a terminal shows colours, and its user wants them (https://no-color.org)."""
    return not environ.get('NO_COLOR') and can_move(environ)


def can_move(environ: Mapping[str, str]) -> bool:
    """Whether a terminal can move its cursor."""
    return environ.get('TERM', 'dumb').lower() not in ('dumb', 'unknown', '')


def as_text(line: Line, *, colour: bool, styles: bool = True) -> str:
    """A line of harmless parts with its styles.

    Args:
        line: The line.
        colour: Whether there are colours.
        styles: Whether there are styles at all.
    """
    if not styles:
        return ''.join(text for text, _ in line).rstrip(' ')
    alike = (
        (''.join(text for text, _ in parts), style) for style, parts in itertools.groupby(line, lambda part: part[1])
    )
    return ''.join(_styled(text, style, colour) for text, style in alike).rstrip(' ')


def _styled(text: str, style: str, colour: bool) -> str:
    codes = [_CODES[word] for word in style.split() if word in _CODES and (colour or word in _PLAIN)]
    return f'\x1b[{";".join(codes)}m{text}\x1b[0m' if codes and text else text


def update(before: Sequence[str], after: Sequence[str]) -> str:
    """What turns the lines that a terminal shows into others; ``before`` is empty if it is not known what it shows."""
    whole = '' if before else '\x1b[2J'
    old = [*before, *([''] * (len(after) - len(before)))]
    changed = (
        f'\x1b[{row};1H\x1b[2K{new}' for row, (was, new) in enumerate(zip(old, after, strict=False), 1) if was != new
    )
    return whole + ''.join(changed)
