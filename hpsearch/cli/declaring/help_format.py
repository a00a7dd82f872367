"""How the help of a verb looks: as wide as the terminal, with the default of each option, and examples as written."""

from __future__ import annotations

import argparse
import re
import shutil

WIDEST = 100
"""Columns that help takes at most: longer lines are hard to read."""

_STATED = re.compile(r' ?\(default: [^)]*\)')


class HelpFormatter(argparse.HelpFormatter):
    """States defaults as they are declared, and keeps indented lines of a description or an epilogue as they are."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=min(shutil.get_terminal_size().columns, WIDEST))

    def _get_help_string(self, action: argparse.Action) -> str:
        return (action.help or '') + stated_default(action).replace('%', '%%')

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        blocks = re.findall(r'(?:^ .*\n?)+|(?:^[^ \n].*\n?)+|^\n', text, re.MULTILINE)
        filled = (
            block.rstrip('\n')
            if block.startswith((' ', '\n'))
            else super(HelpFormatter, self)._fill_text(block, width, '')
            for block in blocks
        )
        return '\n'.join(filled)


def stated_default(action: argparse.Action) -> str:
    """What to add to the help of an option, so that it says what holds where it is not given; empty: nothing.

    Its help may say it already, where the value alone would not be understood.
    """
    value = action.default
    if action.nargs == 0 or _STATED.search(action.help or '') or value in (None, '', argparse.SUPPRESS, [], ()):
        return ''
    return f' (default: {f"{value:g}" if isinstance(value, float) else value})'


def as_before(text: str) -> str:
    """The help of an option with a value that is kept where it is not given."""
    return f'{_STATED.sub("", text)} (default: as before)'
