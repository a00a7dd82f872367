"""Values in the grammar of Hydra's command line, such that Hydra reads the same values.

See "Basic Override syntax" and "Extended Override syntax" in the documentation of Hydra 1.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hpsearch.model.configuration import Value

_BARE = re.compile(r'[A-Za-z_/.][\w/.+%@-]*', re.ASCII)
"""Texts that are strings without quotes, unless they are words of the grammar."""

_TAKEN = frozenset(('null', 'true', 'false', 'inf', 'nan'))


def hydra_text(value: Value) -> str:
    """A value as Hydra reads it.

    Args:
        value: A bool, number, string, None, list or dict of such.
    """
    if value is None:
        return 'null'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f'[{",".join(map(hydra_text, value))}]'
    if isinstance(value, Mapping):
        return f'{{{",".join(f"{_key(key)}:{hydra_text(each)}" for key, each in value.items())}}}'
    return _string(value) if isinstance(value, str) else str(value)


def _key(key: object) -> str:
    """A key of a dict, for which Hydra knows no quotes."""
    return re.sub(r'([\\()\[\]{}:=, \t])', r'\\\1', str(key))


def _string(text: str) -> str:
    is_bare = _BARE.fullmatch(text) and text.lower() not in _TAKEN and not _is_number(text)
    return text if is_bare else _quoted(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _quoted(text: str) -> str:
    """Within quotes a backslash is only special before a quote, which the end is, too."""
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return "'" + re.sub(r'(\\+)\Z', r'\1\1', escaped) + "'"
