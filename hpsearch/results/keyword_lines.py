"""Lines of ``keyword value``, as the scripts of hypnettorch write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hpsearch.results.text import value_text

_COLON_OR_EQUALS = re.compile(r'([^\s:=]+)\s*[:=](?:\s+(.*))?$', re.DOTALL)
_EQUALS_TIGHT = re.compile(r'([A-Za-z_][\w.-]*)=(.*)$', re.DOTALL)


def read_lines(text: str, keywords: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The keywords of a text with their values, and what is odd about it.

    Args:
        text: Lines of the form ``keyword value``, ``keyword: value`` or ``keyword = value``.
        keywords: Those that are expected.
    """
    known = frozenset(keywords)
    values: dict[str, str] = {}
    repeated: dict[str, None] = {}
    for line in _logical_lines(text):
        keyword, value = _split_keyword(line, known)
        if keyword in values:
            repeated[keyword] = None
        values[keyword] = value_text(value)
    oddities = [f'given more than once (the last counts): {", ".join(repeated)}'] if repeated else []
    if values and not text.endswith('\n') and known - values.keys():
        oddities.append('the last line has no end, so the file may be cut off')
    return values, oddities


def _logical_lines(text: str) -> list[str]:
    """Stripped lines; an indented line continues an open bracket, as numpy prints arrays, and torch what follows them.

    Of round brackets, which texts have, too, only one that is open after a comma is continued.
    """
    lines: list[list[str]] = []
    square = round_ = 0
    for raw in text.split('\n'):
        line = raw.strip()
        if not line:
            continue
        if raw[0].isspace() and (square > 0 or (round_ > 0 and lines[-1][-1].endswith(','))):
            lines[-1].append(line)
        else:
            lines.append([line])
            square = round_ = 0
        square += line.count('[') - line.count(']')
        round_ += line.count('(') - line.count(')')
    return [' '.join(parts) for parts in lines]


def _split_keyword(line: str, known: frozenset[str]) -> tuple[str, str]:
    first, rest = _first_word(line)
    if first in known and rest not in ('=', ':') and not rest.startswith(('= ', ': ')):
        return first, rest
    match = _COLON_OR_EQUALS.match(line) or _EQUALS_TIGHT.match(line)
    if match:
        return match[1], (match[2] or '').strip()
    name, colon, value = line.partition(':')
    if colon and name in known:
        return name, value.strip()
    return first, rest


def _first_word(line: str) -> tuple[str, str]:
    words = line.split(None, 1)
    return words[0], words[1] if len(words) > 1 else ''
