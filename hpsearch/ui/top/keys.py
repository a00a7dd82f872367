"""Keys: from what a terminal sends to their names."""

from __future__ import annotations

import re

_SEQUENCES = {
    **{f'{start}{letter}': name for start in ('\x1b[', '\x1bO') for letter, name in (
        ('A', 'up'), ('B', 'down'), ('C', 'right'), ('D', 'left'), ('H', 'home'), ('F', 'end'),
    )},
    **{f'\x1b[{number}~': name for number, name in (
        (1, 'home'), (4, 'end'), (5, 'page up'), (6, 'page down'), (7, 'home'), (8, 'end'), (3, 'delete'),
    )},
    '\x1b[Z': 'back tab',
}  # fmt: skip

_SINGLE = {'\t': 'tab', '\r': 'enter', '\n': 'enter', '\x7f': 'backspace', '\b': 'backspace', '\x15': 'clear'}

_TOKEN = re.compile(r'\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|\x1b(?![\[O])|[^\x1b]', re.DOTALL)
_BEGUN = re.compile(r'\x1b(?:\[[0-?]*[ -/]*|O)?\Z')


def keys_in(text: str) -> tuple[list[str], str]:
    """The keys that a terminal has sent, and what may be the beginning of another.

    A key is named, or is the character that it types. What is not known is left out.
    """
    begun = _BEGUN.search(text)
    rest = begun.group() if begun else ''
    tokens = _TOKEN.findall(text[: len(text) - len(rest)])
    return [key for token in tokens if (key := _key(token))], rest


def keys_at_rest(rest: str) -> list[str]:
    """The keys of a beginning after which nothing came: the escape key, or nothing."""
    return ['escape'] if rest == '\x1b' else []


def _key(token: str) -> str:
    if token == '\x1b':
        return 'escape'
    if token[0] == '\x1b':
        return _SEQUENCES.get(token, '')
    return _SINGLE.get(token, token if token.isprintable() else '')
